"""What devices and server say to each other about who belongs: directories, keys, shares, enrolment.

Only what is signed or decides who may read is checked for its canonical form; the envelope around it is covered by
the request's own signature.
Source: docs/protocol.md sections 1 and 2.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sluss_schemas.codec import Document
from sluss_schemas.directory import CUSTODIANS, EpochWrap, KemPublic, SealedShare, SignedEntry
from sluss_schemas.manifest import U8, U32, Bytes32, Bytes64, Head, Id16, UnixTime

# directories and keys


class Known(msgspec.Struct, frozen=True, array_like=True):
    """The last entry of a chain that the asker has; -1 for none."""

    agency: bytes
    seq: int


class DirectoryPull(msgspec.Struct, frozen=True, array_like=True):
    """Ask for what follows in every chain of the partnership."""

    known: tuple[Known, ...] = ()


class Chain(msgspec.Struct, frozen=True, array_like=True):
    """The next entries of one agency's chain, from `first` on."""

    agency: bytes
    first: int
    entries: tuple[SignedEntry, ...]


class DirectoryAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The chains, each as far as one answer goes; `more` asks for another round.

    `heads` says how far the server has each chain: after a restore it may have less than a device.
    """

    chains: tuple[Chain, ...]
    more: bool
    time: int
    instance: bytes = b""
    heads: tuple[Head, ...] = ()


class EpochSet(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The wraps of one epoch: with the entry that opens it, or later for newcomers."""

    audience: Id16
    epoch: U32
    wraps: Annotated[tuple[EpochWrap, ...], Meta(max_length=20_000)]


class DirectoryAppend(msgspec.Struct, frozen=True, array_like=True):
    """Append to the own agency's chain, with what its entries name by a digest.

    `wraps` are those of any epoch opened in it, `shares` those of any `Shares` entry, `roster` the last one named.
    A device that gives a restored server its entries back has none of the three: members offer them again.
    """

    entries: tuple[SignedEntry, ...]
    wraps: tuple[EpochSet, ...] = ()
    shares: tuple[SealedShare, ...] = ()
    roster: bytes | None = None


class EpochProposal(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A member's offer of the next epoch, for a registrar to sign; `maker` signs over all that stands before it."""

    audience: Id16
    epoch: U32
    suite: U8
    kem_key: KemPublic
    sign_key: Bytes32
    wraps: Annotated[tuple[EpochWrap, ...], Meta(min_length=1, max_length=20_000)]
    maker: Id16
    signature: Bytes64


class ShareProposal(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A member's split of an epoch's secret for the three custodians, for a registrar to sign.

    `shares` are in the custodians' order, each sealed to its custodian's device; `maker` signs over all before it.
    """

    audience: Id16
    epoch: U32
    shares: Annotated[tuple[SealedShare, ...], Meta(min_length=CUSTODIANS, max_length=CUSTODIANS)]
    maker: Id16
    signature: Bytes64


class HeldKey(msgspec.Struct, frozen=True, array_like=True):
    """An epoch that the asker holds: whole, or its signing key alone."""

    audience: bytes
    epoch: int
    whole: bool


class KeysPull(msgspec.Struct, frozen=True, array_like=True):
    """Ask for keys; what the asker has is not sent again.

    `shares` are the digests of shares that it has, `roster` the digest of the sealed roster that it has.
    """

    held: tuple[HeldKey, ...] = ()
    shares: tuple[bytes, ...] = ()
    roster: bytes | None = None


class Lacking(msgspec.Struct, frozen=True, array_like=True):
    """Devices that are entitled to an epoch and have no wrap of it: `whole`, and the signing key alone (`group`)."""

    audience: bytes
    epoch: int
    whole: tuple[bytes, ...]
    group: tuple[bytes, ...]


class OwnWrap(msgspec.Struct, frozen=True, array_like=True):
    """A wrap for the asking device."""

    audience: bytes
    epoch: int
    wrap: EpochWrap


class KeysAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The asker's wraps and shares, who lacks an epoch of its audiences, and what waits for a registrar.

    `shares` are those sealed to the asking device; `roster` is None where the asker has the one in force.
    """

    wraps: tuple[OwnWrap, ...]
    lacking: tuple[Lacking, ...]
    proposals: tuple[EpochProposal, ...]
    splits: tuple[ShareProposal, ...] = ()
    shares: tuple[SealedShare, ...] = ()
    roster: bytes | None = None


class KeysOffer(msgspec.Struct, frozen=True, array_like=True):
    """Wraps for newcomers, proposals of new epochs and of splits, and a custodian's shares for who recovers."""

    wraps: tuple[EpochSet, ...] = ()
    proposals: tuple[EpochProposal, ...] = ()
    splits: tuple[ShareProposal, ...] = ()
    shares: tuple[SealedShare, ...] = ()


# enrolment


class Invitation(msgspec.Struct, frozen=True, array_like=True):
    """A registrar announces an invitation; its secret stays with the registrar's device and the code."""

    invite: Id16
    expires_at: UnixTime


class Enrolment(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A new device's public keys, signed by itself; `mac` is HMAC-SHA256(secret, enrolment message)."""

    partnership: Id16
    invite: Id16
    sign_key: Bytes32
    kem_key: KemPublic
    signature: Bytes64
    mac: Bytes32


class Enrolments(msgspec.Struct, frozen=True, array_like=True):
    """Enrolments that wait for a registrar of the agency."""

    waiting: tuple[Enrolment, ...]


class Founding(msgspec.Struct, frozen=True, array_like=True):
    """An agency's first entries, made on the founding device.

    `mac` is HMAC-SHA256(the founding code's secret, SHA-256 of the entries' bytes joined).
    """

    partnership: Id16
    invite: Id16
    mac: Bytes32
    entries: tuple[SignedEntry, ...]


class Appended(msgspec.Struct, frozen=True, array_like=True):
    """The head after an append."""

    head: Head
