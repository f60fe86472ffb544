"""Backups and restores of the tests' towns: folders, addresses, and a town that goes on with what was restored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server import datadir
from sluss_server.cli import keeping
from sluss_server.settings import Settings
from sluss_server.storage import tables
from sluss_server.storage.engine import Engine

from tests.server.postgres import Databases
from tests.server.town import Town

NEW_INSTANCE: Final = b"n" * 16
Address = Callable[[str], str]


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """Make an empty database on an engine and return its address."""

    def made(engine: str) -> str:
        if engine == "sqlite":
            return f"sqlite+aiosqlite:///{tmp_path}/{len(list(tmp_path.iterdir()))}.sqlite"
        databases: Databases = request.getfixturevalue("databases")
        return databases.new()

    return made


def settings(folder: Path, url: str) -> Settings:
    """The settings of a server."""
    return Settings.read({"SLUSS_DATA_DIR": str(folder), "SLUSS_DATABASE_URL": url})


def give_folder(town: Town, folder: Path) -> Settings:
    """Write the files that the town's server would have beside its database."""
    datadir.folder(folder)
    datadir.make(folder / datadir.KEY_FILE, town.receipt_key.private_bytes_raw())
    datadir.make(folder / datadir.INSTANCE_FILE, town.instance)
    return settings(folder, str(town.path))


async def saved(town: Town, folder: Path) -> Path:
    """Back a town up and return the file; its server runs."""
    file = folder / f"{folder.name}.sluss"
    await keeping.save(give_folder(town, folder), file, town.clock(), quietly)
    return file


async def brought_back(town: Town, file: Path, folder: Path, url: str, *, now: int | None = None) -> Town:
    """Restore a backup of a town and open what came of it: the same people on another server."""
    given = settings(folder, url)
    await keeping.bring_back(given, file, town.clock() if now is None else now, NEW_INSTANCE, quietly)
    other = Town(url)
    other.clock, other.receipt_key, other.instance = town.clock, datadir.receipt_key(folder), NEW_INSTANCE
    other.partnership, other.agencies = town.partnership, town.agencies
    return await other.open()


def quietly(_rows: int) -> None:
    """Do not tell."""


async def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is in a database, but what a restore changes."""
    async with engine.read() as connection:
        found = {
            name: sorted((tuple(row) for row in await connection.execute(select(table))), key=repr)
            for name, table in tables.metadata.tables.items()
            if name != "restores"
        }
    found["feed_heads"] = [(partnership, feed, seq) for partnership, feed, _, seq in found["feed_heads"]]
    return found


async def faults(engine: Engine) -> list[str]:
    """Whatever in a database does not go with the rest: half of a transaction would."""
    async with engine.read() as connection:
        return [
            *await _gaps(connection, tables.feed_heads, tables.feed_entries, ("partnership_id", "feed")),
            *await _gaps(connection, tables.ledger_heads, tables.ledger_leaves, ("partnership_id", "agency")),
            *await _gaps(connection, tables.directory_heads, tables.directory_entries, ("partnership_id", "agency")),
            *await _orphans(connection, tables.reports, tables.outcomes),
            *await _orphans(connection, tables.feed_entries, tables.reports, tables.feed_entries.c.op == "put"),
            *await _orphans(connection, tables.facts, tables.reports),
        ]


async def _gaps(connection: AsyncConnection, heads: Any, rows: Any, keys: tuple[str, ...]) -> list[str]:  # noqa: ANN401  # tables
    """Heads that are not at the end of their rows, and rows without a gap before them."""
    at = [rows.c[name] for name in keys]
    grouped = select(*at, func.max(rows.c.seq), func.max(rows.c.seq) - func.min(rows.c.seq) + 1 - func.count())
    found = {tuple(row[:-2]): (row[-2], row[-1]) for row in await connection.execute(grouped.group_by(*at))}
    ends = {
        tuple(row[:-1]): (row[-1], 0)
        for row in await connection.execute(select(*(heads.c[k] for k in keys), heads.c.seq))
    }
    return [] if found == ends else [f"{heads.name}: {set(found.items()) ^ set(ends.items())}"]


async def _orphans(connection: AsyncConnection, rows: Any, parents: Any, *of: Any) -> list[str]:  # noqa: ANN401  # tables
    """Rows about a report version that is not there."""
    known = select(parents.c.digest)
    count = (await connection.execute(select(func.count()).where(rows.c.digest.not_in(known), *of))).scalar_one()
    return [f"{rows.name} without {parents.name}: {count}"] if count else []
