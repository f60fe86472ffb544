"""The driver of a sync: directories, keys, push, pull, in this order.

Each step is durable before the next begins, so a device that is killed anywhere goes on where it was.
Source: docs/protocol.md section 6.

> INVARIANT: a report is sealed only after the directories of this very sync were pulled and verified.
> INVARIANT: a page and its cursor are one transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client import casework, filing, keyshare, reading, sync_core
from sluss_client.errors import Offline, Refused, Untrusted
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.receipts import RECEIPTED, check_receipt
from sluss_client.replica import Received
from sluss_client.transport import Transport
from sluss_schemas import forms
from sluss_schemas import sync as wire
from sluss_schemas.ids import ReportId

Progress = Callable[[str, int, int], None]
"""Called with a stage (`seal`, `push`, `pull`), how many are done, and how many there are (0: not known)."""
Register = Callable[[], Awaitable[bool]]
"""A registrar's work; tells whether anything changed."""

_ROUNDS: Final = 3
_WITHOUT_RIGHTS: Final = frozenset({"revoked_device", "not_allowed"})
_SEAL_AT_ONCE: Final = 50
_FIRST_PAGE: Final = 200


@dataclass(slots=True)
class Tally:
    """What a sync did, counted as it goes."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    quarantined: int = 0
    alarms: int = 0


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Report to nobody."""


async def run(
    local: Local, transport: Transport, progress: Progress | None = None, register: Register | None = None
) -> Tally:
    """Sync once; on a registrar's device `register` approves and signs between directories and keys.

    Raises:
        Offline: no contact; whatever was done before stays done.
        Untrusted: a directory does not hold together; nothing was sealed or taken in after that.
        Refused: `waiting_for_approval`, `revoked_device`, `not_allowed`.

    """
    tell = progress or _silent
    tally = Tally()
    try:
        await _identities(local, transport, register)
    except Refused as refusal:
        if refusal.code in _WITHOUT_RIGHTS:
            # What a person without rights any more has written still goes to their agency, into quarantine.
            await _push(local, transport, tally, tell)
        raise
    await _push(local, transport, tally, tell)
    await casework.push(local, transport)
    await _pull(local, transport, tally, tell)
    local.configure(offset=transport.offset, confirmed_at=transport.now())
    return tally


async def _identities(local: Local, transport: Transport, register: Register | None) -> None:
    """Pull directories and keys; on a registrar's device approve and sign until nothing more follows."""
    await directories(local, transport)
    for _ in range(_ROUNDS):
        changed = await keyshare.exchange(local, transport)
        if register is not None and await register():
            await directories(local, transport)
            changed = True
        if not changed:
            return


async def directories(local: Local, transport: Transport) -> None:
    """Pull and verify every chain of the partnership."""
    more = True
    while more:
        try:
            answer = await transport.post("/v1/directory/pull", wire.DirectoryPull(local.known()), wire.DirectoryAnswer)
        except Untrusted as problem:
            if problem.code == "unknown_device" and not local.approved:
                raise Refused("device", code="waiting_for_approval") from problem
            raise
        # The own chain first: it says which others to believe.
        own = local.trust.own_id
        with local.store.transaction():
            for chain in sorted(answer.chains, key=lambda one: one.agency != own):
                local.extend(chain)
        more = answer.more
        if more and not any(chain.entries for chain in answer.chains):
            raise Offline("server_error", "directory", "The server promised more of the directories and gave nothing.")
    if not local.approved:
        raise Refused("device", code="waiting_for_approval")


# push


async def _push(local: Local, transport: Transport, tally: Tally, tell: Progress) -> None:
    total = len(local.outbox.pending())
    for _ in range(_ROUNDS):
        _seal_pending(local, transport.now(), tell)
        stale = False
        done = 0
        for batch in local.outbox.sealed_batches():
            push = wire.Push(tuple(msgspec.Raw(item) for _, item in batch))
            answer = await transport.post("/v1/push", push, wire.PushAnswer)
            stale = _take_answers(local, [row for row, _ in batch], answer, transport.now(), tally) or stale
            done += len(batch)
            tell("push", done, total)
        if not stale:
            return
        await directories(local, transport)


