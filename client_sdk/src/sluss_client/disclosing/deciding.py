"""A person decides: everything that can be known here is checked here, with an error that names what is missing.

Refuses: a ground that the pack does not offer, a receiver who may not have it, a test that was not affirmed, a reason
that was not written, and a time after the ground's end.

> INVARIANT: nothing is kept as decided that the pack, the tests and the ages did not allow at that moment; sealing asks
> them again.

Source: docs/secrecy-rules.md B4, B6 and B7 9-10; docs/protocol.md section 4.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sluss_client.cases import consents
from sluss_client.disclosing import ages, excerpts, offering
from sluss_client.disclosing.kept import Decision, save
from sluss_client.disclosing.material import Material, latest
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.filing import duty_receiver
from sluss_client.local import Local
from sluss_schemas.agency import Person
from sluss_schemas.ids import COMPARTMENT_CODES, COMPARTMENT_NAMES, COMPARTMENTS, Compartment, PersonId, ReportId
from sluss_schemas.policy import offences
from sluss_schemas.policy.model import Gateway, Pack
from sluss_schemas.replay import Directory

HOUR_S: Final = 3600
_MAX_REASON_BYTES: Final = 4000
_MAX_RECEIVERS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Wanted:
    """What a person wants to disclose, as they say it.

    Attributes:
        to: person ids, or aliases; empty where the ground obliges to tell an agency.
        compartments: names or codes.
        tests: which preconditions they affirm.
        reasons: what they write for those that ask for it.
        until: an earlier end than the ground's, Unix seconds.
        excerpt: the fields to keep of a part that is not given whole.
        consent: the record of the consent that it rests on.
        offence: the pack's code of the offence, where the ground asks for one.
        attempt: whether it is only its attempt, preparation or conspiracy.

    """

    gateway: str
    to: Sequence[PersonId | str]
    compartments: Collection[str]
    tests: Mapping[str, bool] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    until: int | None = None
    excerpt: Mapping[str, Collection[str]] = field(default_factory=dict)
    consent: bytes | None = None
    offence: str = ""
    attempt: bool = False


def decide(local: Local, report_id: ReportId, wanted: Wanted, now: int) -> Decision:
    """Check a decision and keep it; it is sealed and sent by the next sync.

    Raises:
        NotFound: no such report of the own agency here.
        Refused: `not_a_decider`, `no_ground`, `age_limit`, `no_consent`, `lease_ended`, `closed`.
        Invalid: `missing_field` for `to`, `compartments`, `tests.CODE`, `reasons.CODE`, `offence` or `consent`;
            `unknown_field`, `unknown_code`, `unknown_person`, `out_of_range`, `too_long`.

    """
    pack = local.trust.pack(now)
    material = latest(local, report_id, pack, now)
    gateway = pack.gateways.get(wanted.gateway)
    if gateway is None or gateway.held:
        raise Refused("gateway", code="no_ground")
    people = receivers_of(local, gateway, wanted.to, now)
    chains = _agencies(local, gateway, people, pack, now)
    parts = _parts(local, chains, material, gateway, pack, wanted.compartments, now)
    if not offering.may_decide(local, gateway):
        raise Refused("gateway", code="not_a_decider")
    kept = _excerpt(material, parts, wanted.excerpt)
    judged = ages.judge(excerpts.persons(material, kept), gateway, pack, noted=material.noted, now=now)
    if judged.reason:
        raise Refused(judged.reason, code="age_limit")
    tests, reasons = _answers(gateway, wanted)
    tests += _offence(pack, gateway, wanted)
    _check_until(gateway, wanted.until, now)
    consent = wanted.consent if gateway.basis == "consent" else None
    until = wanted.until
    if gateway.basis == "consent":
        if consent is None:
            raise Invalid("missing_field", "consent", "Name the recorded consent that this rests on.")
        until = consented(local, consent, report_id, chains, parts, wanted.until, now)
    return save(
        local,
        Decision(
            grant_id=os.urandom(16),
            report_id=material.report_id,
            version=material.version,
            digest=material.digest,
            gateway=gateway.code,
            people=tuple((chain.agency, person.person) for chain, person in people),
            agencies=tuple(chain.agency for chain in chains),
            compartments=parts,
            tests=tests,
            reasons=reasons,
            decided_at=now,
            until=until,
            excerpt=tuple((part, tuple(names)) for part, names in kept.items()),
            consent=consent,
            review_by=None if gateway.review_hours is None else now + gateway.review_hours * HOUR_S,
        ),
    )


def seconds(when: datetime | None, where: str) -> int | None:
    """Return a time in Unix seconds; `Invalid` `naive_time` for one without its zone."""
    if when is None:
        return None
    if when.utcoffset() is None:
        raise Invalid("naive_time", where)
    return int(when.timestamp())


def consented(  # noqa: PLR0917  # what a consent is held against
    local: Local,
    consent: bytes,
    report_id: bytes,
    chains: Iterable[Directory],
    parts: Iterable[Compartment],
    until: int | None,
    now: int,
) -> int:
    """Return until when at the latest something may rest on a consent that covers all of it now.

    Raises:
        NotFound: no such consent here.
        Refused: `no_consent` where it covers less, or nothing any more.

    """
    found = next((one for one in consents.consents(local, now) if one.id == consent), None)
    if found is None or found.report_id != report_id:
        raise NotFound("consent")
    missing = [
        *(f"to.{chain.slug}" for chain in chains if chain.slug not in found.agencies),
        *(f"compartments.{name}" for part in parts if (name := COMPARTMENT_NAMES[part]) not in found.compartments),
    ]
    if found.state not in {"given", "limited"} or found.until <= now:
        raise Refused("consent", code="no_consent")
    if missing:
        raise Refused(missing[0], code="no_consent")
    return found.until if until is None else min(until, found.until)


def ends(gateway: Gateway, judged: ages.Judged, until: int | None, now: int) -> int | None:
    """Return when a grant ends: the earliest of the wish, the ground's longest time, and the birthday."""
    longest = None if gateway.max_hours is None else now + gateway.max_hours * HOUR_S
    return min((one for one in (until, longest, judged.until) if one is not None), default=None)


