"""Why this person, another one, or an agency's field reads a part of a report or does not: by the law of a day.

It is worked out on this device, from the packs, the agreements and the grants that are here; nobody is asked, so nobody
learns that somebody wondered.
Refuses: to say that something is closed to somebody where a decision could have been made that is not known here.

> INVARIANT: an answer is the same whether the part is filled or empty.
> INVARIANT: of a past day nothing is told that began after it.

Source: docs/contract.md, "The SDK"; docs/secrecy-rules.md B5 and B6.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import structs

from sluss_client import decided, views
from sluss_client.errors import Invalid, NotFound
from sluss_client.local import Local
from sluss_client.replica import Hold
from sluss_schemas.agency import Person
from sluss_schemas.disclosure import BASE_RELEASE
from sluss_schemas.ids import AGENCY_SECTORS, COMPARTMENT_CODES, COMPARTMENTS, Compartment, ReportId, bit
from sluss_schemas.policy import granted
from sluss_schemas.policy.answers import Form, Receiver
from sluss_schemas.policy.explain import Told, Way, told
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import Language
from sluss_schemas.replay import Directory

_EVERYTHING: Final = sum(bit(part) | bit(part, brief=True) for part in COMPARTMENTS)
_MOST: Final[tuple[Form | None, ...]] = (None, "brief", "full")


class Asked(NamedTuple):
    """What is asked about: the report, its part, and the time."""

    report_id: ReportId
    owner: Directory
    kind: int
    scene: int
    kept_back: bool
    part: Compartment
    pack: Pack
    span: tuple[int, int]
    now: int
    lang: Language


def explain(
    local: Local,
    report_id: ReportId,
    part: str,
    *,
    agency: str | None,
    person: str | bytes | None,
    at: date | None,
    lang: Language,
    now: int,
) -> Told:
    """Return why this person, a named one, or somebody in the field of an agency reads a part of a report.

    Args:
        local: the device's state.
        report_id: a report that is on this device.
        part: the compartment's name or code.
        agency: slug of another agency, or a sector's usual slug; with `person`, whose person it is.
        person: an alias, `agency/alias`, or a person's id; None for this person, or for an agency.
        at: the day, or the moment, that it is told of; now where it is not given.
        lang: the language of the sentences.
        now: the time.

    Raises:
        NotFound: no such report here, or no such agency or person.
        Invalid: `unknown_field` for a part that does not exist, `unknown_person` where it is not one person.

    """
    compartment = _part(part)
    owner, kind, scene, kept_back = _about(local, report_id, now)
    span = _span(at, local.trust.pack(now).zone, now)
    pack = local.trust.pack(max(span[0], now)) if span[1] >= now else local.trust.pack_of_event(span[1], now)
    asked = Asked(report_id, owner, kind, scene, kept_back, compartment, pack, span, now, lang)
    if person is not None:
        chain, who = _person(local, person, agency, now)
        me = who.person == local.person.person
        found = _of_me(local, asked) if me else _of_person(local, asked, chain, who)
    elif agency is None or agency == local.trust.own.slug:
        found = _of_me(local, asked)
    else:
        found = _of_field(local, asked, agency)
    if span[1] >= now:
        return found
    said = granted.past(pack, _day_of(span[0], pack), _came(local, report_id), span, lang)
    return structs.replace(found, sentences=(*found.sentences, *said))


def _about(local: Local, report_id: ReportId, now: int) -> tuple[Directory, int, int, bool]:
    """Return whose report it is, its kind, its scene, and whether it is kept back from others.

    A row that a supervisor may open, and has not, is told of too: nothing of it is looked at.
    """
    report = views.one_report(local, report_id, local.trust.pack(now), now)
    if report is not None and report.kind_number:
        owner = next(chain for chain in local.trust.agencies(now) if chain.slug == report.agency)
        scene = local.trust.scene_numbers(now).get(report.scene or "", 0)
        own = owner.agency == local.trust.own_id and report.form_of("AUT") == "full"
        return owner, report.kind_number, scene, own and bool(report.hold)
    received = local.received(report_id)
    if report is None and received is not None and received.agency == local.trust.own_id:
        head = received.heads()[0]
        if head.kind and all(hold.held for hold in head.holds):
            return local.trust.own, head.kind, head.scene, False
    raise NotFound("report_id")


def _of_me(local: Local, asked: Asked) -> Told:
    own = asked.owner.agency == local.trust.own_id
    receiver, ways = _me(local, asked, own=own)
    return told(
        asked.pack, asked.kind, asked.owner.sector, receiver, asked.part, ways=ways, lang=asked.lang, now=asked.now
    )


def _of_field(local: Local, asked: Asked, agency: str) -> Told:
    """Tell of somebody in the field of an agency: what the rule, the author and decisions for all of them give."""
    own = asked.owner.agency == local.trust.own_id
    chain, receiver = _field(local, agency, asked)
    known = [one for one in _decisions(local, asked) if chain is not None] if own else []
    of = [one for one in known if any(chain is not None and agency_ == chain.agency for agency_, _ in one.audiences)]
    ways = [*_told_by_author(local, asked, receiver), *(one.grant.way() for one in of if _counts(one, asked))]
    if ways and not any(
        gateway.receiver_function == "field"
        for gateway in (asked.pack.gateways.get(way.code) for way in ways)
        if gateway is not None
    ):
        # What the author told goes to those who take such things in.
        code = next((way.code for way in ways if way.code in asked.pack.gateways), None)
        if code is not None:
            receiver = structs.replace(receiver, function=asked.pack.gateways[code].receiver_function)
    found = _told(asked, receiver, ways, "", embargo=_kept_back(local, asked))
    if not own:
        return found
    named = [
        one.grant
        for one in known
        if chain is not None and _counts(one, asked) and any(each == chain.agency for each, _ in one.people)
    ]
    others = [one.grant for one in of if one.grant.tells(asked.span) and one.grant.gives(asked.part)]
    found = granted.with_others(found, asked.pack, others, asked.span, asked.now, asked.lang)
    return granted.with_named(found, asked.pack, [one for one in named if one.gives(asked.part)], asked.lang)


def _of_person(local: Local, asked: Asked, chain: Directory, who: Person) -> Told:
    """Tell of one person: as each of their functions, with what is known of decisions for them; the most counts."""
    own_report = asked.owner.agency == local.trust.own_id
    name = f"{chain.slug}/{who.alias}"
    known = _decisions(local, asked) if own_report else []
    mine = [one for one in known if (chain.agency, who.person) in one.people]
    answers: list[Told] = []
    others = [one.grant for one in mine]
    for function in who.functions:
        to_all = [one for one in known if (chain.agency, function) in one.audiences]
        others += [one.grant for one in to_all]
        for named, ways in ((False, to_all), (True, mine)):
            given = [one.grant.way() for one in ways if _counts(one, asked)]
            if named and not given:
                continue
            receiver = local.trust.receiver_of(
                chain.agency, asked.owner.agency, function, named=named, at=asked.span[1], scene=asked.scene
            )
            if not named:
                given += (
                    _told_by_author(local, asked, receiver) if own_report else _shared(local, asked, chain, function)
                )
            answers.append(_told(asked, receiver, given, name, embargo=_kept_back(local, asked)))
    # Of several capacities the one that reads the most.
    found = max(answers, key=lambda one: _MOST.index(one.form))
    if found.form != "full" and _may_be_decided(asked, chain):
        found = granted.not_known(found, asked.part, name, "" if own_report else asked.owner.slug, asked.lang)
    rest = [one for one in dict.fromkeys(others) if one.gives(asked.part) and one.tells(asked.span)]
    return granted.with_others(found, asked.pack, rest, asked.span, asked.now, asked.lang)


def _told(asked: Asked, receiver: Receiver, ways: list[Way], who: str, *, embargo: bool) -> Told:
    return told(
        asked.pack,
        asked.kind,
        asked.owner.sector,
        receiver,
        asked.part,
        ways=ways,
        embargo=embargo and not receiver.own,
        lang=asked.lang,
        who=who,
        now=asked.now,
    )


def _decisions(local: Local, asked: Asked) -> list[decided.Known]:
    """Return what is known of decisions for others about the own agency's report; a release is for no one person."""
    return [one for one in decided.of_report(local, asked.report_id, asked.now) if one.grant.code != BASE_RELEASE]


