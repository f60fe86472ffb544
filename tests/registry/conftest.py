"""A town whose supervisors state what scenes are and what they aim at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from sluss_client.device import Device
from sluss_client.testing import Town


@dataclass
class Desk:
    """Two agencies' supervisors, and a guard who is none."""

    town: Town
    police: Device
    colleague: Device
    guards: Device
    guard: Device

    async def sync(self, *devices: Device) -> None:
        """Send what is stated."""
        for device in devices or (self.police, self.colleague, self.guards):
            await device.sync()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    """Everybody, before anything is stated, with a server that lies where a test tells it to."""
    async with Town(agencies=("police", "security"), hostile=True) as town:
        yield Desk(
            town,
            police=await town.device("police", "supervisors"),
            colleague=await town.device("police", "supervisors"),
            guards=await town.device("security", "supervisors"),
            guard=await town.device("security"),
        )
