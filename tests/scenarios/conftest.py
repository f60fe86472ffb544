"""One town for all scenarios: a real server, and a real device for each person."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sluss_client.testing import Town

from tests.scenarios.people import CENTRAL, SUBURBAN, People


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def square() -> AsyncIterator[People]:
    """The square, before anything has happened."""
    async with Town() as town:
        yield People(
            town,
            guard=await town.device("security"),
            other_guard=await town.device("security"),
            guards_boss=await town.device("security", "supervisors"),
            police=await town.device("police", scenes=[CENTRAL]),
            suburban_police=await town.device("police", scenes=[SUBURBAN]),
            police_boss=await town.device("police", "supervisors"),
            worker=await town.device("social_services"),
            other_worker=await town.device("social_services"),
            third_worker=await town.device("social_services"),
            workers_boss=await town.device("social_services", "supervisors"),
            other_boss=await town.device("social_services", "supervisors"),
            reception=await town.device("social_services", "reception"),
            official=await town.device("municipality"),
            municipal_boss=await town.device("municipality", "supervisors"),
            nurse=await town.device("health"),
        )
