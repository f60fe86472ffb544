"""The terms of an agreement between agencies: what its heads sign, and what terms have to be to mean anything.

An agreement opens parts that the policy alone keeps closed, for as long as it lasts and for nobody but its parties.
Whether the statute leaves a part to policy is the pack's to say (`policy/agreements.py`); this module knows no pack.
Refuses terms that are in force without an end, or that give a part to somebody who has not signed.
Source: docs/protocol.md section 2, docs/secrecy-rules.md B7 6 and 7.

> INVARIANT: terms have one spelling, so that two parties have agreed exactly when their bytes are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import Compartment
from sluss_schemas.manifest import U16, Bytes64, Id16, UnixTime
from sluss_schemas.problems import Invalid
from sluss_schemas.signing import AGREEMENT_LABEL

MAX_TERMS_BYTES: Final = 32 * 1024
LONGEST_S: Final = 5 * 366 * 86_400
"""What is agreed is looked at again: no agreement lasts longer than five years."""


class TermsCell(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One part that is opened: of the owner's reports of a kind, to the receiver's field staff, in this form."""

    kind: Annotated[int, Meta(ge=1, le=255)]
    owner: Id16
    compartment: Compartment
    receiver: Id16
    code: Literal["A", "R", "P", "G"]


class Terms(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is agreed.

    Attributes:
        agreement: random id.
        parties: the agencies, sorted.
        cells: what is opened, sorted, each part once.
        scenes: where, sorted; None for every scene of the partnership.
        purpose: what for; names nobody.
        owner: who looks after the agreement and is warned before it ends: a function, or an alias.
        not_before: the first second in force.
        not_after: the first second no longer in force.

    """

    agreement: Id16
    parties: Annotated[tuple[Id16, ...], Meta(min_length=2, max_length=16)]
    cells: Annotated[tuple[TermsCell, ...], Meta(min_length=1, max_length=400)]
    scenes: Annotated[tuple[U16, ...], Meta(min_length=1, max_length=1024)] | None
    purpose: Annotated[str, Meta(min_length=1, max_length=500)]
    owner: Annotated[str, Meta(min_length=1, max_length=120)]
    not_before: UnixTime
    not_after: UnixTime


class AgreementSigned(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Takes part in an agreement: the terms in their canonical bytes, signed by a device of a head of the agency."""

    terms: Annotated[bytes, Meta(min_length=1, max_length=MAX_TERMS_BYTES)]
    head: Id16
    signature: Bytes64


class AgreementEnd(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ends the own part in an agreement, for a while or for good, or takes it up again after a while."""

    agreement: Id16
    state: Literal["suspended", "terminated", "resumed"]


def read_terms(data: bytes, field: str = "terms") -> Terms:
    """Return terms from their canonical bytes.

    Raises:
        Invalid: `malformed` or `not_canonical`.

    """
    return decode(Terms, data, field, limit=MAX_TERMS_BYTES)


def terms_message(data: bytes) -> bytes:
    """Return what a head of agency signs."""
    return AGREEMENT_LABEL + hashlib.sha256(data).digest()


def place_of(cell: TermsCell) -> tuple[int, bytes, str, bytes]:
    """Return which part a cell opens to whom; terms have each once, in the order of this."""
    return cell.kind, cell.owner, cell.compartment, cell.receiver


def terms_bytes(terms: Terms) -> bytes:
    """Return the canonical bytes of terms."""
    return encode(terms)


def check_terms(terms: Terms, agency: bytes, time: int, field: str) -> None:
    """Return quietly if an agency may sign these terms at this time.

    Raises:
        Invalid: `directory_refused`.

    """
    for holds, say in (
        (agency in terms.parties, "The agency is no party of the agreement."),
        (_sorted(terms.parties), "Parties are sorted and named once."),
        (_sorted([place_of(cell) for cell in terms.cells]), "Parts are sorted and named once."),
        (terms.scenes is None or _sorted(terms.scenes), "Scenes are sorted and named once."),
        (
            all({cell.owner, cell.receiver} <= set(terms.parties) for cell in terms.cells),
            "A part is opened by a party to a party.",
        ),
        (all(cell.owner != cell.receiver for cell in terms.cells), "Nobody opens a part to themselves."),
        (
            terms.not_before < terms.not_after and terms.not_after - terms.not_before <= LONGEST_S,
            "An agreement begins, and ends within five years.",
        ),
        (time < terms.not_after, "The agreement was over before it was signed."),
    ):
        if not holds:
            raise Invalid("directory_refused", field, say)


def _sorted(given: Sequence[Any]) -> bool:
    return all(one < other for one, other in pairwise(given))
