"""A supervisor opens a row of the own agency: what is held back goes to that one device.

Source: docs/protocol.md section 4; ground L22 of docs/secrecy-rules.md.

> INVARIANT: only a member of the own agency's supervisors opens, for a task or a reason, and it is recorded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from msgspec import Raw
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Open, SignedRecord, record_message
from sluss_schemas.signing import verify
from sluss_server.services.caller import Caller
from sluss_server.services.directories import View
from sluss_server.storage import feeds, reports
from sluss_server.storage.feeds import OPENED, NewEntry, audience_feed, device_feed


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRecord:
    """A record that may be stored, and the entry that it makes."""

    digest: bytes
    agency: bytes
    signed: SignedRecord
    record: Open
    entry: NewEntry


def record_digest(raw: Raw) -> bytes:
    """Return the digest by which an answer names a pushed record: SHA-256 of the record's own bytes."""
    try:
        return hashlib.sha256(decode(SignedRecord, bytes(raw), "record").record).digest()
    except Invalid:
        return hashlib.sha256(bytes(raw)).digest()


async def check_record(connection: AsyncConnection, view: View, caller: Caller, raw: Raw) -> CheckedRecord:
    """Check a pushed record and fetch what it opens.

    Raises:
        Invalid: `malformed`, `not_canonical`, `bad_signature`, `not_allowed`, or `not_found` for a report that the own
            agency's supervisors were not given.

    """
    signed = decode(SignedRecord, bytes(raw), "record")
    record = decode(Open, signed.record, "record")
    if record.device != caller.device or (record.task is None) == (record.reason is None):
        raise Invalid("malformed", "record.device" if record.device != caller.device else "record.reason")
    verify(caller.sign_key, signed.signature, record_message(signed.record), "record")
    directory = view.directories[caller.agency]
    supervisors = directory.audience_for("supervisors")
    if not caller.active or supervisors is None or Kid(caller.device) not in supervisors.members:
        raise Invalid("not_allowed", "record.device")
    stored = (await reports.stored(connection, caller.partnership, [record.digest])).get(record.digest)
    if stored is None or stored.agency != caller.agency or stored.quarantine is not None:
        raise Invalid("not_found", "record.digest")
    feed = audience_feed(supervisors.audience, 0)
    held = await feeds.sealed(connection, caller.partnership, feed, record.digest)
    if held is None:
        raise Invalid("not_found", "record.digest")
    entry = NewEntry(
        device_feed(caller.device), "put", record.digest, OPENED, held.recipient, seal=held.seal, wraps=held.wraps
    )
    return CheckedRecord(
        digest=hashlib.sha256(signed.record).digest(),
        agency=caller.agency,
        signed=signed,
        record=record,
        entry=entry,
    )
