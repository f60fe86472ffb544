"""Why this person, or another agency, reads a part of a report or does not: in words, by the law of a day.

It is worked out on this device, from the packs, the agreements and the grants that are here; nobody is asked, so nobody
learns that somebody wondered.
Refuses: to say anything of another agency's readers but what the pack says of everybody.

> INVARIANT: an answer is the same whether the part is filled or empty.

Source: docs/contract.md, "The SDK"; docs/secrecy-rules.md B5 and B6.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from sluss_client import views
from sluss_client.errors import Invalid, NotFound
from sluss_client.local import Local
from sluss_client.outbox import Row
from sluss_schemas.ids import (
    AGENCY_SECTORS,
    COMPARTMENT_CODES,
    COMPARTMENTS,
    Compartment,
    ReportId,
    Sector,
    bit,
)
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.explain import Told, Way, told
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import Language

_EVERYTHING: Final = sum(bit(part) | bit(part, brief=True) for part in COMPARTMENTS)


def explain(
    local: Local, report_id: ReportId, part: str, *, agency: str | None, at: date | None, lang: Language, now: int
) -> Told:
    """Return why this person reads a part of a report, or somebody in the field of another agency.

    Args:
        local: the device's state.
        report_id: a report that is on this device.
        part: the compartment's name or code.
        agency: slug of another agency, or a sector's usual slug; None for this person.
        at: the day by whose law it is told; today's where it is not given.
        lang: the language of the sentences.
        now: the time.

    Raises:
        NotFound: no such report here, or no such agency.
        Invalid: `unknown_field` for a part that does not exist.

    """
    compartment = _part(part)
    report = views.one_report(local, report_id, local.trust.pack(now), now)
    if report is None or not report.kind_number:
        raise NotFound("report_id")
    pack = _pack(local, at, now)
    owner = next(chain for chain in local.trust.agencies(now) if chain.slug == report.agency)
    own = owner.agency == local.trust.own_id
    row = local.outbox.head(report_id) if own else None
    if agency is None or agency == local.trust.own.slug:
        receiver, ways = _me(local, report_id, row, own=own, scene=report.scene, now=now)
        return told(pack, report.kind_number, owner.sector, receiver, compartment, ways=ways, lang=lang)
    receiver = _field_of(local, agency, report.scene, now)
    ways = _told_by_author(row, pack, receiver, report.kind_number, owner.sector) if row is not None else []
    if ways and not any(gateway.receiver_function == "field" for gateway in (pack.gateways[way.code] for way in ways)):
        # What the author told goes to those who take such things in.
        receiver = replace(receiver, function=pack.gateways[ways[0].code].receiver_function)
    return told(
        pack,
        report.kind_number,
        owner.sector,
        receiver,
        compartment,
        ways=ways,
        embargo=bool(report.hold) if own and report.form_of("AUT") == "full" else False,
        lang=lang,
    )


def _part(name: str) -> Compartment:
    code = COMPARTMENT_CODES.get(name.lower(), name.upper())
    if code not in COMPARTMENTS:
        raise Invalid("unknown_field", "part", f"Name a part: {', '.join(COMPARTMENT_CODES)}.")
    return code


def _pack(local: Local, at: date | None, now: int) -> Pack:
    if at is None:
        return local.trust.pack(now)
    zone = ZoneInfo(local.trust.pack(now).zone)
    return local.trust.pack_of_event(int(datetime.combine(at, time(12), zone).astimezone(UTC).timestamp()), now)


def _me(
    local: Local, report_id: ReportId, row: Row | None, *, own: bool, scene: str | None, now: int
) -> tuple[Receiver, list[Way]]:
    """Return as whom this person holds a report, and by what."""
    sector = local.trust.own.sector
    received = local.received(report_id)
    if received is None or row is not None:
        # Whoever wrote it reads it as the owner does.
        return Receiver(sector, "field", own=True, named=True), []
    holds = received.heads()[0].holds
    numbers = local.trust.scene_numbers(now)
    receiver = local.trust.receiver_of(
        local.trust.own_id,
        received.agency,  # type: ignore[arg-type]  # an agency's id
        holds[0].function,
        named=holds[0].named,
        at=now,
        scene=numbers.get(scene or "", 0),
    )
    ways = [Way(hold.gateway, hold.slots, hold.not_after) for hold in holds if hold.grant]
    return receiver, [] if own and not ways else ways


def _field_of(local: Local, agency: str, scene: str | None, now: int) -> Receiver:
    number = local.trust.scene_numbers(now).get(scene or "", 0)
    for chain in local.trust.agencies(now):
        if chain.slug == agency:
            return local.trust.receiver_of(chain.agency, local.trust.own_id, "field", at=now, scene=number)
    sector = AGENCY_SECTORS.get(agency)
    if sector is None:
        raise NotFound("agency")
    return Receiver(sector, "field", own=False)


def _told_by_author(row: Row, pack: Pack, receiver: Receiver, kind: int, owner: Sector) -> list[Way]:
    """Return the duties that the author answered, as far as they give this receiver's agency anything."""
    told_codes = [code for code, answer in row.duties if answer == "send"]
    return [
        Way(code, _EVERYTHING)
        for code in told_codes
        if any(code in pack.cell(kind, owner, part, receiver.sector).duties for part in COMPARTMENTS)
    ]
