"""Links into the overview and the sessions that they begin, by the hashes of what opens them.

Source: docs/decisions/0026-sign-in-by-launch.md.

> INVARIANT: nothing that is stored here opens a session; of a token and of a cookie there is a SHA-256.
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from sqlalchemy import CursorResult, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import launches, sessions


class LaunchRow(NamedTuple):
    """A row of `launches`, in the order of its columns."""

    partnership_id: bytes
    token_hash: bytes
    agency: bytes
    device: bytes
    expires_at: int


class SessionRow(NamedTuple):
    """A row of `sessions`, in the order of its columns."""

    partnership_id: bytes
    session_hash: bytes
    agency: bytes
    device: bytes
    started_at: int
    seen_at: int


_this_launch: Final = (
    launches.c.partnership_id == bindparam("partnership"),
    launches.c.token_hash == bindparam("token_hash"),
)
_this_session: Final = (
    sessions.c.partnership_id == bindparam("partnership"),
    sessions.c.session_hash == bindparam("name"),
)
_launch: Final = select(*launches.c).where(*_this_launch)
_use: Final = delete(launches).where(*_this_launch)
_session: Final = select(*sessions.c).where(*_this_session)
_touch: Final = update(sessions).where(*_this_session).values(seen_at=bindparam("now"))
_end: Final = delete(sessions).where(*_this_session)
_old_launches: Final = delete(launches).where(
    launches.c.partnership_id == bindparam("partnership"), launches.c.expires_at <= bindparam("now")
)
_old_sessions: Final = delete(sessions).where(
    sessions.c.partnership_id == bindparam("partnership"),
    or_(sessions.c.started_at <= bindparam("started"), sessions.c.seen_at <= bindparam("seen")),
)
_insert_launch: Final = insert_all(launches)
_insert_session: Final = insert_all(sessions)


async def add_launch(connection: AsyncConnection, row: LaunchRow) -> None:
    """Keep a link that may be used once."""
    await _insert_launch.run(connection, [row])


async def use_launch(connection: AsyncConnection, partnership: bytes, token_hash: bytes) -> LaunchRow | None:
    """Return a link and forget it; None where there is none, or somebody else took it at this moment."""
    given = {"partnership": partnership, "token_hash": token_hash}
    found = (await connection.execute(_launch, given)).first()
    # Of two who ask at once one deletes the row.
    taken = cast("CursorResult[tuple[()]]", await connection.execute(_use, given)).rowcount == 1
    return LaunchRow._make(found) if found is not None and taken else None


async def add_session(connection: AsyncConnection, row: SessionRow) -> None:
    """Keep a session."""
    await _insert_session.run(connection, [row])


async def session(connection: AsyncConnection, partnership: bytes, name: bytes) -> SessionRow | None:
    """Return a session by its hash."""
    found = (await connection.execute(_session, {"partnership": partnership, "name": name})).first()
    return None if found is None else SessionRow._make(found)


async def touch(connection: AsyncConnection, partnership: bytes, name: bytes, now: int) -> None:
    """Note that a session was used."""
    await connection.execute(_touch, {"partnership": partnership, "name": name, "now": now})


async def end(connection: AsyncConnection, partnership: bytes, name: bytes) -> None:
    """Forget a session."""
    await connection.execute(_end, {"partnership": partnership, "name": name})


async def forget_old(connection: AsyncConnection, partnership: bytes, *, now: int, started: int, seen: int) -> None:
    """Forget links that are over, and sessions that began or were last used at these times or before."""
    await connection.execute(_old_launches, {"partnership": partnership, "now": now})
    await connection.execute(_old_sessions, {"partnership": partnership, "started": started, "seen": seen})
