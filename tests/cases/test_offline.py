"""Case records are filed without a network, leave with the next sync, and open for their addressees alone."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import pytest

from sluss_client import forms
from sluss_client.cases import book
from sluss_client.cases.consents import Given
from sluss_client.cases.releasing import Wanted
from sluss_client.device import Device
from sluss_client.errors import NotFound, Offline, Refused
from sluss_client.keyring import rotation
from sluss_schemas.codec import encode
from sluss_schemas.records import CaseKind, NoteTerms

from tests.cases.people import CENTRAL, People
from tests.secrecy.canaries import CORE, cells, databases, files, leaks

pytestmark = pytest.mark.asyncio(loop_scope="session")


def state(device: Device, record: bytes) -> str:
    """Return what became of a record that was filed on a device."""
    return next(one.state for one in book.filed(device.local) if one.case.record == record)


async def test_everything_is_filed_offline_and_read_by_its_addressees_alone(square: People) -> None:
    town, guard, worker, boss = square.town, square.guard, square.worker, square.workers_boss
    assert town.server is not None
    until = int((town.clock.now() + timedelta(days=2)).timestamp())
    incident = await square.filed(guard, square.incident())
    contact = await square.filed(worker, square.contact())
    concern = await square.filed(guard, square.concern())
    await guard.sync()
    await square.sync(1)
    [task] = [one for one in square.guards_boss.tasks() if one.report_id == concern.id]
    await asyncio.to_thread(town.server.stop)

    guard.told(incident.id, "L14", to=f"{CORE}-to", text=f"{CORE}-told")
    asked = square.police_boss.request("social_services", f"{CORE}-asked", code="L12")
    consent = worker.consent(
        contact.id, Given(agencies=["police"], compartments=["subject"], purpose=f"{CORE}-purpose", until=until)
    )
    worker.withdraw_consent(consent, f"{CORE}-withdrawn")
    square.guards_boss.end_task(task.id, "no", f"{CORE}-no")
    shift = guard.begin_shift("central-square", 4)
    # What was filed is there at once, on the device that filed it, and on no other.
    assert [one.state for one in worker.consents() if one.id == consent] == ["withdrawn"]
    assert [one.state for one in square.guards_boss.tasks() if one.id == task.id] == ["done"]
    assert square.readers(f"{CORE}-asked") == {"police_boss"}
    with pytest.raises(Offline):
        await worker.sync()

    await asyncio.to_thread(town.server.start)
    await square.sync()
    assert {
        text: square.readers(f"{CORE}-{text}") for text in ("told", "to", "asked", "purpose", "withdrawn", "no")
    } == {
        "told": {"guard", "guards_boss"},
        "to": {"guard", "guards_boss"},
        "asked": {"police_boss", "workers_boss"},
        "purpose": {"worker", "other_worker", "workers_boss"},
        "withdrawn": {"worker", "other_worker", "workers_boss"},
        "no": {"guards_boss"},
    }
    for device in (worker, square.other_worker, boss):
        assert [one.state for one in device.consents() if one.id == consent] == ["withdrawn"]
    boss.answer_request(asked, granted=False, text=f"{CORE}-refused", rule="OSL 26:1")
    await square.sync()
    assert square.readers(f"{CORE}-refused") == {"workers_boss", "police_boss"}
    for device in square.everybody.values():
        assert {one.state for one in book.filed(device.local)} <= {"sent"}
        assert device.local.store.count(book.OUT) == 0
    assert state(guard, shift) == "sent"
    # Nobody's words are on the server, neither in a value nor in a file, its logs included.
    haystacks = [cell for database in databases(town) for cell in cells(database)]
    assert leaks([*haystacks, *files(town.server.data)]) == []
    assert town.server.log.read_text(encoding="utf-8").count(CORE) == 0


async def test_a_note_is_the_one_thing_that_leaves_in_clear(square: People) -> None:
    boss, until = square.guards_boss, int((square.town.clock.now() + timedelta(days=2)).timestamp())
    defect = await square.filed(square.guard, square.defect())
    await boss.sync()
    wanted = Wanted(column="PUB", text="Words-for-everybody.", until=until)
    with pytest.raises((NotFound, Refused)):
        square.guard.note(defect.id, wanted)
    note = boss.note(defect.id, wanted)
    await boss.sync()
    assert state(boss, note) == "sent"
    haystacks = [cell for database in databases(square.town) for cell in cells(database)]
    assert leaks(haystacks, "Words-for-everybody.") != []
    boss.withdraw_note(note)
    await boss.sync()
    assert [one.state for one in boss.notes() if one.id == note] == ["withdrawn"]


async def test_what_health_has_to_approve_is_not_released_without_health(square: People) -> None:
    boss, until = square.police_boss, int((square.town.clock.now() + timedelta(days=2)).timestamp())
    market = forms.MarketNote(scene=CENTRAL, observed_at=square.town.clock.now(), substances=["op_oxy"])
    filed = await square.filed(square.police, market)
    await boss.sync()
    wanted = Wanted(column="PUB", text="Strong pills are about.", until=until)
    for call in (boss.note, boss.ask_note):
        with pytest.raises(Refused) as refused:
            call(filed.id, wanted)
        assert refused.value.code == "needs_approval"
    terms = encode(NoteTerms("PUB", "", (1,), "sv", wanted.text, os.urandom(16)))
    received = boss.local.replica.get(boss.local.trust.own_id, filed.id)
    assert received is not None
    digest = received.heads()[0].digest
    forced = book.file(boss.local, CaseKind.NOTE, now=boss.now(), digest=digest, until=until, terms=terms)
    await boss.sync()
    [own] = [one for one in book.filed(boss.local, CaseKind.NOTE) if one.case.record == forced]
    assert own.state == "refused"


async def test_what_the_server_refuses_is_said_and_not_only_dropped(square: People) -> None:
    boss, until = square.guards_boss, int((square.town.clock.now() + timedelta(days=2)).timestamp())
    incident = await square.filed(square.guard, square.incident())
    await boss.sync()
    before = boss.local.alarms()
    # The pack gives the public counts of such incidents and no words.
    note = boss.note(incident.id, Wanted(column="PUB", text="Words for nobody.", until=until))
    await boss.sync()
    assert state(boss, note) == "refused"
    assert note not in {one.id for one in boss.notes()}
    assert {code for _, code in set(boss.local.alarms()) - set(before)} == {"not_allowed"}


async def test_what_was_filed_survives_a_restart_and_a_new_epoch_under_the_same_id(square: People) -> None:
    town, police = square.town, square.police_boss
    await police.sync()
    asked = police.request("social_services", "Sealed to the epoch of before.")
    filed = book.filed(police.local, CaseKind.REQUEST)[-1].case
    square.police_boss = await town.reopen(police)
    assert book.filed(square.police_boss.local, CaseKind.REQUEST)[-1].case == filed

    founder = town.founders["social_services"]
    await founder.sync()
    audience = founder.local.trust.own.audience_for("supervisors")
    assert audience is not None
    rotation.request(founder.local, audience)
    for _ in range(3):
        await founder.sync()
    await square.police_boss.sync()
    sent = next(one for one in book.filed(square.police_boss.local) if one.case.record == asked)
    assert sent.state == "sent"
    assert {seal.kid for seal in sent.case.seals} != {seal.kid for seal in filed.seals}
    await square.workers_boss.sync()
    assert [one.text for one in square.workers_boss.requests() if one.id == asked] == ["Sealed to the epoch of before."]


async def test_two_answers_that_contradict_each_other_refuse_with_the_words_of_the_refusal(square: People) -> None:
    town, police = square.town, square.police_boss
    colleague = await town.device("social_services", "supervisors")
    asked = police.request("social_services", "May we have it?")
    await police.sync()
    for device in (square.workers_boss, colleague):
        await device.sync()
    square.workers_boss.answer_request(asked, granted=False, text="No.", rule="OSL 26:1")
    town.clock.advance(minutes=1)
    colleague.answer_request(asked, granted=True, text="Yes.", rule="OSL 10:27")
    for device in (colleague, square.workers_boss, police):
        await device.sync()
    [seen] = [one for one in police.requests() if one.id == asked]
    assert (seen.state, seen.answer, seen.rule) == ("refused", "No.", "OSL 26:1")
