"""What supervisors see of the counts: their own agency's exactly, and everybody else's as they were published.

Refuses everybody who is not a supervisor.
Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.

> INVARIANT: of other agencies nothing is read but what was published to the asker's own; a screen of several shows a
> figure only where each of them is shown one of the same publication.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sluss_schemas.counts import MAX_WEEKS, CountsAnswer, CountsAsk, Figure, OwnCount
from sluss_schemas.ids import Sector
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_server.aggregates.catalogue import dimensions, is_counted, rule_of
from sluss_server.aggregates.cells import Cell, days_of, week_name, week_named, week_of
from sluss_server.aggregates.publish import joint, rounded
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.filing import functions_of
from sluss_server.services.publishing import owners, pack_at
from sluss_server.storage import published, rollups
from sluss_server.storage.published import CellRow, FromRow
from sluss_server.storage.rollups import Ask, DayCount

Weeks = tuple[int, int]
"""The first week, and the first one after."""


class Shown(NamedTuple):
    """A published figure; None where it is hidden."""

    kind: int
    week: int
    cell: Cell
    figure: int | None
    revision: int
    published_at: int


class Cube:
    """The counts, for the overview and for supervisors' devices."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def show(self, caller: Caller, ask: CountsAsk) -> CountsAnswer:
        """Return what a supervisor sees of some weeks.

        Raises:
            Invalid: `not_allowed` for anybody else; `out_of_range` for weeks that are none or too many.

        """
        view, caller = await self._core.enter(caller)
        if "supervisors" not in functions_of(view.directories[caller.agency], caller.device):
            raise Invalid("not_allowed", "device")
        weeks, pack = _asked(ask), pack_at(self._core.rules, view, self._core.clock())
        if pack is None:
            raise Invalid("not_allowed", "pack")
        kinds = [kind for kind in sorted(pack.kinds) if is_counted(pack, kind) and (not ask.kinds or kind in ask.kinds)]
        own = await self.own_weeks(view.partnership, caller.agency, pack, kinds, weeks)
        if ask.present:
            figures = await self.together(view, {caller.agency, *ask.present}, kinds, weeks)
        else:
            figures = await self.others(view, caller.agency, kinds, weeks)
        return CountsAnswer(
            tuple(
                OwnCount(one.kind, week_name(week_of(one.day)), one.scene, one.dim, one.value, one.number)
                for one in own
            ),
            tuple(
                Figure(one.kind, week_name(one.week), *one.cell, one.figure, one.revision, one.published_at)
                for one in figures
            ),
            pack.parameters.k,
            pack.parameters.k_sensitive,
        )

    async def own_weeks(
        self,
        partnership: bytes,
        agency: bytes,
        pack: Pack,
        kinds: Sequence[int],
        weeks: Weeks,
        *,
        dims: Collection[str] | None = None,
    ) -> list[DayCount]:
        """Return an agency's own exact counts by week, each at its Monday, of some dimensions or of all."""
        ask = _ask(partnership, agency, pack, kinds, (days_of(weeks[0])[0], days_of(weeks[1])[0]))
        if dims is not None:
            ask = ask._replace(dims=tuple(dim for dim in ask.dims if dim in dims))
        async with self._core.engine.read() as connection:
            return await rollups.weeks(connection, ask)

    async def own_totals(self, partnership: bytes, agency: bytes, kinds: Sequence[int], weeks: Weeks) -> list[DayCount]:
        """Return the same without what the reports say: how many there were, by week and scene."""
        ask = Ask(partnership, (agency,), tuple(kinds), ("",), days_of(weeks[0])[0], days_of(weeks[1])[0])
        async with self._core.engine.read() as connection:
            return await rollups.weeks(connection, ask)

    async def own_days(
        self, partnership: bytes, own: Directory, pack: Pack, kinds: Sequence[int], days: tuple[int, int]
    ) -> list[DayCount]:
        """Return the same by day, for months: what the pack tells by the week alone stands at the week's Monday."""
        by_day = [kind for kind in kinds if _is_by_day(pack, kind, own.sector)]
        by_week = [kind for kind in kinds if kind not in by_day]
        first, after = (days_of(week_of(day + 6))[0] for day in days)
        async with self._core.engine.read() as connection:
            return [
                *await rollups.days(connection, _ask(partnership, own.agency, pack, by_day, days)),
                *await rollups.weeks(connection, _ask(partnership, own.agency, pack, by_week, (first, after))),
            ]

    async def others(
        self, view: View, viewer: bytes, kinds: Sequence[int], weeks: Weeks, *, dims: Collection[str] | None = None
    ) -> list[Shown]:
        """Return what is published to an agency: of every cell the latest figure, of some dimensions or of all."""
        async with self._core.engine.read() as connection:
            rows = await published.shown(connection, view.partnership, viewer, kinds, weeks, dims=dims)
        latest = dict[tuple[int, int, Cell], Shown]()
        for kind, week, dim, value, figure, revision, published_at in rows:
            cell = (dim, value)
            # A revision says nothing of a cell that it leaves out, and names none that the first one did not.
            if figure is not None or (kind, week, cell) not in latest:
                latest[kind, week, cell] = Shown(kind, week, cell, figure, revision, published_at)
        return list(latest.values())

    async def together(self, view: View, present: Iterable[bytes], kinds: Sequence[int], weeks: Weeks) -> list[Shown]:
        """Return what a screen may show that several agencies look at: totals of all, theirs included.

        An agency that alone owns a kind knows its total and hides nothing from itself.
        """
        found = list[Shown]()
        for kind in kinds:
            counting = set(owners(self._core.rules, view, kind, self._core.clock()))
            viewers = sorted(one for one in set(present) if counting - {one})
            if viewers:
                async with self._core.engine.read() as connection:
                    rows = await published.cells(connection, view.partnership, viewers, [kind], weeks)
                    made = await published.made_from(connection, view.partnership, kind, weeks)
                found += self._joint(view, kind, viewers, rows, made)
        return found

    def _joint(
        self, view: View, kind: int, viewers: Sequence[bytes], rows: Iterable[CellRow], made: Iterable[FromRow]
    ) -> list[Shown]:
        given = dict[tuple[int, int], dict[bytes, dict[Cell, CellRow]]]()
        for row in rows:
            of_week = given.setdefault((row.week, row.revision), {})
            of_week.setdefault(row.viewer, {})[row.dim, row.value] = row
        totals = dict[tuple[int, int, Cell], int]()
        for one in made:
            name = (one.week, one.revision, (one.dim, one.value))
            totals[name] = totals.get(name, 0) + one.number
        latest = dict[tuple[int, Cell], Shown]()
        for (week, revision), by_viewer in sorted(given.items()):
            pack = pack_at(self._core.rules, view, self._core.clock())
            shown = joint(
                {cell for cell, row in by_viewer.get(viewer, {}).items() if row.figure is not None}
                for viewer in viewers
            )
            for mine in by_viewer.values():
                for cell, row in mine.items():
                    if pack is not None and cell in shown:
                        total = rounded(totals.get((week, revision, cell), 0), rule_of(pack, kind).round_to)
                        latest[week, cell] = Shown(kind, week, cell, total, revision, row.published_at)
                    elif (week, cell) not in latest:
                        latest[week, cell] = Shown(kind, week, cell, None, revision, row.published_at)
        return [latest[name] for name in sorted(latest)]


def _asked(ask: CountsAsk) -> Weeks:
    try:
        first, last = week_named(ask.first), week_named(ask.last)
    except ValueError:
        raise Invalid("out_of_range", "first") from None
    if not first <= last < first + MAX_WEEKS:
        raise Invalid("out_of_range", "last")
    return first, last + 1


def _is_by_day(pack: Pack, kind: int, owner: Sector) -> bool:
    found = pack.kinds[kind]
    return owner in found.owners and found.time_fact(owner) not in {None, "week"}


def _ask(partnership: bytes, agency: bytes, pack: Pack, kinds: Sequence[int], days: tuple[int, int]) -> Ask:
    dims = {"", *(one.name for kind in kinds for one in dimensions(pack, kind))}
    return Ask(partnership, (agency,), tuple(kinds), tuple(sorted(dims)), *days)
