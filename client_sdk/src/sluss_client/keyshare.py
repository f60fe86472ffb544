"""How the secrets of epochs reach those who may hold them, and nobody else.

A member makes the first secret and proposes its public keys to a registrar; members wrap it for newcomers, and its
signing key alone for supervisors, who sign as the group without reading as field staff.
Source: docs/protocol.md section 1.

> INVARIANT: a secret is wrapped only for a device that the own, verified directory names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from sluss_client import crypto
from sluss_client.crypto import KemKey, SignKey
from sluss_client.keys import HeldEpoch, open_epoch, wrap_epoch
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import manifest
from sluss_schemas import sync as wire
from sluss_schemas.ids import AudienceId, Kid
from sluss_schemas.replay import Audience


async def exchange(local: Local, transport: Transport) -> bool:
    """Take in wraps for this device, wrap for newcomers, propose first epochs; tell whether a key is new here."""
    answer = await transport.get("/v1/keys", wire.KeysAnswer)
    learned = _take_in(local, answer)
    offer = wire.KeysOffer(tuple(_newcomers(local, answer)), tuple(_proposals(local, answer)))
    if offer.wraps or offer.proposals:
        await transport.post("/v1/keys", offer, type(None))
    return learned


def _take_in(local: Local, answer: wire.KeysAnswer) -> bool:
    learned = False
    for own in answer.wraps:
        known = local.ring.epochs.get((AudienceId(own.audience), own.epoch))
        if known is not None and (known.whole or not own.wrap.whole):
            continue
        try:
            held = open_epoch(local.keys, local.trust.own_id, AudienceId(own.audience), own.epoch, own.wrap)
        except crypto.CannotOpen:
            local.alarm("bad_epoch_wrap", own.audience)
            continue
        if local.hold_epoch(held):
            learned = True
        else:
            local.alarm("epoch_differs", own.audience)
    return learned


def _newcomers(local: Local, answer: wire.KeysAnswer) -> Iterator[wire.EpochSet]:
    """Yield wraps for devices that should hold an epoch of ours and do not."""
    for held in answer.holders:
        audience = local.trust.own.audiences.get(AudienceId(held.audience))
        secret = local.ring.epochs.get((AudienceId(held.audience), held.epoch))
        if audience is None or secret is None or not secret.whole:
            continue
        wraps = [
            wrap_epoch(secret, local.trust.own_id, kid, public, whole=whole)
            for kid, public, whole in _entitled(local, audience)
            if kid not in (held.whole if whole else held.group) and not (not whole and kid in held.whole)
        ]
        if wraps:
            yield wire.EpochSet(held.audience, held.epoch, tuple(wraps))


def _entitled(local: Local, audience: Audience) -> Iterator[tuple[Kid, bytes, bool]]:
    """Yield who may hold an audience's epochs: its members whole; for field, the supervisors to sign with."""
    own = local.trust.own
    for kid in sorted(audience.members):
        yield kid, own.devices[kid].kem_key, True
    supervisors = own.audience_for("supervisors") if audience.function == "field" else None
    for kid in sorted(supervisors.members) if supervisors is not None else ():
        if kid not in audience.members:
            yield kid, own.devices[kid].kem_key, False


def _proposals(local: Local, answer: wire.KeysAnswer) -> Iterator[wire.EpochProposal]:
    """Yield a proposal for each audience of ours that has no epoch and no fitting proposal yet."""
    for audience in local.memberships():
        if audience.current is not None:
            continue
        members = tuple(sorted(audience.members))
        waiting = [one for one in answer.proposals if one.audience == audience.audience]
        if any(tuple(sorted(wrap.device for wrap in one.wraps if wrap.whole)) == members for one in waiting):
            continue
        yield propose(local, audience)


def propose(local: Local, audience: Audience) -> wire.EpochProposal:
    """Make the next epoch of an audience: a fresh secret, wrapped for exactly the members of now."""
    epoch = len(audience.epochs) + 1
    held = HeldEpoch(audience.audience, epoch, crypto.random_key(), whole=True)
    wraps = tuple(
        wrap_epoch(held, local.trust.own_id, kid, public, whole=whole)
        for kid, public, whole in _entitled(local, audience)
    )
    bare = wire.EpochProposal(
        audience.audience,
        epoch,
        manifest.SUITE,
        KemKey(held.kem_seed()).public,
        SignKey(held.sign_seed()).public,
        tuple(sorted(wraps, key=lambda wrap: (wrap.device, wrap.whole))),
        local.keys.kid,
        bytes(64),
    )
    return msgspec.structs.replace(bare, signature=local.keys.sign.sign(proposal_message(bare)))


def proposal_message(proposal: wire.EpochProposal) -> bytes:
    """Return what the maker of an epoch signs: everything in the proposal but the signature."""
    bare = msgspec.structs.replace(proposal, signature=bytes(64))
    return b"sluss/proposal" + hashlib.sha256(msgspec.msgpack.encode(bare)).digest()


def missing(local: Local) -> list[str]:
    """Return the functions whose current key has not reached this device yet, for the doctor."""
    return [
        str(audience.function)
        for audience in local.memberships()
        if audience.current is None or not local.ring.holds(audience.current, whole=True)
    ]
