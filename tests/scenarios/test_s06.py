"""S06: on 20 January 2026 a guard sees a boy of 12-14 carrying bags for two older men."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import Invalid, NotFound, Refused

from tests.scenarios.people import CENTRAL, CHILD, People, have, holders, sights

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_police_get_the_incident_and_reception_the_concern_at_once(square: People) -> None:
    guard, now = square.guard, square.town.clock.now()
    incident = guard.file(square.incident(subject=[CHILD], situation="A boy carries bags."), duties={"L14": "send"})
    concern = guard.file(
        forms.ReportOfConcern(scene=CENTRAL, observed_at=now, situation="He carries for older men.", subject=[CHILD]),
        duties={"L11": "send"},
    )
    # No step of approval: one sync of the guard's and one of the reader's.
    await guard.sync()
    await square.reception.sync()
    await square.police.sync()
    assert square.reception.get(concern.id).subject == [CHILD]
    assert square.police.get(incident.id).subject is not None
    await square.sync()

    seen = sights(square, incident.id)
    assert "subject" in seen["police"]
    assert seen["official"] == "situation place enforcement~ safety~ author~"
    assert "subject" not in seen["worker"]
    assert have(square, concern.id) == {"guard", "reception"}
    assert square.police.get(incident.id).subject == [CHILD]


async def test_the_link_between_the_two_is_visible_to_nobody_else(square: People) -> None:
    """The trap: neither the municipality nor other guards learn that a concern was filed."""
    guard = square.guard
    incident = guard.file(square.incident(subject=[CHILD]), duties={"L14": "send"})
    concern = guard.file(
        forms.ReportOfConcern(scene=CENTRAL, observed_at=square.town.clock.now(), subject=[CHILD]),
        duties={"L11": "send"},
    )
    await square.sync()
    assert holders(square, concern.id) == {"guard", "reception", "guards_boss"}
    for device in (square.other_guard, square.official, square.police):
        with pytest.raises(NotFound):
            device.get(concern.id)
        assert device.get(incident.id).id == incident.id


async def test_the_reporter_hears_opened_or_not_and_nothing_else(square: People) -> None:
    guard, reception = square.guard, square.reception
    concern = guard.file(
        forms.ReportOfConcern(scene=CENTRAL, observed_at=square.town.clock.now(), subject=[CHILD]),
        duties={"L11": "send"},
    )
    await square.sync()
    assert guard.feedback_for(concern.id) == []
    tests = {
        test.code: True for gate in guard.pack.gateways.values() if gate.decides == "reception" for test in gate.tests
    }
    with pytest.raises(Invalid):
        reception.feedback(concern.id, "opened", {})
    with pytest.raises(Invalid):
        reception.feedback(concern.id, "he lives with his aunt", tests)
    with pytest.raises((NotFound, Refused)):
        square.worker.feedback(concern.id, "opened", tests)
    reception.feedback(concern.id, "opened", tests)
    await square.sync()
    assert guard.feedback_for(concern.id) == ["opened"]
    for name, device in square.everybody.items():
        if name not in {"guard", "guards_boss", "reception"}:
            assert device.feedback_for(concern.id) == [], name


async def test_the_guards_supervisor_sees_that_the_duty_was_fulfilled(square: People) -> None:
    concern = square.guard.file(
        forms.ReportOfConcern(scene=CENTRAL, observed_at=square.town.clock.now(), subject=[CHILD])
    )
    await square.guard.sync()
    await square.guard.sync()
    await square.guards_boss.sync()
    [task] = [one for one in square.guards_boss.tasks() if one.report_id == concern.id]
    assert (task.code, task.state) == ("L11", "open")
    await square.guard.answer(concern.id, {"L11": "send"})
    for _ in range(2):
        await square.guard.sync()
    await square.guards_boss.sync()
    [task] = [one for one in square.guards_boss.tasks() if one.report_id == concern.id]
    assert (task.state, task.how) == ("done", "sent")
    assert [one for one in square.other_guard.tasks() if one.report_id == concern.id] == []
