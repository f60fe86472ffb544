"""P4 and P7: what a device does.

P4 measures a first sync with the client package itself: directories, pages over HTTP, every signature verified, every
seal opened, every row sealed under the store's key and committed; and when the newest reports can be read.
P7 measures `device.file()`, durable, and sealing for six audiences: at sync with its commits, and alone.
Not measured: opening the store (its passphrase is slow on purpose), enrolment, TLS, a network, a telephone.
Sharing the two cores: for P4 the device's process and the server's; for P7 the device's alone.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Final

from benchmarks import device_work, sealing, yardsticks
from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground

_SYNC_AIM: Final = 2_000
_NEWEST_AIM_S: Final = 1.0
_FILE_AIM: Final = 5
_SEAL_AIM: Final = 800
_PART: Final = 50
"""What a sync seals in one transaction."""


async def p4(ground: Ground) -> list[Figure]:
    """Measure first syncs of the smallest store."""
    sizes = ground.sizes
    await ground.fill(sizes.stored[0] - sizes.newest)
    newest = await ground.top()
    limits, runs = list[float](), list[device_work.Synced]()
    for number in range(sizes.rounds):
        ground.say(f"P4 round {number + 1} of {sizes.rounds}")
        limits.append(yardsticks.opening_and_verifying(sizes.primitive))
        store = ground.copy_of("reader", number)
        runs.append(await ground.call("device", device_work.first_sync, store, newest, False))  # noqa: FBT003  # by position
    _check(runs, ground.stored)
    rates = tuple(one.received / one.seconds for one in runs)
    return [
        Figure(
            workload="P4",
            work=f"first sync of {ground.stored:,} reports on the device: verified, opened, sealed, committed",
            unit="reports/s",
            rounds=rates,
            limit=Limit(name="one HPKE open and one Ed25519 verify, one core", unit="/s", rounds=tuple(limits)),
            target=f"{_SYNC_AIM:,} reports/s",
            met=median(rates) >= _SYNC_AIM,
        ),
        _newest(ground, runs, limits),
    ]


async def p4_newest(ground: Ground) -> list[Figure]:
    """Measure how long the newest reports take when much is stored; each sync ends when they are readable."""
    sizes = ground.sizes
    await ground.holding(sizes.stored[-1])
    newest = await ground.top()
    limits, runs = list[float](), list[device_work.Synced]()
    for number in range(sizes.rounds):
        ground.say(f"P4 newest of {ground.stored:,}, round {number + 1} of {sizes.rounds}")
        limits.append(yardsticks.opening_and_verifying(sizes.primitive))
        store = ground.copy_of("reader", sizes.rounds + number)
        runs.append(await ground.call("device", device_work.first_sync, store, newest, True))  # noqa: FBT003  # by position
    return [_newest(ground, runs, limits)]


def _check(runs: list[device_work.Synced], wanted: int) -> None:
    for one in runs:
        if one.alarms or one.received != wanted:
            message = f"{one.received} of {wanted} reports were taken in, with {one.alarms} alarms"
            raise ValueError(message)


def _newest(ground: Ground, runs: list[device_work.Synced], limits: list[float]) -> Figure:
    newest = ground.sizes.newest
    taken = tuple(one.seconds if one.readable is None else one.readable for one in runs)
    return Figure(
        workload="P4",
        work=f"the same, until the newest {newest} of {ground.stored:,} are readable",
        unit="s",
        rounds=taken,
        limit=Limit(name=f"opening and verifying {newest}", unit="s", rounds=tuple(newest / one for one in limits)),
        target=f"< {_NEWEST_AIM_S:.0f} s, whatever the size",
        met=median(taken) < _NEWEST_AIM_S,
    )


async def p7(ground: Ground) -> list[Figure]:
    """Measure filing and sealing."""
    sizes, store = ground.sizes, ground.store("filer")
    filing, fsyncs, seals, alone = list[float](), list[float](), list[float](), list[float]()
    for number in range(sizes.rounds):
        ground.say(f"P7 round {number + 1} of {sizes.rounds}")
        took, waited = await ground.call("device", device_work.filed, store, sizes.filed)
        filing.append(yardsticks.ms(took, 0.5))
        fsyncs.append(yardsticks.ms(waited, 0.5))
        seals.append(yardsticks.sealing(sizes.primitive, sealing.AUDIENCES))
        alone.append(sizes.sealed / await ground.call("device", sealing.timed, store, sizes.sealed))
    # The first part has no beginning that could be seen from outside, so one more than there are rounds.
    count = (sizes.rounds + 1) * _PART
    moments = await ground.call("device", device_work.sealed_at_sync, store, count)
    ground.stored += sizes.rounds * sizes.filed + count
    parts = [_PART / (after - before) for before, after in pairwise(moments)][: sizes.rounds]
    figure = Figure(
        workload="P7",
        work="`device.file()` of a full report, durable, p50",
        unit="ms",
        rounds=tuple(filing),
        limit=Limit(name="one fsync of a page, p50", unit="ms", rounds=tuple(fsyncs)),
    )
    bound = Limit(name="six HPKE seals, one core", unit="/s", rounds=tuple(seals))
    return [
        figure.aimed(f"ratio ≤ {_FILE_AIM}", met=figure.ratio <= _FILE_AIM),
        Figure(
            workload="P7",
            work="sealing for six audiences at sync, committed, 50 a transaction",
            unit="reports/s",
            rounds=tuple(parts),
            limit=bound,
            target=f"{_SEAL_AIM} reports/s",
            met=median(parts) >= _SEAL_AIM,
        ),
        Figure(workload="P7", work="sealing alone", unit="reports/s", rounds=tuple(alone), limit=bound),
    ]
