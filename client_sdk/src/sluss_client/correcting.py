"""A correction of whom a report is about: what was told of the wrong person before, and taking it back.

For: finding the grants on earlier versions that carry another identity than the latest one, and recalling them.
Refuses: to take back what is still right; a grant without the persons, or on a version with the same ones, stays.

> INVARIANT: the old identity is recalled wherever this device's agency gave it from here, before the next sync ends.

Source: docs/secrecy-rules.md B7 12; docs/protocol.md section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client import told
from sluss_client.cases import book
from sluss_client.disclosing import kept, recalling, records
from sluss_client.disclosing.kept import State
from sluss_client.local import Local
from sluss_client.outbox import Row
from sluss_client.views import as_id
from sluss_schemas import forms
from sluss_schemas.codec import encode
from sluss_schemas.forms.base import Person
from sluss_schemas.ids import GrantId, ReportId, bit, bitmap_of
from sluss_schemas.records import CaseKind

_CORRECTED: Final = "corrected"
REASON: Final = "Whom it is about was corrected."
"""What a recall says where its author says nothing else."""
_IDENTITY: Final = bit("SUB") | bit("SUB", brief=True)


@dataclass(frozen=True, slots=True)
class Outdated:
    """A grant that told of other persons than the report is about by now.

    Attributes:
        grant_id: which.
        version: of the version that it was given on.
        gateway: the duty or gateway.
        decided: whether somebody decided it; else its author answered a duty.

    """

    grant_id: GrantId
    version: int
    gateway: str
    decided: bool


def outdated(local: Local, report_id: ReportId | str) -> list[Outdated]:
    """Return the grants on earlier versions that tell of other persons than the latest version, the oldest first."""
    wanted = as_id(report_id)
    latest = local.outbox.head(wanted)
    if latest is None:
        return []
    found, now_about = [], _persons(latest)
    for row in _earlier(local, latest):
        if _persons(row) == now_about:
            continue
        found += [Outdated(GrantId(one.grant_id), row.version, one.gateway, decided=False) for one in _told(local, row)]
        found += [
            Outdated(GrantId(one.grant_id), row.version, one.gateway, decided=True)
            for one in kept.all_of(local)
            if one.report_id == wanted and one.version == row.version and _tells_who(one)
        ]
    return found


def recall(local: Local, report_id: ReportId | str, reason: str, now: int) -> list[bytes]:
    """Recall every outdated grant of a report with the code `corrected`; return the records' ids."""
    filed = []
    for one in outdated(local, report_id):
        if one.decided:
            record = recalling.recall(local, one.grant_id, reason, _CORRECTED, now)
            filed += [] if record is None else [record]
            continue
        row = local.outbox.get(as_id(report_id), one.version)
        if row is not None:
            mine = (grant for grant in _told(local, row) if grant.grant_id == one.grant_id)
            filed += [_recall_told(local, row, grant, reason, now) for grant in mine]
    return filed


def _recall_told(local: Local, row: Row, one: told.Told, reason: str, now: int) -> bytes:
    to = dict(records.own_supervisors(local))
    for _, known in records.holders(local, one.receivers, now):
        to |= dict(_current(local, known.kem_kid, now))
    body = encode(records.Said(reason))
    with local.store.transaction():
        filed = book.file(
            local, CaseKind.RECALL, now=now, code=_CORRECTED, follows=one.grant_id, to=list(to.items()), body=body
        )
        told.save(local, row.digest or b"", msgspec.structs.replace(one, recall=filed))
    return filed


def _current(local: Local, kid: bytes, now: int) -> Iterator[book.Addressee]:
    """Yield the key of now of the audience whose epoch a key id names: who joined since has the report too."""
    for chain in local.trust.agencies(now):
        for audience in chain.audiences.values():
            if any(epoch.kem_kid == kid for epoch in audience.epochs) and audience.recipient is not None:
                yield audience.recipient.kem_kid, audience.recipient.kem_key


def _earlier(local: Local, latest: Row) -> list[Row]:
    rows = (local.outbox.get(latest.report_id, number) for number in range(1, latest.version))
    return [row for row in rows if row is not None and row.digest is not None]


def _told(local: Local, row: Row) -> list[told.Told]:
    return [one for one in told.of_version(local, row.digest or b"") if bitmap_of(one.slots) & _IDENTITY]


def _tells_who(one: kept.Decision) -> bool:
    if one.state not in {State.RELEASED, *kept.OPEN}:
        return False
    slots = bitmap_of(one.draft.grant.slots) if one.draft is not None else 0
    return bool(slots & _IDENTITY) or "SUB" in one.compartments


def _persons(row: Row) -> list[Person]:
    return forms.persons_of(forms.make(row.kind, msgspec.msgpack.decode(row.values)))
