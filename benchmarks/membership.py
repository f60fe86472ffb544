"""P8: rotation, replay, revocation.

Rotation: the next epoch of an audience of 60 devices: its secret made and sealed to each of them by a member's device,
checked, signed and replayed by a registrar's; alone, and as a sync does it over HTTP with its commits.
Replay: a directory of 2,500 entries that a device has not seen, in the pages that a server gives and at once, and the
same read from its database and replayed as by a server that starts.
Revocation: how many requests of a device are answered after the registrar's entry was committed; it must be none.
Not measured: enrolment, TLS, a network, how long the registrar's finger takes.
The town is one of its own, so that no other workload sees directories that changed; keys are real, devices that are
only sealed to have no store.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

from sluss_client import Device
from sluss_client.agency.chain import Chain
from sluss_client.keyring import rotation
from sluss_client.local import Local
from sluss_client.testing import Town
from sluss_client.trust import Trust
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas import sync as wire
from sluss_schemas.agency import Audience
from sluss_server.services.directories import Directories
from sluss_server.storage.engine import open_engine

from benchmarks import raw_http, yardsticks, years
from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground
from benchmarks.servers import CLOCK, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_ROTATION_AIM_MS: Final = 100
_AGENCIES: Final = ("security", "police", "health")
"""One that rotates, one that revokes, one that is old."""
_ROTATES, _REVOKES, _OLD = _AGENCIES
_SECRET_BYTES: Final = 32
_APPENDED: Final = 400
"""Entries of a device's append while the directory is made."""
_PAGE: Final = 500
"""Entries of a page, as the server gives them."""
_PULL: Final = "/v1/pull"
_REFUSED: Final = b"revoked_device"


@asynccontextmanager
async def _town() -> AsyncIterator[Town]:
    """Give a town whose server runs without the clock of tests."""
    async with Town(agencies=_AGENCIES) as town:
        if town.server is None:
            message = "the town has no server of its own"
            raise RuntimeError(message)
        town.server.stop()
        clock = os.environ.pop(CLOCK)
        server = Server(town.server.data, town.server.port)
        server.start()
        try:
            yield town
        finally:
            server.stop()
            os.environ[CLOCK] = clock


async def p8(ground: Ground) -> list[Figure]:
    """Measure what membership costs."""
    ground.say("P8: a town of three agencies")
    async with _town() as town:
        rotated = await _rotation(ground, town.founders[_ROTATES])
        replayed = await _replay(ground, town)
        revoked = await _revocation(ground, town)
    return [*rotated, *replayed, *revoked]


def field_of(local: Local) -> Audience:
    """Return the own agency's field audience."""
    found = local.trust.own.audience_for("field")
    if found is None:
        message = "the agency has no field audience"
        raise ValueError(message)
    return found


# rotation


async def _rotation(ground: Ground, device: Device) -> list[Figure]:
    sizes, local = ground.sizes, device.local
    missing = sizes.members - len(field_of(local).members)
    joined = [body for _ in range(missing) for body in years.joining(local.trust.own, field_of(local))[2]]
    for start in range(0, len(joined), _APPENDED):
        await device.registrar.append(joined[start : start + _APPENDED])
    await device.sync()
    alone, whole, seals = list[float](), list[float](), list[float]()
    for number in range(sizes.rounds):
        ground.say(f"P8 rotation, round {number + 1} of {sizes.rounds}")
        seals.append(1000 * sizes.members / yardsticks.sealing_one(sizes.primitive, _SECRET_BYTES))
        alone.append(1000 * median(_made(local) for _ in range(sizes.rotations)))
        whole.append(1000 * median([await _rotated(device) for _ in range(sizes.rotations)]))
    bound = Limit(name=f"{sizes.members} HPKE seals, one core", unit="ms", rounds=tuple(seals))
    figure = Figure(
        workload="P8",
        work=f"rotation of an audience of {sizes.members} devices: made, checked, signed and replayed",
        unit="ms",
        rounds=tuple(alone),
        limit=bound,
        target=f"< {_ROTATION_AIM_MS} ms",
        met=median(alone) < _ROTATION_AIM_MS,
    )
    synced = "the same, by one sync of a member who is a registrar, from the command to the new key in force"
    return [
        figure,
        replace(figure, work=synced, rounds=tuple(whole), met=median(whole) < _ROTATION_AIM_MS),
    ]


def _made(local: Local) -> float:
    """Return the seconds that the next epoch takes on its maker's and a registrar's device, here one after the other.

    Raises:
        ValueError: the registrar's device would not have signed it.

    """
    rotation.request(local, field_of(local))
    now = local.newest()
    started = time.perf_counter()
    proposal = rotation.propose(local, field_of(local))
    signed = list(rotation.epochs_to_sign(local, membership.KeysAnswer((), (), (proposal,)), now))
    chain = Chain(local.trust.own.copy())
    for body, _ in signed:
        chain.add(body, local.keys.sign, now)
    seconds = time.perf_counter() - started
    if [len(wraps.wraps) for _, wraps in signed] != [len(list(_entitled(local)))]:
        message = "the proposal was not signed"
        raise ValueError(message)
    return seconds


def _entitled(local: Local) -> list[tuple[bytes, bool]]:
    audience = field_of(local)
    return list(local.trust.own.entitled(audience, len(audience.epochs) + 1))


async def _rotated(device: Device) -> float:
    """Return the seconds of a whole rotation.

    Raises:
        ValueError: there is no new epoch, or its key is not on the device.

    """
    before = len(field_of(device.local).epochs)
    started = time.perf_counter()
    device.registrar.rotate(["field"])
    await device.sync()
    seconds = time.perf_counter() - started
    audience = field_of(device.local)
    current = audience.current
    if len(audience.epochs) != before + 1 or current is None or not device.local.ring.holds(current, whole=True):
        message = "the audience was not rotated"
        raise ValueError(message)
    return seconds