def _counts(one: decided.Known, asked: Asked) -> bool:
    return one.grant.in_force(asked.span)


def _may_be_decided(asked: Asked, chain: Directory) -> bool:
    """Tell whether somebody may have opened a part to a person in a way that this device is not told of."""
    if chain.agency == asked.owner.agency:
        # In the own agency nobody decides; only of such kinds are staff named, one by one.
        return asked.pack.kinds[asked.kind].case_staff
    cell = asked.pack.cells.get((asked.kind, asked.owner.sector, asked.part, chain.sector))
    return cell is not None and bool(cell.duties or cell.gateways)


def _kept_back(local: Local, asked: Asked) -> bool:
    """Tell whether the report is kept back from others at the time that is asked about."""
    if asked.owner.agency != local.trust.own_id:
        return False
    known = decided.of_report(local, asked.report_id, asked.now)
    later = (one.grant for one in known if one.grant.code == BASE_RELEASE and one.grant.how == "released")
    return asked.kept_back or any(one.begins > asked.span[1] for one in later)


def _span(at: date | None, zone: str, now: int) -> tuple[int, int]:
    """Return the first and the last second that is asked about; of today it is now."""
    if at is None:
        return now, now
    local_zone = ZoneInfo(zone)
    if isinstance(at, datetime):
        moment = at if at.tzinfo is not None else at.replace(tzinfo=local_zone)
        return int(moment.timestamp()), int(moment.timestamp())
    first, last = (int(datetime.combine(day, time(), local_zone).timestamp()) for day in (at, at + timedelta(days=1)))
    return (now, now) if first <= now < last else (first, last - 1)


