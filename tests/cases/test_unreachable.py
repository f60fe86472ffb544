"""Duties that cannot leave now: where nobody can receive them, and where the server keeps the report back.

A duty by law stays due in both; somebody is told at once to telephone, and what waits leaves by itself when it can.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound
from sluss_client.testing import Town
from sluss_client.testing.clock import VARIABLE

from tests.cases.people import CENTRAL, CHILD, People
from tests.cases.test_duties import overdue, task

pytestmark = pytest.mark.asyncio(loop_scope="session")


# where nobody can receive what a duty tells


def unreachable(device: Device) -> int:
    """How many alarms a device has about duties that nobody can receive."""
    return [code for _, code in device.local.alarms()].count("duty_unreachable")


async def unpinned(square: People, how: str) -> None:
    """Have a registrar end the pin between guards and social services, or let the day pass until which it was made."""
    founder, root = square.town.founders["security"], square.town.founders["social_services"]
    if how == "end_peer":
        await founder.registrar.end_peer("social_services")
    elif how == "theirs":
        await root.registrar.end_peer("security")
    else:
        until = int(square.town.clock.now().timestamp()) + 3600
        await founder.registrar.peer(root.local.trust.own.root_fingerprint, agreement="S-7", until=until)
        square.town.clock.advance(hours=2)
    await founder.sync()
    await root.sync()


async def pinned(square: People) -> None:
    """Have the registrars of guards and social services pin each other again."""
    founder, root = square.town.founders["security"], square.town.founders["social_services"]
    await founder.registrar.peer(root.local.trust.own.root_fingerprint)
    await root.registrar.peer(founder.local.trust.own.root_fingerprint)
    await founder.sync()


@pytest.mark.parametrize("how", ["end_peer", "until", "theirs"])
async def test_a_duty_stays_due_when_the_pin_of_its_receiver_is_over_and_leaves_when_it_is_back(
    square: People, how: str
) -> None:
    guard, boss = square.guard, square.guards_boss
    await unpinned(square, how)
    try:
        await guard.sync()
        sent = guard.file(square.concern(), duties={"L11": "send"})
        silent = await square.filed(guard, square.concern())
        # Both wait, and say what to do instead; nothing was sealed to a key that is trusted no longer.
        for _ in range(2):
            waiting = {one.report_id: one for one in guard.duties() if one.report_id in {sent.id, silent.id}}
            assert [(one.code, one.receivable) for one in waiting.values()] == [("L11", False)] * 2
            assert all("telephone" in one.say for one in waiting.values())
            await guard.sync()
        await square.reception.sync()
        with pytest.raises(NotFound):
            square.reception.get(sent.id)
        await boss.sync()
        for report in (sent, silent):
            assert task(boss, report.id).state == task(guard, report.id).state == "open"
            assert task(boss, report.id).until - task(boss, report.id).since == 24 * 3600
        assert unreachable(guard) == unreachable(boss) == 2
        assert unreachable(square.other_guard) == unreachable(square.workers_boss) == 0
        # What was told by telephone is told, also where "send" waits.
        aloud = await square.filed(guard, square.concern())
        await guard.answer(aloud.id, {"L11": "send"})
        await guard.sync()
        guard.told(aloud.id, "L11", to="reception, by telephone", text="All of it.")
        await guard.answer(silent.id, {"L11": "send"})
        for _ in range(2):
            await guard.sync()
        await boss.sync()
        assert (task(boss, aloud.id).state, task(boss, aloud.id).how) == ("done", "oral")
        assert (unreachable(guard), unreachable(boss)) == (2, 2)
        # The clock runs as for any duty.
        square.town.clock.advance(hours=25)
        for device in (guard, boss):
            await device.sync()
            assert task(device, sent.id).state == task(device, silent.id).state == "overdue"
            assert overdue(device) == 2
    finally:
        await pinned(square)
    # The pin is back: what waited leaves by itself, and what was told aloud is not told twice.
    for _ in range(2):
        await guard.sync()
    for device in (boss, square.reception):
        await device.sync()
    for report in (sent, silent):
        assert square.reception.get(report.id).subject == [CHILD]
        assert (task(boss, report.id).state, task(boss, report.id).how) == ("done", "sent")
    with pytest.raises(NotFound):
        square.reception.get(aloud.id)
    assert unreachable(guard) == unreachable(boss) == overdue(guard) == overdue(boss) == 0
    assert [one for one in guard.duties() if one.report_id in {sent.id, silent.id, aloud.id}] == []


async def test_a_duty_is_due_in_a_partnership_that_its_receiver_never_joined() -> None:
    async with Town(agencies=("security",)) as town:
        founder = town.founders["security"]
        concern = forms.ReportOfConcern(scene=CENTRAL, observed_at=town.clock.now(), subject=[CHILD])
        filed = founder.file(concern, duties={"L11": "send"})
        [due] = founder.duties()
        assert (due.code, due.receivable) == ("L11", False)
        await founder.sync()
        # The task is filed once the report is out.
        await founder.sync()
        assert (task(founder, filed.id).state, unreachable(founder)) == ("open", 1)
        founder.told(filed.id, "L11", to="social services, by telephone", text="All of it.")
        assert founder.duties() == []
        for _ in range(2):
            await founder.sync()
        assert (task(founder, filed.id).how, unreachable(founder)) == ("oral", 0)
        with pytest.raises(Invalid, match="unknown_duty"):
            founder.file(concern, duties={"L14": "send"})


# where the server keeps the report back


@contextmanager
def ahead(patch: pytest.MonkeyPatch, folder: Path, hours: int) -> Iterator[None]:
    """Let this process have a clock that is ahead of everybody else's."""
    own = folder / "ahead"
    own.write_text(f"{int(Path(os.environ[VARIABLE]).read_text(encoding='ascii')) + hours * 3600}\n", encoding="ascii")
    with patch.context() as here:
        here.setenv(VARIABLE, str(own))
        yield


