"""Each week's counts, given out once to everybody else, and looked at again at fixed times.

A kind's week is published when it is over in the pack's zone, and later where the pack delays the kind. It is looked at
again a week, four weeks and a quarter later: at times that no report chooses, for a figure that came as soon as enough
late reports were there would tell that they were just enough.
Refuses to publish what the owner's pack closes to the supervisors of others, and the scene where it counts them whole.
Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.

> INVARIANT: what is published is a function of the counts, the pack and the directories at that moment, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.ids import NO_SCENE
from sluss_schemas.policy.model import Pack
from sluss_server.aggregates import publish
from sluss_server.aggregates.catalogue import (
    Rule,
    Table,
    counts_for_others,
    dimensions,
    is_counted,
    is_counted_whole,
    rule_of,
    table_of,
)
from sluss_server.aggregates.cells import SCENE, TOTAL, Cell, begins, day_of, days_of, week_of
from sluss_server.aggregates.publish import Exact
from sluss_server.services import counting
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.rules import Rules
from sluss_server.storage import published, rollups
from sluss_server.storage.published import CellRow, FromRow, StaffRow, WeekRow
from sluss_server.storage.rollups import Ask, DayCount, Staff

LOOKS_AFTER_DAYS: Final = (7, 28, 91)
"""When a published week is looked at again, in days after it was due."""
_LOOK_EVERY_S: Final = 900
_BACK_WEEKS: Final = 60
_AT_ONCE: Final = 4
"""Weeks in one look, so that a server that was away for long still does its other work."""
_DAY_S: Final = 86_400


class Due(NamedTuple):
    """A kind's week that is to be published, or of which a look is due."""

    kind: int
    week: int
    pack: Pack
    row: WeekRow | None


class _Work(NamedTuple):
    """One kind's week in one transaction."""

    connection: AsyncConnection
    view: View
    due: Due
    exact: dict[bytes, Exact]
    whole: frozenset[bytes]
    now: int

    def rule(self, viewer: bytes) -> Rule:
        """Return what a viewer may see; more has to be there where one is among the others who is counted whole."""
        numbers, others = self.due.pack.parameters, self.exact.keys() - {viewer}
        return rule_of(self.due.pack, self.due.kind)._replace(
            k_whole=0 if self.whole.isdisjoint(others) else numbers.k_sensitive
        )

    def rows(self, viewer: bytes, revision: int, figures: Mapping[Cell, int | None]) -> list[CellRow]:
        """Return the rows of what a viewer is shown."""
        partnership, kind, week = self.view.partnership, self.due.kind, self.due.week
        return [
            CellRow(partnership, viewer, kind, week, revision, dim, value, figure, self.now)
            for (dim, value), figure in sorted(figures.items())
        ]

    def made_from(self, revision: int) -> list[FromRow]:
        """Return the rows of the exact counts."""
        partnership, kind, week = self.view.partnership, self.due.kind, self.due.week
        return [
            FromRow(partnership, kind, week, revision, owner, dim, value, number)
            for owner, one in sorted(self.exact.items())
            for (dim, value), number in sorted(one.counts.items())
            if number
        ]

    def made_by(self, revision: int) -> list[StaffRow]:
        """Return the rows of whose of the staff they are."""
        partnership, kind, week = self.view.partnership, self.due.kind, self.due.week
        return [
            StaffRow(partnership, kind, week, revision, owner, dim, value, person.removeprefix(owner), number)
            for owner, one in sorted(self.exact.items())
            for (dim, value), people in sorted(one.staff.items())
            for person, number in sorted(people.items())
        ]

    def others(self, viewer: bytes) -> list[Exact]:
        """Return the counts of everybody but the viewer."""
        return [one for owner, one in self.exact.items() if owner != viewer]

    def table(self) -> Table:
        """Return the table, with every scene that there is and every one that somebody counted at."""
        registry = self.view.registry
        scenes = set[int]() if registry is None else {int(scene) for scene in registry.scenes}
        counted = {value for one in self.exact.values() for name, value in one.counts if name == SCENE}
        return table_of(self.due.pack, self.due.kind, scenes | counted)