def _seal_pending(local: Local, now: int, tell: Progress) -> None:
    """Seal what was filed, in its order, some at a time so that a kill costs little."""
    pending = local.outbox.pending()
    try:
        author = local.author()
    except Refused:
        # No group key yet: what was filed waits, and `waiting()` says so.
        return
    moment = filing.Moment(author, local.trust, local.trust.pack(now), now)
    for start in range(0, len(pending), _SEAL_AT_ONCE):
        with local.store.transaction():
            for key in pending[start : start + _SEAL_AT_ONCE]:
                row = local.outbox.by_key(key)
                parents = _parents(local, row)
                if row.state is not State.FILED or parents is None:
                    continue
                work = filing.Sealable(
                    forms.make(row.kind, msgspec.msgpack.decode(row.values)),
                    ReportId(row.report_id),
                    row.version,
                    parents,
                    row.filed_at,
                    {one.audience: one.slots for one in row.shown},
                    tuple(code for code, answer in row.duties if answer == "send"),
                )
                sealed = filing.seal(work, moment)
                local.outbox.save(
                    msgspec.structs.replace(
                        row,
                        state=State.SEALED,
                        digest=sealed.digest,
                        section_keys=tuple(sorted(sealed.section_keys.items())),
                        sealed_at=now,
                        parents=parents,
                        unsent=sealed.unsent_duties,
                    ),
                    sealed.item,
                )
        tell("seal", min(start + _SEAL_AT_ONCE, len(pending)), len(pending))


def _parents(local: Local, row: Row) -> tuple[bytes, ...] | None:
    """Return the digests of a row's parents, or None while the version before it cannot be named."""
    if not row.after:
        return row.parents
    before = local.outbox.get(row.report_id, row.version - 1)
    if before is None or before.digest is None or before.state is State.REFUSED:
        return None
    return (before.digest,)


def _take_answers(local: Local, batch: list[Row], answer: wire.PushAnswer, now: int, tally: Tally) -> bool:
    """Write the outcomes of a push; tell whether anything has to be sealed again."""
    if len(answer.items) != len(batch):
        raise Untrusted("server_error", "push", "The server did not answer every item; all of them are kept.")
    again = False
    checkpoint = local.trust.own.genesis.checkpoint if local.trust.own.genesis else b""
    with local.store.transaction():
        for row, outcome in zip(batch, answer.items, strict=True):
            code = outcome.outcome
            if outcome.digest != row.digest and code is not wire.OutcomeCode.REFUSED:
                raise Untrusted("server_error", "push", "The server answered for another report; all of them are kept.")
            if code in RECEIPTED or outcome.receipt is not None:
                check_receipt(outcome, row.digest, checkpoint)
            changed = sync_core.answered(row, outcome, now)
            if code is wire.OutcomeCode.STALE_DIRECTORY:
                again = True
            elif code is wire.OutcomeCode.RETRY and row.after and _parents(local, row) != row.parents:
                # Its parent is or was sealed again and has another name, and the server holds neither.
                changed = msgspec.structs.replace(row, state=State.FILED, digest=None, section_keys=())
                again = True
            if changed is not row:
                local.outbox.save(changed)
            tally.sent += code in wire.STORED and code is not wire.OutcomeCode.QUARANTINED
            tally.quarantined += code is wire.OutcomeCode.QUARANTINED
    return again


# pull


async def _pull(local: Local, transport: Transport, tally: Tally, tell: Progress) -> None:
    more = True
    while more:
        cursor = local.cursor()
        # A new device's first page is short, so that the newest reports are readable at once.
        limit = wire.MAX_PAGE_ENTRIES if cursor else _FIRST_PAGE
        answer = await transport.post("/v1/pull", wire.Pull(cursor, limit), wire.PullAnswer)
        before = local.cursor()
        purged = _take_in(local, answer, transport.now(), tally)
        if purged:
            local.store.scrub()
        tell("pull", tally.received, 0)
        more = any(page.more for page in answer.pages)
        nothing = not any(page.entries or page.past for page in answer.pages)
        if more and (nothing or local.cursor() == before):
            raise Offline("server_error", "pull", "The server promised more and gave nothing.")
    _expire(local, transport.now(), tally)


