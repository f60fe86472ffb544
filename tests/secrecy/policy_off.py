"""The server with its policy switched off, for the proof that keys alone hold: everything of every feed to everybody.

It is the project's own command with four things replaced in its own process; the product has no such switch.

> INVARIANT: this program withholds nothing that the server has.
"""

from __future__ import annotations

import sys
from typing import Final

from sluss_schemas.ids import SLOTS
from sluss_schemas.policy.decide import Slots
from sluss_schemas.sync import Section
from sluss_server.cli import main
from sluss_server.services import delivering, placing, pull
from sluss_server.services.caller import Caller
from sluss_server.services.delivering import Delivering
from sluss_server.services.directories import View
from sluss_server.services.placing import Feeds
from sluss_server.services.rules import Rules
from sluss_server.storage.feeds import StoredEntry

ALL: Final = (1 << SLOTS) - 1
_HONEST_FEEDS: Final = placing.feeds_of


class Everything(dict[str, int]):
    """Every ground, and it opens all."""

    def get(self, _code: str, _default: int = 0) -> int:  # type: ignore[override]  # the one call that is made
        """Return every slot."""
        return ALL


class EveryFeed(Feeds):
    """The feeds of everybody."""

    def has(self, feed: bytes) -> bool:
        """Have any feed."""
        return bool(feed)

    def ranges(self) -> list[tuple[bytes, bytes]]:
        """Span all names."""
        return [(b"", b"\xff" * 64)]


def _every_feed(view: View, caller: Caller) -> Feeds:
    own = _HONEST_FEEDS(view, caller)
    return EveryFeed(own.own, own.audiences, own.supervises, {})


def _every_slot(*_decided: object) -> Slots:
    return Slots(ALL, 0, Everything(), Everything())


def _allowed(*_decided: object) -> tuple[int, int]:
    return ALL, 0


def _every_section(stored: StoredEntry, _has: int) -> tuple[Section, ...]:
    return _HONEST_SECTIONS(stored, ALL)


_HONEST_SECTIONS: Final = delivering._sections_of

if __name__ == "__main__":
    for where, name, put in (
        (Rules, "_slots", _every_slot),
        (Delivering, "_allowed", _allowed),
        (delivering, "_sections_of", _every_section),
        (pull, "feeds_of", _every_feed),
    ):
        # A name that is gone is an error here, so that this program cannot quietly be the honest server.
        getattr(where, name)
        setattr(where, name, put)
    main(sys.argv[1:])
