"""Read records: which were taken, and to whom the versions that they are about were delivered.

Source: docs/protocol.md section 7.

> INVARIANT: a read record is taken once, whatever is handed in again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import culled, feed_entries, ledger_reads, reports


class Taken(NamedTuple):
    """A read record that was taken."""

    partnership_id: bytes
    agency: bytes
    record_id: bytes
    received_at: int


class Placed(NamedTuple):
    """A feed that was given a version, and the agency that owns it."""

    digest: bytes
    owner: bytes
    feed: bytes


_taken: Final = select(ledger_reads.c.agency, ledger_reads.c.record_id).where(
    ledger_reads.c.partnership_id == bindparam("partnership"),
    ledger_reads.c.agency.in_(bindparam("agencies", expanding=True)),
    ledger_reads.c.record_id.in_(bindparam("records", expanding=True)),
)
# What was culled since was read when it was here.
_owner: Final = func.coalesce(reports.c.agency, culled.c.agency).label("agency")
_placed: Final = (
    select(feed_entries.c.digest, _owner, feed_entries.c.feed)
    .select_from(
        feed_entries.outerjoin(
            reports,
            and_(reports.c.partnership_id == feed_entries.c.partnership_id, reports.c.digest == feed_entries.c.digest),
        ).outerjoin(
            culled,
            and_(culled.c.partnership_id == feed_entries.c.partnership_id, culled.c.digest == feed_entries.c.digest),
        )
    )
    .where(
        feed_entries.c.partnership_id == bindparam("partnership"),
        feed_entries.c.digest.in_(bindparam("digests", expanding=True)),
        feed_entries.c.op == "put",
        _owner.is_not(None),
    )
)
_insert: Final = insert_all(ledger_reads)


async def taken(
    connection: AsyncConnection, partnership: bytes, agencies: Sequence[bytes], records: Sequence[bytes]
) -> set[tuple[bytes, bytes]]:
    """Return which of these read records were taken, each with its reader's agency."""
    given = {"partnership": partnership, "agencies": list(agencies), "records": list(records)}
    return {(row.agency, row.record_id) for row in await connection.execute(_taken, given)}


async def placed(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> list[Placed]:
    """Return the feeds that were given these versions."""
    given = {"partnership": partnership, "digests": list(digests)}
    return [Placed._make(row) for row in await connection.execute(_placed, given)]


async def take(connection: AsyncConnection, rows: Sequence[Taken]) -> None:
    """Write that read records were taken."""
    await _insert.run(connection, [tuple(row) for row in rows])
