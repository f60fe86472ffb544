"""Custodians, splits and rosters as the tests of the server's core need them: really sealed, and opened by nobody."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.codec import encode
from sluss_schemas.ids import Function, Kid

from tests.server.sealer import seal
from tests.server.town import Agency, Device, Town

THREE = (0, 1, 2)
"""Which of an agency's devices its custodians have: two field devices and the supervisor's."""


async def name_custodians(town: Town, agency: Agency, which: Sequence[int] = THREE) -> None:
    """Name three custodians in the directory."""
    kids = tuple(agency.devices[number].kid for number in which)
    await town.append(agency, [agency.entry(d.CustodianSet(kids))])


def share_for(  # noqa: PLR0917  # what a share is bound to
    agency: Agency, audience: bytes, epoch: int, custodian: bytes, device: bytes, share: bytes | None = None
) -> d.SealedShare:
    """A custodian's share, a random one unless it is given, sealed to a device."""
    share = share or os.urandom(d.SHARE_BYTES)
    info = d.share_info(agency.id, audience, epoch, custodian, device)
    sealed = seal(agency.directory.devices[Kid(device)].kem_key, info, share)
    return d.SealedShare(audience, epoch, custodian, device, hashlib.sha256(share).digest(), sealed)


def split(
    agency: Agency, maker: Device, *, function: Function = "field", epoch: int = 1, which: Sequence[int] = THREE
) -> membership.ShareProposal:
    """A member's split for the agency's devices of these numbers; the server does not look at the signature."""
    audience = agency.audience(function)
    kids = [agency.devices[number].kid for number in which]
    shares = tuple(share_for(agency, audience, epoch, kid, kid) for kid in kids)
    return membership.ShareProposal(audience, epoch, shares, maker.kid, bytes(64))


def shares_entry(agency: Agency, proposal: membership.ShareProposal) -> d.SignedEntry:
    """The entry that a registrar signs over a split."""
    named = tuple((one.custodian, one.share) for one in proposal.shares)
    return agency.entry(d.Shares(proposal.audience, proposal.epoch, named))


async def settle(town: Town, agency: Agency, proposal: membership.ShareProposal) -> None:
    """Append the entry over a split, with its shares."""
    await town.append(agency, [shares_entry(agency, proposal)], shares=proposal.shares)


def sealed_roster() -> tuple[bytes, d.Roster]:
    """A sealed roster's bytes, of random content, and the entry's body that names it."""
    sealed = encode(d.SealedRoster(1, (d.RosterSeal(os.urandom(16), os.urandom(1168)),), os.urandom(300)))
    return sealed, d.Roster(d.roster_digest(sealed))
