"""S21: a property company wants to see what happened around its building this week."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import httpx2
import pytest

from sluss_client import forms
from sluss_client.cases import book
from sluss_client.cases.releasing import Wanted
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_schemas import sync as wire
from sluss_schemas.codec import encode
from sluss_schemas.records import CaseKind, NoteTerms

from tests.scenarios.people import CENTRAL, People
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPANY: Final = "Torget 4 AB"
NEIGHBOUR: Final = "Torget 6 AB"
DOOR: Final = forms.Place(name="Torget 4", property="Torget 4")
MENDED: Final = "Your door at Torget 4 does not close. Reported; the locksmith comes on Tuesday."
SWEPT: Final = "Four needles lay in your yard at Torget 4. Removed."
THEIRS: Final = "The lamp at Torget 6 is out."


def about(square: People, text: str, **changes: object) -> Wanted:
    """Return a note for the company."""
    until = int((square.town.clock.now() + timedelta(days=7)).timestamp())
    values: dict[str, object] = {"column": "EXT", "partner": COMPANY, "text": text, "until": until, "lang": "en"}
    return Wanted(**(values | changes))  # type: ignore[arg-type]  # one of the columns


async def at(square: People, *notes: bytes) -> list[httpx2.Response]:
    """Return what somebody without keys is answered at the addresses of these notes."""
    async with httpx2.AsyncClient(base_url=square.town.url) as anybody:
        return [await anybody.get(f"/notes/{one.hex()}") for one in notes]


async def everything_in_the_open(square: People) -> str:
    """Return all that a company can ask for without keys and without an address that it was given."""
    async with httpx2.AsyncClient(base_url=square.town.url) as anybody:
        answers = [await anybody.get(path) for path in ("/notes", "/v1/cube", "/v1/notes")]
        answers += [await anybody.post(path) for path in ("/v1/pull", "/v1/directory/pull", "/v1/keys/pull")]
    assert not [one.status_code for one in answers[1:] if one.is_success]
    return "".join(one.text for one in answers)


def waiting(device: Device) -> dict[bytes, bytes]:
    """Return the records that wait on a device, as they are sent."""
    return dict(device.local.store.items(book.OUT))


async def pushed(square: People, boss: Device, notes: list[bytes]) -> list[wire.Outcome]:
    """Push signed notes to the server as they are, past what a device does with its answer."""
    records = waiting(boss)
    async with asking(boss, square.town.url) as raw:
        return list((await raw.push([], [records[one] for one in notes])).records)


async def test_it_reads_the_defects_and_the_litter_of_its_own_house_with_their_status(square: People) -> None:
    boss = square.municipal_boss
    door = square.official.file(
        forms.PlaceDefect(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            severity=2,
            defects=["door_broken"],
            situation="The door does not close.",
            place=DOOR,
        )
    )
    needles = square.official.file(
        forms.LitterNeedles(scene=CENTRAL, observed_at=square.town.clock.now(), needles=4, place=DOOR)
    )
    lamp = square.official.file(
        forms.PlaceDefect(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            defects=["lighting_out"],
            situation="The lamp is out.",
            place=forms.Place(name="Torget 6", property="Torget 6"),
        )
    )
    await square.official.sync()
    await boss.sync()
    mine = [
        boss.note(door.id, about(square, MENDED, compartments=("situation", "place"))),
        boss.note(needles.id, about(square, SWEPT, compartments=("situation", "place"))),
    ]
    theirs = boss.note(lamp.id, about(square, THEIRS, partner=NEIGHBOUR))
    await boss.sync()

    read = await at(square, *mine)
    assert [(one.status_code, one.json()["text"]) for one in read] == [(200, MENDED), (200, SWEPT)]
    # What each of them is given is the text, and nothing of the report it draws on.
    for answer in read:
        assert set(answer.json()) == {"id", "agency_en", "agency_sv", "lang", "text", "released", "until"}
        assert answer.json()["released"] % 3600 == 0
        for report in (door, needles, lamp):
            assert report.id.hex() not in answer.text
            assert THEIRS not in answer.text
    # The trap of two owners: neither's list nor any address of one's own leads to the other's.
    (neighbour,) = await at(square, theirs)
    assert neighbour.json()["text"] == THEIRS
    open_to_all = await everything_in_the_open(square)
    for text in (MENDED, SWEPT, THEIRS, COMPANY, NEIGHBOUR, *(one.hex() for one in (*mine, theirs))):
        assert text not in open_to_all
        assert COMPANY not in neighbour.text


async def test_nothing_with_persons_goes_to_it_and_the_server_says_so_to_any_program(square: People) -> None:
    """The trap: it may employ the guards; nothing that they write down about anybody is there for their employer."""
    guards, police = square.guards_boss, square.police_boss
    incident = square.guard.file(square.incident(place=DOOR), duties={"L14": "no"})
    plan = square.police.file(
        forms.ActivityLog(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            planned=True,
            situation="A search at Torget 4.",
            enforcement="On Thursday.",
        )
    )
    contact = square.worker.file(square.contact())
    for device in (square.guard, square.police, square.worker, guards, police, square.workers_boss):
        await device.sync()
    who = [
        guards.note(incident.id, about(square, "It was Kalle.", compartments=(part,)))
        for part in ("subject", "care", "enforcement", "author", "safety")
    ]
    # A name for a partner does not make it one's own statement: neither for the public nor for a neighbour.
    who += [
        guards.note(incident.id, about(square, "It was Kalle.", compartments=("situation", "subject"))),
        guards.note(incident.id, about(square, "It was Kalle.", partner=NEIGHBOUR, compartments=("subject",))),
        guards.note(incident.id, about(square, "Kalle.", column="PUB", partner="", compartments=("subject",))),
    ]
    when = [
        police.note(plan.id, about(square, "On Thursday.", compartments=(part,)))
        for part in ("situation", "enforcement")
    ]
    whom = [square.workers_boss.note(contact.id, about(square, "Nils.", compartments=("subject",)))]
    for boss, notes in ((guards, who), (police, when), (square.workers_boss, whom)):
        for one, answer in zip(notes, await pushed(square, boss, notes), strict=True):
            assert (answer.outcome, answer.reason) == (wire.OutcomeCode.REFUSED, "not_allowed")
            assert (answer.field or "").startswith("note.")
            book.answered(boss.local, one, "refused", "not_allowed", answer.field or "")
        assert not [one for one in boss.notes() if one.id in notes]
    assert {one.status_code for one in await at(square, *who, *when, *whom)} == {404}
    in_the_open = await everything_in_the_open(square)
    for text in ("Kalle", "Thursday", "Nils", "threatened at the kiosk"):
        assert text not in in_the_open

    # No supervisor of another agency can write about it either, and the guards' field cannot release at all.
    with pytest.raises(NotFound):
        square.municipal_boss.note(incident.id, about(square, "A threat."))
    with pytest.raises(Refused) as refused:
        square.guard.note(incident.id, about(square, "A threat."))
    assert refused.value.code == "supervisor_only"
    cells = guards.pack.cells
    assert {cells[1, "SEC", part, "EXT"].code for part in ("SUB", "CAR", "ENF", "AUT")} <= {"D", "X"}


async def test_what_a_note_may_say_is_short_names_nobody_and_ends(square: People) -> None:
    guards = square.guards_boss
    incident = square.guard.file(square.incident(place=DOOR), duties={"L14": "no"})
    lamp = square.guard.file(
        forms.PlaceDefect(
            scene=CENTRAL, observed_at=square.town.clock.now(), defects=["lighting_out"], status="ordered", place=DOOR
        )
    )
    await square.guard.sync()
    await guards.sync()
    await guards.inspect(incident.id, reason="The company asks.")
    await guards.sync()
    full = {"compartments": ("situation", "place")}
    for wanted, code, field in (
        # Of the report's own persons whoever writes the note knows the names; of others a full name or a number gives
        # somebody away.
        (about(square, "It was Kalle again.", **full), "names_person", "text"),
        (about(square, "Ask Anders Johansson.", **full), "names_person", "text"),
        (about(square, "It was 850709-9805.", **full), "names_person", "text"),
        (about(square, " ", **full), "missing_field", "text"),
        (about(square, "x" * 4001, **full), "too_long", "text"),
        (about(square, "The lamp.", until=guards.now()), "out_of_range", "until"),
        (about(square, "The lamp.", compartments=("pictures",)), "unknown_code", "compartments"),
        (about(square, "The lamp.", compartments=()), "unknown_code", "compartments"),
    ):
        with pytest.raises(Invalid) as invalid:
            guards.note(incident.id, wanted)
        assert (invalid.value.code, invalid.value.field) == (code, field)
    nobodys = guards.note(lamp.id, about(square, "The lamp.", partner=""))
    (answer,) = await pushed(square, guards, [nobodys])
    assert (answer.outcome, answer.field) == (wire.OutcomeCode.REFUSED, "note.partner")
    book.answered(guards.local, nobodys, "refused", answer.reason or "", answer.field or "")

    # Also whoever employs the guards reads their defects, with the status that was written, and for so long.
    told = guards.note(lamp.id, about(square, "The lamp at Torget 4 is ordered.", **full))
    await guards.sync()
    (read,) = await at(square, told)
    assert read.json()["text"] == "The lamp at Torget 4 is ordered."
    assert read.json()["until"] - guards.now() <= 7 * 86_400
    # Nothing of a find, an overdose, a threat to staff or a plan is let go to owners in any form.
    kept_in = {(3, "SEC"), (4, "SEC"), (12, "SEC"), (13, "POL")}
    parts = {"SIT", "SUB", "ENF", "AUT"}
    cells = [
        cell
        for (kind, owner, part, column), cell in guards.pack.cells.items()
        if (kind, owner) in kept_in and part in parts and column == "EXT"
    ]
    assert len(cells) == len(kept_in) * len(parts)
    assert not {cell.automatic for cell in cells} & {"A", "R"}
    # Whose house it is no server can judge: a note's address is as long as a key, and names neither house nor owner.
    assert len(told) == 16
    assert COMPANY not in read.text
    (near,) = await at(square, told[:-1] + bytes([told[-1] ^ 1]))
    assert near.status_code == 404


async def test_a_note_about_another_owners_house_is_none_of_this_owners(square: People) -> None:
    guards, boss = square.guards_boss, square.municipal_boss
    lamp = square.official.file(
        forms.PlaceDefect(
            scene=CENTRAL, observed_at=square.town.clock.now(), defects=["lighting_out"], situation="Out."
        )
    )
    for device in (square.official, boss, guards):
        await device.sync()
    theirs = boss.note(lamp.id, about(square, THEIRS, partner=NEIGHBOUR))
    nobodys = boss.note(lamp.id, about(square, THEIRS))
    # Whoever releases for the guards cannot draw on the municipality's: to them it is as if it were not there.
    digests = (square.official.get(lamp.id).digest, bytes(32))
    forged = [
        book.file(
            guards.local,
            CaseKind.NOTE,
            now=guards.now(),
            digest=digest,
            until=guards.now() + 3600,
            terms=encode(NoteTerms("EXT", COMPANY, (1,), "en", THEIRS)),
        )
        for digest in digests
    ]
    answers = [(one.outcome, one.reason, one.field) for one in await pushed(square, guards, forged)]
    assert answers[0] == answers[1]
    assert answers[0][0] not in wire.STORED
    for one in forged:
        guards.local.store.delete(book.OUT, one)
    boss.withdraw_note(nobodys)
    await boss.sync()
    gone, mine, never = await at(square, nobodys, theirs, bytes(16))
    assert [one.status_code for one in (gone, mine, never)] == [404, 200, 404]
    bodies = [{**one.json(), "request_id": "", "server_time": 0} for one in (gone, never)]
    assert bodies[0] == bodies[1]
    assert [one.status_code for one in await at(square, *forged)] == [404, 404]
