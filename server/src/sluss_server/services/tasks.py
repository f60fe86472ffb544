"""How the own agency keeps up with its duties: open, overdue and done tasks by their code.

Refuses to look back further than a year, and to number what may not be told of: a task about a report that is in no
count, because its existence is secret or its place is a protected one, is on the own devices alone.
Source: docs/protocol.md section 4; docs/secrecy-rules.md ("How the pack meets the keys").

> INVARIANT: of the own agency alone, and never by who has to do it.
"""

from __future__ import annotations

from typing import Final

from sluss_server.services.core import Core
from sluss_server.services.sessions import Viewer
from sluss_server.storage import tasks
from sluss_server.storage.tasks import TaskCount, Times

# Given on, for what shows them.
__all__ = ["TaskCount", "Tasks"]

SOON_DAYS: Final = 7
LATELY_DAYS: Final = 28
PAST_DAYS: Final = 366
_DAY_S: Final = 86_400


class Tasks:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def due(self, viewer: Viewer) -> list[TaskCount]:
        """Return how many of the viewer's agency's tasks are in which state, by code; without those that are secret."""
        now = viewer.now
        times = Times(
            since=now - PAST_DAYS * _DAY_S, lately=now - LATELY_DAYS * _DAY_S, now=now, soon=now + SOON_DAYS * _DAY_S
        )
        async with self._core.engine.read() as connection:
            return await tasks.due(connection, viewer.partnership, viewer.agency, times)
