"""S17: a guard reports that a known man threatened to 'find out where you live'."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import Refused
from sluss_client.keyring import roster
from sluss_client.report import Author
from sluss_schemas.ids import ReportId

from tests.scenarios.people import CENTRAL, KALLE, People, counts, find, held, sights
from tests.secrecy.canaries import decrypted

NAME = "Sixten Ejdergård-Wrede"
"""Stands in the guards' roster, and in no text that anybody writes."""
pytestmark = pytest.mark.asyncio(loop_scope="session")


def _threat(square: People) -> forms.StaffThreat:
    return forms.StaffThreat(
        scene=CENTRAL,
        observed_at=square.town.clock.now(),
        situation="He said: I will find out where you live.",
        severity=3,
        threat_forms=["followed"],
        subject=[KALLE],
        safety=["two_person"],
    )


async def test_everybody_is_warned_and_the_guard_is_an_alias(square: People) -> None:
    before = await counts(square, "staff_threat")
    filed = square.guard.file(_threat(square), duties={"L14": "send"})
    await square.sync()
    # The threat counter of the guards' supervisors; those of others are shown it by the week and from a number on.
    assert await counts(square, "staff_threat") == {**before, "guards_boss": before["guards_boss"] + 1}

    seen = sights(square, filed.id)
    assert seen["police"] == "situation place subject enforcement safety author~"
    assert seen["worker"] == seen["other_worker"] == "situation place enforcement~ safety author~"
    assert seen["other_guard"] == "situation safety"
    assert seen["official"] == "situation place enforcement~ safety author~"
    assert seen["nurse"] == "situation~ place~ safety~ author~"
    assert held(square.guards_boss, filed.id) == [1]

    police = square.police.get(filed.id)
    assert police.subject == [KALLE]
    assert police.author == Author("field", square.guard.alias)
    assert square.worker.get(filed.id).situation == "He said: I will find out where you live."
    with pytest.raises(Refused):
        _ = square.worker.get(filed.id).subject


async def test_no_other_agency_has_anything_by_which_the_guard_could_be_named(square: People) -> None:
    """The trap: an extract for the man can be made of nothing that points at the guard but the alias."""
    filed = square.guard.file(_threat(square), duties={"L14": "send"})
    await square.sync()
    names = square.town.founders["security"].local
    assert names is not None
    for device in square.everybody.values():
        if device.agency == "security":
            continue
        stored = decrypted(device.local.store)
        at = stored.find(bytes(filed.id))
        if at < 0:
            continue
        report = device.get(filed.id)
        assert report.author == Author("field", square.guard.alias)
        # The directory knows a person by number; no report of the guard's says which.
        assert report.author_extra() is None
        assert report.form_of("author") == "brief"


async def test_an_extract_for_the_man_has_nothing_of_the_guard_in_it(square: People) -> None:
    """The trap: he asks what is noted about him, and is told neither who wrote it nor when they were at work."""
    at = square.town.clock.now().replace(minute=17, second=43, microsecond=0)
    man = forms.Person(name="Kasimir Strandvall", role="suspect", age_min=30, age_max=40)
    filed = square.guard.file(
        msgspec.structs.replace(_threat(square), subject=[man], observed_at=at - timedelta(hours=1)),
        duties={"L14": "send"},
    )
    await square.guard.sync()
    boss, guard = square.guards_boss, square.guard
    await boss.sync()
    await boss.inspect(filed.id, reason="He asks for an extract.")
    await boss.sync()
    # Whoever makes the extract could read all of it, the author with the exact time too.
    author = boss.get(filed.id).author
    assert author is not None
    assert author.person == guard.person_id
    (one,) = boss.extract("Kasimir Strandvall").reports
    assert one.report_id == filed.id
    assert one.person == man
    left_out = {part.part for part in one.left_out}
    assert "AUT" in left_out
    assert "author" not in one.parts
    told = msgspec.json.encode([one.kind, one.scene, one.time, one.person, one.parts, one.left_out])
    chain = guard.local.trust.own
    for word in (
        guard.alias,
        guard.person_id.hex(),
        bytes(guard.local.keys.kid).hex(),
        chain.persons[guard.person_id].alias,
    ):
        assert word.encode() not in told, word
    # The day and no more of the time, so that no list of shifts says who was there.
    assert (one.time.hour, one.time.minute, one.time.second) == (0, 0, 0)
    assert one.time.date() == boss.get(filed.id).observed_at.date()
    assert "observed_at" not in one.parts["situation"]
    assert b":17:" not in told
    for stranger in (guard, square.police):
        with pytest.raises(Refused):
            stranger.extract("Kasimir Strandvall")
    assert square.police_boss.extract("Kasimir Strandvall").reports == ()
    # There is nothing of a hand in it: a form has no field for a picture or a signature drawn by anybody.
    assert not {field for field in forms.StaffThreat.__struct_fields__ if "image" in field or "signature" in field}


async def test_a_supervisor_of_the_guards_says_who_the_guard_is_for_the_report_of_the_crime(square: People) -> None:
    boss, founder = square.guards_boss, square.town.founders["security"]
    roster.set_name(founder.local, square.guard.person_id, NAME)
    for device in (founder, boss, square.guard):
        await device.sync()
    filed = square.guard.file(_threat(square), duties={"L14": "send"})
    await square.guard.sync()
    await boss.sync()
    await boss.inspect(filed.id, reason="The crime is reported to the police.")
    await boss.sync()
    assert sight_of(boss, filed.id) >= {"situation", "subject", "author"}
    await square.police.sync()
    assert square.police.get(filed.id).form_of("author") == "brief"
    # The name that the own agency's roster has is in no other's hands, nor in the server's.
    await square.sync()
    assert NAME.encode() in decrypted(boss.local.store)
    assert knowing(square) == set()
    made = await boss.disclose(
        filed.id, "L14", to=[square.police.alias], compartments=["author"], tests={"police_should_know": True}
    )
    for device in (boss, square.police, square.suburban_police, square.worker):
        await device.sync()
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["released"]
    # One officer, for the crime; colleagues and social services have the alias still, or nothing.
    author = square.police.get(filed.id).author
    assert author is not None
    assert (author.person, author.name) == (square.guard.person_id, NAME)
    assert knowing(square) == {"police"}
    for device in (square.suburban_police, square.worker):
        report = find(device, filed.id)
        assert report is None or report.form_of("author") == "brief"
    # It was given by mistake: it is gone where it was, and the alias stays.
    await boss.recall(made.id, "The guard is not needed as a witness.")
    await boss.sync()
    await square.police.sync()
    assert square.police.get(filed.id).author == Author("field", square.guard.alias)
    assert knowing(square) == set()


def knowing(square: People) -> set[str]:
    """Return who of other agencies has the guard's name in a store; the server has it nowhere."""
    server = square.town.server
    assert server is not None
    files = (one for one in server.data.rglob("*") if one.is_file())
    assert not any(NAME.encode() in one.read_bytes() for one in files)
    others = {part: one for part, one in square.everybody.items() if one.agency != "security"}
    return {part for part, one in others.items() if NAME.encode() in decrypted(one.local.store)}


def sight_of(device: Device, report_id: ReportId) -> set[str]:
    """Return the parts that a device can read whole."""
    report = device.get(report_id)
    return {part for part in report.readable if report.form_of(part) == "full"}
