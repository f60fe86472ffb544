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
from sluss_schemas.disclosure import GrantItem, Sealed, Wrap
from sluss_schemas.disclosure import Section as Section  # noqa: PLC0414  # part of an item and of a grant alike
from sluss_schemas.manifest import U8, Bytes32, Bytes64, Head, UnixTime

MAX_PUSH_ITEMS: Final = 50
MAX_PUSH_BYTES: Final = 1024 * 1024
MAX_PAGE_ENTRIES: Final = 500
MAX_PAGE_BYTES: Final = 1024 * 1024
MAX_WAIT_S: Final = 25
MAX_CLOCK_SKEW_S: Final = 300


# push


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
    """One report version as it is pushed.

    `counts` says whether what happened counts by this report, or by another one of it; None is as the version before
    said, and a first version counts. It is delivered to nobody.
    """

    manifest: bytes
    signature: Bytes64
    sections: Annotated[tuple[Section, ...], Meta(max_length=16)]
    recipients: Annotated[tuple[Sealed, ...], Meta(max_length=64)]
    tiers: tuple[Tier | None, Tier | None]
    grants: Annotated[tuple[GrantItem, ...], Meta(max_length=16)]
    heads: Annotated[tuple[Head, ...], Meta(max_length=64)]
    counts: bool | None = None


class PastReceipt(msgspec.Struct, frozen=True, array_like=True):
    """A receipt of an instance before this one: what it names was on disk, and comes back as it was."""

    receipt: bytes
    signature: bytes


class Push(msgspec.Struct, frozen=True, array_like=True):
    """A push: report versions, grants for versions already stored, and case records, in the order they are applied.

    After a restore of the server `past` has the receipts that an earlier instance gave for what is pushed again.
    """

    items: tuple[msgspec.Raw, ...]
    grants: tuple[msgspec.Raw, ...] = ()
    records: tuple[msgspec.Raw, ...] = ()
    past: tuple[PastReceipt, ...] = ()


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
    RECORD = "case"


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

    `put` has its body; `drop` and `erase` carry D, and a `drop` of what a grant gave D and the grant's id; `skip`
    carries the entry's salted commitment and nothing else; `case` carries a case record with its digest.
    """

    seq: int
    op: Op
    digest: bytes
    put: Put | None = None
    record: bytes | None = None


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
    """What is new; feeds in `closed` are no longer the device's and what was held through them goes.

    `used` has, once each, the directory heads that the delivered versions were sealed with: a manifest names them by
    their digest, so a device sees whether its own directories are those that others are shown.
    """

    pages: tuple[FeedPage, ...]
    closed: tuple[bytes, ...]
    heads: tuple[Head, ...]
    time: int
    used: tuple[tuple[Head, ...], ...] = ()


# quarantine


class Quarantined(msgspec.Struct, frozen=True, array_like=True):
    """A version in quarantine: the pushed item, verbatim, and why it is there."""

    item: bytes
    reason: str
    received_at: int


class QuarantineAnswer(msgspec.Struct, frozen=True, array_like=True):
    """What waits for a supervisor of the own agency, oldest first; `more` asks again once these are dealt with."""

    waiting: tuple[Quarantined, ...]
    more: bool
