"""S14: an agreement between police and social services ends on 31 December at 24:00, and statutory duties go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx2
import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.cli.checks import examine
from sluss_client.device import Device
from sluss_client.report import Report
from sluss_client.testing import Clock, Town

from tests.agreements.heads import draft, patrol, sign, was_given
from tests.scenarios.people import CENTRAL, CHILD, find, sight

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIDNIGHT: Final = datetime(2026, 12, 31, 23, tzinfo=UTC)
"""31 December at 24:00 in Stockholm."""
NOVEMBER: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
OWNER: Final = "S-1, head of the field group"
CONTACTS: Final = """
[[open]]
kind = "outreach_contact"
owner = "social_services"
to = ["police"]
parts = ["place"]
as = "G"
"""
OTHERS: Final = ("security", "municipality", "health")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """All agencies in November; those who agree on nothing are there with the device that founded them."""
    async with Town(Clock(NOVEMBER), hostile=True) as built:
        yield built


async def sync(*devices: Device) -> None:
    for _ in range(2):
        for device in devices:
            await device.sync()


def reminder(device: Device) -> tuple[bool, str]:
    (found,) = [one for one in examine(device) if one.name == "agreements"]
    return found.ok, found.say


def contact(town: Town) -> forms.OutreachContact:
    return forms.OutreachContact(scene=CENTRAL, observed_at=town.clock.now(), situation="A talk.", place="a bench")


def incident(town: Town) -> forms.OrderIncident:
    return forms.OrderIncident(
        scene=CENTRAL,
        observed_at=town.clock.now(),
        sub_kind="threat",
        severity=2,
        situation="A child was hurt.",
        subject=[CHILD],
    )


def told_by_duty(reception: Device, officer: Device, concern: Report, event: Report) -> None:
    """Assert what statutes have told: a concern to reception, and who it was to the police."""
    assert reception.get(concern.id).subject == [CHILD]
    assert officer.get(event.id).subject == [CHILD]


async def test_it_warns_in_time_falls_back_at_that_second_and_leaves_duties_alone(town: Town) -> None:
    officer, worker = await town.device("police"), await town.device("social_services")
    late = await town.device("social_services")
    reception = await town.device("social_services", "reception")
    boss = await town.device("social_services", "supervisors")
    guard, official, nurse = (town.founders[one] for one in OTHERS)
    head = town.founders["police"]
    both = (head, town.founders["social_services"], officer, worker, reception, boss)
    row = head.agreements.draft(draft("2026-11-01", "2026-12-31"))
    assert row.not_after == MIDNIGHT.timestamp()
    await sign(town, row.id, "police", "social_services")

    # Supervisors are warned 30, 7 and 1 days before, by the name of whoever has it renewed; others need not act.
    for days, warns in ((31, None), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1)):
        town.clock.set(MIDNIGHT - timedelta(days=days) + timedelta(minutes=10 if warns == days else 0))
        await sync(*both)
        for device in (boss, head):
            assert [one.warns for one in device.agreements.rows()] == [warns]
            ok, say = reminder(device)
            assert ok is (warns in {None, 30})
            assert (OWNER in say) is (warns is not None)
        assert reminder(worker)[0]
        assert reminder(officer)[0]

    town.clock.set(MIDNIGHT - timedelta(minutes=10))
    report = officer.file(patrol(town))
    early = guard.file(incident(town), {"L14": "send", "L11": "no"}), officer.file(incident(town), {"L11": "send"})
    await sync(*both, guard, official, nurse)
    assert sight(worker, report.id) == "situation~ place~ safety author~"
    # Who agreed on nothing has what the pack gives them, which is the same the day after.
    default = [sight(device, report.id) for device in (guard, official, nurse)]
    assert default == ["", "", ""]
    told_by_duty(reception, officer, early[1], early[0])

    # From here on the worker's device has no network.
    town.clock.set(MIDNIGHT - timedelta(seconds=3))
    assert find(worker, report.id) is not None
    town.clock.set(MIDNIGHT + timedelta(seconds=2))
    assert find(worker, report.id) is None

    # The new year: the default row, which is nothing where the agreement was the only ground, for old and for new.
    after = officer.file(patrol(town))
    duties = guard.file(incident(town), {"L14": "send", "L11": "no"}), officer.file(incident(town), {"L11": "send"})
    await sync(*both, late, guard, official, nurse)
    assert [one.state for one in boss.agreements.rows()] == ["expired"]
    assert reminder(boss) == (True, "No agreement ends within 30 days.")
    for one in (report, after):
        assert find(officer, one.id) is not None
        for device in (worker, late, boss):
            assert find(device, one.id) is None
        assert [sight(device, one.id) for device in (guard, official, nurse)] == default
    assert was_given(town, worker, officer, report)
    for device, one in ((worker, after), (late, report), (late, after)):
        assert not was_given(town, device, officer, one)
    assert not any(one.audience.startswith("social") for one in officer.readers(patrol(town)))

    # The trap: what a statute obliges to tell is told on 1 January as it was on 31 December.
    told_by_duty(reception, officer, duties[1], duties[0])
    assert sight(reception, early[1].id) == sight(reception, duties[1].id)
    assert sight(worker, early[0].id) == sight(worker, duties[0].id) != ""
    # Social services' own is untouched, and nothing of any of it is there for readers without keys.
    own = worker.file(contact(town))
    await sync(worker, late)
    assert "situation" in late.get(own.id).readable
    async with httpx2.AsyncClient(base_url=town.url) as anybody:
        assert (await anybody.get("/notes")).json() == {"notes": []}


async def test_where_outreach_meets_people_is_the_default_row_with_and_without_agreements(town: Town) -> None:
    """What the scenario has opened by agreement the statute decides: a count by week and scene, a week late."""
    head, team = town.founders["police"], town.founders["social_services"]
    now = town.clock.now()
    row = head.agreements.draft(draft(now - timedelta(seconds=1), now + timedelta(days=30), CONTACTS))
    (closed,) = row.refused
    assert (row.state, closed.rule_id, closed.code) == ("refused_below_floor", "K05.SOC.PLC.POL", "G")
    assert (closed.why, closed.law) == ("statute", ("OSL 26:1",))
    talk = team.file(contact(town))
    await sync(*town.founders.values())
    for slug, device in town.founders.items():
        assert (find(device, talk.id) is None) is (slug != "social_services"), slug
        cell = device.pack.cells.get((5, "SOC", "PLC", device.local.trust.own.sector))
        assert cell is None or cell.code == ("O" if slug == "social_services" else "G" if slug != "security" else "D")
