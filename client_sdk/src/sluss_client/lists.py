"""What a person looks at around the reports: what waits, which duties are due, who the colleagues are.

Source: docs/contract.md, "The SDK".

> INVARIANT: a name is shown to the own agency's devices alone, since only they have the roster.
"""

from __future__ import annotations

from typing import Final

from sluss_client import filing
from sluss_client.answers import Colleague, Duty, Waiting
from sluss_client.keyring import roster
from sluss_client.local import Local
from sluss_client.outbox import WAITING, Row, State
from sluss_schemas.ids import ReportId
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import CATALOGUE

NOBODY: Final = "Nobody can receive this here: telephone them now, and record with `told` to whom, when and what."

KEPT: Final = (
    "The server keeps this until a supervisor countersigns it: telephone the receiver now, and record with `told` "
    "to whom, when and what."
)


def waiting(local: Local, pack: Pack) -> list[Waiting]:
    """Return what the server has not acknowledged, in the order of filing; the kind is empty where it is secret."""
    return [
        Waiting(
            ReportId(row.report_id),
            pack.kinds[row.kind].name if row.kind else "",
            row.version,
            str(row.state),
            row.filed_at,
            row.reason,
            row.field,
            CATALOGUE[row.reason][1] if row.reason in CATALOGUE else "",
        )
        for row in local.outbox.rows()
        if row.state in WAITING or row.state is State.QUARANTINED
    ]


def duties(local: Local, pack: Pack, now: int) -> list[Duty]:
    """Return the duties that wait for an answer, or for somebody who can receive them, oldest first."""
    latest = {row.report_id: row for row in local.outbox.rows()}
    put = {code for row in latest.values() for code in row.due}
    reach = {code: filing.receivable(local.trust, pack, code, now) for code in put}
    return [
        Duty(
            ReportId(row.report_id),
            row.version,
            code,
            pack.gateways[code].en,
            row.filed_at,
            reach[code],
            _instead(row, receivable=reach[code]),
        )
        for row in latest.values()
        for code in row.due
        if waits(row, code, receivable=reach[code])
    ]


def waits(row: Row, code: str, *, receivable: bool) -> bool:
    """Tell whether a duty waits: for an answer, or with the answer "send" for who can receive it or who lets it out."""
    said = dict(row.duties).get(code)
    kept = row.state is State.QUARANTINED or (row.state is State.FILED and not receivable)
    return said is None or code in row.unsent or (said == "send" and kept)


def _instead(row: Row, *, receivable: bool) -> str:
    """Return what to do about a duty that does not leave by its answer."""
    if row.state is State.QUARANTINED:
        return KEPT
    return "" if receivable else NOBODY


def people(local: Local, now: int) -> list[Colleague]:
    """Return the people of the own agency and its peers, by alias."""
    names = roster.names_of(local)
    return [
        Colleague(person.person, person.alias, chain.slug, person.functions, names.get(person.person) if own else None)
        for chain in local.trust.agencies(now)
        for own in [chain.agency == local.trust.own_id]
        for person in sorted(chain.persons.values(), key=lambda one: one.alias)
        if person.active(now)
    ]
