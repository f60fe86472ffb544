"""Coded facts, from which counts are made; the only part of a report that is stored readable.

Source: docs/protocol.md section 3.

> INVARIANT: a row exists only for a version that is in the feeds and that nothing follows, and for one of each report;
> never for one in quarantine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import facts, reports


class FactsRow(NamedTuple):
    """A row of `facts`, in the order of its columns; `scene` 0 is no scene, `coded` the values' canonical bytes.

    `elsewhere` says that what happened counts by another report of it, in what others see.
    """

    partnership_id: bytes
    digest: bytes
    agency: bytes
    kind: int
    scene: int
    time: int
    coded: bytes
    contributor: bytes
    elsewhere: bool = False


_insert: Final = insert_all(facts)
_forget: Final = delete(facts).where(
    facts.c.partnership_id == bindparam("partnership"), facts.c.digest.in_(bindparam("digests", expanding=True))
)

_of_version: Final = (
    reports.c.partnership_id == facts.c.partnership_id,
    reports.c.digest == facts.c.digest,
    facts.c.partnership_id == bindparam("partnership"),
)
_stored: Final = (
    select(*facts.c, reports.c.manifest)
    .where(*_of_version, facts.c.digest.in_(bindparam("digests", expanding=True)))
    .order_by(facts.c.digest)
)
_all: Final = (
    select(*facts.c, reports.c.manifest, reports.c.head)
    .where(*_of_version)
    .order_by(reports.c.report_id, reports.c.agency, reports.c.version, reports.c.fork)
)
_first: Final = reports.alias("first")
# Each by the whole of its key, and its report's versions by the index on reports.
_arrived: Final = (
    select(reports.c.digest, func.min(_first.c.received_at).label("at"))
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.digest.in_(bindparam("digests", expanding=True)),
        _first.c.partnership_id == reports.c.partnership_id,
        _first.c.report_id == reports.c.report_id,
        _first.c.agency == reports.c.agency,
    )
    .group_by(reports.c.digest)
)
_reports_with: Final = select(reports.c.agency, reports.c.report_id).where(
    *_of_version,
    tuple_(reports.c.report_id, reports.c.agency).in_(bindparam("names", expanding=True)),
)


async def stored(
    connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]
) -> list[tuple[FactsRow, bytes]]:
    """Return the facts of versions, each with its manifest."""
    if not digests:
        return []
    rows = await connection.execute(_stored, {"partnership": partnership, "digests": list(digests)})
    return [(FactsRow(*row[:-1]), row[-1]) for row in rows]


async def arrived(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Return of versions when the first word of their report came."""
    if not digests:
        return {}
    rows = await connection.execute(_arrived, {"partnership": partnership, "digests": list(digests)})
    return {row.digest: int(row.at) for row in rows}


async def everything(connection: AsyncConnection, partnership: bytes) -> AsyncIterator[tuple[FactsRow, bytes, bool]]:
    """Return all facts, each with its version's manifest and whether nothing follows that version."""
    async with connection.stream(_all, {"partnership": partnership}) as rows:
        async for row in rows:
            yield FactsRow(*row[:-2]), row[-2], bool(row[-1])


async def reports_with(
    connection: AsyncConnection, partnership: bytes, asked: Sequence[tuple[bytes, bytes]]
) -> set[tuple[bytes, bytes]]:
    """Return of reports, by agency and id, those of which a version has facts."""
    names = [(report_id, agency) for agency, report_id in asked]
    rows = await connection.execute(_reports_with, {"partnership": partnership, "names": names})
    return {(row.agency, row.report_id) for row in rows}


async def forget(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> None:
    """Remove the facts of versions; what was counted of them stays counted (see `services/counting.py`)."""
    if digests:
        await connection.execute(_forget, {"partnership": partnership, "digests": list(digests)})


async def insert(connection: AsyncConnection, rows: Sequence[FactsRow]) -> None:
    """Write the facts of report versions."""
    await _insert.run(connection, rows)
