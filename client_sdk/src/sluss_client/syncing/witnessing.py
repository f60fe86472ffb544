"""The own agency's ledger as this device has seen it: each checkpoint has to have grown out of the last one.

Before a pull the newest checkpoint is asked for, and after it the own feeds are held against what it committed to: what
a server leaves out of a feed, or tells one device and not another, does not fit what it has signed.
A checkpoint is kept until a newer one is proven; a server that was restored begins anew, as its feeds do.
Source: docs/protocol.md sections 6 and 7.

> INVARIANT: a checkpoint is kept only once its signature, its growth and its time have been verified, and nothing but a
> server's new instance makes this device forget one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sluss_client import clock
from sluss_client.errors import Invalid, Offline
from sluss_client.local import Local
from sluss_client.syncing import noticing
from sluss_client.syncing.sync_core import Tally
from sluss_client.transport import Transport
from sluss_client.trust import local_day
from sluss_schemas import checkpoint as notes
from sluss_schemas import merkle
from sluss_schemas.checkpoint import Checkpoint, FeedProof
from sluss_schemas.ledger import CheckpointAnswer, CheckpointAsk

ASK_AFTER_S: Final = 60
"""A server makes one a minute at most, so who asks sooner is told the same."""
STANDS_STILL_S: Final = 3 * 3_600
"""A server makes one an hour at least, and clocks may be off a little."""
_SPACE: Final = "witnessed"
_KEPT: Final = b"kept"
_COMMITTED: Final = "committed"
_DAYS: Final = "witnessed_days"
_KEPT_DAYS: Final = 400
"""More than a look through the ledger goes back."""
_ALARM: Final = b"ledger"


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """The last checkpoint that was proven, the server's instance then, and when this device last asked."""

    note: bytes
    instance: bytes
    asked_at: int


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """A ledger as it was proven here once: how many leaves, the tree's root, when at the latest, and at which server.

    `time` is the latest of the checkpoint's, the corrected and the own one: no act after it is among the leaves.
    """

    size: int
    root: bytes
    time: int
    instance: bytes


class _Committed(msgspec.Struct, frozen=True, array_like=True):
    """What a checkpoint committed to of one feed; `shown` says whether the newest one was shown to do so."""

    generation: int
    seq: int
    shown: bool


class _Fault(Exception):  # control flow inside this module
    """What is wrong with an answer, as an alarm's code."""


def kept(local: Local) -> Kept | None:
    """Return what was kept of the ledger, or None before the first checkpoint."""
    data = local.store.get(_SPACE, _KEPT)
    return None if data is None else msgspec.msgpack.decode(data, type=Kept)


def seen_before(local: Local, time: int) -> Seen | None:
    """Return the last that was proven here before a time, as far back as days are kept; None where nothing was.

    What a server before a restore had shown counts until the own registrar has accepted the new one.
    """
    now = local.server_instance()
    accepted = local.trust.own.instance == now
    days = (msgspec.msgpack.decode(data, type=Seen) for _, data in local.store.items(_DAYS))
    found = (one for one in days if one.time < time and (one.instance == now or not accepted))
    return max(found, key=lambda one: one.time, default=None)


def checkpoint_of(local: Local) -> Checkpoint | None:
    """Return the last checkpoint that was proven, or None."""
    last = kept(local)
    return None if last is None else _read(local, last.note)


async def ask(local: Local, transport: Transport, tally: Tally) -> bool:
    """Ask for the newest checkpoint and keep it if it is proven; tell whether there is one of this very sync."""
    last, now = kept(local), transport.now()
    if last is not None and 0 <= now - last.asked_at < ASK_AFTER_S and last.instance == local.server_instance():
        return False
    since = 0 if last is None else _read(local, last.note).size
    try:
        answer = await transport.post("/v1/ledger/checkpoint", CheckpointAsk(since), CheckpointAnswer)
    except Offline:
        # A ledger that does not answer keeps nobody from reading; one that never does stands still.
        _stands_still(local, last, now, tally)
        return False
    except Invalid:
        _alarm(local, "ledger_unproven", tally)
        return False
    with local.store.transaction():
        try:
            found = _proven(local, last, answer)
        except _Fault as fault:
            _alarm(local, str(fault), tally)
            return False
        local.store.put(_SPACE, _KEPT, msgspec.msgpack.encode(Kept(answer.note, local.server_instance(), now)))
        if now - found.time > STANDS_STILL_S:
            _alarm(local, "ledger_rewound", tally)
            return False
        latest = max(found.time, clock.latest(transport.now()))
        _remember(local, Seen(found.size, found.root, latest, local.server_instance()))
        _commit(local, answer.feeds)
        local.calm(_ALARM)
    return True


