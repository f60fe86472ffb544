"""Tables for tests: random reports, what is published of them, and of what comes and goes later."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sluss_server.aggregates import publish
from sluss_server.aggregates.catalogue import Rule, Table
from sluss_server.aggregates.cells import SCENE, TOTAL, Cell, Family
from sluss_server.aggregates.publish import Exact

from tests.aggregates.attacker import Attacker, Publication, known_too_well

Counts = Mapping[Cell, int]
RULE = Rule(5, 1, 5, 0)
People = Mapping[Cell, Mapping[bytes, int]]
Revise = Callable[[Table, Exact, Exact, set[Cell], Rule], dict[Cell, int]]


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
    """A week's reports as they were at each publication, and whose of the staff they were."""

    shape: Table
    rule: Rule
    moments: list[dict[Cell, int]] = field(default_factory=list)
    given: list[dict[Cell, int]] = field(default_factory=list)
    people: list[People] = field(default_factory=list)

    def published(self, exact: dict[Cell, int], revise: Revise = publish.revised, people: People | None = None) -> bool:
        """Publish what is there now; tell whether anything was."""
        now = Exact(exact, people or {})
        if not self.moments:
            shown = publish.first(self.shape, now, self.rule)
            figures = {cell: figure for cell, figure in shown.items() if figure is not None}
        else:
            before = Exact(self.moments[-1], self.people[-1])
            figures = revise(self.shape, now, before, set(self.given[-1]), self.rule)
        if self.moments and not figures:
            return False
        self.moments.append(exact)
        self.people.append(people or {})
        self.given.append(figures)
        return True

    def attacker(self, *, guesses: bool = True) -> Attacker:
        """Return whoever has all of it."""
        seen = [Publication(exact, set(given)) for exact, given in zip(self.moments, self.given, strict=True)]
        return Attacker(self.shape.families, seen, guesses)

    def small(self) -> list[list[Cell]]:
        """Return the cells of every moment that are small, or of too few of the staff."""
        return [
            [
                cell
                for cell, number in exact.items()
                if number < self.rule.least(cell) or len(_who(people, cell)) < self.rule.contributors > 1
            ]
            for exact, people in zip(self.moments, self.people, strict=True)
        ]

    def lone(self) -> list[list[Cell]]:
        """Return the cells of every moment that too few of the staff moved in the direction in which they went."""
        found: list[list[Cell]] = [[]]
        moments = list(zip(self.moments, self.people, strict=True))
        for (was, then), (exact, now) in pairwise(moments):
            found.append([])
            for cell, number in exact.items():
                rose, fell = (_who(one, cell) - _who(other, cell) for one, other in ((now, then), (then, now)))
                movers = rose if number > was[cell] else fell
                if len(movers) < self.rule.contributors > 1:
                    found[-1].append(cell)
        return found

    def known_too_well(self, *, guesses: bool = True) -> list[tuple[int, str, Cell, tuple[float, float]]]:
        """Return what whoever has all of it can tell and should not."""
        return known_too_well(self.attacker(guesses=guesses), self.small(), self.rule.least, lone=self.lone())


def _who(people: People, cell: Cell) -> Counter[bytes]:
    return Counter(people.get(cell, {}))


def reports(shape: Table, size: int, chance: random.Random) -> list[tuple[Cell, ...]]:
    """Return random reports, each at one child of every family; few places have most of them."""
    return [
        tuple(
            chance.choices(family.children, [1 / (place + 1) ** 1.5 for place in range(len(family.children))])[0]
            for family in shape.families
        )
        for _ in range(size)
    ]


def whose(found: Sequence[tuple[Cell, ...]], staff: Sequence[bytes]) -> dict[Cell, dict[bytes, int]]:
    """Return how much of each cell is whose, of reports and of who wrote each."""
    people = dict[Cell, dict[bytes, int]]()
    for report, who in zip(found, staff, strict=True):
        for cell in (TOTAL, *report):
            of_cell = people.setdefault(cell, {})
            of_cell[who] = of_cell.get(who, 0) + 1
    return people


def counted(shape: Table, found: Sequence[tuple[Cell, ...]]) -> dict[Cell, int]:
    """Return the counts of reports."""
    exact = dict.fromkeys(shape.cells, 0)
    for report in found:
        for cell in (TOTAL, *report):
            exact[cell] += 1
    return exact
