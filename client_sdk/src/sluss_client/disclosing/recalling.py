"""What was disclosed is taken back: the owner says so, the receivers' devices let go of it and say that they have.

A recall reaches a device twice, as the end that the server writes and as the owner's own record; either is enough.
Refuses: a recall of what another agency gave, whoever signs it.
Source: docs/protocol.md section 4; docs/secrecy-rules.md B7 4, 12 and 28.

> INVARIANT: a receiver's device lets go at the recall itself, also where the server withholds the end, and confirms it.
> INVARIANT: a device that has not confirmed stays listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sluss_client.cases import book as cases
from sluss_client.cases import consents
from sluss_client.disclosing import kept, records
from sluss_client.disclosing.answers import Recall
from sluss_client.disclosing.kept import State
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_client.syncing import sync_core
from sluss_schemas import disclosure
from sluss_schemas.agency import Device
from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid
from sluss_schemas.records import CaseKind

CODES: Final = frozenset({"recalled", "corrected"})
_CONFIRMED: Final = "case_confirmed"


def recall(local: Local, grant_id: bytes, reason: str, code: str, now: int) -> bytes | None:
    """Recall what this device decided, or what a supervisor was shown; return the record's id.

    What has not left yet is withdrawn, and nobody has to be told.

    Raises:
        NotFound: no such decision here.
        Refused: `not_a_decider` unless it is one's own decision or one is a supervisor.
        Invalid: `missing_field`, `too_long`, `unknown_code`.

    """
    if code not in CODES:
        raise Invalid("unknown_code", "code")
    if not reason.strip():
        raise Invalid("missing_field", "reason")
    if len(reason) > records.MAX_TEXT:
        raise Invalid("too_long", "reason")
    one = kept.get(local, grant_id)
    grant = grant_of(local, grant_id)
    if one is not None and one.state in kept.OPEN:
        kept.save(local, msgspec.structs.replace(one, state=State.WITHDRAWN, item=b""))
        return None
    if grant is None:
        raise NotFound("grant")
    if one is not None and one.state in {State.RECALLED, State.REFUSED, State.WITHDRAWN}:
        raise Invalid("out_of_range", "grant", "It has ended already.")
    if one is None and "supervisors" not in local.person.functions:
        raise Refused("grant", code="not_a_decider")
    with local.store.transaction():
        filed = _file(local, grant, code, reason, now)
        if one is not None:
            kept.save(local, msgspec.structs.replace(one, state=State.RECALLED, recall=filed))
    return filed


def taken_back(local: Local, now: int) -> None:
    """Recall what this device disclosed on consents that were taken back since, whoever wrote down that they were.

    The server has ended it by then; the recall is for the receivers' devices to confirm that they let go of it.
    """
    over = {one.id for one in consents.consents(local, now) if one.state in {"withdrawn", "invalid"}}
    for one in kept.all_of(local):
        if one.consent in over and one.state is State.RELEASED and one.draft is not None:
            with local.store.transaction():
                filed = _file(local, one.draft.grant, "withdrawn", "", now)
                kept.save(local, msgspec.structs.replace(one, state=State.LAPSED, recall=filed))


def _file(local: Local, grant: disclosure.Grant, code: str, reason: str, now: int) -> bytes:
    """File a recall, to those who received and to the own supervisors; return the record's id."""
    receivers = [
        (found.kem_kid, found.kem_key)
        for _, found in records.holders(local, grant.receivers, now)
        if not isinstance(found, Device) or found.revoked_at is None
    ]
    return cases.file(
        local,
        CaseKind.RECALL,
        now=now,
        code=code,
        follows=grant.grant_id,
        to=[*_current(local, receivers, now), *records.own_supervisors(local)],
        body=encode(records.Said(reason)),
    )


def grant_of(local: Local, grant_id: bytes) -> disclosure.Grant | None:
    """Return a grant of the own agency that this device made, or that its person was shown as a supervisor."""
    one = kept.get(local, grant_id)
    if one is not None and one.draft is not None:
        return one.draft.grant
    for task in cases.received(local, CaseKind.TASK):
        body = records.body_of(records.Decided, task.body)
        if task.agency == local.trust.own_id and body is not None:
            grant = disclosure.read_grant(body.grant)
            if grant.grant_id == grant_id:
                return grant
    return None


def _current(local: Local, receivers: Iterable[records.Addressee], now: int) -> list[records.Addressee]:
    """Return receivers as they can be sealed to now: an audience by its epoch of now."""
    found = []
    for kid, public in receivers:
        for chain in local.trust.agencies(now):
            known = chain.by_kem_kid.get(kid)
            if known is None:
                continue
            if isinstance(known, Device):
                found.append((kid, public))
            elif (epoch := chain.audiences[known.audience].recipient) is not None:
                found.append((epoch.kem_kid, epoch.kem_key))
            break
    return found


