"""Duties to tell: their clock, the word that they are done, and that nothing holds a child's report back."""

from __future__ import annotations

from typing import Literal

import pytest

from sluss_client.cases.duties import Task
from sluss_client.cli.checks import Check, examine
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound
from sluss_client.keyring import roster
from sluss_schemas.ids import ReportId

from tests.cases.people import CHILD, People
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")


def overdue(device: Device) -> int:
    """How many alarms a device has about tasks whose time is over."""
    return [code for _, code in device.local.alarms()].count("task_overdue")


def doctor(device: Device) -> Check:
    """What the doctor says of a device's tasks."""
    return next(one for one in examine(device) if one.name == "tasks")


def task(device: Device, report: ReportId, code: str = "L11") -> Task:
    """Return the task of a report's duty, of which there is one."""
    [found] = [one for one in device.tasks() if (one.report_id, one.code) == (report, code)]
    return found


@pytest.mark.parametrize("hold", ["embargo", "review"])
async def test_no_hold_keeps_a_report_of_concern_from_its_receiver(
    square: People, hold: Literal["embargo", "review"]
) -> None:
    concern = square.guard.file(square.concern(), duties={"L11": "send"}, hold=hold)
    await square.guard.sync()
    await square.reception.sync()
    assert square.reception.get(concern.id).subject == [CHILD]


async def test_social_services_know_by_name_which_guard_reports_a_child_and_nobody_else_does(square: People) -> None:
    founder, name = square.town.founders["security"], "Tyra Ejderstad"
    roster.set_name(founder.local, square.guard.person_id, name)
    for device in (founder, square.guard):
        await device.sync()
    early = square.guard.file(square.concern(), duties={"L11": "send"})
    late = square.guard.file(square.concern())
    await square.guard.sync()
    await square.guard.answer(late.id, {"L11": "send"})
    await square.guard.sync()
    await square.reception.sync()
    for filed in (early, late):
        author = square.reception.get(filed.id).author
        assert author is not None
        assert (author.person, author.name) == (square.guard.person_id, name)
    for device in (square.police, square.worker):
        await device.sync()
        assert name.encode() not in decrypted(device.local.store)


async def test_a_report_of_concern_needs_nobodys_approval_also_while_supervisors_are_suspended(square: People) -> None:
    founder = square.town.founders["security"]
    await founder.registrar.suspend(square.guards_boss.alias)
    try:
        concern = square.guard.file(square.concern(), duties={"L11": "send"})
        await square.guard.sync()
        await square.reception.sync()
        assert square.reception.get(concern.id).subject == [CHILD]
    finally:
        await founder.registrar.resume(square.guards_boss.alias)
        for _ in range(2):
            await founder.sync()
            await square.guards_boss.sync()


async def test_a_duty_that_nobody_answers_is_overdue_and_stays_so_until_it_is_answered(square: People) -> None:
    guard, boss = square.guard, square.guards_boss
    concern = await square.filed(guard, square.concern())
    await guard.sync()
    await boss.sync()
    due = task(boss, concern.id)
    assert (due.state, due.by, due.until - due.since) == ("open", guard.alias, 24 * 3600)
    assert (doctor(boss).ok, doctor(boss).value) == (True, [])
    square.town.clock.advance(hours=13)
    assert (doctor(boss).ok, [one["state"] for one in doctor(boss).value]) == (True, ["open"])
    assert overdue(guard) == overdue(boss) == 0
    square.town.clock.advance(hours=12)
    # Each whose task it is hears of it once, at the author's and at the supervisors'; nobody else does.
    assert [(await device.sync()).alarms for device in (guard, boss, guard, boss)] == [1, 1, 0, 0]
    assert [overdue(device) for device in (guard, boss, square.other_guard, square.workers_boss)] == [1, 1, 0, 0]
    assert (doctor(boss).ok, doctor(guard).ok) == (False, False)
    assert all(said in doctor(boss).say for said in ("sluss-device tasks", f"L11 {due.name}", "was due at 20"))
    assert task(boss, concern.id).state == task(guard, concern.id).state == "overdue"
    assert boss.tasks()[0].state == "overdue"

    with pytest.raises(Invalid):
        boss.end_task(due.id, "no", " ")
    with pytest.raises(NotFound):
        square.workers_boss.end_task(due.id, "no", "Not theirs.")
    await guard.answer(concern.id, {"L11": "send"})
    # What was answered goes out with the sync after the one in which its grant is made.
    for _ in range(2):
        await guard.sync()
    for device in (boss, square.reception):
        await device.sync()
    assert square.reception.get(concern.id).subject == [CHILD]
    assert (task(boss, concern.id).state, task(boss, concern.id).how) == ("done", "sent")
    assert (overdue(guard), overdue(boss), doctor(boss).ok) == (0, 0, True)
    with pytest.raises(NotFound):
        boss.end_task(due.id, "no", "It is done already.")


async def test_what_was_told_aloud_ends_the_duty_and_stands_with_the_supervisors(square: People) -> None:
    guard, boss = square.guard, square.guards_boss
    concern = await square.filed(guard, square.concern())
    await guard.sync()
    with pytest.raises(Invalid):
        guard.told(concern.id, "L99", to="reception", text="All of it.")
    guard.told(concern.id, "L11", to="reception, by telephone", text="Aloud-canary.")
    assert [one.code for one in guard.duties() if one.report_id == concern.id] == []
    for _ in range(2):
        await guard.sync()
    await square.sync(1)
    assert (task(boss, concern.id).state, task(boss, concern.id).how) == ("done", "oral")
    assert square.readers("Aloud-canary.") == {"guard", "guards_boss"}
    assert square.other_guard.tasks() == square.workers_boss.tasks() == []
