"""How an agency's own reports of one kind have gone: those that count, and every version of them.

For: repairs, which are told by several versions of a report, and meetings, whose agencies no count can tell.
Refuses to be without end: the newest reports of one kind since a time, and no more than is asked for.

> INVARIANT: one agency's reports alone, and of those only what is in its counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.tables import facts, reports


class Counted(NamedTuple):
    """The facts of a report that counts; `manifest` is of the version that they are from, `scene` 0 is no scene."""

    report_id: bytes
    scene: int
    time: int
    coded: bytes
    manifest: bytes


class Word(NamedTuple):
    """One version of a report."""

    report_id: bytes
    received_at: int
    manifest: bytes
    tiers: bytes


# Found by the index on age, then each by the whole of its key.
_counted: Final = (
    select(reports.c.report_id, facts.c.scene, facts.c.time, facts.c.coded, reports.c.manifest)
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.agency == bindparam("agency"),
        reports.c.kind == bindparam("kind"),
        reports.c.received_at >= bindparam("since"),
        facts.c.partnership_id == reports.c.partnership_id,
        facts.c.digest == reports.c.digest,
    )
    .order_by(reports.c.received_at.desc(), reports.c.digest)
    .limit(bindparam("limit"))
)
_words: Final = (
    select(reports.c.report_id, reports.c.received_at, reports.c.manifest, reports.c.tiers)
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.agency == bindparam("agency"),
        reports.c.report_id.in_(bindparam("ids", expanding=True)),
        reports.c.quarantine.is_(None),
    )
    .order_by(reports.c.report_id, reports.c.version, reports.c.fork)
)


async def counted(
    connection: AsyncConnection, partnership: bytes, agency: bytes, kind: int, *, since: int, limit: int
) -> list[Counted]:
    """Return an agency's reports of a kind of which the last word came at a time or later, the newest first."""
    given = {"partnership": partnership, "agency": agency, "kind": kind, "since": since, "limit": limit}
    return [Counted._make(row) for row in await connection.execute(_counted, given)]


async def words(connection: AsyncConnection, partnership: bytes, agency: bytes, ids: Sequence[bytes]) -> list[Word]:
    """Return every version of reports, by report and in the order of their numbers."""
    if not ids:
        return []
    given = {"partnership": partnership, "agency": agency, "ids": list(ids)}
    return [Word._make(row) for row in await connection.execute(_words, given)]
