"""Tables by week: the own agency's exactly, the others' as published, and hidden figures never a number."""

from __future__ import annotations

from typing import Final

import pytest

from sluss_server.aggregates.cells import SCENE, SUM, TOTAL, Cell
from sluss_server.services.cube import Shown
from sluss_server.web.panels import interventions, outreach
from sluss_server.web.panels.chart import LIGHT, Look, specification
from sluss_server.web.panels.counts import Figure
from sluss_server.web.panels.figures import Column, Figures, last_weeks, week_number
from sluss_server.web.wording import words

from tests.forms.samples import PACK

KIND: Final = 13
SOCIAL: Final[Cell] = ("category", 4)


def shown(week: int, cell: Cell, figure: int | None) -> Shown:
    return Shown(KIND, week, cell, figure, 0, 0)


def figures(*, scene: int = 0, theirs: bool = True, files: bool = True) -> Figures:
    """Weeks 10 to 12, of which the others' last is yet to be published."""
    return Figures(
        own={(KIND, 10, TOTAL): 4, (KIND, 10, SOCIAL): 3, (KIND, 12, TOTAL): 1},
        shown=[
            shown(10, TOTAL, 15),
            shown(10, SOCIAL, 10),
            shown(10, (SCENE, 2), 5),
            shown(11, TOTAL, None),
            shown(11, SOCIAL, None),
        ],
        theirs={KIND: 5} if theirs else {},
        files=[KIND] if files else [],
        scene=scene,
    )


@pytest.mark.parametrize(
    ("scene", "week", "cell", "expected"),
    [
        (0, 10, TOTAL, Figure("shown", 15, 5)),
        (0, 10, SOCIAL, Figure("shown", 10, 5)),
        (0, 11, SOCIAL, Figure("hidden", 0, 5)),
        (0, 12, TOTAL, Figure("waiting", 0, 5)),
        (2, 10, TOTAL, Figure("shown", 5, 5)),
        # A place and a fact at once are told to nobody.
        (2, 10, SOCIAL, Figure("none")),
    ],
)
def test_a_figure_of_others_is_what_was_published(scene: int, week: int, cell: Cell, expected: Figure) -> None:
    assert figures(scene=scene).other(KIND, week, cell) == expected
    assert figures(scene=scene, theirs=False).other(KIND, week, cell) == Figure("none")


def test_a_sum_over_weeks_says_that_a_part_is_hidden() -> None:
    found = figures()

    assert found.others_total(KIND, [10, 12], TOTAL) == Figure("shown", 15, 5)
    assert found.others_total(KIND, [10, 11, 12], TOTAL).state == "part"
    assert found.others_total(KIND, [11, 12], TOTAL) == Figure("hidden", 0, 5)
    # Two hidden weeks are not "fewer than five".
    assert found.others_total(KIND, [11, 11], TOTAL) == Figure("part", 0, 5)
    assert found.others_total(KIND, [12], TOTAL).state == "waiting"
    assert (found.own_total(KIND, [10, 11, 12], TOTAL), figures(files=False).own_total(KIND, [10], TOTAL)) == (5, None)


def test_the_own_agency_sees_nought_as_nought_and_what_it_does_not_file_as_nothing() -> None:
    columns = [Column(kind=KIND, cell=TOTAL, label="All"), Column(kind=KIND, cell=SOCIAL, label="Social")]
    grid = figures(files=True).grid(columns, last_weeks(12, 3))

    assert [(line.week, line.own) for line in grid.lines] == [(12, (1, 0)), (11, (0, 0)), (10, (4, 3))]
    assert (grid.own_total(0), grid.files, grid.shared, grid.unsplit) == (5, True, True, False)
    nobody = figures(files=False, theirs=False).grid(columns, [12])
    assert (nobody.files, nobody.shared) == (False, False)
    assert figures(scene=2).grid(columns, [12]).unsplit


def test_interventions_are_told_by_the_four_categories_and_without_one() -> None:
    cells = [column.cell for column in interventions.columns(PACK)]

    assert cells == [*(("category", number) for number in (1, 2, 3, 4, 0)), TOTAL]
    assert [column.cell for column in outreach.columns(PACK)] == [TOTAL, TOTAL, ("naloxone_doses", SUM)]


@pytest.mark.parametrize("lang", ["sv", "en"])
def test_the_charts_have_the_tables_numbers(lang: str) -> None:
    look = Look(words(lang), LIGHT)
    grid = figures().grid(interventions.columns(PACK), [12, 11, 10])
    drawn = specification(interventions.CHART, grid, look)
    values = drawn["data"]["values"]  # type: ignore[index]

    assert [one["n"] for one in values if one["n"]] == [3]
    assert {one["week"] for one in values} == {week_number(week) for week in (10, 11, 12)}
    assert len(values) == 3 * 5
    # What others do not publish, and what the own agency does not file, is no line.
    lines = outreach.view(figures().grid(outreach.columns(PACK), [12]), look)
    assert lines["data"] == {"values": []}
