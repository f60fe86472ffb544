"""What is open to everybody in a room, and what a copy may carry: never more than the narrowest rule gives."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas.ids import COMPARTMENTS, KIND_SECRET, SECTORS, Sector, bit
from sluss_schemas.policy import Receiver, slots
from sluss_schemas.policy.weakest import narrowed, open_to_all, weaker

from tests.policy.table import shipped

PACK = shipped()
OWNED: list[tuple[int, Sector]] = [(kind.number, owner) for kind in PACK.kinds.values() for owner in kind.owners]
BITS = st.integers(0, 0xFFFF)


def field(sector: Sector, owner: Sector) -> Receiver:
    return Receiver(sector, "field", own=sector == owner)


def level(bits: int, part: str) -> int:
    """Return how far a part is open: not at all, as a brief, in full."""
    return 2 if bits & bit(part) else int(bool(bits & bit(part, brief=True)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "owner"), OWNED)
def test_everybody_together_see_what_each_alone_may_and_no_more(kind: int, owner: Sector) -> None:
    for present in (each for size in (1, 2, 3) for each in combinations(SECTORS, size)):
        receivers = [field(sector, owner) for sector in present]
        each = [slots(PACK, kind, owner, one).open for one in receivers]
        found = open_to_all(PACK, kind, owner, receivers)
        levels = [min(level(bits, part) for bits in each) for part in COMPARTMENTS]
        assert [level(found, part) for part in COMPARTMENTS] == (levels if levels[0] else [0] * len(COMPARTMENTS))
        assert open_to_all(PACK, kind, owner, [*receivers, None]) == 0, "a guest holds nothing"
        others = open_to_all(PACK, kind, owner, receivers, embargo=True)
        assert (others != 0) <= (present == (owner,)), "what is kept back is shown to the owner's own"


def test_nothing_is_open_of_a_report_whose_kind_is_not_known() -> None:
    for owner in SECTORS:
        assert open_to_all(PACK, KIND_SECRET, owner, [field("HLT", owner), field("SOC", owner)]) == 0


@given(st.lists(BITS, min_size=1, max_size=4))
def test_the_weaker_of_several_is_no_more_than_any_of_them(each: list[int]) -> None:
    found = weaker(each)
    assert all(level(found, part) <= min(level(bits, part) for bits in each) for part in COMPARTMENTS)
    assert weaker([*each, *each]) == weaker(reversed(each)) == found
    assert level(found, "SIT") or not found


@given(BITS, st.lists(BITS, max_size=3))
def test_what_stays_of_a_seal_is_part_of_it_and_of_every_limit(seal: int, limits: list[int]) -> None:
    found = narrowed(seal, limits)
    assert found & ~seal == 0
    for bits in (seal, *limits):
        assert all(level(found, part) <= level(bits, part) for part in COMPARTMENTS)
    assert level(found, "SIT") or not found
