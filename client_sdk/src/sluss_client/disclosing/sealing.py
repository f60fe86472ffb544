"""Decisions become grants when the device next reaches the server: with the directories, the pack and the ages of then.

Refuses what has stopped being allowed since it was decided: a birthday, another pack, a person who left.
Source: docs/protocol.md section 4, docs/secrecy-rules.md B6 and B7 8-9.

> INVARIANT: a grant gives what was chosen, what the pack draws along with it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec

from sluss_client import crypto, quoting
from sluss_client.disclosing import ages, deciding, excerpts, kept, making, material, offering, records
from sluss_client.disclosing.kept import Decision, State
from sluss_client.disclosing.material import Material
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.filing import duty_receiver
from sluss_client.keyring import roster
from sluss_client.local import Local
from sluss_client.sealers import Moment, Target
from sluss_schemas import disclosure
from sluss_schemas.ids import Compartment, Digest, GrantId, Kid, PersonId, ReportId, bit, bitmap_of, slot
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.model import Gateway, Pack
from sluss_schemas.replay import Directory

_ABOUT_A_PERSON: Final[frozenset[Compartment]] = frozenset({"SUB", "CAR", "ENF", "SAF"})
_LIFTED: Final = bit("SIT") | bit("SIT", brief=True) | bit("PLC") | bit("PLC", brief=True)


def seal_waiting(local: Local, now: int) -> None:
    """Seal every decision that waits and can be sealed; one that is not allowed any more is refused by name."""
    waiting = [one for one in kept.all_of(local) if one.state is State.WAITING and one.draft is None]
    if not waiting:
        return
    try:
        moment = Moment(local.author(), local.trust, local.trust.pack_to_seal(now), now)
    except Refused:
        # No group key yet.
        return
    for one in waiting:
        with local.store.transaction():
            try:
                _seal(local, one, moment)
            except (Invalid, Refused, NotFound) as problem:
                fields = {"state": State.REFUSED, "reason": problem.code, "field": problem.field}
                kept.save(local, msgspec.structs.replace(one, **fields))


def _seal(local: Local, one: Decision, moment: Moment) -> None:
    pack, now = moment.pack, moment.now
    found = material.of_version(local, ReportId(one.report_id), one.version, pack, now, one.digest)
    if not found.digest or (one.reasons and not records.own_supervisors(local)):
        # Its report has yet to reach the server, or there is nobody to whom the reasons can be sealed.
        return
    gateway = pack.gateways.get(one.gateway)
    if one.gateway != disclosure.BASE_RELEASE and gateway is None:
        raise Refused("gateway", code="no_ground")
    if not offering.may_decide(local, gateway):
        raise Refused("gateway", code="not_a_decider")
    kept_fields = dict(one.excerpt)
    not_after = one.until
    if gateway is not None:
        people = excerpts.persons(found, kept_fields)
        judged = ages.judge(people, gateway, pack, noted=found.noted, now=now)
        if judged.reason:
            raise Refused(judged.reason, code="age_limit")
        not_after = deciding.ends(gateway, judged, one.until, now)
        if not_after is not None and not_after <= now:
            raise Invalid("out_of_range", "until")
        if one.consent is not None:
            chains = [chain for agency in one.agencies if (chain := local.trust.agency(agency, now)) is not None]
            deciding.consented(local, one.consent, one.report_id, chains, one.compartments, one.until, now)
        targets = list(_decided(local, one, gateway, found, moment))
    else:
        targets = list(_released(local, found, moment))
    if not targets:
        raise Refused("to", code="no_ground")
    given = bitmap_of(number for number in range(16) if any(target.bitmap >> number & 1 for target in targets))
    plain = {number: data for number, data in found.briefs.items() if number not in found.keys}
    if given >> slot("AUT") & 1 and found.author is None:
        # Its own report has yet to come back: what nobody else may have lies beside the author.
        return
    # What is released at once is not to wait for the server's next look where this clock is a second ahead of it.
    earliest = now if gateway is not None else now - 1
    secret = gateway is not None and not pack.kinds[found.kind].clear
    stays = local.trust.own.sector in pack.filing.coordinates_stay
    name = "" if found.author is None else roster.names_of(local).get(PersonId(found.author.person), "")
    plain |= excerpts.reduced(found, one.compartments, name=name, point_stays=stays, secret=secret)
    plain |= excerpts.cut(found, kept_fields)
    wish = making.Wish(
        grant_id=GrantId(one.grant_id),
        digest=Digest(found.digest),
        gateway=one.gateway,
        targets=targets,
        keys=found.keys,
        plain={number: data for number, data in plain.items() if given >> number & 1},
        tests=one.tests,
        reasons=one.reasons,
        not_before=max(one.not_before or earliest, earliest),
        not_after=not_after,
        basis=one.consent,
    )
    sealed = making.draft(wish, moment)
    item = b""
    if gateway is None or gateway.approval == "none":
        item = making.signed(sealed, (), found.signer, local, moment)
    kept.save(
        local,
        msgspec.structs.replace(
            one, digest=found.digest, signer=found.signer, draft=sealed, item=item, until=not_after
        ),
    )


def approved(local: Local, one: Decision, now: int) -> Decision:
    """Return a decision with its approvals in the grant, signed; its seals are those that were approved."""
    if one.draft is None:
        return one
    moment = Moment(local.author(), local.trust, local.trust.pack_to_seal(now), now)
    given = [disclosure.Approval(device, signature) for device, signature in sorted(one.approvals)]
    item = making.signed(one.draft, given, one.signer, local, moment)
    return kept.save(local, msgspec.structs.replace(one, item=item, state=State.WAITING))


def _decided(local: Local, one: Decision, gateway: Gateway, found: Material, moment: Moment) -> Iterator[Target]:
    pack, now = moment.pack, moment.now
    for chain, device_keys in _receiving(local, one, gateway, moment):
        bits = _given(local, one, gateway, found, chain, pack, now)
        for kid, public in device_keys:
            if bits and crypto.usable(public):
                yield Target(kid, public, bits)


def _receiving(
    local: Local, one: Decision, gateway: Gateway, moment: Moment
) -> Iterator[tuple[Directory, list[tuple[Kid, bytes]]]]:
    """Yield the agencies with the keys that receive: those of persons' devices, or an audience's where one is told."""
    trust, now = moment.trust, moment.now
    if not offering.is_named(gateway):
        for to in duty_receiver(trust, moment.pack, gateway.code, now):
            chain, epoch = trust.agency(to.agency, now), to.audience.recipient
            if chain is not None and epoch is not None:
                yield chain, [(epoch.kem_kid, epoch.kem_key)]
        return
    for agency, person in one.receivers():
        chain = trust.agency(agency, now)
        known = None if chain is None else chain.persons.get(person)
        if chain is None or known is None or not known.active(now):
            raise Invalid("unknown_person", "to")
        yield chain, [(device.kem_kid, device.kem_key) for device in local.trust.devices_of(person, chain)]


def _given(  # noqa: PLR0917  # what a bitmap follows from
    local: Local, one: Decision, gateway: Gateway, found: Material, chain: Directory, pack: Pack, now: int
) -> int:
    """Return what one receiver gets: the chosen parts, and what the pack draws along with them."""
    decidable = offering.parts_of(local, pack, found.kind, chain, gateway.code, now)
    for part in one.compartments:
        if part not in decidable:
            raise Refused("compartments", code="no_ground")
    got = offering.slots_for(local, pack, found.kind, chain, gateway, now, embargo=bool(found.hold))
    most = (got.gateways if offering.is_named(gateway) else got.duties).get(gateway.code, 0)
    along = most & ~bitmap_of(slot(part) for part in decidable)
    if not _ABOUT_A_PERSON & set(one.compartments):
        field = Receiver(chain.sector, "field", own=False)
        along &= ~_LIFTED | local.trust.slots(pack, found.kind, local.trust.own.sector, field).open
    if gateway.basis == "consent":
        # A consent names its own parts; only what says where and what comes along.
        along &= _LIFTED
    if not pack.kinds[found.kind].clear:
        # What kind it is stands in the situation alone.
        along |= most & (bit("SIT") | bit("SIT", brief=True))
    return (bitmap_of(slot(part) for part in one.compartments) | along) & most & found.within


def _released(local: Local, found: Material, moment: Moment) -> Iterator[Target]:
    """Yield the other agencies' audiences with what the pack opens to them by itself."""
    trust, owner = moment.trust, local.trust.own.sector
    for to in trust.audiences(moment.now, found.scene):
        epoch = to.audience.recipient
        bits = trust.slots(moment.pack, found.kind, owner, to.receiver).open & found.within
        bits = quoting.narrowed(local, found.quoted, {to.label: bits}, moment.pack, moment.now).get(to.label, 0)
        if to.agency != trust.own_id and epoch is not None and bits and crypto.usable(epoch.kem_key):
            yield Target(epoch.kem_kid, epoch.kem_key, bits)


def forget_draft(one: Decision) -> Decision:
    """Return a decision whose seals are for receivers of before, to be sealed again for those of now."""
    return msgspec.structs.replace(one, draft=None, item=b"", approvals=(), proposal=b"", state=State.WAITING)


def still_open(local: Local, now: int) -> Iterator[Decision]:
    """Yield the decisions that have yet to reach the server, those that have lapsed ended first."""
    for one in kept.all_of(local):
        if one.state not in kept.OPEN:
            continue
        if one.until is not None and one.until <= now:
            with suppress(KeyError):
                kept.save(local, msgspec.structs.replace(one, state=State.LAPSED))
            continue
        yield one
