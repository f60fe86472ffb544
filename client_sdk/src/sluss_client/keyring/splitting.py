"""An epoch's secret in three shares of which any two give it back, and the proposals that bring shares to custodians.

Three pads, one for each pair of custodians: E = p01 ^ q01 = p02 ^ q02 = p12 ^ q12, where every p is random.
Share 0 is p01 || p02, share 1 is q01 || p12, share 2 is q02 || q12; no two bytes of one share are of one pair, so one
share alone is as random as the pads.
Refuses to split for a custodian whose device was revoked.
Source: docs/protocol.md section 1.

> INVARIANT: one share says nothing about the secret; a split is signed by a member who may hold the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.keyring.rotation import made_by_member
from sluss_client.keys import HeldEpoch
from sluss_client.local import Local
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import Audience, Device
from sluss_schemas.ids import AudienceId, Kid
from sluss_schemas.replay import Directory

_LABEL: Final = b"sluss/split"
_HALF: Final = crypto.KEY_BYTES
_HALVES: Final = {(0, 1): (0, 0), (0, 2): (1, 0), (1, 2): (1, 1)}
"""For each pair of custodians, which half of either share belongs to that pair."""


def split(secret: bytes, pads: tuple[bytes, bytes, bytes]) -> tuple[bytes, bytes, bytes]:
    """Return three shares of 64 bytes; `pads` are three fresh random keys, for this secret only."""
    p01, p02, p12 = pads
    return p01 + p02, _xor(secret, p01) + p12, _xor(secret, p02) + _xor(secret, p12)


def combine(first: tuple[int, bytes], second: tuple[int, bytes]) -> bytes:
    """Return the secret from two shares with the numbers of their custodians, 0 to 2, which differ."""
    (low, one), (high, other) = sorted((first, second))
    mine, theirs = _HALVES[low, high]
    return _xor(_half(one, mine), _half(other, theirs))


def _half(share: bytes, number: int) -> bytes:
    if len(share) != d.SHARE_BYTES:
        message = f"a share has {d.SHARE_BYTES} bytes"
        raise ValueError(message)
    return share[number * _HALF : (number + 1) * _HALF]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


# proposals


def custodians(own: Directory) -> tuple[Device, ...]:
    """Return the custodians' devices in their order; none while one of them cannot be sealed to."""
    found = tuple(own.devices[kid] for kid in own.custodians)
    whole = all(one.revoked_at is None and crypto.usable(one.kem_key) for one in found)
    return found if whole else ()


def is_split(own: Directory, audience: Audience, epoch: int) -> bool:
    """Tell whether an epoch is split for the custodians of now."""
    entry = own.shares.get((audience.audience, epoch))
    return entry is not None and tuple(kid for kid, _ in entry.shares) == own.custodians


def proposals(local: Local, answer: membership.KeysAnswer) -> Iterator[membership.ShareProposal]:
    """Yield a split of each epoch of ours that is not split for the custodians of now and for which none waits."""
    own = local.trust.own
    if not custodians(own):
        return
    ready = {(one.audience, one.epoch) for one in answer.splits if fits(own, one)}
    for audience in local.memberships():
        for epoch in range(audience.members[local.keys.kid], len(audience.epochs) + 1):
            held = local.ring.epochs.get((audience.audience, epoch))
            if held is None or not held.whole or is_split(own, audience, epoch):
                continue
            if (audience.audience, epoch) not in ready:
                yield propose(local, held)


def propose(local: Local, held: HeldEpoch) -> membership.ShareProposal:
    """Split an epoch for the custodians of now, each share sealed to its custodian's device."""
    own = local.trust.own
    pads = (crypto.random_key(), crypto.random_key(), crypto.random_key())
    shares = tuple(
        seal_share(own, held.audience, held.epoch, device.kid, device, share)
        for device, share in zip(custodians(own), split(held.secret, pads), strict=True)
    )
    bare = membership.ShareProposal(held.audience, held.epoch, shares, local.keys.kid, bytes(64))
    return msgspec.structs.replace(bare, signature=local.keys.sign.sign(split_message(bare)))


def seal_share(  # noqa: PLR0917  # what a share is bound to
    own: Directory, audience: bytes, epoch: int, custodian: Kid, device: Device, share: bytes
) -> d.SealedShare:
    """Seal a custodian's share to a device: their own, or one that recovers."""
    info = d.share_info(own.agency, audience, epoch, custodian, device.kid)
    sealed = crypto.seal(device.kem_key, info, share)
    return d.SealedShare(audience, epoch, custodian, device.kid, hashlib.sha256(share).digest(), sealed)


def open_share(local: Local, sealed: d.SealedShare) -> bytes | None:
    """Return a share that was sealed to this device, or None where it is not the one that its digest names."""
    info = d.share_info(local.trust.own_id, sealed.audience, sealed.epoch, sealed.custodian, local.keys.kid)
    try:
        share = local.keys.kem.open(sealed.sealed, info)
    except crypto.CannotOpen:
        return None
    return share if hashlib.sha256(share).digest() == sealed.share and len(share) == d.SHARE_BYTES else None


def split_message(proposal: membership.ShareProposal) -> bytes:
    """Return what the maker of a split signs: everything in the proposal but the signature."""
    bare = msgspec.structs.replace(proposal, signature=bytes(64))
    return _LABEL + hashlib.sha256(msgspec.msgpack.encode(bare)).digest()


def fits(own: Directory, proposal: membership.ShareProposal) -> bool:
    """Tell whether a split is that of a member who may hold the epoch, for the custodians of now in their order.

    Whether the shares give the epoch's secret only two custodians together could see.
    """
    audience = own.audiences.get(AudienceId(proposal.audience))
    if audience is None or not 1 <= proposal.epoch <= len(audience.epochs) or not custodians(own):
        return False
    for kid, share in zip(own.custodians, proposal.shares, strict=True):
        if (share.audience, share.epoch) != (proposal.audience, proposal.epoch):
            return False
        if share.custodian != kid or share.device != kid:
            return False
    maker = Kid(proposal.maker)
    if audience.members.get(maker, proposal.epoch + 1) > proposal.epoch:
        return False
    return made_by_member(own, audience, maker, proposal.signature, split_message(proposal))


def splits_to_sign(local: Local, answer: membership.KeysAnswer) -> Iterator[tuple[d.Shares, tuple[d.SealedShare, ...]]]:
    """Yield what a registrar's device signs: each split that fits, of an epoch that is not split yet, as its entry.

    The directory is looked at again for each, so entries may be appended between them.
    """
    for proposal in answer.splits:
        own = local.trust.own
        if not fits(own, proposal) or is_split(own, own.audiences[AudienceId(proposal.audience)], proposal.epoch):
            continue
        named = tuple((share.custodian, share.share) for share in proposal.shares)
        yield d.Shares(proposal.audience, proposal.epoch, named), proposal.shares