class Publishing:
    """What is published by itself."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._looked: Final[dict[bytes, int]] = {}
        self._counted: Final[set[bytes]] = set()

    async def once(self, view: View, now: int) -> None:
        """Publish what is due."""
        last = self._looked.get(view.partnership)
        if last is not None and 0 <= now // _LOOK_EVERY_S - last // _LOOK_EVERY_S < 1:
            return
        if view.partnership not in self._counted:
            await self._core.writer.submit(partial(self._recount, view.partnership))
            self._counted.add(view.partnership)
        async with self._core.engine.read() as connection:
            due = await self._due(connection, view, now)
        weeks = sorted({one.week for one in due})
        for week in weeks[:_AT_ONCE]:
            await self._core.writer.submit(partial(self._publish, view, [one for one in due if one.week == week], now))
        if len(weeks) <= _AT_ONCE:
            self._looked[view.partnership] = now

    async def _recount(self, partnership: bytes, connection: AsyncConnection) -> None:
        if await rollups.is_empty(connection, partnership):
            await counting.recount(self._core.rules, connection, partnership)

    async def _due(self, connection: AsyncConnection, view: View, now: int) -> list[Due]:
        """Return what is to be published or looked at, oldest first."""
        pack = pack_at(self._core.rules, view, now)
        start = await rollups.first_day(connection, view.partnership)
        if pack is None or start is None:
            return []
        this_week = week_of(day_of(now, pack.zone))
        first = max(this_week - _BACK_WEEKS, week_of(start))
        rows = await published.weeks(connection, view.partnership, (first, this_week))
        known = {(one.kind, one.week): one for one in rows}
        found = list[Due]()
        for week in range(first, this_week):
            then = pack_at(self._core.rules, view, begins(days_of(week)[1], pack.zone)) or pack
            for kind in sorted(then.kinds):
                row = known.get((kind, week))
                if is_counted(then, kind) and self._is_due(then, kind, week, row, now):
                    found.append(Due(kind, week, then, row))
        return found

    @staticmethod
    def _is_due(pack: Pack, kind: int, week: int, row: WeekRow | None, now: int) -> bool:
        due = begins(days_of(week)[1] + rule_of(pack, kind).delay_days, pack.zone)
        if row is None:
            return due <= now
        # One look at a time: another server, or an earlier round, may have missed some.
        return row.next_look < len(LOOKS_AFTER_DAYS) and due + LOOKS_AFTER_DAYS[row.next_look] * _DAY_S <= now

    async def _publish(self, view: View, week: Sequence[Due], now: int, connection: AsyncConnection) -> None:
        for due in week:
            await self._publish_kind(view, due, now, connection)

    async def _publish_kind(self, view: View, due: Due, now: int, connection: AsyncConnection) -> None:
        among = owners(self._core.rules, view, due.kind, begins(days_of(due.week)[1], due.pack.zone))
        whole = frozenset(owner for owner in among if _is_whole(self._core.rules, view, due, owner))
        exact = await self._exact(connection, view, due, among, whole)
        work = _Work(connection, view, due, exact, whole, now)
        if due.row is None:
            await self._first(work)
        else:
            await self._look(work, due.row)

    async def _exact(
        self, connection: AsyncConnection, view: View, due: Due, counted: Sequence[bytes], whole: frozenset[bytes]
    ) -> dict[bytes, Exact]:
        """Return every owner's exact counts of a kind's week."""
        dims = ("", *(one.name for one in dimensions(due.pack, due.kind)))
        ask = Ask(view.partnership, counted, (due.kind,), dims, *days_of(due.week))
        staff = await rollups.staff_of_week(connection, view.partnership, due.kind, due.week)
        counts, found = await rollups.kept(connection, ask), dict[bytes, Exact]()
        for owner in counted:
            mine, kept_whole = (one for one in counts if one.agency == owner), owner in whole
            found[owner] = Exact(_cells(mine, whole=kept_whole), _staff(staff, owner, whole=kept_whole))
        return found

    async def _first(self, work: _Work) -> None:
        due, partnership, shown = work.due, work.view.partnership, list[CellRow]()
        table = work.table()
        for viewer in sorted(work.view.directories):
            others = work.others(viewer)
            if others:
                shown += work.rows(viewer, 0, publish.first(table, publish.added(others), work.rule(viewer)))
        week = WeekRow(partnership, due.kind, due.week, work.now, 0)
        await published.insert(work.connection, work.made_from(0), work.made_by(0), shown, week)

    async def _look(self, work: _Work, row: WeekRow) -> None:
        connection, view, due, revision = work.connection, work.view, work.due, row.next_look + 1
        between, shown = (due.week, due.week + 1), list[CellRow]()
        made = await published.made_from(connection, view.partnership, due.kind, between)
        people = await published.staff(connection, view.partnership, due.kind, due.week)
        cells = await published.cells(connection, view.partnership, sorted(view.directories), (due.kind,), between)
        table = work.table()
        for viewer in sorted(view.directories):
            given = [one for one in cells if one.viewer == viewer]
            if not given:
                continue
            last = max(one.revision for one in given)
            known = {(one.dim, one.value) for one in given if one.revision == last and one.figure is not None}
            before = _before(made, people, viewer, last)
            others = publish.added(work.others(viewer))
            figures = publish.revised(table, others, before, known, work.rule(viewer))
            shown += work.rows(viewer, revision, figures)
        if shown:
            await published.insert(connection, work.made_from(revision), work.made_by(revision), shown)
        await published.looked(connection, row._replace(next_look=revision))
        if revision == len(LOOKS_AFTER_DAYS):
            await rollups.forget_staff(connection, view.partnership, due.kind, due.week)
            await published.forget_staff(connection, view.partnership, due.kind, due.week)


def pack_at(rules: Rules, view: View, at: int) -> Pack | None:
    """Return the pack of the partnership at a time: that of the agency that holds the registry."""
    registry = view.registry
    digest = None if registry is None else rules.now(registry.packs, at)
    return None if digest is None else rules.pack(digest)


def owners(rules: Rules, view: View, kind: int, at: int) -> list[bytes]:
    """Return the agencies whose reports of a kind are in what others see, each by its own pack."""
    found = list[bytes]()
    for agency, directory in sorted(view.directories.items()):
        digest = rules.now(directory.packs, at)
        pack = None if digest is None else rules.pack(digest)
        if pack is not None and kind in pack.kinds and counts_for_others(pack, kind, directory.sector):
            found.append(agency)
    return found


def _is_whole(rules: Rules, view: View, due: Due, owner: bytes) -> bool:
    """Tell whether an owner's reports stand at no scene for others: its own pack or the partnership's says so."""
    directory = view.directories[owner]
    digest = rules.now(directory.packs, begins(days_of(due.week)[1], due.pack.zone))
    own = None if digest is None else rules.pack(digest)
    return any(is_counted_whole(pack, directory.sector) for pack in (due.pack, own) if pack is not None)


def _before(made: Iterable[FromRow], people: Iterable[StaffRow], viewer: bytes, revision: int) -> Exact:
    """Return the counts of all others behind a publication, and whose of the staff they were."""
    counts, staff = dict[Cell, int](), dict[Cell, dict[bytes, int]]()
    for one in made:
        if one.revision == revision and one.agency != viewer:
            counts[one.dim, one.value] = counts.get((one.dim, one.value), 0) + one.number
    for each in people:
        if each.revision == revision and each.agency != viewer:
            staff.setdefault((each.dim, each.value), {})[each.agency + each.contributor] = each.number
    return Exact(counts, staff)


def _places(dim: str, value: int, scene: int, *, whole: bool) -> tuple[Cell, ...]:
    """Return the cells of the table that a count stands at."""
    return ((dim, value),) if dim else (TOTAL, (SCENE, NO_SCENE if whole else scene))


def _cells(counts: Iterable[DayCount], *, whole: bool) -> dict[Cell, int]:
    """Return an owner's counts of a week by the cells of the table."""
    found = dict[Cell, int]()
    for one in counts:
        for cell in _places(one.dim, one.value, one.scene, whole=whole):
            found[cell] = found.get(cell, 0) + one.number
    return found


def _staff(staff: Iterable[Staff], owner: bytes, *, whole: bool) -> dict[Cell, dict[bytes, int]]:
    """Return how much of each cell is whose of an owner's staff; another owner's has another name."""
    found = dict[Cell, dict[bytes, int]]()
    for one in staff:
        if one.agency == owner:
            for cell in _places(one.dim, one.value, one.scene, whole=whole):
                people = found.setdefault(cell, {})
                people[owner + one.contributor] = people.get(owner + one.contributor, 0) + one.number
    return found
