"""Somebody challenges a disclosure: the supervisors of both agencies hear of it, and one of the owner's settles it.

The record says which disclosure, and why it is challenged; it names no report and holds nothing of one.
Refuses: whoever neither gave nor received it; a settlement by whoever decided or challenged it.
Source: docs/protocol.md section 4; docs/secrecy-rules.md B7 22.

> INVARIANT: a dispute opens nothing: who could not read what was disclosed can still not read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sluss_client import clock, views
from sluss_client.cases import book
from sluss_client.disclosing import kept, recalling, records
from sluss_client.disclosing.answers import Dispute, Received
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_schemas import cases
from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid, ReportId
from sluss_schemas.records import CaseKind
from sluss_schemas.replay import Directory


def dispute(local: Local, grant_id: bytes, text: str, now: int) -> bytes:
    """Challenge a disclosure that was received or given here; return the record's id.

    Raises:
        NotFound: no such disclosure here.
        Invalid: `missing_field`, `too_long`.

    """
    _checked(text)
    to = [*records.own_supervisors(local)]
    for chain in _others(local, grant_id, now):
        to += book.agency(chain, "supervisors")
    return _file(local, grant_id, "disputed", text, to, now)


def settle(local: Local, grant_id: bytes, text: str, now: int) -> bytes:
    """Settle a dispute as a supervisor of the owner; return the record's id.

    Raises:
        NotFound: no such dispute of an own disclosure is open here.
        Refused: `supervisor_only`; `not_allowed` for one's own decision or one's own dispute.
        Invalid: `missing_field`, `too_long`.

    """
    _checked(text)
    if "supervisors" not in local.person.functions:
        raise Refused("grant", code="supervisor_only")
    said = [one for one in book.everything(local, CaseKind.DISPUTE) if one.case.follows == grant_id]
    if not said or _state(said) != "disputed" or any(one.grant_id == grant_id for one in received(local, now)):
        raise NotFound("grant")
    mine = kept.get(local, grant_id) is not None
    if mine or any(one.person is not None and one.person.person == local.person.person for one in said):
        raise Refused("grant", "Somebody else settles what is said of one's own decision.", code="not_allowed")
    to = [*records.own_supervisors(local)]
    for one in said:
        chain = local.trust.agency(one.agency, now)
        if chain is not None:
            to += [*book.agency(chain, "supervisors"), *book.devices(chain, [one.case.device])]
    return _file(local, grant_id, "settled", text, to, now)


def received(local: Local, now: int) -> list[Received]:
    """Return what other agencies disclosed to this person and what stands now, by agency and report."""
    found, pack, at = dict[bytes, Received](), local.trust.pack(now), clock.latest(now)
    open_now = _disputed(local)
    for one in local.replica.reports():
        chain = local.trust.agency(one.agency, now)
        if chain is None or one.agency == local.trust.own_id:
            continue
        for version in one.versions:
            for hold in version.holds:
                over = hold.not_after is not None and hold.not_after <= at
                if not hold.grant or over or views.one_report(local, ReportId(one.report_id), pack, now) is None:
                    continue
                found[hold.grant] = Received(
                    grant_id=hold.grant,
                    report_id=ReportId(one.report_id),
                    agency=chain.slug,
                    gateway=hold.gateway,
                    until=hold.not_after,
                    state=cases.disclosure("released", disputed=hold.grant in open_now, confirmed=False),
                )
    return sorted(found.values(), key=lambda one: (one.agency, one.report_id, one.grant_id))


def disputes(local: Local) -> list[Dispute]:
    """Return the disputes that this person filed or is told of, newest first."""
    found = []
    known = book.everything(local, CaseKind.DISPUTE)
    for one in known:
        if one.case.code != "disputed" or one.case.follows is None:
            continue
        chain = local.trust.chains.get(one.agency)
        same = [each for each in known if each.case.follows == one.case.follows]
        ends = [each for each in same if each.case.code == "settled" and each.case.time >= one.case.time]
        found.append(
            Dispute(
                grant_id=one.case.follows,
                agency="" if chain is None else chain.slug,
                by="" if one.person is None else one.person.alias,
                text=_words(one),
                since=one.case.time,
                state=_state(same),
                settled=_words(ends[0]) if ends else "",
            )
        )
    return found[::-1]


def is_disputed(local: Local, grant_id: bytes) -> bool:
    """Tell whether a disclosure is disputed, as far as this device was told."""
    return grant_id in _disputed(local)


def _disputed(local: Local) -> set[bytes]:
    chains = dict[bytes, list[book.Known]]()
    for one in book.everything(local, CaseKind.DISPUTE):
        chains.setdefault(one.case.follows or b"", []).append(one)
    return {grant for grant, said in chains.items() if _state(said) == "disputed"}


def _state(said: list[book.Known]) -> cases.DisputeState:
    return cases.dispute((one.case.time, one.case.code) for one in said)


def _others(local: Local, grant_id: bytes, now: int) -> Iterator[Directory]:
    """Yield the other agencies of a disclosure: its owner where it was received here, else who received it."""
    slugs = {one.agency for one in received(local, now) if one.grant_id == grant_id}
    if not slugs:
        grant = recalling.grant_of(local, grant_id)
        if grant is None:
            raise NotFound("grant")
        slugs = {slug for slug, _ in records.holders(local, grant.receivers, now)}
    for chain in local.trust.agencies(now):
        if chain.slug in slugs and chain.agency != local.trust.own_id:
            yield chain


def _file(  # noqa: PLR0917  # its two callers give them in order
    local: Local, grant_id: bytes, code: str, text: str, to: list[tuple[Kid, bytes]], now: int
) -> bytes:
    unique = list({kid: (kid, key) for kid, key in to}.values())
    body = encode(records.Said(text))
    return book.file(local, CaseKind.DISPUTE, now=now, code=code, follows=grant_id, to=unique, body=body)


def _words(one: book.Known) -> str:
    said = records.body_of(records.Said, one.body)
    return "" if said is None else said.text


def _checked(text: str) -> None:
    if not text.strip():
        raise Invalid("missing_field", "text")
    if len(text) > records.MAX_TEXT:
        raise Invalid("too_long", "text")
