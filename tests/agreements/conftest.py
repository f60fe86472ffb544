"""A town whose heads of agency agree: real devices, a real server, and somebody in between who is honest at first."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sluss_client.testing import Town

AGENCIES = ("police", "social_services", "security")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town() -> AsyncIterator[Town]:
    """Three agencies; every founder is a supervisor and a registrar."""
    async with Town(agencies=AGENCIES, hostile=True) as built:
        yield built


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def over(town: Town) -> AsyncIterator[None]:
    """End what a test agreed on, and let the server be honest again."""
    yield
    town.hostile.honest()
    for founder in town.founders.values():
        await founder.sync()
        for agreement, part in founder.local.trust.own.agreements.items():
            if part.state != "terminated":
                await founder.agreements.end(agreement.hex())
