"""How the data come in: the day on which a device was last heard of, and how late reports were.

Refuses to be without end: of each kind the newest reports of some days, and no more than is asked for.

> INVARIANT: of a device there is one day, the last; of one agency alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.tables import contacts, facts, reports


class Arrival(NamedTuple):
    """When something happened, as finely as its facts say, and when the server heard of it."""

    time: int
    received_at: int


_FIRST: Final = 1
"""The number of a report's first version; a later one says nothing of how soon the report came."""
_days: Final = select(contacts.c.device, contacts.c.day).where(
    contacts.c.partnership_id == bindparam("partnership"), contacts.c.agency == bindparam("agency")
)
# Found by the index on age, then each by the whole of its key.
_arrivals: Final = (
    select(facts.c.time, reports.c.received_at)
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.agency == bindparam("agency"),
        reports.c.kind == bindparam("kind"),
        reports.c.received_at >= bindparam("since"),
        reports.c.received_at < bindparam("until"),
        reports.c.version == _FIRST,
        facts.c.partnership_id == reports.c.partnership_id,
        facts.c.digest == reports.c.digest,
    )
    .order_by(reports.c.received_at.desc())
    .limit(bindparam("limit"))
)


async def heard(connection: AsyncConnection, partnership: bytes, agency: bytes, device: bytes, day: int) -> None:
    """Write the day of a device in the place of the one before."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(contacts).values(partnership_id=partnership, agency=agency, device=device, day=day)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=list(contacts.primary_key), set_={"day": statement.excluded.day})
    )


async def days(connection: AsyncConnection, partnership: bytes, agency: bytes) -> dict[bytes, int]:
    """Return the last day of each of an agency's devices that were ever heard of."""
    given = {"partnership": partnership, "agency": agency}
    return {device: int(day) for device, day in await connection.execute(_days, given)}


async def arrivals(
    connection: AsyncConnection, partnership: bytes, agency: bytes, kind: int, *, since: int, until: int, limit: int
) -> list[Arrival]:
    """Return an agency's reports of a kind whose first word came in some time and is still the last, newest first."""
    given = {"partnership": partnership, "agency": agency, "kind": kind}
    given |= {"since": since, "until": until, "limit": limit}
    return [Arrival._make(row) for row in await connection.execute(_arrivals, given)]
