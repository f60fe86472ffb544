"""S06: on 20 January 2026 a guard sees a boy of 12-14 carrying bags for two older men."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_schemas.codec import decode
from sluss_schemas.ids import ReportId
from sluss_schemas.manifest import read_manifest
from sluss_schemas.sync import Item

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
    assert seen["nurse"] == "situation~ place~ safety~ author~"
    assert have(square, concern.id) == {"guard", "reception"}
    assert square.police.get(incident.id).subject == [CHILD]


async def test_the_link_between_the_two_is_visible_to_nobody_else(square: People) -> None:
    """The trap: neither the municipality nor other guards learn that a concern was filed."""
    guard = square.guard
    incident = guard.file(square.incident(subject=[CHILD]), duties={"L14": "send"})
    alone = guard.file(square.incident(subject=[CHILD]), duties={"L14": "send"})
    concern = guard.file(
        forms.ReportOfConcern(scene=CENTRAL, observed_at=square.town.clock.now(), subject=[CHILD]),
        duties={"L11": "send"},
        same_event=incident.id,
    )
    assert (concern.linked, incident.linked, alone.linked) == ((incident.id,), (concern.id,), ())
    await square.sync()
    assert holders(square, concern.id) == {"guard", "reception", "guards_boss"}
    # Nor has reception, which reads the concern and no incidents; a supervisor sees the link who opened both rows.
    assert square.reception.get(concern.id).linked == ()
    for filed in (incident, concern):
        await square.guards_boss.inspect(filed.id, reason="A parent has asked.")
    for _ in range(2):
        await square.guards_boss.sync()
    for device in (guard, square.guards_boss):
        assert device.get(incident.id).linked == (concern.id,)
        assert device.get(concern.id).linked == (incident.id,)
    [listed] = [one for one in guard.reports(kind="report_of_concern") if one.id == concern.id]
    assert listed.linked == (incident.id,)
    # On a screen that others see too there is no link that they do not have.
    assert guard.get(incident.id, present=["police/field"]).linked == ()

    for device in (square.other_guard, square.official, square.police):
        with pytest.raises(NotFound):
            device.get(concern.id)
        with pytest.raises(NotFound):
            device.file(square.incident(), same_event=concern.id)
        assert device.get(incident.id).id == incident.id
        assert device.get(incident.id).linked == ()
        # One that is linked and one that is not differ in nothing but what is drawn for every report.
        assert _shape(device, incident.id) == _shape(device, alone.id)
        assert device.get(incident.id).event != device.get(alone.id).event
    # And the server was told of neither, because the concern counts besides the incident.
    for filed in (incident, alone, concern):
        row = guard.local.outbox.head(filed.id)
        assert row is not None
        assert decode(Item, guard.local.outbox.item(row), "item").counts is None


def _shape(device: Device, report_id: ReportId) -> object:
    """Return all that a device holds of a report, without the values that are drawn at random or name it."""
    received = device.local.received(report_id)
    assert received is not None
    [version] = received.versions
    manifest = read_manifest(version.manifest)
    drawn = {"report_id", "author_ref", "recipients", "slots", "facts"}
    told = [getattr(manifest, name) for name in manifest.__struct_fields__ if name not in drawn]
    holds = sorted((one.function, one.gateway, one.slots, one.held) for one in version.holds)
    sizes = [len(manifest.recipients), *((number, len(data)) for number, data in version.sections)]
    return told, sizes, holds, device.get(report_id).full_arrays()


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
