"""A decision that was made at once is looked at afterwards: its maker asks, a supervisor answers.

Refuses: a review by whoever decided.
Source: docs/secrecy-rules.md B4 (L04, L17) and B7 19.

> INVARIANT: what is not upheld is recalled by the same act.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sluss_client.cases import book as cases
from sluss_client.disclosing import kept, recalling, records
from sluss_client.disclosing.answers import Review
from sluss_client.disclosing.kept import Decision
from sluss_client.disclosing.proposing import compartments_of
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_schemas import disclosure
from sluss_schemas.codec import encode
from sluss_schemas.ids import ReportId
from sluss_schemas.records import CaseKind

_NOT_UPHELD: Final = "Recalled after a review."


def ask(local: Local, released: list[Decision], now: int) -> bool:
    """File the task of a review for what was released; tell whether there was any."""
    asked = False
    for one in released:
        to = records.own_supervisors(local)
        if one.review_by is None or one.task or one.draft is None or not to:
            continue
        body = records.Decided(one.report_id, one.version, encode(one.draft.grant), one.reasons, local.person.person)
        with local.store.transaction():
            filed = cases.file(
                local,
                CaseKind.TASK,
                now=now,
                code=one.gateway,
                digest=one.digest,
                until=max(one.review_by, now + 1),
                to=to,
                body=encode(body),
            )
            kept.save(local, msgspec.structs.replace(one, task=filed))
        asked = True
    return asked


def reviews(local: Local, now: int) -> list[Review]:
    """Return the decisions that own supervisors are asked to look at again, oldest first."""
    said = {one.case.follows: one.case.code == "upheld" for one in _answers(local)}
    return [
        Review(
            grant_id=grant.grant_id,
            report_id=ReportId(body.report_id),
            gateway=grant.gateway,
            to=records.aliases(local, grant.receivers, now),
            compartments=compartments_of(grant),
            reasons=body.reasons,
            by=_alias(local, body.person),
            review_by=task.case.until or 0,
            upheld=said.get(grant.grant_id),
        )
        for task, body, grant in _asked(local)
    ]


def review(local: Local, grant_id: bytes, reason: str, now: int, *, upheld: bool) -> None:
    """Say whether a decision stands; one that does not is recalled.

    Raises:
        Refused: `supervisor_only`; `not_allowed` for one's own decision.
        NotFound: no such review waits here.
        Invalid: `missing_field`, `too_long`.

    """
    if "supervisors" not in local.person.functions:
        raise Refused("grant", code="supervisor_only")
    if not reason.strip():
        raise Invalid("missing_field", "reason")
    if len(reason) > records.MAX_TEXT:
        raise Invalid("too_long", "reason")
    found = next((one for one in _asked(local) if one[2].grant_id == grant_id), None)
    if found is None:
        raise NotFound("grant")
    task, body, _ = found
    if body.person == local.person.person:
        raise Refused("grant", "Somebody else looks at a decision of one's own.", code="not_allowed")
    decider = records.devices(local, [task.case.device])
    to = [*records.own_supervisors(local), *decider]
    said = encode(records.Said(reason))
    with local.store.transaction():
        code = "upheld" if upheld else "not_upheld"
        cases.file(local, CaseKind.REVIEW, now=now, code=code, follows=grant_id, to=to, body=said)
        cases.file(local, CaseKind.DONE, now=now, code="done", follows=task.case.record, to=to, body=said)
        if not upheld:
            # What the own agency says of a colleague's decision is not for those who received by it.
            recalling.recall(local, grant_id, _NOT_UPHELD, "recalled", now)


def _asked(local: Local) -> Iterator[tuple[cases.Known, records.Decided, disclosure.Grant]]:
    for task in cases.received(local, CaseKind.TASK):
        body = records.body_of(records.Decided, task.body)
        if task.agency != local.trust.own_id or body is None:
            continue
        try:
            yield task, body, disclosure.read_grant(body.grant)
        except Invalid:
            continue


def _answers(local: Local) -> list[cases.Known]:
    own = [one for one in cases.received(local, CaseKind.REVIEW) if one.agency == local.trust.own_id]
    return [*own, *cases.filed(local, CaseKind.REVIEW)]


def _alias(local: Local, person: bytes) -> str:
    return next((one.alias for one in local.trust.own.persons.values() if one.person == person), "")
