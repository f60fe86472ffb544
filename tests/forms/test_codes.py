"""The code lists: complete, in both languages, and without anything that nobody may register."""

from __future__ import annotations

import re

import pytest

from sluss_schemas.codes import code_lists, label, name, number
from sluss_schemas.forms import FORMS, Person, Place
from sluss_schemas.forms.base import fields
from sluss_schemas.problems import Invalid

from tests.forms.samples import PACK

LISTS = PACK.codes


@pytest.mark.parametrize("list_", sorted(LISTS))
def test_every_code_has_a_number_of_its_own_and_a_label_in_both_languages(list_: str) -> None:
    entries = LISTS[list_]

    assert entries
    assert len({entry.n for entry in entries.values()}) == len(entries)
    for code, entry in entries.items():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+-]*", code), code
        assert entry.n > 0
        assert entry.en.strip() == entry.en
        assert entry.sv.strip() == entry.sv
        assert entry.en
        assert entry.sv


def test_every_list_that_a_field_names_exists_with_the_codes_that_belong_to_the_kind() -> None:
    declared = [field for form in (*FORMS.values(), Place, Person) for field in fields(form) if field.codes]

    assert [field.name for field in declared if field.codes not in LISTS] == []
    assert [field.name for field in declared if not field.only <= set(LISTS[field.codes])] == []


def test_every_sub_kind_belongs_to_an_order_incident_or_to_dealing() -> None:
    only = [field.only for kind in (1, 2) for field in fields(FORMS[kind]) if field.name == "sub_kind"]

    assert frozenset().union(*only) == set(LISTS["sub_kind"])


def test_an_activity_is_numbered_after_one_of_the_four_categories() -> None:
    categories = {entry.n for entry in LISTS["intervention_category"].values()}

    assert len(categories) == 4
    assert {entry.n // 100 for entry in LISTS["intervention"].values()} == categories


def test_no_list_and_no_field_is_about_descent_papers_or_belief() -> None:
    names = {*LISTS, *(field.name for form in (*FORMS.values(), Place, Person) for field in fields(form))}
    words = ("ethnic", "national", "religio", "residence", "citizen", "race", "belief")

    assert [each for each in names if any(word in each for word in words)] == []


def test_a_code_its_number_and_its_labels_lead_to_each_other() -> None:
    for list_, entries in LISTS.items():
        for code, entry in entries.items():
            assert number(LISTS, list_, code) == entry.n
            assert name(LISTS, list_, entry.n) == code
            assert label(LISTS, list_, code, "en") == entry.en
            assert label(LISTS, list_, code, "sv") == entry.sv


def test_a_code_outside_its_list_is_refused_without_repeating_it() -> None:
    with pytest.raises(Invalid) as by_code:
        number(LISTS, "sub_kind", "secret words", "sub_kind")
    with pytest.raises(Invalid) as by_number:
        name(LISTS, "sub_kind", 9999)
    with pytest.raises(Invalid) as by_label:
        label(LISTS, "no_such_list", "threat", "en")

    assert [(error.value.code, error.value.field) for error in (by_code, by_number, by_label)] == [
        ("unknown_code", "sub_kind"),
        ("unknown_code", "sub_kind"),
        ("unknown_code", "no_such_list"),
    ]
    assert "secret words" not in str(by_code.value)


@pytest.mark.parametrize(
    "table",
    [
        {"a": {"n": 1, "en": "a"}},
        {"a": {"n": 1, "en": "a", "sv": "a", "extra": 1}},
        {"a": {"n": "1", "en": "a", "sv": "a"}},
        {"a": {"n": 0, "en": "a", "sv": "a"}},
        {"a": {"n": 1, "en": "", "sv": "a"}},
        {"a": {"n": 1, "en": "a", "sv": "a"}, "b": {"n": 1, "en": "b", "sv": "b"}},
        "no table",
    ],
)
def test_a_list_that_is_not_closed_and_labelled_is_refused_by_its_name(table: object) -> None:
    with pytest.raises(Invalid) as refused:
        code_lists({"list": table})

    assert (refused.value.code, refused.value.field) == ("pack_refused", "codes.list")


def test_a_good_list_is_read() -> None:
    lists = code_lists({"list": {"a": {"n": 3, "en": "one", "sv": "ett"}}})

    assert number(lists, "list", "a") == 3
