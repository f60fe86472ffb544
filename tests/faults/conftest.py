"""A town of two agencies that the tests of a module share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sluss_client.testing import Town

from tests.faults.samples import AGENCIES


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Town]:
    """One town for the tests of a module, which then run on the module's loop and look at their own reports only."""
    async with Town(agencies=AGENCIES) as built:
        yield built
