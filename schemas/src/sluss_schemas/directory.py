"""The structures of an agency's directory: an append-only chain of signed entries.

`replay.py` says what a chain means; this module only says what an entry looks like, one array per kind.
Source: docs/protocol.md section 2.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sluss_schemas import signing
from sluss_schemas.codec import Document, encode
from sluss_schemas.ids import Digest
from sluss_schemas.manifest import U8, U16, U32, Bytes32, Bytes64, Id16, UnixTime
from sluss_schemas.terms import AgreementEnd, AgreementSigned

ENTRY_FORMAT: Final = 1
KEM_PUBLIC_BYTES: Final = 1216
"""An X-Wing public key: ML-KEM-768 (1184) then X25519 (32)."""

EPOCH_S: Final = 90 * 86_400
"""An audience's epoch is followed by a new one after 90 days at the latest."""
SHARE_BYTES: Final = 64
"""A custodian's share of an epoch's secret: one half of each of two pads."""
SEALED_SHARE_BYTES: Final = SHARE_BYTES + 1136
CUSTODIANS: Final = 3

KemPublic = Annotated[bytes, Meta(min_length=KEM_PUBLIC_BYTES, max_length=KEM_PUBLIC_BYTES)]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Label = Annotated[str, Meta(min_length=1, max_length=120)]


class EntryKind(IntEnum):
    """What an entry does."""

    GENESIS = 1
    SCENE = 2
    ROOT_ROTATE = 3
    REGISTRAR_ADD = 4
    REGISTRAR_REMOVE = 5
    PERSON_ADD = 6
    PERSON_SUSPEND = 7
    DEVICE_ADD = 8
    DEVICE_REVOKE = 9
    AUDIENCE_CREATE = 10
    MEMBER_ADD = 11
    MEMBER_REMOVE = 12
    EPOCH = 13
    SHARES = 14
    PACK = 15
    PEER = 16
    INSTANCE = 17
    CUSTODIAN_SET = 18
    ROSTER = 19
    AGREEMENT = 20
    AGREEMENT_END = 21


