"""S14: an agreement between police and social services ends on 31 December at 24:00, and statutory duties go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.cli.checks import examine
from sluss_client.device import Device
from sluss_client.testing import Clock, Town

from tests.agreements.heads import CENTRAL, draft, filed, find, patrol, sign

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIDNIGHT = datetime(2026, 12, 31, 23, tzinfo=UTC)
"""31 December at 24:00 in Stockholm."""
CHILD = forms.Person(name="Lo", role="child", age_min=13, age_max=14)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town() -> AsyncIterator[Town]:
    """Two agencies in November."""
    november = Clock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    async with Town(november, agencies=("police", "social_services"), hostile=True) as built:
        yield built


def reminder(device: Device) -> tuple[bool, str]:
    (found,) = [one for one in examine(device) if one.name == "agreements"]
    return found.ok, found.say


async def test_s14_it_warns_in_time_falls_back_at_that_second_and_leaves_duties_alone(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    reception = await town.device("social_services", "reception")
    boss = await town.device("social_services", "supervisors")
    everybody = (police, worker, reception, boss, *town.founders.values())
    head = town.founders["police"]
    row = head.agreements.draft(draft("2026-11-01", "2026-12-31"))
    assert row.not_after == MIDNIGHT.timestamp()
    await sign(town, row.id, "police", "social_services")

    async def at(moment: datetime) -> None:
        town.clock.set(moment)
        for _ in range(2):
            for device in everybody:
                await device.sync()

    for days, warns in ((31, None), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1)):
        await at(MIDNIGHT - timedelta(days=days) + timedelta(minutes=10 if warns == days else 0))
        assert [one.warns for one in boss.agreements.rows()] == [warns]
        ok, say = reminder(boss)
        assert ok is (warns in {None, 30})
        assert ("S-1, head of the field group" in say) is (warns is not None)
        # Others read of it and need not act.
        assert reminder(worker)[0]

    await at(MIDNIGHT - timedelta(minutes=10))
    report = await filed(police, patrol(town))
    await worker.sync()
    # From here on the worker's device has no network.
    town.clock.advance(seconds=int(MIDNIGHT.timestamp()) - worker.now() - 2)
    assert find(worker, report) is not None
    town.clock.advance(seconds=2)
    assert find(worker, report) is None

    for _ in range(2):
        for device in everybody:
            await device.sync()
    assert [one.state for one in boss.agreements.rows()] == ["expired"]
    assert reminder(boss) == (True, "No agreement ends within 30 days.")
    assert find(worker, await filed(police, patrol(town))) is None
    assert find(worker, report) is None
    assert find(police, report) is not None

    incident = forms.OrderIncident(
        scene=CENTRAL, observed_at=town.clock.now(), sub_kind="threat", situation="A child was hurt.", subject=[CHILD]
    )
    told = police.file(incident, {"L11": "send"})
    for device in (police, reception):
        await device.sync()
    found = find(reception, told)
    assert found is not None
    assert isinstance(found.subject, list)
    assert found.subject[0].name == "Lo"
