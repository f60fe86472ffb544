"""Case records on their way: pushed as they are until they are answered.

Refuses an outcome that counts as stored without the server's receipt.
Source: docs/protocol.md section 6.

> INVARIANT: a record is pushed byte for byte until it is answered; only `stale_directory` seals it again, to the keys
> of then and under the same id.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sluss_client.cases import book
from sluss_client.errors import Untrusted
from sluss_client.local import Local
from sluss_client.syncing import again
from sluss_client.syncing.receipts import RECEIPTED, check_receipt
from sluss_client.transport import Transport
from sluss_schemas import records
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.problems import CATALOGUE
from sluss_schemas.records import Case, SignedRecord

_ROUNDS: Final = 2
_BATCH: Final = 10
"""Records in one push: each takes 70 KB at most, and a push 1 MiB."""


async def push(local: Local, transport: Transport) -> None:
    """Send what waits, the oldest first: one may follow from another."""
    for _ in range(_ROUNDS):
        waiting = sorted(((_case(data), name, data) for name, data in local.store.items(book.OUT)), key=_order)
        stale = False
        for start in range(0, len(waiting), _BATCH):
            batch = [(name, data) for _, name, data in waiting[start : start + _BATCH]]
            push = wire.Push((), records=tuple(msgspec.Raw(data) for _, data in batch))
            answer = await transport.post("/v1/push", push, wire.PushAnswer)
            if len(answer.records) != len(batch):
                raise Untrusted("server_error", "push", "The server did not answer everything; all of it is kept.")
            with local.store.transaction():
                for number, ((name, data), outcome) in enumerate(zip(batch, answer.records, strict=True)):
                    stale = _answered(local, name, data, outcome, (transport.now(), number)) or stale
        if not stale:
            return


def _order(waiting: tuple[Case, bytes, bytes]) -> tuple[int, bool, bytes]:
    # Within one second what follows something comes after what begins it.
    case = waiting[0]
    return case.time, case.follows is not None, case.record


def _answered(local: Local, name: bytes, data: bytes, outcome: wire.Outcome, answered: tuple[int, int]) -> bool:
    """Take one answer; tell whether the record was sealed again."""
    if outcome.outcome is wire.OutcomeCode.RETRY:
        return False
    if outcome.outcome is wire.OutcomeCode.STALE_DIRECTORY:
        return not local.wiped and book.seal_again(local, name)
    if outcome.outcome in RECEIPTED:
        signed = decode(SignedRecord, data, "record")
        check_receipt(outcome, records.record_digest(signed.record), local.checkpoint)
    if outcome.outcome in wire.STORED:
        again.keep(local, "records", data, outcome, answered)
        book.answered(local, name, "sent")
        return False
    reason = outcome.reason if outcome.reason in CATALOGUE else str(outcome.outcome)
    book.answered(local, name, "refused", reason, outcome.field or "")
    # It is listed nowhere as what it was meant to be, so that it has to be said.
    local.alarm(reason, outcome.digest)
    return False


def _case(data: bytes) -> Case:
    case = records.read_record(decode(SignedRecord, data, "record").record)
    assert isinstance(case, Case)  # noqa: S101  # nothing else is kept here
    return case
