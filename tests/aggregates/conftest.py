"""A town's core on each engine that this machine has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.postgres import Databases, cluster, databases
from tests.server.town import Town

__all__ = ["cluster", "databases", "town"]


@pytest.fixture(params=["sqlite", "postgresql"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    """Five agencies, each with two field devices, a supervisor's and open epochs."""
    where: Path | str = tmp_path / "sluss.db"
    if request.param == "postgresql":
        found = request.getfixturevalue("databases")
        assert isinstance(found, Databases)
        where = await found.migrated()
    built = await (await Town(where).open()).build()
    yield built
    await built.close()
