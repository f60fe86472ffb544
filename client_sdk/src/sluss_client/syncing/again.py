"""After a restore of the server: every device gives back what it has and the server lost.

Entries of the own directory at once, since a chain that was signed cannot be signed otherwise.
What was filed, when the own directory accepts the new instance: verbatim, with the receipt that an earlier instance
gave for it, as far as it was answered within the days that the pack names.
Refuses to give back a chain that the server continues otherwise: that is a fork, an alarm, and the own chain stays.
Source: docs/protocol.md section 6.

> INVARIANT: what was answered is kept, sealed, for as long as a backup may be old, and is marked once for each instance
> that the own directory accepts; a kill anywhere goes on where it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from sluss_client.errors import Invalid, Untrusted
from sluss_client.local import Local
from sluss_client.outbox import Row
from sluss_client.syncing import pushing, sync_core
from sluss_client.syncing.receipts import RECEIPTED, check_receipt
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas import sync as wire
from sluss_schemas.manifest import Head

_SENT: Final = "sent"
_NOTES: Final = "again_notes"
SPACES: Final = frozenset({_SENT, _NOTES})
"""The store's spaces of grants and records that were answered, and of what was done about them."""
_SWEPT: Final = b"swept"
_INSTANCE: Final = b"instance"
_ROUNDS: Final = 3
_DAY_S: Final = 86_400
_PART_ENTRIES: Final = 500
_PART_BYTES: Final = 1024 * 1024
_FINAL: Final = RECEIPTED | {wire.OutcomeCode.ID_CONFLICT}
_LATER: Final = frozenset({wire.OutcomeCode.RETRY, wire.OutcomeCode.STALE_DIRECTORY})
What = Literal["grants", "records"]


class _Sent(msgspec.Struct, frozen=True, array_like=True):
    """A grant or a record that the server has: its bytes as pushed and the receipt; `again` while it is pushed anew.

    `answered` says when, in Unix seconds, and in which place of the answer: what follows may rest on what came before.
    """

    what: What
    data: bytes
    receipt: bytes
    signature: bytes
    answered: tuple[int, int]
    again: bool = False


# directory entries


async def give_back(local: Local, transport: Transport, heads: tuple[Head, ...]) -> None:
    """Append the tail of the own chain that the server's heads lack; other agencies' devices give back theirs."""
    for _ in range(_ROUNDS):
        tail = _tail(local, heads)
        if not tail:
            return
        try:
            for part in _parts(tail):
                await transport.post("/v1/directory", membership.DirectoryAppend(part), membership.Appended)
            return
        except Invalid as problem:
            if problem.code == "restoring":
                # Signed after the restore: it goes in once the directory has accepted the new instance.
                return
            if problem.code != "directory_conflict":
                local.alarm(problem.code, local.trust.own.hash)
                return
        # A colleague's device may have been faster; then the server's chain goes on as ours does.
        asked = membership.DirectoryPull(local.known())
        heads = (await transport.post("/v1/directory/pull", asked, membership.DirectoryAnswer)).heads


def _tail(local: Local, heads: tuple[Head, ...]) -> list[d.SignedEntry]:
    own = local.trust.own
    theirs = next((head for head in heads if head.agency == own.agency), None)
    if theirs is None or theirs.seq > own.seq:
        return []
    if own.hashes[theirs.seq] != theirs.hash:
        local.alarm("directory_fork", own.hash)
        return []
    return list(local.entries(theirs.seq + 1))


def _parts(entries: list[d.SignedEntry]) -> Iterator[tuple[d.SignedEntry, ...]]:
    part: list[d.SignedEntry] = []
    size = 0
    for entry in entries:
        if part and (len(part) == _PART_ENTRIES or size + len(entry.entry) > _PART_BYTES):
            yield tuple(part)
            part, size = [], 0
        part.append(entry)
        size += len(entry.entry)
    if part:
        yield tuple(part)


# what was filed


def keep(local: Local, what: What, data: bytes, outcome: wire.Outcome, answered: tuple[int, int]) -> None:
    """Keep a grant or a record that the server has just answered with a receipt."""
    sent = _Sent(what, data, outcome.receipt or b"", outcome.receipt_signature or b"", answered)
    _save(local, outcome.digest, sent)


def _save(local: Local, digest: bytes, sent: _Sent) -> None:
    local.store.put(_SENT, digest, msgspec.msgpack.encode(sent))


def mark(local: Local, now: int) -> None:
    """Have everything pushed again that was answered lately."""
    since = _since(local, now)
    with local.store.transaction():
        local.outbox.mark_again(since)
        for digest, sent in list(_sent(local)):
            if sent.answered[0] >= since:
                _save(local, digest, msgspec.structs.replace(sent, again=True))


