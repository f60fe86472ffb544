"""The page keeps the rows of what was not run again, and takes none of another machine."""

from __future__ import annotations

from typing import Final

import pytest

from benchmarks import page
from benchmarks.figures import HEADINGS, Figure, Limit, rows_of
from benchmarks.sizes import DEFAULT, FULL

FACTS: Final = [("processor", "one"), ("Python", "3"), ("load averages before and after", "1; 2")]
LIMIT: Final = Limit(name="a limit", unit="ms", rounds=(1, 2, 3, 4, 5))


def figure(workload: str, work: str) -> Figure:
    return Figure(workload=workload, work=work, unit="ms", rounds=(1, 2, 3, 4, 5), limit=LIMIT)


WHOLE: Final = page.render([figure("P2", "two"), figure("P11", "eleven")], FACTS, DEFAULT, now=0)


def works(text: str) -> list[str]:
    return [row[1] for row in rows_of(text, HEADINGS)]


def test_a_workload_run_by_itself_takes_the_place_of_its_rows_and_says_when_that_was() -> None:
    once = page.merge(WHOLE, [figure("P10", "ten"), figure("P10", "ten again")], FACTS, DEFAULT, now=86_400)
    again = page.merge(once, [figure("P10", "later")], FACTS, DEFAULT, now=2 * 86_400)

    assert works(once) == ["two", "ten", "ten again", "eleven"]
    assert works(again) == ["two", "later", "eleven"]
    assert '| run by itself: P10 | 1970-01-03, `make bench ARGS="--only P10"`, load averages' in again
    assert again.count("run by itself") == 1
    assert "* P10 has a town" in again
    assert "* P10 has a town" not in WHOLE
    assert page.merge(again, [figure("P10", "later")], FACTS, DEFAULT, now=2 * 86_400) == again


def test_rows_of_another_machine_or_another_number_of_rounds_do_not_join_a_page() -> None:
    with pytest.raises(ValueError, match="another machine"):
        page.merge(WHOLE, [figure("P10", "ten")], [("processor", "two"), *FACTS[1:]], DEFAULT, now=0)
    with pytest.raises(ValueError, match="rounds"):
        page.merge(WHOLE, [figure("P10", "ten")], FACTS, FULL, now=0)
