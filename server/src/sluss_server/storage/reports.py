"""Report versions and the outcomes of what was pushed.

Source: docs/protocol.md sections 3 and 6.

> INVARIANT: an outcome's row is written in the transaction of its effect and is never deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import outcomes, reports


class ReportRow(NamedTuple):
    """A row of `reports`, in the order of its columns."""

    partnership_id: bytes
    digest: bytes
    agency: bytes
    report_id: bytes
    version: int
    fork: int
    kind: int
    head: bool
    quarantine: str | None
    parents: bytes
    received_at: int
    manifest: bytes
    signature: bytes
    tiers: bytes
    sections: bytes
    item: bytes | None


class OutcomeRow(NamedTuple):
    """A row of `outcomes`, in the order of its columns."""

    partnership_id: bytes
    digest: bytes
    agency: bytes
    outcome: str
    reason: str | None
    field: str | None
    receipt: bytes
    receipt_signature: bytes


class Version(NamedTuple):
    """What decides about the versions that follow this one; `parents` are digests, joined."""

    digest: bytes
    agency: bytes
    report_id: bytes
    version: int
    kind: int
    head: bool
    quarantine: str | None
    parents: bytes


class Stored(NamedTuple):
    """A stored version, as far as a later grant or record needs it."""

    digest: bytes
    agency: bytes
    quarantine: str | None
    manifest: bytes
    tiers: bytes


_outcomes: Final = select(*outcomes.c).where(
    outcomes.c.partnership_id == bindparam("partnership"),
    outcomes.c.digest.in_(bindparam("digests", expanding=True)),
)
_versions: Final = select(
    reports.c.digest,
    reports.c.agency,
    reports.c.report_id,
    reports.c.version,
    reports.c.kind,
    reports.c.head,
    reports.c.quarantine,
    reports.c.parents,
).where(
    reports.c.partnership_id == bindparam("partnership"),
    reports.c.report_id.in_(bindparam("report_ids", expanding=True)),
)
_stored: Final = select(
    reports.c.digest, reports.c.agency, reports.c.quarantine, reports.c.manifest, reports.c.tiers
).where(
    reports.c.partnership_id == bindparam("partnership"),
    reports.c.digest.in_(bindparam("digests", expanding=True)),
)
_insert_report: Final = insert_all(reports)
_insert_outcome: Final = insert_all(outcomes)
_set_head: Final = update_by(reports, ("partnership_id", "digest"), ("head",))


async def outcomes_of(
    connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]
) -> dict[bytes, OutcomeRow]:
    """Return the stored outcomes of these digests."""
    if not digests:
        return {}
    found = await connection.execute(_outcomes, {"partnership": partnership, "digests": list(digests)})
    return {row.digest: OutcomeRow._make(row) for row in found}


async def versions_of(connection: AsyncConnection, partnership: bytes, report_ids: Sequence[bytes]) -> list[Version]:
    """Return every stored version of these reports, whichever agency's."""
    if not report_ids:
        return []
    found = await connection.execute(_versions, {"partnership": partnership, "report_ids": list(report_ids)})
    return [Version._make(row) for row in found]


async def stored(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> dict[bytes, Stored]:
    """Return the stored versions of these digests."""
    if not digests:
        return {}
    found = await connection.execute(_stored, {"partnership": partnership, "digests": list(digests)})
    return {row.digest: Stored._make(row) for row in found}


async def insert(connection: AsyncConnection, rows: Sequence[ReportRow]) -> None:
    """Write report versions."""
    await _insert_report.run(connection, rows)


async def insert_outcomes(connection: AsyncConnection, rows: Sequence[OutcomeRow]) -> None:
    """Write what became of pushed things."""
    await _insert_outcome.run(connection, rows)


async def end_heads(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> None:
    """Say of these versions that a later one follows them."""
    await _set_head.run(connection, [(False, partnership, digest) for digest in digests])
