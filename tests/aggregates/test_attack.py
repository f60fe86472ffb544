"""Whoever has every table and every revision of it, and knows their own numbers, learns no small number.

The same attacker finds what two faulty builds let out: one that hides small cells only, and one that protects each
revision by itself.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates import publish
from sluss_server.aggregates.catalogue import Rule, Sum, Table, table_of
from sluss_server.aggregates.cells import GIVEN, SCENE, SUM, TOTAL, Cell, Family
from sluss_server.aggregates.protect import is_even, protect
from sluss_server.aggregates.publish import Exact

from tests.aggregates.attacker import known_too_well
from tests.aggregates.made import RULE, Story, counted, counts, reports, table

OVERDOSES = table_of(builtin()[-1], 4, (1, 2))
"""Scenes, how it ended, what was taken, and in what age groups: the kind that has the most of one person in it."""
SHAPES = [table(3, 3), table(4, 2, 3), table(2, 4), OVERDOSES]


def told(shape: Table, seed: int, sizes: tuple[int, ...], leaving: tuple[int, ...], rule: Rule) -> Story:
    """Return a week that was published, and looked at again as reports came late and others were corrected."""
    chance = random.Random(seed)
    story, there = Story(shape, rule), reports(shape, sizes[0], chance)
    story.published(counted(shape, there))
    for more, fewer in zip(sizes[1:], leaving, strict=False):
        chance.shuffle(there)
        there = there[min(fewer, len(there)) :] + reports(shape, more, chance)
        story.published(counted(shape, there))
    return story


stories = st.builds(
    told,
    st.sampled_from(SHAPES),
    st.integers(0, 1 << 32),
    st.tuples(st.integers(0, 70), st.integers(0, 25), st.integers(0, 25)),
    st.tuples(st.sampled_from([0, 0, 1, 9]), st.sampled_from([0, 0, 2, 12])),
    st.sampled_from([RULE, Rule(10, 1, 5, 0)]),
)


@pytest.mark.parametrize("guesses", [True, False], ids=["guessing", "sober"])
@given(story=stories)
@settings(max_examples=18)
def test_no_small_number_and_no_small_movement_is_found(guesses: bool, story: Story) -> None:  # noqa: FBT001
    assert known_too_well(story.attacker(guesses=guesses), story.small(), story.rule.k) == []


def test_a_build_that_hides_small_cells_only_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "protect", lambda _families, _values, candidates, *_: frozenset(candidates))
    shape = table(3)
    story = Story(shape, RULE)
    story.published(counts(shape, {TOTAL: 37, (SCENE, 0): 20, (SCENE, 1): 14, (SCENE, 2): 3}))

    assert [cell for _, _, cell, _ in known_too_well(story.attacker(), story.small(), 5)] == [(SCENE, 2)]


def test_a_build_that_forgets_the_age_groups_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ages(families: Sequence[Family], *more: Any) -> frozenset[Cell]:  # noqa: ANN401  # as it was given
        return protect([one for one in families if one.children[0][0] != "age_groups"], *more)

    def most(age: int) -> dict[Cell, int]:
        """Return one report at the first child of every family but the last."""
        return {TOTAL: 1, **{one.children[1]: 1 for one in OVERDOSES.families[:-1]}, ("age_groups", age): 1}

    exact = counts(OVERDOSES, *[most(3)] * 25, *[most(2)] * 14, *[most(1)] * 3)
    rule, found = Rule(10, 1, 5, 0), list[list[Cell]]()
    for build in (without_ages, protect):
        monkeypatch.setattr(publish, "protect", build)
        story = Story(OVERDOSES, rule)
        story.published(exact)
        found.append([cell for _, _, cell, _ in known_too_well(story.attacker(), story.small(), rule.k)])

    assert ("age_groups", 1) in found[0]
    assert found[1] == []


def test_a_build_that_protects_each_revision_by_itself_is_caught() -> None:
    def alone(
        shape: Table, exact: Exact, _before: Mapping[Cell, int], _shown: set[Cell], rule: Rule
    ) -> dict[Cell, int]:
        found = publish.first(shape, exact, rule)
        return {cell: figure for cell, figure in found.items() if figure is not None}

    shape = table(3)
    was = counts(shape, {TOTAL: 40, (SCENE, 0): 20, (SCENE, 1): 12, (SCENE, 2): 8})
    now = counts(shape, was, {TOTAL: 7, (SCENE, 0): 6, (SCENE, 1): 1})
    faulty, sound = Story(shape, RULE), Story(shape, RULE)
    for story, revise in ((faulty, alone), (sound, publish.revised)):
        story.published(was)
        story.published(now, revise)

    caught = known_too_well(faulty.attacker(), faulty.small(), 5)
    assert {(what, cell) for _, what, cell, _ in caught} >= {("movement", (SCENE, 1))}
    assert known_too_well(sound.attacker(), sound.small(), 5) == []


def test_a_figure_that_is_hidden_once_stays_hidden() -> None:
    shape = table(3)
    story = Story(shape, RULE)
    was = counts(shape, {TOTAL: 29, (SCENE, 0): 14, (SCENE, 1): 12, (SCENE, 2): 3})
    story.published(was)
    assert set(story.given[0]) == {TOTAL, (SCENE, 0)}

    assert story.published(counts(shape, was, {TOTAL: 9, (SCENE, 0): 0, (SCENE, 2): 9}))

    assert set(story.given[1]) == {TOTAL}, "that the third scene came from three to twelve tells what it was"


def test_one_report_more_or_less_changes_nothing_that_was_published() -> None:
    shape = table(4, 3)
    chance = random.Random(7)
    there = reports(shape, 60, chance)
    first = publish.first(shape, Exact(counted(shape, there), {}), RULE)
    shown = {cell for cell, figure in first.items() if figure is not None}
    assert shown

    for number in range(RULE.k):
        for changed in (there + reports(shape, number, chance), there[number:]):
            now = counted(shape, changed)
            assert publish.revised(shape, Exact(now, {}), counted(shape, there), shown, RULE) == {}


def test_nought_and_three_look_alike() -> None:
    shape = table(4)
    nought = counts(shape, {TOTAL: 30, (SCENE, 0): 14, (SCENE, 1): 16})
    three = counts(shape, {TOTAL: 30, (SCENE, 0): 14, (SCENE, 1): 13, (SCENE, 2): 3})

    for exact in (nought, three):
        found = publish.first(shape, Exact(exact, {}), RULE)
        assert found[SCENE, 2] is None
        assert found[SCENE, 3] is None


def test_two_agencies_of_which_each_is_the_others_attacker() -> None:
    """What each is shown is the other's count alone, so whoever subtracts their own has just that."""
    shape = table(3)
    mine = counts(shape, {TOTAL: 30, (SCENE, 0): 20, (SCENE, 1): 10})
    theirs = counts(shape, {TOTAL: 27, (SCENE, 0): 12, (SCENE, 1): 12, (SCENE, 2): 3})
    story = Story(shape, RULE)
    story.published(theirs)
    both = Story(shape, RULE)
    both.published(publish.added([Exact(mine, {}), Exact(theirs, {})]).counts)  # type: ignore[arg-type]  # a dict

    assert (SCENE, 2) not in story.given[0]
    assert known_too_well(story.attacker(), story.small(), 5) == []
    # The cube of all would let each take its own numbers away and see the other's small ones.
    assert (SCENE, 1) in both.given[0] or (SCENE, 0) in both.given[0]


