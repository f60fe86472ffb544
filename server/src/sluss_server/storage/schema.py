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
from sqlalchemy.engine import Connection

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
        return await connection.run_sync(_current)


async def migrate(engine: Engine) -> str:
    """Bring the schema to `head` and return it; a schema that is there already is left alone."""
    connection = await engine.writer_connection()
    try:
        async with connection.begin():
            await connection.run_sync(_upgrade)
    finally:
        await connection.close()
    return head()


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
