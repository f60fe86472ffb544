"""Interventions: what was done, by the four categories, week by week.

Source: docs/secrecy-rules.md B8; docs/forms.md (K13).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sluss_schemas.policy.model import Pack
from sluss_server.aggregates.cells import NOT_GIVEN, TOTAL
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import figures
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.figures import Column, Grid

KIND: Final = 13
WEEKS: Final = 8
_CATEGORY: Final = "category"


def columns(pack: Pack) -> list[Column]:
    """Return the four categories, what has none, and all."""
    return [
        *(
            Column(kind=KIND, cell=(_CATEGORY, code.n), label=code)
            for code in figures.codes(pack, "intervention_category")
        ),
        Column(kind=KIND, cell=(_CATEGORY, NOT_GIVEN), label=mark("Without a category")),
        Column(kind=KIND, cell=TOTAL, label=mark("All")),
    ]


async def load(services: Services, viewer: Viewer, ask: Ask) -> Grid:
    """Count the measures of the last weeks up to the one that is asked for."""
    weeks = figures.last_weeks(ask.week, WEEKS)
    found = await figures.load(services, viewer, [KIND], weeks, ask.scene, dims=(_CATEGORY,))
    return found.grid(columns(viewer.pack), weeks)


def view(grid: Grid, look: Look) -> Mapping[str, object]:
    """Draw the own agency's measures, one bar a week, by category."""
    names = [figures.name_of(column, look) for column in grid.columns[:-1]]
    values = [
        {"week": figures.week_number(line.week), "what": names[number], "order": number, "n": line.own[number] or 0}
        for line in reversed(grid.lines)
        for number in range(len(names))
    ]
    return {
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "x": figures.week_axis(look),
            "y": figures.count_axis(values, "week"),
            "color": {"field": "what", "type": "nominal", "sort": names, "scale": {"domain": names}},
            "order": {"field": "order", "type": "quantitative"},
        },
    }


PANEL: Final = Panel(name="interventions", title=mark("Interventions"), load=load)
CHART: Final = Chart(name="interventions", load=load, view=view)
