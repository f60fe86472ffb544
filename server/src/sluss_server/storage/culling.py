"""What is over and goes, what is left of it, and what a legal hold keeps.

Source: docs/secrecy-rules.md B8; docs/protocol.md section 6.

> INVARIANT: what is culled leaves a stub and its digests in the feeds' numbers, and no ciphertext, seal, wrap or fact.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_server.storage.bulk import insert_all
from sluss_server.storage.disclosure import Named, RecordRow
from sluss_server.storage.tables import culled, feed_entries, grants, narrowed, pending_entries, records, reports

Report = tuple[bytes, bytes]
"""An agency and a report id."""
_NO_WRAPS: Final = encode(())


class Age(NamedTuple):
    """A stored version, as far as its age matters."""

    digest: bytes
    agency: bytes
    report_id: bytes
    kind: int
    received_at: int
    manifest: bytes


class Narrowed(NamedTuple):
    """A report that the own supervisors alone have, and since when."""

    agency: bytes
    report_id: bytes
    narrowed_at: int

    @property
    def report(self) -> Report:
        """Which it is."""
        return self.agency, self.report_id


class Stub(NamedTuple):
    """A row of `culled`, in the order of its columns."""

    partnership_id: bytes
    digest: bytes
    agency: bytes
    report_id: bytes
    culled_at: int
    rest_due: int | None


class Filed(NamedTuple):
    """A grant about a version, and when it ended."""

    agency: bytes
    grant_id: bytes
    grant_bytes: bytes
    ended_at: int | None
    received_at: int

    def named(self) -> Named:
        """Return it as what is ended."""
        return Named(self.agency, self.grant_id, self.grant_bytes, self.ended_at)


_later: Final = reports.alias("later")
_over: Final = (
    select(reports.c.report_id)
    .distinct()
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.agency == bindparam("agency"),
        reports.c.kind.in_(bindparam("kinds", expanding=True)),
        reports.c.received_at <= bindparam("before"),
        # A report is as old as its latest version.
        ~exists().where(
            _later.c.partnership_id == reports.c.partnership_id,
            _later.c.report_id == reports.c.report_id,
            _later.c.agency == reports.c.agency,
            _later.c.received_at > bindparam("before"),
        ),
        ~exists().where(
            narrowed.c.partnership_id == reports.c.partnership_id,
            narrowed.c.agency == reports.c.agency,
            narrowed.c.report_id == reports.c.report_id,
        ),
    )
    .limit(bindparam("limit"))
)
_ages: Final = select(*(reports.c[name] for name in Age._fields)).where(
    reports.c.partnership_id == bindparam("partnership"),
    reports.c.report_id.in_(bindparam("report_ids", expanding=True)),
)
_shown: Final = (
    select(reports.c.report_id)
    .distinct()
    .where(
        reports.c.partnership_id == bindparam("partnership"),
        reports.c.agency == bindparam("agency"),
        reports.c.kind.in_(bindparam("kinds", expanding=True)),
        ~exists().where(
            narrowed.c.partnership_id == reports.c.partnership_id,
            narrowed.c.agency == reports.c.agency,
            narrowed.c.report_id == reports.c.report_id,
        ),
    )
)
_narrowed: Final = (
    select(narrowed.c.agency, narrowed.c.report_id, narrowed.c.narrowed_at)
    .where(narrowed.c.partnership_id == bindparam("partnership"))
    .order_by(narrowed.c.agency, narrowed.c.report_id)
)
_stubs: Final = select(culled).where(
    culled.c.partnership_id == bindparam("partnership"),
    or_(
        culled.c.digest.in_(bindparam("digests", expanding=True)),
        culled.c.report_id.in_(bindparam("report_ids", expanding=True)),
    ),
)
_rest: Final = (
    select(culled)
    .where(culled.c.partnership_id == bindparam("partnership"), culled.c.rest_due <= bindparam("now"))
    .order_by(culled.c.rest_due)
    .limit(bindparam("limit"))
)
_grants: Final = select(*(grants.c[name] for name in Filed._fields)).where(
    grants.c.partnership_id == bindparam("partnership"), grants.c.digest.in_(bindparam("digests", expanding=True))
)
_about: Final = select(*(records.c[name] for name in RecordRow._fields)).where(
    records.c.partnership_id == bindparam("partnership"), records.c.digest.in_(bindparam("digests", expanding=True))
)
_insert_stub: Final = insert_all(culled)
_insert_narrowed: Final = insert_all(narrowed)


async def over(
    connection: AsyncConnection, partnership: bytes, agency: bytes, kinds: Sequence[int], before: int, *, limit: int
) -> list[bytes]:
    """Return reports of an agency of which nothing was received after a time, save those that a hold keeps."""
    given = {"partnership": partnership, "agency": agency, "kinds": list(kinds), "before": before, "limit": limit}
    return [row.report_id for row in await connection.execute(_over, given)]


async def ages(connection: AsyncConnection, partnership: bytes, wanted: Collection[Report]) -> list[Age]:
    """Return every version of these reports."""
    if not wanted:
        return []
    given = {"partnership": partnership, "report_ids": sorted({one[1] for one in wanted})}
    rows = [Age._make(row) for row in await connection.execute(_ages, given)]
    return [row for row in rows if (row.agency, row.report_id) in wanted]


async def shown(connection: AsyncConnection, partnership: bytes, agency: bytes, kinds: Sequence[int]) -> list[bytes]:
    """Return the reports of some kinds that more than the own supervisors have."""
    given = {"partnership": partnership, "agency": agency, "kinds": list(kinds)}
    return [row.report_id for row in await connection.execute(_shown, given)]


async def all_narrowed(connection: AsyncConnection, partnership: bytes) -> list[Narrowed]:
    """Return the reports that the own supervisors alone have: for a hold, or until they are culled."""
    found = await connection.execute(_narrowed, {"partnership": partnership})
    return [Narrowed._make(row) for row in found]


async def narrow(connection: AsyncConnection, partnership: bytes, wanted: Collection[Report], at: int) -> None:
    """Say of reports that the own supervisors alone have them."""
    await _insert_narrowed.run(connection, [(partnership, *one, at) for one in sorted(wanted)])


async def widen(connection: AsyncConnection, partnership: bytes, wanted: Collection[Report]) -> None:
    """Say of reports that more have them than the own supervisors, or nobody."""
    for agency, report_id in sorted(wanted):
        await connection.execute(
            delete(narrowed).where(
                narrowed.c.partnership_id == partnership,
                narrowed.c.agency == agency,
                narrowed.c.report_id == report_id,
            )
        )


async def stubs(
    connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes], report_ids: Sequence[bytes] = ()
) -> list[Stub]:
    """Return what is left of these versions, and of any version of these reports."""
    if not digests and not report_ids:
        return []
    given = {"partnership": partnership, "digests": list(digests), "report_ids": list(report_ids)}
    return [Stub._make(row) for row in await connection.execute(_stubs, given)]


async def grants_about(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> list[Filed]:
    """Return the grants of these versions, also those that have ended."""
    if not digests:
        return []
    found = await connection.execute(_grants, {"partnership": partnership, "digests": list(digests)})
    return [Filed._make(row) for row in found]


async def records_about(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> list[RecordRow]:
    """Return the records about these versions."""
    if not digests:
        return []
    found = await connection.execute(_about, {"partnership": partnership, "digests": list(digests)})
    return [RecordRow._make(row) for row in found]


async def end(connection: AsyncConnection, partnership: bytes, feed: bytes, digest: bytes) -> None:
    """Say that a feed holds nothing of a version any more, however it came there."""
    await connection.execute(
        update(feed_entries)
        .where(
            feed_entries.c.partnership_id == partnership, feed_entries.c.feed == feed, feed_entries.c.digest == digest
        )
        .values(ended=True)
    )


async def remove(connection: AsyncConnection, gone: Sequence[Stub]) -> None:
    """Remove versions with everything that opens them, and leave their stubs."""
    if not gone:
        return
    partnership, digests = gone[0].partnership_id, [one.digest for one in gone]
    # The numbers of the feeds stay, and with the digest what a `skip` in their place commits to.
    nothing = {"seal": None, "wraps": _NO_WRAPS, "recipient": b"", "grant_id": None, "gateway": None}
    await connection.execute(
        update(feed_entries)
        .where(feed_entries.c.partnership_id == partnership, feed_entries.c.digest.in_(digests))
        .where(feed_entries.c.op == "put")
        .values(ended=True, not_after=None, **nothing)
    )
    await connection.execute(
        update(grants).where(grants.c.partnership_id == partnership, grants.c.digest.in_(digests)).values(excerpts=None)
    )
    for table in (pending_entries, reports):
        await connection.execute(
            delete(table).where(table.c.partnership_id == partnership, table.c.digest.in_(digests))
        )
    await _insert_stub.run(connection, gone)


async def rest(connection: AsyncConnection, partnership: bytes, now: int, limit: int) -> list[Stub]:
    """Return stubs whose grants and case records are to be looked at."""
    given = {"partnership": partnership, "now": now, "limit": limit}
    return [Stub._make(row) for row in await connection.execute(_rest, given)]


async def look_again(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes], at: int | None) -> None:
    """Say when the grants and case records of culled versions are looked at the next time; None for never."""
    await connection.execute(
        update(culled).where(culled.c.partnership_id == partnership, culled.c.digest.in_(digests)).values(rest_due=at)
    )


async def remove_rest(
    connection: AsyncConnection, partnership: bytes, filed: Sequence[Filed], kept: Sequence[RecordRow]
) -> None:
    """Remove grants and case records."""
    for one in filed:
        await connection.execute(
            delete(grants).where(
                grants.c.partnership_id == partnership,
                grants.c.agency == one.agency,
                grants.c.grant_id == one.grant_id,
            )
        )
    for row in kept:
        await connection.execute(
            delete(records).where(
                records.c.partnership_id == partnership,
                records.c.agency == row.agency,
                records.c.record_id == row.record_id,
            )
        )
