"""P1 and P2: how fast sealed reports go in.

Measured: full reports (six audiences, four sections) over real HTTP with signed requests, every check on, answered
after a commit with `synchronous=FULL`, one server process on SQLite.
Not measured: sealing and filing (done before), TLS, and a network: clients and server share one machine.
Sharing the two cores: the server process, and the load generator, which writes ready bytes and reads answers.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import Final

from benchmarks import load, yardsticks
from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground

PEER: Final = 5 * 303
"""Five times the fastest durable peer's 2 KB reports in batches; measured once elsewhere, not in this run."""
_OF_VERIFYING: Final = 1 / 6
_BATCHERS: Final = 4
_CROWD: Final = 16
_ALONE_AIM: Final = 400
_CROWD_AIM: Final = 1_200
_P99_AIM_MS: Final = 50
_BODY: Final = 2_048


async def p1(ground: Ground) -> list[Figure]:
    """Measure pushes of 50 reports."""
    sizes = ground.sizes
    rows = await ground.rows()
    rates: dict[int, list[float]] = {1: [], _BATCHERS: []}
    verifying, writing, decoding = list[float](), list[float](), list[float]()
    items = await ground.items(yardsticks.AT_ONCE)
    for number in range(sizes.rounds):
        ground.say(f"P1 round {number + 1} of {sizes.rounds}")
        verifying.append(yardsticks.verifying(sizes.primitive))
        writing.append(rows.written(yardsticks.AT_ONCE, sizes.rows))
        decoding.append(yardsticks.decoding(items))
        for clients, found in rates.items():
            made = await ground.one_file(sizes.batched)
            done = await ground.push(made, yardsticks.AT_ONCE, clients)
            found.append(len(made.ids) / done.seconds)
    work = "ingest of full sealed reports, 50 a request"
    bound = Limit(name="Ed25519 verify, one core", unit="/s", rounds=tuple(verifying))
    rate = Figure(workload="P1", work=f"{work}, 1 client", unit="reports/s", rounds=tuple(rates[1]), limit=bound)
    aim = f"ratio ≥ 1/6, and {PEER:,} reports/s (5 × the fastest durable peer)"
    others = (
        Limit(name="plain sqlite3, the same rows, 50 a commit", unit="/s", rounds=tuple(writing)),
        Limit(name="msgpack decode of the items", unit="/s", rounds=tuple(decoding)),
    )
    return [
        rate.aimed(aim, met=rate.ratio >= _OF_VERIFYING and rate.median >= PEER),
        *(replace(rate, work="the same", limit=limit) for limit in others),
        replace(rate, work=f"{work}, {_BATCHERS} clients", rounds=tuple(rates[_BATCHERS])),
    ]


async def p2(ground: Ground) -> list[Figure]:
    """Measure pushes of one report."""
    sizes, rows, bare = ground.sizes, await ground.rows(), await ground.bare()
    fsync, plain, empty, crowd_empty = list[float](), list[float](), list[float](), list[float]()
    alone, crowd = list[load.Timing](), list[load.Timing]()
    empty_p99 = list[float]()
    for number in range(sizes.rounds):
        ground.say(f"P2 round {number + 1} of {sizes.rounds}")
        fsync.append(yardsticks.fsync_ms(ground.folder, sizes.fsyncs))
        plain.append(rows.written(1, sizes.rows))
        one = await ground.call("load", load.nothing, bare, _BODY, sizes.crowd, 1)
        many = await ground.call("load", load.nothing, bare, _BODY, sizes.crowd, _CROWD)
        empty.append(sizes.crowd / one.seconds)
        crowd_empty.append(sizes.crowd / many.seconds)
        empty_p99.append(yardsticks.ms(many.latencies, 0.99))
        alone.append(await ground.push(await ground.one_file(sizes.alone), 1, 1))
        crowd.append(await ground.push(await ground.one_file(sizes.crowd), 1, _CROWD))
    no_op = "bare Litestar POST of 2 KB"
    alone_rates = tuple(len(one.latencies) / one.seconds for one in alone)
    crowd_rates = tuple(len(one.latencies) / one.seconds for one in crowd)
    p99 = tuple(yardsticks.ms(one.latencies, 0.99) for one in crowd)
    p50 = tuple(yardsticks.ms(one.latencies, 0.5) for one in alone)
    crowd_p50 = tuple(yardsticks.ms(one.latencies, 0.5) for one in crowd)
    rows_limit = Limit(name="plain sqlite3, the same rows, 1 a commit", unit="/s", rounds=tuple(plain))
    return [
        Figure(
            workload="P2",
            work="ingest, one report a request, 1 client",
            unit="reports/s",
            rounds=alone_rates,
            limit=rows_limit,
            target=f"{_ALONE_AIM:,} reports/s",
            met=median(alone_rates) >= _ALONE_AIM,
        ),
        Figure(
            workload="P2",
            work="the same",
            unit="reports/s",
            rounds=alone_rates,
            limit=Limit(name=f"{no_op}, 1 client", unit="/s", rounds=tuple(empty)),
        ),
        Figure(
            workload="P2",
            work="the same, p50",
            unit="ms",
            rounds=p50,
            limit=Limit(name="one fsync", unit="ms", rounds=tuple(fsync)),
        ),
        Figure(
            workload="P2",
            work=f"ingest, one report a request, {_CROWD} clients",
            unit="reports/s",
            rounds=crowd_rates,
            limit=Limit(name=f"{no_op}, {_CROWD} clients", unit="/s", rounds=tuple(crowd_empty)),
            target=f"{_CROWD_AIM:,} reports/s",
            met=median(crowd_rates) >= _CROWD_AIM,
        ),
        Figure(
            workload="P2",
            work="the same, p50",
            unit="ms",
            rounds=crowd_p50,
            limit=Limit(name="one fsync", unit="ms", rounds=tuple(fsync)),
        ),
        Figure(
            workload="P2",
            work="the same, p99",
            unit="ms",
            rounds=p99,
            limit=Limit(name=f"{no_op}, {_CROWD} clients, p99", unit="ms", rounds=tuple(empty_p99)),
            target=f"< {_P99_AIM_MS} ms",
            met=median(p99) < _P99_AIM_MS,
        ),
    ]
