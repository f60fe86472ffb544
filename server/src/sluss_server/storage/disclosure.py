"""Grants, and the records that stand around a report.

Source: docs/protocol.md section 4.

> INVARIANT: what the owner's supervisors were told (`decider`, `reasons`) is read by nothing that serves a receiver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import grants, records


class GrantRow(NamedTuple):
    """A row of `grants`, in the order of its columns."""

    partnership_id: bytes
    agency: bytes
    grant_id: bytes
    digest: bytes
    gateway: str
    received_at: int
    grant_bytes: bytes
    signature: bytes
    decider: bytes
    reasons: bytes
    not_before: int
    not_after: int | None
    basis: bytes | None
    excerpts: bytes | None
    ended_at: int | None = None


class RecordRow(NamedTuple):
    """A row of `records`, in the order of its columns; `digest` is the report version that it is about."""

    partnership_id: bytes
    agency: bytes
    record_id: bytes
    kind: str
    digest: bytes
    device: bytes
    received_at: int
    record: bytes
    signature: bytes
    record_digest: bytes | None
    follows: bytes | None = None
    code: str = ""
    until: int | None = None


_known_grants: Final = select(grants.c.agency, grants.c.grant_id).where(
    grants.c.partnership_id == bindparam("partnership"), grants.c.grant_id.in_(bindparam("ids", expanding=True))
)
_known_records: Final = select(records.c.agency, records.c.record_id).where(
    records.c.partnership_id == bindparam("partnership"), records.c.record_id.in_(bindparam("ids", expanding=True))
)
_insert_grant: Final = insert_all(grants)
_insert_record: Final = insert_all(records)


async def known_grants(
    connection: AsyncConnection, partnership: bytes, ids: Sequence[bytes]
) -> set[tuple[bytes, bytes]]:
    """Return which of these grant ids are taken, as pairs of agency and id."""
    if not ids:
        return set()
    found = await connection.execute(_known_grants, {"partnership": partnership, "ids": list(ids)})
    return {(row.agency, row.grant_id) for row in found}


async def known_records(
    connection: AsyncConnection, partnership: bytes, ids: Sequence[bytes]
) -> set[tuple[bytes, bytes]]:
    """Return which of these record ids are taken, as pairs of agency and id."""
    if not ids:
        return set()
    found = await connection.execute(_known_records, {"partnership": partnership, "ids": list(ids)})
    return {(row.agency, row.record_id) for row in found}


async def insert_grants(connection: AsyncConnection, rows: Sequence[GrantRow]) -> None:
    """Write grants."""
    await _insert_grant.run(connection, rows)


async def insert_records(connection: AsyncConnection, rows: Sequence[RecordRow]) -> None:
    """Write records."""
    await _insert_record.run(connection, rows)
