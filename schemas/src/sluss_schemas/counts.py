"""What a supervisor's device asks of the counts, and what it is told.

Own counts are exact; of others there is what was published: figures that are hidden, small or nought all look alike.
Source: docs/secrecy-rules.md B8; docs/contract.md, "Counts".
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

MAX_WEEKS: Final = 60
MAX_PRESENT: Final = 16

Week = Annotated[str, Meta(pattern=r"^[0-9]{4}-W[0-9]{2}$")]


class CountsAsk(msgspec.Struct, frozen=True, array_like=True):
    """Ask for ISO weeks from `first` to `last`; no kinds are all of them.

    With other agencies `present`, the figures are those that a screen may show which all of them look at.
    """

    first: Week
    last: Week
    kinds: Annotated[tuple[int, ...], Meta(max_length=19)] = ()
    present: Annotated[tuple[bytes, ...], Meta(max_length=MAX_PRESENT)] = ()


class OwnCount(msgspec.Struct, frozen=True, array_like=True):
    """An exact count of the own agency at a scene: `dim` is empty for all reports, else a coded fact of the kind."""

    kind: int
    week: str
    scene: int
    dim: str
    value: int
    number: int


class Figure(msgspec.Struct, frozen=True, array_like=True):
    """A published figure of the partnership (`dim` empty), a scene or a value of a coded fact; nil is hidden."""

    kind: int
    week: str
    dim: str
    value: int
    figure: int | None
    revision: int
    published_at: int


class CountsAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The own agency's counts, and the published figures of the others, or of all for a screen of several."""

    own: tuple[OwnCount, ...]
    others: tuple[Figure, ...]
    k: int
    k_sensitive: int
