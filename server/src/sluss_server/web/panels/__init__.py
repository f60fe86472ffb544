"""The panels of the overview, and the one list of the sheets on which they stand.

A panel is a module here with `PANEL`, a template `templates/panels/NAME.html`, and its texts in `locale/sv.po`.
Refuses to import at the top what draws or typesets: this list is known when the server starts.
"""

from __future__ import annotations

from typing import Final

from sluss_server.web.panels import (
    defects,
    displacement,
    duties,
    health,
    interventions,
    meetings,
    mumin,
    objectives,
    outreach,
    pulse,
    takeaway,
    trend,
    zones,
)
from sluss_server.web.panels.base import Panel, Sheet, mark
from sluss_server.web.panels.chart import Chart

__all__ = ["CHARTS", "SHEETS", "Chart", "Panel", "Sheet"]

SHEETS: Final = (
    Sheet(path="", title=mark("The week"), panels=(pulse.PANEL, duties.PANEL, trend.PANEL, takeaway.PANEL)),
    Sheet(
        path="/scenes",
        title=mark("Scenes"),
        panels=(trend.PANEL, zones.PANEL, displacement.PANEL),
        scripts=("vendor/maplibre-gl-csp.js", "map.js"),
        styles=("vendor/maplibre-gl.css",),
    ),
    Sheet(
        path="/measures",
        title=mark("Measures"),
        panels=(interventions.PANEL, mumin.PANEL, outreach.PANEL, defects.PANEL, meetings.PANEL),
    ),
    Sheet(path="/objectives", title=mark("Objectives"), panels=(objectives.PANEL,)),
    Sheet(path="/data", title=mark("Data"), panels=(health.PANEL,)),
)
CHARTS: Final[tuple[Chart, ...]] = (
    pulse.CHART,
    trend.CHART,
    trend.SMALL,
    interventions.CHART,
    mumin.CHART,
    outreach.CHART,
    defects.CHART,
    meetings.CHART,
)
"""Every chart, each with an address of its own."""
