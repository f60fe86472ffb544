"""Two people decide: one proposes, another of the own agency approves the very grant, the first one releases it.

Refuses: an approval by whoever proposed; an answer to what was not proposed to this person.
Source: docs/protocol.md section 4; docs/secrecy-rules.md B4 (approval).

> INVARIANT: an approver signs the grant as it is, byte for byte; whatever changes in it needs another approval.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sluss_client.cases import book as cases
from sluss_client.disclosing import kept, records, sealing
from sluss_client.disclosing.answers import Proposal
from sluss_client.disclosing.kept import State
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_schemas import disclosure
from sluss_schemas.codec import encode
from sluss_schemas.ids import COMPARTMENT_NAMES, COMPARTMENTS, FUNCTIONS, Kid, ReportId
from sluss_schemas.records import CaseKind
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify

_SUPERVISORS = "supervisors"


def approver(needed: str) -> str:
    """Return whose approval a ground asks for; where no directory knows the function, supervisors stand in for it."""
    return needed if needed in FUNCTIONS else _SUPERVISORS


def propose(local: Local, now: int) -> None:
    """File a proposal for every sealed decision that somebody else has to approve."""
    pack = local.trust.pack(now)
    for one in list(sealing.still_open(local, now)):
        gateway = pack.gateways.get(one.gateway)
        if one.draft is None or one.item or one.proposal or gateway is None or gateway.approval == "none":
            continue
        to = records.audience(local, approver(gateway.approval))
        if not to:
            continue
        grant = encode(one.draft.grant)
        body = records.Decided(one.report_id, one.version, grant, one.reasons, local.person.person)
        with local.store.transaction():
            filed = cases.file(
                local,
                CaseKind.PROPOSAL,
                now=now,
                code=one.gateway,
                digest=one.digest,
                to=to,
                body=encode(body),
            )
            kept.save(local, msgspec.structs.replace(one, proposal=filed, state=State.PROPOSED))


def take_answers(local: Local, now: int) -> None:
    """Put approvals that have come into their grants; a refusal ends the proposal."""
    proposed = {one.proposal: one for one in sealing.still_open(local, now) if one.state is State.PROPOSED}
    if not proposed:
        return
    for answer in cases.received(local, CaseKind.APPROVAL):
        one = proposed.get(answer.case.follows or b"")
        body = records.body_of(records.Approved, answer.body)
        if one is None or one.draft is None or body is None or answer.agency != local.trust.own_id:
            continue
        if answer.case.code != "approved" or body.signature is None:
            proposed.pop(one.proposal)
            kept.save(local, msgspec.structs.replace(one, state=State.REFUSED, reason="not_approved"))
        elif _holds(local.trust.own, answer.case.device, body, one.draft.grant, local.person.person):
            proposed.pop(one.proposal)
            given = msgspec.structs.replace(one, approvals=((answer.case.device, body.signature),))
            sealing.approved(local, given, now)


def _holds(own: Directory, device: bytes, body: records.Approved, grant: disclosure.Grant, proposer: bytes) -> bool:
    """Tell whether an approval is another person's, over this very grant."""
    known = own.devices.get(Kid(device))
    if known is None or known.person == proposer or body.grant_id != grant.grant_id or body.signature is None:
        return False
    try:
        verify(known.sign_key, body.signature, disclosure.approval_message(grant), "approval")
    except Invalid:
        return False
    return True


def proposals(local: Local, now: int) -> list[Proposal]:
    """Return what waits for this person's approval, oldest first."""
    return [found for _, found in _waiting(local, now)]


def _waiting(local: Local, now: int) -> Iterator[tuple[records.Decided, Proposal]]:
    answered = {one.case.follows for one in cases.filed(local, CaseKind.APPROVAL)}
    pack, own = local.trust.pack(now), local.trust.own
    for one in sorted(cases.received(local, CaseKind.PROPOSAL), key=lambda each: each.case.time):
        body, gateway = records.body_of(records.Decided, one.body), pack.gateways.get(one.case.code)
        device = own.devices.get(Kid(one.case.device))
        if one.agency != local.trust.own_id or body is None or gateway is None or device is None:
            continue
        if one.case.record in answered or approver(gateway.approval) not in local.person.functions:
            continue
        try:
            grant = disclosure.read_grant(body.grant)
        except Invalid:
            continue
        mine = device.person == local.person.person
        over = grant.not_after is not None and grant.not_after <= now
        if mine or over or grant.approvals or grant.digest != one.case.digest or grant.gateway != one.case.code:
            continue
        yield (
            body,
            Proposal(
                record=one.case.record,
                report_id=ReportId(body.report_id),
                gateway=grant.gateway,
                to=records.aliases(local, grant.receivers, now),
                compartments=compartments_of(grant),
                tests=tuple(test.code for test in grant.tests),
                reasons=body.reasons,
                by=own.persons[device.person].alias,
                until=grant.not_after,
                proposed_at=one.case.time,
            ),
        )


def compartments_of(grant: disclosure.Grant) -> tuple[str, ...]:
    """Return the names of the parts that a grant gives anything of."""
    return tuple(dict.fromkeys(COMPARTMENT_NAMES[COMPARTMENTS[number // 2]] for number in grant.slots))


def answer(local: Local, record: bytes, text: str, now: int, *, approve: bool) -> None:
    """Approve a proposal, or refuse it with a reason; sealed to the proposer's device alone.

    Raises:
        NotFound: nothing with this id waits for this person.
        Invalid: `missing_field` for a refusal without a reason, `too_long`.
        Refused: `waiting_for_approval`.

    """
    found = next(((body, one) for body, one in _waiting(local, now) if one.record == record), None)
    if found is None:
        raise NotFound("proposal")
    if not approve and not text.strip():
        raise Invalid("missing_field", "reason")
    if len(text) > records.MAX_TEXT:
        raise Invalid("too_long", "reason")
    grant = disclosure.read_grant(found[0].grant)
    signature = local.keys.sign.sign(disclosure.approval_message(grant)) if approve else None
    about = next(one for one in cases.received(local, CaseKind.PROPOSAL) if one.case.record == record)
    to = records.devices(local, [about.case.device])
    if not to:
        raise Refused("proposal", "The device that proposed it is not in use any more.", code="not_allowed")
    cases.file(
        local,
        CaseKind.APPROVAL,
        now=now,
        code="approved" if approve else "refused",
        follows=record,
        to=to,
        body=encode(records.Approved(grant.grant_id, signature, text)),
    )
