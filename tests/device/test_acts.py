"""Acts that wait in the outbox beside reports: however many there are, a sync sends them all, each once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluss_client import Device, Offline, forms
from sluss_client.testing import Town

from tests.faults.proxy import Exchange, Relay, answer, pass_on
from tests.faults.samples import new_epoch

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 120


def waiting_acts(device: Device) -> int:
    return device.local.store.count("record") + device.local.store.count("grant")


async def test_a_supervisor_may_open_more_rows_than_fit_into_one_push(shared: Town) -> None:
    worker = await shared.device("social_services")
    boss = await shared.device("social_services", "supervisors")
    seen = shared.clock.now() - timedelta(minutes=5)
    for number in range(MANY):
        worker.file(forms.OutreachContact(scene="central-square", observed_at=seen, situation=f"contact {number}"))
    await worker.sync()
    await boss.sync()
    rows = boss.held()
    assert len(rows) == MANY

    for row in rows:
        await boss.inspect(row.report_id, reason="the week's review")
    assert waiting_acts(boss) == MANY
    await boss.sync()
    result = await boss.sync()

    assert waiting_acts(boss) == 0
    assert result.waiting == 0
    assert boss.local.alarms() == []
    assert boss.held() == []
    assert {str(report.situation) for report in boss.reports()} == {f"contact {number}" for number in range(MANY)}


async def test_more_duties_may_be_answered_later_than_fit_into_one_push(shared: Town) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    seen = shared.clock.now() - timedelta(minutes=5)
    for number in range(MANY):
        person = forms.Person(name=f"Person {number}", role="suspect")
        guard.file(
            forms.OrderIncident(
                scene="central-square", observed_at=seen, sub_kind="threat", severity=2, situation=f"{number}",
                subject=[person],
            )
        )  # fmt: skip
    await guard.sync()
    waiting = [duty for duty in guard.duties() if duty.code == "L14"]
    assert len(waiting) == MANY

    for duty in waiting:
        await guard.answer(duty.report_id, {"L14": "send"})
    result = await guard.sync()
    await police.sync()

    assert waiting_acts(guard) == 0
    assert result.waiting == 0
    assert guard.local.alarms() == []
    told = [report for report in police.reports() if "subject" in report.readable]
    assert sorted(str(report.situation) for report in told) == sorted(str(number) for number in range(MANY))


async def test_a_duty_answered_late_reaches_those_who_have_a_new_key_by_then(shared: Town) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    assert shared.server is not None
    seen = shared.clock.now() - timedelta(minutes=5)
    person = forms.Person(name="Somebody", role="suspect")
    form = forms.OrderIncident(
        scene="central-square", observed_at=seen, sub_kind="threat", severity=2, situation="late", subject=[person]
    )
    report = guard.file(form)
    await guard.sync()
    await guard.answer(report.id, {"L14": "send"})
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def broken(exchange: Exchange) -> bytes | None:
            return answer(b"{}", "500 Internal Server Error") if exchange.path == "/v1/push" else None

        relay.before = broken
        with pytest.raises(Offline):
            await guard.sync()
        assert waiting_acts(guard) == 1
        await new_epoch(shared, "police")
        relay.before = pass_on
        for _ in range(2):
            await guard.sync()

    assert waiting_acts(guard) == 0
    assert guard.local.alarms() == []
    await police.sync()
    assert "subject" in police.get(report.id).readable
