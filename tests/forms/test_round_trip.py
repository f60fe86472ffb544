"""What is filled in comes back: from sections, from plain values, and from the bytes of both."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from sluss_schemas.codec import encode
from sluss_schemas.forms import (
    FORMS,
    Form,
    author_extra,
    check,
    coded,
    event_in,
    make,
    read,
    rebuild,
    sections,
    to_values,
)
from sluss_schemas.forms.base import HEADS, field_named, fields, filled
from sluss_schemas.ids import Compartment, Sector
from sluss_schemas.problems import Invalid

from tests.forms.samples import KINDS_AND_OWNERS, NOW, PACK, SCENES, any_filed, canary_form


def _through_bytes(array: list[object]) -> list[object]:
    return msgspec.msgpack.decode(encode(array), type=list[object])


def _walk(value: object) -> list[object]:
    if isinstance(value, list):
        return [leaf for each in value for leaf in _walk(each)]
    return [value]


@given(any_filed())
def test_a_form_that_may_be_filed_comes_back_from_its_sections(filed: tuple[Form, Sector]) -> None:
    form, owner = filed

    check(form, owner=owner, now=NOW, scenes=SCENES, pack=PACK)
    cut = {compartment: _through_bytes(array) for compartment, array in sections(form, owner, PACK).items()}
    extra = author_extra(form, owner, PACK)

    assert rebuild(form.KIND, cut, PACK, None if extra is None else _through_bytes(extra)) == form


@given(any_filed())
def test_a_form_comes_back_from_plain_values_by_number_and_by_name(filed: tuple[Form, Sector]) -> None:
    form, _ = filed
    values = json.loads(json.dumps(to_values(form)))

    assert make(form.KIND, values) == form
    assert make(PACK.kinds[form.KIND].name, values) == form


@given(any_filed())
def test_sections_hold_no_maps_and_no_floats_and_only_what_is_filled(filed: tuple[Form, Sector]) -> None:
    form, owner = filed
    cut = sections(form, owner, PACK)

    leaves = [leaf for array in cut.values() for leaf in _walk(array)]
    assert {type(leaf) for leaf in leaves} <= {str, int, bool, type(None)}
    assert "SIT" in cut
    for compartment in HEADS:
        full = [field for field in fields(type(form)) if field.compartment == compartment]
        wanted = [field.name for field in full if filled(getattr(form, field.name))]
        only_a_point = compartment == "PLC" and "PLC" not in cut and author_extra(form, owner, PACK) is not None
        assert (compartment in cut) == bool(wanted) or only_a_point


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_full_form_comes_back_in_one_piece(kind: int, owner: Sector) -> None:
    form = canary_form(kind)

    assert rebuild(kind, sections(form, owner, PACK), PACK, author_extra(form, owner, PACK)) == form


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_reader_of_one_compartment_sees_its_value_and_its_coded_fields(kind: int, owner: Sector) -> None:
    form = canary_form(kind)

    for compartment, array in sections(form, owner, PACK).items():
        shown = HEADS[compartment][-1]
        expected = getattr(form, shown)
        if compartment == "PLC" and owner in {"POL", "SEC"}:
            expected = msgspec.structs.replace(expected, lat=None, lon=None)
        assert read(kind, compartment, array, PACK) == expected
        if compartment != "SIT":
            # Who is not told the kind is shown as much.
            assert read(0, compartment, array, PACK) == expected
        others = [field.name for field in fields(FORMS[kind]) if field.compartment == compartment]
        others.remove(shown)
        assert coded(kind, compartment, array, PACK) == {name: getattr(form, name) for name in others}


def test_an_older_apps_shorter_arrays_give_the_defaults_and_a_newer_apps_longer_ones_are_read() -> None:
    form = canary_form(1)
    cut = sections(form, "SEC", PACK)
    older: dict[Compartment, list[Any]] = {"SIT": [*cut["SIT"][:3], [3]], "CAR": ["first aid"], "ENF": []}
    newer: dict[Compartment, list[Any]] = {"SIT": [*cut["SIT"][:3], [3, 2, None, [], [], "?", 9], bytes(16), "?"]}

    first, second = rebuild(1, older, PACK), rebuild(1, newer, PACK)

    assert to_values(first) | {"severity": 2} == to_values(second) | {"care": "first aid"}
    assert to_values(second)["sub_kind"] == "threat"


def test_an_empty_text_is_a_text_that_was_not_given() -> None:
    form = make(1, {"observed_at": NOW.isoformat(), "sub_kind": "threat", "situation": "", "place": "", "care": None})
    cut = sections(form, "SEC", PACK)

    assert list(cut) == ["SIT"]
    assert read(1, "SIT", cut["SIT"], PACK) is None


def test_a_bare_text_is_the_name_of_a_place() -> None:
    form = make("order_incident", {"observed_at": NOW.isoformat(), "sub_kind": "threat", "place": "the bench"})
    field = field_named(type(form), "place")

    assert field is not None
    assert sections(form, "SEC", PACK)["PLC"] == [None, ["the bench", None, None, None, None, None]]


def test_the_mark_of_an_event_stands_behind_the_situation_and_is_no_part_of_the_form() -> None:
    form, mark = canary_form(1), bytes(range(16))
    cut, without = sections(form, "SEC", PACK, event=mark), sections(form, "SEC", PACK)

    assert cut == without | {"SIT": [*without["SIT"], mark]}
    assert event_in(cut["SIT"]) == mark
    assert rebuild(1, cut, PACK, author_extra(form, "SEC", PACK)) == form
    assert coded(1, "SIT", cut["SIT"], PACK) == coded(1, "SIT", without["SIT"], PACK)
    # An older situation, and one of which less was given, have none.
    assert event_in(without["SIT"]) == event_in(without["SIT"][:2]) == b""


@pytest.mark.parametrize("mark", [b"", bytes(15), bytes(17), "0123456789abcdef", 1, [bytes(16)]])
def test_what_is_no_mark_is_malformed(mark: object) -> None:
    cut = sections(canary_form(1), "SEC", PACK)
    with pytest.raises(Invalid) as refused:
        rebuild(1, {"SIT": [*cut["SIT"], mark]}, PACK)
    assert (refused.value.code, refused.value.field) == ("malformed", "event")
