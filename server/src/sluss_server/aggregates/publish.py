"""What others are shown of one kind and week: once, frozen, and later a revision of what has moved far enough.

Everybody else's counts are added up and protected as one table (`protect.py`). A revision shows a cell again only where
its count has moved by at least k; the movements are a table too, whose families add up in the same way, and it is
protected in the same way, so that two publications held together tell no small movement. A cell that was hidden stays
hidden, so what is known of the earlier figures and what is known of the movements never meet. Where the pack asks that
a count be of several of the staff, a movement has to be so too: else it would be one person's late work.
Refuses to round what it protects: protection counts on everybody knowing the shown figures exactly.

> INVARIANT: a figure, once given out, is never taken back or changed; a revision is given beside it.

Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sluss_server.aggregates.catalogue import Rule, Sum, Table
from sluss_server.aggregates.cells import GIVEN, SUM, TOTAL, Cell
from sluss_server.aggregates.protect import Span, is_even, protect

Counts = Mapping[Cell, int]


class Exact(NamedTuple):
    """The counts of a table, and how much of each of them is whose of the staff, where the pack asks."""

    counts: Counts
    staff: Mapping[Cell, Mapping[bytes, int]] = {}

    def contributors(self, cell: Cell) -> int:
        """Return of how many of the staff a count is."""
        return sum(number > 0 for number in self.staff.get(cell, {}).values())

    def movers(self, before: Exact, cell: Cell) -> int:
        """Return how many of the staff are in a movement; nobody where it is not known whose the counts were."""
        now, then = self.staff.get(cell, {}), before.staff.get(cell, {})
        if any(sum(staff.values()) != one.counts.get(cell, 0) for one, staff in ((self, now), (before, then))):
            return 0
        way = _moved(self.counts, before.counts, cell)
        return sum((now.get(who, 0) - then.get(who, 0)) * way > 0 for who in {*now, *then})


def added(parts: Iterable[Exact]) -> Exact:
    """Return the counts of several owners as one table; no two owners have staff in common."""
    counts, staff = dict[Cell, int](), dict[Cell, dict[bytes, int]]()
    for part in parts:
        for cell, number in part.counts.items():
            counts[cell] = counts.get(cell, 0) + number
        for cell, people in part.staff.items():
            staff.setdefault(cell, {}).update(people)
    return Exact(counts, staff)


def rounded(number: int, to: int) -> int:
    """Return the nearest multiple, of two that are as near the upper one: 14 is 15, and 13 is 15 too."""
    return (2 * number + to) // (2 * to) * to


def first(table: Table, exact: Exact, rule: Rule) -> dict[Cell, int | None]:
    """Return what is published of a table first: every cell, None where it is hidden."""
    open_ = {cell for cell in table.cells if _large(exact, cell, rule)}
    small = {cell: Span(0, rule.least(cell) - 1) for cell in table.cells if cell not in open_}
    shown = protect(table.families, exact.counts, open_, small)
    return _figures(table, exact, shown, rule)


def revised(table: Table, exact: Exact, before: Exact, shown_before: Collection[Cell], rule: Rule) -> dict[Cell, int]:
    """Return what a revision shows: the cells that moved far enough, and of those what gives no other away.

    Args:
        table: the table as it was published first.
        exact: the counts as they are now.
        before: the counts of the last publication, or of the last revision.
        shown_before: what that one showed.
        rule: the same as then.

    """
    moved = {cell: _moved(exact.counts, before.counts, cell) for cell in table.cells}
    limits = {cell: _limit(before.counts.get(cell, 0), moved.values()) for cell in table.cells}
    far = {cell for cell in table.cells if _is_far(exact, before, cell, rule)}
    large = {cell for cell in table.cells if _large(exact, cell, rule)}
    open_ = far & large & set(shown_before)
    needs = dict[Cell, Span]()
    for cell in table.cells:
        wanted = list[Span]()
        least, was = rule.least(cell), before.counts.get(cell, 0)
        if cell not in far:
            wanted.append(Span(1 - least, least - 1))
        # Who knows what it was would find out what it is.
        if cell not in large:
            wanted.append(Span(-was, least - 1 - was))
        if wanted:
            needs[cell] = _within(wanted, limits[cell])
    shown = protect(table.families, moved, open_, needs, limits)
    still = {(one.name, SUM) for one in table.sums if not _moved_far(exact, before, one, rule)}
    return {
        cell: figure
        for cell, figure in _figures(table, exact, shown, rule).items()
        if figure is not None and cell in shown_before and cell not in still
    }


def _moved(now: Counts, before: Counts, cell: Cell) -> int:
    return now.get(cell, 0) - before.get(cell, 0)


def _is_far(now: Exact, before: Exact, cell: Cell, rule: Rule) -> bool:
    """Tell whether a movement is that of enough reports, and of enough of the staff."""
    if abs(_moved(now.counts, before.counts, cell)) < rule.least(cell):
        return False
    return rule.contributors <= 1 or now.movers(before, cell) >= rule.contributors


def _moved_far(now: Exact, before: Exact, one: Sum, rule: Rule) -> bool:
    """Tell whether the movement of a sum is that of enough reports, and of none of them almost alone."""
    more, givers = (_moved(now.counts, before.counts, (one.name, value)) for value in (SUM, GIVEN))
    if not _is_far(now, before, (one.name, GIVEN), rule):
        return False
    return (more > 0) == (givers > 0) and is_even(abs(more), abs(givers), one.most)


def joint(present: Iterable[Collection[Cell]]) -> set[Cell]:
    """Return what a screen may show that several look at: what each of them is shown."""
    found: set[Cell] | None = None
    for shown in present:
        found = set(shown) if found is None else found & set(shown)
    return found or set()


def _large(exact: Exact, cell: Cell, rule: Rule) -> bool:
    if exact.counts.get(cell, 0) < rule.least(cell):
        return False
    return rule.contributors <= 1 or exact.contributors(cell) >= rule.contributors


def _figures(table: Table, exact: Exact, shown: Collection[Cell], rule: Rule) -> dict[Cell, int | None]:
    """Return the figure of every cell, and of each sum: shown with the total, where enough give something."""
    figures: dict[Cell, int | None] = {
        cell: rounded(exact.counts.get(cell, 0), rule.round_to) if cell in shown else None for cell in table.cells
    }
    for name, most in table.sums:
        total, givers = (exact.counts.get((name, value), 0) for value in (SUM, GIVEN))
        open_ = TOTAL in shown and _large(exact, (name, GIVEN), rule) and is_even(total, givers, most)
        figures[name, SUM] = rounded(total, rule.round_to) if open_ else None
    return figures


def _limit(before: int, moved: Iterable[int]) -> Span:
    """Return how far a count can have moved, for somebody who guesses that all moved the same way if they did."""
    moves = tuple(moved)
    return Span(0 if min(moves) >= 0 else -before, 0 if max(moves) <= 0 else math.inf)


def _within(wanted: Iterable[Span], limit: Span) -> Span:
    """Return the narrowest span around what is wanted, as far as anybody can think it possible."""
    spans = tuple(wanted)
    low, high = min(one.low for one in spans), max(one.high for one in spans)
    return Span(max(low, limit.low), min(high, limit.high))
