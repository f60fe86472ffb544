"""What a restore leaves behind in the database: that it happened, and feeds that begin anew.

Source: docs/protocol.md section 6.

> INVARIANT: no two lineages of a partnership's feeds have a generation in common, however often the same backup is
> restored: a generation is drawn from the time of the restore, and above all that were.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.tables import feed_heads, partnerships, restores

FIRST_GENERATION: Final = 1
"""That of a feed on a server that was never restored."""


class Restore(NamedTuple):
    """A row of `restores`, in the order of its columns."""

    partnership_id: bytes
    instance: bytes
    restored_at: int
    generation: int


_all: Final = select(*restores.c).order_by(restores.c.generation)
_generation: Final = select(func.max(restores.c.generation)).where(
    restores.c.partnership_id == bindparam("partnership")
)


async def latest(connection: AsyncConnection) -> dict[bytes, Restore]:
    """Return the last restore of every partnership that was restored."""
    return {row.partnership_id: Restore._make(row) for row in await connection.execute(_all)}


async def generation(connection: AsyncConnection, partnership: bytes) -> int:
    """Return the generation of a feed that begins now."""
    found = (await connection.execute(_generation, {"partnership": partnership})).scalar_one()
    return FIRST_GENERATION if found is None else int(found)


async def record(connection: AsyncConnection, instance: bytes, now: int) -> None:
    """Write that everything here was restored as this instance, and begin every feed anew."""
    for partnership in (await connection.execute(select(partnerships.c.partnership_id))).scalars().all():
        feeds, before = feed_heads.c, restores.c
        used = [
            (await connection.execute(select(func.max(one)).where(whose == partnership))).scalar_one() or 0
            for one, whose in (
                (feeds.generation, feeds.partnership_id),
                (before.generation, before.partnership_id),
            )
        ]
        new = max(now, *(one + 1 for one in used))
        await connection.execute(update(feed_heads).where(feeds.partnership_id == partnership).values(generation=new))
        await connection.execute(insert(restores).values(Restore(partnership, instance, now, new)._asdict()))
