"""The panels of the overview, and the one list of the sheets on which they stand.

A panel is a module here with `PANEL`, a template `templates/panels/NAME.html`, and its texts in `locale/sv.po`.
Refuses to import at the top what draws or typesets: this list is known when the server starts.
"""

from __future__ import annotations

from typing import Final

from sluss_server.web.panels import pulse
from sluss_server.web.panels.base import Panel, Sheet, mark
from sluss_server.web.panels.chart import Chart

__all__ = ["CHARTS", "SHEETS", "Chart", "Panel", "Sheet"]

SHEETS: Final = (Sheet(path="", title=mark("This week"), panels=(pulse.PANEL,)),)
CHARTS: Final[tuple[Chart, ...]] = ()
"""Every chart, each with an address of its own."""
