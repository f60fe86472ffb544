"""A warning about a person is on a device while its person is on shift at the scene, and not a second longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import NotFound
from sluss_schemas.ids import ReportId

from tests.disclosing.people import CENTRAL, People
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")
CUE = "armed_knife"


def warned(device: Device, report: ReportId) -> bool:
    """Tell whether a device shows the cue."""
    try:
        return device.get(report).form_of("safety") is not None
    except NotFound:
        return False


async def until(device: Device, what: Callable[[], bool]) -> None:
    """Sync until the server's next look has done something."""
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.2)
            await device.sync()


async def test_a_shift_that_is_ended_takes_its_warnings_with_it(square: People) -> None:
    boss, guard = square.police_boss, square.guard
    warning = forms.SafetyAlert(scene=CENTRAL, observed_at=square.town.clock.now(), safety=[CUE])
    report = square.officer.file(warning, confirm_text=True)
    await square.officer.sync()
    await boss.sync()
    await boss.inspect(report.id, reason="to decide on a disclosure")
    await boss.sync()
    await boss.disclose(
        report.id,
        "L02",
        to=[guard.alias],
        compartments=["safety"],
        tests={"necessary_for_own_task": True, "minimum": True},
        reasons={"necessary_for_own_task": "Guards meet him tonight."},
    )
    await boss.sync()
    await guard.sync()
    assert not warned(guard, report.id)

    shift = guard.begin_shift(CENTRAL, 4)
    await until(guard, lambda: warned(guard, report.id))
    [running] = guard.shifts()
    assert (running.id, running.scene, running.until - running.since) == (shift, CENTRAL, 4 * 3600)
    with pytest.raises(NotFound):
        square.officer.end_shift(shift)

    # At once, before anybody is asked.
    guard.end_shift(shift)
    assert guard.shifts() == []
    assert not warned(guard, report.id)
    assert CUE.encode() not in decrypted(guard.local.store)
    with pytest.raises(NotFound):
        guard.end_shift(shift)
    for _ in range(2):
        await guard.sync()
        assert not warned(guard, report.id)
    assert guard.local.alarms() == []

    # The next shift brings it again.
    guard.begin_shift(CENTRAL, 1)
    await until(guard, lambda: warned(guard, report.id))