def receivers_of(
    local: Local, gateway: Gateway, named: Sequence[PersonId | str], now: int
) -> tuple[tuple[Directory, Person], ...]:
    """Return the persons who are named, with their agency's directory.

    Raises:
        Invalid: `missing_field`, `unknown_person`, `out_of_range`.
        Refused: `no_ground` for an agency to which the ground gives nothing.

    """
    if not offering.is_named(gateway):
        if named:
            raise Invalid("unknown_field", "to", "This ground tells the agency, and names nobody.")
        return ()
    if not named:
        raise Invalid("missing_field", "to")
    found = dict[PersonId, tuple[Directory, Person]]()
    others = [chain for chain in local.trust.agencies(now) if chain.agency != local.trust.own_id]
    for name in named:
        fitting = [
            (chain, person)
            for chain in others
            for person in chain.persons.values()
            if person.active(now) and name in _names(chain, person)
        ]
        if len(fitting) != 1:
            raise Invalid("unknown_person", "to", "Name one person of another agency; `people` lists them.")
        chain, person = fitting[0]
        if chain.sector not in gateway.receivers:
            raise Refused("to", code="no_ground")
        if not any(local.trust.devices_of(person.person, chain)):
            raise Invalid("unknown_person", "to", "This person has no device that could receive it.")
        found[person.person] = fitting[0]
    if sum(len(list(local.trust.devices_of(person, chain))) for person, (chain, _) in found.items()) > _MAX_RECEIVERS:
        raise Invalid("out_of_range", "to")
    return tuple(found.values())


def _names(chain: Directory, person: Person) -> set[PersonId | str]:
    """Return by what somebody may be named: by their id, and by an alias with the agency or without."""
    return {person.person, person.alias, f"{chain.slug}/{person.alias}"}


def _agencies(
    local: Local, gateway: Gateway, people: Iterable[tuple[Directory, Person]], pack: Pack, now: int
) -> list[Directory]:
    if offering.is_named(gateway):
        return list({chain.agency: chain for chain, _ in people}.values())
    names = {one.agency for one in duty_receiver(local.trust, pack, gateway.code, now)}
    return [chain for chain in local.trust.agencies(now) if chain.agency in names]


