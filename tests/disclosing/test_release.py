"""What was kept back goes out when a supervisor says so, to whom the pack opens it, and not before its time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import NotFound, Refused
from sluss_client.report import Report
from sluss_schemas.brief import Brief
from sluss_schemas.ids import ReportId

from tests.disclosing.people import CENTRAL, People

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def embargoed(square: People) -> Report:
    """File what the police plan, keep it back, and let a supervisor open it."""
    form = forms.OrderIncident(
        scene=CENTRAL,
        observed_at=square.town.clock.now(),
        sub_kind="threat",
        severity=2,
        situation="A house search on Thursday.",
        place="the block behind the square",
        safety=["armed_knife"],
        enforcement="Two suspects are known.",
        enforcement_category="drugs",
    )
    report = square.officer.file(form, hold="embargo", confirm_text=True)
    await square.officer.sync()
    await square.police_boss.sync()
    await square.police_boss.inspect(report.id, reason="to release it")
    await square.police_boss.sync()
    return report


def has(device: Device, report_id: ReportId) -> bool:
    """Tell whether a device has anything of a report."""
    try:
        device.get(report_id)
    except NotFound:
        return False
    return True


async def arrived(device: Device, report_id: ReportId) -> None:
    """Sync until a report is here: the server looks once a second whether a time has come."""
    async with asyncio.timeout(20):
        while not has(device, report_id):
            await asyncio.sleep(0.2)
            await device.sync()


async def test_a_supervisor_releases_what_was_kept_back_and_each_gets_what_the_pack_opens(square: People) -> None:
    report = await embargoed(square)
    await square.sync()
    assert not any(has(device, report.id) for device in (square.worker, square.guard, square.nurse))
    with pytest.raises(Refused) as refused:
        await square.officer.release(report.id)
    assert refused.value.code == "supervisor_only"

    made = await square.police_boss.release(report.id)
    with pytest.raises(Refused) as refused:
        await square.police_boss.release(report.id)
    assert refused.value.code == "not_held"
    released = await square.disclosed(square.police_boss, made, square.worker, square.guard, square.nurse)
    assert (released.state, released.gateway, released.until) == ("released", "BASE", None)
    for device in (square.worker, square.guard, square.nurse):
        # At once, or where a device's clock is ahead at the server's next look.
        await arrived(device, report.id)
    assert square.guard.get(report.id).situation == "A house search on Thursday."
    assert square.guard.get(report.id).safety == ["armed_knife"]
    # Social services and guards get enforcement reduced, health the situation too: made anew, by who released it.
    assert isinstance(square.guard.get(report.id).enforcement, Brief)
    assert isinstance(square.nurse.get(report.id).situation, Brief)
    author = square.worker.get(report.id).author
    assert author is not None
    assert (author.alias, author.person) == (square.officer.alias, None)
    with pytest.raises(Refused):
        _ = square.guard.get(report.id).subject


async def test_a_release_for_later_reaches_nobody_before_its_time(square: People) -> None:
    report, clock, start = await embargoed(square), square.town.clock, square.town.clock.now()
    made = await square.police_boss.release(report.id, at=start + timedelta(hours=6))
    released = await square.disclosed(square.police_boss, made, square.worker, square.guard)
    assert (released.state, released.not_before) == ("released", int((start + timedelta(hours=6)).timestamp()))
    assert not has(square.guard, report.id)
    try:
        clock.advance(hours=5, minutes=50)
        await square.guard.sync()
        assert not has(square.guard, report.id)
        clock.advance(minutes=11)
        await arrived(square.guard, report.id)
        assert square.guard.get(report.id).situation == "A house search on Thursday."
    finally:
        clock.set(start)
        await square.sync()


async def test_what_nothing_keeps_back_cannot_be_released_and_other_agencies_release_nothing(square: People) -> None:
    report = await square.filed()
    with pytest.raises(Refused) as refused:
        await square.workers_boss.release(report.id)
    assert refused.value.code == "not_held"
    with pytest.raises(NotFound):
        await square.police_boss.release(report.id)
