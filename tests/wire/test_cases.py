"""The states of case records: what came first changes nothing, and neither time nor a record ever opens again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, permutations
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas import cases
from sluss_schemas.records import RULES, CaseKind

Fold = Callable[[tuple[str, ...], int], str]
UNTIL: Final = 1_000
_TIMES: Final = st.integers(min_value=0, max_value=2 * UNTIL)


def _consent(codes: tuple[str, ...], now: int) -> str:
    return cases.consent(codes, UNTIL, now)


def _request(codes: tuple[str, ...], _now: int) -> str:
    return cases.request(codes)


def _task(codes: tuple[str, ...], now: int) -> str:
    return cases.task(codes[-1] if codes else None, UNTIL, now)


def _note(codes: tuple[str, ...], now: int) -> str:
    return cases.note(withdrawn="withdrawn" in codes, until=UNTIL, now=now)


def _hold(codes: tuple[str, ...], now: int) -> str:
    return cases.hold(lifted="lifted" in codes, until=UNTIL, now=now)


FOLDS: Final[dict[CaseKind, tuple[Fold, CaseKind, tuple[str, ...]]]] = {
    CaseKind.CONSENT: (_consent, CaseKind.CONSENT, ("draft", "given", "limited", "expired", "withdrawn", "invalid")),
    CaseKind.REQUEST: (_request, CaseKind.ANSWER, ("open", "granted", "refused")),
    CaseKind.TASK: (_task, CaseKind.DONE, ("open", "overdue", "done")),
    CaseKind.NOTE: (_note, CaseKind.NOTE, ("in_force", "expired", "withdrawn")),
    CaseKind.HOLD: (_hold, CaseKind.HOLD, ("placed", "expired", "lifted")),
}
"""For each kind how it is folded, whose codes continue it, and its states from the most open to the safest."""


def _codes(kind: CaseKind) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(RULES[FOLDS[kind][1]].codes), max_size=4).map(tuple)


@pytest.mark.parametrize("kind", FOLDS)
@given(data=st.data())
def test_the_order_in_which_records_come_changes_no_state(kind: CaseKind, data: st.DataObject) -> None:
    fold, codes, now = FOLDS[kind][0], data.draw(_codes(kind)), data.draw(_TIMES)
    assert len({fold(order, now) for order in permutations(codes)}) == 1


@pytest.mark.parametrize("kind", FOLDS)
@given(data=st.data())
def test_time_and_further_records_only_ever_close(kind: CaseKind, data: st.DataObject) -> None:
    fold, _, states = FOLDS[kind]
    codes, more = data.draw(_codes(kind)), data.draw(_codes(kind))
    earlier, later = sorted((data.draw(_TIMES), data.draw(_TIMES)))
    before = states.index(fold(codes, earlier))
    assert before <= states.index(fold(codes, later))
    assert before <= states.index(fold((*codes, *more), earlier))


@pytest.mark.parametrize("kind", FOLDS)
def test_of_two_that_contradict_each_other_the_safer_one_holds(kind: CaseKind) -> None:
    fold, by, states = FOLDS[kind]
    for one, other in combinations(RULES[by].codes, 2):
        alone = max(states.index(fold((code,), 0)) for code in (one, other))
        assert states.index(fold((one, other), 0)) == alone


def test_every_state_is_reached_and_no_other() -> None:
    for fold, by, states in FOLDS.values():
        codes = RULES[by].codes
        chains = [chain for size in range(len(codes) + 1) for chain in combinations(codes, size)]
        assert {fold(chain, now) for chain in chains for now in (0, UNTIL - 1, UNTIL)} == set(states)
