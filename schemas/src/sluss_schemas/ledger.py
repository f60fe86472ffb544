"""The ledger's leaves: what each says, in which fixed order, and what devices and server say to each other about it.

A leaf says who did what, when, by which rule and about which version; whom a version is about stands in it, sealed.
Who acts is named by what the own agency alone can resolve: an `author_ref`, the digest of a sealed decider, a person's
id of the directory, and for deliveries the device's key id; a read by another agency names that agency and nothing
else.
Source: docs/protocol.md section 7, docs/secrecy-rules.md B8.

> INVARIANT: a leaf's first value is its action, and what is hashed into the tree has the action beside the salted
> digest: so the action stays proven when the content is erased.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import Meta

from sluss_schemas import merkle
from sluss_schemas.checkpoint import MAX_NOTE_BYTES, FeedProof
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import ID_BYTES
from sluss_schemas.manifest import U16, Bytes32, Bytes64, Id16, UnixTime
from sluss_schemas.problems import Invalid
from sluss_schemas.signing import READ_LABEL, verify

MAX_READS: Final = 200
"""Read records in one request."""
MAX_LEAVES: Final = 1_000
"""Leaves in one answer."""
MAX_CONTENT_BYTES: Final = 64 * 1024
KEPT_LEVELS: Final = 4
"""Of so many levels of the tree one is stored; those between are a few nodes away."""
LOG_REVIEW: Final = "log_review"
"""Code of the task to look through a ledger, and what its id begins with."""

# what a leaf says

ActionName = Annotated[str, Meta(min_length=1, max_length=20)]
_Short = Annotated[bytes, Meta(max_length=64)]


class Act(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What was done or denied: collect, amend, quarantine, disclose, countersign, open, deny, export, a case record.

    Attributes:
        action: for instance `collect`; of a case record its kind.
        what: D of the version, or the digest or id of what it is about where there is none; empty for a request.
        who: `author_ref`; of a grant the digest of its sealed decider; of a record or request the person's id.
        time: when the server wrote it.
        code: the gateway, the reason of a quarantine or a refusal, or the record's own code.
        pack: digest of the pack that was named; empty where none was.
        about: the report's id, the grant's or the record's; of a refused request its address, of an export its month.
        slots: bitmap of the slots that are filled, or that are given.

    """

    action: ActionName
    what: _Short
    who: _Short
    time: UnixTime
    code: Annotated[str, Meta(max_length=40)] = ""
    pack: _Short = b""
    about: _Short = b""
    slots: U16 = 0


