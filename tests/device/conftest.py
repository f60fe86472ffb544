"""A town of three agencies that the tests of a module share; they run on the module's loop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sluss_client.testing import Town


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Town]:
    """Guards, police and social services on a real server."""
    async with Town(agencies=("security", "police", "social_services")) as built:
        yield built
