"""An agency's own coded facts, a page at a time: what its analysts count themselves.

Refuses to be without end: one kind, between two times, and no more rows than are asked for.

> INVARIANT: one agency's reports alone, and of those only what is in its counts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.tables import facts, reports


class CodedRow(NamedTuple):
    """A report's facts, with where it stands among the others: when its last word came, and that word's digest."""

    received_at: int
    digest: bytes
    scene: int
    time: int
    coded: bytes
    manifest: bytes


class Which(NamedTuple):
    """Whose facts of which kind, from which time on until before which; and after which row, by its place."""

    partnership: bytes
    agency: bytes
    kind: int
    since: int
    before: int
    after: tuple[int, bytes] = (-1, b"")


# By the index on age.
_page: Final = (
    select(reports.c.received_at, reports.c.digest, facts.c.scene, facts.c.time, facts.c.coded, reports.c.manifest)
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.agency == bindparam("agency"),
        reports.c.kind == bindparam("kind"),
        reports.c.received_at >= bindparam("since"),
        reports.c.received_at < bindparam("before"),
        facts.c.partnership_id == reports.c.partnership_id,
        facts.c.digest == reports.c.digest,
        or_(
            reports.c.received_at > bindparam("last_at"),
            and_(reports.c.received_at == bindparam("last_at"), reports.c.digest > bindparam("last_digest")),
        ),
    )
    .order_by(reports.c.received_at, reports.c.digest)
    .limit(bindparam("limit"))
)


async def page(connection: AsyncConnection, which: Which, limit: int) -> list[CodedRow]:
    """Return the next rows, in the order in which the reports' last words came."""
    last_at, last_digest = which.after
    asked = which._asdict() | {"limit": limit, "last_at": last_at, "last_digest": last_digest}
    del asked["after"]
    # What lies before the last row is not looked at again.
    asked["since"] = max(which.since, last_at)
    return [CodedRow._make(row) for row in await connection.execute(_page, asked)]
