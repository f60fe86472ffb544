"""The counts that several panels show: by week, kind and scene, the own agency's exactly and the others' as published.

A sum of published figures says how much is shown, and whether something is hidden beside it.
Refuses to subtract: nothing here tells what is hidden from what is shown.

> INVARIANT: pure but for `load`; a hidden figure never becomes a number.

Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal, NamedTuple

from sluss_schemas.policy.model import Kind, Pack
from sluss_schemas.problems import Invalid
from sluss_server.aggregates.catalogue import counts_for_others, is_counted, rule_of
from sluss_server.aggregates.cells import SCENE, TOTAL, Cell, day_of, week_of
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask

ALL: Final = 0
"""The scene of a page that shows all of them."""
BEFORE: Final = 4
"""With so many weeks before it a week is compared."""
_DIMS: Final = (TOTAL[0], SCENE)
"""Totals and scenes are all that these panels show, and so all that is read."""
State = Literal["shown", "part", "hidden", "waiting", "none"]


class Figure(NamedTuple):
    """What is known of the others: a number where something is shown.

    `shown` is a published figure, `part` a sum of which something is not shown, `hidden` one that is smaller than `k`
    or would give another away, `waiting` one that is not published yet, `none` what nobody else files.
    """

    state: State
    value: int = 0
    k: int = 0


class Usual(NamedTuple):
    """Weeks that another is compared with: their median, and the lowest and the highest of them."""

    median: float
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of some weeks.

    Attributes:
        weeks: from the oldest on.
        mine: the kinds that the own agency files.
        theirs: the kinds of which something of others is published, each with the least number that is shown.
        own: exact counts by kind, week and scene, with all scenes together at 0; none is nought.
        others: published figures by kind, week and cell; None is hidden, and what is not there is not published.
        first: the week in which the partnership was founded, or an earlier one from which there is anything. A week
            before it is not one of nought.
        elsewhere: of the own ones those of events that another agency's report counts.

    """

    weeks: range
    mine: tuple[int, ...]
    theirs: Mapping[int, int]
    own: Mapping[tuple[int, int, int], int]
    others: Mapping[tuple[int, int, Cell], int | None]
    first: int = 0
    elsewhere: Mapping[tuple[int, int, int], int] = field(default_factory=dict)

    def own_of(self, kinds: Iterable[int], week: int, scene: int = ALL) -> int:
        """Return how many reports of these kinds the own agency filed in a week, at a scene or at all of them."""
        return sum(self.own.get((kind, week, scene), 0) for kind in set(kinds))

    def joint_of(self, kinds: Iterable[int], week: int, scene: int = ALL) -> int:
        """Return what the own agency adds to a sum of all agencies, in which an event counts once."""
        elsewhere = sum(self.elsewhere.get((kind, week, scene), 0) for kind in set(kinds))
        return max(0, self.own_of(kinds, week, scene) - elsewhere)

    def other(self, kind: int, week: int, scene: int = ALL) -> Figure:
        """Return what is shown of the others' reports of a kind."""
        k = self.theirs.get(kind)
        if k is None:
            return Figure("none")
        name = (kind, week, (SCENE, scene) if scene else TOTAL)
        if name not in self.others:
            return Figure("waiting", 0, k)
        value = self.others[name]
        return Figure("hidden", 0, k) if value is None else Figure("shown", value, k)

    def others_of(self, kinds: Iterable[int], week: int, scene: int = ALL) -> Figure:
        """Return the sum of what is shown of several kinds."""
        return total(self.other(kind, week, scene) for kind in kinds)

    def before(self, week: int) -> list[int]:
        """Return the weeks with which one is compared, the nearest first."""
        return [week - back for back in range(1, BEFORE + 1) if week - back >= self.first]

    def usual(self, kinds: Iterable[int], week: int, scene: int = ALL) -> Usual | None:
        """Return what the own agency filed of some kinds in the weeks before one; None if there are none."""
        numbers = [self.own_of(kinds, one, scene) for one in self.before(week)]
        return Usual(median(numbers), min(numbers), max(numbers)) if numbers else None


def by_scene(rows: Iterable[tuple[int, int, int, int]]) -> dict[tuple[int, int, int], int]:
    """Return counts by kind, week and scene, and at scene 0 all of them, with those that name no scene."""
    found = dict[tuple[int, int, int], int]()
    for kind, week, scene, number in rows:
        for place in {ALL, scene}:
            found[kind, week, place] = found.get((kind, week, place), 0) + number
    return found


def total(figures: Iterable[Figure]) -> Figure:
    """Return the sum of figures: a part of it where one of them is not shown.

    Several that are hidden are together not less than the `k` of any of them: of them a part of nought is known.
    """
    every = [one for one in figures if one.state != "none"]
    if not every:
        return Figure("none")
    states = {one.state for one in every}
    state = every[0].state if len(every) == 1 or states in ({"shown"}, {"waiting"}) else "part"
    return Figure(state, sum(one.value for one in every), max(one.k for one in every))


def kind_asked(pack: Pack, query: Mapping[str, str]) -> int:
    """Return the kind that `kind=` names; 0 for all of them.

    Raises:
        Invalid: `not_found` for one that is not counted.

    """
    said = query.get("kind", "")
    if not said:
        return 0
    found = next((number for number, one in pack.kinds.items() if one.name == said and is_counted(pack, number)), 0)
    if not found:
        raise Invalid("not_found", "kind")
    return found


def kinds_offered(pack: Pack) -> tuple[Kind, ...]:
    """Return the kinds that may be chosen: those that anybody counts."""
    return tuple(pack.kinds[number] for number in sorted(pack.kinds) if is_counted(pack, number))


async def load(
    services: Services,
    viewer: Viewer,
    ask: Ask,
    *,
    weeks: int,
    kind: int = 0,
    until: int | None = None,
    own_only: bool = False,
) -> Counts:
    """Return the counts of so many weeks up to the one that is asked for or another, of one kind or of all.

    With `own_only` nothing of the others is read, nor said.
    """
    last = ask.week if until is None else until
    pack, own = viewer.pack, viewer.own.sector
    sectors = {one.sector for agency, one in viewer.view.directories.items() if agency != viewer.agency}
    kinds = [number for number in sorted(pack.kinds) if is_counted(pack, number) and kind in {0, number}]
    theirs = {
        number: rule_of(pack, number).most
        for number in kinds
        if not own_only and any(counts_for_others(pack, number, sector) for sector in sectors)
    }
    mine = tuple(number for number in kinds if own in pack.kinds[number].owners)
    between = (last - weeks + 1, last + 1)
    exact = await services.cube.own_totals(viewer.partnership, viewer.agency, mine, between)
    shown = await services.cube.others(viewer.view, viewer.agency, list(theirs), between, dims=_DIMS)
    founded = week_of(day_of(viewer.founded, pack.zone))
    return Counts(
        weeks=range(*between),
        mine=mine,
        theirs=theirs,
        own=by_scene((one.kind, week_of(one.day), one.scene, one.number) for one in exact),
        others={(one.kind, one.week, one.cell): one.figure for one in shown},
        elsewhere=by_scene((one.kind, week_of(one.day), one.scene, one.elsewhere) for one in exact if one.elsewhere),
        first=min([founded, *(week_of(one.day) for one in exact), *(one.week for one in shown)]),
    )
