"""Coded facts, from which counts are made; the only part of a report that is stored readable.

Source: docs/protocol.md section 3.

> INVARIANT: a row exists only for a version that is in the feeds, never for one in quarantine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import facts


class FactsRow(NamedTuple):
    """A row of `facts`, in the order of its columns; `scene` 0 is no scene, `coded` the values' canonical bytes."""

    partnership_id: bytes
    digest: bytes
    agency: bytes
    kind: int
    scene: int
    time: int
    coded: bytes
    contributor: bytes


_insert: Final = insert_all(facts)
_forget: Final = delete(facts).where(
    facts.c.partnership_id == bindparam("partnership"), facts.c.digest.in_(bindparam("digests", expanding=True))
)


async def forget(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> None:
    """Take versions out of what counts."""
    if digests:
        await connection.execute(_forget, {"partnership": partnership, "digests": list(digests)})


async def insert(connection: AsyncConnection, rows: Sequence[FactsRow]) -> None:
    """Write the facts of report versions."""
    await _insert.run(connection, rows)
