"""What was published of each kind and week, and the exact counts that it was made of.

> INVARIANT: a published row is written once and never changed.

Source: docs/secrecy-rules.md B8.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import (
    directory_heads,
    published_cells,
    published_from,
    published_staff,
    published_weeks,
)


class WeekRow(NamedTuple):
    """A row of `published_weeks`, in the order of its columns."""

    partnership_id: bytes
    kind: int
    week: int
    published_at: int
    next_look: int


class FromRow(NamedTuple):
    """A row of `published_from`, in the order of its columns."""

    partnership_id: bytes
    kind: int
    week: int
    revision: int
    agency: bytes
    dim: str
    value: int
    number: int


class StaffRow(NamedTuple):
    """A row of `published_staff`, in the order of its columns."""

    partnership_id: bytes
    kind: int
    week: int
    revision: int
    agency: bytes
    dim: str
    value: int
    contributor: bytes
    number: int


class CellRow(NamedTuple):
    """A row of `published_cells`, in the order of its columns."""

    partnership_id: bytes
    viewer: bytes
    kind: int
    week: int
    revision: int
    dim: str
    value: int
    figure: int | None
    published_at: int


class Shown(NamedTuple):
    """What an agency is shown of a cell; None where it is hidden."""

    kind: int
    week: int
    dim: str
    value: int
    figure: int | None
    revision: int
    published_at: int


_insert_weeks: Final = insert_all(published_weeks)
_insert_from: Final = insert_all(published_from)
_insert_staff: Final = insert_all(published_staff)
_insert_cells: Final = insert_all(published_cells)
_look: Final = update_by(published_weeks, ("partnership_id", "kind", "week"), ("next_look",))
_weeks: Final = select(*published_weeks.c).where(
    published_weeks.c.partnership_id == bindparam("partnership"),
    published_weeks.c.week >= bindparam("first"),
    published_weeks.c.week < bindparam("after"),
)
_from: Final = select(*published_from.c).where(
    published_from.c.partnership_id == bindparam("partnership"),
    published_from.c.kind == bindparam("kind"),
    published_from.c.week >= bindparam("first"),
    published_from.c.week < bindparam("after"),
)
_of_week: Final = (
    published_staff.c.partnership_id == bindparam("partnership"),
    published_staff.c.kind == bindparam("kind"),
    published_staff.c.week == bindparam("week"),
)
_staff: Final = select(*published_staff.c).where(*_of_week)
_forget_staff: Final = delete(published_staff).where(*_of_week)
_cells: Final = (
    select(*published_cells.c)
    .where(
        published_cells.c.partnership_id == bindparam("partnership"),
        published_cells.c.viewer.in_(bindparam("viewers", expanding=True)),
        published_cells.c.kind.in_(bindparam("kinds", expanding=True)),
        published_cells.c.week >= bindparam("first"),
        published_cells.c.week < bindparam("after"),
    )
    .order_by(*published_cells.primary_key.columns)
)
# Each agency's rows by the beginning of their key.
_last: Final = (
    select(published_cells.c.kind, published_cells.c.week, func.max(published_cells.c.published_at).label("at"))
    .where(
        published_cells.c.partnership_id == bindparam("partnership"),
        published_cells.c.viewer.in_(
            select(directory_heads.c.agency).where(directory_heads.c.partnership_id == bindparam("partnership"))
        ),
        published_cells.c.kind.in_(bindparam("kinds", expanding=True)),
        published_cells.c.week.in_(bindparam("weeks", expanding=True)),
    )
    .group_by(published_cells.c.kind, published_cells.c.week)
)
_shown: Final = (
    select(*(published_cells.c[name] for name in Shown._fields))
    .where(
        published_cells.c.partnership_id == bindparam("partnership"),
        published_cells.c.viewer == bindparam("viewer"),
        published_cells.c.kind.in_(bindparam("kinds", expanding=True)),
        published_cells.c.week >= bindparam("first"),
        published_cells.c.week < bindparam("after"),
    )
    .order_by(*published_cells.primary_key.columns)
)
_shown_of: Final = _shown.where(published_cells.c.dim.in_(bindparam("dims", expanding=True)))


async def weeks(connection: AsyncConnection, partnership: bytes, between: tuple[int, int]) -> list[WeekRow]:
    """Return which kinds' weeks are published; `between` is the first week and the first one after."""
    asked = {"partnership": partnership, "first": between[0], "after": between[1]}
    return [WeekRow(*row) for row in await connection.execute(_weeks, asked)]


