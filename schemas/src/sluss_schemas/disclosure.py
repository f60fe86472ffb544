"""The grant: the signed act by which a device adds receivers to one report's sections.

Source: docs/protocol.md section 4.

> INVARIANT: a grant names one version (D); later versions need a new one.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from sluss_schemas import signing
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import Digest
from sluss_schemas.manifest import FORMAT, U8, Bytes32, Bytes64, Id16, SlotNumber, UnixTime
from sluss_schemas.problems import Invalid

BASE_RELEASE: Final = "BASE"
"""The gateway code of a release after embargo or review."""


class Test(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One precondition of the gateway, and whether the decider found it met."""

    code: Annotated[str, Meta(max_length=64)]
    met: bool


class Approval(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A second person's approval: their device and its signature over the grant's digest."""

    device: Id16
    signature: Bytes64


class Excerpt(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That less than a section is disclosed: the digest of the ciphertext that stands in for it in this slot."""

    slot: SlotNumber
    digest: Bytes32


class Section(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One encrypted section, or the excerpt that stands in for it."""

    slot: SlotNumber
    section: bytes


class Grant(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the group's signature covers; field order is the wire order.

    `receivers` are KEM key ids; `sealed` is the digest of the seals and wraps that travel beside it; `basis` is the
    record of the consent that it rests on; each approver's device signs `approval_message`.
    """

    format: U8
    grant_id: Id16
    digest: Bytes32
    slots: Annotated[tuple[SlotNumber, ...], Meta(min_length=1, max_length=16)]
    receivers: Annotated[tuple[Id16, ...], Meta(min_length=1, max_length=32)]
    gateway: Annotated[str, Meta(min_length=3, max_length=8)]
    pack: Bytes32
    tests: Annotated[tuple[Test, ...], Meta(max_length=16)]
    reasons: Bytes32
    not_before: UnixTime
    not_after: UnixTime | None
    sealed: Bytes32
    basis: Id16 | None = None
    excerpts: Annotated[tuple[Excerpt, ...], Meta(max_length=16)] = ()
    approvals: Annotated[tuple[Approval, ...], Meta(max_length=4)] = ()


class Wrap(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One section key under a recipient's secret: 32 bytes and a 16-byte tag."""

    slot: SlotNumber
    wrap: Annotated[bytes, Meta(min_length=48, max_length=48)]


class Sealed(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A recipient's seal and the section keys wrapped under it."""

    kid: Id16
    seal: Annotated[bytes, Meta(min_length=1170, max_length=1170)]
    wraps: Annotated[tuple[Wrap, ...], Meta(min_length=1, max_length=16)]


class GrantItem(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A grant as it is pushed.

    `decider` and `reasons` are sealed to the owner's supervisors (empty where that audience has no epoch yet) and are
    never delivered to a receiver.
    """

    grant: Annotated[bytes, Meta(max_length=8192)]
    signature: Bytes64
    decider: Annotated[bytes, Meta(max_length=8192)]
    reasons: Annotated[bytes, Meta(max_length=65_536)]
    recipients: Annotated[tuple[Sealed, ...], Meta(min_length=1, max_length=32)]
    excerpts: Annotated[tuple[Section, ...], Meta(max_length=16)] = ()


def read_grant(data: bytes) -> Grant:
    """Return the grant of canonical bytes.

    Raises:
        Invalid: what `codec.decode` raises; `malformed` for another format or unsorted slots or receivers.

    """
    grant = decode(Grant, data, "grant", limit=8192)
    if grant.format != FORMAT:
        raise Invalid("malformed", "grant.format")
    if list(grant.slots) != sorted(set(grant.slots)):
        raise Invalid("malformed", "grant.slots")
    if list(grant.receivers) != sorted(set(grant.receivers)):
        raise Invalid("malformed", "grant.receivers")
    taken = [one.slot for one in grant.excerpts]
    if taken != sorted(set(taken)) or not set(taken) <= set(grant.slots):
        raise Invalid("malformed", "grant.excerpts")
    return grant


def grant_digest(grant_bytes: bytes) -> Digest:
    """Return the digest of a grant."""
    return Digest(hashlib.sha256(signing.GRANT_LABEL + grant_bytes).digest())


def approval_message(grant: Grant) -> bytes:
    """Return what the device of each approver signs: the grant as it is before anybody has approved it."""
    return signing.APPROVAL_LABEL + hashlib.sha256(encode(msgspec.structs.replace(grant, approvals=()))).digest()


def excerpt_context(digest: bytes, grant_id: bytes, number: int) -> bytes:
    """Return the context under which an excerpt is encrypted."""
    return b"sluss/excerpt" + digest + grant_id + number.to_bytes(1, "big")


def ended(digest: bytes, grant_id: bytes) -> bytes:
    """Return how a `drop` names what a grant gave of a version: D and the grant's id, 48 bytes."""
    return digest + grant_id


def signature_message(grant_bytes: bytes) -> bytes:
    """Return what the group key signs for a grant."""
    return signing.SIG_LABEL + grant_digest(grant_bytes)


def sealed_digest(recipients: tuple[Sealed, ...]) -> bytes:
    """Return the digest that binds the seals and wraps to the grant."""
    return hashlib.sha256(encode(recipients)).digest()
