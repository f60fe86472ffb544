"""S08: an official photographs a broken door and an unlit stairwell; two faces are in the picture."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx2
import pytest

from sluss_client import forms
from sluss_client.cases.releasing import Wanted
from sluss_client.errors import NotFound, Refused
from sluss_client.report import Report
from sluss_schemas.brief import Brief

from tests.scenarios.people import CENTRAL, SUBURBAN, People, counts, held, sights

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOOR = forms.Place(name="Door 7", sub_place="the stairwell", property="Trappan 7", lat=59_300_125, lon=18_000_375)
OWNER, NEIGHBOUR = "Trappan 7 AB", "Trappan 9 AB"
SAYS = "The lock of your door is broken and the light of the stairwell is out; see to it."


def defect(square: People, **changes: object) -> Report:
    """Let the official write it down."""
    values: dict[str, object] = {
        "scene": SUBURBAN,
        "observed_at": square.town.clock.now(),
        "severity": 2,
        "defects": ["door_broken", "lighting_out"],
        "situation": "The door does not close, and it is dark behind it.",
        "place": DOOR,
        "safety": ["two_person"],
    }
    return square.official.file(forms.PlaceDefect(**(values | changes)))  # type: ignore[arg-type]  # the form checks


def wanted(square: People, **changes: object) -> Wanted:
    """Return a note for the owner of the door."""
    until = int((square.town.clock.now() + timedelta(days=14)).timestamp())
    values: dict[str, object] = {"column": "EXT", "partner": OWNER, "text": SAYS, "until": until, "lang": "en"}
    return Wanted(**(values | changes))  # type: ignore[arg-type]  # one of the columns


async def test_who_can_mend_it_has_the_defect_at_once_and_of_the_picture_a_reduced_form_alone(square: People) -> None:
    reported = square.official.pack.codes["defect_status"]["reported"].n
    before = await counts(square, "place_defect", "status", reported)
    filed = defect(square, status="reported")
    await square.sync()

    reader = "situation place safety author~ attachments~"
    assert sights(square, filed.id) == {
        "official": "situation place safety author attachments",
        "suburban_police": reader,
        "guard": reader,
        "other_guard": reader,
        "worker": reader,
        "other_worker": reader,
        "third_worker": reader,
        "nurse": "situation~ place~ safety~ author~",
    }
    for name in ("suburban_police", "guard", "worker"):
        report = square.everybody[name].get(filed.id)
        assert (report.defects, report.status, report.place) == (["door_broken", "lighting_out"], "reported", DOOR)
    nurse = square.nurse.get(filed.id)
    assert isinstance(nurse.place, Brief)
    assert nurse.place.values == {"scene": SUBURBAN}
    with pytest.raises(Refused):
        _ = nurse.attachments
    # The own supervisors have a row to open; nobody collects persons here, whoever is in the picture.
    assert {name for name, device in square.everybody.items() if held(device, filed.id)} == {"municipal_boss"}
    # How many defects wait is the own supervisors' indicator, exactly; to those of others it is a published figure.
    after = await counts(square, "place_defect", "status", reported)
    assert after == {**before, "municipal_boss": before["municipal_boss"] + 1}
    assert {square.official.pack.cells[9, "MUN", "SUB", column].code for column in ("POL", "SOC", "SEC")} == {"N"}
    for name in ("official", "suburban_police"):
        with pytest.raises(Refused):
            _ = square.everybody[name].get(filed.id).subject


async def test_the_owner_of_the_door_reads_a_note_and_the_neighbour_cannot_find_it(square: People) -> None:
    """The trap: another owner at the same square has an address of their own, and no list with this one in it."""
    filed, other, boss = defect(square), defect(square, place="Door 9"), square.municipal_boss
    await square.sync()
    told = boss.note(filed.id, wanted(square, compartments=("situation", "place")))
    theirs = boss.note(other.id, wanted(square, partner=NEIGHBOUR, text="Door 9 does not close."))
    public = boss.note(filed.id, wanted(square, column="PUB", partner="", text="Doors are being mended."))
    await boss.sync()

    async with httpx2.AsyncClient(base_url=square.town.url) as anybody:
        mine = await anybody.get(f"/notes/{told.hex()}")
        assert (mine.status_code, mine.json()["text"]) == (200, SAYS)
        assert set(mine.json()) == {"id", "agency_en", "agency_sv", "lang", "text", "released", "until"}
        listed = (await anybody.get("/notes")).json()["notes"]
        assert public.hex() in {one["id"] for one in listed}
        assert not {told.hex(), theirs.hex()} & {one["id"] for one in listed}
        neighbour = await anybody.get(f"/notes/{theirs.hex()}")
        for answer in (json.dumps(listed), neighbour.text):
            assert SAYS not in answer
            assert OWNER not in answer
            assert filed.id.hex() not in answer

        boss.withdraw_note(told)
        await boss.sync()
        answers = [(await anybody.get(f"/notes/{one.hex()}")).json() for one in (told, bytes(16))]
        gone, never = ({**answer, "request_id": "", "server_time": 0} for answer in answers)
        assert (gone["status"], gone) == (404, never)
    assert {one.partner: one.state for one in boss.notes() if one.id in {told, theirs}} == {
        OWNER: "withdrawn",
        NEIGHBOUR: "in_force",
    }


async def test_a_note_gives_only_what_the_cells_let_go_and_only_by_a_supervisor_of_the_owner(square: People) -> None:
    filed, elsewhere, boss = defect(square), defect(square, scene=CENTRAL), square.municipal_boss
    await square.sync()
    with pytest.raises(Refused) as refused:
        square.official.note(filed.id, wanted(square))
    assert refused.value.code == "supervisor_only"
    with pytest.raises(NotFound):
        square.guards_boss.note(filed.id, wanted(square))

    # Safety and the persons in the picture go to no owner of a property, the picture itself not to the public.
    asked = [
        boss.note(filed.id, wanted(square, text="Go two by two.", compartments=("safety",))),
        boss.note(filed.id, wanted(square, text="Who it was.", compartments=("subject",))),
        boss.note(elsewhere.id, wanted(square, column="PUB", partner="", text="Look.", compartments=("attachments",))),
    ]
    may = boss.note(filed.id, wanted(square, text="A picture without faces.", compartments=("attachments",)))
    await boss.sync()
    async with httpx2.AsyncClient(base_url=square.town.url) as anybody:
        answers = [(await anybody.get(f"/notes/{one.hex()}")).status_code for one in (*asked, may)]
    assert answers == [404, 404, 404, 200]
