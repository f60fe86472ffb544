"""The trend: half a year, in which nothing that is hidden looks like a fall."""

from __future__ import annotations

from dataclasses import replace

from sluss_server.aggregates.cells import SCENE, TOTAL
from sluss_server.web.panels import trend
from sluss_server.web.panels.chart import LIGHT, Look, specification
from sluss_server.web.panels.counts import Figure
from sluss_server.web.panels.trend import Trend
from sluss_server.web.wording import words

from tests.web.counted import K01, K09, scene, weekly

NUMBERS = weekly(
    {(K01, 1): (1, 5, 3), (K01, 2): (0, 1, 0), (K09, 1): (1, 0, 0)},
    {(K01, TOTAL): (15, None, 10), (K01, (SCENE, 1)): (None, None, 10)},
)


def test_each_week_is_all_kinds_together_everywhere_or_at_a_scene() -> None:
    everywhere, one = trend.series(NUMBERS, 0, None), trend.series(NUMBERS, 1, scene(1))

    assert (everywhere.own, everywhere.median) == ((2, 6, 3), 3)
    assert [figure.state for figure in everywhere.others] == ["shown", "hidden", "shown"]
    assert (one.own, one.others[2]) == ((2, 5, 3), Figure("shown", 10, 5))


def test_a_hidden_week_is_a_gap_in_the_picture_and_no_nought() -> None:
    data = Trend(weeks=tuple(NUMBERS.weeks), chosen=trend.series(NUMBERS, 0, None), scenes=(), kinds=(), kind=None)
    for chart in (trend.CHART, trend.SMALL):
        drawn = specification(chart, data, Look(words("en"), LIGHT))
        assert [one["others"] for one in drawn["data"]["values"]] == [15, None, 10]  # type: ignore[index]
        assert drawn["width"] == chart.width
    assert [week for week, _, _ in data.rows] == list(NUMBERS.weeks)[::-1]


def test_weeks_from_before_there_was_anything_are_not_weeks_of_nought() -> None:
    young = replace(NUMBERS, first=NUMBERS.weeks.start + 1)

    assert (trend.series(young, 0, None).own, trend.series(young, 0, None).median) == ((6, 3), 4.5)
    assert list(trend.weeks_of(young)) == list(NUMBERS.weeks)[1:]
    # The week that is looked at is always there.
    assert list(trend.weeks_of(replace(NUMBERS, first=9999))) == [NUMBERS.weeks[-1]]


def test_of_many_scenes_those_with_the_most_reports_are_drawn_in_their_usual_order() -> None:
    many = weekly({(K01, place): (place % 7,) for place in range(1, 49)})
    scenes = tuple(trend.series(many, place, scene(place)) for place in range(1, 49))
    data = Trend(weeks=tuple(many.weeks), chosen=scenes[0], scenes=scenes, kinds=(), kind=None)

    places = [one.scene.number for one in data.drawn if one.scene]
    assert (len(places), len(data.scenes)) == (trend.DRAWN, 48)
    assert places == sorted(places)
    assert {place % 7 for place in places} == {5, 6}
    assert not data.gaps
