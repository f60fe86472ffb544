"""How much a revoked device may still hand in: a hundred things at once, and a hundred an hour.

Whoever found it may fill quarantine no faster than a supervisor can look through it, and what its owner had not sent
comes through all the same.
Kept in memory: a restart gives a new ration, which is no way in.

> INVARIANT: nobody's ration is above `AT_ONCE`, however long nothing came.
"""

from __future__ import annotations

from typing import Final

AT_ONCE: Final = 100
AN_HOUR: Final = 100
_HOUR_S: Final = 3600


class Ration:
    """What is left to each device, as seconds of its hour."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._full_at: Final[dict[bytes, float]] = {}

    def take(self, device: bytes, count: int, now: int) -> bool:
        """Take `count` things from a device's ration at `now` (Unix seconds); tell whether there were as many."""
        self._forget(now)
        each = _HOUR_S / AN_HOUR
        full_at = self._full_at.get(device, now) + count * each
        if full_at - now > AT_ONCE * each:
            return False
        self._full_at[device] = full_at
        return True

    def _forget(self, now: int) -> None:
        """Forget those whose ration is whole again."""
        for device in [one for one, full_at in self._full_at.items() if full_at <= now]:
            del self._full_at[device]
