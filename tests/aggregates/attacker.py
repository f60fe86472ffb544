"""Somebody who has every table that was ever published to them, and a linear solver.

They know the shown cells exactly (which is more than the rounded figures say), that counts are not negative, and what
adds up. If all movements went one way, they guess so. Of every hidden cell the solver gives the least and the greatest
number that it might be.

> INVARIANT: nothing here uses the code that is attacked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.optimize import linprog  # type: ignore[import-untyped]  # it ships no types

from sluss_server.aggregates.cells import Cell, Family

EPSILON: Final = 1e-6
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass
class Publication:
    """What was there when something was published, and which cells of it were shown.

    `joint` is what screens of several told: a total of all, from which the viewer takes its own part away.
    """

    exact: Mapping[Cell, int]
    shown: Collection[Cell]
    joint: Collection[tuple[Cell, int]] = ()


@dataclass
class Attacker:
    """The equations of one viewer's kind and week, over the counts of every publication."""

    families: Sequence[Family]
    publications: Sequence[Publication]
    guesses: bool = True
    cells: list[Cell] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = list(dict.fromkeys(cell for one in self.families for cell in (one.parent, *one.children)))
        count = len(self.cells)
        rows, right = [], []
        for number, one in enumerate(self.publications):
            for family in self.families:
                row = np.zeros(count * len(self.publications))
                row[self._place(number, family.parent)] = 1
                for cell in family.children:
                    row[self._place(number, cell)] = -1
                if family.children:
                    rows.append(row)
                    right.append(0.0)
            for cell in self.cells:
                if cell in one.shown:
                    row = np.zeros(count * len(self.publications))
                    row[self._place(number, cell)] = 1
                    rows.append(row)
                    right.append(float(one.exact.get(cell, 0)))
            for cell, left in one.joint:
                if cell in one.shown and left == one.exact.get(cell, 0):
                    continue  # they have it already
                row = np.zeros(count * len(self.publications))
                row[self._place(number, cell)] = 1
                rows.append(row)
                right.append(float(left))
        self._equal, self._to = np.array(rows), np.array(right)
        self._below = self._guess() if self.guesses else None

    def might_be(self, number: int, cell: Cell) -> tuple[float, float]:
        """Return the least and the greatest count that a cell of a publication might have."""
        wanted = np.zeros(self._equal.shape[1])
        wanted[self._place(number, cell)] = 1
        return self._bounds(wanted)

    def might_move(self, number: int, cell: Cell) -> tuple[float, float]:
        """Return how far a cell might have moved since the publication before."""
        wanted = np.zeros(self._equal.shape[1])
        wanted[self._place(number, cell)], wanted[self._place(number - 1, cell)] = 1, -1
        return self._bounds(wanted)

    def _bounds(self, wanted: Array) -> tuple[float, float]:
        found = []
        for sign in (1, -1):
            solved = linprog(
                sign * wanted,
                A_ub=self._below,
                b_ub=None if self._below is None else np.zeros(len(self._below)),
                A_eq=self._equal,
                b_eq=self._to,
                bounds=(0, None),
                method="highs",
            )
            assert solved.status in {0, 3}, solved.message
            found.append(-sign * float("inf") if solved.status == 3 else sign * float(solved.fun))
        return found[0], found[1]

    def _place(self, number: int, cell: Cell) -> int:
        return number * len(self.cells) + self.cells.index(cell)

    def _guess(self) -> Array | None:
        """Return that nothing fell, or that nothing rose, where that is so."""
        rows = []
        for number in range(1, len(self.publications)):
            before, now = self.publications[number - 1].exact, self.publications[number].exact
            moves = [now.get(cell, 0) - before.get(cell, 0) for cell in self.cells]
            for sign in (1, -1):
                if all(sign * move >= 0 for move in moves):
                    for cell in self.cells:
                        row = np.zeros(len(self.cells) * len(self.publications))
                        row[self._place(number, cell)], row[self._place(number - 1, cell)] = -sign, sign
                        rows.append(row)
        return np.array(rows) if rows else None


def known_too_well(
    attacker: Attacker,
    small: Sequence[Collection[Cell]],
    k: int | Callable[[Cell], int],
    *,
    lone: Sequence[Collection[Cell]] = (),
) -> list[tuple[int, str, Cell, tuple[float, float]]]:
    """Return which small cells, and which small movements, the attacker can tell from other small ones.

    Args:
        attacker: whoever has all publications.
        small: the cells of each that are too small, or of too few of the staff.
        k: from how large a count on a cell is not small.
        lone: the cells of each that too few of the staff moved, however far.

    """
    found = []
    least_of = k if callable(k) else lambda _: k
    for number, one in enumerate(attacker.publications):
        for cell in small[number]:
            low, high = attacker.might_be(number, cell)
            if low > EPSILON or high < least_of(cell) - 1 - EPSILON:
                found.append((number, "count", cell, (low, high)))
        if number:
            before = attacker.publications[number - 1].exact
            moves = {cell: one.exact.get(cell, 0) - before.get(cell, 0) for cell in attacker.cells}
            rising, falling = min(moves.values()) >= 0, max(moves.values()) <= 0
            for cell, move in moves.items():
                far = least_of(cell)
                if (abs(move) < far or (lone and cell in lone[number])) and not (rising and falling):
                    low, high = attacker.might_move(number, cell)
                    least = 0 if rising else -min(far - 1, before.get(cell, 0))
                    most = 0 if falling else far - 1
                    if low > least + EPSILON or high < most - EPSILON:
                        found.append((number, "movement", cell, (low, high)))
    return found