class Entry(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One link: `prev` is the hash of the entry before, zeros for the genesis; `body` is an array by kind."""

    format: U8
    seq: Annotated[int, Meta(ge=0, le=9_223_372_036_854_775_807)]
    prev: Bytes32
    kind: U8
    body: msgspec.Raw
    time: UnixTime


class SignedEntry(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An entry's bytes, verbatim, with the key id and signature of the root or a registrar."""

    entry: Annotated[bytes, Meta(max_length=65_536)]
    signer: Id16
    signature: Bytes64


class Genesis(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Founds an agency; the agency's id is the first half of this entry's hash.

    `registry`: this agency's directory holds the partnership's scenes.
    `next_root`: SHA-256 of the root key that may replace this one.
    `checkpoint`: the server's key for receipts and ledger checkpoints.
    """

    partnership: Id16
    slug: Slug
    sector: Literal["POL", "SOC", "SEC", "MUN", "HLT"]
    label_en: Label
    label_sv: Label
    registry: bool
    root: Bytes32
    next_root: Bytes32
    checkpoint: Bytes32


class Scene(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Adds or changes a scene; `number` never changes its meaning."""

    number: Annotated[int, Meta(ge=1, le=65_535)]
    slug: Slug
    label_en: Label
    label_sv: Label
    zone: Annotated[str, Meta(max_length=20_000)] | None
    state: Literal["candidate", "confirmed", "dormant", "closed"]


class RootRotate(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Replaces the root by the key that the one before committed to; signed by the new one, for the old may be lost."""

    root: Bytes32
    next_root: Bytes32


class RegistrarAdd(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Gives a device's signing key the right to sign entries; it ends when the device is revoked."""

    key: Bytes32


class RegistrarRemove(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Takes the right away; nothing that the key signs afterwards counts."""

    kid: Id16


class PersonAdd(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Adds or changes a person; no name stands here. `scenes` None means every scene of the partnership."""

    person: Id16
    alias: Annotated[str, Meta(min_length=1, max_length=32)]
    functions: Annotated[tuple[Literal["field", "supervisors", "reception"], ...], Meta(max_length=3)]
    scenes: Annotated[tuple[U16, ...], Meta(max_length=1024)] | None
    valid_until: UnixTime | None


class PersonSuspend(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ends a person's rights."""

    person: Id16


class DeviceAdd(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Adds a device; `self_signature` is the device's own over `enrolment_message`."""

    person: Id16
    invite: Id16
    sign_key: Bytes32
    kem_key: KemPublic
    self_signature: Bytes64


class DeviceRevoke(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Revokes a device; `reason` is lost, stolen, left or replaced."""

    kid: Id16
    reason: Literal["lost", "stolen", "left", "replaced"]


class AudienceCreate(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Creates the audience of a function."""

    audience: Id16
    function: Literal["field", "supervisors", "reception"]


class MemberAdd(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Adds a device to an audience, with history from an epoch on: 1 for all of it, the next one for none."""

    audience: Id16
    device: Id16
    from_epoch: U32


class MemberRemove(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Takes a device out of an audience."""

    audience: Id16
    device: Id16


class Epoch(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Opens an epoch: public keys, the hash of the set of wraps, and exactly the devices it was wrapped for."""

    audience: Id16
    epoch: Annotated[int, Meta(ge=1, le=4_294_967_295)]
    suite: U8
    kem_key: KemPublic
    sign_key: Bytes32
    wraps: Bytes32
    devices: Annotated[tuple[Id16, ...], Meta(min_length=1, max_length=10_000)]


class Shares(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The hashes of the custodians' shares of one epoch secret."""

    audience: Id16
    epoch: U32
    shares: Annotated[tuple[tuple[Id16, Bytes32], ...], Meta(min_length=3, max_length=3)]


class PackInForce(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Names a policy pack that the agency has adopted, and the day on which it begins, counted from 1 January 1970."""

    digest: Bytes32
    begins: U16


class Peer(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Pins another agency of the partnership by its id and its root's fingerprint."""

    agency: Id16
    root: Bytes32
    agreement: Annotated[str, Meta(max_length=200)]
    until: UnixTime | None


class Instance(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Accepts a new instance of the server after a restore; from here on devices push again what they filed lately."""

    instance: Id16


class CustodianSet(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Names the three custodians' devices, in the order that shares are made in."""

    custodians: Annotated[tuple[Id16, ...], Meta(min_length=3, max_length=3)]


class Roster(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Names the sealed roster in force: SHA-256 of `SealedRoster`."""

    digest: Bytes32


Body = (
    Genesis
    | Scene
    | RootRotate
    | RegistrarAdd
    | RegistrarRemove
    | PersonAdd
    | PersonSuspend
    | DeviceAdd
    | DeviceRevoke
    | AudienceCreate
    | MemberAdd
    | MemberRemove
    | Epoch
    | Shares
    | PackInForce
    | Peer
    | Instance
    | CustodianSet
    | Roster
    | AgreementSigned
    | AgreementEnd
)

BODIES: Final[dict[EntryKind, type[Body]]] = {
    EntryKind.GENESIS: Genesis,
    EntryKind.SCENE: Scene,
    EntryKind.ROOT_ROTATE: RootRotate,
    EntryKind.REGISTRAR_ADD: RegistrarAdd,
    EntryKind.REGISTRAR_REMOVE: RegistrarRemove,
    EntryKind.PERSON_ADD: PersonAdd,
    EntryKind.PERSON_SUSPEND: PersonSuspend,
    EntryKind.DEVICE_ADD: DeviceAdd,
    EntryKind.DEVICE_REVOKE: DeviceRevoke,
    EntryKind.AUDIENCE_CREATE: AudienceCreate,
    EntryKind.MEMBER_ADD: MemberAdd,
    EntryKind.MEMBER_REMOVE: MemberRemove,
    EntryKind.EPOCH: Epoch,
    EntryKind.SHARES: Shares,
    EntryKind.PACK: PackInForce,
    EntryKind.PEER: Peer,
    EntryKind.INSTANCE: Instance,
    EntryKind.CUSTODIAN_SET: CustodianSet,
    EntryKind.ROSTER: Roster,
    EntryKind.AGREEMENT: AgreementSigned,
    EntryKind.AGREEMENT_END: AgreementEnd,
}
KIND_OF: Final[dict[type[Body], EntryKind]] = {body: kind for kind, body in BODIES.items()}

GENESIS_PREV: Final = bytes(32)


class EpochWrap(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An epoch's secret for one device (`whole`), or its group signing key alone (for supervisors)."""

    device: Id16
    whole: bool
    wrap: Annotated[bytes, Meta(min_length=1168, max_length=1168)]


class SealedShare(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One custodian's share of an epoch's secret, sealed to one device: their own, or one that recovers.

    `share` is SHA-256 of the share, as the `Shares` entry names it.
    """

    audience: Id16
    epoch: U32
    custodian: Id16
    device: Id16
    share: Bytes32
    sealed: Annotated[bytes, Meta(min_length=SEALED_SHARE_BYTES, max_length=SEALED_SHARE_BYTES)]


class RosterSeal(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The roster's key for one KEM key of the own agency."""

    kid: Id16
    seal: Annotated[bytes, Meta(min_length=1168, max_length=1168)]


class SealedRoster(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Names and the count key, encrypted once and sealed to the own agency's audiences and registrars."""

    format: U8
    seals: Annotated[tuple[RosterSeal, ...], Meta(max_length=200)]
    content: Annotated[bytes, Meta(max_length=2 * 1024 * 1024)]


class Named(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A person's name."""

    person: Id16
    name: Annotated[str, Meta(min_length=1, max_length=120)]


class RosterContent(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a roster says; `count_key` makes one person's reports of a week count as one contributor's."""

    format: U8
    count_key: Bytes32
    names: Annotated[tuple[Named, ...], Meta(max_length=10_000)]


def entry_bytes(seq: int, prev: bytes, body: Body, time: int) -> bytes:
    """Return the canonical bytes of an entry."""
    kind = KIND_OF[type(body)]
    return encode(Entry(ENTRY_FORMAT, seq, prev, int(kind), msgspec.Raw(encode(body)), time))


def entry_hash(data: bytes) -> Digest:
    """Return the hash that the next entry and every directory head names."""
    return Digest(hashlib.sha256(data).digest())


def entry_message(data: bytes) -> bytes:
    """Return what the root or a registrar signs."""
    return signing.DIRECTORY_LABEL + entry_hash(data)


def enrolment_message(partnership: bytes, invite: bytes, sign_key: bytes, kem_key: bytes) -> bytes:
    """Return what a new device signs with its own key, and what the invitation's secret authenticates."""
    return signing.ENROL_LABEL + partnership + invite + sign_key + kem_key


def wraps_digest(wraps: tuple[EpochWrap, ...]) -> bytes:
    """Return the digest of an epoch's set of wraps, in the order of device and form."""
    ordered = tuple(sorted(wraps, key=lambda wrap: (wrap.device, wrap.whole)))
    return hashlib.sha256(encode(ordered)).digest()


def epoch_info(agency: bytes, audience: bytes, epoch: int, device: bytes, *, whole: bool) -> bytes:
    """Return the HPKE info under which an epoch's secret, or its group signing key alone, is sealed to a device."""
    label = b"sluss/epoch" if whole else b"sluss/group"
    return label + agency + audience + epoch.to_bytes(4, "big") + device


def share_info(agency: bytes, audience: bytes, epoch: int, custodian: bytes, device: bytes) -> bytes:
    """Return the HPKE info under which a custodian's share is sealed to a device."""
    return b"sluss/share" + agency + audience + epoch.to_bytes(4, "big") + custodian + device


def roster_context(agency: bytes) -> bytes:
    """Return the context of a roster's content."""
    return b"sluss/roster/content" + agency


def roster_info(agency: bytes, kid: bytes, content: bytes) -> bytes:
    """Return the HPKE info under which a roster's key is sealed to a KEM key."""
    return b"sluss/roster" + agency + kid + hashlib.sha256(content).digest()


def roster_digest(sealed: bytes) -> bytes:
    """Return the digest by which a `Roster` entry names a sealed roster's bytes."""
    return hashlib.sha256(sealed).digest()
