"""Which cells of a table may be shown, so that what is hidden cannot be computed from what is shown.

Small numbers are hidden first; then the table is looked at as somebody would who knows every shown number exactly and
of the hidden ones only their limits, and more is hidden until each small number could be any small number.
A sum is no count: it is hidden where one report might be so much of it that another one's author could tell its number.
Refuses nothing: a table of which nothing may be shown has nothing shown.

The looking is the spreading of bounds over the families. It is exact where families meet in one cell only and form no
circle, which `catalogue.py` sees to: one total, and beneath it one family per dimension.

> INVARIANT: of each cell that has a need, the numbers that it might have, seen from outside, contain all that it needs.

Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sluss_server.aggregates.cells import Cell, Family


class Span(NamedTuple):
    """Everything from `low` to `high`; a bound may be infinite."""

    low: float
    high: float

    def contains(self, other: Span) -> bool:
        """Tell whether every number of the other is in this one."""
        return self.low <= other.low and other.high <= self.high


ANY_COUNT: Final = Span(0, math.inf)
"""What is known of a count that is not shown."""
NEAR_PER_CENT: Final = 10
"""Whoever could tell a number to within so much of it is taken to know it."""


def protect(
    families: Sequence[Family],
    values: Mapping[Cell, int],
    candidates: Collection[Cell],
    needs: Mapping[Cell, Span],
    limits: Mapping[Cell, Span] | None = None,
) -> frozenset[Cell]:
    """Return which of the candidates may be shown.

    Args:
        families: what adds up; a cell is a child in one family at most.
        values: the exact number of every cell.
        candidates: cells that are not small.
        needs: what each cell that is not to be known has to leave possible.
        limits: what anybody knows of a hidden cell; that it is a count, where nothing is said.

    """
    shown = set(candidates)
    limits = limits or {}
    while (offender := _offender(families, values, shown, needs, limits)) is not None:
        hidden = _next(families, values, shown, offender)
        if hidden is None:
            break
        shown.discard(hidden)
    return frozenset(shown)


def is_even(total: int, givers: int, most: int) -> bool:
    """Tell whether a sum says no single report's number, whatever the reports are.

    The p% rule: whoever wrote the second largest takes their own number away, and is left with the largest and all the
    others together. The single numbers are kept nowhere, so the reports are taken to be as uneven as they can be, each
    of the others at one.

    Args:
        total: the sum.
        givers: how many reports give anything of it.
        most: the largest number that a form takes.

    """
    largest = min(most, total - (givers - 1))
    second = min(most, total - (givers - 2) - largest)
    return givers > 1 and 100 * (total - largest - second) >= NEAR_PER_CENT * largest


def spans(
    families: Sequence[Family], values: Mapping[Cell, int], shown: Collection[Cell], limits: Mapping[Cell, Span]
) -> dict[Cell, Span]:
    """Return what every cell might be, for whoever knows the shown ones exactly."""
    found: dict[Cell, Span] = {}
    for family in families:
        for cell in (family.parent, *family.children):
            value = values.get(cell, 0)
            found[cell] = Span(value, value) if cell in shown else limits.get(cell, ANY_COUNT)
    whole = [family for family in families if family.children]
    moved = True
    while moved:
        moved = False
        for family in whole:
            moved = _tighten(family, found) or moved
    return found


def _tighten(family: Family, found: dict[Cell, Span]) -> bool:
    """Take in what one family says; tell whether anything became narrower."""
    parent = found[family.parent]
    lows = math.fsum(found[cell].low for cell in family.children)
    endless = sum(found[cell].high == math.inf for cell in family.children)
    highs = math.fsum(found[cell].high for cell in family.children if found[cell].high != math.inf)
    narrower = Span(max(parent.low, lows), parent.high if endless else min(parent.high, highs))
    moved = narrower != parent
    found[family.parent] = narrower
    for cell in family.children:
        span = found[cell]
        others_endless = endless - (span.high == math.inf)
        others_high = math.inf if others_endless else highs - (0 if span.high == math.inf else span.high)
        new = Span(max(span.low, narrower.low - others_high), min(span.high, narrower.high - (lows - span.low)))
        moved = moved or new != span
        found[cell] = new
    return moved


def _offender(
    families: Sequence[Family],
    values: Mapping[Cell, int],
    shown: Collection[Cell],
    needs: Mapping[Cell, Span],
    limits: Mapping[Cell, Span],
) -> Cell | None:
    """Return the first cell that is known too well, or None."""
    found = spans(families, values, shown, limits)
    return next((cell for cell in sorted(needs) if cell in found and not found[cell].contains(needs[cell])), None)


def _next(
    families: Sequence[Family], values: Mapping[Cell, int], shown: Collection[Cell], offender: Cell
) -> Cell | None:
    """Return what to hide next: the smallest shown sibling, else the parent, else the same one family further."""
    cells = [{one.parent, *one.children} for one in families]
    reached, seen = {offender}, set[int]()
    while True:
        near = [n for n, members in enumerate(cells) if n not in seen and not reached.isdisjoint(members)]
        if not near:
            return None
        children = [cell for n in near for cell in families[n].children if cell in shown and cell != offender]
        if children:
            return min(children, key=lambda cell: (abs(values.get(cell, 0)), cell))
        parents = [families[n].parent for n in near if families[n].parent in shown and families[n].parent != offender]
        if parents:
            return min(parents, key=lambda cell: (abs(values.get(cell, 0)), cell))
        seen.update(near)
        for n in near:
            reached |= cells[n]
