"""What panels are given: own counts added up, and figures of others that never become numbers where they are hidden."""

from __future__ import annotations

import pytest

from sluss_schemas.policy.pack import builtin
from sluss_schemas.problems import Invalid
from sluss_server.aggregates.cells import SCENE, TOTAL
from sluss_server.web.panels import counts
from sluss_server.web.panels.counts import Figure

from tests.web.counted import FIRST, K01, K09, weekly

SHOWN, MORE, HIDDEN = Figure("shown", 15, 5), Figure("shown", 10, 10), Figure("hidden", 0, 5)
WAITING, NONE, PART = Figure("waiting", 0, 5), Figure("none"), Figure("part", 20, 5)


def test_all_scenes_together_are_the_scenes_and_what_names_none() -> None:
    found = weekly({(K01, 0): (2,), (K01, 1): (3,), (K01, 2): (4,), (K09, 1): (1,)})

    assert found.own_of((K01,), FIRST) == 9
    assert found.own_of((K01, K09), FIRST, 1) == 4
    assert found.own_of((K01,), FIRST + 1) == 0


def test_a_figure_is_shown_or_says_why_not() -> None:
    found = weekly({}, {(K01, TOTAL): (15, None), (K01, (SCENE, 1)): (10,)})

    assert found.other(K01, FIRST) == Figure("shown", 15, 5)
    assert found.other(K01, FIRST, 1) == Figure("shown", 10, 5)
    assert found.other(K01, FIRST + 1) == HIDDEN
    assert found.other(K01, FIRST + 2) == WAITING
    assert found.other(K09, FIRST) == NONE


@pytest.mark.parametrize(
    ("figures", "total"),
    [
        ((), NONE),
        ((NONE, NONE), NONE),
        ((SHOWN, MORE, NONE), Figure("shown", 25, 10)),
        ((SHOWN, HIDDEN), Figure("part", 15, 5)),
        ((SHOWN, WAITING), Figure("part", 15, 5)),
        ((PART, SHOWN), Figure("part", 35, 5)),
        ((HIDDEN, NONE), HIDDEN),
        ((HIDDEN, WAITING), Figure("part", 0, 5)),
        ((HIDDEN, HIDDEN), Figure("part", 0, 5)),
        ((WAITING, NONE), WAITING),
    ],
)
def test_a_sum_says_whether_a_part_of_it_is_hidden(figures: tuple[Figure, ...], total: Figure) -> None:
    assert counts.total(figures) == total


def test_a_kind_is_chosen_by_its_name_and_one_that_nobody_counts_is_none() -> None:
    pack = builtin()[-1]

    assert counts.kind_asked(pack, {}) == 0
    assert counts.kind_asked(pack, {"kind": pack.kinds[K01].name}) == K01
    for name in ("1", "nothing", pack.kinds[6].name):
        with pytest.raises(Invalid) as refused:
            counts.kind_asked(pack, {"kind": name})
        assert (refused.value.code, refused.value.field) == ("not_found", "kind")
