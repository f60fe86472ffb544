"""What another agency may know without a decision."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sluss_schemas.brief import asked, briefs, number_band, read_brief, time_band
from sluss_schemas.forms import (
    FORMS,
    Form,
    MarketNote,
    OrderIncident,
    OverdoseEvent,
    Person,
    SafetyAlert,
    SeizureOrFind,
)
from sluss_schemas.forms.base import fields
from sluss_schemas.ids import SECTORS, Compartment, Sector
from sluss_schemas.problems import Invalid

from tests.forms.samples import KINDS_AND_OWNERS, NOW, PACK, canary_form

HERE: dict[str, Any] = {"scene": "central-square", "observed_at": NOW}


def _said(form: Form, owner: Sector, compartment: Compartment) -> dict[str, object]:
    return dict(read_brief(compartment, briefs(form, owner, PACK)[compartment], PACK).values)


def test_a_situation_is_reduced_to_kind_severity_time_band_and_number_band() -> None:
    form = OrderIncident(
        **HERE, sub_kind="threat", severity=2, number_band="2-4", situation="Two men.", problems=["noise"]
    )

    assert briefs(form, "SEC", PACK)["SIT"] == [1, 2, 4, 2]
    assert _said(form, "SEC", "SIT") == {
        "kind": "order_incident",
        "severity": 2,
        "time_band": "evening",
        "number_band": "2-4",
    }


def test_a_brief_is_labelled_in_both_languages_without_a_pack_at_hand() -> None:
    form = OrderIncident(**HERE, sub_kind="threat", severity=2)
    brief = read_brief("SIT", briefs(form, "SEC", PACK)["SIT"], PACK)

    assert brief.labels("sv") == {
        "kind": "Ordningsstörning / våld / hot",
        "severity": "allvarlig",
        "time_band": "kväll (18-24)",
    }
    assert brief.labels("en")["severity"] == "serious"


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_brief_is_made_exactly_where_the_pack_reduces_a_cell_for_another_agency(kind: int, owner: Sector) -> None:
    made = briefs(canary_form(kind), owner, PACK)

    for compartment in ("SIT", "PLC", "SUB", "ENF", "SAF"):
        collected = any(field.compartment == compartment for field in fields(FORMS[kind]))
        reduced = any(PACK.cell(kind, owner, compartment, sector).code == "R" for sector in SECTORS if sector != owner)
        assert asked(PACK, kind, owner, compartment) == reduced
        if (kind, owner, compartment) != (18, "HLT", "PLC"):
            assert (compartment in made) == (collected and reduced)
    assert {"CAR", "AUT", "ATT"}.isdisjoint(made)


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_only_the_fields_that_say_so_move_a_brief(kind: int, owner: Sector) -> None:
    full = canary_form(kind)
    bare: dict[str, object] = {
        field.name: [] if field.kind_of_value in {"codes", "staff"} else None
        for field in fields(FORMS[kind])
        if not field.brief and not field.required
    }
    # That the enforcement part is there at all shows in its brief, so one of its fields stays.
    bare.pop("enforcement", None)

    assert briefs(canary_form(kind, **bare), owner, PACK) == briefs(full, owner, PACK)


def test_a_seizure_makes_its_own_market_note_without_amount_or_age() -> None:
    form = SeizureOrFind(
        **HERE,
        found_as="seizure",
        substances=["op_heroin"],
        amount=40_000,
        unit="g",
        amount_band="large",
        subject=[Person(role="suspect", age_min=19, age_max=19)],
    )

    assert _said(form, "POL", "SIT") == {
        "kind": "seizure_or_find",
        "severity": None,
        "time_band": "evening",
        "number_band": None,
        "substances": ["op_heroin"],
        "direction": "down",
        "caution": "unrest",
        "valid_hours": 72,
    }
    assert read_brief("SIT", briefs(form, "POL", PACK)["SIT"], PACK).labels("en")["valid_hours"] == "72"


def test_a_find_says_its_substance_and_no_direction() -> None:
    form = SeizureOrFind(**HERE, found_as="find", substances=["unknown"], place="taped under the bench")

    said = _said(form, "SEC", "SIT")

    assert (said["substances"], said["direction"], said["caution"]) == (["unknown"], None, None)
    assert briefs(form, "SEC", PACK)["PLC"] == ["central-square"]


def test_what_the_author_says_of_the_market_goes_before_what_a_seizure_says_by_itself() -> None:
    form = SeizureOrFind(
        **HERE, found_as="seizure", substances=["op_heroin"], direction="new", caution="acute_danger", valid_hours=6
    )

    said = _said(form, "POL", "SIT")

    assert (said["direction"], said["caution"], said["valid_hours"]) == ("new", "acute_danger", 6)


def test_a_market_note_of_health_names_no_scene() -> None:
    note = MarketNote(**HERE, substances=["op_nitazene"], direction="new", caution="overdose_risk", valid_hours=48)

    assert "PLC" not in briefs(note, "HLT", PACK)
    assert briefs(note, "POL", PACK)["PLC"] == ["central-square"]
    assert _said(note, "HLT", "SIT")["caution"] == "overdose_risk"


def test_a_medical_event_tells_nothing_of_what_was_taken() -> None:
    form = OverdoseEvent(**HERE, suspected_groups=["opioid"], outcome="survived", naloxone_doses=2)
    without = OverdoseEvent(**HERE)

    assert briefs(form, "SOC", PACK) == briefs(without, "SOC", PACK)


@pytest.mark.parametrize(
    ("persons", "children", "adults"),
    [
        ([Person(age_band="0-11")], "1", None),
        ([Person(age_band="25-34"), Person(age_min=18)], None, "2-4"),
        ([Person(age_min=17, age_max=25)], "1", None),
        ([Person(age_max=25)], "1", None),
        ([Person(description="tall")], None, None),
        ([Person(age_band="unknown")], None, None),
        ([Person(age_band="15-17", alias=f"{n}") for n in range(5)] + [Person(age_band="65+")], "5+", "1"),
    ],
)
def test_persons_are_reduced_to_bands_of_children_and_adults(
    persons: list[Person], children: str | None, adults: str | None
) -> None:
    alert = SafetyAlert(**HERE, subject=persons, safety=["dog"])

    assert _said(alert, "SEC", "SUB") == {"children": children, "adults": adults}
    assert _said(alert, "SEC", "SAF") == {"cues": ["dog"]}


def test_enforcement_is_reduced_to_category_and_status() -> None:
    bare = OrderIncident(**HERE, sub_kind="threat", enforcement="He is known to us.")
    said = OrderIncident(**HERE, sub_kind="threat", enforcement_category="violence", enforcement_status="reported")

    assert briefs(bare, "SEC", PACK)["ENF"] == [None, None]
    assert _said(said, "SEC", "ENF") == {"category": "violence", "status": "reported"}
    assert "ENF" not in briefs(OrderIncident(**HERE, sub_kind="threat"), "SEC", PACK)


def test_an_author_is_a_function_and_an_alias() -> None:
    assert read_brief("AUT", ["field", "S-17"], PACK).values == {"function": "field", "alias": "S-17"}


@pytest.mark.parametrize(
    ("time", "band"),
    [
        (datetime(2026, 1, 31, 22, 59, tzinfo=UTC), "evening"),
        (datetime(2026, 1, 31, 23, 0, tzinfo=UTC), "night"),
        (datetime(2026, 2, 1, 5, 0, tzinfo=UTC), "morning"),
        (datetime(2026, 2, 1, 11, 0, tzinfo=UTC), "day"),
        (datetime(2026, 7, 1, 16, 0, tzinfo=UTC), "evening"),
        (datetime(2026, 7, 1, 22, 0, tzinfo=UTC), "night"),
    ],
)
def test_a_time_band_is_local_in_winter_and_summer(time: datetime, band: str) -> None:
    assert time_band(time, "Europe/Stockholm") == band


def test_a_number_becomes_a_band() -> None:
    assert [number_band(count) for count in (0, 1, 2, 4, 5, 500)] == [None, "1", "2-4", "2-4", "5+", "5+"]


@pytest.mark.parametrize(
    ("compartment", "array"),
    [
        ("SIT", []),
        ("SIT", [99, None, None, None]),
        ("SIT", [1, "2", 1, None]),
        ("SIT", [1, 1, True, None]),
        ("SIT", [18, 1, 1, None, 3]),
        ("SIT", [18, 1, 1, None, [None], None, None, None]),
        ("PLC", []),
        ("PLC", [7]),
        ("PLC", ["central-square", "more"]),
        ("SUB", [1]),
        ("ENF", [1, 1, 1]),
        ("SAF", [None]),
        ("AUT", ["field"]),
        ("CAR", []),
        ("ATT", []),
    ],
)
def test_a_brief_that_no_device_makes_is_malformed(compartment: Compartment, array: list[object]) -> None:
    with pytest.raises(Invalid) as refused:
        read_brief(compartment, array, PACK)

    assert refused.value.code == "malformed"


def test_a_brief_with_a_number_outside_the_lists_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        read_brief("SAF", [9999], PACK)

    assert refused.value.code == "unknown_code"
