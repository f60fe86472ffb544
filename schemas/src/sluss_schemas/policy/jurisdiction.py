"""What every policy pack of a jurisdiction has to keep, as data that stands apart from its packs.

For: the bounds that `invariants.py` holds a pack to: which kind is protected and from whom, whose sight may not go
    beyond whose, which ground belongs to whom, and which grounds exist only between authorities.
Refuses: a jurisdiction that nobody described; without its bounds no pack of it is read.

> INVARIANT: a pack names its jurisdiction and cannot say anything about its bounds. They are another file, shipped
> and reviewed by itself, so that the author of a pack cannot loosen what the pack is held to.

Source: docs/secrecy-rules.md B5.4.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Final

import msgspec

from sluss_schemas.ids import Column, Compartment, Sector
from sluss_schemas.policy.cells import PackRefused

Find = Callable[[str], bytes | None]
"""Gives the bytes of a file beside the packs by its name, or None."""
_ID: Final = re.compile(r"[A-Z]{2}")


class Protected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """I1: a kind of report that is closed for good to some columns, in every compartment."""

    kind: str
    closed_to: tuple[Column, ...]
    law: tuple[str, ...]


class Within(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """I4: one column may see no more than another, of what these owners write."""

    column: Sector
    limit: Sector
    owners: tuple[Sector, ...]
    law: tuple[str, ...]
    say: str


class Between(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """I6: grounds that exist only between public authorities, and who is therefore never at either end of them."""

    grounds: tuple[str, ...]
    never: tuple[Sector, ...]
    law: tuple[str, ...]


class Jurisdiction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bounds of one jurisdiction's packs.

    Attributes:
        id: two letters, as the packs name it.
        en: name in English.
        sv: name in Swedish.
        protected: kinds that are closed for good to some (I1).
        outside: columns that stand outside the agencies (I2).
        person: compartments about a person (I2 and I3).
        counts_only: columns that get counts of those compartments at most (I3).
        within: whose sight stays within whose (I4).
        owned: the grounds that belong to some owners only (I5).
        between: the grounds that exist only between authorities (I6).

    """

    id: str
    en: str
    sv: str
    protected: tuple[Protected, ...]
    outside: tuple[Column, ...]
    person: tuple[Compartment, ...]
    counts_only: tuple[Column, ...]
    within: tuple[Within, ...] = ()
    owned: dict[str, tuple[Sector, ...]] = {}
    between: tuple[Between, ...] = ()


def of(name: str, find: Find) -> Jurisdiction:
    """Return the bounds of a jurisdiction.

    Raises:
        PackRefused: nobody described it, or the description is damaged.

    """
    data = find(f"{name}.jurisdiction.toml") if _ID.fullmatch(name) else None
    if data is None:
        raise PackRefused("jurisdiction", f"Describe the jurisdiction {name!r} first; its packs have no bounds.")
    try:
        found = msgspec.convert(tomllib.loads(data.decode()), Jurisdiction)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PackRefused("jurisdiction", f"Correct the jurisdiction's file: {error}.") from None
    if found.id != name:
        raise PackRefused("jurisdiction", f"The file of {name} describes {found.id}.")
    return found
