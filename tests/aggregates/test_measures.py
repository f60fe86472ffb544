"""Measures: ratios, levels, bands and objectives, from counts that may be hidden."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas.policy.pack import builtin
from sluss_schemas.statements import LEVELS
from sluss_server.aggregates import measures
from sluss_server.aggregates.measures import Attendance, Meeting, Standing

PACK = builtin()[-1]
BASE = 20_000


def numbers(list_: str) -> dict[str, int]:
    return {name: code.n for name, code in PACK.codes[list_].items()}


def test_the_numbers_here_are_the_packs() -> None:
    steps, states, meetings = numbers("mumin_step"), numbers("defect_status"), numbers("meeting")
    assert (steps["stopped"], steps["clinic_visit"]) == (measures.STOPPED, measures.CLINIC_VISIT)
    assert set(measures.STEPS) == set(steps.values())
    assert states["reported"] == measures.REPORTED
    assert {states["fixed"], states["verified"]} == measures.FIXED
    assert measures.FIXED | {states["declined"]} == measures.CLOSED
    levels = {name: measures.level_of(number) for name, number in meetings.items()}
    assert None not in levels.values()
    assert {name for name, level in levels.items() if level == "heads"} == {
        "weekly_heads",
        "regional_forum",
        "political_level",
        "steering_group",
    }
    assert LEVELS.keys() == {"street", "heads"}


def test_the_ratio_is_of_visits_to_young_people_who_were_stopped() -> None:
    found = measures.mumin_ratio({1: 40, 2: 38, 6: 25, 9: 3})
    assert (found.used, found.relevant, found.per_cent) == (25, 40, 63)
    assert measures.mumin_ratio({}).per_cent is None
    # Visits whose beginning lies in an earlier period.
    assert measures.mumin_ratio({6: 4}).per_cent == 100
    assert measures.funnel({6: 4, 1: None})[:2] == [(1, None), (2, 0)]


@pytest.mark.parametrize("steps", [{1: None, 6: 25}, {1: 40, 6: None}])
def test_a_ratio_of_a_hidden_count_is_hidden(steps: dict[int, int | None]) -> None:
    assert measures.mumin_ratio(steps).per_cent is None


def test_attendance_is_counted_at_two_levels_and_a_deputy_attends() -> None:
    street, heads = 2, 3
    found = measures.attendance(
        [
            Meeting(meeting=street, present=frozenset({1, 2}), absent=frozenset({3})),
            Meeting(meeting=street, present=frozenset({1}), deputy=frozenset({3}), absent_notified=frozenset({2})),
            # Named twice: as it attended best.
            Meeting(meeting=heads, present=frozenset({1}), absent=frozenset({1, 2})),
            Meeting(meeting=None, present=frozenset({5})),
        ]
    )
    assert found["street"].meetings == 2
    assert found["street"].agencies == {
        1: Attendance(present=2),
        2: Attendance(present=1, absent_notified=1),
        3: Attendance(deputy=1, absent=1),
    }
    assert [one.per_cent for one in found["street"].agencies.values()] == [100, 50, 50]
    assert (found["street"].per_cent, found["heads"].per_cent) == (67, 50)
    assert found["heads"].agencies == {1: Attendance(present=1), 2: Attendance(absent=1)}
    assert measures.attendance([])["heads"].per_cent is None


def test_a_repair_counts_from_the_first_word_to_the_repair_that_held() -> None:
    assert measures.days_to_fix([(BASE, 1), (BASE + 2, 3), (BASE + 9, 4), (BASE + 12, 5)]) == 9
    assert measures.days_to_fix([(BASE, 1), (BASE + 3, 4), (BASE + 5, 1), (BASE + 40, 4)]) == 40
    assert measures.days_to_fix([(BASE, 4)]) == 0
    assert measures.days_to_fix([(BASE, 1), (BASE + 3, 4), (BASE + 5, 1)]) is None
    assert measures.days_to_fix([(BASE, 1), (BASE + 3, 6)]) is None
    assert measures.days_to_fix([]) is None


def test_work_orders_stand_by_their_status_and_in_bands_of_time() -> None:
    found = measures.defect_states(
        [
            [(BASE, 1), (BASE + 1, 4)],
            [(BASE, 1), (BASE + 7, 5)],
            [(BASE, 1), (BASE + 91, 4)],
            [(BASE, 1), (BASE + 3, 3)],
            [(BASE + 99, 1)],
            [(BASE, 1), (BASE + 2, 6)],
            [],
        ],
        BASE + 100,
    )
    assert found.states == {1: 1, 3: 1, 4: 2, 5: 1, 6: 1}
    assert found.fixed == (1, 1, 0, 0, 1)
    assert found.waiting == (1, 0, 0, 0, 1)
    assert found.median == 7
    assert measures.defect_states([], BASE).median is None


@given(st.lists(st.lists(st.tuples(st.integers(BASE, BASE + 200), st.integers(1, 6)), min_size=1, max_size=5)))
def test_every_work_order_stands_at_one_status_and_in_one_band_at_most(histories: list[list[tuple[int, int]]]) -> None:
    histories = [sorted(one, key=lambda step: step[0]) for one in histories]
    found = measures.defect_states(histories, BASE + 200)
    assert sum(found.states.values()) == len(histories)
    declined = found.states.get(6, 0)
    assert sum(found.fixed) + sum(found.waiting) + declined == len(histories)


@pytest.mark.parametrize(
    ("value", "what", "direction", "today", "standing"),
    [
        (30, "count", "at_least", 10, "met"),
        (15, "count", "at_least", 50, "on_track"),
        (14, "count", "at_least", 50, "behind"),
        (29, "count", "at_least", 101, "missed"),
        (31, "count", "at_most", 10, "missed"),
        (15, "sum", "at_most", 50, "on_track"),
        (16, "sum", "at_most", 50, "behind"),
        (30, "sum", "at_most", 101, "met"),
        (30, "mumin_ratio", "at_least", 10, "on_track"),
        (29, "mumin_ratio", "at_least", 10, "behind"),
        (30, "mumin_ratio", "at_least", 101, "met"),
        (29, "mumin_ratio", "at_least", 101, "missed"),
        (30, "days_to_fix", "at_most", 10, "on_track"),
        (31, "days_to_fix", "at_most", 10, "behind"),
        (31, "days_to_fix", "at_most", 101, "missed"),
        (None, "count", "at_least", 101, "hidden"),
        (0, "count", "at_least", 0, "on_track"),
    ],
)
def test_an_objective_stands_as_its_value_and_its_time_say(
    value: int | None, what: str, direction: Literal["at_most", "at_least"], today: int, standing: Standing
) -> None:
    found = measures.progress(value, what=what, direction=direction, target=30, days=(1, 100), today=today)
    assert found.standing == standing
    assert found.time_over == min(today, 100)
    assert found.value == value
