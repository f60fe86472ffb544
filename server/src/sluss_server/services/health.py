"""Whether data come in as they should: devices that are silent, and how late reports reach the server.

For: the overview; a device that nobody hears of may hold unsent reports, or be lost.
Refuses to be a time clock: of each device it keeps the last day, nothing of the hours, and no day before that one.

> INVARIANT: of the own agency alone; no person's name is here, and no count of anybody's reports.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

from sluss_schemas.problems import Invalid
from sluss_server.aggregates.cells import begins, days_of
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.sessions import Viewer
from sluss_server.storage import health
from sluss_server.storage.health import Arrival

# Given on, for what shows them.
__all__ = ["Arrival", "Health"]

_DAY_S: Final = 86_400
_MOST: Final = 500
"""So many reports of a kind tell how late they come; more would say the same."""


class Health:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._heard: Final[dict[bytes, int]] = {}

    async def heard(self, caller: Caller) -> None:
        """Note that a device was heard of; written once a day, and never in the way of what it asks for."""
        day = self._core.clock() // _DAY_S
        if not caller.active or self._heard.get(caller.device) == day:
            return
        with contextlib.suppress(Invalid):
            await self._core.writer.submit(
                lambda connection: health.heard(connection, caller.partnership, caller.agency, caller.device, day)
            )
            self._heard[caller.device] = day

    async def silence(self, viewer: Viewer) -> dict[bytes, int | None]:
        """Return for each of the own agency's devices in use how many days ago it was heard of; None for never."""
        async with self._core.engine.read() as connection:
            days = await health.days(connection, viewer.partnership, viewer.agency)
        today = viewer.now // _DAY_S
        return {
            bytes(kid): max(today - days[kid], 0) if kid in days else None
            for kid in viewer.own.devices
            if viewer.own.device_active(kid, viewer.now)
        }

    async def arrivals(self, viewer: Viewer, kinds: Iterable[int], week: int) -> list[Arrival]:
        """Return when the own agency's newest reports of a week happened and when they came."""
        first, after = days_of(week)
        since, until = begins(first, viewer.pack.zone), begins(after, viewer.pack.zone)
        found = list[Arrival]()
        async with self._core.engine.read() as connection:
            for kind in kinds:
                found += await health.arrivals(
                    connection, viewer.partnership, viewer.agency, kind, since=since, until=until, limit=_MOST
                )
        return found
