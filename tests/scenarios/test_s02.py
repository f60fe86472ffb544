"""S02: a police officer records the seizure of 40 g of heroin from a 19-year-old at the suburban square."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import Invalid, Refused
from sluss_client.report import Report
from sluss_schemas.brief import Brief

from tests.scenarios.people import SUBURBAN, People, counts, find, have, held, holders, sights
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIXTEN = forms.Person(name="Sixten Kvist", role="suspect", age_min=19, age_max=19)
L13 = {"measure_may_be_needed": True, "individual_assessment": True}
WHY = {"individual_assessment": "He has nowhere to sleep and asked for help."}
TEAM = {"worker", "other_worker", "third_worker"}


def seize(square: People) -> Report:
    """Let the officer write it down once."""
    return square.suburban_police.file(
        forms.SeizureOrFind(
            scene=SUBURBAN,
            observed_at=square.town.clock.now(),
            found_as="seizure",
            objects=["drugs"],
            substances=["op_heroin"],
            amount_band="large",
            amount=40_000,
            unit="g",
            situation="A bag under a jacket, at the laundry.",
            place="behind the laundry",
            subject=[SIXTEN],
            enforcement="Possession of a large amount; he was searched.",
        )
    )


async def test_everybody_has_the_note_without_typing_and_the_police_alone_the_seizure(square: People) -> None:
    before = await counts(square, "seizure_or_find")
    filed = seize(square)
    made = square.suburban_police.made_note(filed.id)
    assert made is not None
    await square.sync()

    assert sights(square, filed.id) == {
        "suburban_police": "situation place subject care enforcement safety author attachments",
        **dict.fromkeys(TEAM, "situation~ place~ enforcement~ safety author~"),
        "guard": "situation~ place~ enforcement~ safety author~",
        "other_guard": "situation~ place~ enforcement~ safety author~",
        "official": "situation~ enforcement~ safety~ author~",
        "nurse": "situation~ place~ enforcement~ safety~ author~",
    }
    assert sights(square, made) == {
        "suburban_police": "situation place safety author attachments",
        **dict.fromkeys(TEAM, "situation~ place~ safety author~"),
        "guard": "situation~ place~ safety author~",
        "other_guard": "situation~ place~ safety author~",
        "official": "situation~ place~ safety~ author~",
        "nurse": "situation~ place~ safety~ author~",
    }
    for name in ("worker", "guard", "official", "nurse"):
        note = square.everybody[name].get(made)
        assert isinstance(note.situation, Brief)
        said = {key: value for key, value in note.situation.values.items() if value is not None}
        del said["time_band"]
        assert said == {
            "kind": "market_note",
            "substances": ["op_heroin"],
            "direction": "down",
            "caution": "unrest",
            "valid_hours": 72,
        }
        assert isinstance(note.place, Brief)
        assert note.place.values == {"scene": SUBURBAN}
    # Supervisors of the police have rows to open for a reason and an exact count; others get counts, some days later.
    assert await counts(square, "seizure_or_find") == {**before, "police_boss": before["police_boss"] + 1}
    rows = {name for name, device in square.everybody.items() if held(device, filed.id) or held(device, made)}
    assert rows == {"police_boss"}


async def test_neither_amount_nor_age_nor_place_nor_name_is_in_the_note_even_where_it_was_made(square: People) -> None:
    """The trap: the note is made of codes, and has no field that the rest could be copied to."""
    filed = seize(square)
    made = square.suburban_police.made_note(filed.id)
    assert made is not None
    await square.sync()
    note = square.suburban_police.get(made)
    assert note.version == 1
    assert note.place is None or note.place == forms.Place()
    sections = note.full_arrays()
    assert set(sections) == {"SIT", "PLC"}
    for text in ("laundry", "Sixten", "40000", "'large'"):
        assert text not in repr((sections, note.coded("situation")))
    assert {name: value for name, value in note.coded("situation").items() if value} == {
        "observed_at": note.coded("situation")["observed_at"],
        "substances": ["op_heroin"],
        "direction": "down",
        "caution": "unrest",
        "valid_hours": 72,
    }
    with pytest.raises(Refused):
        await square.suburban_police.amend(made, situation="40 g.")

    for name, device in square.everybody.items():
        if device.agency == "police":
            continue
        stored = decrypted(device.local.store)
        assert b"Sixten" not in stored, name
        assert b"laundry" not in stored, name
        for report_id in (filed.id, made):
            report = find(device, report_id)
            if report is not None:
                assert report.form_of("situation") == "brief"
                assert report.full_arrays() in ({}, {"SAF": []}), name


async def test_who_it_was_is_told_by_a_separate_decision_that_a_supervisor_approves(square: People) -> None:
    filed, boss = seize(square), square.police_boss
    await square.sync()
    assert [duty.code for duty in square.suburban_police.duties() if duty.report_id == filed.id] == []
    with pytest.raises(Invalid):
        await square.suburban_police.disclose(filed.id, "L13", compartments=["subject"], tests=L13)
    await square.suburban_police.disclose(filed.id, "L13", compartments=["subject"], tests=L13, reasons=WHY)
    await square.sync()
    for name in TEAM:
        with pytest.raises(Refused):
            _ = square.everybody[name].get(filed.id).subject
    [asked] = [one for one in boss.proposals() if one.report_id == filed.id]
    assert asked.reasons == (("individual_assessment", WHY["individual_assessment"]),)
    await boss.approve(asked.record)
    await square.sync()
    await square.sync()

    seen = sights(square, filed.id)
    assert {name for name, parts in seen.items() if "subject" in parts} == {"suburban_police", *TEAM}
    assert square.worker.get(filed.id).subject == [SIXTEN]
    # How much it was, and where exactly, went with it to nobody.
    assert all("enforcement~" in seen[name] and "place~" in seen[name] for name in TEAM)
    assert holders(square, filed.id) - have(square, filed.id) == {"police_boss"}
    for name in ("guard", "official", "nurse"):
        assert b"Sixten" not in decrypted(square.everybody[name].local.store)


async def test_guards_are_told_who_it_was_on_no_duty_and_a_note_has_no_persons_to_tell(square: People) -> None:
    filed = seize(square)
    await square.sync()
    offered = {(offer.agency, offer.code) for offer in square.suburban_police.offers(filed.id) if offer.duty}
    assert offered == {("social_services", "L13")}
    cells = square.suburban_police.pack.cells
    assert cells[18, "POL", "SUB", "SOC"].code == "N"
    made = square.suburban_police.made_note(filed.id)
    assert made is not None
    assert [offer for offer in square.suburban_police.offers(made) if "subject" in offer.compartments] == []
