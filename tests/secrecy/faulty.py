"""The server with one fault, for the proof that the leak search finds it: `faulty.py FAULT serve ...`.

It is the project's own command with something replaced in its own process; the product has no such switch.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import policy_off  # type: ignore[import-not-found]  # the other such program, in the same folder

from sluss_schemas.agreeing import Standing
from sluss_server.cli import main
from sluss_server.services import delivering, ending, reclassifying
from sluss_server.services.caller import Caller
from sluss_server.services.delivering import Delivering
from sluss_server.services.ending import Ended
from sluss_server.services.reclassifying import Lost
from sluss_server.services.rules import Rules

_HONEST: Final = Delivering._allowed


async def _no_end(*_ended: object) -> Ended:
    """End no grant."""
    return Ended()


async def _no_drops(*_report: object) -> Lost:
    """Take nothing back."""
    return Lost([], [])


def _unopened(self: Delivering, *about: Any) -> tuple[int, int]:  # noqa: ANN401  # as they came
    """Give the own supervisors what is held back from them."""
    open_, held = _HONEST(self, *about)
    return open_ | held, 0


def _for_ever(self: Standing, at: int, _latest: int = 0) -> bool:
    """Let what was agreed on stand from its beginning on."""
    return self.begins <= at


def _anybody(_caller: Caller) -> None:
    """Take every device for one that acts, whoever has left."""


FAULTS: Final[dict[str, tuple[tuple[object, str, object], ...]]] = {
    "grants never end": ((ending, "end_all", _no_end),),
    "protected reports stay": ((reclassifying, "drops", _no_drops),),
    "rows are open": ((Delivering, "_allowed", _unopened),),
    "agreements never end": ((Standing, "in_force", _for_ever),),
    "who has left is answered": ((Caller, "must_be_active", _anybody),),
    "no policy": (
        (Rules, "_slots", policy_off._every_slot),
        (Delivering, "_allowed", policy_off._allowed),
        (delivering, "_sections_of", policy_off._every_section),
    ),
}
"""What each fault replaces."""

if __name__ == "__main__":
    for where, name, put in FAULTS[sys.argv[1]]:
        # A name that is gone is an error here, so that this program cannot quietly be the honest server.
        getattr(where, name)
        setattr(where, name, put)
    main(sys.argv[2:])