def _day_of(at: int, pack: Pack) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(pack.zone)):%Y-%m-%d}"


def _came(local: Local, report_id: ReportId) -> int:
    """Return when a report was filed here, or came here first."""
    row, received = local.outbox.head(report_id), local.received(report_id)
    times = [row.filed_at] if row is not None else []
    if received is not None:
        times.append(min(version.received_at for version in received.versions))
    return min(times, default=0)


def _person(local: Local, named: str | bytes, agency: str | None, now: int) -> tuple[Directory, Person]:
    """Return the one person that is named, with their agency's directory; the own agency's before others."""
    chains = [chain for chain in local.trust.agencies(now) if agency in {None, chain.slug}]
    found = [
        (chain, person)
        for chain in chains
        for person in chain.persons.values()
        if named in {person.person, person.person.hex(), person.alias, f"{chain.slug}/{person.alias}"}
    ]
    own = [one for one in found if one[0].agency == local.trust.own_id]
    chosen = own or found
    if len(chosen) != 1:
        raise Invalid("unknown_person", "person", "Name one person, as agency/alias; `people` lists them.")
    return chosen[0]


def _part(name: str) -> Compartment:
    code = COMPARTMENT_CODES.get(name.lower(), name.upper())
    if code not in COMPARTMENTS:
        raise Invalid("unknown_field", "part", f"Name a part: {', '.join(COMPARTMENT_CODES)}.")
    return code


def _me(local: Local, asked: Asked, *, own: bool) -> tuple[Receiver, list[Way]]:
    """Return as whom this person holds a report, and by what at that time."""
    received = local.received(asked.report_id)
    if received is None or (own and local.outbox.head(asked.report_id) is not None):
        # Whoever wrote it reads it as the owner does.
        return Receiver(local.trust.own.sector, "field", own=True, named=True), []
    head = received.heads()[0]
    hold = head.holds[0]
    receiver = local.trust.receiver_of(
        local.trust.own_id,
        asked.owner.agency,
        hold.function,
        named=hold.named,
        at=asked.span[1],
        scene=asked.scene,
    )
    return receiver, _ways(head.holds, asked)


def _ways(holds: Iterable[Hold], asked: Asked) -> list[Way]:
    """Return the grants among holds, as far as they are in force at the time that is asked about."""
    today = asked.span[1] >= asked.now
    return [
        Way(hold.gateway, hold.slots, hold.not_after, hold.since)
        for hold in holds
        # Of a past day a grant counts only where it is known that it had begun.
        if hold.grant
        and (hold.not_after is None or hold.not_after > asked.span[0])
        and (today if hold.since is None else hold.since <= asked.span[1])
    ]


def _shared(local: Local, asked: Asked, chain: Directory, function: str) -> list[Way]:
    """Return what a colleague of one function holds of another agency's report by what this device holds alike."""
    received = local.received(asked.report_id)
    if chain.agency != local.trust.own_id or received is None:
        return []
    holds = received.heads()[0].holds
    return _ways((hold for hold in holds if hold.function == function and not hold.named), asked)


def _field(local: Local, agency: str, asked: Asked) -> tuple[Directory | None, Receiver]:
    for chain in local.trust.agencies(asked.now):
        if chain.slug == agency:
            return chain, local.trust.receiver_of(
                chain.agency, asked.owner.agency, "field", at=asked.span[1], scene=asked.scene
            )
    sector = AGENCY_SECTORS.get(agency)
    if sector is None:
        raise NotFound("agency")
    return None, Receiver(sector, "field", own=False)


def _told_by_author(local: Local, asked: Asked, receiver: Receiver) -> list[Way]:
    """Return the duties that the author answered on this device, as far as they give this receiver anything."""
    row = local.outbox.head(asked.report_id)
    if row is None or row.filed_at > asked.span[1] or receiver.own:
        return []
    pack, owner = asked.pack, asked.owner.sector
    codes = [code for code, answer in row.duties if answer == "send"]
    return [
        Way(code, _EVERYTHING, None, row.filed_at)
        for code in codes
        if any(code in pack.cell(asked.kind, owner, part, receiver.sector).duties for part in COMPARTMENTS)
    ]
