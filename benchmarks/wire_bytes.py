"""P11: how many bytes a report costs on the wire.

Measured: 1,500 bytes of text in four sections, sealed for six audiences; up as it is pushed, down as a field colleague
of another agency gets it.
Not measured: TLS and TCP; heads of requests and answers are counted where the row says so.
Nothing here is a time, so nothing can disturb it: what differs between rounds are the lengths of integers.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sluss_schemas import sync as wire

from benchmarks import load, sealing, yardsticks
from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground

_UP_AIM: Final = 15_000
_DOWN_AIM: Final = 5_000


async def p11(ground: Ground) -> list[Figure]:
    """Count the bytes of reports."""
    ground.say("P11")
    items, least_up, least_down = list[float](), list[float](), list[float]()
    in_batch, single, down = list[float](), list[float](), list[float]()
    for _ in range(ground.sizes.rounds):
        raws = await ground.items(yardsticks.AT_ONCE)
        whole = [msgspec.msgpack.decode(raw, type=wire.Item) for raw in raws]
        seals = [sum(len(sealed.seal) for sealed in one.recipients) for one in whole]
        items.append(_mean([len(raw) for raw in raws]))
        least_up.append(_mean([len(one.manifest) + size for one, size in zip(whole, seals, strict=True)]))
        least_down.append(_mean([len(one.manifest) + len(one.recipients[0].seal) for one in whole]))
        batch = await ground.push(await ground.one_file(yardsticks.AT_ONCE), yardsticks.AT_ONCE, 1)
        in_batch.append(batch.sent / yardsticks.AT_ONCE)
        alone = await ground.push(await ground.one_file(yardsticks.AT_ONCE), 1, 1)
        single.append(alone.sent / yardsticks.AT_ONCE)
        drained = await ground.call("load", load.drain, ground.store("puller"), ground.server.url)
        down.append(drained.got / drained.reports)
    up = Limit(name="its manifest and six seals", unit="bytes", rounds=tuple(least_up))
    text = f"{sealing.TEXT_BYTES:,} bytes of text, four sections, six audiences"
    return [
        _counted(f"up: the item ({text})", items, up, _UP_AIM),
        _counted("up: in a request of 50, with its head", in_batch, up, _UP_AIM),
        _counted("up: in a request of its own, with its head", single, up, _UP_AIM),
        _counted(
            "down: in a page, with its head, to a field colleague of another agency",
            down,
            Limit(name="its manifest and one seal", unit="bytes", rounds=tuple(least_down)),
            _DOWN_AIM,
        ),
    ]


def _mean(values: list[int]) -> float:
    return sum(values) / len(values)


def _counted(work: str, rounds: list[float], limit: Limit, aim: int) -> Figure:
    return Figure(
        workload="P11",
        work=work,
        unit="bytes",
        rounds=tuple(rounds),
        limit=limit,
        target=f"≤ {aim:,} bytes",
        met=max(rounds) <= aim,
    )