def _parts(  # noqa: PLR0917  # what a choice of parts is held against
    local: Local,
    chains: list[Directory],
    material: Material,
    gateway: Gateway,
    pack: Pack,
    wanted: Collection[str],
    now: int,
) -> tuple[Compartment, ...]:
    """Return the parts that are wanted, each of which the ground gives to every receiver, and is here."""
    named = {COMPARTMENT_CODES.get(name, name) for name in wanted}
    if not chains:
        raise Refused("gateway", code="no_ground")
    if not named:
        raise Invalid("missing_field", "compartments")
    if unknown := named - set(COMPARTMENTS):
        raise Invalid("unknown_field", f"compartments.{min(unknown)}")
    parts = tuple(part for part in COMPARTMENTS if part in named)
    for part in parts:
        gives = all(part in offering.parts_of(local, pack, material.kind, chain, gateway.code, now) for chain in chains)
        if not gives:
            raise Refused(f"compartments.{COMPARTMENT_NAMES[part]}", code="no_ground")
        if not offering.readable(material, part):
            raise Invalid("missing_field", f"compartments.{COMPARTMENT_NAMES[part]}", "There is nothing in this part.")
    return parts


def _excerpt(
    material: Material, parts: Collection[Compartment], wanted: Mapping[str, Collection[str]]
) -> dict[Compartment, tuple[str, ...]]:
    """Return the fields to keep, after a try at what they leave."""
    kept = dict[Compartment, tuple[str, ...]]()
    for name, names in wanted.items():
        part = COMPARTMENT_CODES.get(name, name)
        if part not in parts:
            raise Invalid("unknown_field", f"excerpt.{name}")
        kept[part] = tuple(names)  # type: ignore[index]  # one of the parts
    excerpts.cut(material, kept)
    return kept


def _answers(gateway: Gateway, wanted: Wanted) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the tests of a ground, each of them affirmed, and the reasons that were written."""
    codes = [test.code for test in gateway.tests]
    for given, where in ((wanted.tests, "tests"), (wanted.reasons, "reasons")):
        if unknown := set(given) - set(codes):
            raise Invalid("unknown_field", f"{where}.{min(unknown)}")
    reasons = []
    for test in gateway.tests:
        if wanted.tests.get(test.code) is not True:
            raise Invalid("missing_field", f"tests.{test.code}", f"Affirm it only if it is so: {test.en}")
        text = wanted.reasons.get(test.code, "").strip()
        if test.written and not text:
            raise Invalid("missing_field", f"reasons.{test.code}", f"Write why: {test.en}")
        if len(text.encode()) > _MAX_REASON_BYTES:
            raise Invalid("too_long", f"reasons.{test.code}")
        if text:
            reasons.append((test.code, text))
    return tuple(codes), tuple(reasons)


def _offence(pack: Pack, gateway: Gateway, wanted: Wanted) -> tuple[str, ...]:
    """Return the answer that names the offence, for a ground that asks for one."""
    if gateway.offence == "none":
        if wanted.offence or wanted.attempt:
            raise Invalid("unknown_field", "offence", "This ground asks for no offence.")
        return ()
    if not wanted.offence:
        raise Invalid("missing_field", "offence", "Name the offence that it is about; `offers` lists them.")
    if wanted.offence not in pack.offences:
        raise Invalid("unknown_code", "offence", "The policy pack does not list this offence; `offers` lists them.")
    if not offences.weighs_enough(pack, gateway, wanted.offence, attempt=wanted.attempt):
        raise Refused("offence", "This offence does not weigh enough for this ground.", code="no_ground")
    return (offences.answer(wanted.offence, attempt=wanted.attempt),)


def _check_until(gateway: Gateway, until: int | None, now: int) -> None:
    if until is None:
        return
    if until <= now or (gateway.max_hours is not None and until > now + gateway.max_hours * HOUR_S):
        raise Invalid("out_of_range", "until")
