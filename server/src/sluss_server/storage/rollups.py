"""Counts of reports by day and scene, and of how many of the staff they are.

They are written in the transaction that writes the facts, so that no question ever grows with the reports.

> INVARIANT: a count is the sum over the facts that were written and not taken out again; culling takes nothing out.

Source: docs/secrecy-rules.md B8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import Prepared
from sluss_server.storage.tables import rollup_staff, rollups


class CountKey(NamedTuple):
    """Which count, in the order of the columns."""

    partnership_id: bytes
    agency: bytes
    dim: str
    kind: int
    day: int
    scene: int
    value: int


class StaffKey(NamedTuple):
    """Whose part of which count, in the order of the columns."""

    partnership_id: bytes
    kind: int
    week: int
    agency: bytes
    dim: str
    value: int
    scene: int
    contributor: bytes


class Ask(NamedTuple):
    """Which counts: of whom, of what, and from which day on until before which."""

    partnership: bytes
    agencies: Sequence[bytes]
    kinds: Sequence[int]
    dims: Sequence[str]
    first: int
    after: int


class DayCount(NamedTuple):
    """An agency's count of a cell at a scene on a day, or in the week of that day.

    `elsewhere` is how many of them are of events that another agency's report counts.
    """

    agency: bytes
    kind: int
    day: int
    scene: int
    dim: str
    value: int
    number: int
    elsewhere: int = 0


class Staff(NamedTuple):
    """One of the staff whose part a count is, and how much of it."""

    agency: bytes
    scene: int
    dim: str
    value: int
    contributor: bytes
    number: int


class _Upserts:
    """Insert-or-add, written for the engine at hand."""

    def __init__(self, table: Table, added: tuple[str, ...]) -> None:
        names = tuple(column.name for column in table.columns)
        self._by_dialect: Final[dict[str, Prepared]] = {}
        for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert)):
            statement = insert(table).values({name: bindparam(name) for name in names})
            statement = statement.on_conflict_do_update(
                index_elements=list(table.primary_key),
                set_={name: table.c[name] + statement.excluded[name] for name in added},
            )
            self._by_dialect[dialect] = Prepared(statement, names)

    async def run(self, connection: AsyncConnection, rows: Sequence[tuple[object, ...]]) -> None:
        await self._by_dialect[connection.dialect.name].run(connection, rows)


_asked: Final = (
    rollups.c.partnership_id == bindparam("partnership"),
    rollups.c.agency.in_(bindparam("agencies", expanding=True)),
    rollups.c.dim.in_(bindparam("dims", expanding=True)),
    rollups.c.kind.in_(bindparam("kinds", expanding=True)),
    rollups.c.day >= bindparam("first"),
    rollups.c.day < bindparam("after"),
)
_cell: Final = (rollups.c.agency, rollups.c.kind, rollups.c.scene, rollups.c.dim, rollups.c.value)
# In whole numbers on every engine: the day of its Monday.
_monday: Final = rollups.c.day - (rollups.c.day + 3) % 7


def _by_week(number: ColumnElement[int]) -> Select[bytes, int, int, int, str, int, int, int]:
    """Return the question for counts by week, each at its Monday."""
    total = func.sum(number)
    monday = _monday.label("day")
    return (
        select(
            rollups.c.agency,
            rollups.c.kind,
            monday,
            rollups.c.scene,
            rollups.c.dim,
            rollups.c.value,
            total.label("number"),
            func.sum(rollups.c.kept).label("kept"),
        )
        .where(*_asked)
        .group_by(*_cell, monday)
        .having(total != 0)
        .order_by(*_cell, monday)
    )


_count: Final = _Upserts(rollups, ("count", "kept"))
_staff: Final = _Upserts(rollup_staff, ("count",))
_days: Final = (
    select(
        rollups.c.agency,
        rollups.c.kind,
        rollups.c.day,
        rollups.c.scene,
        rollups.c.dim,
        rollups.c.value,
        rollups.c.count.label("number"),
        rollups.c.kept,
    )
    .where(*_asked, rollups.c.count != 0)
    .order_by(*rollups.primary_key.columns)
)
_weeks: Final = _by_week(rollups.c.count)
_kept: Final = _by_week(rollups.c.count + rollups.c.kept)
_staff_of_week: Final = select(
    rollup_staff.c.agency,
    rollup_staff.c.scene,
    rollup_staff.c.dim,
    rollup_staff.c.value,
    rollup_staff.c.contributor,
    rollup_staff.c.count,
).where(
    rollup_staff.c.partnership_id == bindparam("partnership"),
    rollup_staff.c.kind == bindparam("kind"),
    rollup_staff.c.week == bindparam("week"),
    rollup_staff.c.count != 0,
)
_forget_staff: Final = delete(rollup_staff).where(
    rollup_staff.c.partnership_id == bindparam("partnership"),
    rollup_staff.c.kind == bindparam("kind"),
    rollup_staff.c.week == bindparam("week"),
)
_any: Final = select(rollups.c.day).where(rollups.c.partnership_id == bindparam("partnership")).limit(1)
_first_day: Final = select(func.min(rollups.c.day)).where(
    rollups.c.partnership_id == bindparam("partnership"),
    rollups.c.dim == "",
    rollups.c.count + rollups.c.kept != 0,
)


async def add(
    connection: AsyncConnection, counts: Mapping[CountKey, tuple[int, int]], staff: Mapping[StaffKey, int]
) -> None:
    """Add to counts, and to what is kept of them for publications; always in one order, for two servers may do it."""
    await _count.run(connection, [(*key, *more) for key, more in sorted(counts.items()) if any(more)])
    await _staff.run(connection, [(*key, more) for key, more in sorted(staff.items()) if more])


async def days(connection: AsyncConnection, ask: Ask) -> list[DayCount]:
    """Return agencies' exact counts by day."""
    return await _run(connection, _days, ask)


