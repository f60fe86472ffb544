"""What this device knows of who was given a report: own decisions, and those that its person was shown.

A decider's device knows what it decided, a supervisor's besides what it was asked to approve or to look at again.
Refuses: to guess. What others decided without asking this person is not here.
Source: docs/protocol.md section 4.

> INVARIANT: what never left the owner's agency counts as nothing but waiting or proposed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sluss_client.cases import book as cases
from sluss_client.cases import consents
from sluss_client.disclosing import kept, records
from sluss_client.disclosing.kept import Decision, State
from sluss_client.local import Local
from sluss_schemas import disclosure
from sluss_schemas.agency import EpochKeys
from sluss_schemas.ids import AgencyId, ReportId, bit, bitmap_of
from sluss_schemas.policy.granted import Granted, How
from sluss_schemas.problems import Invalid
from sluss_schemas.records import CaseKind

_OVER = {State.RECALLED, State.LAPSED}
_NEVER = {State.REFUSED, State.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Known:
    """A grant that this device knows, and to whom it is: persons, and audiences, each with their agency."""

    grant: Granted
    people: frozenset[tuple[bytes, bytes]]
    audiences: frozenset[tuple[bytes, str]]


def of_report(local: Local, report_id: ReportId, now: int) -> list[Known]:
    """Return the grants of a report of the own agency that this device knows, the first one first."""
    recalled = _recalled(local)
    taken_back = {one.id for one in consents.consents(local, now) if one.state in {"withdrawn", "invalid"}}
    found: dict[bytes, Known] = {}
    for one in kept.all_of(local):
        if one.report_id == report_id and one.state not in _NEVER:
            found[one.grant_id] = _decided(local, one, recalled, now, over=one.consent in taken_back)
    never = {one.grant_id for one in kept.all_of(local) if one.state in _NEVER}
    said_no = [one for one in cases.filed(local, CaseKind.APPROVAL) if one.case.code != "approved"]
    refused = {one.case.follows for one in said_no}
    # A review is asked for what was released; a proposal may still be nothing but that.
    for kind in (CaseKind.TASK, CaseKind.PROPOSAL):
        for grant in _shown(local, kind, report_id, refused):
            if grant.grant_id not in found and grant.grant_id not in never:
                over = recalled.get(grant.grant_id)
                if over is None and grant.basis in taken_back and grant.basis is not None:
                    over = now
                how: How = "proposed" if kind is CaseKind.PROPOSAL else "released"
                found[grant.grant_id] = _known(local, grant, over, now, how)
    return sorted(found.values(), key=lambda one: (one.grant.begins, one.grant.code))


def _decided(local: Local, one: Decision, recalled: dict[bytes, int], now: int, *, over: bool) -> Known:
    how: How = "released"
    if one.state in kept.OPEN:
        how = "waiting" if one.state is State.WAITING else "proposed"
    ended = recalled.get(one.grant_id)
    if ended is None and (one.state in _OVER or over):
        ended = now
    if one.draft is not None:
        return _known(local, one.draft.grant, ended, now, how)
    begins = one.decided_at if one.not_before is None else one.not_before
    slots = sum(bit(part) for part in one.compartments)
    grant = Granted(code=one.gateway, slots=slots, begins=begins, ends=one.until, how=how)
    return Known(grant, frozenset(one.people), frozenset((agency, "field") for agency in one.agencies))


def _known(local: Local, grant: disclosure.Grant, over: int | None, now: int, how: How) -> Known:
    ends = grant.not_after
    if over is not None and how == "released" and (ends is None or over < ends):
        ends, how = over, "recalled"
    people, audiences = set[tuple[bytes, bytes]](), set[tuple[bytes, str]]()
    chains = {chain.slug: chain for chain in local.trust.agencies(now)}
    for slug, found in records.holders(local, grant.receivers, now):
        chain = chains[slug]
        if isinstance(found, EpochKeys):
            audiences.add((chain.agency, chain.audiences[found.audience].function))
        else:
            people.add((chain.agency, found.person))
    to = ", ".join(records.aliases(local, grant.receivers, now))
    told = Granted(code=grant.gateway, slots=bitmap_of(grant.slots), begins=grant.not_before, ends=ends, how=how, to=to)
    return Known(told, frozenset(people), frozenset(audiences))


def _shown(
    local: Local, kind: CaseKind, report_id: ReportId, refused: Collection[bytes | None]
) -> Iterator[disclosure.Grant]:
    """Yield the grants of a report that colleagues showed to this person, and that they did not refuse."""
    for one in cases.received(local, kind):
        if one.case.record in refused:
            continue
        body = records.body_of(records.Decided, one.body)
        if body is None or one.agency != AgencyId(local.trust.own_id) or body.report_id != report_id:
            continue
        try:
            yield disclosure.read_grant(body.grant)
        except Invalid:
            continue


def _recalled(local: Local) -> dict[bytes, int]:
    """Return when grants of the own agency were recalled, as far as this device filed that or was told.

    A decision that was not upheld is recalled by the same act; whoever made it hears of the review alone.
    """
    found: dict[bytes, int] = {}
    for kind in (CaseKind.RECALL, CaseKind.REVIEW):
        own = [one for one in cases.received(local, kind) if one.agency == local.trust.own_id]
        for one in [*own, *cases.filed(local, kind)]:
            name = one.case.follows
            if name is not None and one.case.code != "upheld":
                found[name] = min(one.case.time, found.get(name, one.case.time))
    return found
