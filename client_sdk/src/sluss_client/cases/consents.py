"""Consents: what a person allows to be told, to whom and until when; partly, and to be taken back at any time.

Refuses: a consent that nobody gave who may give it for somebody of that age.
Source: docs/secrecy-rules.md, the gateway of consent and B7 3 to 5.

> INVARIANT: a consent only ever narrows; what rests on it ends when it does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sluss_client import clock
from sluss_client.cases import bodies, book
from sluss_client.errors import Invalid, NotFound
from sluss_client.local import Local
from sluss_client.outbox import Row
from sluss_schemas import cases
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import COMPARTMENT_CODES, AgencyId, ReportId, slot
from sluss_schemas.policy.model import Pack
from sluss_schemas.records import CaseKind, ConsentTerms

By = Literal["subject", "guardian"]
_BY: Final = frozenset({"subject", "guardian"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent as this device knows it; `agencies` are slugs, `compartments` names."""

    id: bytes
    report_id: ReportId | None
    agencies: tuple[str, ...]
    compartments: tuple[str, ...]
    purpose: str
    given_by: tuple[str, ...]
    since: int
    until: int
    state: cases.ConsentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What somebody consents to, and who says so; `age` is the youngest plausible one, None for an adult.

    `objects` says that the minor does not want it, whatever the guardian says.
    """

    agencies: Collection[str]
    compartments: Collection[str]
    purpose: str
    until: int
    given_by: Collection[str] = ("subject",)
    age: int | None = None
    objects: bool = False


def give(local: Local, row: Row, given: Given, now: int) -> bytes:
    """Record a consent and return its id.

    Raises:
        Invalid: `not_allowed` for `given_by`, `unknown_agency`, `unknown_code` for a compartment, `out_of_range` for
            `until`, `missing_field`, `too_long`.

    """
    _may_give(given, local.trust.pack(now))
    if given.until <= now:
        raise Invalid("out_of_range", "until", "Give a time to come.")
    body = bodies.Consented(row.report_id, bodies.text(given.purpose, "purpose"), tuple(sorted(given.given_by)))
    return book.file(
        local,
        CaseKind.CONSENT,
        now=now,
        code="given",
        row=row,
        until=given.until,
        terms=encode(_terms(local, given.agencies, given.compartments, now)),
        to=book.own(local, "field", "supervisors"),
        body=encode(body),
    )


def _may_give(given: Given, pack: Pack) -> None:
    """Refuse a consent that is not given by everybody who has to give it at this age."""
    by, parameters = set(given.given_by), pack.parameters
    if not by or by - _BY:
        raise Invalid("unknown_code", "given_by", "Say `subject`, `guardian`, or both.")
    if given.objects:
        raise Invalid("not_allowed", "given_by", "The person does not want it; then there is no consent.")
    if given.age is None or given.age >= parameters.guardian_below:
        needed = {"subject"}
    else:
        needed = {"subject", "guardian"} if given.age >= parameters.consent_age else {"guardian"}
    if not needed <= by:
        raise Invalid("not_allowed", "given_by", f"At this age these have to agree: {', '.join(sorted(needed))}.")


def _terms(local: Local, agencies: Collection[str], compartments: Collection[str], now: int) -> ConsentTerms:
    known = {chain.slug: chain.agency for chain in local.trust.agencies(now)}
    for slug in agencies:
        if slug not in known or known[slug] == local.trust.own_id:
            raise Invalid("unknown_agency", "agencies", "Name other agencies of the partnership.")
    for name in compartments:
        if name not in COMPARTMENT_CODES:
            raise Invalid("unknown_code", "compartments")
    if not agencies or not compartments:
        raise Invalid("missing_field", "compartments" if agencies else "agencies")
    return ConsentTerms(
        tuple(sorted(known[slug] for slug in set(agencies))),
        tuple(sorted(slot(COMPARTMENT_CODES[name]) for name in set(compartments))),
        now,
    )


def withdraw(local: Local, consent: bytes, reason: str, now: int) -> None:
    """Record that a consent was taken back; raises as `_root`, and `Invalid` for the reason."""
    first = _root(local, consent)
    book.file(
        local,
        CaseKind.CONSENT,
        now=now,
        code="withdrawn",
        digest=first.case.digest,
        row=_row(local, first),
        follows=first.case.record,
        to=book.own(local, "field", "supervisors"),
        body=encode(bodies.Words(bodies.text(reason, "reason"))),
    )


def limit(local: Local, consent: bytes, given: Given, now: int) -> None:
    """Record that a consent covers less from now on; raises as `give` and `withdraw`."""
    first = _root(local, consent)
    book.file(
        local,
        CaseKind.CONSENT,
        now=now,
        code="limited",
        digest=first.case.digest,
        row=_row(local, first),
        follows=first.case.record,
        until=given.until,
        terms=encode(_terms(local, given.agencies, given.compartments, now)),
        to=book.own(local, "field", "supervisors"),
        body=encode(bodies.Words(bodies.text(given.purpose, "purpose"))),
    )


def _row(local: Local, first: book.Known) -> Row | None:
    """Return the outbox row of a consent that was recorded before its report had a name."""
    body = bodies.read(bodies.Consented, first.body)
    return None if first.case.digest is not None or body is None else local.outbox.head(body.report_id)


def _root(local: Local, consent: bytes) -> book.Known:
    for one in book.everything(local, CaseKind.CONSENT):
        if one.case.record == consent and one.case.follows is None:
            return one
    raise NotFound("consent")


def consents(local: Local, now: int) -> list[Consent]:
    """Return the consents of the own agency that this device knows of, newest first."""
    chains: dict[bytes, list[book.Known]] = {}
    for one in book.everything(local, CaseKind.CONSENT):
        chains.setdefault(one.case.follows or one.case.record, []).append(one)
    slugs = {chain.agency: chain.slug for chain in local.trust.agencies(now)}
    found = [_told(root, chain, slugs, clock.latest(now)) for root, chain in chains.items()]
    return sorted((one for one in found if one is not None), key=lambda one: one.since, reverse=True)


def _told(root: bytes, chain: Sequence[book.Known], slugs: dict[AgencyId, str], now: int) -> Consent | None:
    first = next((one for one in chain if one.case.record == root), None)
    if first is None:
        return None
    covering = [decode(ConsentTerms, one.case.terms, "terms") for one in chain if one.case.terms]
    agencies = set.intersection(*(set(terms.agencies) for terms in covering)) if covering else set()
    slots = set.intersection(*(set(terms.slots) for terms in covering)) if covering else set()
    ends = [one.case.until for one in chain if one.case.until is not None]
    body = bodies.read(bodies.Consented, first.body)
    return Consent(
        id=root,
        report_id=None if body is None else ReportId(body.report_id),
        agencies=tuple(sorted(slugs.get(AgencyId(one), "") for one in agencies)),
        compartments=tuple(name for name, part in COMPARTMENT_CODES.items() if slot(part) in slots),
        purpose="" if body is None else body.purpose,
        given_by=() if body is None else body.given_by,
        since=first.case.time,
        until=min(ends, default=0),
        state=cases.consent((one.case.code for one in chain), min(ends, default=None), now),
    )
