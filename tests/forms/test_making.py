"""Forms from plain values: JSON, a row of CSV, a command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sluss_schemas.forms import (
    AbsentPersonConcern,
    LitterNeedles,
    OrderIncident,
    Person,
    Place,
    form_type,
    make,
    to_values,
)
from sluss_schemas.problems import Invalid

SECRET = "the words that nobody may repeat"
THEN = "2026-02-03T21:40+01:00"
ORDER: dict[str, object] = {"observed_at": THEN, "sub_kind": "threat"}


def test_a_form_is_made_of_plain_values() -> None:
    made = make(
        "order_incident",
        ORDER
        | {
            "scene": "central-square",
            "severity": 2,
            "problems": ["noise"],
            "situation": "Two men threatened a shop assistant.",
            "place": {"name": "the bench", "lat": 59_332_580, "lon": 18_064_900},
            "subject": [{"role": "victim", "age_min": 30, "age_max": 40}],
            "safety": ["armed_knife"],
        },
    )

    assert made == OrderIncident(
        scene="central-square",
        observed_at=datetime(2026, 2, 3, 21, 40, tzinfo=timezone(timedelta(hours=1))),
        sub_kind="threat",
        severity=2,
        problems=["noise"],
        situation="Two men threatened a shop assistant.",
        place=Place(name="the bench", lat=59_332_580, lon=18_064_900),
        subject=[Person(role="victim", age_min=30, age_max=40)],
        safety=["armed_knife"],
    )


def test_a_row_of_text_is_enough() -> None:
    row = {
        "observed_at": "2015-05-15T14:40:00Z",
        "scene": "central-square",
        "needles": "12",
        "items": "foil; pipes",
        "near_child_place": "yes",
        "found_in": "",
        "place": "by the fountain",
    }

    assert make(10, row) == LitterNeedles(
        observed_at=datetime(2015, 5, 15, 14, 40, tzinfo=UTC),
        scene="central-square",
        needles=12,
        items=["foil", "pipes"],
        near_child_place=True,
        place="by the fountain",
    )


def test_what_is_made_already_is_taken_as_it_is() -> None:
    then = datetime(2026, 2, 3, 20, 40, tzinfo=UTC)
    values = {
        "observed_at": then,
        "place": Place(name="the bench"),
        "subject": [Person(alias="Lasse")],
        "case_staff": [bytes(16)],
    }

    assert make(6, values) == AbsentPersonConcern(
        observed_at=then, place=Place(name="the bench"), subject=[Person(alias="Lasse")], case_staff=[bytes(16)]
    )


def test_staff_are_written_in_hexadecimal() -> None:
    made = make(6, {"observed_at": THEN, "case_staff": "00" * 16})

    assert to_values(made)["case_staff"] == ["00" * 16]


def test_a_form_says_only_what_was_given() -> None:
    assert to_values(make(1, ORDER | {"situation": "", "problems": []})) == {
        "observed_at": "2026-02-03T20:40:00+00:00",
        "sub_kind": "threat",
    }


@pytest.mark.parametrize("kind", [0, 20, "", "no_such_kind", "1", "OrderIncident"])
def test_an_unknown_kind_is_refused(kind: int | str) -> None:
    with pytest.raises(Invalid) as refused:
        form_type(kind)

    assert (refused.value.code, refused.value.field) == ("unknown_kind", "kind")


FAULTS: list[tuple[int | str, dict[str, object], str, str]] = [
    (1, {"sub_kind": "threat"}, "missing_field", "observed_at"),
    (1, {"observed_at": THEN}, "missing_field", "sub_kind"),
    (1, {"observed_at": THEN, "sub_kind": ""}, "missing_field", "sub_kind"),
    (1, ORDER | {"nonsense": SECRET}, "unknown_field", "nonsense"),
    (1, ORDER | {SECRET: 1}, "unknown_field", ""),
    (1, ORDER | {"x" * 41: 1}, "unknown_field", ""),
    (1, ORDER | {"author": SECRET}, "not_collected", "author"),
    (1, ORDER | {"place": {"postcode": SECRET}}, "unknown_field", "place.postcode"),
    (1, ORDER | {"place": {"care": SECRET}}, "unknown_field", "place.care"),
    (1, ORDER | {"place": {SECRET: 1}}, "unknown_field", "place"),
    (1, ORDER | {"place": [SECRET]}, "wrong_type", "place"),
    (1, ORDER | {"place": {"lat": 59.33}}, "wrong_type", "place.lat"),
    (1, ORDER | {"subject": {"name": SECRET}}, "wrong_type", "subject"),
    (1, ORDER | {"subject": [SECRET]}, "wrong_type", "subject[0]"),
    (1, ORDER | {"subject": [{"name": SECRET}, {"age_min": SECRET}]}, "wrong_type", "subject[1].age_min"),
    (1, ORDER | {"subject": [{"shoe_size": SECRET}]}, "unknown_field", "subject[0].shoe_size"),
    (1, ORDER | {"severity": SECRET}, "wrong_type", "severity"),
    (1, ORDER | {"severity": 2.0}, "wrong_type", "severity"),
    (1, ORDER | {"severity": True}, "wrong_type", "severity"),
    (1, ORDER | {"severity": "9" * 13}, "wrong_type", "severity"),
    (1, ORDER | {"severity": "٣"}, "wrong_type", "severity"),
    (1, ORDER | {"situation": {SECRET: 1}}, "wrong_type", "situation"),
    (1, ORDER | {"problems": [1]}, "wrong_type", "problems"),
    (1, ORDER | {"problems": 1}, "wrong_type", "problems"),
    (1, {"observed_at": SECRET, "sub_kind": "threat"}, "wrong_type", "observed_at"),
    (1, {"observed_at": 1_770_000_000, "sub_kind": "threat"}, "wrong_type", "observed_at"),
    (6, {"observed_at": THEN, "case_staff": [SECRET]}, "wrong_type", "case_staff"),
    (6, {"observed_at": THEN, "case_staff": ["00"]}, "wrong_type", "case_staff"),
    (6, {"observed_at": THEN, "case_staff": 7}, "wrong_type", "case_staff"),
    (10, {"observed_at": THEN, "near_child_place": SECRET}, "wrong_type", "near_child_place"),
    (10, {"observed_at": THEN, "near_child_place": 1}, "wrong_type", "near_child_place"),
    ("place_defect", {"observed_at": THEN, "subject": [SECRET]}, "not_collected", "subject"),
    ("place_defect", {"observed_at": THEN, "care": SECRET}, "not_collected", "care"),
    ("place_defect", {"observed_at": THEN, "enforcement": SECRET}, "not_collected", "enforcement"),
    ("litter_needles", {"observed_at": THEN, "subject": [SECRET]}, "not_collected", "subject"),
    ("litter_needles", {"observed_at": THEN, "care": SECRET}, "not_collected", "care"),
    ("litter_needles", {"observed_at": THEN, "enforcement": SECRET}, "not_collected", "enforcement"),
    ("meeting_record", {"observed_at": THEN, "subject": [SECRET]}, "not_collected", "subject"),
    ("meeting_record", {"observed_at": THEN, "care": SECRET}, "not_collected", "care"),
    ("market_note", {"observed_at": THEN, "subject": [SECRET]}, "not_collected", "subject"),
    ("market_note", {"observed_at": THEN, "care": SECRET}, "not_collected", "care"),
    ("market_note", {"observed_at": THEN, "enforcement": SECRET}, "not_collected", "enforcement"),
    ("market_note", {"observed_at": THEN, "case_staff": [SECRET]}, "unknown_field", "case_staff"),
    ("public_tip", {"observed_at": THEN, "informant": SECRET}, "unknown_field", "informant"),
    ("nothing", {}, "unknown_kind", "kind"),
]


@pytest.mark.parametrize(("kind", "values", "code", "field"), FAULTS)
def test_a_fault_has_its_code_and_its_field_and_repeats_nothing(
    kind: int | str, values: dict[str, object], code: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        make(kind, values)

    assert (refused.value.code, refused.value.field) == (code, field)
    assert SECRET not in f"{refused.value} {refused.value.__cause__}"
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
