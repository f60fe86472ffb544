"""Lists of directory heads that versions were sealed with, each once, by the digest by which manifests name it.

Source: docs/protocol.md sections 3 and 6.

> INVARIANT: a list stands under its own digest, is written with the first version that names it, and is never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import head_sets


class HeadSetRow(NamedTuple):
    """A row of `head_sets`, in the order of its columns; `heads` is the list's canonical bytes."""

    partnership_id: bytes
    digest: bytes
    heads: bytes


_known: Final = select(head_sets.c.digest, head_sets.c.heads).where(
    head_sets.c.partnership_id == bindparam("partnership"),
    head_sets.c.digest.in_(bindparam("digests", expanding=True)),
)
_insert: Final = insert_all(head_sets)


async def known(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the stored lists of these digests."""
    if not digests:
        return {}
    found = await connection.execute(_known, {"partnership": partnership, "digests": list(digests)})
    return {row.digest: row.heads for row in found}


async def insert(connection: AsyncConnection, rows: Sequence[HeadSetRow]) -> None:
    """Write lists."""
    await _insert.run(connection, rows)
