"""The bytes of a decision: a grant with its seals, and what travels sealed to the own supervisors beside it.

Refuses: nothing; what a decision may give was checked by `deciding`, and the server and every reader check it again.
Source: docs/protocol.md section 4.

> INVARIANT: each receiver has a secret of their own, and every context carries the grant's id, so no wrap can be
> replayed under another grant.
> INVARIANT: reasons and decider leave the device sealed to the own supervisors, or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client import crypto, sealers
from sluss_client.crypto import SignKey
from sluss_client.local import Local
from sluss_client.sealers import Moment, Target, decider_for, sealed_for
from sluss_schemas import disclosure, manifest
from sluss_schemas.codec import encode
from sluss_schemas.ids import Digest, GrantId, Kid, bitmap_of, slots_of

_REASONS_LABEL: Final = b"sluss/reasons"
Reasons = tuple[tuple[str, str], ...]
"""What was written, by the code of the test that asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Wish:
    """What a grant is to say.

    Attributes:
        digest: D of the version.
        targets: the receivers, and what each gets.
        keys: section keys by slot.
        plain: plaintexts that stand in for sections, by slot.
        tests: codes of the tests that were affirmed, in the ground's order.
        reasons: what was written for them.

    """

    grant_id: GrantId
    digest: Digest
    gateway: str
    targets: Sequence[Target]
    keys: Mapping[int, bytes]
    plain: Mapping[int, bytes]
    tests: Sequence[str]
    reasons: Reasons
    not_before: int
    not_after: int | None
    basis: bytes | None


class Draft(msgspec.Struct, frozen=True, array_like=True):
    """A grant that nobody has signed yet, and what travels beside it."""

    grant: disclosure.Grant
    reasons: bytes
    recipients: tuple[disclosure.Sealed, ...]
    excerpts: tuple[disclosure.Section, ...]

    def __repr__(self) -> str:
        """Show no content."""
        return f"Draft({self.grant.grant_id.hex()}, {self.grant.gateway})"


def draft(wish: Wish, moment: Moment) -> Draft:
    """Seal what is given to each receiver, and say so in a grant."""
    given = bitmap_of(number for target in wish.targets for number in slots_of(target.bitmap))
    plain = {number: data for number, data in wish.plain.items() if given >> number & 1}
    fresh, cut = sealers.excerpts(wish.digest, wish.grant_id, plain)
    keys = {**wish.keys, **fresh}
    targets = sorted(wish.targets, key=lambda one: one.kid)
    recipients = tuple(sealed_for(wish.digest, target, crypto.random_key(), keys, wish.grant_id) for target in targets)
    reasons = _sealed_reasons(wish, moment)
    grant = disclosure.Grant(
        manifest.FORMAT,
        wish.grant_id,
        wish.digest,
        tuple(slots_of(given)),
        tuple(target.kid for target in targets),
        wish.gateway,
        moment.pack.digest,
        tuple(disclosure.Test(code, met=True) for code in wish.tests),
        hashlib.sha256(reasons).digest(),
        wish.not_before,
        wish.not_after,
        disclosure.sealed_digest(recipients),
        wish.basis,
        sealers.named(cut),
    )
    return Draft(grant, reasons, recipients, cut)


def signed(one: Draft, approvals: Sequence[disclosure.Approval], signer: bytes, local: Local, moment: Moment) -> bytes:
    """Return a draft as it is pushed: with its approvals, the group's signature and, sealed, who decided."""
    data = encode(msgspec.structs.replace(one.grant, approvals=tuple(approvals)))
    return encode(
        disclosure.GrantItem(
            data,
            group_key(local, signer, moment).sign(disclosure.signature_message(data)),
            decider_for(disclosure.grant_digest(data), moment),
            one.reasons,
            one.recipients,
            one.excerpts,
        )
    )


def group_key(local: Local, signer: bytes, moment: Moment) -> SignKey:
    """Return the newest group key that this device has of the audience which signed a report, else its own group's."""
    epoch = local.trust.own.by_sign_kid.get(Kid(signer))
    if epoch is not None:
        current = local.trust.own.audiences[epoch.audience].current
        held = None if current is None else local.ring.epochs.get((epoch.audience, current.epoch))
        if held is not None:
            return SignKey(held.sign_seed())
    return moment.author.group


def reasons_info(digest: bytes, grant_id: bytes) -> bytes:
    """Return the HPKE info under which reasons are sealed to the own supervisors."""
    return _REASONS_LABEL + digest + grant_id


def _sealed_reasons(wish: Wish, moment: Moment) -> bytes:
    supervisors = moment.trust.own.audience_for("supervisors")
    epoch = None if supervisors is None else supervisors.recipient
    if not wish.reasons or epoch is None or not crypto.usable(epoch.kem_key):
        return b""
    padded = crypto.pad(encode(wish.reasons))
    return crypto.seal(epoch.kem_key, reasons_info(wish.digest, wish.grant_id), padded)
