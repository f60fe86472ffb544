"""Trend: half a year, of all scenes together and of each by itself; less where the partnership is younger.

The own agency's numbers are exact; the others' are the sum of what is published of each kind.
Refuses a line between weeks of which something is hidden: it would look like a fall.

Source: docs/secrecy-rules.md B8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final, cast

import msgspec

from sluss_schemas.directory import Scene
from sluss_schemas.policy.model import Kind
from sluss_server.aggregates.cells import week_name
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import counts
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.counts import ALL, Counts, Figure

WEEKS: Final = 26
_FEW: Final = 4
DRAWN: Final = 12
"""So many scenes have a picture each; the table has all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Weeks of a scene, or of all of them (`scene` None): from the oldest on."""

    scene: Scene | None
    own: tuple[int, ...]
    others: tuple[Figure, ...]

    @property
    def median(self) -> float:
        """The median of the own agency's weeks."""
        return median(self.own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What is drawn, and each scene where all are looked at.

    Attributes:
        weeks: of every series, from the oldest on.
        chosen: all scenes, or the one that the page is about.
        scenes: each scene, where the page is about all of them.
        kinds: what may be chosen.
        kind: what is chosen; None for all kinds together.

    """

    weeks: tuple[int, ...]
    chosen: Series
    scenes: tuple[Series, ...]
    kinds: tuple[Kind, ...]
    kind: Kind | None

    @property
    def drawn(self) -> tuple[Series, ...]:
        """The scenes that have a picture: where there are many, those of most own reports, in their usual order."""
        most = sorted(range(len(self.scenes)), key=lambda place: -sum(self.scenes[place].own))[:DRAWN]
        return tuple(self.scenes[place] for place in sorted(most))

    @property
    def gaps(self) -> bool:
        """Whether there are weeks of which the others' part is known, but not the whole of it."""
        return any(one.state in {"part", "hidden"} for one in self.chosen.others)

    @property
    def rows(self) -> list[tuple[int, int, Figure]]:
        """Each week with its numbers, the newest first."""
        return list(zip(self.weeks, self.chosen.own, self.chosen.others, strict=True))[::-1]


def weeks_of(numbers: Counts) -> range:
    """Return the weeks that are drawn: never those from before there was anything."""
    return range(min(max(numbers.first, numbers.weeks.start), numbers.weeks.stop - 1), numbers.weeks.stop)


def series(numbers: Counts, place: int, scene: Scene | None) -> Series:
    """Return the weeks of one scene, or of all of them for place 0."""
    return Series(
        scene=scene,
        own=tuple(numbers.own_of(numbers.mine, week, place) for week in weeks_of(numbers)),
        others=tuple(numbers.others_of(numbers.theirs, week, place) for week in weeks_of(numbers)),
    )


async def load(services: Services, viewer: Viewer, ask: Ask) -> Trend:
    """Load half a year, of all kinds or of the one that `kind=` names."""
    pack = viewer.pack
    kind = counts.kind_asked(pack, ask.query)
    numbers = await counts.load(services, viewer, ask, weeks=WEEKS, kind=kind)
    scenes = viewer.scenes
    each = () if ask.scene else tuple(series(numbers, place, scene) for place, scene in scenes.items())
    return Trend(
        weeks=tuple(weeks_of(numbers)),
        chosen=series(numbers, ask.scene or ALL, scenes.get(ask.scene)),
        scenes=each,
        kinds=counts.kinds_offered(pack),
        kind=pack.kinds[kind] if kind else None,
    )


def view(data: Trend, look: Look) -> Mapping[str, object]:
    """Draw the own agency's weeks as bars, and what is shown of the others as points."""
    text, ink = look.words.text, look.ink
    own, others = text("Own agency"), text("Others, as published")
    values = [
        {"week": week_name(week), "own": number, "others": figure.value if figure.state == "shown" else None}
        for week, number, figure in zip(data.weeks, data.chosen.own, data.chosen.others, strict=True)
    ]
    colours = {"type": "nominal", "scale": {"domain": [own, others], "range": [ink.main, ink.other]}}
    weeks = {"field": "week", "type": "ordinal", "title": text("Week")}
    axis = {"labelExpr": "toNumber(slice(datum.label, 6))", "labelAngle": 0, "labelOverlap": True}
    most = max((*data.chosen.own, *(figure.value for figure in data.chosen.others if figure.state == "shown")))
    numbers = {
        "type": "quantitative",
        "title": text("Reports"),
        "axis": {"tickMinStep": 1, "format": ",d"},
        # Where there are few, halves of a report would be named as whole ones.
        "scale": {"domain": [0, _FEW]} if most < _FEW else {},
    }
    return {
        "data": {"values": values},
        "encoding": {"x": {**weeks, "axis": axis}},
        "layer": [
            {
                "mark": {"type": "bar"},
                "encoding": {"y": {**numbers, "field": "own"}, "color": {"datum": own, **colours}},
            },
            {
                "mark": {"type": "line", "point": {"filled": True, "size": 40}, "invalid": "break-paths-show-domains"},
                "encoding": {"y": {**numbers, "field": "others"}, "color": {"datum": others, **colours}},
            },
        ],
    }


def small(data: Trend, look: Look) -> Mapping[str, object]:
    """Draw the same without a legend and names of axes: the large one beside it has them."""
    drawn = msgspec.to_builtins(view(data, look))
    drawn["encoding"]["x"]["title"] = None
    for layer in drawn["layer"]:
        layer["encoding"]["y"]["title"] = None
        layer["encoding"]["color"]["legend"] = None
    return cast("Mapping[str, object]", drawn)


PANEL: Final = Panel(name="trend", title=mark("Half a year"), load=load)
CHART: Final = Chart(name="trend", load=load, view=view)
SMALL: Final = Chart(name="trend-small", load=load, view=small, width=340, height=150)
