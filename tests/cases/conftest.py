"""A town in which case records are filed: guards, police and social services on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sluss_client.testing import Town

from tests.cases.people import People

AGENCIES = ("security", "police", "social_services")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def square() -> AsyncIterator[People]:
    """Everybody, before anything has happened, with a server that lies where a test tells it to."""
    async with Town(agencies=AGENCIES, hostile=True) as town:
        yield People(
            town,
            guard=await town.device("security"),
            other_guard=await town.device("security"),
            guards_boss=await town.device("security", "supervisors"),
            police=await town.device("police"),
            police_boss=await town.device("police", "supervisors"),
            worker=await town.device("social_services"),
            other_worker=await town.device("social_services"),
            workers_boss=await town.device("social_services", "supervisors"),
            reception=await town.device("social_services", "reception"),
        )