async def weeks(connection: AsyncConnection, ask: Ask) -> list[DayCount]:
    """Return agencies' exact counts by ISO week, each at its Monday."""
    return await _run(connection, _weeks, ask)


async def kept(connection: AsyncConnection, ask: Ask) -> list[DayCount]:
    """Return by ISO week what publications count, which is what was there when a week was published and since."""
    return await _run(connection, _kept, ask)


async def _run(
    connection: AsyncConnection, statement: Select[bytes, int, int, int, str, int, int, int], ask: Ask
) -> list[DayCount]:
    asked = {name: list(value) if isinstance(value, tuple | list) else value for name, value in ask._asdict().items()}
    # Sums come as decimals from some drivers.
    rows = (await connection.execute(statement, asked)).all()
    return [
        # What is kept beyond the count was published before it was taken out, and is no business of its owner's count.
        DayCount(agency, kind, day, scene, dim, value, int(number), max(0, -int(kept)))
        for agency, kind, day, scene, dim, value, number, kept in rows
    ]


async def staff_of_week(connection: AsyncConnection, partnership: bytes, kind: int, week: int) -> list[Staff]:
    """Return whose counts a kind's week is of, where the pack asks."""
    rows = await connection.execute(_staff_of_week, {"partnership": partnership, "kind": kind, "week": week})
    return [Staff(*row) for row in rows]


async def forget_staff(connection: AsyncConnection, partnership: bytes, kind: int, week: int) -> None:
    """Remove who counts were of, once nothing more is published of the week."""
    await connection.execute(_forget_staff, {"partnership": partnership, "kind": kind, "week": week})


async def is_empty(connection: AsyncConnection, partnership: bytes) -> bool:
    """Tell whether nothing was ever counted."""
    return (await connection.execute(_any, {"partnership": partnership})).first() is None


async def first_day(connection: AsyncConnection, partnership: bytes) -> int | None:
    """Return the first day of which anything is counted."""
    found: int | None = (await connection.execute(_first_day, {"partnership": partnership})).scalar()
    return found
