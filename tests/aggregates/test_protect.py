"""What is hidden cannot be computed: the audit against a linear solver, and what it hides."""

from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sluss_server.aggregates.catalogue import Table
from sluss_server.aggregates.cells import SCENE, TOTAL
from sluss_server.aggregates.protect import Span, protect, spans

from tests.aggregates.attacker import Attacker, Publication
from tests.aggregates.made import counted, reports, table

SHAPES = [table(4), table(3, 4), table(5, 3, 2), table(1, 2), table(2, 2, 2)]
World = tuple[Table, int, int]
worlds: st.SearchStrategy[World] = st.tuples(st.sampled_from(SHAPES), st.integers(0, 60), st.integers(0, 1 << 32))


@given(worlds, st.integers(2, 10), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_what_the_audit_believes_is_what_a_solver_finds(world: World, k: int, order: random.Random) -> None:
    shape, size, seed = world
    exact = counted(shape, reports(shape, size, random.Random(seed)))
    shown = {cell for cell in shape.cells if exact[cell] >= k and order.random() < 0.7}
    attacker = Attacker(shape.families, [Publication(exact, shown)])

    believed = spans(shape.families, exact, shown, {})

    for cell in shape.cells:
        low, high = attacker.might_be(0, cell)
        assert math.isclose(believed[cell].low, low, abs_tol=1e-6)
        assert (believed[cell].high == high) or math.isclose(believed[cell].high, high, abs_tol=1e-6)


@given(worlds, st.integers(2, 10), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_every_small_cell_might_be_any_small_number(world: World, k: int, order: random.Random) -> None:
    shape, size, seed = world
    exact = counted(shape, reports(shape, size, random.Random(seed)))
    large = [cell for cell in shape.cells if exact[cell] >= k]
    small = {cell: Span(0, k - 1) for cell in shape.cells if cell not in large}

    shown = protect(shape.families, exact, large, small)

    assert shown <= set(large)
    found = spans(shape.families, exact, shown, {})
    assert all(found[cell].contains(need) for cell, need in small.items())
    order.shuffle(large)
    shuffled = dict(sorted(small.items(), key=lambda _: order.random()))
    assert protect(shape.families, exact, large, shuffled) == shown


def test_the_smallest_sibling_goes_first_and_then_the_parent() -> None:
    shape = table(4)
    need = Span(0, 4)

    exact = {TOTAL: 37, (SCENE, 0): 14, (SCENE, 1): 12, (SCENE, 2): 8, (SCENE, 3): 3}
    shown = protect(shape.families, exact, [TOTAL, (SCENE, 0), (SCENE, 1), (SCENE, 2)], {(SCENE, 3): need})
    assert shown == {TOTAL, (SCENE, 0), (SCENE, 1)}

    exact = {TOTAL: 6, (SCENE, 0): 3, (SCENE, 1): 3}
    few = protect(table(2).families, exact, [TOTAL], {(SCENE, 0): need, (SCENE, 1): need})
    assert few == {TOTAL}, "three and three may be any split of six"

    exact = {TOTAL: 5, (SCENE, 0): 5}
    assert protect(table(1).families, exact, [TOTAL, (SCENE, 0)], {}) == {TOTAL, (SCENE, 0)}


def test_a_parent_is_hidden_where_its_small_children_add_up_to_less_than_they_might() -> None:
    shape = table(2, 1)
    exact = {TOTAL: 3, (SCENE, 0): 3, (SCENE, 1): 0, ("dim0", 0): 3}

    # Under k = 3 the total would be shown, and tell that both children are three at most.
    need = {(SCENE, 0): Span(0, 4), (SCENE, 1): Span(0, 4)}
    assert protect(shape.families, exact, [TOTAL, ("dim0", 0)], need) == set()