def kept_back(device: Device) -> int:
    """How many alarms a device has about duties that wait in quarantine."""
    return [code for _, code in device.local.alarms()].count("duty_in_quarantine")


async def test_a_duty_that_waits_in_quarantine_is_told_of_at_once_to_its_author_and_to_those_who_can_let_it_out(
    square: People, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    guard, boss = square.guard, square.guards_boss
    # Whatever a supervisor's device has looked at before, an hour later it looks again.
    square.town.clock.advance(hours=1)
    with ahead(monkeypatch, tmp_path, 72):
        seen = datetime.fromtimestamp(guard.now(), UTC)
        concern = forms.ReportOfConcern(scene=CENTRAL, observed_at=seen, subject=[CHILD])
        sent, silent, aloud = (
            guard.file(concern, duties={"L11": "send"}),
            guard.file(concern),
            guard.file(concern, duties={"L11": "send"}),
        )
    mine = {sent.id, silent.id, aloud.id}
    result = await guard.sync()
    assert (result.quarantined, result.alarms, kept_back(guard)) == (3, 3, 3)
    assert {one.reason for one in guard.waiting() if one.report_id in mine} == {"future_time"}
    waiting = [one for one in guard.duties() if one.report_id in mine]
    assert [(one.code, "telephone" in one.say) for one in waiting] == [("L11", True)] * 3
    # The supervisors' devices hear of those that were to be sent; nobody else does, and nothing has arrived.
    await square.sync(1)
    assert [kept_back(one) for one in (boss, square.other_guard, square.workers_boss, square.reception)] == [2, 0, 0, 0]
    with pytest.raises(NotFound):
        square.reception.get(sent.id)
    guard.told(aloud.id, "L11", to="reception, by telephone", text="All of it.")
    await guard.sync()
    assert kept_back(guard) == 2

    assert mine <= {row.report_id for row in await boss.quarantine()}
    for report in (sent, silent):
        await boss.countersign(report.id)
    await boss.sync()
    for _ in range(2):
        await guard.sync()
    await square.sync(1)
    # What is out is told; what is due of it has its clock from now on.
    assert square.reception.get(sent.id).subject == [CHILD]
    assert task(boss, silent.id).state == task(guard, silent.id).state == "open"
    assert task(boss, silent.id).until <= square.town.clock.now().timestamp() + 24 * 3600
    assert (kept_back(guard), kept_back(boss)) == (0, 1)
    await boss.countersign(aloud.id)
    await square.sync()
    assert kept_back(boss) == 0
