"""The author section, and the plaintext of sections as arrays.

The other sections come from the form; this one is made by the device, because it says who and with what.
Source: docs/protocol.md section 3.

> INVARIANT: nobody outside the own agency is given more of an author than function and alias, unless a cell says so.
> INVARIANT: a sealed section has no name; the excerpt has it that a grant gives to who is to know the author.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from sluss_client import crypto
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import Kid, PersonId
from sluss_schemas.manifest import Bytes32, Bytes64, Id16, UnixTime

_ARRAY: Final = 0x90
"""First byte of a short array in MessagePack, less its length."""


class AuthorSection(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The full author section: who, with which device, signed; `extra` is what a form moved here."""

    function: Annotated[str, Meta(max_length=32)]
    alias: Annotated[str, Meta(max_length=32)]
    person: Id16
    device: Id16
    salt: Bytes32
    signature: Bytes64
    recorded_at: UnixTime
    extra: msgspec.Raw


class NamedAuthor(AuthorSection, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An author section in an excerpt, with the name that the own agency's roster has."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]


class AuthorBrief(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What other agencies get: a function and a stable alias."""

    function: Annotated[str, Meta(max_length=32)]
    alias: Annotated[str, Meta(max_length=32)]


def read_author(data: bytes) -> AuthorSection:
    """Return an author section as it was sealed, or a named one as a grant gave it.

    Raises:
        Invalid: what `codec.decode` raises.

    """
    named = len(AuthorSection.__struct_fields__) + _ARRAY < data[0] if data else False
    return decode(NamedAuthor if named else AuthorSection, data, "author")


def in_excerpt(section: AuthorSection, extra: object, name: str) -> bytes:
    """Return the plaintext of an author section's excerpt: with this beside the author, and the name unless empty."""
    values = [*msgspec.structs.astuple(section)[: len(AuthorSection.__struct_fields__) - 1], extra]
    return encode([*values, name] if name else values)


def author_ref(salt: bytes, device: Kid) -> bytes:
    """Return the 16 bytes by which the manifest refers to its author without naming them."""
    return crypto.mac(salt, device)[:16]


def contributor(count_key: bytes, person: PersonId, iso_week: str) -> bytes:
    """Return the 8 bytes by which one person's reports of one week can be told to be one person's.

    Nothing without a count key: whoever files before the roster has reached them counts as one and the same.
    """
    return crypto.mac(count_key, person + iso_week.encode())[:8] if count_key else b""


def plaintext(array: object) -> bytes:
    """Return the plaintext of a section's array."""
    return encode(array)
