"""What devices and server say to each other: push, pull, directories, keys and enrolment.

Only what is signed or decides who may read is checked for its canonical form; the envelope around it is covered by
the request's own signature.
Source: docs/protocol.md sections 5 and 6.

> INVARIANT: one bad item never sinks its neighbours, so a push is decoded item by item.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from sluss_schemas.codec import Document
from sluss_schemas.directory import EpochWrap, KemPublic, SignedEntry
from sluss_schemas.disclosure import GrantItem, Sealed, Wrap
from sluss_schemas.manifest import U8, U32, Bytes32, Bytes64, Head, Id16, SlotNumber, UnixTime

MAX_PUSH_ITEMS: Final = 50
MAX_PUSH_BYTES: Final = 1024 * 1024
MAX_PAGE_ENTRIES: Final = 500
MAX_PAGE_BYTES: Final = 1024 * 1024
MAX_WAIT_S: Final = 25
MAX_CLOCK_SKEW_S: Final = 300


# push


class Section(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One encrypted section."""

    slot: SlotNumber
    section: bytes


class Tier(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One tier of facts with the salt of its digest; `tier` is canonical MessagePack."""

    salt: Bytes32
    tier: Annotated[bytes, Meta(max_length=4096)]


class Tier1(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The facts of the own agency: coarse time, coded values by the pack, and who contributed this week."""

    time: UnixTime
    values: tuple[int | tuple[int, ...] | None, ...]
    contributor: Annotated[bytes, Meta(max_length=8)]


class Item(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One report version as it is pushed."""

    manifest: bytes
    signature: Bytes64
    sections: Annotated[tuple[Section, ...], Meta(max_length=16)]
    recipients: Annotated[tuple[Sealed, ...], Meta(max_length=64)]
    tiers: tuple[Tier | None, Tier | None]
    grants: Annotated[tuple[GrantItem, ...], Meta(max_length=16)]
    heads: Annotated[tuple[Head, ...], Meta(max_length=64)]


class Push(msgspec.Struct, frozen=True, array_like=True):
    """A push: report versions, grants for versions already stored, and case records, in the order they are applied."""

    items: tuple[msgspec.Raw, ...]
    grants: tuple[msgspec.Raw, ...] = ()
    records: tuple[msgspec.Raw, ...] = ()


class OutcomeCode(StrEnum):
    """What became of one item."""

    CREATED = "created"
    DUPLICATE = "duplicate"
    FORKED = "forked"
    TRIMMED = "trimmed"
    QUARANTINED = "quarantined"
    GONE = "gone"
    ID_CONFLICT = "id_conflict"
    BAD_SIGNATURE = "bad_signature"
    REFUSED = "refused"
    STALE_DIRECTORY = "stale_directory"
    RETRY = "retry"


STORED: Final = frozenset(
    {OutcomeCode.CREATED, OutcomeCode.DUPLICATE, OutcomeCode.FORKED, OutcomeCode.TRIMMED, OutcomeCode.QUARANTINED}
)
"""Outcomes after which the server holds the report."""


class Receipt(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The server's signed word that an outcome is on disk."""

    format: U8
    digest: Bytes32
    outcome: str
    instance: bytes
    time: UnixTime


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """The answer to one pushed item; `reason` is a problem code and `field` the part that it is about."""

    digest: bytes
    outcome: OutcomeCode
    reason: str | None = None
    field: str | None = None
    receipt: bytes | None = None
    receipt_signature: bytes | None = None


class PushAnswer(msgspec.Struct, frozen=True, array_like=True):
    """One outcome per item, grant and record, in the order they came."""

    items: tuple[Outcome, ...]
    grants: tuple[Outcome, ...] = ()
    records: tuple[Outcome, ...] = ()


# pull


class Op(StrEnum):
    """What an entry of a feed does."""

    PUT = "put"
    DROP = "drop"
    ERASE = "erase"
    SKIP = "skip"


class GrantProof(msgspec.Struct, frozen=True, array_like=True):
    """The grant under which an entry's seal was made."""

    grant: bytes
    signature: bytes


class Put(msgspec.Struct, frozen=True, array_like=True):
    """What a receiver gets of a report version.

    `seal` is None and `wraps` is empty while the server holds them back (own supervisors before they have opened it).
    """

    manifest: bytes
    signature: bytes
    sections: tuple[Section, ...]
    seal: bytes | None
    wraps: tuple[Wrap, ...]
    tiers: tuple[Tier | None, Tier | None]
    grant: GrantProof | None = None


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of a feed.

    `put` has its body; `drop` and `erase` carry D; `skip` carries the entry's salted commitment and nothing else.
    """

    seq: int
    op: Op
    digest: bytes
    put: Put | None = None


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a device stands in a feed.

    It has everything up to `seq` but what lies below `below`; 0 means that nothing of the past is left to read.
    """

    feed: bytes
    generation: int
    seq: int
    below: int = 0


class Pull(msgspec.Struct, frozen=True, array_like=True):
    """Ask for what is new; a feed without a position is read downwards from its head."""

    cursor: tuple[Position, ...] = ()
    limit: int = MAX_PAGE_ENTRIES
    wait: int = 0


class FeedPage(msgspec.Struct, frozen=True, array_like=True):
    """What follows in one feed, and the position after it: `entries` upwards, then `past` downwards."""

    position: Position
    entries: tuple[Entry, ...]
    more: bool
    past: tuple[Entry, ...] = ()


class PullAnswer(msgspec.Struct, frozen=True, array_like=True):
    """What is new; feeds in `closed` are no longer the device's and what was held through them goes."""

    pages: tuple[FeedPage, ...]
    closed: tuple[bytes, ...]
    heads: tuple[Head, ...]
    time: int


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
    """The chains, each as far as one answer goes; `more` asks for another round."""

    chains: tuple[Chain, ...]
    more: bool
    time: int


class EpochSet(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The wraps of one epoch: with the entry that opens it, or later for newcomers."""

    audience: Id16
    epoch: U32
    wraps: Annotated[tuple[EpochWrap, ...], Meta(max_length=20_000)]


class DirectoryAppend(msgspec.Struct, frozen=True, array_like=True):
    """Append to the own agency's chain, with the wraps of any epoch opened in it."""

    entries: tuple[SignedEntry, ...]
    wraps: tuple[EpochSet, ...] = ()


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


class Holders(msgspec.Struct, frozen=True, array_like=True):
    """Which devices have a wrap of an epoch: `whole`, and with the signing key alone (`group`)."""

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
    """The asker's wraps, who else of the agency holds each epoch, and proposals that wait for a registrar."""

    wraps: tuple[OwnWrap, ...]
    holders: tuple[Holders, ...]
    proposals: tuple[EpochProposal, ...]


class KeysOffer(msgspec.Struct, frozen=True, array_like=True):
    """Wraps for newcomers, and proposals of new epochs."""

    wraps: tuple[EpochSet, ...] = ()
    proposals: tuple[EpochProposal, ...] = ()


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
