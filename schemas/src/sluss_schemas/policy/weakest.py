"""Several rules at once: what is open to everybody in a room, and what a copy may carry of what it quotes.

For: a screen that several people look at, and a report that quotes another one.
Refuses: to widen. A guest has no keys and no column of the pack, and holds nothing.

> INVARIANT: nothing here opens to anybody what one of the rules keeps closed; of full and brief the weaker counts.
> INVARIANT: the carrier rule holds for the outcome: whoever may not have the situation has nothing.

Source: docs/secrecy-rules.md B7 23 and 24.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Final

from sluss_schemas.ids import COMPARTMENTS, KIND_SECRET, Sector, bit, bitmap_of, slot
from sluss_schemas.policy import decide
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.model import Pack

_FULL: Final = bitmap_of(slot(part) for part in COMPARTMENTS)
_SITUATION: Final = bit("SIT") | bit("SIT", brief=True)


def open_to_all(
    pack: Pack, kind: int, owner: Sector, present: Iterable[Receiver | None], *, embargo: bool = False
) -> int:
    """Return the slots of a report that are open by themselves to everybody present, each part in its weaker form.

    None among `present` is a guest. What a grant opened to one of them is not open to the others, and what its owner
    keeps back (`embargo`) only to the owner's own.
    """
    return weaker(automatic(pack, kind, owner, one, embargo=embargo).open for one in present)


def automatic(
    pack: Pack, kind: int, owner: Sector, receiver: Receiver | None, *, embargo: bool = False
) -> decide.Slots:
    """Return what a receiver holds of a report without anybody's decision; of one whose kind is not known, nothing."""
    if receiver is None or kind == KIND_SECRET:
        return decide.Slots()
    return decide.slots(pack, kind, owner, receiver, embargo=embargo)


def weaker(each: Iterable[int]) -> int:
    """Return what all of these bitmaps open: a part in full where all do, as a brief where the others do in full."""
    found = reduce(lambda one, other: one & other, (_with_briefs(bits) for bits in each), _with_briefs(_FULL))
    return _carried(found & ~((found & _FULL) << 1))


def narrowed(seal: int, limits: Iterable[int]) -> int:
    """Return what stays of a seal's slots under all of these limits.

    A full part whose limit is a brief goes altogether: the seal's own cell gives this receiver no brief to carry.
    """
    return _carried(reduce(lambda bits, limit: bits & _with_briefs(limit), limits, seal))


def _with_briefs(bits: int) -> int:
    """Return a bitmap in which whoever may read a part in full may read its brief as well."""
    return bits | (bits & _FULL) << 1


def _carried(bits: int) -> int:
    return bits if bits & _SITUATION else 0
