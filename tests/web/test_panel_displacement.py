"""Displacement: who fell while a neighbour rose, with the hours beside it, and never on a hidden number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluss_server.aggregates.cells import SCENE, days_of
from sluss_server.web.panels import displacement
from sluss_server.web.panels.displacement import Move

from tests.web.counted import FIRST, K01, K09, scene, square, weekly

LAST = FIRST + 4
POLICE, GUARDS = b"p" * 16, b"g" * 16


def moved(now: int, *before: int, number: int = 1, zone: str | None = None) -> Move:
    return Move(scene=scene(number, zone), now=now, before=before, hours=None, hours_before=None)


@pytest.mark.parametrize(
    ("move", "fell", "rose"),
    [
        (moved(2, 6, 7, 8, 5), True, False),
        (moved(3, 6, 7, 8, 3), False, False),
        (moved(3, 5, 5, 5, 4), False, False),
        (moved(9, 6, 5, 8, 6), False, True),
        (moved(8, 6, 5, 8, 6), False, False),
        (moved(0, 0, 0, 0, 0), False, False),
        (moved(9), False, False),
    ],
)
def test_a_move_is_outside_of_all_four_weeks_and_no_small_step(move: Move, fell: bool, rose: bool) -> None:  # noqa: FBT001
    assert (move.fell, move.rose) == (fell, rose)


def test_without_zones_that_touch_all_other_scenes_are_neighbours() -> None:
    moves = {1: moved(1, 9, 9, 9, 9), 2: moved(9, 2, 2, 2, 2, number=2), 3: moved(5, 5, 5, 5, 5, number=3)}
    (found,) = displacement.falls(moves)

    assert (found.fallen, found.risen, found.touching) == (moves[1], (moves[2],), False)


def test_where_zones_touch_the_others_are_far_away() -> None:
    beside, far = square(18.01, 59), square(19, 59)
    moves = {
        1: moved(1, 9, 9, 9, 9, zone=square(18, 59)),
        2: moved(9, 2, 2, 2, 2, number=2, zone=far),
        3: moved(5, 5, 5, 5, 5, number=3, zone=beside),
    }
    assert displacement.falls(moves) == ()

    moves[3] = moved(9, 5, 5, 5, 5, number=3, zone=beside)
    (found,) = displacement.falls(moves)
    assert (found.risen, found.touching) == ((moves[3],), True)


def test_of_others_only_a_kind_that_is_shown_in_all_five_weeks_is_counted() -> None:
    numbers = weekly(
        {(K01, 1): (1, 1, 1, 1, 1)},
        {(K01, (SCENE, 1)): (10, 10, 15, 10, 5), (K09, (SCENE, 1)): (10, 10, 10, 10, None)},
    )

    assert displacement.known(numbers, range(LAST, FIRST - 1, -1), 1) == (6, 11, 16, 11, 11)


def test_the_hours_of_all_agencies_stand_beside_it_and_nothing_where_nobody_stated_any() -> None:
    def monday(week: int) -> int:
        return days_of(week)[0]

    hours = {(1, monday(LAST), POLICE): 10, (1, monday(LAST), GUARDS): 30, (1, monday(LAST - 2), POLICE): 70}
    numbers = weekly({(K01, 1): (1, 1, 1, 1, 1)})

    found = displacement.move(numbers, hours, LAST, 1, scene(1))
    assert (found.hours, found.hours_before) == (40, 70)
    other = displacement.move(numbers, hours, LAST, 2, scene(2))
    assert (other.hours, other.hours_before) == (None, None)


def test_less_than_four_weeks_before_are_compared_with_nothing() -> None:
    numbers = weekly({(K01, 1): (9, 9, 9, 9, 1)})

    assert displacement.move(numbers, {}, LAST, 1, scene(1)).fell
    young = displacement.move(replace(numbers, first=FIRST + 1), {}, LAST, 1, scene(1))
    assert (young.now, young.before, young.usual, young.fell) == (1, (), None, False)
