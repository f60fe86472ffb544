"""Every fault of a form has its code and its field, and no refusal repeats what was written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from sluss_schemas.forms import (
    MAX_TEXT,
    ActivityLog,
    CareReferral,
    DealingObservation,
    Form,
    LitterNeedles,
    MarketNote,
    OrderIncident,
    OutreachContact,
    Person,
    Place,
    PlaceDefect,
    ReportOfConcern,
    SafetyAlert,
    check,
)
from sluss_schemas.forms.base import age_range
from sluss_schemas.ids import Sector
from sluss_schemas.policy import Pack
from sluss_schemas.problems import Invalid

from tests.forms.samples import KINDS_AND_OWNERS, NOW, PACK, SCENES, canary_form

EAST, WEST = timezone(timedelta(hours=10)), timezone(timedelta(hours=-10))
SECRET = "the words that nobody may repeat"
HERE: dict[str, Any] = {"scene": "central-square", "observed_at": NOW}


def _checked(form: Form, owner: Sector, pack: Pack = PACK) -> None:
    check(form, owner=owner, now=NOW, scenes=SCENES, pack=pack)


def _order(**changes: object) -> OrderIncident:
    values: dict[str, Any] = {**HERE, "sub_kind": "threat"} | changes
    return OrderIncident(**values)


def _concern(**changes: object) -> ReportOfConcern:
    values: dict[str, Any] = HERE | changes
    return ReportOfConcern(**values)


POINT = Place(lat=59_332_580, lon=18_064_900)
FAULTS: list[tuple[str, Form, Sector, str, str]] = [
    ("an unknown scene", _order(scene="atlantis"), "SEC", "unknown_scene", "scene"),
    ("no scene", _order(scene=None), "SEC", "missing_field", "scene"),
    ("a scene that is no text", _order(scene=7), "SEC", "wrong_type", "scene"),
    ("six minutes ahead", _order(observed_at=NOW + timedelta(minutes=6)), "SEC", "future_time", "observed_at"),
    ("no zone", _order(observed_at=NOW.replace(tzinfo=None)), "SEC", "naive_time", "observed_at"),
    ("last century", _order(observed_at=datetime(1999, 12, 31, tzinfo=UTC)), "SEC", "too_old", "observed_at"),
    ("the first day", _order(observed_at=datetime(1, 1, 1, tzinfo=EAST)), "SEC", "too_old", "observed_at"),
    ("the last day", _order(observed_at=datetime(9999, 12, 31, 23, tzinfo=WEST)), "SEC", "future_time", "observed_at"),
    ("no time", _order(observed_at=None), "SEC", "missing_field", "observed_at"),
    ("a time that is none", _order(observed_at="now"), "SEC", "wrong_type", "observed_at"),
    ("no sub-kind", _order(sub_kind=None), "SEC", "missing_field", "sub_kind"),
    ("dealing as order", _order(sub_kind="lookout"), "SEC", "wrong_sub_kind", "sub_kind"),
    ("order as dealing", DealingObservation(**HERE, sub_kind="assault"), "POL", "wrong_sub_kind", "sub_kind"),
    ("an unknown code", _order(sub_kind=SECRET), "SEC", "unknown_code", "sub_kind"),
    ("an unknown code in a list", _order(problems=["noise", SECRET]), "SEC", "unknown_code", "problems"),
    ("an unknown cue", _order(safety=[SECRET]), "SEC", "unknown_code", "safety"),
    ("an unknown feature", _order(place=Place(feature=SECRET)), "SEC", "unknown_code", "place.feature"),
    ("an unknown role", _order(subject=[Person(role=SECRET)]), "SEC", "unknown_code", "subject[0].role"),
    ("not an owner", _order(), "HLT", "not_an_owner", "kind"),
    ("severity four", _order(severity=4), "SEC", "out_of_range", "severity"),
    ("severity by word", _order(severity="2"), "SEC", "wrong_type", "severity"),
    ("severity by yes", _order(severity=True), "SEC", "wrong_type", "severity"),
    ("a text that is none", _order(situation=b"bytes"), "SEC", "wrong_type", "situation"),
    ("half a surrogate pair", _order(situation=f"{SECRET}\ud800"), "SEC", "wrong_type", "situation"),
    ("a list that is none", _order(problems="noise"), "SEC", "wrong_type", "problems"),
    ("a code twice", _order(problems=["noise", "noise"]), "SEC", "out_of_range", "problems"),
    ("a person that is none", _order(subject=[SECRET]), "SEC", "wrong_type", "subject[0]"),
    ("too many persons", _order(subject=[Person(alias=f"{n}") for n in range(51)]), "SEC", "out_of_range", "subject"),
    ("an empty person", _order(subject=[Person()]), "SEC", "missing_field", "subject[0]"),
    (
        "ages that contradict",
        _order(subject=[Person(age_min=20, age_max=18)]),
        "SEC",
        "out_of_range",
        "subject[0].age_min",
    ),
    (
        "a band against a bound",
        _order(subject=[Person(age_band="12-14", age_min=16)]),
        "SEC",
        "out_of_range",
        "subject[0].age_min",
    ),
    ("an age of 130", _order(subject=[Person(age_max=130)]), "SEC", "out_of_range", "subject[0].age_max"),
    (
        "a suspect to social services",
        _order(subject=[Person(role="suspect")]),
        "SOC",
        "unknown_code",
        "subject[0].role",
    ),
    (
        "a suspected child",
        _order(subject=[Person(role="suspect", age_band="12-14")]),
        "SEC",
        "unknown_code",
        "subject[0].role",
    ),
    (
        "a suspect perhaps a child",
        _order(subject=[Person(role="suspect", age_min=14, age_max=19)]),
        "POL",
        "unknown_code",
        "subject[0].role",
    ),
    ("a place that is none", _order(place=7), "SEC", "wrong_type", "place"),
    ("an empty place", _order(place=Place()), "SEC", "missing_field", "place"),
    ("half a point", _order(place=Place(lat=1)), "MUN", "missing_field", "place.lon"),
    ("the other half", _order(place=Place(lon=1)), "MUN", "missing_field", "place.lat"),
    ("beyond the pole", _order(place=Place(lat=90_000_001, lon=0)), "MUN", "out_of_range", "place.lat"),
    ("a point as a float", _order(place=Place(lat=59.3, lon=18)), "MUN", "wrong_type", "place.lat"),  # type: ignore[arg-type]
    ("a guard's point in a concern", _concern(place=POINT), "SEC", "not_collected", "place.lat"),
    ("an officer's point in a concern", _concern(place=POINT), "POL", "not_collected", "place.lat"),
    ("staff by name", _concern(case_staff=[SECRET]), "SOC", "wrong_type", "case_staff"),
    ("staff by a short id", _concern(case_staff=[b"short"]), "SOC", "wrong_type", "case_staff"),
    ("more needles than can be", LitterNeedles(**HERE, needles=10_001), "MUN", "out_of_range", "needles"),
    ("longer than the pack shows it", SafetyAlert(**HERE, valid_hours=73), "SEC", "out_of_range", "valid_hours"),
    ("yes by number", LitterNeedles(**HERE, near_child_place=1), "MUN", "wrong_type", "near_child_place"),  # type: ignore[arg-type]
    ("no status", PlaceDefect(**HERE, status=None), "MUN", "wrong_type", "status"),  # type: ignore[arg-type]
    (
        "an activity of another category",
        ActivityLog(**HERE, category="formal_control", activities=["sports"]),
        "POL",
        "wrong_sub_kind",
        "activities",
    ),
    ("a long text", _order(situation="x" * (MAX_TEXT + 1)), "SEC", "too_long", "situation"),
    ("a long care text", _order(care="x" * (MAX_TEXT + 1)), "SEC", "too_long", "care"),
    (
        "long names together",
        _order(subject=[Person(name="x" * 9000), Person(alias="y" * 9000)]),
        "SEC",
        "too_long",
        "subject",
    ),
    ("a long place", _order(place=Place(name="x" * (MAX_TEXT + 1))), "SEC", "too_long", "place"),
]


@pytest.mark.parametrize(
    ("form", "owner", "code", "field"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_fault_has_its_code_and_its_field(form: Form, owner: Sector, code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        _checked(form, owner)

    assert (refused.value.code, refused.value.field) == (code, field)
    assert refused.value.say
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_form_with_every_field_filled_passes_for_every_owner(kind: int, owner: Sector) -> None:
    place = Place(name="the bench")

    _checked(canary_form(kind, place=place, **({"category": None} if kind == 13 else {})), owner)


def test_the_limit_of_a_section_is_said_and_reached() -> None:
    _checked(_order(situation="x" * MAX_TEXT, care="x" * MAX_TEXT), "SEC")

    with pytest.raises(Invalid, match=str(MAX_TEXT)):
        _checked(_order(situation="x" * (MAX_TEXT + 1)), "SEC")


def test_a_clock_may_be_five_minutes_ahead() -> None:
    _checked(_order(observed_at=NOW + timedelta(minutes=5)), "SEC")


def test_a_kind_without_a_scene_fact_needs_no_scene_but_a_known_one_where_it_is_given() -> None:
    _checked(CareReferral(observed_at=NOW, referral="psychiatry"), "HLT")

    with pytest.raises(Invalid) as refused:
        _checked(CareReferral(observed_at=NOW, scene="atlantis"), "HLT")
    assert refused.value.code == "unknown_scene"


def test_healths_market_note_needs_no_scene_while_the_polices_does() -> None:
    note = MarketNote(observed_at=NOW, substances=["op_nitazene"])
    _checked(note, "HLT")

    with pytest.raises(Invalid) as refused:
        _checked(note, "POL")
    assert (refused.value.code, refused.value.field) == ("missing_field", "scene")


def test_points_of_guards_and_of_others_are_collected_where_the_author_section_stays_at_home() -> None:
    _checked(_order(place=POINT), "SEC")
    _checked(_order(place=POINT), "MUN")
    _checked(_concern(place=POINT), "MUN")


def test_a_part_that_a_pack_closes_to_the_owner_is_refused_by_its_field() -> None:
    row = ((1, "SEC", "CAR"), "N")
    cells = {
        key: msgspec.structs.replace(cell, automatic=row[1]) if key[:3] == row[0] else cell
        for key, cell in PACK.cells.items()
    }
    closed = msgspec.structs.replace(PACK, cells=cells)
    _checked(_order(), "SEC", closed)

    with pytest.raises(Invalid) as refused:
        _checked(_order(care="first aid"), "SEC", closed)

    assert (refused.value.code, refused.value.field) == ("not_collected", "care")


def test_a_kind_that_the_pack_does_not_know_is_refused() -> None:
    empty = msgspec.structs.replace(PACK, kinds={})

    with pytest.raises(Invalid) as refused:
        _checked(_order(), "SEC", empty)

    assert refused.value.code == "unknown_kind"


def test_an_officer_may_suspect_a_grown_up_and_somebody_of_unknown_age() -> None:
    _checked(
        _order(subject=[Person(role="suspect", age_band="25-34"), Person(role="suspect", description="tall")]), "POL"
    )


@pytest.mark.parametrize(
    ("person", "ages"),
    [
        (Person(age_band="0-11"), (0, 11)),
        (Person(age_band="65+"), (65, None)),
        (Person(age_band="unknown"), (None, None)),
        (Person(), (None, None)),
        (Person(age_min=17), (17, None)),
        (Person(age_band="15-17", age_min=16, age_max=40), (16, 17)),
        (Person(age_band="an older code"), (None, None)),
    ],
)
def test_an_age_is_the_narrower_of_band_and_bounds(person: Person, ages: tuple[int | None, int | None]) -> None:
    assert age_range(person) == ages


def test_an_outreach_contact_needs_no_identity() -> None:
    _checked(OutreachContact(**HERE), "SOC")
