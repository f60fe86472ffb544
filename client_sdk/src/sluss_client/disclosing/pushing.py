"""Grants on their way: sealed, sent, and what the server said of each.

Refuses an outcome that counts as stored without the server's receipt.
Source: docs/protocol.md section 6.

> INVARIANT: a grant is pushed byte for byte until it is answered; only `stale_directory` seals it again, to the
> receivers' devices of then.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sluss_client.disclosing import kept, sealing
from sluss_client.disclosing.kept import Decision, State
from sluss_client.errors import Untrusted
from sluss_client.local import Local
from sluss_client.syncing import again
from sluss_client.syncing.receipts import RECEIPTED, check_receipt
from sluss_client.transport import Transport
from sluss_schemas import disclosure
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.problems import CATALOGUE


async def push(local: Local, transport: Transport) -> list[Decision]:
    """Send the grants that are sealed and approved; return those that were released by it."""
    released = []
    ready = [one for one in sealing.still_open(local, transport.now()) if one.item and one.state is State.WAITING]
    for batch in _batches(ready):
        push = wire.Push((), grants=tuple(msgspec.Raw(one.item) for one in batch))
        answer = await transport.post("/v1/push", push, wire.PushAnswer)
        if len(answer.grants) != len(batch):
            raise Untrusted("server_error", "push", "The server did not answer everything; all of it is kept.")
        with local.store.transaction():
            for number, (one, outcome) in enumerate(zip(batch, answer.grants, strict=True)):
                after = _answered(local, one, outcome, (transport.now(), number))
                if after is not one:
                    kept.save(local, after)
                if after.state is State.RELEASED:
                    released.append(after)
    return released


def _batches(ready: list[Decision]) -> Iterator[list[Decision]]:
    """Yield what fits into one push, by number and by size: excerpts may be long."""
    batch, size = list[Decision](), 0
    for one in ready:
        if batch and (len(batch) == wire.MAX_PUSH_ITEMS or size + len(one.item) > wire.MAX_PUSH_BYTES // 2):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.item)
    if batch:
        yield batch


def _answered(local: Local, one: Decision, outcome: wire.Outcome, answered: tuple[int, int]) -> Decision:
    name = disclosure.grant_digest(decode(disclosure.GrantItem, one.item, "grant").grant)
    if outcome.outcome is wire.OutcomeCode.RETRY:
        if outcome.reason == "stale_directory":
            return sealing.forget_draft(one)
        return one
    if outcome.outcome is wire.OutcomeCode.STALE_DIRECTORY:
        return sealing.forget_draft(one)
    if outcome.outcome in RECEIPTED:
        check_receipt(outcome, name, local.checkpoint)
    if outcome.outcome in wire.STORED:
        again.keep(local, "grants", one.item, outcome, answered)
        return msgspec.structs.replace(
            one, state=State.RELEASED, reason="", field="", answered_at=answered[0], item=b""
        )
    reason = outcome.reason if outcome.reason in CATALOGUE else str(outcome.outcome)
    return msgspec.structs.replace(
        one, state=State.REFUSED, reason=reason, field=outcome.field or "", answered_at=answered[0], item=b""
    )