def test_two_who_put_their_numbers_together_see_what_is_left_of_what_they_are_shown_and_no_more() -> None:
    """Nobody claims more: each alone is kept from what is small, and whoever hands over a file hands over their own."""
    shape = table(3)
    first = counts(shape, {TOTAL: 60, (SCENE, 0): 20, (SCENE, 1): 40})
    second = counts(shape, {TOTAL: 46, (SCENE, 0): 11, (SCENE, 1): 35})
    third = counts(shape, {TOTAL: 22, (SCENE, 0): 19, (SCENE, 1): 2, (SCENE, 2): 1})
    learned = dict[Cell, int]()
    for other in (first, second):
        theirs = {cell: other[cell] + third[cell] for cell in shape.cells}
        story = Story(shape, RULE)
        story.published(theirs)
        assert known_too_well(story.attacker(), story.small(), 5) == []
        assert (SCENE, 2) not in story.given[0]
        learned |= {cell: theirs[cell] - other[cell] for cell in story.given[0]}

    # Both together know that the third had two at one scene: it is in the threat model.
    assert learned == {TOTAL: 22, (SCENE, 1): 2}


def test_rounding_is_to_the_nearest_five() -> None:
    assert [publish.rounded(number, 5) for number in (0, 5, 7, 8, 12, 13, 14, 15, 17, 18)] == [
        *(0, 5, 5, 10, 10, 15, 15, 15, 15, 20)
    ]


