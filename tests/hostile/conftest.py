"""A town behind a hostile server, which the tests of this folder share; it is honest at the end of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from sluss_client.testing import Town

from tests.hostile.scene import AGENCIES, Scene


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene() -> AsyncIterator[Scene]:
    """Two agencies, a guard who files, a police officer who reads, and everything that ever passed between them."""
    async with Town(agencies=AGENCIES, hostile=True) as town:
        scene = Scene(town, await town.device("security"), await town.device("police"))
        # So that the feeds are known, and what follows is new.
        scene.file()
        for device in (scene.guard, scene.police):
            await device.sync()
        yield scene


@pytest.fixture(autouse=True)
def _honest(request: pytest.FixtureRequest) -> Iterator[None]:
    """End every lie with its test, and forget what it left."""
    yield
    if "scene" in request.fixturenames:
        request.getfixturevalue("scene").settle()
