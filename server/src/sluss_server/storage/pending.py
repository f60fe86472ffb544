"""What grants have yet to give: entries that go into their feeds when a time comes, or while a device is on shift.

> INVARIANT: an entry that waits has no number in any feed, so that nothing tells that it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.feeds import GRANT, NewEntry
from sluss_server.storage.tables import pending_entries

FOR_SHIFT: Final = 1 << 62
"""When an entry is due that waits for no time: it comes and goes with a device's shifts, and stays here meanwhile."""


class Pending(NamedTuple):
    """An entry and when it is due."""

    entry: NewEntry
    due_at: int


class Waiting(NamedTuple):
    """A row of `pending_entries`, in the order of its columns."""

    partnership_id: bytes
    feed: bytes
    grant_id: bytes
    agency: bytes
    digest: bytes
    recipient: bytes
    gateway: str
    due_at: int
    not_after: int | None
    seal: bytes
    wraps: bytes

    def entry(self) -> NewEntry:
        """Return what goes into the feed."""
        return NewEntry(
            self.feed,
            "put",
            self.digest,
            GRANT,
            self.recipient,
            self.grant_id,
            self.gateway,
            self.not_after,
            self.seal,
            self.wraps,
        )


_insert: Final = insert_all(pending_entries)
_due: Final = (
    select(pending_entries)
    .where(
        pending_entries.c.partnership_id == bindparam("partnership"),
        pending_entries.c.due_at <= bindparam("now"),
    )
    .order_by(pending_entries.c.due_at, pending_entries.c.feed, pending_entries.c.grant_id)
    .limit(bindparam("limit"))
)
_for_shift: Final = (
    select(pending_entries)
    .where(pending_entries.c.partnership_id == bindparam("partnership"), pending_entries.c.due_at == FOR_SHIFT)
    .order_by(pending_entries.c.feed, pending_entries.c.grant_id)
)
_remove: Final = delete(pending_entries).where(
    pending_entries.c.partnership_id == bindparam("partnership"),
    pending_entries.c.feed == bindparam("at_feed"),
    pending_entries.c.grant_id == bindparam("of_grant"),
)


async def insert(connection: AsyncConnection, partnership: bytes, rows: Sequence[tuple[bytes, Pending]]) -> None:
    """Write what waits, each with the agency whose grant it is; one entry for a feed and grant."""
    found = {
        (entry.feed, entry.grant_id): (
            partnership,
            entry.feed,
            entry.grant_id,
            agency,
            entry.digest,
            entry.recipient,
            entry.gateway,
            due_at,
            entry.not_after,
            entry.seal,
            entry.wraps,
        )
        for agency, (entry, due_at) in rows
    }
    await _insert.run(connection, list(found.values()))


async def due(
    connection: AsyncConnection, partnership: bytes, now: int, limit: int, *, hold: bool = False
) -> list[Waiting]:
    """Return what is due, the longest first; `hold` lets no other process take it until this transaction ends."""
    given = {"partnership": partnership, "now": now, "limit": limit}
    statement = _due.with_for_update(skip_locked=True) if hold else _due
    return [Waiting._make(row) for row in await connection.execute(statement, given)]


async def for_shift(connection: AsyncConnection, partnership: bytes, *, hold: bool = False) -> list[Waiting]:
    """Return what comes and goes with shifts; `hold` as for `due`."""
    statement = _for_shift.with_for_update(skip_locked=True) if hold else _for_shift
    return [Waiting._make(row) for row in await connection.execute(statement, {"partnership": partnership})]


async def remove(connection: AsyncConnection, partnership: bytes, rows: Sequence[Waiting]) -> None:
    """Forget what waited."""
    for one in rows:
        given = {"partnership": partnership, "at_feed": one.feed, "of_grant": one.grant_id}
        await connection.execute(_remove, given)