def compare(local: Local, tally: Tally) -> None:
    """After everything was pulled: alarm `feed_withheld` for each feed that ends before what was committed to.

    A feed of which a page was refused has its own alarm, which says more.
    """
    alarmed = {name for name, _ in local.alarms()}
    stands = {position.feed: position for position in local.cursor()}
    feeds = noticing.feeds_of(local.trust.own, local.keys.kid)
    with local.store.transaction():
        for feed, data in list(local.store.items(_COMMITTED)):
            said, here = msgspec.msgpack.decode(data, type=_Committed), stands.get(feed)
            if not feeds.has(feed):
                local.store.delete(_COMMITTED, feed)
            elif not said.shown or here is None or (here.generation, here.seq) < (said.generation, said.seq):
                if feed not in alarmed:
                    tally.alarms += 1
                    local.alarm("feed_withheld", _ALARM + feed)
                continue
            local.calm(_ALARM + feed)


def _read(local: Local, note: bytes) -> Checkpoint:
    return notes.read(note, local.config.partnership, local.config.agency, local.checkpoint)


def _proven(local: Local, last: Kept | None, answer: CheckpointAnswer) -> Checkpoint:
    """Return an answer's checkpoint.

    Raises:
        _Fault: with the alarm's code.

    """
    try:
        found = _read(local, answer.note)
    except Invalid as refusal:
        raise _Fault("ledger_unproven") from refusal
    if noticing.contradicts(local.trust.own, found.directory):
        raise _Fault("ledger_fork")
    if last is not None and last.instance == local.server_instance():
        _follows(_read(local, last.note), found, answer)
    elif last is not None:
        local.store.clear(_COMMITTED)
    _feeds(local, found, answer)
    return found


def _follows(before: Checkpoint, found: Checkpoint, answer: CheckpointAnswer) -> None:
    """Return quietly if a checkpoint grew out of the one before it."""
    went_back = found.size < before.size or found.time < before.time or found.directory.seq < before.directory.seq
    if went_back:
        raise _Fault("ledger_rewound")
    proof = answer.proof if found.size > before.size else ()
    if before.size and not merkle.consistent(before.size, found.size, proof, before.root, found.root):
        raise _Fault("ledger_fork")


def _feeds(local: Local, found: Checkpoint, answer: CheckpointAnswer) -> None:
    """Return quietly if the checkpoint commits to what is said of every feed that this device stands in."""
    said = {one.feed: one for one in answer.feeds}
    if len(said) != len(answer.feeds) or not all(one.shown_by(found) for one in answer.feeds):
        raise _Fault("ledger_unproven")
    for feed, data in local.store.items(_COMMITTED):
        before, now = msgspec.msgpack.decode(data, type=_Committed), said.get(feed)
        if now is not None and (now.generation, now.seq) < (before.generation, before.seq):
            # What it committed to once it commits to for ever.
            raise _Fault("ledger_rewound")


def _commit(local: Local, feeds: tuple[FeedProof, ...]) -> None:
    """Keep what was shown; what was shown before and is not any more is as good as withheld."""
    rows = [(one.feed, _Committed(one.generation, one.seq, shown=True)) for one in feeds]
    shown = {feed for feed, _ in rows}
    for feed, data in local.store.items(_COMMITTED):
        if feed not in shown:
            before = msgspec.msgpack.decode(data, type=_Committed)
            rows.append((feed, msgspec.structs.replace(before, shown=False)))
    local.store.put_all(_COMMITTED, [(feed, msgspec.msgpack.encode(one)) for feed, one in rows])


def _remember(local: Local, seen: Seen) -> None:
    """Keep the last of each day: who looks through the ledger begins with what was proven before the day."""
    day = local_day(seen.time, local.trust.pack(seen.time).zone).toordinal()
    local.store.put(_DAYS, day.to_bytes(4), msgspec.msgpack.encode(seen))
    for name, _ in list(local.store.items(_DAYS)):
        if int.from_bytes(name) < day - _KEPT_DAYS:
            local.store.delete(_DAYS, name)


def _stands_still(local: Local, last: Kept | None, now: int, tally: Tally) -> None:
    if last is not None and now - max(last.asked_at, _read(local, last.note).time) > 24 * STANDS_STILL_S:
        _alarm(local, "ledger_rewound", tally)


def _alarm(local: Local, code: str, tally: Tally) -> None:
    tally.alarms += 1
    local.alarm(code, _ALARM)
