"""What an agreement can open: parts that the policy closes and the statute does not, and nothing else.

For: laying the parts that agreements open over a row of the pack, at every decision.
Refuses, part by part, what the pack does not leave to policy; so terms that go below the floor open nothing, whoever
signed them and whoever let them in.

> INVARIANT: a row with agreed parts in it keeps every invariant that the pack keeps.

Source: docs/secrecy-rules.md, code `D` of B5, B5.4 and B7 7.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from sluss_schemas.ids import Column, Compartment, Sector
from sluss_schemas.policy.answers import AgreedCell
from sluss_schemas.policy.cells import REACH, Cell, reach, within_base
from sluss_schemas.policy.model import Pack

Why = Literal[
    "unknown",
    "statute",
    "base",
    "person",
    "picture",
    "secret",
    "uncounted",
    "alias",
    "limit",
    "carrier",
    "place",
    "invariant",
]
"""Why a part cannot be opened by an agreement; the last three are about the agreement as a whole."""
Row = dict[Compartment, Cell]


def laid(pack: Pack, kind: int, owner: Sector, column: Sector, row: Row, agreed: Collection[AgreedCell]) -> Row:  # noqa: PLR0917  # a row's place
    """Return a row with the parts that are agreed open and can be; of two agreements the wider counts."""
    found = dict(row)
    for cell in agreed:
        if (cell.kind, cell.column) == (kind, column) and refused(pack, owner, cell, agreed) is None:
            new = opened(row[cell.compartment], cell)
            if reach(new) > reach(found[cell.compartment]):
                found[cell.compartment] = new
    return found


def opened(cell: Cell, agreed: AgreedCell) -> Cell:
    """Return a closed cell as an agreement opens it."""
    return msgspec.structs.replace(cell, code=agreed.code, automatic=agreed.code)


def refused(pack: Pack, owner: Sector, cell: AgreedCell, agreed: Collection[AgreedCell]) -> Why | None:
    """Return why a part cannot be opened, or None where it can; `agreed` is what else the owner opens."""
    kind, old = pack.kinds.get(cell.kind), pack.cells.get((cell.kind, owner, cell.compartment, cell.column))
    if kind is None or old is None:
        return "unknown"
    if old.automatic != "D":
        return "statute"
    base = pack.base.get((owner, cell.compartment, cell.column))
    for holds, why in (
        (cell.compartment in pack.bounds.person, "person"),
        (not within_base(opened(old, cell), old, base), "base"),
        # Nobody has looked what the pictures to come will show.
        (cell.compartment == "ATT" and cell.code == "A", "picture"),
        (not kind.clear, "secret"),
        (cell.code == "G" and not kind.counted, "uncounted"),
        (cell.code == "P" and cell.compartment != "AUT", "alias"),
        (_beyond_limit(pack, owner, cell, agreed), "limit"),
    ):
        if holds:
            return why  # type: ignore[return-value]  # one of the literals above
    return None


def _beyond_limit(pack: Pack, owner: Sector, cell: AgreedCell, agreed: Collection[AgreedCell]) -> bool:
    """Tell whether the receiver would see more than somebody to whom it goes on from there."""
    limits = [bound.limit for bound in pack.bounds.within if bound.column == cell.column and owner in bound.owners]
    return any(REACH[cell.code] > _limit(pack, owner, cell, column, agreed) for column in limits)


def _limit(pack: Pack, owner: Sector, cell: AgreedCell, column: Column, agreed: Collection[AgreedCell]) -> int:
    """Return how far another column sees the same part, by the pack or by an agreement in force."""
    known = pack.cells.get((cell.kind, owner, cell.compartment, column))
    if known is None:
        return 0
    given = [
        REACH[one.code]
        for one in agreed
        if (one.kind, one.compartment, one.column) == (cell.kind, cell.compartment, column)
        and refused(pack, owner, one, ()) is None
    ]
    return max(reach(known), REACH["D"], *given)
