"""P3 and P5: how fast reports go out of the server, and what asking costs when there is nothing.

Measured: one server process, signed pulls over real HTTP, each entry decided again by the pack, each page with reports
recorded in the ledger.
Not measured: opening what came (P4), TLS, and a network.
Sharing the two cores: the server process, and the load generator, which throws the reports away; other servers of the
run stand idle beside it.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from benchmarks import load, machine, yardsticks
from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground

_SERVED_AIM: Final = 10_000
_FLAT: Final = 1.1
_IDLE_AIM: Final = 1_500
_SAME: Final = 1.1
_AIMED_AT: Final = 200_000
_CROWD: Final = 16
_BODY: Final = 2_048
_MB: Final = 1_000_000


async def p3(ground: Ground) -> list[Figure]:
    """Measure first syncs of the smallest and of the largest store, and what they make the server grow to."""
    sizes, rows = ground.sizes, await ground.rows()
    few, many = sizes.stored[0], sizes.stored[-1]
    servers = {count: await ground.holding(count) for count in (few, many)}
    for server in servers.values():
        await ground.fresh(server)
    scanned = list[float]()
    found: dict[int, list[load.Drained]] = {few: [], many: []}
    peaks: dict[int, list[float]] = {few: [], many: []}
    before: dict[int, float] = {}
    for number in range(sizes.rounds):
        ground.say(f"P3 round {number + 1} of {sizes.rounds}")
        rows.written(yardsticks.AT_ONCE, sizes.rows)
        scanned.append(rows.scanned())
        for count, server in servers.items():
            before.setdefault(count, machine.resident_mib(server.pid)[0])
            machine.forget_highest(server.pid)
            done = await ground.call("load", load.drain, ground.store("puller"), server.url)
            if done.reports < count:
                message = f"{done.reports} of {count} reports came"
                raise ValueError(message)
            found[count].append(done)
            peaks[count].append(machine.resident_mib(server.pid)[1])
    ground.say(
        "P3 server resident before -> highest during: "
        + "; ".join(f"{count:,} stored: {before[count]:.0f} -> {max(peaks[count]):.0f} MiB" for count in servers)
    )
    limit = Limit(name="plain sqlite3 scan of the same rows", unit="/s", rounds=tuple(scanned))
    figures = list[Figure]()
    for runs in found.values():
        rates = tuple(one.reports / one.seconds for one in runs)
        speed = median(one.got / one.seconds / _MB for one in runs)
        figures.append(
            Figure(
                workload="P3",
                work=f"first sync of {runs[0].reports:,} reports, served ({speed:.0f} MB/s)",
                unit="reports/s",
                rounds=rates,
                limit=limit,
                target=f"{_SERVED_AIM:,} reports/s",
                met=median(rates) >= _SERVED_AIM,
            )
        )
    memory = Figure(
        workload="P3",
        work=f"server resident memory, highest while it serves {many:,} ({before[many]:.0f} MiB before)",
        unit="MiB",
        rounds=tuple(peaks[many]),
        limit=Limit(name=f"the same for {few:,} ({before[few]:.0f} MiB before)", unit="MiB", rounds=tuple(peaks[few])),
    )
    if not all(memory.limit.rounds):
        return figures  # this system does not tell a process's memory
    return [*figures, memory.aimed(f"flat: ratio ≤ {_FLAT}", met=memory.ratio <= _FLAT)]


async def p5(ground: Ground) -> list[Figure]:
    """Measure pulls that bring nothing, at every number of stored reports in turn within a round."""
    sizes, bare = ground.sizes, await ground.bare()
    servers = {count: await ground.holding(count) for count in sizes.stored}
    store = ground.store("puller")
    cursors = {}
    for count, server in servers.items():
        cursors[count] = (await ground.call("load", load.drain, store, server.url)).cursor
    few = sizes.stored[0]
    p50s: dict[int, list[float]] = {count: [] for count in servers}
    rates: dict[int, list[float]] = {count: [] for count in servers}
    empty, empty_p50, verifying = list[float](), list[float](), list[float]()
    for number in range(sizes.rounds):
        ground.say(f"P5 round {number + 1} of {sizes.rounds}")
        verifying.append(yardsticks.verifying(sizes.primitive))
        crowd = await ground.call("load", load.nothing, bare, _BODY, sizes.idle, _CROWD)
        empty.append(sizes.idle / crowd.seconds)
        single = await ground.call("load", load.nothing, bare, _BODY, sizes.idle, 1)
        empty_p50.append(yardsticks.ms(single.latencies, 0.5))
        for count, server in servers.items():
            one = await ground.call("load", load.idle, store, server.url, cursors[count], sizes.idle, 1)
            p50s[count].append(yardsticks.ms(one.latencies, 0.5))
            all_ = await ground.call("load", load.idle, store, server.url, cursors[count], sizes.idle, _CROWD)
            rates[count].append(sizes.idle / all_.seconds)
    no_op = "bare Litestar POST of 2 KB"
    first = tuple(rates[few])
    figures = [
        Figure(
            workload="P5",
            work=f"pull with nothing new, {few:,} stored, {_CROWD} clients",
            unit="signed requests/s",
            rounds=first,
            limit=Limit(name=f"{no_op}, {_CROWD} clients", unit="/s", rounds=tuple(empty)),
            target=f"{_IDLE_AIM:,} requests/s",
            met=median(first) >= _IDLE_AIM,
        ),
        Figure(
            workload="P5",
            work="the same",
            unit="signed requests/s",
            rounds=first,
            limit=Limit(name="Ed25519 verify, one core", unit="/s", rounds=tuple(verifying)),
        ),
        Figure(
            workload="P5",
            work=f"the same, {few:,} stored, 1 client, p50",
            unit="ms",
            rounds=tuple(p50s[few]),
            limit=Limit(name=f"{no_op}, 1 client, p50", unit="ms", rounds=tuple(empty_p50)),
        ),
    ]
    for count in sizes.stored[1:]:
        figure = Figure(
            workload="P5",
            work=f"the same, {count:,} stored, 1 client, p50",
            unit="ms",
            rounds=tuple(p50s[count]),
            limit=Limit(name=f"the same with {few:,} stored", unit="ms", rounds=tuple(p50s[few])),
        )
        at = "" if count >= _AIMED_AT else f" (aimed at with {_AIMED_AT:,}: `--full`)"
        figures.append(figure.aimed(f"ratio ≤ {_SAME}{at}", met=figure.ratio <= _SAME))
    return figures
