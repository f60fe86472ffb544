"""A town on a real database file, and PostgreSQL where there is one, for the tests of the ledgers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.postgres import cluster, databases
from tests.server.town import Town

__all__ = ["cluster", "databases", "town"]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """Five agencies, each with two field devices, a supervisor's and open epochs."""
    built = await (await Town(tmp_path / "sluss.db").open()).build()
    yield built
    await built.close()
