"""Report versions and the outcomes of what was pushed.

Source: docs/protocol.md sections 3 and 6.

> INVARIANT: an outcome's row is written in the transaction of its effect and is never deleted; it changes once, when
> what was in quarantine is taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, select
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


class Release(NamedTuple):
    """What makes a row of quarantine a live one, and the row that it is."""

    head: bool
    quarantine: None
    tiers: bytes
    sections: bytes
    item: None
    partnership_id: bytes
    digest: bytes


class Held(NamedTuple):
    """A version in quarantine: the pushed item, verbatim, and why and since when it is there."""

    digest: bytes
    item: bytes
    quarantine: str
    received_at: int


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
_sections: Final = select(reports.c.digest, reports.c.sections).where(
    reports.c.partnership_id == bindparam("partnership"),
    reports.c.digest.in_(bindparam("digests", expanding=True)),
)
_names: Final = select(reports.c.digest, reports.c.agency, reports.c.report_id).where(
    reports.c.partnership_id == bindparam("partnership"),
    reports.c.digest.in_(bindparam("digests", expanding=True)),
)
_in_quarantine: Final = (
    reports.c.partnership_id == bindparam("partnership"),
    reports.c.agency == bindparam("agency"),
    reports.c.quarantine.is_not(None),
)
_waiting: Final = (
    select(reports.c.digest, func.length(reports.c.item).label("size"))
    .where(*_in_quarantine)
    .order_by(reports.c.received_at, reports.c.digest)
    .limit(bindparam("limit"))
)
_held: Final = (
    select(reports.c.digest, reports.c.item, reports.c.quarantine, reports.c.received_at)
    .where(*_in_quarantine, reports.c.digest.in_(bindparam("digests", expanding=True)))
    .order_by(reports.c.received_at, reports.c.digest)
)
_lock: Final = (
    select(reports.c.digest)
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.digest.in_(bindparam("digests", expanding=True)),
    )
    .order_by(reports.c.digest)
    .with_for_update()
)
_insert_report: Final = insert_all(reports)
_insert_outcome: Final = insert_all(outcomes)
_set_head: Final = update_by(reports, ("partnership_id", "digest"), ("head",))
_release: Final = update_by(reports, ("partnership_id", "digest"), ("head", "quarantine", "tiers", "sections", "item"))
_settle: Final = update_by(
    outcomes, ("partnership_id", "digest"), ("outcome", "reason", "field", "receipt", "receipt_signature")
)


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


async def sections_of(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the sections of the stored versions of these digests, as they are stored."""
    if not digests:
        return {}
    found = await connection.execute(_sections, {"partnership": partnership, "digests": list(digests)})
    return {row.digest: row.sections for row in found}


async def names_of(
    connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]
) -> dict[bytes, tuple[bytes, bytes]]:
    """Return of each of these versions that is stored its agency and the id of its report."""
    if not digests:
        return {}
    found = await connection.execute(_names, {"partnership": partnership, "digests": list(digests)})
    return {row.digest: (row.agency, row.report_id) for row in found}


async def insert(connection: AsyncConnection, rows: Sequence[ReportRow]) -> None:
    """Write report versions."""
    await _insert_report.run(connection, rows)


async def insert_outcomes(connection: AsyncConnection, rows: Sequence[OutcomeRow]) -> None:
    """Write what became of pushed things."""
    await _insert_outcome.run(connection, rows)


async def end_heads(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> None:
    """Say of these versions that a later one follows them."""
    await _set_head.run(connection, [(False, partnership, digest) for digest in digests])


async def waiting(
    connection: AsyncConnection, partnership: bytes, agency: bytes, limit: int
) -> list[tuple[bytes, int]]:
    """Return what an agency has in quarantine, oldest first: digests, and how many bytes each item is."""
    given = {"partnership": partnership, "agency": agency, "limit": limit}
    return [(row.digest, row.size) for row in await connection.execute(_waiting, given)]


async def held(connection: AsyncConnection, partnership: bytes, agency: bytes, digests: Sequence[bytes]) -> list[Held]:
    """Return those of these versions that an agency has in quarantine, oldest first."""
    if not digests:
        return []
    given = {"partnership": partnership, "agency": agency, "digests": list(digests)}
    return [Held._make(row) for row in await connection.execute(_held, given)]


async def lock(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> None:
    """Keep other processes from changing these versions until the end of the transaction."""
    if digests:
        await connection.execute(_lock, {"partnership": partnership, "digests": list(digests)})


async def release(connection: AsyncConnection, rows: Sequence[Release]) -> None:
    """Take versions out of quarantine."""
    await _release.run(connection, rows)


async def settle(connection: AsyncConnection, rows: Sequence[OutcomeRow]) -> None:
    """Say what became of versions that were in quarantine."""
    await _settle.run(connection, [(*row[3:], row.partnership_id, row.digest) for row in rows])
