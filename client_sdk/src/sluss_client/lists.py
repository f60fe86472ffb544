"""What a person looks at around the reports: what waits, which duties are due, who the colleagues are.

Source: docs/contract.md, "The SDK".

> INVARIANT: a name is shown to the own agency's devices alone, since only they have the roster.
"""

from __future__ import annotations

from sluss_client.answers import Colleague, Duty, Waiting
from sluss_client.keyring import roster
from sluss_client.local import Local
from sluss_client.outbox import WAITING, State
from sluss_schemas.ids import ReportId
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import CATALOGUE


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


def duties(local: Local, pack: Pack) -> list[Duty]:
    """Return the duties that wait for an answer, oldest first."""
    latest = {row.report_id: row for row in local.outbox.rows()}
    return [
        Duty(ReportId(row.report_id), row.version, code, pack.gateways[code].en, row.filed_at)
        for row in latest.values()
        for code in row.due
        if code not in dict(row.duties) or code in row.unsent
    ]


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