def test_one_persons_work_is_no_cell() -> None:
    rule = Rule(10, 2, 5, 0)
    shape = table(3)
    exact = Exact(
        counts(shape, {TOTAL: 45, (SCENE, 0): 20, (SCENE, 1): 14, (SCENE, 2): 11}),
        {TOTAL: 3, (SCENE, 0): 2, (SCENE, 1): 1, (SCENE, 2): 2},
    )

    found = publish.first(shape, exact, rule)

    assert {cell for cell, figure in found.items() if figure is not None} == {TOTAL, (SCENE, 0)}


@pytest.mark.parametrize(("given_", "shown"), [(9, False), (10, True)])
def test_a_sum_is_shown_where_enough_reports_give_something(given_: int, shown: bool) -> None:  # noqa: FBT001
    shape = Table(table(2).families, (Sum("doses", 20),))
    exact = Exact({TOTAL: 30, (SCENE, 0): 15, (SCENE, 1): 15, ("doses", GIVEN): given_, ("doses", SUM): 23}, {})

    assert publish.first(shape, exact, Rule(10, 1, 5, 0))["doses", SUM] == (25 if shown else None)


def summed(exact: Mapping[Cell, int], rule: Rule, before: Mapping[Cell, int] | None = None) -> int | None:
    """Return what is published of a sum, at first or as a revision."""
    shape = Table(table(2).families, (Sum("needles", 10_000),))
    if before is None:
        return publish.first(shape, Exact(exact, {}), rule)["needles", SUM]
    return publish.revised(shape, Exact(exact, {}), before, {*shape.cells, ("needles", SUM)}, rule).get(
        ("needles", SUM)
    )


def of_reports(*numbers: int) -> dict[Cell, int]:
    """Return the counts of reports that give so many each, all of them at one scene."""
    count = {TOTAL: len(numbers), (SCENE, 0): len(numbers), (SCENE, 1): 0}
    return {**count, ("needles", GIVEN): len(numbers), ("needles", SUM): sum(numbers)}


def near(numbers: tuple[int, ...]) -> float:
    """Return how near the author of the second largest comes to the largest, as a share of it."""
    largest, second = sorted(numbers, reverse=True)[:2]
    return (sum(numbers) - second - largest) / largest


UNEVEN = [(300, 4, 1, 1, 1, 1), (90, 60, 1, 1, 1), (11, 2, 9, 8, 400)]


@given(st.lists(st.integers(1, 60), min_size=2, max_size=12))
@settings(max_examples=200)
def test_a_sum_lets_the_second_largest_tell_the_largest_no_better_than_to_a_tenth(numbers: list[int]) -> None:
    if is_even(sum(numbers), len(numbers), 60):
        assert near(tuple(numbers)) >= 0.1


@pytest.mark.parametrize("numbers", UNEVEN)
def test_a_sum_that_is_nearly_one_reports_is_hidden_and_a_build_that_shows_it_is_caught(
    numbers: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert summed(of_reports(*numbers), RULE) is None
    even = of_reports(*[3] * 20)
    assert summed(even, RULE) == 60
    later = {cell: number + of_reports(*numbers)[cell] for cell, number in even.items()}
    assert summed(later, RULE, even) is None, "the movement is nearly one report"
    assert summed({cell: 2 * number for cell, number in even.items()}, RULE, even) == 120

    monkeypatch.setattr(publish, "is_even", lambda *_: True)
    assert summed(of_reports(*numbers), RULE) is not None
    assert near(numbers) < 0.1, "and the largest is found out"
