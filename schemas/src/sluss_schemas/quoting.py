"""What a report says of the reports that it quotes: whose they are and of which kind, and when what it says is over.

It lies in the author section, sealed, so that the next version keeps the limits whoever writes it.
Refuses: to name a quoted report. Whose it is and its kind are enough to ask the pack.

> INVARIANT: nothing of it stands in clear; a server cannot tell a report that quotes from one that does not.

Source: docs/secrecy-rules.md B7 24.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Quote(msgspec.Struct, frozen=True, array_like=True):
    """One quoted report: its owner, its kind (0 where that is not known), and whether its owner keeps it back."""

    agency: Annotated[bytes, Meta(min_length=16, max_length=16)]
    kind: int
    held: bool = False


class Quoted(msgspec.Struct, frozen=True, array_like=True):
    """Everything that a report quotes; `until` is the earliest end of a decision that opened something of it."""

    quotes: tuple[Quote, ...] = ()
    until: int | None = None

    def over(self, now: int) -> bool:
        """Tell whether the time is over for which something of it was opened."""
        return self.until is not None and now >= self.until

    def array(self) -> list[object]:
        """Return it as it lies in the author section; empty where nothing is quoted."""
        quotes = [[one.agency, one.kind, one.held] for one in self.quotes]
        return [quotes, self.until] if quotes else []


NOTHING = Quoted()
"""A report that quotes none."""
NARROWEST = Quoted((Quote(bytes(16), 0, held=True),))
"""Limits that cannot be read: what quotes it stays with its author's devices."""


def together(each: list[Quoted]) -> Quoted:
    """Return the limits of several: every quote once, and the earliest end."""
    quotes = dict.fromkeys(quote for one in each for quote in one.quotes)
    return Quoted(tuple(quotes), min((one.until for one in each if one.until is not None), default=None))


def read_quoted(array: object) -> Quoted:
    """Return what an author section says; limits that cannot be read are the narrowest that there are."""
    try:
        return msgspec.convert(array, Quoted) if array else NOTHING
    except msgspec.ValidationError:
        return NARROWEST
