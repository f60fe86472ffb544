"""S25: a social-services supervisor opens one outreach note to check quality."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sluss_client import forms
from sluss_client.cases import bodies, book
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_schemas.codec import encode
from sluss_schemas.ledger import Alarm, read_content
from sluss_schemas.records import CaseKind
from sluss_server.app import running
from sluss_server.services.watching import BULK
from sluss_server.settings import Settings

from tests.ledger.test_devices import leaves
from tests.scenarios.people import CENTRAL, People, held

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_without_a_reason_there_is_a_row_and_nothing_in_it(square: People, tmp_path: Path) -> None:
    filed = square.worker.file(square.contact())
    await square.sync()
    boss = square.workers_boss
    assert held(boss, filed.id) == [1]
    with pytest.raises(NotFound):
        boss.get(filed.id)
    with pytest.raises(Invalid) as invalid:
        await boss.inspect(filed.id, reason="")
    assert invalid.value.code == "missing_field"
    await boss.inspect(filed.id, reason="Quality: is the situation free of persons?")
    await square.sync()
    assert boss.get(filed.id).care == "He wants a bed for the night."
    assert held(square.other_boss, filed.id) == [1]

    # That it was opened, and by whom, stands in the agency's ledger, for whoever follows up.
    square.town.clock.advance(minutes=1)
    await boss.sync()
    digest = boss.get(filed.id).digest
    found = [one for one in leaves(square.town, "social_services", tmp_path) if one["action"] == "open"]
    (opened,) = [content for one in found if digest in (content := base64.b64decode(one["content"]))]
    assert bytes(boss.person_id) in opened


async def looked(square: People) -> None:
    """Let another process of the server look at the ledgers, as the one that runs does every few seconds."""
    assert square.town.server is not None
    settings = Settings.read({"SLUSS_DATA_DIR": str(square.town.server.data)})
    async with running(settings, lambda: int(square.town.clock.now().timestamp())) as services:
        await services.ledgers.once()


def reviews(device: Device, who: Device) -> list[tuple[str, int, str]]:
    """Return what a device says of somebody's bulk opening: how much, and whether somebody has looked into it."""
    tasks = [one for one in device.tasks() if one.code == "bulk_open" and one.person == who.alias]
    return [(one.person, one.count, one.state) for one in tasks]


async def test_bulk_opening_is_a_task_for_another_supervisor_and_an_alarm_for_the_auditor(
    square: People, tmp_path: Path
) -> None:
    """The trap: who opens more than the work asks for is asked about it by a colleague."""
    other, clock = square.other_boss, square.town.clock
    # Somebody who has opened nothing yet, in an hour of their own.
    boss = await square.town.device("social_services", "supervisors")
    await square.sync()
    clock.advance(hours=1)
    most = BULK["open"][1]
    now = clock.now()
    note = forms.OutreachContact(scene=CENTRAL, observed_at=now, situation="A talk.", subject=[forms.Person(alias="N")])
    filed = [square.worker.file(note) for _ in range(most + 1)]
    await square.worker.sync()
    await boss.sync()
    for one in filed:
        await boss.inspect(one.id, reason="To see what there is.")
    await boss.sync()
    await looked(square)
    await square.sync()

    told = (boss.alias, most + 1, "open")
    for device in (boss, other, square.town.founders["social_services"]):
        await device.sync()
        assert reviews(device, boss) == [told]
    everybody = set(square.everybody) - {"workers_boss", "other_boss"}
    assert not any(reviews(square.everybody[name], boss) for name in everybody)
    [task] = [one for one in other.tasks() if one.code == "bulk_open" and one.person == boss.alias]
    assert task.hour == int(now.timestamp()) // 3600 * 3600
    assert task.until - task.since == 72 * 3600

    # Nobody looks into it on their own behalf: neither by the book nor past their own device.
    with pytest.raises(Refused) as refused:
        boss.end_task(task.id, "done", "It was me, and all is well.")
    assert refused.value.code == "about_yourself"
    body, to = encode(bodies.Words("All is well.")), book.own(boss.local, "supervisors")
    past = book.file(
        boss.local, CaseKind.DONE, now=int(now.timestamp()), code="done", follows=task.id, to=to, body=body
    )
    await boss.sync()
    [sent] = [one for one in book.filed(boss.local, CaseKind.DONE) if one.case.record == past]
    assert sent.state == "refused"
    await other.sync()
    assert reviews(boss, boss) == reviews(other, boss) == [told]

    other.end_task(task.id, "done", "A list for the month; she has shown it to me.")
    await other.sync()
    await boss.sync()
    assert reviews(boss, boss) == reviews(other, boss) == [(boss.alias, most + 1, "done")]

    # The auditor has the ledger: who opened how much in which hour, and that a colleague has looked into it.
    rows = [read_content(one["action"], base64.b64decode(one["content"])) for one in found(square, tmp_path)]
    [alarm] = [one for one in rows if isinstance(one, Alarm) and one.person == boss.person_id]
    assert (alarm.code, alarm.person, alarm.count) == ("bulk_open", boss.person_id, most + 1)
    assert square.town.server is not None
    shown = square.town.server.run("ledger", "review", "social_services").stdout.splitlines()
    assert "alarms about bulk opening" in shown[0]
    [line] = [one for one in shown if f"ALARM bulk_open {boss.alias}: {most + 1} within an hour" in one]
    assert f"ended by {other.alias}" in line


def found(square: People, tmp_path: Path) -> list[dict[str, str]]:
    """Return the leaves of social services' ledger that are alarms."""
    return [one for one in leaves(square.town, "social_services", tmp_path) if one["action"] == "alarm"]
