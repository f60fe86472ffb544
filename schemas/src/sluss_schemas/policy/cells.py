"""The notation of one cell of the policy table, and what it means for one cell to be wider than another.

For: reading `T:L11,L13 / B:L01,L09` into its parts, and comparing two readings.
Refuses: a code that is not written exactly as the tables write it, so that a rule has one spelling.

> INVARIANT: what parses writes back to the same text.

Source: docs/secrecy-rules.md, codes of B5.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final, Literal

import msgspec

from sluss_schemas.ids import Column, Compartment, Sector, kind_code
from sluss_schemas.problems import Invalid

Automatic = Literal["O", "A", "R", "P", "G", "D", "X", "N"]
AS_CONTENT: Final = "as-content"
"""Stands for the gateways of what an attachment shows: those of the row's subject compartment."""

# From nothing at all to everything. "N" is below "X" because a thing never collected cannot even be stolen.
REACH: Final[dict[Automatic, int]] = {"N": 0, "X": 1, "D": 2, "G": 3, "P": 4, "R": 5, "A": 6, "O": 7}

_GATEWAYS: Final = r"L[0-9]{2}(?:,L[0-9]{2})*"
_PART: Final = re.compile(
    rf"(?P<automatic>[OARPGDXN])|T:(?P<duties>{_GATEWAYS})|B:(?P<gateways>{_GATEWAYS}|{AS_CONTENT})"
)
# These close or open a cell for good; a duty or gateway beside them would contradict them.
_ALONE: Final = frozenset("ODXN")


class PackRefused(Invalid):
    """A pack that may not be used; `field` names the cell or table that is wrong."""

    def __init__(self, where: str, say: str) -> None:
        """Build the refusal of a pack at `where`, for instance `K16.HLT.SIT.POL`."""
        super().__init__("pack_refused", where, say)


class Notation(msgspec.Struct, frozen=True):
    """The parts of one cell's code."""

    automatic: Automatic | None
    duties: tuple[str, ...]
    gateways: tuple[str, ...]
    as_content: bool


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of the pack: a kind, an owner, a compartment and a column.

    Attributes:
        rule_id: `K01.SEC.SIT.POL`.
        code: as the table writes it, for instance `T:L11 / B:L01,L17`.
        automatic: what happens without anybody deciding; None where only duties and gateways stand.
        duties: gateway codes after `T:`.
        gateways: gateway codes after `B:`; for `as_content` those of the row's subject compartment.
        as_content: whether the code says `B:as-content`.
        why: the reason, in English.
        why_sv: the reason, in Swedish.
        law: statutes in short form, for instance `OSL 26:1`.

    """

    rule_id: str
    code: str
    automatic: Automatic | None
    duties: tuple[str, ...]
    gateways: tuple[str, ...]
    as_content: bool
    why: str
    why_sv: str
    law: tuple[str, ...]


def rule_id(kind: int, owner: Sector, compartment: Compartment, column: Column) -> str:
    """Return the name of a cell, `K01.SEC.SIT.POL`."""
    return f"{kind_code(kind)}.{owner}.{compartment}.{column}"


def parse(code: str, where: str) -> Notation:
    """Read a cell's code.

    Raises:
        PackRefused: the code does not parse, or says two things at once; `field` is `where`.

    """
    read = _read(code)
    if isinstance(read, str):
        raise PackRefused(where, read)
    return read


@lru_cache(1024)
def _read(code: str) -> Notation | str:
    """Return a code's parts, or what is wrong with it; a pack says the same few codes thousands of times."""
    automatic: Automatic | None = None
    duties: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    as_content = False
    seen: set[str] = set()
    parts = code.split(" / ")
    for part in parts:
        match = _PART.fullmatch(part)
        if match is None:
            return f"Write one of the codes of the secrecy page, not {code!r}."
        field = str(match.lastgroup)
        if field in seen:
            return f"Give each cell one code; {code!r} says the same thing twice."
        seen.add(field)
        if field == "automatic":
            automatic = msgspec.convert(part, Automatic)
        elif field == "duties":
            duties = tuple(part[2:].split(","))
        elif part[2:] == AS_CONTENT:
            as_content = True
        else:
            gateways = tuple(part[2:].split(","))
    if automatic in _ALONE and len(parts) > 1:
        return f"Give the cell one code; {automatic} stands alone, {code!r} does not."
    if any(len(set(codes)) != len(codes) for codes in (duties, gateways)):
        return f"Name each gateway once in {code!r}."
    return Notation(automatic, duties, gateways, as_content)


def written(read: Notation, duties: Collection[str], gateways: Collection[str]) -> str:
    """Return the code of a cell with other duties and gateways; `D` where nothing is left."""
    parts = [] if read.automatic is None else [str(read.automatic)]
    if duties:
        parts.append("T:" + ",".join(sorted(duties)))
    if read.as_content:
        parts.append("B:" + AS_CONTENT)
    elif gateways:
        parts.append("B:" + ",".join(sorted(gateways)))
    return " / ".join(parts) or "D"


def grounds_of(read: Notation) -> frozenset[str]:
    """Return every ground that a cell's code names."""
    return frozenset((*read.duties, *read.gateways))


def reach(cell: Cell) -> int:
    """Return how far a cell goes without a decision; a duty, once told, tells everything, like `A`."""
    if cell.duties:
        return REACH["A"]
    return REACH[cell.automatic or "D"]


def grounds(cell: Cell) -> frozenset[str]:
    """Return every gateway and duty through which the cell may open."""
    return frozenset((*cell.duties, *cell.gateways))


def wider(new: Cell, old: Cell) -> bool:
    """Tell whether `new` lets anything through that `old` does not: more by itself, or by one more ground."""
    return REACH[new.automatic or "D"] > REACH[old.automatic or "D"] or not grounds(new) <= grounds(old)


def within_base(cell: Cell, old: Cell, base: Cell | None) -> bool:
    """Tell whether a cell closed by policy was opened no further than the base row allows."""
    if old.automatic != "D" or base is None:
        return False
    if base.automatic == "D":
        return not grounds(cell) and cell.automatic in {"A", "R", "P", "G"}
    return not wider(cell, base)
