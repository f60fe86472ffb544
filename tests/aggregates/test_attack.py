"""Whoever has every table and every revision of it, and knows their own numbers, learns no small number.

The same attacker finds what faulty builds let out: one that hides small cells only, one that protects each revision by
itself, one that asks whose a count is and not whose a movement, and one whose joint screen shows what any of them sees.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluss_schemas.ids import NO_SCENE
from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates import publish
from sluss_server.aggregates.catalogue import Rule, Sum, Table, table_of
from sluss_server.aggregates.cells import GIVEN, SCENE, SUM, TOTAL, Cell, Family
from sluss_server.aggregates.protect import is_even, protect
from sluss_server.aggregates.publish import Exact

from tests.aggregates.attacker import Attacker, Publication, known_too_well
from tests.aggregates.made import RULE, Story, counted, counts, reports, table, whose

OVERDOSES = table_of(builtin()[-1], 4, (1, 2))
"""Scenes, how it ended, what was taken, and in what age groups: the kind that has the most of one person in it."""
STAFF = [b"ada", b"bo", b"cy"]
TWO = Rule(10, 2, 5, 0)
SHAPES = [table(3, 3), table(4, 2, 3), table(2, 4), OVERDOSES]


def told(shape: Table, seed: int, sizes: tuple[int, ...], leaving: tuple[int, ...], rule: Rule) -> Story:
    """Return a week that was published, and looked at again as reports came late and others were corrected.

    A few of the staff write most of it, and what comes late is now and then all one's.
    """
    chance = random.Random(seed)

    def written(size: int, staff: list[bytes]) -> list[tuple[tuple[Cell, ...], bytes]]:
        return [(one, chance.choices(staff, (9, 4, 1)[: len(staff)])[0]) for one in reports(shape, size, chance)]

    story, there = Story(shape, rule), written(sizes[0], STAFF)
    exact, people = told_by(shape, there)
    story.published(exact, people=people)
    for more, fewer in zip(sizes[1:], leaving, strict=False):
        chance.shuffle(there)
        there = there[min(fewer, len(there)) :] + written(more, chance.choice([STAFF, STAFF[:2], STAFF[1:2]]))
        exact, people = told_by(shape, there)
        story.published(exact, people=people)
    return story


def told_by(
    shape: Table, there: Sequence[tuple[tuple[Cell, ...], bytes]]
) -> tuple[dict[Cell, int], dict[Cell, dict[bytes, int]]]:
    """Return the counts of reports, and whose they are."""
    found = [report for report, _ in there]
    return counted(shape, found), whose(found, [who for _, who in there])


stories = st.builds(
    told,
    st.sampled_from(SHAPES),
    st.integers(0, 1 << 32),
    st.tuples(st.integers(0, 70), st.integers(0, 25), st.integers(0, 25)),
    st.tuples(st.sampled_from([0, 0, 1, 9]), st.sampled_from([0, 0, 2, 12])),
    st.sampled_from([RULE, Rule(10, 1, 5, 0), TWO, TWO, Rule(5, 1, 5, 0, 10)]),
)


@pytest.mark.parametrize("guesses", [True, False], ids=["guessing", "sober"])
@given(story=stories)
@settings(max_examples=18)
def test_no_small_number_and_no_small_movement_is_found(guesses: bool, story: Story) -> None:  # noqa: FBT001
    assert story.known_too_well(guesses=guesses) == []


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
    def alone(shape: Table, exact: Exact, _before: Exact, _shown: set[Cell], rule: Rule) -> dict[Cell, int]:
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
            assert publish.revised(shape, Exact(now), Exact(counted(shape, there)), shown, RULE) == {}


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
    shape = table(3)
    first, second, third = ({who: 1} for who in STAFF)
    exact = Exact(
        counts(shape, {TOTAL: 45, (SCENE, 0): 20, (SCENE, 1): 14, (SCENE, 2): 11}),
        {TOTAL: first | second | third, (SCENE, 0): first | second, (SCENE, 1): first, (SCENE, 2): first | third},
    )

    found = publish.first(shape, exact, TWO)

    assert {cell for cell, figure in found.items() if figure is not None} == {TOTAL, (SCENE, 0)}


def late_by_one() -> Story:
    """Return a week of which three wrote a part each, and then one of them brings twenty reports of one scene."""
    shape, place = table(3), [(SCENE, number) for number in range(3)]
    there = [((place[number % 3],), STAFF[number // 3 % 3]) for number in range(90)]
    story = Story(shape, TWO)
    others = [((place[number],), who) for number, each in ((0, 8), (2, 9)) for who in STAFF for _ in range(each)]
    for more in ([], [((place[1],), STAFF[0])] * 20 + others):
        there += more
        exact, people = told_by(shape, there)
        story.published(exact, people=people)
    return story


def test_a_movement_that_is_one_persons_late_work_is_shown_nowhere_and_a_build_that_shows_it_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = late_by_one()
    assert set(sound.given[0]) == set(sound.shape.cells)
    assert (SCENE, 1) not in sound.given[1]
    assert set(sound.given[1]) == {TOTAL, (SCENE, 2)}, "with all others' it would be what is left"
    assert sound.known_too_well() == []

    def of_anybody(now: Exact, before: Exact, cell: Cell, rule: Rule) -> bool:
        return abs(now.counts[cell] - before.counts[cell]) >= rule.k

    monkeypatch.setattr(publish, "_is_far", of_anybody)
    faulty = late_by_one()
    assert (1, "movement", (SCENE, 1), (20, 20)) in faulty.known_too_well()


def test_a_movement_of_which_nobody_knows_whose_it_is_is_shown_nowhere() -> None:
    story = late_by_one()
    moved = Exact({cell: 2 * number for cell, number in story.moments[0].items()}, story.people[0])
    shown = set(story.given[0])
    assert publish.revised(story.shape, moved, Exact(story.moments[0], story.people[0]), shown, TWO) == {}
    twice = {cell: {who: 2 * one for who, one in people.items()} for cell, people in story.people[0].items()}
    known = moved._replace(staff=twice)
    assert publish.revised(story.shape, known, Exact(story.moments[0]), shown, TWO) == {}
    assert publish.revised(story.shape, known, Exact(story.moments[0], story.people[0]), shown, TWO)


def test_who_is_counted_whole_stands_in_no_scene_and_needs_the_larger_number() -> None:
    rule = Rule(5, 1, 5, 0, 10)
    assert [rule.least(cell) for cell in (TOTAL, (SCENE, NO_SCENE), ("needles", GIVEN), (SCENE, 1))] == [10, 10, 10, 5]
    shape = table(4)
    story = Story(shape, rule)
    story.published(counts(shape, {TOTAL: 31, (SCENE, 0): 7, (SCENE, 1): 7, (SCENE, 2): 14, (SCENE, 3): 3}))

    assert set(story.given[0]) == {TOTAL, (SCENE, 1), (SCENE, 2)}, "five are enough at a scene, not beside all of them"
    assert story.known_too_well() == []


def test_a_joint_screen_that_shows_what_any_of_them_sees_is_caught() -> None:
    """Whoever takes their own part off a joint total has what is left; sums too, which stand by themselves."""
    shape = Table((*table(3).families, Family(("needles", SUM), ())), (Sum("needles", 400),))
    parts = [
        counts(shape, {TOTAL: 54, (SCENE, 0): 20, (SCENE, 1): 14, (SCENE, 2): 20, ("needles", SUM): 90}),
        counts(shape, {TOTAL: 26, (SCENE, 0): 20, (SCENE, 1): 3, (SCENE, 2): 3, ("needles", SUM): 300}),
    ]
    seen = [
        {cell for cell, figure in publish.first(shape, Exact(one), RULE).items() if figure is not None}
        for one in reversed(parts)
    ]
    found = list[list[tuple[int, str, Cell, tuple[float, float]]]]()
    for build in (publish.joint, lambda each: set().union(*each)):
        for mine, theirs, shown in zip(parts, reversed(parts), seen, strict=True):
            both = {cell: mine[cell] + theirs[cell] for cell in shape.cells}
            told_jointly = [(cell, both[cell] - mine[cell]) for cell in build(seen)]
            attacker = Attacker(shape.families, [Publication(theirs, shown, told_jointly)])
            small = [cell for cell, number in theirs.items() if number < RULE.k]
            found.append(known_too_well(attacker, [small], RULE.k))

    assert found[0] == found[1] == []
    assert found[2] != [] or found[3] != []


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
    return publish.revised(shape, Exact(exact), Exact(before), {*shape.cells, ("needles", SUM)}, rule).get(
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
