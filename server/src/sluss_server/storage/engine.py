"""The database: one connection that writes and a few that read, whatever engine is underneath.

This is the only module that knows one engine from another; everywhere else stands SQL that both speak.
SQLite runs in WAL with `synchronous=FULL`, and its writer begins every transaction IMMEDIATE, because a deferred one
fails as "locked" when it turns from reading to writing.

> INVARIANT: readers cannot write; every write goes through the one writer's connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

READERS: Final = 3
_BUSY_MS: Final = 10_000
_SETTLING_MS: Final = 200
_PAGE_BYTES: Final = 8192
"""A sealed report is about 12 KB in rows of 1.5 to 4 KB: larger pages than the default of 4096 hold more of them."""

_SQLITE_BOTH: Final = (
    f"PRAGMA page_size = {_PAGE_BYTES}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
    # What is culled is overwritten on disk, and not only forgotten.
    "PRAGMA secure_delete = ON",
)
_SQLITE_READER: Final = ("PRAGMA query_only = ON",)
_POSTGRESQL_READER: Final = {"server_settings": {"default_transaction_read_only": "on"}}
_PASSING: Final = frozenset({"40001", "40P01"})
"""What PostgreSQL says to one of two transactions that stood in each other's way."""


def database_url(address: str) -> URL:
    """Return the address with the driver that is used here: aiosqlite for SQLite, asyncpg for PostgreSQL."""
    url = make_url(address)
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
    return url.set(drivername=drivers.get(url.drivername, url.drivername))


class Engine:
    """Connections to one database; made by `open_engine`, ended by `close`."""

    def __init__(self, url: URL) -> None:
        """Prepare both sides; nothing is opened before it is asked for."""
        sqlite = url.get_backend_name() == "sqlite"
        self._sqlite: Final = sqlite
        reader = {} if sqlite else _POSTGRESQL_READER
        self._write = create_async_engine(url, poolclass=NullPool)
        self._read = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=reader)
        if sqlite:
            _for_sqlite(self._write, _SQLITE_BOTH)
            _for_sqlite(self._read, (*_SQLITE_BOTH, *_SQLITE_READER))
            event.listen(self._write.sync_engine, "begin", _begin_immediate)
        self._idle: asyncio.LifoQueue[AsyncConnection | None] = asyncio.LifoQueue()
        for _ in range(READERS):
            self._idle.put_nowait(None)

    @property
    def dialect(self) -> Any:  # noqa: ANN401  # SQLAlchemy's dialects share no typed interface for compiling
        """The dialect for which statements are prepared."""
        return self._write.dialect

    async def writer_connection(self) -> AsyncConnection:
        """Open the connection that writes; there is one per process, and the group commit owns it."""
        return await self._write.connect()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Lend a reader's connection; each statement on it sees what is committed when it starts.

        The connection is kept between uses: opening and resetting it would cost more than the query.
        """
        connection = await self._idle.get()
        try:
            if connection is not None and _gone(connection):
                gone, connection = connection, None
                await _discard(gone)
            if connection is None:
                connection = await self._read.connect()
            yield connection
        except BaseException:
            # Whatever went wrong, or whoever gave up waiting, may have left a statement half read.
            if connection is not None:
                await asyncio.shield(_discard(connection))
                connection = None
            raise
        finally:
            self._idle.put_nowait(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection of its own on which every statement sees the same moment; nobody waits for it."""
        async with self._read.connect() as connection:
            if self._sqlite:
                await connection.exec_driver_sql("BEGIN")
                yield connection
                await connection.exec_driver_sql("ROLLBACK")
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    yield connection

    async def settle(self) -> bool:
        """Let nothing that was deleted lie on in the log of writes, and tell whether nothing does.

        Whoever reads something older at this moment keeps it there; nobody waits for that. PostgreSQL keeps its own
        house.
        """
        if not self._sqlite:
            return True
        async with self._write.connect() as connection:
            return await connection.run_sync(_checkpointed)

    async def close(self) -> None:
        """Close every reader, once its user is done with it, and both sides."""
        for connection in [await self._idle.get() for _ in range(READERS)]:
            self._idle.put_nowait(None)
            if connection is not None:
                await connection.close()
        await self._read.dispose()
        await self._write.dispose()


def open_engine(address: str) -> Engine:
    """Return the engine for a database address such as `sqlite:////var/lib/sluss/sluss.db`."""
    return Engine(database_url(address))


def passing(error: Exception) -> bool:
    """Tell whether the same transaction may succeed when it is run again.

    Another process took its key in between or stood in its way, or the connection was lost.
    """
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "sqlstate", None)
    return isinstance(error, IntegrityError) or error.connection_invalidated or code in _PASSING


def _gone(connection: AsyncConnection) -> bool:
    """Tell whether a kept connection has ended, as far as this side was told; nothing is asked of the database."""
    if connection.closed or connection.invalidated or connection.sync_connection is None:
        return True
    driver = connection.sync_connection.connection.driver_connection
    ended = getattr(driver, "is_closed", None)
    return ended is not None and bool(ended())


async def _discard(connection: AsyncConnection) -> None:
    await connection.invalidate()
    await connection.close()


def _for_sqlite(engine: AsyncEngine, pragmas: tuple[str, ...]) -> None:
    def set_up(connection: DBAPIConnection, _record: object) -> None:
        # The driver's own transactions are switched off: `begin` below says which kind it is.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine.sync_engine, "connect", set_up)


def _checkpointed(connection: Connection) -> bool:
    """Bring the log of writes into the file and empty it; tell whether nobody was in the way."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_SETTLING_MS}")
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    busy = cursor.fetchone()
    cursor.close()
    return busy is not None and not busy[0]


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
