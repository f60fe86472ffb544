"""Objectives and duties: how an aim stands by what is known, and what is overdue first."""

from __future__ import annotations

from typing import Final, Literal

import pytest

from sluss_schemas.statements import Measure, ObjectiveTerms
from sluss_server.aggregates import measures
from sluss_server.aggregates.cells import SUM, TOTAL, Cell
from sluss_server.aggregates.measures import Meeting
from sluss_server.services.cube import Shown
from sluss_server.services.tasks import TaskCount
from sluss_server.web.panels import duties, objectives
from sluss_server.web.panels.figures import Figures
from sluss_server.web.panels.objectives import Said, Value

from tests.forms.samples import PACK

FIRST: Final = 20_486
"""A Monday; the objectives here run for a hundred days from it on."""
What = Literal["count", "sum", "mumin_ratio", "attendance", "days_to_fix"]


def terms(
    what: What = "count", direction: Literal["at_most", "at_least"] = "at_least", target: int = 100
) -> ObjectiveTerms:
    kind = 13 if what == "count" else 10 if what == "sum" else None
    measure = Measure(what=what, kind=kind, dim="needles" if what == "sum" else "", value=None)
    return ObjectiveTerms(
        objective=bytes(16),
        measure=measure,
        scene=None,
        direction=direction,
        target=target,
        since=FIRST,
        until=FIRST + 99,
        title="An aim",
        ended=False,
    )


STANDINGS: Final[list[tuple[What, Literal["at_most", "at_least"], Value, int, Said]]] = [
    ("count", "at_least", Value(known=0), -1, "to_come"),
    ("count", "at_least", Value(known=60), 49, "on_track"),
    ("count", "at_least", Value(known=40), 49, "behind"),
    ("count", "at_least", Value(known=100, whole=False), 49, "met"),
    ("count", "at_least", Value(known=99, whole=False), 49, "hidden"),
    ("count", "at_most", Value(known=101, whole=False), 49, "missed"),
    ("count", "at_most", Value(known=100, whole=False), 99, "hidden"),
    ("count", "at_least", Value(known=99), 100, "missed"),
    ("attendance", "at_least", Value(known=None, whole=False), 49, "hidden"),
    ("days_to_fix", "at_most", Value(known=3), 49, "on_track"),
]


@pytest.mark.parametrize(("what", "direction", "value", "day", "expected"), STANDINGS)
def test_an_aim_stands_as_what_is_known_decides(
    what: What, direction: Literal["at_most", "at_least"], value: Value, day: int, expected: Said
) -> None:
    _, standing = objectives.standing_of(terms(what, direction), value, FIRST + day)

    assert standing == expected
    assert standing in objectives.STANDINGS


def test_what_is_counted_is_the_own_and_what_is_published_in_whole_weeks() -> None:
    weeks = objectives.weeks_of(terms(), FIRST + 10)
    own = {(13, week, TOTAL): 4 for week in weeks}
    shown = [Shown(13, weeks[0], TOTAL, 15, 0, 0), Shown(13, weeks[1], TOTAL, None, 0, 0)]
    found = Figures(own=own, shown=shown, theirs={13: 5}, files=[13])

    assert len(weeks) == 2
    assert objectives.counted(found, terms().measure, weeks[:1]) == Value(known=19)
    assert objectives.counted(found, terms().measure, weeks) == Value(known=23, whole=False)
    assert objectives.weeks_of(terms(), FIRST - 1) == []
    assert len(objectives.weeks_of(terms(), FIRST + 900)) == 15


def test_at_a_scene_nothing_is_told_of_others_facts_so_the_sum_is_a_part() -> None:
    found = Figures(own={(10, 5, ("needles", SUM)): 7}, shown=[], theirs={10: 5}, files=[10], scene=2)

    assert objectives.counted(found, terms("sum").measure, [5]) == Value(known=7, whole=False)


@pytest.mark.parametrize(
    ("measure", "cell", "code"),
    [
        (Measure(what="count", kind=13, dim="", value=None), TOTAL, ""),
        (Measure(what="count", kind=13, dim="category", value=4), ("category", 4), "social prevention"),
        (Measure(what="sum", kind=10, dim="needles", value=None), ("needles", SUM), ""),
        (Measure(what="count", kind=99, dim="", value=3), TOTAL, ""),
    ],
)
def test_a_measure_names_a_cell_and_a_code(measure: Measure, cell: Cell, code: str) -> None:
    found = objectives.code_of(PACK, measure)

    assert objectives.cell_of(measure) == cell
    assert ("" if found is None else found.en) == code


def test_attendance_is_of_a_level_or_of_both() -> None:
    levels = measures.attendance(
        [
            Meeting(meeting=1, present=frozenset({1, 2})),
            Meeting(meeting=10, present=frozenset({1}), absent=frozenset({2})),
        ]
    )

    assert [objectives.attended(levels, level) for level in (None, 1, 2)] == [75, 100, 50]
    assert objectives.attended(measures.attendance([]), None) is None


def test_an_objective_is_shown_a_quarter_longer_than_it_runs() -> None:
    last = FIRST + 99 + objectives.AFTERWARDS_DAYS
    assert [objectives.shown(terms(), day) for day in (FIRST, last, last + 1)] == [True, True, False]


def test_duties_are_summed_by_code_and_what_is_overdue_stands_first() -> None:
    counts = [
        TaskCount("L01", "later", 9),
        TaskCount("L11", "overdue", 2),
        TaskCount("L11", "done", 5),
        TaskCount("L14", "past", 80),
        TaskCount("XX", "soon", 1),
    ]
    found = duties.duties_of(counts, PACK.gateways)

    assert [(row.code, row.overdue, row.soon, row.later, row.done) for row in found.rows] == [
        ("L11", 2, 0, 0, 5),
        ("XX", 0, 1, 0, 0),
        ("L01", 0, 0, 9, 0),
    ]
    assert [row.gateway is None for row in found.rows] == [False, True, False]
    assert (found.total.overdue, found.total.soon, found.total.later, found.total.done) == (2, 1, 9, 5)
    assert duties.duties_of([], {}).rows == ()
