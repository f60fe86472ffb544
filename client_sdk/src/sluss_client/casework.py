"""Case records made on this device: here the one by which a supervisor opens a row of the own agency.

A record is durable in the store before the call returns, and goes out with the next sync.
Source: docs/protocol.md section 4.

> INVARIANT: a reason leaves the device sealed to the own supervisors; the server sees that there is one.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.errors import Refused
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import sync as wire
from sluss_schemas.codec import encode
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Open, SignedRecord, record_message

_SPACE: Final = "record"
_REASON_LABEL: Final = b"sluss/reason"
_MAX_REASON_BYTES: Final = 4000


def open_row(local: Local, digest: bytes, reason: str | None, task: bytes | None, now: int) -> None:
    """File an `open` record for a row that the server holds back.

    Raises:
        Refused: `supervisor_only`, or `no_group_key` until the supervisors have one.
        Invalid: `missing_field` unless exactly one of reason and task is given; `too_long`.

    """
    supervisors = local.trust.own.audience_for("supervisors")
    if supervisors is None or local.keys.kid not in supervisors.members:
        raise Refused("reason", code="supervisor_only")
    if (not reason) == (task is None):
        raise Invalid("missing_field", "reason", "State a reason or name a task, one of the two.")
    sealed = None
    if reason:
        if len(reason.encode()) > _MAX_REASON_BYTES:
            raise Invalid("too_long", "reason")
        if supervisors.current is None:
            raise Refused("reason", code="no_group_key")
        sealed = crypto.seal(supervisors.current.kem_key, _REASON_LABEL + digest, crypto.pad(reason.encode()))
    record = encode(Open(os.urandom(16), digest, local.keys.kid, now, task, sealed))
    signed = SignedRecord(record, local.keys.sign.sign(record_message(record)))
    local.store.put(_SPACE, digest, encode(signed))


async def push(local: Local, transport: Transport) -> None:
    """Send the records that wait; one that the server has answered is not sent again."""
    waiting = sorted(local.store.items(_SPACE))
    if not waiting:
        return
    body = wire.Push((), (), tuple(msgspec.Raw(data) for _, data in waiting))
    answer = await transport.post("/v1/push", body, wire.PushAnswer)
    with local.store.transaction():
        for (digest, _), outcome in zip(waiting, answer.records, strict=True):
            if outcome.outcome is wire.OutcomeCode.RETRY:
                continue
            local.store.delete(_SPACE, digest)
            if outcome.outcome not in wire.STORED:
                local.alarm(outcome.reason or str(outcome.outcome), digest)
