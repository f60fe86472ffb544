"""Which tables of counts there are: a fixed set, so that no two questions of somebody's own can be held together.

One table for each kind that is counted and each ISO week: its total, the total by scene, and for the whole partnership
the total by each coded fact of the kind. What a kind has is the pack's (`facts`), and what a fact may be is the form's.
Refuses free filters, and two dimensions at once.

An owner whose place is its secret (the pack says whose) stands at no scene, for others: it is counted whole.

> INVARIANT: the values of a dimension add up to the total, each report standing at one of them; what is summed instead
> (doses, needles) is in no family.

Source: docs/secrecy-rules.md B8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from sluss_schemas.forms.base import Field
from sluss_schemas.forms.facts import fact_field
from sluss_schemas.forms.registry import FORMS
from sluss_schemas.ids import NO_SCENE, Sector
from sluss_schemas.policy.cells import REACH, reach
from sluss_schemas.policy.model import Pack
from sluss_server.aggregates.cells import GIVEN, NO, NOT_GIVEN, SCENE, SEVERAL, SUM, TOTAL, YES, Cell, Family

_MANY: Final = 10
"""A number with more values than this is summed."""

Fact = int | tuple[int, ...] | None


class Dimension(NamedTuple):
    """A coded fact of a kind: what it may be, or that it is summed.

    `codes` names the list of its labels, and `most` is the largest number of one that is summed.
    """

    name: str
    values: tuple[int, ...]
    codes: str = ""
    most: int = 0

    @property
    def summed(self) -> bool:
        """Whether its numbers are added, and not counted one by one."""
        return not self.values


class Sum(NamedTuple):
    """A dimension that is summed, and the largest number that one report gives."""

    name: str
    most: int


class Table(NamedTuple):
    """What is published of one kind and week: families of counts, and sums that stand by themselves."""

    families: tuple[Family, ...]
    sums: tuple[Sum, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every count of the table, without its sums."""
        return tuple(dict.fromkeys(cell for one in self.families for cell in (one.parent, *one.children)))

    @property
    def figures(self) -> tuple[Cell, ...]:
        """Every cell of which a figure is published."""
        return (*self.cells, *((one.name, SUM) for one in self.sums))


class Rule(NamedTuple):
    """From how large a count on, of how many of the staff, and rounded to what, others see a kind.

    `k_whole` is what a count takes that somebody may be in who is counted whole: every one but those of named scenes.
    """

    k: int
    contributors: int
    round_to: int
    delay_days: int
    k_whole: int = 0

    @property
    def most(self) -> int:
        """Return from how large a count on any cell is shown: whatever is hidden as small is smaller."""
        return max(self.k, self.k_whole)

    def least(self, cell: Cell) -> int:
        """Return from how large a count on a cell is shown."""
        return self.k if cell[0] == SCENE and cell[1] != NO_SCENE else self.most


def is_counted(pack: Pack, kind: int) -> bool:
    """Tell whether anybody counts a kind; the kind that hides a secret one is none."""
    found = pack.kinds.get(kind)
    return found is not None and found.clear and found.counted


def counts_for_others(pack: Pack, kind: int, owner: Sector) -> bool:
    """Tell whether an owner's reports of a kind are in the counts of others' supervisors."""
    if not is_counted(pack, kind) or owner not in pack.kinds[kind].owners:
        return False
    return reach(pack.cell(kind, owner, "SIT", "SUPX")) >= REACH["G"]


def is_counted_whole(pack: Pack, owner: Sector) -> bool:
    """Tell whether others count an owner's reports without the scene."""
    return owner in pack.parameters.counted_whole


def rule_of(pack: Pack, kind: int) -> Rule:
    """Return what others may see of a kind."""
    found, numbers = pack.kinds[kind], pack.parameters
    whole = any(is_counted_whole(pack, owner) and counts_for_others(pack, kind, owner) for owner in found.owners)
    return Rule(
        numbers.k_sensitive if found.sensitive else numbers.k,
        found.contributors,
        numbers.round_to,
        numbers.outreach_delay_days if found.delayed else 0,
        numbers.k_sensitive if whole else 0,
    )


@lru_cache(256)
def _dimensions(kind: int, facts: tuple[str, ...], lists: tuple[tuple[int, ...], ...]) -> tuple[Dimension, ...]:
    found = []
    for name, numbers in zip(facts, lists, strict=True):
        field = fact_field(FORMS[kind], name)
        # A fact that no form has keeps its place among the values.
        found.append(Dimension(name, (NOT_GIVEN,)) if field is None else _dimension(field, numbers))
    return tuple(found)


def dimensions(pack: Pack, kind: int) -> tuple[Dimension, ...]:
    """Return a kind's dimensions besides the scene, in the order of the coded values of its reports."""
    facts = pack.kinds[kind].coded_facts()
    return _dimensions(kind, facts, tuple(_numbers(pack, kind, name) for name in facts)) if facts else ()


def _numbers(pack: Pack, kind: int, name: str) -> tuple[int, ...]:
    """Return the numbers of the codes that a kind's fact may have."""
    field = fact_field(FORMS[kind], name)
    if field is None or not field.codes:
        return ()
    list_ = pack.codes.get(field.codes, {})
    return tuple(sorted(code.n for name, code in list_.items() if not field.only or name in field.only))


def _dimension(field: Field, numbers: tuple[int, ...]) -> Dimension:
    return Dimension(field.name, _values(field, numbers), field.codes, field.high)


def _values(field: Field, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return what a fact may be; nothing for one that is summed."""
    if field.kind_of_value == "codes":
        return (NOT_GIVEN, *numbers, SEVERAL)
    if field.codes:
        return (NOT_GIVEN, *numbers)
    if field.kind_of_value == "bool":
        return (NOT_GIVEN, YES, NO)
    few = 1 <= field.low <= field.high <= _MANY
    return (NOT_GIVEN, *range(field.low, field.high + 1)) if few else ()


def table_of(pack: Pack, kind: int, scenes: Iterable[int]) -> Table:
    """Return the table of a kind in a partnership of these scenes."""
    families, sums = list[Family](), list[Sum]()
    if SCENE in pack.kinds[kind].facts:
        children = tuple((SCENE, scene) for scene in sorted({NO_SCENE, *scenes}))
        families.append(Family(TOTAL, children))
    for one in dimensions(pack, kind):
        if one.summed:
            sums.append(Sum(one.name, one.most))
        else:
            families.append(Family(TOTAL, tuple((one.name, value) for value in one.values)))
    return Table(tuple(families) or (Family(TOTAL, ()),), tuple(sums))


def tally(pack: Pack, kind: int, values: Sequence[Fact]) -> list[tuple[Cell, int]]:
    """Return what one report adds to the counts at its scene: the total, and one value of each dimension."""
    found: list[tuple[Cell, int]] = [(TOTAL, 1)]
    for number, one in enumerate(dimensions(pack, kind)):
        value = values[number] if number < len(values) else None
        if not one.summed:
            found.append(((one.name, _value(one, value)), 1))
        elif isinstance(value, int) and value > 0:
            found += [((one.name, GIVEN), 1), ((one.name, SUM), value)]
    return found


def _value(one: Dimension, value: Fact) -> int:
    """Return at which value a report stands; what no list has stands with what was not given."""
    if isinstance(value, tuple):
        value = SEVERAL if len(value) > 1 else value[0] if value else None
    if value is None:
        return NOT_GIVEN
    if not one.codes and NO in one.values and value == 0:
        return NO
    return value if value in one.values else NOT_GIVEN
