"""What the measures' panels show of coded facts: tables by week, the own agency's exactly and the others' as published.

What is published of others has no place and fact at once, so a scene splits their totals and nothing else.
Refuses to guess: a sum over weeks says that something of it is hidden.
Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.

> INVARIANT: a hidden figure never becomes a number, and what is hidden in one week is not known in a sum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluss_schemas.policy.model import Code, Kind, Pack
from sluss_server.aggregates.catalogue import counts_for_others, rule_of
from sluss_server.aggregates.cells import SCENE, TOTAL, Cell, date_of, days_of, week_of
from sluss_server.services import Services
from sluss_server.services.cube import Shown
from sluss_server.services.sessions import Viewer
from sluss_server.web.panels.base import mark
from sluss_server.web.panels.chart import Look
from sluss_server.web.panels.counts import Figure, total

WIDE: Final = {"labelLimit": 190, "minExtent": 230}
"""An axis with long labels: browsers draw letters wider than they were measured."""
_FEW: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a column of a table counts, and what it is called: a code or a kind of the pack, or a marked text."""

    kind: int
    cell: Cell
    label: Code | Kind | str

    @property
    def said(self) -> bool:
        """Whether the label is a text that is looked up."""
        return isinstance(self.label, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A week of a table: what each column has; None where the own agency does not file the kind."""

    week: int
    own: tuple[int | None, ...]
    others: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table by week.

    Attributes:
        columns: what is counted.
        lines: the weeks, the newest first.
        unsplit: whether something of the others is published for all scenes alone, and this is one scene.

    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    unsplit: bool

    def own_total(self, column: int) -> int:
        """Return what the own agency counts in all weeks."""
        return sum(line.own[column] or 0 for line in self.lines)

    @property
    def files(self) -> bool:
        """Whether the own agency files anything of this."""
        return any(number is not None for line in self.lines for number in line.own)

    @property
    def shared(self) -> bool:
        """Whether anybody else counts anything of this."""
        return any(one.state != "none" for line in self.lines for one in line.others)


class Figures:
    """Own counts and published figures of some kinds and weeks."""

    def __init__(
        self,
        *,
        own: Mapping[tuple[int, int, Cell], int],
        shown: Iterable[Shown],
        theirs: Mapping[int, int],
        files: Iterable[int],
        scene: int = 0,
        elsewhere: Mapping[tuple[int, int, Cell], int] | None = None,
    ) -> None:
        """Take what was read.

        Args:
            own: the own agency's counts by kind, week and cell, at the scene that is asked for.
            shown: what is published to the own agency.
            theirs: the kinds of which something of others is published, each with the least number that is shown.
            files: the kinds that the own agency files.
            scene: its number; 0 for all.
            elsewhere: how many of the own ones are of events that another agency's report counts.

        """
        self._own: Final = own
        self._elsewhere: Final = elsewhere or {}
        self._shown: Final = {(one.kind, one.week, one.cell): one.figure for one in shown}
        self._weeks: Final = {(kind, week) for kind, week, _ in self._shown}
        self._theirs: Final = theirs
        self._files: Final = frozenset(files)
        self._scene: Final = scene

    def own(self, kind: int, week: int, cell: Cell) -> int | None:
        """Return what the own agency counts; None where it does not file the kind."""
        return self._own.get((kind, week, cell), 0) if kind in self._files else None

    def own_total(self, kind: int, weeks: Iterable[int], cell: Cell) -> int | None:
        """Return what the own agency counts in several weeks; None where it does not file the kind."""
        numbers = [self.own(kind, week, cell) for week in weeks]
        return None if kind not in self._files else sum(number or 0 for number in numbers)

    def joint_total(self, kind: int, weeks: Iterable[int], cell: Cell) -> int:
        """Return what the own agency adds to a sum of all agencies: an event counts once, where it was noted first."""
        named = list(weeks)
        elsewhere = sum(self._elsewhere.get((kind, week, cell), 0) for week in named)
        return max(0, (self.own_total(kind, named, cell) or 0) - elsewhere)

    def other(self, kind: int, week: int, cell: Cell) -> Figure:
        """Return what is published of the others in a week; nothing of a fact at one scene."""
        k = self._theirs.get(kind)
        if k is None or self.unsplit(kind, cell):
            return Figure("none")
        if (kind, week) not in self._weeks:
            return Figure("waiting", 0, k)
        value = self._shown.get((kind, week, (SCENE, self._scene) if self._scene else cell))
        return Figure("hidden", 0, k) if value is None else Figure("shown", value, k)

    def unsplit(self, kind: int, cell: Cell) -> bool:
        """Tell whether others count something of which nothing is published for one scene, and one is asked for."""
        return bool(self._scene) and kind in self._theirs and cell != TOTAL

    def others_total(self, kind: int, weeks: Iterable[int], cell: Cell) -> Figure:
        """Return what is published of the others over several weeks; of weeks that are yet to be published nothing."""
        found = [self.other(kind, week, cell) for week in weeks]
        published = [one for one in found if one.state != "waiting"]
        return total(published or found)

    def grid(self, columns: Sequence[Column], weeks: Sequence[int]) -> Grid:
        """Return a table by week."""
        return Grid(
            columns=tuple(columns),
            lines=tuple(
                Line(
                    week=week,
                    own=tuple(self.own(one.kind, week, one.cell) for one in columns),
                    others=tuple(self.other(one.kind, week, one.cell) for one in columns),
                )
                for week in weeks
            ),
            unsplit=any(self.unsplit(one.kind, one.cell) for one in columns),
        )


def theirs(viewer: Viewer, kinds: Iterable[int]) -> dict[int, int]:
    """Return the kinds of which something of others is published, each with the least number that is shown."""
    sectors = {one.sector for agency, one in viewer.view.directories.items() if agency != viewer.agency}
    return {
        kind: rule_of(viewer.pack, kind).most
        for kind in kinds
        if any(counts_for_others(viewer.pack, kind, sector) for sector in sectors)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a viewer may see of some kinds in some weeks, at every scene."""

    own: Mapping[tuple[int, int, Cell, int], int]
    elsewhere: Mapping[tuple[int, int, Cell, int], int]
    shown: tuple[Shown, ...]
    theirs: Mapping[int, int]
    files: frozenset[int]

    def at(self, scene: int) -> Figures:
        """Return it for one scene, or for all."""
        return Figures(
            own=_placed(self.own, scene),
            shown=self.shown,
            theirs=self.theirs,
            files=self.files,
            scene=scene,
            elsewhere=_placed(self.elsewhere, scene),
        )


def _placed(counts: Mapping[tuple[int, int, Cell, int], int], scene: int) -> dict[tuple[int, int, Cell], int]:
    """Return counts by kind, week and cell at a scene, or at all of them."""
    found = dict[tuple[int, int, Cell], int]()
    for (kind, week, cell, place), number in counts.items():
        if scene in {0, place}:
            found[kind, week, cell] = found.get((kind, week, cell), 0) + number
    return found


async def read(
    services: Services,
    viewer: Viewer,
    kinds: Sequence[int],
    weeks: Sequence[int],
    dims: Collection[str] | None = None,
) -> Read:
    """Read some kinds in consecutive weeks: totals, scenes, and of the coded facts these or all."""
    between = (min(weeks), max(weeks) + 1)
    named = None if dims is None else {TOTAL[0], SCENE, *dims}
    own = await services.cube.own_weeks(viewer.partnership, viewer.agency, viewer.pack, kinds, between, dims=named)
    return Read(
        own={(one.kind, week_of(one.day), (one.dim, one.value), one.scene): one.number for one in own},
        elsewhere={
            (one.kind, week_of(one.day), (one.dim, one.value), one.scene): one.elsewhere for one in own if one.elsewhere
        },
        shown=tuple(await services.cube.others(viewer.view, viewer.agency, kinds, between, dims=named)),
        theirs=theirs(viewer, kinds),
        files=frozenset(kind for kind in kinds if viewer.own.sector in viewer.pack.kinds[kind].owners),
    )


async def load(
    services: Services,
    viewer: Viewer,
    kinds: Sequence[int],
    weeks: Sequence[int],
    scene: int = 0,
    *,
    dims: Collection[str],
) -> Figures:
    """Return totals and these coded facts of some kinds in consecutive weeks, at one scene or at all."""
    return (await read(services, viewer, kinds, weeks, dims)).at(scene)


def codes(pack: Pack, name: str) -> list[Code]:
    """Return a list of codes in the order of their numbers."""
    return sorted(pack.codes.get(name, {}).values(), key=lambda code: code.n)


def last_weeks(week: int, number: int) -> list[int]:
    """Return so many weeks, the newest first."""
    return [week - before for before in range(number) if week >= before]


def week_number(week: int) -> str:
    """Return a week's number in its year, for the axis of a chart."""
    return str(date_of(days_of(week)[0]).isocalendar().week)


def week_axis(look: Look) -> dict[str, object]:
    """Return the axis of `week`, in the order of the data."""
    title = look.words.text(mark("Week"))
    return {"field": "week", "type": "ordinal", "sort": None, "title": title, "axis": {"labelAngle": 0}}


def count_axis(values: Iterable[Mapping[str, object]], by: str = "") -> dict[str, object]:
    """Return the axis of `n`, a count; where it is small it still has whole numbers. Bars are stacked by `by`."""
    tops = dict[object, int]()
    for place, one in enumerate(values):
        name = one[by] if by else place
        tops[name] = tops.get(name, 0) + int(str(one["n"]))
    axis: dict[str, object] = {"field": "n", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1}}
    return axis if max(tops.values(), default=0) >= _FEW else {**axis, "scale": {"domain": [0, _FEW]}}


def name_of(column: Column, look: Look) -> str:
    """Return what a column is called."""
    label = column.label
    return look.words.text(label) if isinstance(label, str) else look.words.label(label)
