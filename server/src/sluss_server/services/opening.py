"""Records as they are pushed: a supervisor opens a row or takes a version out of quarantine; the rest are case records.

What is opened goes to that one device; what is taken out goes to everybody whom it was sealed to; a case record goes to
its addressees (`caserecords.py`).
Source: docs/protocol.md section 4; ground L22 of docs/secrecy-rules.md.

> INVARIANT: only a member of the own agency's supervisors opens, for a task or a reason, or countersigns, and it is
> recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from msgspec import Raw
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.agency import EpochKeys
from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.records import (
    Case,
    Countersign,
    Open,
    Record,
    SignedRecord,
    read_record,
    record_message,
)
from sluss_schemas.signing import verify
from sluss_schemas.sync import OutcomeCode
from sluss_server.services import caserecords
from sluss_server.services.caller import Caller
from sluss_server.services.checking import Checked, Unusable
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.filing import Filing
from sluss_server.services.quarantine import must_supervise, released
from sluss_server.services.receipts import Former
from sluss_server.storage import culling, feeds, reports
from sluss_server.storage.feeds import OPENED, NewEntry, audience_feed, device_feed

_LATER: Final = frozenset({"not_found", "future_time"})
"""What keeps a case record waiting: what it names may yet come, and so does its time."""
_WAITS: Final = _LATER | {"stale_directory"}
"""The same after a restore, when the directories have yet to come back."""
_NONE: Final[Mapping[bytes, Case]] = MappingProxyType({})


@dataclass(slots=True, kw_only=True)
class CheckedRecord:
    """A record that may be stored, and what it brings about.

    Attributes:
        digest: SHA-256 of the record's own bytes.
        at: when it was received, Unix seconds.
        entries: what it opens, or where it is delivered itself.
        release: the version that it takes out of quarantine.
        needs: the record of the same push that it follows, by id.

    """

    digest: bytes
    agency: bytes
    signed: SignedRecord
    record: Record
    at: int
    entries: list[NewEntry] = field(default_factory=list)
    release: Checked | None = None
    needs: bytes | None = None

    @property
    def fed(self) -> list[NewEntry]:
        """Everything that goes into feeds by it."""
        return self.entries if self.release is None else [*self.entries, *self.release.entries]


def record_digest(raw: Raw) -> bytes:
    """Return the digest by which an answer names a pushed record: SHA-256 of the record's own bytes."""
    try:
        return hashlib.sha256(decode(SignedRecord, bytes(raw), "record").record).digest()
    except Invalid:
        return hashlib.sha256(bytes(raw)).digest()


async def check_record(
    core: Core,
    connection: AsyncConnection,
    view: View,
    caller: Caller,
    raw: Raw,
    *,
    now: int,
    formers: Mapping[bytes, Former],
    coming: Mapping[bytes, Case] = _NONE,
) -> CheckedRecord | Unusable:
    """Check a pushed record and fetch what it is about; `coming` are the case records before it in the push, by id.

    One that is in `formers` was stored before: its device's rights are not asked about again, and it waits for what it
    is about.

    Raises:
        Invalid: `malformed`, `not_canonical`, `bad_signature`, `not_allowed`, or `not_found` for a report that the own
            agency's supervisors were not given; of a case record what `caserecords.check_case` raises.

    """
    signed = decode(SignedRecord, bytes(raw), "record")
    record = read_record(signed.record)
    if record.device != caller.device:
        raise Invalid("malformed", "record.device")
    if isinstance(record, Open) and (record.task is None) == (record.reason is None):
        raise Invalid("malformed", "record.reason")
    verify(caller.sign_key, signed.signature, record_message(signed.record), "record")
    digest = hashlib.sha256(signed.record).digest()
    former = formers.get(digest)
    past = former is not None
    checked = CheckedRecord(
        digest=digest,
        agency=caller.agency,
        signed=signed,
        record=record,
        at=now if former is None else former.time,
    )
    waits = _WAITS if past else _LATER if isinstance(record, Case) else frozenset()
    if record.digest is not None:
        stubs = await culling.stubs(connection, caller.partnership, [record.digest])
        if any(one.agency == caller.agency for one in stubs):
            # It waits for nothing: what it is about does not come again.
            raise Invalid("culled", "record.digest")
    try:
        if isinstance(record, Case):
            filing = Filing(
                core=core, connection=connection, view=view, caller=caller, at=checked.at, past=past, coming=coming
            )
            case = await caserecords.check_case(filing, record, digest)
            checked.entries, checked.needs = case.entries, case.needs
            return checked
        if not past:
            must_supervise(view, caller, "record.device")
        if isinstance(record, Countersign):
            return await _countersign(core, connection, view, caller, checked, past=past)
        checked.entries.append(await _open(connection, view, caller, record))
    except Invalid as refusal:
        if refusal.code in waits:
            return Unusable(digest, OutcomeCode.RETRY, refusal.code, refusal.field, caller.agency)
        raise
    return checked


async def _open(connection: AsyncConnection, view: View, caller: Caller, record: Open) -> NewEntry:
    """Return the entry of the device's own feed that holds what was held back."""
    supervisors = view.directories[caller.agency].audience_for("supervisors")
    stored = (await reports.stored(connection, caller.partnership, [record.digest])).get(record.digest)
    if supervisors is None or stored is None or stored.agency != caller.agency or stored.quarantine is not None:
        raise Invalid("not_found", "record.digest")
    feed = audience_feed(supervisors.audience, 0)
    held = await feeds.sealed(connection, caller.partnership, feed, record.digest)
    found = None if held is None else view.receiver(held.recipient)
    if held is None or found is None or not isinstance(found[1], EpochKeys):
        raise Invalid("not_found", "record.digest")
    if found[1].epoch < supervisors.members.get(Kid(caller.device), 0):
        # Older than what this person was given: the row was never there for this device.
        raise Invalid("not_found", "record.digest")
    return NewEntry(
        device_feed(caller.device), "put", record.digest, OPENED, held.recipient, seal=held.seal, wraps=held.wraps
    )


async def _countersign(
    core: Core,
    connection: AsyncConnection,
    view: View,
    caller: Caller,
    checked: CheckedRecord,
    *,
    past: bool,
) -> CheckedRecord | Unusable:
    """Return the record with what it takes out, or why that stays where it is."""
    about = checked.record.digest or b""
    if past:
        stored = (await reports.stored(connection, caller.partnership, [about])).get(about)
        if stored is not None and stored.agency == caller.agency and stored.quarantine is None:
            # Its author brought the later receipt; the record is kept all the same.
            return checked
    found = await released(core, connection, view, caller, about, now=checked.at)
    if isinstance(found, Checked):
        checked.release = found
        return checked
    waits = past and found.outcome is OutcomeCode.RETRY
    outcome = OutcomeCode.RETRY if waits else OutcomeCode.REFUSED
    return Unusable(checked.digest, outcome, found.reason, found.field, caller.agency)
