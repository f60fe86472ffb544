"""Tasks that somebody of the own agency gives to colleagues: look for him by Tuesday, ask again at the bench.

What is to be done is sealed to those who are named, to the own supervisors and to whoever gave the task; the server
sees that there is a task of the agency, about which version, and its clock.
Refuses: anybody of another agency, and a time that has passed.
Source: docs/secrecy-rules.md (K06); docs/protocol.md section 4.

> INVARIANT: a task of this sort rests on no duty and gives nobody a report: who is named reads what the policy opens.
"""

from __future__ import annotations

from collections.abc import Collection

from sluss_client.cases import bodies, book
from sluss_client.errors import Invalid, NotFound
from sluss_client.local import Local
from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid, ReportId
from sluss_schemas.records import Case, CaseKind


def assign(  # noqa: PLR0917  # the device's one caller gives them in order
    local: Local, report_id: ReportId, text: str, until: int, to: Collection[str], now: int
) -> bytes:
    """File a task about a report of the own agency that this device has; return the record's id.

    Raises:
        NotFound: no such report of the own agency here.
        Invalid: `missing_field`, `too_long`, `unknown_alias`, `out_of_range`.

    """
    row = local.outbox.head(report_id)
    received = local.replica.get(local.trust.own_id, report_id)
    if row is None and received is None:
        raise NotFound("report_id")
    if until <= now:
        raise Invalid("out_of_range", "until", "Give a time to come.")
    chain = local.trust.own
    people = {one.alias: one.person for one in chain.persons.values()}
    if unknown := set(to) - people.keys():
        raise Invalid("unknown_alias", "to", f"Nobody here is {min(unknown)}.")
    named = {local.person.person, *(people[alias] for alias in to)}
    addressed = [key for person in sorted(named) for key in book.person(chain, person)]
    return book.file(
        local,
        CaseKind.TASK,
        now=now,
        row=row,
        digest=None if received is None else received.heads()[0].digest,
        until=until,
        to=[*book.own(local, "supervisors"), *addressed],
        body=encode(bodies.About(report_id, bodies.text(text, "text"))),
    )


def team(local: Local, task: bytes) -> list[book.Addressee]:
    """Return those to whom an assigned task was sealed, for the word that it is done; nobody for a duty's task."""
    found = [one.case for one in book.everything(local, CaseKind.TASK) if one.case.record == task]
    return [] if not found or not is_assigned(found[0]) else [(Kid(seal.kid), b"") for seal in found[0].seals]


def is_assigned(case: Case) -> bool:
    """Tell whether a task was given by somebody and rests on no duty."""
    return case.kind is CaseKind.TASK and not case.code
