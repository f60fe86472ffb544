"""Outreach: contacts, overdoses and doses of naloxone, week by week.

Numbers stand beside each other; none of them is the cause of another.
Source: docs/secrecy-rules.md B8: contacts reach others a week late; docs/forms.md (K04, K05).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sluss_schemas.policy.model import Pack
from sluss_server.aggregates.cells import SUM, TOTAL
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import figures
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.figures import Column, Grid

OVERDOSES: Final = 4
CONTACTS: Final = 5
WEEKS: Final = 8


def columns(pack: Pack) -> list[Column]:
    """Return contacts, overdoses, and doses of naloxone."""
    return [
        Column(kind=CONTACTS, cell=TOTAL, label=pack.kinds[CONTACTS]),
        Column(kind=OVERDOSES, cell=TOTAL, label=pack.kinds[OVERDOSES]),
        Column(kind=OVERDOSES, cell=("naloxone_doses", SUM), label=mark("Doses of naloxone")),
    ]


async def load(services: Services, viewer: Viewer, ask: Ask) -> Grid:
    """Count the last weeks up to the one that is asked for."""
    weeks = figures.last_weeks(ask.week, WEEKS)
    found = await figures.load(services, viewer, [OVERDOSES, CONTACTS], weeks, ask.scene)
    return found.grid(columns(viewer.pack), weeks)


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
