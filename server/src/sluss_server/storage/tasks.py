"""How many of an agency's tasks are open, overdue and done, by the code of what is to be done.

A task is in these numbers where the report that it is about is in the agency's own counts, in whichever version; a task
of the server's own is about none. So what never counts, what lies at a protected place, and what was culled, is not.

> INVARIANT: one agency's tasks alone; what they are about is sealed, and here are numbers.
> INVARIANT: a task about a report whose existence is secret changes no number.

Source: docs/protocol.md section 4; docs/secrecy-rules.md B7 13 and B8.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import bindparam, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.tables import facts, records, reports


class TaskCount(NamedTuple):
    """How many tasks of a code are in a state: `done` lately, `overdue`, `soon` or `later`."""

    code: str
    state: str
    number: int


class Times(NamedTuple):
    """From when on tasks are due that are looked at, that are done lately; now; and until when they are due soon."""

    since: int
    lately: int
    now: int
    soon: int


_NONE: Final = b""
"""What a task is about that the server opened."""
_SECRET: Final = 0
"""The kind that a report shows whose existence is secret."""
_about: Final = reports.alias("about")
_version: Final = reports.alias("version")
# Each by the whole of a key, or by the index on reports. The facts are those of the one version that counts.
_is_counted: Final = exists().where(
    _about.c.partnership_id == records.c.partnership_id,
    _about.c.digest == records.c.digest,
    _about.c.kind != _SECRET,
    _version.c.partnership_id == _about.c.partnership_id,
    _version.c.report_id == _about.c.report_id,
    _version.c.agency == _about.c.agency,
    facts.c.partnership_id == _version.c.partnership_id,
    facts.c.digest == _version.c.digest,
)
_ends: Final = records.alias("ends")
# Nobody but the agency itself ends its tasks. Its id is left out here, for with it the index on kinds would be taken,
# and every task would look at all that was ever done.
_is_done: Final = exists().where(
    _ends.c.partnership_id == records.c.partnership_id,
    _ends.c.follows == records.c.record_id,
    _ends.c.kind == "done",
)
_state: Final = case(
    (_is_done, "done"),
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
        # Most tasks of a year were done long ago: what they are about is not looked for.
        or_(records.c.until >= bindparam("lately"), ~_is_done),
        or_(records.c.digest == _NONE, _is_counted),
    )
    .group_by(records.c.code, "state")
)


async def due(connection: AsyncConnection, partnership: bytes, agency: bytes, times: Times) -> list[TaskCount]:
    """Return an agency's tasks that are due at `times.since` or later and may be told of, by code and state."""
    given = {"partnership": partnership, "agency": agency, **times._asdict()}
    return sorted(TaskCount._make(row) for row in await connection.execute(_due, given))