# replay


async def _replay(ground: Ground, town: Town) -> list[Figure]:
    sizes, device = ground.sizes, town.founders[_OLD]
    local = device.local
    ground.say(f"P8 a directory of {sizes.entries:,} entries")
    own = local.trust.own
    bodies = list(islice(years.passing(own, field_of(local), sizes.members), sizes.entries - own.seq - 1))
    for start in range(0, len(bodies), _APPENDED):
        await device.registrar.append(bodies[start : start + _APPENDED])
    entries = list(local.entries(0))
    paged, whole, started, verifying = list[float](), list[float](), list[float](), list[float]()
    stored = 0
    for number in range(sizes.rounds):
        ground.say(f"P8 replay, round {number + 1} of {sizes.rounds}")
        verifying.append(1000 * len(entries) / yardsticks.verifying(sizes.primitive))
        paged.append(1000 * _replayed(local, entries, _PAGE))
        whole.append(1000 * _replayed(local, entries, len(entries)))
        seconds, stored = await _started(town, local.trust.partnership)
        started.append(1000 * seconds * len(entries) / stored)
    bound = Limit(name=f"{len(entries):,} Ed25519 verifications, one core", unit="ms", rounds=tuple(verifying))
    figure = Figure(
        workload="P8",
        work=f"replay of a directory of {len(entries):,} entries on a device, in pages of {_PAGE}",
        unit="ms",
        rounds=tuple(paged),
        limit=bound,
    )
    reading = f"the same on a server that starts: read from SQLite and replayed, per {len(entries):,} of {stored:,}"
    return [
        figure,
        replace(figure, work="the same at once", rounds=tuple(whole)),
        replace(figure, work=reading, rounds=tuple(started)),
    ]


def _replayed(local: Local, entries: Sequence[d.SignedEntry], page: int) -> float:
    """Return the seconds that a device takes that has nothing of this directory.

    Raises:
        ValueError: it came to another end.

    """
    own = local.trust.own
    trust = Trust(local.trust.partnership, own.agency, own.root_fingerprint)
    started = time.perf_counter()
    for first in range(0, len(entries), page):
        trust.extend(own.agency, first, entries[first : first + page])
    seconds = time.perf_counter() - started
    if trust.own.head != own.head:
        message = "the replay came to another end"
        raise ValueError(message)
    return seconds


async def _started(town: Town, partnership: bytes) -> tuple[float, int]:
    """Return the seconds in which a server knows the directories that its database has, and their entries' number."""
    if town.server is None:
        message = "the town has no server of its own"
        raise RuntimeError(message)
    engine = open_engine(f"sqlite+aiosqlite:///{town.server.data / 'sluss.sqlite'}")
    try:
        started = time.perf_counter()
        view = await Directories(engine).refresh(partnership)
        seconds = time.perf_counter() - started
    finally:
        await engine.close()
    return seconds, sum(directory.seq + 1 for directory in view.directories.values())


# revocation


@dataclass(slots=True)
class _Revoked:
    """One revocation: seconds of the act, and requests answered before and after it."""

    seconds: float
    before: int
    after: int


async def _revocation(ground: Ground, town: Town) -> list[Figure]:
    sizes = ground.sizes
    done, verifying = list[_Revoked](), list[float]()
    for number in range(sizes.rounds):
        ground.say(f"P8 revocation, round {number + 1} of {sizes.rounds}")
        verifying.append(yardsticks.fsync_ms(ground.folder, sizes.fsyncs))
        done.append(await _revoke(town, sizes.asked))
    after = tuple(float(one.after) for one in done)
    return [
        Figure(
            workload="P8",
            work="requests of a device that are answered once its revocation is committed, on an open connection",
            unit="requests",
            rounds=after,
            limit=Limit(name="before", unit="requests", rounds=tuple(float(one.before) for one in done)),
            target="0: effective on the next request",
            met=max(after) == 0,
        ),
        Figure(
            workload="P8",
            work="revocation by a registrar's device, from the command to the answer after the commit",
            unit="ms",
            rounds=tuple(1000 * one.seconds for one in done),
            limit=Limit(name="one fsync", unit="ms", rounds=tuple(verifying)),
        ),
    ]


async def _revoke(town: Town, asked: int) -> _Revoked:
    """Enrol a device, let it ask, revoke it, and let it ask until it is refused.

    Raises:
        ConnectionError: it was refused for another reason, or before, or never.

    """
    device, registrar = await town.device(_REVOKES), town.founders[_REVOKES].registrar
    keys, body = device.local.keys, msgspec.msgpack.encode(wire.Pull())
    client = raw_http.Client.connect(town.url)
    try:
        for _ in range(asked):
            client.ask(raw_http.signed(keys, town.url, _PULL, body))
        started = time.perf_counter()
        await registrar.revoke(keys.kid.hex(), "stolen")
        seconds = time.perf_counter() - started
        for after in range(asked):
            if _is_refused(client, raw_http.signed(keys, town.url, _PULL, body)):
                return _Revoked(seconds, asked, after)
    finally:
        client.close()
    message = f"a revoked device was answered {asked} times"
    raise ConnectionError(message)


def _is_refused(client: raw_http.Client, request: bytes) -> bool:
    try:
        client.ask(request)
    except ConnectionError as refusal:
        if _REFUSED not in str(refusal).encode():
            raise
        return True
    return False
