"""What is written in one compartment appears in that compartment's section and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas.brief import briefs, read_brief
from sluss_schemas.codec import encode
from sluss_schemas.forms import (
    FORMS,
    OrderIncident,
    Person,
    Place,
    author_extra,
    check,
    coded,
    facts,
    read,
    rebuild,
    sections,
)
from sluss_schemas.forms.base import fields
from sluss_schemas.ids import COMPARTMENTS, Compartment, Sector
from sluss_schemas.policy.decide import collected
from sluss_schemas.problems import Invalid

from tests.forms.samples import CANARIES, KINDS_AND_OWNERS, NOW, PACK, POINT, SCENES, canary_form

CANARY = re.compile(rb"canary-of-[a-z]{3}")


def _canaries(array: object) -> set[str]:
    return {found.decode() for found in CANARY.findall(encode(array))}


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_section_holds_its_own_texts_and_no_others(kind: int, owner: Sector) -> None:
    form = canary_form(kind)

    found = {compartment: _canaries(array) for compartment, array in sections(form, owner, PACK).items()}
    texts = {field.compartment for field in fields(FORMS[kind]) if field.kind_of_value in {"text", "place", "persons"}}

    assert found == {compartment: {CANARIES[compartment]} if compartment in texts else set() for compartment in found}
    assert texts - {"AUT"} <= set(found)


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_form_has_a_field_for_a_part_exactly_where_the_pack_collects_it(kind: int, owner: Sector) -> None:
    declared = {field.compartment for field in fields(FORMS[kind])} - {"AUT"}

    assert declared == collected(PACK, kind, owner) - {"AUT", "ATT"}


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_brief_and_a_fact_hold_no_text_but_the_scene_and_no_number_of_anybody(kind: int, owner: Sector) -> None:
    form = canary_form(kind)

    made = encode([briefs(form, owner, PACK), facts(form, PACK, SCENES)])

    assert CANARY.findall(made) == []
    for number in (*POINT.values(), int(NOW.timestamp())):
        assert encode(number) not in made


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_what_leaves_in_the_author_section_is_only_what_stays_at_home(kind: int, owner: Sector) -> None:
    extra = author_extra(canary_form(kind), owner, PACK)

    home = [*POINT.values()] if owner in {"POL", "SEC"} else [None, None]
    own = [field for field in fields(FORMS[kind]) if field.compartment == "AUT"]
    assert (extra or [None, None])[:2] == home
    assert len((extra or [None, None])[2:]) == len(own)
    assert _canaries(extra) == ({CANARIES["AUT"]} if kind == 6 else set())


@pytest.mark.parametrize(
    ("kind", "name", "compartment"),
    [
        (2, "source_reliability", "ENF"),
        (3, "amount", "ENF"),
        (4, "suspected_groups", "CAR"),
        (4, "outcome", "CAR"),
        (5, "reasons", "CAR"),
        (6, "informant", "AUT"),
        (8, "test_result", "CAR"),
        (8, "appearance", "CAR"),
        (10, "found_in", "PLC"),
        (16, "returned", "CAR"),
        (19, "referral", "CAR"),
    ],
)
def test_a_value_that_the_rules_name_lies_where_they_say(kind: int, name: str, compartment: Compartment) -> None:
    assert [field.compartment for field in fields(FORMS[kind]) if field.name == name] == [compartment]


@pytest.mark.parametrize("owner", ["POL", "SEC"])
def test_a_free_point_of_police_and_guards_is_in_no_section(owner: Sector) -> None:
    for kind in (kind for kind, each in KINDS_AND_OWNERS if each == owner):
        cut = encode(list(sections(canary_form(kind), owner, PACK).values()))
        assert [value for value in POINT.values() if encode(value) in cut] == []


def test_a_place_that_is_nothing_but_a_point_leaves_no_trace_in_a_guards_place_section() -> None:
    form = OrderIncident(
        scene="central-square", observed_at=NOW, sub_kind="fire", place=Place(lat=POINT["lat"], lon=POINT["lon"])
    )
    pointless = OrderIncident(scene="central-square", observed_at=NOW, sub_kind="fire")
    cut = sections(form, "SEC", PACK)

    assert cut == sections(pointless, "SEC", PACK)
    assert rebuild(1, cut, PACK, author_extra(form, "SEC", PACK)) == form
    assert rebuild(1, cut, PACK) == pointless
    assert cut != sections(form, "MUN", PACK)
    assert author_extra(form, "MUN", PACK) is None


def test_the_one_who_told_of_an_absent_person_is_kept_apart_from_the_person() -> None:
    form = canary_form(6)
    check(form, owner="SOC", now=NOW, scenes=SCENES, pack=PACK)

    assert b"canary-of-aut" not in encode(list(sections(form, "SOC", PACK).values()))
    assert author_extra(form, "SOC", PACK) == [None, None, [bytes([7]) * 16], "canary-of-aut"]


MALFORMED: list[tuple[Compartment, list[object]]] = [
    ("SIT", []),
    ("SIT", [2, 0, None, []]),
    ("SIT", [1, None, None, [3]]),
    ("SIT", [1, "now", None, [3]]),
    ("SIT", [1, 10**18, None, [3]]),
    ("SIT", [1, 0, 7, [3]]),
    ("SIT", [1, 0, None, None]),
    ("SIT", [1, 0, None, [True]]),
    ("SIT", [1, 0, None, ["threat"]]),
    ("PLC", [7, None]),
    ("PLC", [None, "the bench"]),
    ("PLC", [None, [7]]),
    ("PLC", [None, [None, None, None, None, 59.3]]),
    ("SUB", ["Lasse"]),
    ("SUB", [[None, None, "young"]]),
    ("CAR", [7]),
    ("ENF", [[]]),
    ("SAF", [None]),
    ("SAF", [[1]]),
    ("AUT", []),
    ("ATT", []),
]


@pytest.mark.parametrize(("compartment", "array"), MALFORMED)
def test_an_array_that_no_form_made_is_malformed(compartment: Compartment, array: list[object]) -> None:
    for reader in (read, coded):
        with pytest.raises(Invalid) as refused:
            reader(1, compartment, array, PACK)
        assert refused.value.code == "malformed"


@pytest.mark.parametrize(
    ("compartment", "array", "field"),
    [
        ("SIT", [1, 0, None, [9999]], "sub_kind"),
        ("SAF", [9999], "safety"),
        ("SUB", [[9999]], "role"),
        ("PLC", [None, [None, None, 9999]], "feature"),
    ],
)
def test_a_number_outside_the_packs_lists_is_refused(compartment: Compartment, array: list[object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(1, compartment, array, PACK)

    assert (refused.value.code, refused.value.field) == ("unknown_code", field)


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=16),
    ),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=20,
)


@given(st.sampled_from(sorted(FORMS)), st.sampled_from(COMPARTMENTS), st.lists(ANYTHING, max_size=8))
def test_whatever_arrives_is_read_or_refused_and_never_breaks_a_reader(
    kind: int, compartment: Compartment, array: list[object]
) -> None:
    own = [kind, *array]
    readers: tuple[Callable[[], object], ...] = (
        lambda: read(kind, compartment, array, PACK),
        lambda: coded(kind, "SIT", own, PACK),
        lambda: rebuild(kind, {"SIT": [kind, 0, None, []], compartment: array}, PACK, array),
        lambda: read_brief(compartment, array, PACK),
        lambda: read_brief("SIT", own, PACK),
    )
    for reader in readers:
        try:
            reader()
        except Invalid as refused:
            assert refused.code in {"malformed", "unknown_code", "not_collected"}  # noqa: PT017 - either is right


def test_the_devices_own_sections_are_no_part_of_the_form() -> None:
    form = canary_form(1)
    cut = sections(form, "MUN", PACK)
    own: dict[Compartment, list[object]] = {"AUT": ["person", "device"], "ATT": []}

    assert rebuild(1, cut | own, PACK) == form


def test_a_part_that_the_kind_does_not_collect_is_never_read() -> None:
    with pytest.raises(Invalid) as refused:
        read(9, "SUB", [], PACK)

    assert (refused.value.code, refused.value.field) == ("not_collected", "SUB")


def test_a_report_is_not_put_together_without_its_situation() -> None:
    cuts: list[dict[Compartment, Any]] = [{}, {"SIT": [1, 0, None, []]}, {"SIT": "text"}]
    for cut in cuts:
        with pytest.raises(Invalid) as refused:
            rebuild(1, cut, PACK)
        assert refused.value.code == "malformed"


@pytest.mark.parametrize("extra", [["59", None], [None, None, 7], [None, None, [b"short"]], [None, None, [], 7]])
def test_an_author_part_that_no_form_made_is_malformed(extra: list[object]) -> None:
    cut = sections(canary_form(6), "SOC", PACK)

    with pytest.raises(Invalid) as refused:
        rebuild(6, cut, PACK, extra)

    assert refused.value.code == "malformed"


def test_whoever_may_be_a_child_is_nobody_s_suspect_for_a_reader() -> None:
    # No device files this; a section that came from elsewhere may say it.
    said = [Person(role="suspect", age_min=14, age_max=16), Person(role="suspect", age_band="18-20")]
    form = OrderIncident(observed_at=NOW, sub_kind="threat", subject=said)
    shown = read(1, "SUB", sections(form, "POL", PACK)["SUB"], PACK)

    assert [person.role for person in shown] == ["child", "suspect"]  # type: ignore[attr-defined]  # persons
