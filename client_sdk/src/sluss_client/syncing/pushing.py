"""Sealing what was filed, and pushing it until the server has answered.

Refuses an answer that is for another report, or that counts as stored without the server's receipt.
Source: docs/protocol.md sections 3 and 6.

> INVARIANT: a row changes only by an answer for its own digest; one that is not answered is pushed again, verbatim.
> INVARIANT: a wiped device seals nothing any more, so nothing makes it seal again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from sluss_client import filing, told
from sluss_client.errors import Refused, Untrusted
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.sealers import Moment
from sluss_client.syncing import notes, sync_core
from sluss_client.syncing.receipts import RECEIPTED, check_receipt
from sluss_client.syncing.sync_core import Tally
from sluss_client.transport import Transport
from sluss_schemas import forms
from sluss_schemas import sync as wire
from sluss_schemas.ids import ReportId

Progress = Callable[[str, int, int], None]
"""Called with a stage (`seal`, `push`, `pull`), how many are done, and how many there are (0: not known)."""

_SEAL_AT_ONCE: Final = 50


def seal_pending(local: Local, now: int, tell: Progress) -> None:
    """Seal what was filed, in its order, some at a time so that a kill costs little."""
    pending = local.outbox.pending()
    try:
        moment = moment_of(local, now)
    except Refused:
        # No group key yet: what was filed waits, and `waiting()` says so.
        return
    for start in range(0, len(pending), _SEAL_AT_ONCE):
        with local.store.transaction():
            for key in pending[start : start + _SEAL_AT_ONCE]:
                seal_row(local, local.outbox.by_key(key), moment)
        tell("seal", min(start + _SEAL_AT_ONCE, len(pending)), len(pending))


def moment_of(local: Local, now: int) -> Moment:
    """Return what a sealing is made with; `Refused` as `Local.author`, `Untrusted` as `Trust.pack_to_seal`."""
    return Moment(local.author(), local.trust, local.trust.pack_to_seal(now), now)


def seal_row(local: Local, row: Row, moment: Moment) -> bool:
    """Seal one row if it is filed, its parents have names and its kind is still written; tell whether it was sealed."""
    parents = _parents(local, row)
    if row.state is not State.FILED or parents is None or row.kind not in moment.pack.kinds:
        return False
    work = filing.Sealable(
        forms.make(row.kind, msgspec.msgpack.decode(row.values)),
        ReportId(row.report_id),
        row.version,
        parents,
        row.filed_at,
        {one.audience: one.slots for one in row.shown},
        tuple(code for code, answer in row.duties if answer == "send"),
        row.hold,
        row.place_stays,
        row.quoted,
        row.event,
        row.counts,
    )
    sealed = filing.seal(work, moment)
    told.remember(local, sealed.item)
    local.outbox.save(
        msgspec.structs.replace(
            row,
            state=State.SEALED,
            digest=sealed.digest,
            section_keys=tuple(sorted(sealed.section_keys.items())),
            sealed_at=moment.now,
            parents=parents,
            unsent=sealed.unsent_duties,
        ),
        sealed.item,
    )
    return True


def _parents(local: Local, row: Row) -> tuple[bytes, ...] | None:
    """Return the digests of a row's parents, or None while the version before it cannot be named."""
    if not row.after:
        return row.parents
    before = local.outbox.get(row.report_id, row.version - 1)
    if before is None or before.digest is None or before.state is State.REFUSED:
        return None
    return (before.digest,)


async def push_sealed(local: Local, transport: Transport, tally: Tally, tell: Progress) -> bool:
    """Push everything that is sealed; tell whether anything has to be sealed again."""
    total = len(local.outbox.pending())
    stale, done = False, 0
    for batch in local.outbox.sealed_batches():
        push = wire.Push(tuple(msgspec.Raw(item) for _, item in batch))
        answer = await transport.post("/v1/push", push, wire.PushAnswer)
        stale = _take_answers(local, [row for row, _ in batch], answer, transport.now(), tally) or stale
        done += len(batch)
        tell("push", done, total)
    return stale


def _take_answers(local: Local, batch: list[Row], answer: wire.PushAnswer, now: int, tally: Tally) -> bool:
    """Write the outcomes of a push; tell whether anything has to be sealed again."""
    again = False
    with local.store.transaction():
        for row, outcome in zip(batch, checked(local, batch, answer), strict=True):
            code = outcome.outcome
            changed = sync_core.answered(row, outcome, now)
            if local.wiped and code is wire.OutcomeCode.STALE_DIRECTORY:
                # Nothing here can seal it again; what is sealed is for its agency, whatever the server says.
                changed = row
            elif code is wire.OutcomeCode.STALE_DIRECTORY:
                again = True
            elif (
                code is wire.OutcomeCode.RETRY and row.after and not local.wiped and _parents(local, row) != row.parents
            ):
                # Its parent is or was sealed again and has another name, and the server holds neither.
                changed = msgspec.structs.replace(row, state=State.FILED, digest=None, section_keys=())
                again = True
            if changed is not row:
                local.outbox.save(changed)
            if code in wire.STORED and not local.wiped:
                notes.expect(local, changed, outcome)
            tally.sent += code in wire.STORED and code is not wire.OutcomeCode.QUARANTINED
            tally.quarantined += code is wire.OutcomeCode.QUARANTINED
    return again


def checked(local: Local, batch: list[Row], answer: wire.PushAnswer) -> tuple[wire.Outcome, ...]:
    """Return one outcome for each row, each for that very row and with the server's receipt where one is due.

    Raises:
        Untrusted: anything else; nothing of the answer was used.

    """
    if len(answer.items) != len(batch):
        raise Untrusted("server_error", "push", "The server did not answer every item; all of them are kept.")
    for row, outcome in zip(batch, answer.items, strict=True):
        if outcome.digest != row.digest and outcome.outcome is not wire.OutcomeCode.REFUSED:
            raise Untrusted("server_error", "push", "The server answered for another report; all of them are kept.")
        if outcome.outcome in RECEIPTED or outcome.receipt is not None:
            check_receipt(outcome, row.digest, local.checkpoint)
    return answer.items
