"""What agencies have stated, by subject: scenes, objectives and staffing.

A projection of case records of the kind `statement`, written with them; nothing of it is ever changed.
Source: docs/protocol.md section 4.

> INVARIANT: of one agency's statements about one subject the one that is latest by its own time holds, so that the
> order in which they came is of no account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import statements


class StatementRow(NamedTuple):
    """A row of `statements`, in the order of its columns."""

    partnership_id: bytes
    agency: bytes
    record_id: bytes
    subject_kind: str
    subject: bytes
    stated_at: int
    received_at: int
    terms: bytes
    record: bytes
    signature: bytes


_newer: Final = statements.alias("newer")
_row: Final = select(*(statements.c[name] for name in StatementRow._fields))
_current: Final = (
    _row.where(
        statements.c.partnership_id == bindparam("partnership"),
        statements.c.subject_kind == bindparam("kind"),
        or_(
            statements.c.subject > bindparam("subject"),
            and_(statements.c.subject == bindparam("subject"), statements.c.agency > bindparam("agency")),
        ),
        ~exists().where(
            _newer.c.partnership_id == statements.c.partnership_id,
            _newer.c.subject_kind == statements.c.subject_kind,
            _newer.c.subject == statements.c.subject,
            _newer.c.agency == statements.c.agency,
            or_(
                _newer.c.stated_at > statements.c.stated_at,
                and_(_newer.c.stated_at == statements.c.stated_at, _newer.c.record_id > statements.c.record_id),
            ),
        ),
    )
    .order_by(statements.c.subject, statements.c.agency)
    .limit(bindparam("limit"))
)
_owners: Final = (
    select(statements.c.agency)
    .where(
        statements.c.partnership_id == bindparam("partnership"),
        statements.c.subject_kind == bindparam("kind"),
        statements.c.subject == bindparam("subject"),
    )
    .distinct()
)
_insert: Final = insert_all(statements)


async def current(
    connection: AsyncConnection, partnership: bytes, kind: str, *, subject: bytes, agency: bytes, limit: int
) -> list[StatementRow]:
    """Return the statements that hold, after a subject and an agency, in the order of both."""
    given = {"partnership": partnership, "kind": kind, "subject": subject, "agency": agency, "limit": limit}
    return [StatementRow._make(row) for row in await connection.execute(_current, given)]


async def owners(connection: AsyncConnection, partnership: bytes, kind: str, subject: bytes) -> set[bytes]:
    """Return the agencies that have stated something about a subject."""
    given = {"partnership": partnership, "kind": kind, "subject": subject}
    return {row.agency for row in await connection.execute(_owners, given)}


async def insert(connection: AsyncConnection, rows: Sequence[StatementRow]) -> None:
    """Write statements."""
    await _insert.run(connection, rows)
