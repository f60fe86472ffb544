"""The chains of the agencies' directories, as they were signed.

Source: docs/protocol.md section 2.

> INVARIANT: an entry is never changed, and its primary key lets only one writer append at a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import directory_entries, directory_heads, partnerships


class ChainHead(NamedTuple):
    """The last entry of an agency's chain."""

    agency: bytes
    seq: int
    hash: bytes


class StoredLink(NamedTuple):
    """A signed entry's canonical bytes and its number."""

    seq: int
    entry: bytes


_heads: Final = (
    select(directory_heads.c.agency, directory_heads.c.seq, directory_heads.c.hash)
    .where(directory_heads.c.partnership_id == bindparam("partnership"))
    .order_by(directory_heads.c.agency)
)
_entries: Final = (
    select(directory_entries.c.seq, directory_entries.c.entry)
    .where(
        directory_entries.c.partnership_id == bindparam("partnership"),
        directory_entries.c.agency == bindparam("agency"),
        directory_entries.c.seq >= bindparam("first"),
    )
    .order_by(directory_entries.c.seq)
    .limit(bindparam("limit"))
)
_insert: Final = insert_all(directory_entries)
_partnerships: Final = select(partnerships.c.partnership_id).order_by(partnerships.c.partnership_id)
_lock: Final = (
    select(partnerships.c.partnership_id)
    .where(partnerships.c.partnership_id == bindparam("partnership"))
    .with_for_update()
)


async def partnership_ids(connection: AsyncConnection) -> list[bytes]:
    """Return every partnership of this server."""
    return [row.partnership_id for row in await connection.execute(_partnerships)]


async def lock(connection: AsyncConnection, partnership: bytes) -> None:
    """Let nobody else append to any chain of the partnership until this transaction ends.

    Where one writer holds the whole database anyway, this is a plain look.
    """
    await connection.execute(_lock, {"partnership": partnership})


async def heads(connection: AsyncConnection, partnership: bytes) -> list[ChainHead]:
    """Return the head of every chain of a partnership, by agency."""
    return [ChainHead._make(row) for row in await connection.execute(_heads, {"partnership": partnership})]


async def entries(
    connection: AsyncConnection, partnership: bytes, agency: bytes, first: int, limit: int
) -> list[StoredLink]:
    """Return at most `limit` entries of a chain from number `first` on."""
    given = {"partnership": partnership, "agency": agency, "first": first, "limit": limit}
    return [StoredLink._make(row) for row in await connection.execute(_entries, given)]


async def append(connection: AsyncConnection, partnership: bytes, head: ChainHead, links: Sequence[StoredLink]) -> None:
    """Write entries that end in `head`.

    Raises:
        IntegrityError: somebody else wrote an entry of such a number.

    """
    await _insert.run(connection, [(partnership, head.agency, seq, entry) for seq, entry in links])
    at = directory_heads.c
    moved = await connection.execute(
        update(directory_heads)
        .where(at.partnership_id == partnership, at.agency == head.agency)
        .values(seq=head.seq, hash=head.hash)
    )
    if not moved.rowcount:
        await connection.execute(
            insert(directory_heads).values(partnership_id=partnership, agency=head.agency, seq=head.seq, hash=head.hash)
        )
