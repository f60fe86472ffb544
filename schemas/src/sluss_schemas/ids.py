"""Identifiers and the fixed orders that everything else counts on.

A number here is part of the protocol: an order in this module never changes, it only grows at its end.
Source: docs/protocol.md section 3, docs/secrecy-rules.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NewType

Kid = NewType("Kid", bytes)
"""16 bytes: the first half of SHA-256 over a raw public key."""
AgencyId = NewType("AgencyId", bytes)
"""16 bytes: the first half of SHA-256 over an agency's genesis entry."""
AudienceId = NewType("AudienceId", bytes)
"""16 random bytes, internal to an agency."""
PersonId = NewType("PersonId", bytes)
"""16 random bytes; a name stands only in a sealed roster."""
ReportId = NewType("ReportId", bytes)
"""16 random bytes; never time-ordered, because an ordered id would tell what the coarse time hides."""
GrantId = NewType("GrantId", bytes)
"""16 random bytes."""
Digest = NewType("Digest", bytes)
"""32 bytes of SHA-256."""

ID_BYTES: Final = 16
DIGEST_BYTES: Final = 32
NO_GRANT: Final = GrantId(bytes(ID_BYTES))
"""The grant id that base seals and base wraps carry."""

Sector = Literal["POL", "SOC", "SEC", "MUN", "HLT"]
Function = Literal["field", "supervisors", "reception"]
Compartment = Literal["SIT", "PLC", "SUB", "CAR", "ENF", "SAF", "AUT", "ATT"]
Column = Literal["POL", "SOC", "SEC", "MUN", "HLT", "SUP", "SUPX", "EXT", "PUB"]

SECTORS: Final[tuple[Sector, ...]] = ("POL", "SOC", "SEC", "MUN", "HLT")
COLUMNS: Final[tuple[Column, ...]] = (*SECTORS, "SUP", "SUPX", "EXT", "PUB")
FUNCTIONS: Final[tuple[Function, ...]] = ("field", "supervisors", "reception")
COMPARTMENTS: Final[tuple[Compartment, ...]] = ("SIT", "PLC", "SUB", "CAR", "ENF", "SAF", "AUT", "ATT")
COMPARTMENT_NAMES: Final[dict[Compartment, str]] = {
    "SIT": "situation",
    "PLC": "place",
    "SUB": "subject",
    "CAR": "care",
    "ENF": "enforcement",
    "SAF": "safety",
    "AUT": "author",
    "ATT": "attachments",
}
COMPARTMENT_CODES: Final[dict[str, Compartment]] = {name: code for code, name in COMPARTMENT_NAMES.items()}
AGENCY_SLUGS: Final[dict[Sector, str]] = {
    "POL": "police",
    "SOC": "social_services",
    "SEC": "security",
    "MUN": "municipality",
    "HLT": "health",
}
AGENCY_SECTORS: Final[dict[str, Sector]] = {slug: sector for sector, slug in AGENCY_SLUGS.items()}

SLOTS: Final = 16
FACT_TIERS: Final = 2
KIND_SECRET: Final = 0
"""The clear kind of a report whose existence is itself secret."""
KINDS: Final = range(1, 20)
NO_SCENE: Final = 0
"""The scene number that stands for no scene; real scenes count from 1."""


def slot(compartment: Compartment, *, brief: bool = False) -> int:
    """Return the slot number 0-15 of a compartment's full or brief section."""
    return 2 * COMPARTMENTS.index(compartment) + int(brief)


def bit(compartment: Compartment, *, brief: bool = False) -> int:
    """Return the bitmap with just the slot of a compartment's full or brief section set."""
    return 1 << slot(compartment, brief=brief)


def slot_name(number: int) -> tuple[str, Literal["full", "brief"]]:
    """Return the compartment's written name and the form that a slot number 0-15 stands for."""
    return COMPARTMENT_NAMES[COMPARTMENTS[number // 2]], "brief" if number % 2 else "full"


def slots_of(bitmap: int) -> Iterator[int]:
    """Yield the slot numbers whose bits are set, lowest first."""
    return (number for number in range(SLOTS) if bitmap >> number & 1)


def bitmap_of(numbers: Iterable[int]) -> int:
    """Return the bitmap in which exactly these slot numbers are set."""
    bitmap = 0
    for number in numbers:
        bitmap |= 1 << number
    return bitmap


def kind_code(kind: int) -> str:
    """Return `K01` for 1, as the policy tables write it."""
    return f"K{kind:02d}"


def kid_of(public_key: bytes) -> Kid:
    """Return the key id of raw public key bytes (docs/protocol.md, notation)."""
    return Kid(hashlib.sha256(public_key).digest()[:ID_BYTES])