class Delivery(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That a page was delivered: the digest of its ranges of feeds, to which device, and when."""

    action: ActionName
    ranges: Bytes32
    device: Id16
    time: UnixTime


class Reading(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That sections of a version were opened.

    Attributes:
        action: `read`.
        digest: D.
        slots: bitmap of the slots that were opened.
        time: when, by the reader's device.
        agency: the reader's agency.
        record: the read record's id, under which the reader's own agency has it too.
        person: the reader; empty in another agency's ledger.
        received: when the server had it.
        signed: the device's signed record, canonical; empty in another agency's ledger.

    """

    action: ActionName
    digest: Bytes32
    slots: U16
    time: UnixTime
    agency: Id16
    record: Id16
    person: _Short
    received: UnixTime
    signed: Annotated[bytes, Meta(max_length=512)]


class Alarm(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That one person opened more within an hour than the work asks for; `since` is when that hour began."""

    action: ActionName
    code: Annotated[str, Meta(max_length=40)]
    person: _Short
    since: UnixTime
    count: Annotated[int, Meta(ge=0)]
    time: UnixTime


def raised_id(content: bytes) -> bytes:
    """Return the id of the task that an alarm opens, by what the alarm's leaf says."""
    return hashlib.sha256(content).digest()[:ID_BYTES]


def review_id(agency: bytes, since: int, until: int) -> bytes:
    """Return the id of the task to look through an agency's ledger of a time; the same time has the same one."""
    return hashlib.sha256(encode((LOG_REVIEW, agency, since, until))).digest()[:ID_BYTES]


class Forgotten(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That contents were erased: of the leaves from the first number to the last of each range, and why."""

    action: ActionName
    ranges: tuple[tuple[int, int], ...]
    code: Annotated[str, Meta(max_length=40)]
    time: UnixTime


class Earlier(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an act was recorded as before acts said more: action, digest, what else it was about, time."""

    action: ActionName
    digest: _Short
    about: _Short
    time: UnixTime


Content = Act | Delivery | Reading | Alarm | Forgotten | Earlier
READ: Final = "read"
LOOK: Final = "look"
DENY: Final = "deny"
DELIVER: Final = "deliver"
EXPORT: Final = "export"
ALARM: Final = "alarm"
FORGET: Final = "forget"
_OF: Final[dict[str, type[Document]]] = {DELIVER: Delivery, READ: Reading, ALARM: Alarm, FORGET: Forgotten}
_EARLIER_FIELDS: Final = 4


def read_content(action: str, content: bytes) -> Content:
    """Return what a leaf's content says.

    Raises:
        Invalid: `malformed` or `not_canonical`, also where it says another action than its row.

    """
    kind: type[Document] = _OF.get(action, Act)
    if kind is Act and content[:1] == bytes([0x90 + _EARLIER_FIELDS]):
        kind = Earlier
    found = cast("Content", decode(cast("type[Any]", kind), content, "content", limit=MAX_CONTENT_BYTES))
    if found.action != action:
        raise Invalid("malformed", "content")
    return found


def who_of(content: Content) -> bytes:
    """Return who acted, as far as the leaf says it in a way that can be counted."""
    match content:
        case Act():
            return content.who
        case Delivery():
            return content.device
        case Reading() | Alarm():
            return content.person
        case _:
            return b""


# what is hashed


def commitment(salt: bytes, content: bytes) -> bytes:
    """Return the digest that stands in the ledger for a salted content."""
    return hashlib.sha256(salt + content).digest()


def leaf_hash(action: str, digest: bytes) -> bytes:
    """Return the hash of a leaf in the tree: over its action and its content's salted digest."""
    return merkle.leaf_hash(encode((action, digest)))


# checkpoints on the wire


class CheckpointAsk(msgspec.Struct, frozen=True, array_like=True):
    """Ask for the newest checkpoint, and for the proof that it grew out of the one of this size; 0 for none."""

    since: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


class CheckpointAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The signed note, the proof of consistency, and where the asking device's own feeds ended.

    The proof is empty where the asked size is not smaller.
    """

    note: Annotated[bytes, Meta(max_length=MAX_NOTE_BYTES)]
    proof: Annotated[tuple[Bytes32, ...], Meta(max_length=128)]
    feeds: tuple[FeedProof, ...]


# leaves on the wire


class Begin(msgspec.Struct, frozen=True, array_like=True):
    """Where the leaves of a time begin: after so many, with the tree's peaks then.

    The note is that of the last checkpoint of before that time, for who had no size of their own to begin at; it and
    the peaks are empty where the leaves begin with the ledger.
    """

    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    note: Annotated[bytes, Meta(max_length=MAX_NOTE_BYTES)]
    peaks: Annotated[bytes, Meta(max_length=64 * merkle.HASH_BYTES)]


class LeavesAsk(msgspec.Struct, frozen=True, array_like=True):
    """Ask for leaves of the own ledger: the next ones after a number, or, with a time, the first ones of a look.

    A look begins after the size that the device itself had proven before that time; None where it had proven none.
    """

    since: UnixTime | None
    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class ShownLeaf(msgspec.Struct, frozen=True, array_like=True):
    """A leaf; salt and content are empty once they were erased, and `digest` where they were not."""

    action: ActionName
    salt: Annotated[bytes, Meta(max_length=merkle.HASH_BYTES)]
    content: Annotated[bytes, Meta(max_length=MAX_CONTENT_BYTES)]
    digest: Annotated[bytes, Meta(max_length=merkle.HASH_BYTES)] = b""

    @property
    def hash(self) -> bytes:
        """Its hash in the tree; a digest counts only where there is nothing that it could be of."""
        return leaf_hash(self.action, commitment(self.salt, self.content) if self.content else self.digest)


class LeavesAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The next leaves without a gap, none where there are no more; `begin` answers who asked by a time."""

    leaves: Annotated[tuple[ShownLeaf, ...], Meta(max_length=MAX_LEAVES)]
    begin: Begin | None = None


# read records on the wire


class Read(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That a person opened sections of a version, as the person's device says and signs it."""

    record: Id16
    device: Id16
    digest: Bytes32
    slots: Annotated[int, Meta(ge=1, le=65_535)]
    time: UnixTime


class SignedRead(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A `Read` in its canonical bytes, and the device's signature."""

    read: Annotated[bytes, Meta(max_length=256)]
    signature: Bytes64


class Reads(msgspec.Struct, frozen=True, array_like=True):
    """Read records that a device hands in; those that the server has already are passed over."""

    reads: Annotated[tuple[SignedRead, ...], Meta(max_length=MAX_READS)]


def read_message(read: bytes) -> bytes:
    """Return what a device signs."""
    return READ_LABEL + read


def check_read(signed: SignedRead, device: bytes, key: bytes) -> Read:
    """Return a read record that this device signed.

    Raises:
        Invalid: `bad_signature`, `malformed` or `not_canonical`.

    """
    read = decode(Read, signed.read, "read")
    verify(key, signed.signature, read_message(signed.read), "read")
    if read.device != device:
        raise Invalid("bad_signature", "read")
    return read
