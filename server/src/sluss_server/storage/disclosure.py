"""Grants, and the records that stand around a report.

Source: docs/protocol.md section 4.

> INVARIANT: what the owner's supervisors were told (`decider`, `reasons`) is read by nothing that serves a receiver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import grants, pending_entries, records


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
    """A row of `records`, in the order of its columns.

    `digest` is the report version that it is about, or empty.
    """

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


class Named(NamedTuple):
    """A grant by its name, with its signed bytes."""

    agency: bytes
    grant_id: bytes
    grant_bytes: bytes
    ended_at: int | None = None


_known_grants: Final = select(grants.c.agency, grants.c.grant_id).where(
    grants.c.partnership_id == bindparam("partnership"), grants.c.grant_id.in_(bindparam("ids", expanding=True))
)
_record: Final = select(*(records.c[name] for name in RecordRow._fields))
# By the whole of its key: its agencies are few and known.
_named: Final = _record.where(
    records.c.partnership_id == bindparam("partnership"),
    records.c.agency.in_(bindparam("agencies", expanding=True)),
    records.c.record_id.in_(bindparam("ids", expanding=True)),
)
_following: Final = _record.where(
    records.c.partnership_id == bindparam("partnership"), records.c.follows.in_(bindparam("ids", expanding=True))
).order_by(records.c.received_at, records.c.record_id)
_of_kind: Final = _record.where(
    records.c.partnership_id == bindparam("partnership"),
    records.c.agency.in_(bindparam("agencies", expanding=True)),
    records.c.kind == bindparam("kind"),
).order_by(records.c.received_at, records.c.record_id)
_in_force: Final = _of_kind.where(records.c.until > bindparam("now"))
_about: Final = _of_kind.where(records.c.digest.in_(bindparam("digests", expanding=True)))
_a_grant: Final = select(grants.c.agency, grants.c.grant_id, grants.c.grant_bytes, grants.c.ended_at)
_grants_named: Final = _a_grant.where(
    grants.c.partnership_id == bindparam("partnership"),
    grants.c.agency.in_(bindparam("agencies", expanding=True)),
    grants.c.grant_id.in_(bindparam("ids", expanding=True)),
)
_resting: Final = _a_grant.where(
    grants.c.partnership_id == bindparam("partnership"),
    grants.c.agency == bindparam("agency"),
    grants.c.basis == bindparam("basis"),
    grants.c.ended_at.is_(None),
)
_lock: Final = (
    select(records.c.record_id)
    .where(
        records.c.partnership_id == bindparam("partnership"),
        records.c.agency == bindparam("agency"),
        records.c.record_id == bindparam("record"),
    )
    .with_for_update()
)
_pending_of: Final = select(pending_entries.c.feed, pending_entries.c.grant_id).where(
    pending_entries.c.partnership_id == bindparam("partnership"),
    pending_entries.c.digest.in_(bindparam("digests", expanding=True)),
)
_cancel_one: Final = delete(pending_entries).where(
    pending_entries.c.partnership_id == bindparam("partnership"),
    pending_entries.c.feed == bindparam("of_feed"),
    pending_entries.c.grant_id == bindparam("of_grant"),
)
_expired: Final = (
    _a_grant.where(
        grants.c.partnership_id == bindparam("partnership"),
        grants.c.not_after > bindparam("since"),
        grants.c.not_after <= bindparam("now"),
        grants.c.ended_at.is_(None),
    )
    .order_by(grants.c.not_after, grants.c.agency, grants.c.grant_id)
    .limit(bindparam("limit"))
)
_done: Final = records.alias("done")
_overdue: Final = select(func.count()).where(
    records.c.kind == "task",
    records.c.until < bindparam("now"),
    ~exists().where(
        _done.c.partnership_id == records.c.partnership_id,
        _done.c.follows == records.c.record_id,
        _done.c.kind == "done",
    ),
)
_end_grant: Final = update_by(grants, ("partnership_id", "agency", "grant_id"), ("ended_at",))
_cancel: Final = delete(pending_entries).where(
    pending_entries.c.partnership_id == bindparam("partnership"),
    pending_entries.c.grant_id.in_(bindparam("ids", expanding=True)),
    pending_entries.c.agency.in_(bindparam("agencies", expanding=True)),
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


async def grants_named(
    connection: AsyncConnection, partnership: bytes, agencies: Sequence[bytes], ids: Sequence[bytes]
) -> list[Named]:
    """Return the grants of these agencies with these ids, also those that have ended."""
    if not agencies or not ids:
        return []
    given = {"partnership": partnership, "agencies": list(agencies), "ids": list(ids)}
    return [Named._make(row) for row in await connection.execute(_grants_named, given)]


async def grants_resting_on(
    connection: AsyncConnection, partnership: bytes, agency: bytes, basis: bytes
) -> list[Named]:
    """Return the grants of an agency that rest on a consent and have not ended."""
    given = {"partnership": partnership, "agency": agency, "basis": basis}
    return [Named._make(row) for row in await connection.execute(_resting, given)]


async def grants_over(
    connection: AsyncConnection, partnership: bytes, since: int, now: int, limit: int, *, hold: bool = False
) -> list[Named]:
    """Return grants whose end has come after `since`, up to `now`, and which nobody has ended yet, the oldest first.

    `hold` lets no other process end them until this transaction is over.
    """
    given = {"partnership": partnership, "since": since, "now": now, "limit": limit}
    statement = _expired.with_for_update(skip_locked=True) if hold else _expired
    return [Named._make(row) for row in await connection.execute(statement, given)]


async def end_grants(
    connection: AsyncConnection, partnership: bytes, names: Sequence[tuple[bytes, bytes]], at: int
) -> None:
    """Say of grants, each an agency and a grant id, that they have ended, and drop what they have yet to give."""
    await _end_grant.run(connection, [(at, partnership, *name) for name in names])
    if names:
        given = {"partnership": partnership, "agencies": sorted({a for a, _ in names}), "ids": [g for _, g in names]}
        await connection.execute(_cancel, given)


async def known_records(
    connection: AsyncConnection, partnership: bytes, names: Sequence[tuple[bytes, bytes]]
) -> set[tuple[bytes, bytes]]:
    """Return which of these names are taken, each an agency and a record id."""
    agencies, ids = sorted({one[0] for one in names}), sorted({one[1] for one in names})
    return {(row.agency, row.record_id) for row in await records_named(connection, partnership, agencies, ids)}


async def records_named(
    connection: AsyncConnection, partnership: bytes, agencies: Sequence[bytes], ids: Sequence[bytes]
) -> list[RecordRow]:
    """Return the records of these agencies with these ids."""
    if not agencies or not ids:
        return []
    given = {"partnership": partnership, "agencies": list(agencies), "ids": list(ids)}
    return [RecordRow._make(row) for row in await connection.execute(_named, given)]


async def records_following(connection: AsyncConnection, partnership: bytes, ids: Sequence[bytes]) -> list[RecordRow]:
    """Return the records, of whatever agency, that follow records or grants with these ids, in the order they came."""
    if not ids:
        return []
    given = {"partnership": partnership, "ids": list(ids)}
    return [RecordRow._make(row) for row in await connection.execute(_following, given)]


async def records_of_kind(
    connection: AsyncConnection,
    partnership: bytes,
    agencies: Sequence[bytes],
    kind: str,
    *,
    in_force_at: int | None = None,
    about: Sequence[bytes] | None = None,
) -> list[RecordRow]:
    """Return records of a kind in the order they came: those whose `until` is later, or that are about versions."""
    given: dict[str, object] = {"partnership": partnership, "agencies": list(agencies), "kind": kind}
    statement = _of_kind
    if in_force_at is not None:
        statement, given = _in_force, {**given, "now": in_force_at}
    elif about is not None:
        statement, given = _about, {**given, "digests": list(about)}
    if not agencies or (about is not None and not about):
        return []
    return [RecordRow._make(row) for row in await connection.execute(statement, given)]


async def lock_record(connection: AsyncConnection, partnership: bytes, agency: bytes, record: bytes) -> bool:
    """Keep other processes from this record until the end of the transaction; tell whether it is there."""
    given = {"partnership": partnership, "agency": agency, "record": record}
    return (await connection.execute(_lock, given)).first() is not None


async def pending_of(
    connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]
) -> list[tuple[bytes, bytes]]:
    """Return what is yet to be given of these versions, each a feed and a grant id."""
    if not digests:
        return []
    given = {"partnership": partnership, "digests": list(digests)}
    return [(row.feed, row.grant_id) for row in await connection.execute(_pending_of, given)]


async def cancel(connection: AsyncConnection, partnership: bytes, waiting: Sequence[tuple[bytes, bytes]]) -> None:
    """Let what is yet to be given, each a feed and a grant id, never come."""
    for feed, grant_id in waiting:
        await connection.execute(_cancel_one, {"partnership": partnership, "of_feed": feed, "of_grant": grant_id})


async def overdue(connection: AsyncConnection, now: int) -> int:
    """Return how many tasks, of all agencies, should be done by now and are not."""
    return int((await connection.execute(_overdue, {"now": now})).scalar_one())


async def insert_grants(connection: AsyncConnection, rows: Sequence[GrantRow]) -> None:
    """Write grants."""
    await _insert_grant.run(connection, rows)


async def insert_records(connection: AsyncConnection, rows: Sequence[RecordRow]) -> None:
    """Write records."""
    await _insert_record.run(connection, rows)
