"""Outreach: contacts, overdoses and doses of naloxone, week by week, and the own agency's stock of it.

Numbers stand beside each other; none of them is the cause of another.
Source: docs/secrecy-rules.md B8: contacts reach others a week late; docs/forms.md (K04, K05).

> INVARIANT: a stock is its own agency's; two counts of another's would tell what its hidden figures hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sluss_schemas.policy.model import Pack
from sluss_server.aggregates.cells import SUM, TOTAL
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.services.stocks import Stock
from sluss_server.web.asking import Ask
from sluss_server.web.panels import figures
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.figures import Column, Grid

OVERDOSES: Final = 4
CONTACTS: Final = 5
DOSES: Final = "naloxone_doses"
WEEKS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outreach(Grid):
    """The table, and the own agency's stock of naloxone; None where nobody counted."""

    stock: Stock | None


def columns(pack: Pack) -> list[Column]:
    """Return contacts, overdoses, and doses of naloxone."""
    return [
        Column(kind=CONTACTS, cell=TOTAL, label=pack.kinds[CONTACTS]),
        Column(kind=OVERDOSES, cell=TOTAL, label=pack.kinds[OVERDOSES]),
        Column(kind=OVERDOSES, cell=(DOSES, SUM), label=mark("Doses of naloxone")),
    ]


async def load(services: Services, viewer: Viewer, ask: Ask) -> Outreach:
    """Count the last weeks up to the one that is asked for; the stock is that of now, of all scenes."""
    weeks = figures.last_weeks(ask.week, WEEKS)
    found = await figures.load(services, viewer, [OVERDOSES, CONTACTS], weeks, ask.scene, dims=(DOSES,))
    grid = found.grid(columns(viewer.pack), weeks)
    stock = await services.stocks.naloxone(viewer.partnership, viewer.agency)
    return Outreach(columns=grid.columns, lines=grid.lines, unsplit=grid.unsplit, stock=stock)


def view(grid: Grid, look: Look) -> Mapping[str, object]:
    """Draw what the own agency files of it, one line each."""
    names = [figures.name_of(column, look) for column in grid.columns]
    values = [
        {"week": figures.week_number(line.week), "what": names[number], "n": count}
        for line in reversed(grid.lines)
        for number, count in enumerate(line.own)
        if count is not None
    ]
    return {
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": figures.week_axis(look),
            "y": figures.count_axis(values),
            "color": {"field": "what", "type": "nominal", "scale": {"domain": names}, "legend": {"labelLimit": 280}},
            "shape": {"field": "what", "type": "nominal", "scale": {"domain": names}, "legend": {"labelLimit": 280}},
        },
    }


PANEL: Final = Panel(name="outreach", title=mark("Outreach and naloxone"), load=load)
CHART: Final = Chart(name="outreach", load=load, view=view)
