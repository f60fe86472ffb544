"""The pulse: a week against the four before it, and no verdict before it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates.cells import TOTAL
from sluss_server.web.panels import pulse
from sluss_server.web.panels.chart import DARK, LIGHT, NARROW, Look, specification
from sluss_server.web.panels.counts import Figure, Usual
from sluss_server.web.wording import words

from tests.web.counted import FIRST, K01, K09, weekly

PACK = builtin()[-1]


@pytest.mark.parametrize(
    ("number", "over", "still_open"),
    [(1, "below", "open"), (2, "within", "open"), (6, "within", "open"), (7, "above", "above")],
)
def test_outside_is_below_or_above_all_four_weeks(number: int, over: str, still_open: str) -> None:
    usual = Usual(4, 2, 6)

    assert pulse.verdict(number, usual, is_open=False) == over
    assert pulse.verdict(number, usual, is_open=True) == still_open


def test_the_own_numbers_are_exact_and_a_median_of_others_is_a_figure_that_was_published() -> None:
    numbers = weekly(
        {(K01, 1): (2, 4, 6, 3, 9), (K01, 2): (0, 0, 0, 0, 1)},
        {(K01, TOTAL): (5, 20, 10, 15, 25), (K09, TOTAL): (5, None, 10, 10, None)},
    )
    found = pulse.pulse(numbers, PACK, FIRST + 4, 0, is_open=False)
    mine, theirs = found.rows

    assert (mine.own, mine.usual, mine.verdict) == (10, Usual(3.5, 2, 6), "above")
    assert (mine.others, mine.others_before) == (Figure("shown", 25, 5), Figure("shown", 10, 5))
    assert (theirs.own, theirs.usual) == (None, None)
    assert (theirs.others, theirs.others_before) == (Figure("hidden", 0, 5), Figure("hidden", 0, 5))
    assert (found.total, found.mine, found.unusual) == (10, (mine,), (mine,))
    assert pulse.pulse(numbers, PACK, FIRST + 4, 2, is_open=False).total == 1


def test_the_picture_is_of_the_own_numbers_in_the_language_and_the_colours() -> None:
    found = pulse.pulse(weekly({(K01, 1): (2, 4, 6, 3, 9)}), PACK, FIRST + 4, 0, is_open=False)
    swedish = str(specification(pulse.CHART, found, Look(words("sv"), DARK)))
    english = str(specification(pulse.CHART, found, Look(words("en"), LIGHT)))

    assert "Vanligt spann" in swedish
    assert DARK.main in swedish
    assert "Usual range" in english
    assert LIGHT.main in english
    assert "'n': 9, 'low': 2, 'high': 6, 'median': 3.5" in english
    assert swedish == str(specification(pulse.CHART, found, Look(words("sv"), DARK)))
    narrow = specification(pulse.CHART, found, Look(words("sv"), DARK, narrow=True))
    assert (narrow["width"], narrow["height"]) == (NARROW, pulse.CHART.height)
    assert "'minExtent': 125" in str(narrow)


def test_a_young_partnership_is_compared_with_the_weeks_that_there_were() -> None:
    numbers = weekly({(K01, 1): (0, 0, 0, 4, 9)}, {(K01, TOTAL): (5, 5, 5, 20, 25)})
    second = pulse.pulse(replace(numbers, first=FIRST + 3), PACK, FIRST + 4, 0, is_open=False)
    newest = pulse.pulse(replace(numbers, first=FIRST + 4), PACK, FIRST + 4, 0, is_open=False)

    assert (second.before, second.total_usual, second.rows[0].verdict) == (1, Usual(4, 4, 4), "open")
    assert second.rows[0].others_before == Figure("shown", 20, 5)
    assert (newest.before, newest.total_usual, newest.rows[0].verdict) == (0, None, "open")
    assert newest.rows[0].others_before == Figure("none")
    assert newest.unusual == ()