async def made_from(
    connection: AsyncConnection, partnership: bytes, kind: int, between: tuple[int, int]
) -> list[FromRow]:
    """Return the exact counts behind the publications of a kind."""
    asked = {"partnership": partnership, "kind": kind, "first": between[0], "after": between[1]}
    return [FromRow(*row) for row in await connection.execute(_from, asked)]


async def staff(connection: AsyncConnection, partnership: bytes, kind: int, week: int) -> list[StaffRow]:
    """Return whose of the staff the counts behind the publications of a kind's week were, where the pack asks."""
    rows = await connection.execute(_staff, {"partnership": partnership, "kind": kind, "week": week})
    return [StaffRow(*row) for row in rows]


async def forget_staff(connection: AsyncConnection, partnership: bytes, kind: int, week: int) -> None:
    """Remove whose they were, once nothing more is published of the week."""
    await connection.execute(_forget_staff, {"partnership": partnership, "kind": kind, "week": week})


async def cells(
    connection: AsyncConnection,
    partnership: bytes,
    viewers: Sequence[bytes],
    kinds: Sequence[int],
    between: tuple[int, int],
) -> list[CellRow]:
    """Return what agencies are shown of kinds, every revision after the one before."""
    asked = {
        "partnership": partnership,
        "viewers": list(viewers),
        "kinds": list(kinds),
        "first": between[0],
        "after": between[1],
    }
    return [CellRow(*row) for row in await connection.execute(_cells, asked)]


async def last(
    connection: AsyncConnection, partnership: bytes, kinds: Collection[int], weeks: Collection[int]
) -> dict[tuple[int, int], int]:
    """Return when anything was published last of some kinds' weeks; without those of which nothing was."""
    if not kinds or not weeks:
        return {}
    asked = {"partnership": partnership, "kinds": sorted(kinds), "weeks": sorted(weeks)}
    return {(row.kind, row.week): int(row.at) for row in await connection.execute(_last, asked)}


async def shown(
    connection: AsyncConnection,
    partnership: bytes,
    viewer: bytes,
    kinds: Sequence[int],
    between: tuple[int, int],
    *,
    dims: Collection[str] | None = None,
) -> list[Shown]:
    """Return what an agency is shown of kinds, every revision after the one before; of some dimensions or of all."""
    asked: dict[str, object] = {
        "partnership": partnership,
        "viewer": viewer,
        "kinds": list(kinds),
        "first": between[0],
        "after": between[1],
    }
    if dims is None:
        rows = await connection.execute(_shown, asked)
    else:
        rows = await connection.execute(_shown_of, {**asked, "dims": sorted(dims)})
    return [Shown._make(row) for row in rows.all()]


async def insert(
    connection: AsyncConnection,
    made: Sequence[FromRow],
    people: Sequence[StaffRow],
    shown: Sequence[CellRow],
    week: WeekRow | None = None,
) -> None:
    """Write a publication; `week` where it is the first of its kind and week."""
    await _insert_weeks.run(connection, [] if week is None else [week])
    await _insert_from.run(connection, made)
    await _insert_staff.run(connection, people)
    await _insert_cells.run(connection, shown)


async def looked(connection: AsyncConnection, week: WeekRow) -> None:
    """Keep which look for a revision is next."""
    await _look.run(connection, [(week.next_look, week.partnership_id, week.kind, week.week)])