# on the receivers' devices


def settle(local: Local, now: int) -> int:
    """Let go of what recalls end, and confirm each once; return how many versions went."""
    dropped = 0
    for one in cases.received(local, CaseKind.RECALL):
        if one.case.follows is None or one.agency == local.trust.own_id:
            continue
        changed = []
        for received in local.replica.reports():
            if received.agency == one.agency:
                left = sync_core.recall(received, one.case.follows)
                if left != received:
                    changed.append(left)
                    dropped += len(received.versions) - len(left.versions)
        with local.store.transaction():
            local.replica.save(changed)
            _confirm(local, one, now)
        if changed:
            local.store.scrub()
    return dropped


def _confirm(local: Local, one: cases.Known, now: int) -> None:
    if local.store.get(_CONFIRMED, one.agency + one.case.record) is not None:
        return
    owner = local.trust.agency(one.agency, now)
    if owner is None:
        return
    device, supervisors = owner.devices.get(Kid(one.case.device)), owner.audience_for("supervisors")
    to = [] if device is None or device.revoked_at is not None else [(device.kem_kid, device.kem_key)]
    if supervisors is not None and (epoch := supervisors.recipient) is not None:
        to.append((epoch.kem_kid, epoch.kem_key))
    # The own supervisors hear that it was done, and nothing of what it was about.
    to += records.own_supervisors(local)
    cases.file(local, CaseKind.CONFIRM, now=now, follows=one.case.record, to=to, body=encode(records.Said("")))
    local.store.put(_CONFIRMED, one.agency + one.case.record, b"1")


# on the owner's


def recalls(local: Local, now: int) -> list[Recall]:
    """Return the own agency's recalls that this device filed or was told of, with who has confirmed.

    Besides those of other agencies which own devices have confirmed, as far as this person is told.
    """
    own = local.trust.own_id
    found = {one.case.record: one for one in cases.received(local, CaseKind.RECALL) if one.agency == own}
    found |= {one.case.record: one for one in cases.filed(local, CaseKind.RECALL)}
    confirmed = dict[bytes, dict[tuple[bytes, bytes], int]]()
    for one in cases.received(local, CaseKind.CONFIRM):
        confirmed.setdefault(one.case.follows or b"", {})[one.agency, one.case.device] = one.case.time
    told = [_as_told(local, one, confirmed.get(record, {}), now) for record, one in found.items()]
    others = {record: by for record, by in confirmed.items() if record not in found and own in {one for one, _ in by}}
    return [*told, *(_executed(local, record, by) for record, by in others.items())]


def _executed(local: Local, record: bytes, by: Mapping[tuple[bytes, bytes], int]) -> Recall:
    """Return what is known of another agency's recall: that own devices carried it out, and when."""
    chain = local.trust.own
    said = [
        (f"{chain.slug}/{chain.persons[chain.devices[Kid(device)].person].alias}", device, at)
        for (agency, device), at in by.items()
        if agency == chain.agency
    ]
    at = min(at for _, _, at in said)
    return Recall(record=record, grant_id=b"", code="", recalled_at=at, confirmed=tuple(sorted(said)), missing=())


def _as_told(local: Local, one: cases.Known, confirmed: dict[tuple[bytes, bytes], int], now: int) -> Recall:
    said, missing = [], []
    for agency, alias, device in _told(local, one, now):
        at = confirmed.get((agency, device))
        if at is None:
            missing.append((alias, device))
        else:
            said.append((alias, device, at))
    return Recall(
        record=one.case.record,
        grant_id=one.case.follows or b"",
        code=one.case.code,
        recalled_at=one.case.time,
        confirmed=tuple(sorted(said)),
        missing=tuple(sorted(missing)),
    )


def _told(local: Local, one: cases.Known, now: int) -> set[tuple[bytes, str, bytes]]:
    """Return the devices that a recall was sealed to, of other agencies: agency, alias and key id."""
    found = set[tuple[bytes, str, bytes]]()
    for chain in local.trust.agencies(now):
        for seal in one.case.seals:
            known = chain.by_kem_kid.get(Kid(seal.kid))
            if known is None or chain.agency == local.trust.own_id:
                continue
            kids = [known.kid] if isinstance(known, Device) else list(chain.audiences[known.audience].members)
            for kid in kids:
                found.add((chain.agency, f"{chain.slug}/{chain.persons[chain.devices[kid].person].alias}", kid))
    return found
