"""Wakes the devices that wait for news in this process.

A wake-up is a hint: another process may have written, or a hint may be lost, so whoever waits asks again by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

_AUDIENCE_BYTES: Final = 16


def place_of(feed: bytes) -> bytes:
    """Return what stands for a feed here: its audience, or the device; a waiting device names few of them."""
    return feed if len(feed) == _AUDIENCE_BYTES + 1 else feed[:_AUDIENCE_BYTES]


class Wake:
    """Who waits for which feeds."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._waiting: Final[dict[tuple[bytes, bytes], set[asyncio.Event]]] = {}

    def tell(self, partnership: bytes, feeds: Iterable[bytes]) -> None:
        """Wake those who wait for one of these feeds."""
        for place in {place_of(feed) for feed in feeds}:
            for event in self._waiting.get((partnership, place), ()):
                event.set()

    async def wait(self, partnership: bytes, places: Iterable[bytes], seconds: float) -> None:
        """Return when one of the places has news, or after so many seconds."""
        event = asyncio.Event()
        keys = [(partnership, place) for place in places]
        for key in keys:
            self._waiting.setdefault(key, set()).add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            for key in keys:
                self._waiting[key].discard(event)
                if not self._waiting[key]:
                    del self._waiting[key]
