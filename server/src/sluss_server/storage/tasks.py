"""How many of an agency's tasks are open, overdue and done, by the code of what is to be done.

> INVARIANT: one agency's tasks alone; what they are about is sealed, and here are numbers.

Source: docs/protocol.md section 4.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, case, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.tables import records


class TaskCount(NamedTuple):
    """How many tasks of a code are in a state: `done`, `overdue`, `soon` or `later`; `past` are done long ago."""

    code: str
    state: str
    number: int


class Times(NamedTuple):
    """From when on tasks are due that are looked at, that are done lately; now; and until when they are due soon."""

    since: int
    lately: int
    now: int
    soon: int


_ends: Final = records.alias("ends")
# Nobody but the agency itself ends its tasks. Its id is left out here, for with it the index on kinds would be taken,
# and every task would look at all that was ever done.
_is_done: Final = exists().where(
    _ends.c.partnership_id == records.c.partnership_id,
    _ends.c.follows == records.c.record_id,
    _ends.c.kind == "done",
)
_state: Final = case(
    (and_(_is_done, records.c.until >= bindparam("lately")), "done"),
    (_is_done, "past"),
    (records.c.until <= bindparam("now"), "overdue"),
    (records.c.until <= bindparam("soon"), "soon"),
    else_="later",
)
# By the index on kind and clock.
_due: Final = (
    select(records.c.code, _state.label("state"), func.count().label("number"))
    .where(
        records.c.partnership_id == bindparam("partnership"),
        records.c.agency == bindparam("agency"),
        records.c.kind == "task",
        records.c.until >= bindparam("since"),
    )
    .group_by(records.c.code, "state")
)


async def due(connection: AsyncConnection, partnership: bytes, agency: bytes, times: Times) -> list[TaskCount]:
    """Return an agency's tasks that are due at `times.since` or later, by code and state."""
    given = {"partnership": partnership, "agency": agency, **times._asdict()}
    return sorted(TaskCount._make(row) for row in await connection.execute(_due, given))
