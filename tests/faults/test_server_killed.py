"""A server that dies between commit and answer, at any moment around it: every report is there once.

The relay gives the moments that luck seldom does: after the server has answered, before the device has heard it.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from sluss_client import Device, Offline
from sluss_client.outbox import State
from sluss_client.testing import Town

from tests.faults.proxy import Exchange, Relay, honest, pass_on
from tests.faults.samples import AGENCIES, fed_twice, incident, states, stored_versions, texts

BATCH = 3
MOMENTS = ("answered", "answered, back at once", "in the middle")


@dataclass
class Killer:
    """Kills the server once, at the moment that it was told, in the push that comes next."""

    town: Town
    relay: Relay
    kills: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def arm(self, moment: str, delay: float) -> None:
        """Wait for the next push."""

        async def before(exchange: Exchange) -> None:
            if exchange.path == "/v1/push" and moment == "in the middle":
                # The push goes on its way and the server dies at some moment of working on it.
                self._tasks.append(asyncio.create_task(self._kill_after(delay)))
                self.relay.before = pass_on

        async def after(exchange: Exchange) -> bytes:
            if exchange.path != "/v1/push" or moment == "in the middle":
                return exchange.answer
            self.relay.after = honest
            await self._kill(again=moment == "answered, back at once")
            return b""

        self.relay.before, self.relay.after = before, after

    async def _kill_after(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        moment = loop.create_future()
        loop.call_later(delay, moment.set_result, None)
        await moment
        await self._kill(again=False)

    async def _kill(self, *, again: bool) -> None:
        assert self.town.server is not None
        if not again:
            self.relay.deaf()
        await asyncio.to_thread(self.town.server.kill)
        self.kills += 1
        if again:
            await asyncio.to_thread(self.town.server.start)

    async def recover(self) -> None:
        """Wait for the kill to be done, and start the server again where it is down."""
        assert self.town.server is not None
        await asyncio.gather(*self._tasks)
        self._tasks.clear()
        self.relay.before, self.relay.after = pass_on, honest
        self.relay.deaf()
        await asyncio.to_thread(self.town.server.kill)
        await asyncio.to_thread(self.town.server.start)
        await self.relay.listen()


async def sync_through(device: Device) -> None:
    """Sync, whether or not the server lives through it."""
    with suppress(Offline):
        await device.sync()


async def kill_often(times: int, seed: int) -> None:
    dice = random.Random(seed)
    async with Town(agencies=AGENCIES) as town:
        guard = await town.device("security")
        colleague, police = await town.device("security"), await town.device("police")
        assert town.server is not None
        filed = list[str]()
        async with Relay(town.server.port) as relay:
            guard._transport.server = relay.url
            killer = Killer(town, relay)
            for number in range(times):
                batch = [f"{number}.{one}" for one in range(BATCH)]
                reports = [guard.file(incident(town.clock.now(), text)) for text in batch]
                filed += [*batch[:-1], f"{number} amended"]
                await guard.amend(reports[-1].id, situation=filed[-1])
                killer.arm(MOMENTS[number % len(MOMENTS)], dice.uniform(0, 0.03))
                await sync_through(guard)
                await killer.recover()
            result = await guard.sync()
            again = await guard.sync()

        assert killer.kills == times
        assert result.waiting == result.quarantined == result.alarms == 0
        assert again.sent == again.received == 0
        assert states(guard) == {"sent": times * (BATCH + 1)}
        assert {row.outcome for row in guard.local.outbox.rows()} <= {"created", "duplicate"}
        assert all(row.receipt for row in guard.local.outbox.rows() if row.state is State.SENT)
        assert set(stored_versions(town).values()) == {1}
        assert len(stored_versions(town)) == times * (BATCH + 1)
        assert fed_twice(town) == []
        for device in (colleague, police):
            await device.sync()
            assert texts(device) == sorted(filed)
            assert not any(report.forked for report in device.reports())
            assert device.local.alarms() == []


async def test_every_report_is_there_once_after_the_server_was_killed_between_commit_and_answer() -> None:
    await kill_often(5, seed=1)


@pytest.mark.soak
async def test_every_report_is_there_once_after_a_hundred_kills() -> None:
    await kill_often(102, seed=2)
