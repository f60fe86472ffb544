"""What the own agency's devices sent without having the right to, or too late: a supervisor looks and countersigns.

Each version is opened and checked as a delivery would be; one that does not hold together is listed without content.
Source: docs/protocol.md section 6.

> INVARIANT: only what this device was shown can be countersigned, by its digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from sluss_client import casework, reading, views
from sluss_client.answers import Quarantined
from sluss_client.cases import stuck
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_client.report import Report
from sluss_client.syncing import sync_core
from sluss_client.transport import Transport
from sluss_schemas import manifest
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid, ReportId
from sluss_schemas.policy.model import Pack
from sluss_schemas.records import Countersign

_SPACE: Final = "quarantine"


async def listed(local: Local, transport: Transport, pack: Pack, now: int) -> list[Quarantined]:
    """Fetch what waits for a supervisor of the own agency, oldest first.

    Raises:
        Refused: `supervisor_only`.
        Offline: no contact.

    """
    casework.own_supervisors(local)
    answer = await transport.get("/v1/quarantine", wire.QuarantineAnswer)
    found = [row for one in answer.waiting if (row := _read(local, one, pack, now)) is not None]
    with local.store.transaction():
        local.store.clear(_SPACE)
        for row in found:
            local.store.put(_SPACE, row.digest, row.report_id + row.version.to_bytes(4, "big"))
    return sorted(found, key=lambda row: (row.received_at, row.version))


def countersign(local: Local, report_id: ReportId, now: int) -> int:
    """Take every version of a report that was listed last out of quarantine; return how many.

    Raises:
        NotFound: none of it was listed.
        Refused: `supervisor_only`.

    """
    casework.own_supervisors(local)
    wanted = sorted((key, digest) for digest, key in local.store.items(_SPACE) if key[:16] == report_id)
    if not wanted:
        raise NotFound("report_id")
    with local.store.transaction():
        for number, (_, digest) in enumerate(wanted):
            # The server applies records in the order that they come in, and an amendment follows its parent.
            casework.file_record(local, digest, Countersign(os.urandom(16), digest, local.keys.kid, now + number))
            local.store.delete(_SPACE, digest)
            stuck.countersigned(local, digest)
    return len(wanted)


def _read(local: Local, one: wire.Quarantined, pack: Pack, now: int) -> Quarantined | None:
    """Return a row, or None for what is not the own agency's at all."""
    try:
        item = decode(wire.Item, one.item, "item", limit=wire.MAX_PUSH_BYTES)
        document = manifest.read_manifest(item.manifest)
    except Invalid:
        return None
    if document.agency != local.trust.own_id:
        return None
    report = _report(local, item, pack, now)
    return Quarantined(
        report_id=ReportId(document.report_id),
        version=document.version,
        digest=manifest.digest_of(item.manifest),
        kind=_kind(report, document, pack),
        alias=_alias(report),
        reason=one.reason,
        received_at=one.received_at,
        report=report,
    )


def _report(local: Local, item: wire.Item, pack: Pack, now: int) -> Report | None:
    for put in _puts(local, item):
        try:
            opened = reading.open_put(put, local.ring.kems, local.trust, now)
        except reading.Alarm:
            continue
        return views.of_received(local, sync_core.merge(None, opened, b"", now), pack, now)
    return None


def _puts(local: Local, item: wire.Item) -> Iterator[wire.Put]:
    """Yield the item as it would be delivered to each key of this device that it is sealed to."""
    for sealed in item.recipients:
        if Kid(sealed.kid) in local.ring.kems:
            given = {wrap.slot for wrap in sealed.wraps}
            sections = tuple(section for section in item.sections if section.slot in given)
            yield wire.Put(item.manifest, item.signature, sections, sealed.seal, sealed.wraps, item.tiers)


def _kind(report: Report | None, document: manifest.Manifest, pack: Pack) -> str:
    number = document.kind if report is None else report.kind_number
    return pack.kinds[number].name if number in pack.kinds else ""


def _alias(report: Report | None) -> str | None:
    try:
        author = None if report is None else report.author
    except Refused:
        return None
    return None if author is None else author.alias
