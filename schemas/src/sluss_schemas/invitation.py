"""The code that a new device is given: as text to type, or in a QR code.

It carries a secret that the server never sees for a colleague's device; a founding code is made by the server's
operator and used once, on the device that founds an agency.
Source: docs/protocol.md section 2.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from sluss_schemas import spoken
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.manifest import Bytes32, Id16
from sluss_schemas.problems import Invalid

PREFIX: Final = "SLUSS1"


class Code(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the code says; `founding` has the slug and sector to found and no root yet, `root` is its fingerprint."""

    server: Annotated[str, Meta(max_length=300)]
    partnership: Id16
    invite: Id16
    secret: Id16
    agency: Id16 | None
    root: Bytes32 | None
    founding: tuple[str, Literal["POL", "SOC", "SEC", "MUN", "HLT"], bool, bytes] | None
    """(slug, sector, holds the scene registry, the server's checkpoint key) for a founding code."""


def write_code(code: Code) -> str:
    """Return the code as text: groups of eight that can be read aloud, with a checksum."""
    return spoken.write(PREFIX, encode(code))


def read_code(text: str) -> Code:
    """Return what a code says, however it was spaced or cased.

    Raises:
        Invalid: `damaged_code`.

    """
    data = spoken.read(PREFIX, text)
    try:
        return decode(Code, data, "code")
    except Invalid:
        raise Invalid("damaged_code", "code", "Update this program: the code is of another version.") from None
