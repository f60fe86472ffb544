"""Signed checkpoints of the ledgers, and the heads that they commit to.

Of each day the newest stays, so that years later every day's end can be held against the leaves; of the newest of all
there is also what devices are shown of it.
Source: docs/protocol.md section 7.

> INVARIANT: whoever writes a checkpoint holds the ledger's head, so a ledger has one newest.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.checkpoint import FeedHead
from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import directory_heads, feed_heads, ledger_checkpoints

DAY_S: Final = 86_400


class StoredCheckpoint(NamedTuple):
    """A row, without its partnership and agency; `feeds` are the heads of the agency's feeds, encoded."""

    size: int
    made_at: int
    note: bytes
    secret: bytes
    feeds: bytes


_OF_ONE: Final = (
    ledger_checkpoints.c.partnership_id == bindparam("partnership"),
    ledger_checkpoints.c.agency == bindparam("agency"),
)
_all: Final = (
    select(*(ledger_checkpoints.c[name] for name in StoredCheckpoint._fields))
    .where(*_OF_ONE)
    .order_by(ledger_checkpoints.c.day)
)
_newest: Final = (
    select(*(ledger_checkpoints.c[name] for name in StoredCheckpoint._fields))
    .where(*_OF_ONE)
    .order_by(ledger_checkpoints.c.day.desc())
    .limit(1)
)
_replace: Final = delete(ledger_checkpoints).where(*_OF_ONE, ledger_checkpoints.c.day == bindparam("day"))
_strip: Final = update_by(ledger_checkpoints, ("partnership_id", "agency"), ("secret", "feeds"))
_insert: Final = insert_all(ledger_checkpoints)
_feeds: Final = (
    select(feed_heads.c.feed, feed_heads.c.generation, feed_heads.c.seq)
    .where(feed_heads.c.partnership_id == bindparam("partnership"))
    .order_by(feed_heads.c.feed)
)
_directory: Final = select(directory_heads.c.seq, directory_heads.c.hash).where(
    directory_heads.c.partnership_id == bindparam("partnership"),
    directory_heads.c.agency == bindparam("agency"),
)


async def newest(connection: AsyncConnection, partnership: bytes, agency: bytes) -> StoredCheckpoint | None:
    """Return an agency's newest checkpoint, or None."""
    row = (await connection.execute(_newest, {"partnership": partnership, "agency": agency})).first()
    return None if row is None else StoredCheckpoint._make(row)


async def every(connection: AsyncConnection, partnership: bytes, agency: bytes) -> list[StoredCheckpoint]:
    """Return all that are kept, the oldest first."""
    rows = await connection.execute(_all, {"partnership": partnership, "agency": agency})
    return [StoredCheckpoint._make(row) for row in rows]


async def insert(connection: AsyncConnection, partnership: bytes, agency: bytes, new: StoredCheckpoint) -> None:
    """Write a checkpoint in the place of the one before it of the same day."""
    day = new.made_at // DAY_S
    await connection.execute(_replace, {"partnership": partnership, "agency": agency, "day": day})
    await _strip.run(connection, [(b"", b"", partnership, agency)])
    await _insert.run(connection, [(partnership, agency, day, *new)])


async def feeds(connection: AsyncConnection, partnership: bytes) -> list[FeedHead]:
    """Return the heads of all feeds of a partnership."""
    rows = await connection.execute(_feeds, {"partnership": partnership})
    return [(row.feed, row.generation, row.seq) for row in rows]


async def directory(connection: AsyncConnection, partnership: bytes, agency: bytes) -> tuple[int, bytes] | None:
    """Return the number and the hash of the last entry of an agency's directory, or None."""
    row = (await connection.execute(_directory, {"partnership": partnership, "agency": agency})).first()
    return None if row is None else (row.seq, row.hash)
