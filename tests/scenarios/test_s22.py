"""S22: the police plan a house search for next Thursday in a block with small children."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.cases.releasing import Wanted
from sluss_client.device import Device
from sluss_client.errors import Refused
from sluss_client.report import Report
from sluss_client.testing import Clock, Town

from tests.agreements.heads import agree
from tests.scenarios.people import SUBURBAN, find, held, sight
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking, entries

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRIDAY = datetime(2026, 3, 6, 9, tzinfo=UTC)
EARLY = datetime(2026, 3, 12, 4, 30, tzinfo=UTC)
"""Thursday at half past five in Stockholm."""
READY = "Be ready for the needs of children from 06:00, by the playground."
STREET = "Keep Parkgatan free of vehicles from 05 to 08 on Thursday."
LEAFLET = "The police were here on Thursday. Whoever wants to talk about it is welcome at the library."
OPEN = """
[[open]]
kind = "activity_log"
owner = "police"
to = ["social_services"]
parts = ["situation", "place"]
as = "A"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """All agencies, on the Friday before; police and social services have agreed on what is told of measures."""
    async with Town(Clock(FRIDAY)) as built:
        await agree(built, 30 * 86_400, parts=OPEN)
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(town: Town) -> dict[str, Device]:
    """Who works that week, by their agency; its supervisors by its name as well."""
    field = {agency: await town.device(agency) for agency in town.founders}
    bosses = {f"{agency} supervisors": await town.device(agency, "supervisors") for agency in town.founders}
    others = {"colleague": await town.device("police"), "reception": await town.device("social_services", "reception")}
    return {**field, **bosses, **others}


async def sync(people: dict[str, Device]) -> None:
    for _ in range(2):
        for device in people.values():
            await device.sync()


def have(people: dict[str, Device], report: Report) -> set[str]:
    return {name for name, device in people.items() if find(device, report.id) is not None}


def measure(town: Town, **changes: object) -> forms.ActivityLog:
    values: dict[str, object] = {
        "scene": SUBURBAN,
        "observed_at": town.clock.now(),
        "planned": True,
        "situation": "A house search at Hasselbacken 4, third floor.",
        "place": "Hasselbacken 4",
        "subject": [forms.Person(name="Torvald Q", role="suspect", age_min=30, age_max=40)],
        "enforcement": "Two suspects keep it in the attic.",
        "safety": ["armed_knife"],
    }
    return forms.ActivityLog(**(values | changes))  # type: ignore[arg-type]  # the form checks them


def readiness(town: Town) -> forms.ActivityLog:
    """Return what social services are to know when it is time, and not why."""
    return measure(town, situation=READY, place=None, subject=[], enforcement=None, safety=[])


async def was_given(town: Town, device: Device, digest: bytes) -> bool:
    """Tell whether the server gives a device that starts from nothing anything of a version."""
    async with asking(device, town.url) as raw:
        return any(one.digest == digest and one.put is not None for one in entries(await raw.everything()))


async def test_a_plan_is_kept_back_by_itself_and_no_sync_before_its_time_gives_it_to_anybody(
    town: Town, people: dict[str, Device]
) -> None:
    """The trap: it goes out by time and by a supervisor's word, and by neither alone."""
    police, boss, worker = people["police"], people["police supervisors"], people["social_services"]
    plan, ready = police.file(measure(town)), police.file(readiness(town), confirm_text=True)
    # What is done already is told by the agreement at once, so it is not for want of one that these are not.
    done = police.file(measure(town, planned=None, situation="A patrol.", place="the bus stop", subject=[]))
    assert (plan.hold, ready.hold, done.hold) == ("embargo", "embargo", "")
    await sync(people)
    for report in (plan, ready):
        assert have(people, report) == {"police", "colleague"}
        assert {name for name, device in people.items() if held(device, report.id)} == {"police supervisors"}
    assert worker.get(done.id).situation == "A patrol."

    with pytest.raises(Refused) as refused:
        await police.release(ready.id, at=EARLY)
    assert refused.value.code == "supervisor_only"
    await boss.inspect(ready.id, reason="To let social services know in time.")
    await boss.sync()
    made = await boss.release(ready.id, at=EARLY)
    await sync(people)
    digest = boss.get(ready.id).digest
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["released"]
    for moment in (FRIDAY + timedelta(days=1), EARLY - timedelta(minutes=10)):
        town.clock.set(moment)
        await sync(people)
        assert have(people, ready) == {"police", "colleague", "police supervisors"}
        for name in ("social_services", "social_services supervisors", "security", "municipality", "health"):
            assert not await was_given(town, people[name], digest), name
            assert bytes(ready.id) not in decrypted(people[name].local.store)

    town.clock.set(EARLY + timedelta(minutes=1))
    await _arrived(worker, ready)
    await sync(people)
    assert worker.get(ready.id).situation == READY
    others = {name: sight(device, ready.id) for name, device in people.items() if device.agency != "police"}
    assert {name: parts for name, parts in others.items() if parts} == {
        "social_services": "situation place safety author~"
    }
    with pytest.raises(Refused):
        _ = worker.get(ready.id).enforcement
    # The plan itself nobody has released: its time has come, and it stays where it is.
    assert have(people, plan) == {"police", "colleague"}
    for name, device in people.items():
        if device.agency != "police":
            stored = decrypted(device.local.store)
            for text in (b"Hasselbacken", b"Torvald", b"attic", bytes(plan.id)):
                assert text not in stored, name