def _notice(local: Local, now: int) -> None:
    """Mark what was answered once for each instance that the own directory accepts."""
    accepted = local.trust.own.instance
    if accepted == (local.store.get(_NOTES, _INSTANCE) or b""):
        return
    with local.store.transaction():
        mark(local, now)
        local.store.put(_NOTES, _INSTANCE, accepted)


async def push(local: Local, transport: Transport) -> None:
    """Push again what an accepted instance may lack, reports first; what the server cannot take yet stays marked."""
    _notice(local, transport.now())
    for batch in local.outbox.again_batches():
        push = wire.Push(
            tuple(msgspec.Raw(item) for _, item in batch),
            past=tuple(wire.PastReceipt(row.receipt or b"", row.receipt_signature or b"") for row, _ in batch),
        )
        answer = await transport.post("/v1/push", push, wire.PushAnswer)
        with local.store.transaction():
            for (row, _), outcome in zip(batch, pushing.checked(local, [row for row, _ in batch], answer), strict=True):
                _take_row(local, row, outcome, transport.now())
    waiting = [(digest, sent) for digest, sent in _sent(local) if sent.again]
    for what in ("grants", "records"):
        some = [one for one in waiting if one[1].what == what]
        for start in range(0, len(some), wire.MAX_PUSH_ITEMS):
            await _push_sent(local, transport, some[start : start + wire.MAX_PUSH_ITEMS])


async def _push_sent(local: Local, transport: Transport, batch: list[tuple[bytes, _Sent]]) -> None:
    raws = tuple(msgspec.Raw(sent.data) for _, sent in batch)
    past = tuple(wire.PastReceipt(sent.receipt, sent.signature) for _, sent in batch)
    grants = batch[0][1].what == "grants"
    push = wire.Push((), grants=raws, past=past) if grants else wire.Push((), records=raws, past=past)
    answer = await transport.post("/v1/push", push, wire.PushAnswer)
    outcomes = answer.grants if grants else answer.records
    if len(outcomes) != len(batch):
        raise Untrusted("server_error", "push", "The server did not answer everything; all of it is kept.")
    with local.store.transaction():
        for number, ((digest, sent), outcome) in enumerate(zip(batch, outcomes, strict=True)):
            if outcome.outcome in RECEIPTED:
                check_receipt(outcome, digest, local.checkpoint)
                keep(local, sent.what, sent.data, outcome, (transport.now(), number))
            elif outcome.outcome in _FINAL:
                _save(local, digest, msgspec.structs.replace(sent, again=False))
            if outcome.outcome not in RECEIPTED | _LATER:
                local.alarm(outcome.reason or str(outcome.outcome), digest)


def _take_row(local: Local, row: Row, outcome: wire.Outcome, now: int) -> None:
    code = outcome.outcome
    if code in RECEIPTED:
        changed = sync_core.answered(row, outcome, now)
        if code is wire.OutcomeCode.DUPLICATE:
            # It was in the backup, in the state that this device was told of.
            changed = msgspec.structs.replace(changed, state=row.state, reason=row.reason, field=row.field)
        local.outbox.save(changed)
    elif code not in _LATER:
        local.alarm(outcome.reason or str(code), outcome.digest)
    if code in _FINAL:
        local.outbox.answered_again(row)


def sweep(local: Local, now: int) -> None:
    """Once a day let go of sealed bytes that no backup can be older than; rows and receipts stay."""
    swept = int.from_bytes(local.store.get(_NOTES, _SWEPT) or b"", "big")
    if swept <= now < swept + _DAY_S:
        return
    since = _since(local, now)
    with local.store.transaction():
        local.outbox.drop_items(since)
        for digest, sent in list(_sent(local)):
            if sent.answered[0] < since:
                local.store.delete(_SENT, digest)
        local.store.put(_NOTES, _SWEPT, now.to_bytes(8, "big"))


def _since(local: Local, now: int) -> int:
    """Return from when on answers are kept; from the beginning while no pack says how long."""
    with contextlib.suppress(Untrusted):
        return max(now - local.trust.pack(now).parameters.retention_sealed_own_days * _DAY_S, 0)
    return 0


def _sent(local: Local) -> Iterator[tuple[bytes, _Sent]]:
    found = ((digest, msgspec.msgpack.decode(data, type=_Sent)) for digest, data in local.store.items(_SENT))
    return iter(sorted(found, key=lambda one: one[1].answered))
