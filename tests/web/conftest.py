"""One browser for all tests of pages, and a town for each file; no test may end the supervisor's service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest_asyncio
from playwright.async_api import Browser

from sluss_client import forms
from sluss_client.testing import Clock, Town

from tests.web.browser import Office, chromium

WEDNESDAY: Final = datetime(2026, 2, 4, 12, tzinfo=UTC)
"""In week 6."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The machine's Chromium."""
    async with chromium() as running:
        yield running


# Of a file and not of the session: while a town stands, every process that a test starts goes by its clock.
@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(browser: Browser) -> AsyncIterator[Office]:
    """A town in which guards have filed three reports this week and one the week before."""
    async with Town(Clock(WEDNESDAY), agencies=("security", "police")) as town:
        guard = await town.device("security")
        boss = await town.device("security", "supervisors")
        for scene, before in (("central-square", 0), ("central-square", 0), ("station-park", 0), ("central-square", 7)):
            guard.file(
                forms.OrderIncident(
                    scene=scene,
                    observed_at=town.clock.now() - timedelta(days=before, minutes=5),
                    sub_kind="threat",
                    severity=2,
                    situation="Somebody threatened a shop assistant.",
                )
            )
        await guard.sync()
        yield Office(town, boss, browser)
