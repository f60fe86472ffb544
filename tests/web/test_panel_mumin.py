"""MUMIN's funnel: counted since its objective began, and hidden where a count is."""

from __future__ import annotations

from typing import Final

import pytest

from sluss_schemas.statements import Measure, ObjectiveTerms
from sluss_server.aggregates.cells import days_of
from sluss_server.services.cube import Shown
from sluss_server.web.panels import mumin
from sluss_server.web.panels.chart import DARK, Look
from sluss_server.web.panels.counts import Figure
from sluss_server.web.panels.figures import Figures, codes
from sluss_server.web.wording import words

from tests.forms.samples import PACK

WEEK: Final = 2926
STEPS: Final = codes(PACK, "mumin_step")


def aim(first: int, last: int, *, what: str = "mumin_ratio", ended: bool = False, name: int = 0) -> ObjectiveTerms:
    return ObjectiveTerms(
        objective=bytes(15) + bytes([name]),
        measure=Measure(what=what, kind=None, dim="", value=None),  # type: ignore[arg-type]  # the table's own
        scene=None,
        direction="at_least",
        target=50,
        since=days_of(first)[0],
        until=days_of(last)[1] - 1,
        title="Half of them",
        ended=ended,
    )


def test_the_objective_is_the_one_that_runs_and_ends_first() -> None:
    near, far = aim(WEEK - 4, WEEK), aim(WEEK - 8, WEEK + 9, name=1)
    others = [aim(WEEK - 9, WEEK - 1), aim(WEEK + 1, WEEK + 2), aim(WEEK, WEEK, ended=True)]

    assert mumin.aim_of([far, *others, near], WEEK) == near
    assert mumin.aim_of([*others, aim(WEEK, WEEK, what="attendance")], WEEK) is None


@pytest.mark.parametrize(("begins", "weeks"), [(WEEK - 4, 5), (WEEK, 1), (WEEK - 500, mumin.LONGEST)])
def test_the_weeks_are_those_of_the_objective(begins: int, weeks: int) -> None:
    found = mumin.weeks_of(aim(begins, WEEK + 1), WEEK)
    assert (len(found), found[0]) == (weeks, WEEK)
    assert len(mumin.weeks_of(None, WEEK)) == mumin.WEEKS


def counted(others: dict[int, int | None]) -> Figures:
    """Three were stopped and one came to the clinic; `others` by step."""
    return Figures(
        own={(8, WEEK, (mumin.DIM, 1)): 3, (8, WEEK, (mumin.DIM, 6)): 1},
        shown=[Shown(8, WEEK, (mumin.DIM, step), figure, 0, 0) for step, figure in others.items()],
        theirs={8: 10} if others else {},
        files=[8],
    )


@pytest.mark.parametrize(
    ("others", "per_cent", "rounded"),
    [({}, 33, False), ({1: 15, 6: 10}, 61, True), ({1: None, 6: 10}, None, True), ({1: 15, 6: None}, None, True)],
)
def test_a_ratio_of_a_hidden_count_is_hidden(
    others: dict[int, int | None], per_cent: int | None, *, rounded: bool
) -> None:
    found = mumin.funnel(counted(others), STEPS, [WEEK], None)

    assert (found.ratio.per_cent, found.rounded) == (per_cent, rounded)
    assert [step.code.n for step in found.steps] == list(range(1, 10))


@pytest.mark.parametrize(
    ("joint", "others", "expected"),
    [
        (3, Figure("none"), 3),
        (0, Figure("shown", 15), 15),
        (3, Figure("waiting"), 3),
        (3, Figure("hidden"), None),
        (3, Figure("part", 15), None),
    ],
)
def test_a_sum_of_both_is_only_told_where_all_of_it_is(joint: int, others: Figure, expected: int | None) -> None:
    assert mumin.together(joint, others) == expected


def test_a_hidden_step_has_no_bar() -> None:
    found = mumin.funnel(counted({1: None, 6: 10}), STEPS, [WEEK], None)
    view = mumin.view(found, Look(words("en"), DARK))

    assert [one["n"] for one in view["data"]["values"]] == [3, 1, 10]  # type: ignore[index]
