"""A town in which things are disclosed: social services, the police, guards and health on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sluss_client.testing import Town

from tests.disclosing.people import People


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def square() -> AsyncIterator[People]:
    """Everybody who decides and receives, before anything has happened."""
    async with Town(agencies=("social_services", "police", "security", "health")) as town:
        yield People(
            town,
            worker=await town.device("social_services"),
            workers_boss=await town.device("social_services", "supervisors"),
            other_boss=await town.device("social_services", "supervisors"),
            officer=await town.device("police"),
            other_officer=await town.device("police"),
            police_boss=await town.device("police", "supervisors"),
            police_chief=await town.device("police", "supervisors"),
            guard=await town.device("security"),
            nurse=await town.device("health"),
        )