async def _arrived(device: Device, report: Report) -> None:
    """Sync until a report is here: the server looks once a second whether a time has come."""
    async with asyncio.timeout(20):
        while find(device, report.id) is None:
            await asyncio.sleep(0.2)
            await device.sync()


async def test_the_municipality_is_asked_to_keep_a_street_free_and_not_told_why(
    town: Town, people: dict[str, Device]
) -> None:
    plan = people["police"].file(measure(town))
    asked = people["police supervisors"].request("municipality", STREET)
    await sync(people)
    boss = people["municipality supervisors"]
    [request] = [one for one in boss.requests() if one.id == asked]
    assert (request.text, request.code, request.report_id, request.agency) == (STREET, "", None, "police")
    assert find(boss, plan.id) is None
    boss.answer_request(asked, granted=True, text="It is free.")
    await sync(people)
    [answered] = [one for one in people["police supervisors"].requests() if one.id == asked]
    assert answered.state == "granted"
    readers = {name for name, device in people.items() if STREET.encode() in decrypted(device.local.store)}
    assert readers == {"police supervisors", "municipality supervisors"}


async def test_after_an_arrest_each_child_is_reported_to_reception_and_to_nobody_else(
    town: Town, people: dict[str, Device]
) -> None:
    children = [forms.Person(name=name, role="child", age_min=3, age_max=6) for name in ("Liv Q", "Bo Q")]
    filed = [
        people["police"].file(
            forms.ReportOfConcern(
                scene=SUBURBAN, observed_at=town.clock.now(), situation="A parent was arrested.", subject=[child]
            ),
            duties={"L11": "send"},
        )
        for child in children
    ]
    await sync(people)
    reception = people["reception"]
    assert [reception.get(report.id).subject for report in filed] == [[child] for child in children]
    for report in filed:
        assert {name for name in have(people, report) if people[name].agency != "police"} == {"reception"}
    for name in ("social_services", "security", "municipality", "health"):
        stored = decrypted(people[name].local.store)
        assert b"Liv Q" not in stored
        assert b"Bo Q" not in stored


async def test_what_the_public_reads_afterwards_two_agencies_have_said_and_no_plan_lets_it_go(
    town: Town, people: dict[str, Device]
) -> None:
    police, theirs = people["police supervisors"], people["municipality supervisors"]
    plan = people["police"].file(measure(town))
    door = people["municipality"].file(
        forms.PlaceDefect(scene=SUBURBAN, observed_at=town.clock.now(), defects=["door_broken"], situation="A door.")
    )
    await sync(people)
    until = int((town.clock.now() + timedelta(days=7)).timestamp())
    leaflet = Wanted(column="PUB", text=LEAFLET, until=until, lang="en")
    refused = police.note(plan.id, leaflet)

    # The police ask for the text, the municipality answers for it; it draws on a report of the municipality's own.
    asked = police.request("municipality", LEAFLET)
    await sync(people)
    assert not await _reads(town, refused)
    [request] = [one for one in theirs.requests() if one.id == asked]
    assert request.text == LEAFLET
    theirs.answer_request(asked, granted=True, text="We say the same.")
    released = theirs.note(door.id, leaflet)
    await sync(people)
    assert [one.state for one in police.requests() if one.id == asked] == ["granted"]
    assert await _reads(town, released)
    assert not await _reads(town, refused)


async def _reads(town: Town, note: bytes) -> bool:
    """Tell whether anybody can read a note, in the list and at its address alike."""
    async with httpx2.AsyncClient(base_url=town.url) as anybody:
        listed = {one["id"]: one["text"] for one in (await anybody.get("/notes")).json()["notes"]}
        status = (await anybody.get(f"/notes/{note.hex()}")).status_code
    assert (note.hex() in listed) is (status == 200)
    return listed.get(note.hex()) == LEAFLET
