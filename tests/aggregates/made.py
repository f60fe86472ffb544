"""Tables for tests: random reports, what is published of them, and of what comes and goes later."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sluss_server.aggregates import publish
from sluss_server.aggregates.catalogue import Rule, Table
from sluss_server.aggregates.cells import SCENE, TOTAL, Cell, Family
from sluss_server.aggregates.publish import Exact

from tests.aggregates.attacker import Attacker, Publication

Counts = Mapping[Cell, int]
RULE = Rule(5, 1, 5, 0)
Revise = Callable[[Table, Exact, Counts, set[Cell], Rule], dict[Cell, int]]


def table(scenes: int, *dims: int) -> Table:
    """Return a table of so many scenes, and of dimensions with so many values each."""
    families = [Family(TOTAL, tuple((SCENE, number) for number in range(scenes)))]
    families += [
        Family(TOTAL, tuple((f"dim{place}", number) for number in range(size))) for place, size in enumerate(dims)
    ]
    return Table(tuple(families), ())


def counts(shape: Table, *reports: dict[Cell, int]) -> dict[Cell, int]:
    """Return a table's counts, of groups of reports: for each family the child and how many."""
    found = dict.fromkeys(shape.cells, 0)
    for group in reports:
        for cell, number in group.items():
            found[cell] += number
    return found


@dataclass
class Story:
    """A week's reports as they were at each publication."""

    shape: Table
    rule: Rule
    moments: list[dict[Cell, int]] = field(default_factory=list)
    given: list[dict[Cell, int]] = field(default_factory=list)

    def published(self, exact: dict[Cell, int], revise: Revise = publish.revised) -> bool:
        """Publish what is there now; tell whether anything was."""
        if not self.moments:
            shown = publish.first(self.shape, Exact(exact, {}), self.rule)
            figures = {cell: figure for cell, figure in shown.items() if figure is not None}
        else:
            figures = revise(self.shape, Exact(exact, {}), self.moments[-1], set(self.given[-1]), self.rule)
        if self.moments and not figures:
            return False
        self.moments.append(exact)
        self.given.append(figures)
        return True

    def attacker(self, *, guesses: bool = True) -> Attacker:
        """Return whoever has all of it."""
        seen = [Publication(exact, set(given)) for exact, given in zip(self.moments, self.given, strict=True)]
        return Attacker(self.shape.families, seen, guesses)

    def small(self) -> list[list[Cell]]:
        """Return the small cells of every moment."""
        return [[cell for cell, number in exact.items() if number < self.rule.k] for exact in self.moments]


def reports(shape: Table, size: int, chance: random.Random) -> list[tuple[Cell, ...]]:
    """Return random reports, each at one child of every family; few places have most of them."""
    return [
        tuple(
            chance.choices(family.children, [1 / (place + 1) ** 1.5 for place in range(len(family.children))])[0]
            for family in shape.families
        )
        for _ in range(size)
    ]


def counted(shape: Table, found: list[tuple[Cell, ...]]) -> dict[Cell, int]:
    """Return the counts of reports."""
    exact = dict.fromkeys(shape.cells, 0)
    for report in found:
        for cell in (TOTAL, *report):
            exact[cell] += 1
    return exact
