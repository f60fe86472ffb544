"""Which tables there are, that their families add up, and whose reports are in what others see."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas.ids import SECTORS
from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates.catalogue import (
    counts_for_others,
    dimensions,
    is_counted,
    rule_of,
    table_of,
    tally,
)
from sluss_server.aggregates.cells import SCENE, SUM, TOTAL, begins, days_of, month_days, week_name, week_named, week_of

PACK = builtin()[-1]
COUNTED = [kind for kind in PACK.kinds if is_counted(PACK, kind)]
ZONE = "Europe/Stockholm"


def test_what_is_secret_is_never_counted() -> None:
    for pack in builtin():
        assert {kind for kind in range(20) if not is_counted(pack, kind)} == {0, 6, 16, 19}


def test_the_dimensions_are_those_of_the_pack() -> None:
    found = {kind: [one.name for one in dimensions(PACK, kind)] for kind in COUNTED}
    assert found == {
        1: ["sub_kind", "severity"],
        2: ["sub_kind"],
        3: ["found_as", "substances"],
        4: ["naloxone_doses", "outcome", "suspected_groups", "age_groups"],
        5: [],
        7: [],
        8: ["step"],
        9: ["severity", "status", "defects"],
        10: ["needles"],
        11: [],
        12: ["severity"],
        13: ["category"],
        14: ["meeting", "present", "deputy", "absent_notified", "absent"],
        15: [],
        17: [],
        18: ["direction", "caution"],
    }
    assert [one.name for kind in COUNTED for one in dimensions(PACK, kind) if one.summed] == [
        "naloxone_doses",
        "needles",
    ]
    # Four categories of intervention, and what was not given.
    assert len(dimensions(PACK, 13)[0].values) == 5


def test_whose_reports_others_count() -> None:
    closed = {
        (kind, owner)
        for kind in COUNTED
        for owner in PACK.kinds[kind].owners
        if not counts_for_others(PACK, kind, owner)
    }
    # A planned operation, and what one shift tells the next.
    assert closed == {(13, "POL"), *((17, owner) for owner in ("POL", "SEC", "SOC", "MUN"))}
    assert not any(counts_for_others(PACK, kind, owner) for kind in (6, 16, 19) for owner in SECTORS)


def test_the_thresholds_are_the_packs() -> None:
    assert {kind for kind in COUNTED if rule_of(PACK, kind).k == 10} == {4, 5, 7, 8}
    assert {kind for kind in COUNTED if rule_of(PACK, kind).contributors == 2} == {4, 5, 7, 8}
    assert {kind for kind in COUNTED if rule_of(PACK, kind).delay_days} == {5}
    assert {rule_of(PACK, kind).k for kind in COUNTED} == {5, 10}


facts: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.integers(0, 400), st.lists(st.integers(0, 400), max_size=3).map(tuple)
)


@pytest.mark.parametrize("kind", COUNTED)
@given(values=st.lists(facts, max_size=4))
def test_a_report_stands_at_one_child_of_each_family_whatever_it_tells(kind: int, values: list[Any]) -> None:
    table = table_of(PACK, kind, (1, 2))
    found = tally(PACK, kind, values)

    assert found[0] == (TOTAL, 1)
    for family in table.families:
        if family.children and family.children[0][0] != SCENE:
            assert [number for cell, number in found if cell in family.children] == [1]
    assert all(cell in {*table.figures, *((one.name, SUM + 1) for one in table.sums)} for cell, _ in found)


@given(st.integers(0, 80_000))
def test_weeks_are_iso_weeks(day: int) -> None:
    week = week_of(day)
    first, after = days_of(week)
    assert first <= day < after == first + 7
    assert week_named(week_name(week)) == week


def test_days_begin_at_the_zones_midnight() -> None:
    assert week_name(week_of(0)) == "1970-W01"
    monday = days_of(week_named("2026-W06"))[0]
    # 2 February 2026, 00:00 in Stockholm.
    assert begins(monday, ZONE) == 1_769_986_800
    assert month_days(2026, 2) == (monday - 1, monday + 27)
    with pytest.raises(ValueError, match="week"):
        week_named("2026-W99")
