"""Case records: small signed structures around a report, each creatable without a network.

`Open` and `Countersign` act on the server alone; every other kind is a `Case`: what the server has to enforce stands in
clear, the rest is sealed to its addressees.
`Raised` is the one record that no device files: the server opens a task with it.
`RULES` says of each kind who files it, to whom it may go and what it may follow; `cases.py` says what state a chain of
them is in.
Source: docs/protocol.md section 4.

> INVARIANT: what a person wrote is in the sealed body, in a note that was released or in a title or a label of a
> statement; nothing else here is free text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sluss_schemas import signing
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import Function
from sluss_schemas.manifest import Bytes32, Bytes64, Id16, SlotNumber, UnixTime
from sluss_schemas.problems import Invalid

MAX_BODY_BYTES: Final = 40_000
MAX_ADDRESSEES: Final = 32
PUBLIC_TEXT: Final = "public_text"
"""The code of a request to approve a text before it is released."""


class Open(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="open"):
    """A supervisor opens a row of the own agency: for a task, or for a reason that is sealed to the supervisors.

    Exactly one of `task` and `reason` is there.
    """

    record: Id16
    digest: Bytes32
    device: Id16
    time: UnixTime
    task: Id16 | None
    reason: Annotated[bytes, Meta(min_length=1, max_length=8192)] | None


class Countersign(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="countersign"):
    """A supervisor of the own agency takes a version out of quarantine: it counts from now on as if just received."""

    record: Id16
    digest: Bytes32
    device: Id16
    time: UnixTime


class CaseKind(StrEnum):
    """What a case record is."""

    TASK = "task"
    DONE = "done"
    REQUEST = "request"
    ANSWER = "answer"
    CONSENT = "consent"
    ORAL = "oral_disclosure"
    FEEDBACK = "feedback"
    PROPOSAL = "proposal"
    APPROVAL = "approval"
    REVIEW = "review"
    RECALL = "recall"
    CONFIRM = "confirm"
    DISPUTE = "dispute"
    NOTE = "note"
    RECLASSIFY = "reclassify"
    SHIFT = "shift"
    PLACES = "places"
    HOLD = "hold"
    STATEMENT = "statement"


class RecordSeal(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The key of a record's body for one addressee: an audience's epoch or a device, by its KEM key id."""

    kid: Id16
    seal: Annotated[bytes, Meta(min_length=1168, max_length=1168)]


class Case(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="case"):
    """A case record of one of the `CaseKind`s.

    Attributes:
        record: its id, random.
        kind: what it is.
        device: the device that files and signs it.
        time: when it was made.
        digest: D of the version that it is about; only where the own agency owns that.
        follows: the record, or for `recall`, `confirm`, `review` and `dispute` the grant, that it continues.
        code: a state, an answer or a gateway's code, in clear; see `RULES`.
        until: its clock: when a task is due, when a consent, a note or a shift ends.
        terms: what the server has to know besides, by kind: `ConsentTerms`, `NoteTerms`, `ShiftTerms`, `AnswerTerms`,
            or what a statement says (`statements.py`); else empty.
        seals: the body's key for each addressee.
        body: the sealed plaintext, under `body_context`; empty where nobody is addressed.

    """

    record: Id16
    kind: CaseKind
    device: Id16
    time: UnixTime
    digest: Bytes32 | None
    follows: Id16 | None
    code: Annotated[str, Meta(max_length=40)]
    until: UnixTime | None
    terms: Annotated[bytes, Meta(max_length=16_384)]
    seals: Annotated[tuple[RecordSeal, ...], Meta(max_length=MAX_ADDRESSEES)]
    body: Annotated[bytes, Meta(max_length=MAX_BODY_BYTES)]


Record = Open | Countersign | Case
"""What devices file."""


class Raised(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="raised"):
    """A task that the server opened, by an alarm in the ledger or because a log review is due; its key signs it.

    Attributes:
        record: the first half of the SHA-256 of what the alarm's leaf says, or of the period to review.
        agency: whose ledger and whose supervisors.
        code: the alarm's, or that of a log review.
        person: whom it is about, nobody where it is a log review; anybody else of the supervisors ends it.
        since: when the hour of the alarm, or the period to review, began.
        count: how many were opened within it.
        time: when the alarm was raised, or the period ended.
        until: when the task is due.

    """

    record: Id16
    agency: Id16
    code: Annotated[str, Meta(max_length=40)]
    person: Id16
    since: UnixTime
    count: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    time: UnixTime
    until: UnixTime


class ConsentTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a consent covers: receiving agencies, slots, and from when; until when is the record's `until`."""

    agencies: Annotated[tuple[Id16, ...], Meta(min_length=1, max_length=16)]
    slots: Annotated[tuple[SlotNumber, ...], Meta(min_length=1, max_length=16)]
    not_before: UnixTime


class NoteTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A releasable statement in clear, for readers without keys; `partner` names one where it is not for everybody.

    `slots` are the parts of the report that it draws on, whose cells have to let them go to `column` by a note.
    `approval` is the answer by which another agency approved this text, where the pack asks for that; `ground` is the
    gateway on which it goes to the one reader whom that names.
    """

    column: Literal["SUPX", "EXT", "PUB"]
    partner: Annotated[str, Meta(max_length=64)]
    slots: Annotated[tuple[SlotNumber, ...], Meta(min_length=1, max_length=16)]
    lang: Literal["en", "sv"]
    text: Annotated[str, Meta(min_length=1, max_length=4000)]
    approval: Id16 | None = None
    ground: Annotated[str, Meta(max_length=8)] = ""


class AnswerTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What was affirmed before a request of a kind of its own was granted, by the pack's codes."""

    affirmed: Annotated[tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=16)]


class TextTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Which text an answer to a request of the code `public_text` approves, as `text_digest` has it."""

    digest: Bytes32


class ShiftTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The scene that a shift is at."""

    scene: Annotated[int, Meta(ge=1, le=65_535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for one kind of case record.

    Attributes:
        files: functions of the own agency that may file it; a supervisor may file what field files.
        to: functions of the own agency that it may be sealed to.
        across: whether it may be sealed to other agencies' audiences and devices too.
        follows: the kinds it may follow; `grant` for a grant's id; empty where it begins something.
        codes: the codes it may have; empty where the code is a gateway's of the pack in force, or free of meaning.
        about: whether it names a version of the own agency (D).

    """

    files: tuple[Function, ...] = ("field", "supervisors", "reception")
    to: tuple[Function, ...] = ("supervisors",)
    across: bool = False
    follows: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    about: bool = False


_ALL: Final[tuple[Function, ...]] = ("field", "supervisors", "reception")

RULES: Final[dict[CaseKind, Rule]] = {
    CaseKind.TASK: Rule(to=_ALL, about=True),
    CaseKind.DONE: Rule(to=_ALL, follows=("task",), codes=("sent", "no", "oral", "done")),
    CaseKind.REQUEST: Rule(to=_ALL, across=True),
    CaseKind.ANSWER: Rule(to=_ALL, across=True, follows=("request",), codes=("granted", "refused")),
    CaseKind.CONSENT: Rule(
        to=_ALL, follows=("consent",), codes=("given", "limited", "withdrawn", "invalid"), about=True
    ),
    CaseKind.ORAL: Rule(about=True),
    CaseKind.FEEDBACK: Rule(
        files=("reception", "supervisors"), to=_ALL, across=True, codes=("opened", "not_opened", "ongoing")
    ),
    CaseKind.PROPOSAL: Rule(to=_ALL, about=True),
    CaseKind.APPROVAL: Rule(to=_ALL, follows=("proposal",), codes=("approved", "refused")),
    CaseKind.REVIEW: Rule(files=("supervisors",), to=_ALL, follows=("grant",), codes=("upheld", "not_upheld")),
    CaseKind.RECALL: Rule(to=_ALL, across=True, follows=("grant",), codes=("recalled", "corrected", "withdrawn")),
    CaseKind.CONFIRM: Rule(to=_ALL, across=True, follows=("recall",)),
    CaseKind.DISPUTE: Rule(to=_ALL, across=True, follows=("grant",), codes=("disputed", "settled")),
    CaseKind.NOTE: Rule(files=("supervisors",), follows=("note",), codes=("", "withdrawn"), about=True),
    # A confirmation follows, may come from another agency, and names no version.
    CaseKind.RECLASSIFY: Rule(
        to=_ALL, across=True, follows=("reclassify",), codes=("protected", "unprotected"), about=True
    ),
    CaseKind.SHIFT: Rule(to=_ALL, follows=("shift",), codes=("", "ended")),
    CaseKind.PLACES: Rule(files=("supervisors",), to=_ALL, across=True, codes=("protected", "public")),
    CaseKind.HOLD: Rule(files=("supervisors",), follows=("hold",), codes=("placed", "lifted"), about=True),
    CaseKind.STATEMENT: Rule(
        files=("supervisors",), to=(), follows=("statement",), codes=("scene", "objective", "staffing", "stock")
    ),
}
"""What holds for each kind of case record."""


class SignedRecord(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A record's bytes with the signature of the device that it names."""

    record: Annotated[bytes, Meta(max_length=131_072)]
    signature: Bytes64


def read_record(data: bytes) -> Record:
    """Return the record of canonical bytes.

    Raises:
        Invalid: what `codec.decode` raises; `malformed` for seals that are not in the order of their key ids, or a body
            without a seal, or the other way about.

    """
    record: Record = decode(Record, data, "record")  # type: ignore[arg-type]  # a union is no class
    if isinstance(record, Case):
        kids = [seal.kid for seal in record.seals]
        if kids != sorted(set(kids)) or bool(kids) != bool(record.body):
            raise Invalid("malformed", "record.seals")
    return record


def read_raised(data: bytes) -> Raised | None:
    """Return a task that the server opened, or None for a record of another tag or form."""
    try:
        return decode(Raised, data, "record")
    except Invalid:
        return None


def record_message(data: bytes) -> bytes:
    """Return what the device signs."""
    return signing.RECORD_LABEL + hashlib.sha256(data).digest()


def record_digest(data: bytes) -> bytes:
    """Return the digest by which a record is answered and delivered."""
    return hashlib.sha256(data).digest()


def text_digest(digest: bytes, until: int, terms: NoteTerms) -> bytes:
    """Return what stands for a note as it would be released: of which version, until when, to whom, and every word."""
    bare = msgspec.structs.replace(terms, approval=None)
    return hashlib.sha256(encode((digest, until, encode(bare)))).digest()


def body_context(record: bytes) -> bytes:
    """Return the context under which a record's body is encrypted (Cobblestone), by its id."""
    return b"sluss/record/body" + record


def seal_info(record: bytes, kid: bytes) -> bytes:
    """Return the HPKE info under which the body's key (32 bytes) is sealed to an addressee."""
    return b"sluss/record/seal" + record + kid
