"""What stands in the sealed bodies of case records, one array for each.

Refuses: a body that is not of the form given here; whoever sealed it to this device may have made a mistake.
Source: docs/protocol.md section 4.

> INVARIANT: what a person wrote is in a body sealed to its addressees, never in clear.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from msgspec import Meta

from sluss_client.errors import Invalid
from sluss_schemas.codec import Document, decode
from sluss_schemas.manifest import Bytes32, Id16, UnixTime

MAX_TEXT: Final = 4000
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
T = TypeVar("T", bound=Document)


class Words(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Why something was done."""

    text: Text


class About(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Which report a record is about, for those who may know it, and what is said of it."""

    report_id: Id16
    text: Text


class Asked(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What somebody asks an owner for; a report only where the one who asks has it."""

    report_id: Id16 | None
    text: Text


class Answered(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The owner's answer, with the rule that it rests on."""

    rule: Annotated[str, Meta(max_length=200)]
    text: Text


class Consented(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A consent as it was given: about which report, for what, and by whom."""

    report_id: Id16
    purpose: Text
    given_by: tuple[Annotated[str, Meta(max_length=16)], ...]


class Weighed(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the owner weighed before it granted a request of a kind of its own, for its supervisors."""

    rule: Annotated[str, Meta(max_length=200)]
    affirmed: tuple[Annotated[str, Meta(max_length=40)], ...]
    text: Text


class Details(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What whoever asked is told: coded fields, each once."""

    rule: Annotated[str, Meta(max_length=200)]
    details: tuple[tuple[Annotated[str, Meta(max_length=40)], Annotated[str, Meta(max_length=200)]], ...]


class PublicText(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A note as it would be released, for those who approve its words: of which version, until when, and its terms."""

    digest: Bytes32
    until: UnixTime
    terms: Annotated[bytes, Meta(max_length=16_384)]


class Told(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What was told by word of mouth: to whom, when, and what."""

    report_id: Id16
    to: Annotated[str, Meta(max_length=200)]
    at: UnixTime
    text: Text


def read(type_: type[T], data: bytes) -> T | None:
    """Return a body, or None for one that is not of this form."""
    try:
        return decode(type_, data, "body")
    except Invalid:
        return None


def text(value: str, field: str, *, needed: bool = True) -> str:
    """Return a text that may stand in a body.

    Raises:
        Invalid: `missing_field`, `too_long`.

    """
    if needed and not value.strip():
        raise Invalid("missing_field", field)
    if len(value) > MAX_TEXT:
        raise Invalid("too_long", field)
    return value
