"""Whether the database's schema is the one that this program was written for, and the way there.

Refuses to change a schema unless it is asked to.

> INVARIANT: a migration runs in one transaction: the schema is at a revision, never between two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.engine import Engine

_SCRIPTS: Final = Path(__file__).with_name("migrations")


def head() -> str:
    """Return the revision that this program was written for."""
    revision = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    if revision is None:
        message = "the package holds no migrations"
        raise LookupError(message)
    return revision


async def current(engine: Engine) -> str | None:
    """Return the database's revision; None for a database without any table of ours."""
    async with engine.read() as connection:
        return await connection.run_sync(current_of)


async def migrate(engine: Engine) -> str:
    """Bring the schema to `head` and return it; a schema that is there already is left alone."""
    connection = await engine.writer_connection()
    try:
        async with connection.begin():
            await build(connection, head())
    finally:
        await connection.close()
    return head()


def known(revision: str) -> bool:
    """Tell whether this program can build the schema of a revision."""
    try:
        return ScriptDirectory(str(_SCRIPTS)).get_revision(revision) is not None
    except CommandError:
        return False


async def build(connection: AsyncConnection, revision: str) -> None:
    """Bring the schema to a revision, within the caller's transaction."""
    await connection.run_sync(_upgrade, revision)


def current_of(connection: Connection) -> str | None:
    """Return the revision that a connection sees."""
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
