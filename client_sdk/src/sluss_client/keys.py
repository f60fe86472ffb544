"""The keys that a device holds: its own, and the secrets of its audiences' epochs.

Nothing here leaves the store but in sealed form; no `repr` shows a secret.
Source: docs/protocol.md section 1.

> INVARIANT: a secret enters the ring only if it reproduces the public keys that the directory names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from sluss_client import crypto
from sluss_client.crypto import KemKey, SignKey
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import EpochKeys
from sluss_schemas.ids import AgencyId, AudienceId, Kid, kid_of


class DeviceSeeds(msgspec.Struct, frozen=True, array_like=True):
    """A device's two seeds as they stand in its store."""

    sign: bytes
    kem: bytes

    def __repr__(self) -> str:
        """Show no key."""
        return "DeviceSeeds()"

    @classmethod
    def new(cls) -> DeviceSeeds:
        """Draw a new device's seeds."""
        return cls(crypto.random_key(), crypto.random_key())


@dataclass(slots=True)
class DeviceKeys:
    """A device's own keys."""

    sign: SignKey
    kem: KemKey
    kid: Kid
    kem_kid: Kid

    @classmethod
    def of(cls, seeds: DeviceSeeds) -> DeviceKeys:
        """Expand the seeds."""
        sign, kem = SignKey(seeds.sign), KemKey(seeds.kem)
        return cls(sign, kem, kid_of(sign.public), kid_of(kem.public))


class HeldEpoch(msgspec.Struct, frozen=True, array_like=True):
    """An epoch's secret as it stands in the store: all of it, or the group signing seed alone."""

    audience: bytes
    epoch: int
    secret: bytes
    whole: bool

    def __repr__(self) -> str:
        """Show no key."""
        return f"HeldEpoch(epoch={self.epoch}, whole={self.whole})"

    def sign_seed(self) -> bytes:
        """Return the group signing key's seed."""
        return crypto.derive(self.secret, b"sluss/epoch/sign") if self.whole else self.secret

    def kem_seed(self) -> bytes:
        """Return the KEM key's seed; only a member has it."""
        return crypto.derive(self.secret, b"sluss/epoch/kem")


@dataclass(slots=True)
class KeyRing:
    """What this device can open and sign with."""

    device: DeviceKeys
    epochs: dict[tuple[AudienceId, int], HeldEpoch] = field(default_factory=dict)
    groups: dict[Kid, SignKey] = field(default_factory=dict)
    kems: dict[Kid, KemKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A device is an audience of one."""
        self.kems[self.device.kem_kid] = self.device.kem

    def add(self, held: HeldEpoch) -> None:
        """Take a secret into the ring."""
        known = self.epochs.get((AudienceId(held.audience), held.epoch))
        if known is not None and known.whole:
            return
        self.epochs[AudienceId(held.audience), held.epoch] = held
        group = SignKey(held.sign_seed())
        self.groups[kid_of(group.public)] = group
        if held.whole:
            kem = KemKey(held.kem_seed())
            self.kems[kid_of(kem.public)] = kem

    def held(self) -> tuple[membership.HeldKey, ...]:
        """Return what is in the ring, as a request for keys names it."""
        return tuple(membership.HeldKey(one.audience, one.epoch, one.whole) for one in self.epochs.values())

    def holds(self, keys: EpochKeys, *, whole: bool) -> bool:
        """Tell whether the ring has an epoch's secret, whole or at least to sign with."""
        held = self.epochs.get((keys.audience, keys.epoch))
        return held is not None and (held.whole or not whole)


def matches(held: HeldEpoch, keys: EpochKeys) -> bool:
    """Tell whether a secret reproduces the public keys that the directory names."""
    if SignKey(held.sign_seed()).public != keys.sign_key:
        return False
    return not held.whole or KemKey(held.kem_seed()).public == keys.kem_key


def wrap_epoch(held: HeldEpoch, agency: AgencyId, device: Kid, kem_public: bytes, *, whole: bool) -> d.EpochWrap:
    """Seal an epoch's secret, or its group signing seed alone, to one device."""
    info = d.epoch_info(agency, held.audience, held.epoch, device, whole=whole)
    secret = held.secret if whole else held.sign_seed()
    return d.EpochWrap(device, whole, crypto.seal(kem_public, info, secret))


def open_epoch(device: DeviceKeys, agency: AgencyId, audience: AudienceId, epoch: int, wrap: d.EpochWrap) -> HeldEpoch:
    """Open a wrap made for this device, or raise `crypto.CannotOpen`."""
    info = d.epoch_info(agency, audience, epoch, device.kid, whole=wrap.whole)
    secret = device.kem.open(wrap.wrap, info)
    if len(secret) != crypto.KEY_BYTES:
        raise crypto.CannotOpen
    return HeldEpoch(audience, epoch, secret, wrap.whole)
