"""Read records: what this person opened, kept here until the server has it.

Opening a section of a single report queues a record, once for each version, section and session of the app; the record
is signed when it is sent, and lands in the ledger of the agency that owns the report.
Looking through the list of reports queues nothing.
Source: docs/protocol.md section 7.

> INVARIANT: a record is on disk before the section's value is returned, and stays there until the server has it.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas.codec import encode
from sluss_schemas.ids import ID_BYTES
from sluss_schemas.ledger import MAX_READS, Read, Reads, SignedRead, read_message

_SPACE: Final = "reads"


class _Queued(msgspec.Struct, frozen=True, array_like=True):
    """What was opened of a version since it was last told."""

    record: bytes
    slots: int
    time: int


def opened(local: Local, digest: bytes, slot: int, now: int) -> None:
    """Queue that a section of a version was opened; a second time in the same session costs nothing."""
    if (digest, slot) in local.read_here:
        return
    before = local.store.get(_SPACE, digest)
    if before is None:
        row = _Queued(os.urandom(ID_BYTES), 1 << slot, now)
    else:
        known = msgspec.msgpack.decode(before, type=_Queued)
        row = msgspec.structs.replace(known, slots=known.slots | 1 << slot)
    if before is None or row != msgspec.msgpack.decode(before, type=_Queued):
        local.store.put(_SPACE, digest, msgspec.msgpack.encode(row))
    local.read_here.add((digest, slot))


def waiting(local: Local) -> int:
    """Return how many records wait to be sent."""
    return local.store.count(_SPACE)


async def push(local: Local, transport: Transport) -> None:
    """Send what waits; a server that does not take it gets it again at the next sync.

    Raises:
        Offline: no contact.

    """
    rows = sorted(local.store.items(_SPACE))
    for start in range(0, len(rows), MAX_READS):
        batch = rows[start : start + MAX_READS]
        signed = tuple(_signed(local, digest, data) for digest, data in batch)
        try:
            await transport.post("/v1/reads", Reads(signed), type(None))
        except Invalid as refusal:
            local.alarm(refusal.code, _SPACE.encode())
            return
        with local.store.transaction():
            for digest, data in batch:
                _sent(local, digest, data)
            local.calm(_SPACE.encode())


def _signed(local: Local, digest: bytes, data: bytes) -> SignedRead:
    row = msgspec.msgpack.decode(data, type=_Queued)
    read = encode(Read(row.record, local.keys.kid, digest, row.slots, row.time))
    return SignedRead(read, local.keys.sign.sign(read_message(read)))


def _sent(local: Local, digest: bytes, data: bytes) -> None:
    """Forget what was sent; what was opened meanwhile becomes a record of its own."""
    now = local.store.get(_SPACE, digest)
    if now is None or now == data:
        local.store.delete(_SPACE, digest)
        return
    sent, row = (msgspec.msgpack.decode(one, type=_Queued) for one in (data, now))
    left = msgspec.structs.replace(row, record=os.urandom(ID_BYTES), slots=row.slots & ~sent.slots)
    local.store.put(_SPACE, digest, msgspec.msgpack.encode(left))
