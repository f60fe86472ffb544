"""Statements prepared once and run with many rows.

SQLAlchemy writes the statement for the engine at hand; the rows then go to the driver as they are, because turning
dictionaries into parameters would cost more than storing the row.

> INVARIANT: a row is a tuple in the order of the statement's columns, and its values are of the driver's own types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Insert, Table, Update, bindparam, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection


class Prepared:
    """A statement with named parameters, written once per dialect."""

    def __init__(self, statement: Insert | Update, order: tuple[str, ...]) -> None:
        """Keep the statement; `order` names the parameters in the order in which rows give them."""
        self._statement: Final = statement
        self._order: Final = order
        self._texts: Final[WeakKeyDictionary[Any, tuple[str, list[int] | None]]] = WeakKeyDictionary()

    async def run(self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run the statement for every row; no rows is no statement."""
        if not rows:
            return
        known = self._texts.get(connection.dialect)
        if known is None:
            known = self._texts[connection.dialect] = self._write(connection.dialect)
        text, places = known
        given = list(rows) if places is None else [tuple(row[place] for place in places) for row in rows]
        await connection.exec_driver_sql(text, given)

    def _write(self, dialect: Any) -> tuple[str, list[int] | None]:  # noqa: ANN401  # see Engine.dialect
        compiled = self._statement.compile(dialect=dialect)
        wanted = list(compiled.positiontup or ())
        places = [self._order.index(name) for name in wanted]
        return str(compiled), None if places == list(range(len(self._order))) else places


def insert_all(table: Table) -> Prepared:
    """Return the insert of whole rows, in the order of the table's columns."""
    names = tuple(column.name for column in table.columns)
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return Prepared(insert(table).values(values), names)


def update_by(table: Table, keys: tuple[str, ...], values: tuple[str, ...]) -> Prepared:
    """Return the update of `values` in the row that `keys` name; a row gives the values, then the keys."""
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in values}
    statement = update(table).values(new)
    for name in keys:
        statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
    return Prepared(statement, (*(f"new_{name}" for name in values), *(f"key_{name}" for name in keys)))
