"""S04: what S03 released at 16:00 would reach the police at 09:00, after the person's birthday."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.disclosing.answers import Disclosure
from sluss_client.errors import NotFound, Refused
from sluss_client.report import Report
from sluss_client.testing import Clock, Town

from tests.disclosing.people import L03
from tests.scenarios.people import CENTRAL, find
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking, entries

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZONE: Final = ZoneInfo("Europe/Stockholm")
BIRTHDAY: Final = datetime(2026, 12, 10, tzinfo=ZONE)
EVE: Final = datetime(2026, 12, 9, 16, tzinfo=ZONE)
CLEO: Final = forms.Person(name="Cleo", personal_number="20051210-0000")
PLAN: Final = "She starts to sell next week."


@dataclass
class Eve:
    """The day before: who decides, an officer who has contact all the time, and one who has none."""

    town: Town
    worker: Device
    boss: Device
    officer: Device
    offline: Device

    async def opened(self) -> Report:
        """File what the worker was told, and let the supervisor open it."""
        form = forms.OutreachContact(
            scene=CENTRAL,
            observed_at=self.town.clock.now(),
            situation="A talk on a bench.",
            subject=[CLEO],
            care="We meet on Monday.",
            enforcement=PLAN,
        )
        report = self.worker.file(form, confirm_text=True)
        await self.worker.sync()
        await self.boss.sync()
        await self.boss.inspect(report.id, reason="Is the ground of prevention open?")
        await self.boss.sync()
        return report

    async def decided(self, report: Report) -> Disclosure:
        """Decide that both officers get it; it leaves with the next sync."""
        return await self.boss.disclose(
            report.id,
            "L03",
            to=[self.officer.alias, self.offline.alias],
            compartments=["subject", "enforcement"],
            **L03,
        )

    def state(self, made: Disclosure) -> Disclosure:
        """Return a decision as the one who made it sees it now."""
        return next(one for one in self.boss.disclosures() if one.id == made.id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def eve() -> AsyncIterator[Eve]:
    """A town on the day before, at 15:55."""
    async with Town(Clock(EVE - timedelta(minutes=5))) as town:
        yield Eve(
            town,
            worker=await town.device("social_services"),
            boss=await town.device("social_services", "supervisors"),
            officer=await town.device("police"),
            offline=await town.device("police"),
        )


async def test_what_was_released_before_midnight_is_not_delivered_after_it(eve: Eve) -> None:
    clock, boss, officer, offline = eve.town.clock, eve.boss, eve.officer, eve.offline
    report, left_behind = await eve.opened(), await eve.opened()
    clock.set(EVE)
    made = await eve.decided(report)
    await boss.sync()
    await officer.sync()
    released = eve.state(made)
    assert (released.state, released.until) == ("released", BIRTHDAY.timestamp())
    assert (officer.get(report.id).subject, officer.get(report.id).enforcement) == ([CLEO], PLAN)
    # A second one is decided in time on a device that has no contact before the morning.
    late = await eve.decided(left_behind)
    assert eve.state(late).state == "waiting"

    # Midnight is that of the pack's zone, which is 23:00 UTC; whoever has read it stops reading it by themselves.
    clock.set(BIRTHDAY - timedelta(minutes=2))
    await officer.sync()
    assert officer.get(report.id).subject == [CLEO]
    clock.set(BIRTHDAY + timedelta(seconds=1))
    assert (found := find(officer, report.id)) is None or "subject" not in found.readable
    assert eve.state(made).state == "lapsed"

    clock.set(BIRTHDAY + timedelta(hours=9))
    await offline.sync()
    await officer.sync()
    for device in (officer, offline):
        with pytest.raises(NotFound):
            device.get(report.id)
        stored = decrypted(device.local.store)
        assert b"Cleo" not in stored
        assert PLAN.encode() not in stored
    assert bytes(report.id) not in decrypted(offline.local.store)
    async with asking(offline, eve.town.url) as raw:
        answers = await raw.everything()
        assert not any(bytes(report.id) in answer.body for answer in answers)
        # Neither the server's look, once a second, nor a pull before it gives out what has lapsed.
        given = [entry.put.grant.grant for entry in entries(await raw.pull()) if entry.put and entry.put.grant]
        assert not any(made.id in grant for grant in given)

    # The other decision is judged when it leaves: it does not.
    await boss.sync()
    after = eve.state(late)
    assert (after.state, after.reason) == ("refused", "age_limit")
    await offline.sync()
    with pytest.raises(NotFound):
        offline.get(left_behind.id)


async def test_it_comes_back_to_be_assessed_anew_and_the_ground_is_closed(eve: Eve) -> None:
    eve.town.clock.set(BIRTHDAY + timedelta(hours=10))
    report = await eve.opened()
    excluded = {one.code: one.excluded for one in eve.boss.offers(report.id) if one.agency == "police"}
    assert excluded["L03"] == "over_age"
    with pytest.raises(Refused) as refused:
        await eve.decided(report)
    assert (refused.value.code, refused.value.field) == ("age_limit", "over_age")
    # Those who were never told are not told now either.
    for slug in ("security", "municipality", "health"):
        founder = eve.town.founders[slug]
        await founder.sync()
        assert find(founder, report.id) is None
        assert b"Cleo" not in decrypted(founder.local.store)
    # With social services nothing has changed.
    await eve.worker.sync()
    assert eve.worker.get(report.id).subject == [CLEO]
