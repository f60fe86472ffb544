"""The sealed report as it is signed: the manifest, its digests, and the contexts that bind every key to it.

Nothing here opens anything; the functions build the byte strings over which devices sign, seal and wrap, and which
the server and every reader compute again.
Source: docs/protocol.md section 3.

> INVARIANT: a section, a seal or a wrap made for one manifest verifies under no other.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from sluss_schemas import signing
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import DIGEST_BYTES, KINDS, SLOTS, Digest, GrantId, Kid, ReportId, slot
from sluss_schemas.problems import Invalid

FORMAT: Final = 1
SUITE: Final = 2
"""X-Wing HPKE with HKDF-SHA256 and AES-256-GCM, Cobblestone-256, Ed25519, SHA-256."""
SCHEMA: Final = 1
"""Generation of the section arrays."""
MAX_RECIPIENTS: Final = 64

Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, Meta(min_length=64, max_length=64)]
U8 = Annotated[int, Meta(ge=0, le=255)]
U16 = Annotated[int, Meta(ge=0, le=65_535)]
U32 = Annotated[int, Meta(ge=0, le=4_294_967_295)]
UnixTime = Annotated[int, Meta(ge=0, le=253_402_300_799)]
SlotNumber = Annotated[int, Meta(ge=0, lt=SLOTS)]


class Recipient(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One base recipient: a KEM key id, and a commitment to what the seal for it holds."""

    kid: Id16
    commitment: Bytes32


class Manifest(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the group's signature covers; field order is the wire order."""

    format: U8
    suite: U8
    kind: Annotated[int, Meta(ge=0, le=KINDS.stop - 1)]
    agency: Id16
    report_id: Id16
    version: Annotated[int, Meta(ge=1, le=4_294_967_295)]
    parents: Annotated[tuple[Bytes32, ...], Meta(max_length=2)]
    schema: U16
    pack: Bytes32
    directories: Bytes32
    signer_kid: Id16
    author_ref: Id16
    time: UnixTime
    recipients: Annotated[tuple[Recipient, ...], Meta(max_length=MAX_RECIPIENTS)]
    slots: Annotated[tuple[Bytes32, ...], Meta(min_length=SLOTS, max_length=SLOTS)]
    facts: tuple[Bytes32, Bytes32]


class Head(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last entry of one agency's directory that was used."""

    agency: Id16
    seq: Annotated[int, Meta(ge=0, le=9_223_372_036_854_775_807)]
    hash: Bytes32


def read_manifest(data: bytes) -> Manifest:
    """Return the manifest of canonical bytes.

    Raises:
        Invalid: what `codec.decode` raises; `malformed` for another format, suite, an unsorted recipient list or a
            number of parents that its version cannot have.

    """
    manifest = decode(Manifest, data, "manifest", limit=64 * 1024)
    if (manifest.format, manifest.suite) != (FORMAT, SUITE):
        raise Invalid("malformed", "manifest.suite")
    kids = [recipient.kid for recipient in manifest.recipients]
    if kids != sorted(set(kids)):
        # One order and no repetition: else two manifests could say the same thing.
        raise Invalid("malformed", "manifest.recipients")
    if (manifest.version == 1) != (not manifest.parents) or len(set(manifest.parents)) != len(manifest.parents):
        raise Invalid("malformed", "manifest.parents")
    return manifest


_PACK: Final = Manifest.__struct_fields__.index("pack")
_values: Final = msgspec.msgpack.Decoder(list[Any])


def pack_of(data: bytes) -> Digest:
    """Return the pack that a manifest names; of one that was checked when it was stored, and a fraction of the work."""
    return Digest(bytes(_values.decode(data)[_PACK]))


def digest_of(manifest_bytes: bytes) -> Digest:
    """Return D, the name of a report version."""
    return Digest(hashlib.sha256(signing.REPORT_LABEL + manifest_bytes).digest())


def signature_message(digest: Digest) -> bytes:
    """Return what the group key of the author's audience signs."""
    return signing.SIG_LABEL + digest


def author_message(manifest: Manifest) -> bytes:
    """Return what the author's device signs: the manifest without the slot that will hold this very signature."""
    slots = list(manifest.slots)
    slots[slot("AUT")] = bytes(DIGEST_BYTES)
    bare = encode(msgspec.structs.replace(manifest, slots=tuple(slots)))
    return signing.AUTHOR_LABEL + hashlib.sha256(bare).digest()


def commitment(secret: bytes, bitmap: int) -> bytes:
    """Return the commitment to a recipient's secret A (32 bytes) and the slots that it opens."""
    return hashlib.sha256(signing.AUDIENCE_LABEL + secret + bitmap.to_bytes(2, "big")).digest()


def section_context(report_id: ReportId, author_ref: bytes, version: int, number: int) -> bytes:
    """Return the context under which a section is encrypted."""
    return b"sluss/section" + report_id + author_ref + version.to_bytes(4, "big") + number.to_bytes(1, "big")


def seal_info(digest: Digest, recipient: Kid, grant: GrantId) -> bytes:
    """Return the HPKE info of a seal; `grant` is `ids.NO_GRANT` for a base seal."""
    return b"sluss/seal" + digest + recipient + grant


def wrap_info(digest: Digest, number: int, grant: GrantId) -> bytes:
    """Return the HKDF info of the key that wraps one section key."""
    return b"sluss/wrap" + digest + number.to_bytes(1, "big") + grant


def tier_digest(salt: bytes, tier: bytes) -> bytes:
    """Return the digest under which a tier of facts stands in the manifest."""
    return hashlib.sha256(salt + tier).digest()


def directories_digest(heads: tuple[Head, ...]) -> bytes:
    """Return the digest over the directory heads that the sealing device used, in the order of their agencies."""
    digest = hashlib.sha256()
    for head in sorted(heads, key=lambda head: head.agency):
        digest.update(head.agency + head.seq.to_bytes(8, "big") + head.hash)
    return digest.digest()
