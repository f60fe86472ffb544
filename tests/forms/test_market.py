"""A seizure makes its note by itself, and nothing but codes ends up in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluss_schemas.brief import briefs, read_brief
from sluss_schemas.forms import OrderIncident, SeizureOrFind, author_extra, check, sections, to_values
from sluss_schemas.forms.market import note_of
from sluss_schemas.ids import Sector

from tests.forms.samples import CANARIES, NOW, PACK, SCENES, canary_form

# S02: an officer takes 40 g of heroin from somebody of nineteen at the suburban square.
SEIZURE = SeizureOrFind(
    scene="suburban-square",
    observed_at=datetime(2026, 2, 3, 20, 41, 7, tzinfo=UTC),
    found_as="seizure",
    substances=["op_heroin"],
    amount=40_000,
    unit="g",
    amount_band="large",
)


def test_a_seizure_says_that_less_is_on_offer_that_unrest_is_likely_and_for_how_long() -> None:
    note = note_of(SEIZURE, PACK, "POL")

    assert note is not None
    assert to_values(note) == {
        "scene": "suburban-square",
        # The evening, by the pack's zone.
        "observed_at": "2026-02-03T17:00:00+00:00",
        "substances": ["op_heroin"],
        "direction": "down",
        "caution": "unrest",
        "valid_hours": 72,
    }
    check(note, owner="POL", now=NOW, scenes=SCENES, pack=PACK)


@pytest.mark.parametrize("owner", ["POL", "MUN"])
def test_nothing_but_codes_is_in_a_note(owner: Sector) -> None:
    form = canary_form(3, found_as="seizure")
    note = note_of(form, PACK, owner)

    assert note is not None
    said = repr(
        (to_values(note), sections(note, owner, PACK), author_extra(note, owner, PACK), briefs(note, owner, PACK))
    )
    assert not any(canary in said for canary in CANARIES.values())
    # Two seizures that differ in everything else make the same note.
    bare = SeizureOrFind(
        scene=form.scene,
        observed_at=NOW,
        found_as="seizure",
        substances=form.substances,  # type: ignore[attr-defined]  # a seizure
        direction=form.direction,  # type: ignore[attr-defined]
        caution=form.caution,  # type: ignore[attr-defined]
        valid_hours=form.valid_hours,  # type: ignore[attr-defined]
    )
    assert note_of(bare, PACK, owner) == note


@pytest.mark.parametrize(
    ("form", "owner"),
    [
        (SEIZURE, "SEC"),
        (SeizureOrFind(observed_at=NOW, found_as="seizure", objects=["scales"]), "POL"),
        (OrderIncident(observed_at=NOW, sub_kind="threat", substances=["op_heroin"]), "POL"),
    ],
)
def test_no_note_is_made_where_the_owner_files_none_or_nothing_is_known(form: SeizureOrFind, owner: Sector) -> None:
    assert note_of(form, PACK, owner) is None


def test_what_the_author_said_of_the_market_stands() -> None:
    form = SeizureOrFind(
        observed_at=NOW, found_as="seizure", substances=["op_heroin"], direction="adulterated", caution="overdose_risk"
    )
    note = note_of(form, PACK, "POL")

    assert note is not None
    assert (note.direction, note.caution, note.valid_hours) == ("adulterated", "overdose_risk", 72)


def test_the_brief_of_owners_that_file_no_notes_is_the_note() -> None:
    # S01: a guard finds capsules; social services and health are told the substance, not the point or the amount.
    find = SeizureOrFind(
        scene="central-square", observed_at=NOW, found_as="find", substances=["st_mdma"], amount_band="few_doses"
    )
    brief = read_brief("SIT", briefs(find, "SEC", PACK)["SIT"], PACK)
    assert brief.values["substances"] == ["st_mdma"]
    assert brief.values["direction"] is None

    seized = read_brief("SIT", briefs(SEIZURE, "SEC", PACK)["SIT"], PACK)
    assert (seized.values["direction"], seized.values["caution"], seized.values["valid_hours"]) == (
        "down",
        "unrest",
        72,
    )
    assert "amount" not in repr(seized.values)
