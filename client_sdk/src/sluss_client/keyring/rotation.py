"""The next epoch of an audience: when it is due, who may make it, and what a registrar's device signs.

A member's device makes the secret and wraps it for exactly the members of now; a registrar's device sees public keys
and wraps and signs over them.
It refuses a proposal of anybody but a member, one for others than the members of now, and a new epoch that nothing
calls for.
Source: docs/protocol.md section 1.

> INVARIANT: a proposal is made by a member of its audience alone, for exactly the members that the own, verified
> directory names; a registrar who is no member never learns its secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.crypto import KemKey, SignKey
from sluss_client.keys import HeldEpoch, wrap_epoch
from sluss_client.local import Local
from sluss_schemas import directory as d
from sluss_schemas import manifest, membership
from sluss_schemas.agency import Audience
from sluss_schemas.ids import AudienceId, Kid, kid_of
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify

_SPACE: Final = "rotation"
_LABEL: Final = b"sluss/proposal"


def request(local: Local, audience: Audience) -> None:
    """Ask for the next epoch though nothing calls for it: a member's device makes it, a registrar's device signs it."""
    following = len(audience.epochs) + 1
    local.store.put(_SPACE, audience.audience, following.to_bytes(4, "big"))


def due(local: Local, audience: Audience, now: int) -> bool:
    """Tell whether an audience needs its next epoch, by the directory or because it was asked for on this device."""
    asked = local.store.get(_SPACE, audience.audience)
    # A request is for one epoch by its number, so it ends by itself when that epoch is there.
    asked_now = asked is not None and int.from_bytes(asked, "big") == len(audience.epochs) + 1
    return asked_now or audience.rotation_due(now)


def proposals(local: Local, answer: membership.KeysAnswer, now: int) -> Iterator[membership.EpochProposal]:
    """Yield a proposal for each audience of ours that needs its next epoch and for which no fitting one waits."""
    own = local.trust.own
    ready = {one.audience for one in answer.proposals if fits(own, one)}
    for audience in local.memberships():
        if audience.audience not in ready and due(local, audience, now):
            yield propose(local, audience)


def propose(local: Local, audience: Audience) -> membership.EpochProposal:
    """Make the next epoch of an audience of ours: a fresh secret, wrapped for everybody who is entitled to it now."""
    own, epoch = local.trust.own, len(audience.epochs) + 1
    held = HeldEpoch(audience.audience, epoch, crypto.random_key(), whole=True)
    wraps = tuple(
        wrap_epoch(held, local.trust.own_id, kid, own.devices[kid].kem_key, whole=whole)
        for kid, whole in own.entitled(audience, epoch)
    )
    bare = membership.EpochProposal(
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


def proposal_message(proposal: membership.EpochProposal) -> bytes:
    """Return what the maker of an epoch signs: everything in the proposal but the signature."""
    bare = msgspec.structs.replace(proposal, signature=bytes(64))
    return _LABEL + hashlib.sha256(msgspec.msgpack.encode(bare)).digest()


def fits(own: Directory, proposal: membership.EpochProposal) -> bool:
    """Tell whether a proposal is a member's and can open the next epoch as the directory is now.

    The group signing key alone is wrapped for no more than who may have it; who is missing gets it from a member later.
    """
    audience = own.audiences.get(AudienceId(proposal.audience))
    if audience is None or proposal.epoch != len(audience.epochs) + 1 or proposal.suite != manifest.SUITE:
        return False
    given = [(Kid(wrap.device), wrap.whole) for wrap in proposal.wraps]
    whole = {kid for kid, is_whole in given if is_whole}
    if len(set(given)) != len(given) or whole != audience.members.keys():
        return False
    if not set(given) <= set(own.entitled(audience, proposal.epoch)):
        return False
    used = kid_of(proposal.kem_key) in own.by_kem_kid or kid_of(proposal.sign_key) in own.by_sign_kid
    if used or not crypto.usable(proposal.kem_key):
        return False
    return made_by_member(own, audience, Kid(proposal.maker), proposal.signature, proposal_message(proposal))


def made_by_member(own: Directory, audience: Audience, maker: Kid, signature: bytes, message: bytes) -> bool:
    """Tell whether a member of an audience signed this with their device's key."""
    if maker not in audience.members:
        return False
    try:
        verify(own.devices[maker].sign_key, signature, message)
    except Invalid:
        return False
    return True


def epochs_to_sign(
    local: Local, answer: membership.KeysAnswer, now: int
) -> Iterator[tuple[d.Epoch, membership.EpochSet]]:
    """Yield what a registrar's device signs: each proposal that fits and that something calls for, as its entry.

    The directory is looked at again for each, so entries may be appended between them.
    """
    for proposal in answer.proposals:
        own = local.trust.own
        audience = own.audiences.get(AudienceId(proposal.audience))
        if audience is None or not fits(own, proposal) or not due(local, audience, now):
            continue
        body = d.Epoch(
            proposal.audience,
            proposal.epoch,
            proposal.suite,
            proposal.kem_key,
            proposal.sign_key,
            d.wraps_digest(proposal.wraps),
            tuple(sorted(audience.members)),
        )
        yield body, membership.EpochSet(proposal.audience, proposal.epoch, proposal.wraps)


def check(local: Local, answer: membership.KeysAnswer) -> None:
    """Alarm `left_out` for an epoch that the directory says was wrapped for this device, and that does not come."""
    given = {(AudienceId(own.audience), own.epoch) for own in answer.wraps if own.wrap.whole}
    for audience in local.memberships():
        for keys in audience.epochs:
            key = (keys.audience, keys.epoch)
            if local.keys.kid in keys.devices and not local.ring.holds(keys, whole=True) and key not in given:
                local.alarm("left_out", keys.audience + keys.epoch.to_bytes(4, "big"))