def _take_in(local: Local, answer: wire.PullAnswer, now: int, tally: Tally) -> bool:
    """Take in one answer; tell whether anything was purged."""
    touched: dict[bytes, Received] = {}
    purge = _Purge(local, touched)
    with local.store.transaction():
        for feed in answer.closed:
            tally.dropped += purge.close(feed)
            local.forget_feed(feed)
        for page in answer.pages:
            # A `drop` in the past is of no use: the `put` that it ended is delivered as a `skip`.
            for entry in page.past:
                _take_put(local, entry, page.position.feed, touched, tally, now=now)
            for entry in page.entries:
                _take_put(local, entry, page.position.feed, touched, tally, now=now)
                if entry.op is wire.Op.DROP:
                    tally.dropped += purge.drop(page.position.feed, entry.digest)
                elif entry.op is wire.Op.ERASE:
                    tally.dropped += purge.erase(entry.digest)
        local.move_cursor(page.position for page in answer.pages)
        local.replica.save(list(touched.values()))
    return purge.happened


def _take_put(
    local: Local, entry: wire.Entry, feed: bytes, touched: dict[bytes, Received], tally: Tally, *, now: int
) -> None:
    put = entry.put
    if put is None or entry.op is not wire.Op.PUT:
        return
    try:
        opened = reading.open_put(put, local.ring.kems, local.trust, now)
    except reading.Alarm as alarm:
        local.alarm(alarm.code, entry.digest)
        tally.alarms += 1
        return
    name = opened.agency + opened.report_id
    before = touched.get(name) or local.replica.get(opened.agency, opened.report_id)
    known = before is not None and any(one.digest == opened.digest for one in before.versions)
    touched[name] = sync_core.merge(before, opened, feed, now)
    tally.received += not known


class _Purge:
    """Removals by digest or feed; reports are looked up by digest only when something is really removed."""

    def __init__(self, local: Local, touched: dict[bytes, Received]) -> None:
        self._local = local
        self._touched = touched
        self._by_digest: dict[bytes, Received] | None = None
        self.happened = False

    def _reports(self) -> list[Received]:
        stored = {one.key: one for one in self._local.replica.reports()}
        return list((stored | self._touched).values())

    def _holder(self, digest: bytes) -> Received | None:
        for received in self._touched.values():
            if any(version.digest == digest for version in received.versions):
                return received
        if self._by_digest is None:
            self._by_digest = {
                version.digest: received for received in self._local.replica.reports() for version in received.versions
            }
        held = self._by_digest.get(digest)
        return None if held is None else self._touched.get(held.key, held)

    def _replace(self, before: Received, after: Received) -> int:
        if after == before:
            return 0
        self.happened = True
        self._touched[before.key] = after
        return len(before.versions) - len(after.versions)

    def drop(self, feed: bytes, digest: bytes) -> int:
        held = self._holder(digest)
        return 0 if held is None else self._replace(held, sync_core.drop(held, feed, digest))

    def erase(self, digest: bytes) -> int:
        held = self._holder(digest)
        return 0 if held is None else self._replace(held, sync_core.erase(held, digest))

    def close(self, feed: bytes) -> int:
        return sum(self._replace(held, sync_core.drop(held, feed)) for held in self._reports())


def _expire(local: Local, now: int, tally: Tally) -> None:
    """Let go of what grants gave that have ended, also without the server's word."""
    changed = []
    for received in local.replica.reports():
        left = sync_core.expire(received, now)
        if left != received:
            changed.append(left)
            tally.dropped += len(received.versions) - len(left.versions)
    if changed:
        with local.store.transaction():
            local.replica.save(changed)
        local.store.scrub()
