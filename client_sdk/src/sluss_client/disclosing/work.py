"""What a sync does for disclosures: seal and propose, send, and take in what came of it.

Source: docs/protocol.md sections 4 and 6.

> INVARIANT: a consent, an approval and a task that a grant rests on are sent before it, a recall of it after it.
"""

from __future__ import annotations

from sluss_client import casework, clock
from sluss_client.cases import book, consents, duties, sending
from sluss_client.disclosing import disputing, kept, proposing, pushing, recalling, records, reviewing, sealing
from sluss_client.disclosing.answers import Disclosure
from sluss_client.disclosing.kept import Decision, State
from sluss_client.disclosing.proposing import compartments_of
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import cases
from sluss_schemas.ids import COMPARTMENT_NAMES, ReportId


async def push(local: Local, transport: Transport) -> None:
    """Seal what was decided with the directories of now, and send records and grants in their order."""
    now = transport.now()
    recalling.settle(local, now)
    recalling.taken_back(local, now)
    proposing.take_answers(local, now)
    sealing.seal_waiting(local, now)
    proposing.propose(local, now)
    await casework.push(local, transport)
    book.settle(local)
    duties.settle(local, now)
    await sending.push(local, transport)
    released = await pushing.push(local, transport)
    duties.settle(local, now, [(one.digest, one.gateway) for one in released])
    if reviewing.ask(local, released, now):
        await sending.push(local, transport)


def settle(local: Local, now: int) -> int:
    """Take in what a pull brought; return how many versions a recall took away."""
    return recalling.settle(local, now)


def disclosures(local: Local, now: int) -> list[Disclosure]:
    """Return what this device's person decided, newest first; what rested on a consent lapses with it."""
    confirmed = {one.grant_id for one in recalling.recalls(local, now) if one.confirmed and not one.missing}
    covering = {one.id for one in consents.consents(local, now) if one.state in {"given", "limited"}}
    return [
        _told(
            local,
            one,
            now,
            over=one.consent is not None and one.consent not in covering,
            confirmed=one.grant_id in confirmed,
        )
        for one in reversed(kept.all_of(local))
    ]


def _told(local: Local, one: Decision, now: int, *, over: bool, confirmed: bool) -> Disclosure:
    over = over or (one.until is not None and one.until <= clock.latest(now))
    state = State.LAPSED if over and one.state in {*kept.OPEN, State.RELEASED} else one.state
    grant = None if one.draft is None else one.draft.grant
    named = tuple(COMPARTMENT_NAMES[part] for part in one.compartments)
    return Disclosure(
        id=one.grant_id,
        report_id=ReportId(one.report_id),
        version=one.version,
        gateway=one.gateway,
        to=records.aliases(local, grant.receivers, now) if grant is not None else _people(local, one, now),
        compartments=named or (() if grant is None else compartments_of(grant)),
        state=cases.disclosure(state.value, disputed=disputing.is_disputed(local, one.grant_id), confirmed=confirmed),
        decided_at=one.decided_at,
        not_before=one.decided_at if one.not_before is None else one.not_before,
        until=one.until,
        reason=one.reason,
        field=one.field,
        review_by=one.review_by if one.state is State.RELEASED else None,
    )


def _people(local: Local, one: Decision, now: int) -> tuple[str, ...]:
    found = []
    for agency, person in one.receivers():
        chain = local.trust.agency(agency, now)
        if chain is not None and person in chain.persons:
            found.append(f"{chain.slug}/{chain.persons[person].alias}")
    return tuple(found)
