"""Take it along: the files of the week, for the Monday meeting and for whoever counts further.

Refuses nothing and shows no number: it is links, which say what is behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluss_server.aggregates.cells import date_of, days_of
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels.base import Panel, mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeaway:
    """The month that the week begins in, as addresses name it: `2026-05`."""

    month: str


async def load(_services: Services, _viewer: Viewer, ask: Ask) -> Takeaway:
    """Name the month."""
    return Takeaway(month=f"{date_of(days_of(ask.week)[0]):%Y-%m}")


PANEL: Final = Panel(name="takeaway", title=mark("Take it along"), load=load)
