"""Pulse: a week against the four weeks before it, by kind.

The own agency's numbers are exact; beside them stands what is published of the others.
Refuses a verdict on a week that is not over: until then a low number says nothing.

Source: docs/secrecy-rules.md B8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sluss_schemas.policy.model import Kind, Pack
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import counts
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.counts import BEFORE, Counts, Figure, Usual

if TYPE_CHECKING:
    from collections.abc import Mapping

Verdict = Literal["above", "within", "below", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A kind: what the own agency filed and how that compares, and what is published of the others.

    `own` is None for a kind that the own agency does not file, and `usual` also where no week is there to compare with.
    """

    kind: Kind
    own: int | None
    usual: Usual | None
    verdict: Verdict
    others: Figure
    others_before: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The week, against so many weeks `before` it; `open` while it is not over."""

    rows: tuple[Row, ...]
    total: int
    total_usual: Usual | None
    before: int
    open: bool

    @property
    def mine(self) -> tuple[Row, ...]:
        """The kinds that the own agency files."""
        return tuple(row for row in self.rows if row.own is not None)

    @property
    def unusual(self) -> tuple[Row, ...]:
        """The kinds that lie outside of their usual range."""
        return tuple(row for row in self.rows if row.verdict in {"above", "below"})


def verdict(number: int, usual: Usual | None, *, is_open: bool) -> Verdict:
    """Return how a week compares; one that is not over can be above already, and is not below yet.

    Less than four weeks are not enough to say what is usual, and stand here as None.
    """
    if usual is None:
        return "open"
    if number > usual.high:
        return "above"
    if is_open:
        return "open"
    return "below" if number < usual.low else "within"


def pulse(numbers: Counts, pack: Pack, week: int, scene: int, *, is_open: bool) -> Pulse:
    """Return the week against those before it."""
    rows, weeks = list[Row](), numbers.before(week)
    compared = len(weeks) == BEFORE
    for kind in sorted({*numbers.mine, *numbers.theirs}):
        others = numbers.other(kind, week, scene)
        before = [numbers.other(kind, one, scene) for one in weeks]
        if kind in numbers.mine:
            own, usual = numbers.own_of((kind,), week, scene), numbers.usual((kind,), week, scene)
            row = Row(
                kind=pack.kinds[kind],
                own=own,
                usual=usual,
                verdict=verdict(own, usual if compared else None, is_open=is_open),
                others=others,
                others_before=_middle(before),
            )
        else:
            row = Row(
                kind=pack.kinds[kind],
                own=None,
                usual=None,
                verdict="open",
                others=others,
                others_before=_middle(before),
            )
        rows.append(row)
    return Pulse(
        rows=tuple(rows),
        total=numbers.own_of(numbers.mine, week, scene),
        total_usual=numbers.usual(numbers.mine, week, scene),
        before=len(weeks),
        open=is_open,
    )


def _middle(figures: list[Figure]) -> Figure:
    """Return the median of published figures: hidden where one of them is, none of no weeks."""
    if not figures:
        return Figure("none")
    worst = next((one for state in ("none", "hidden", "waiting") for one in figures if one.state == state), None)
    if worst is not None:
        return worst
    # Of an even number the lower one of the two in the middle, which is a figure that was published.
    return sorted(figures, key=lambda one: one.value)[(len(figures) - 1) // 2]


async def load(services: Services, viewer: Viewer, ask: Ask) -> Pulse:
    """Load five weeks."""
    numbers = await counts.load(services, viewer, ask, weeks=BEFORE + 1)
    return pulse(numbers, viewer.pack, ask.week, ask.scene, is_open=ask.week == ask.this_week)


def view(data: Pulse, look: Look) -> Mapping[str, object]:
    """Draw a kind on each line: the usual range, its median, and the week."""
    text, ink = look.words.text, look.ink
    week, middle, span = text("The week"), text("Median"), text("Usual range")
    values = [
        {
            "kind": look.words.label(row.kind),
            "n": row.own,
            "low": row.usual.low,
            "high": row.usual.high,
            "median": row.usual.median,
        }
        for row in data.mine
        if row.usual is not None
    ]
    colours = {"type": "nominal", "scale": {"domain": [span, middle, week], "range": [ink.soft, ink.faint, ink.main]}}
    lines = {
        "field": "kind",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 150, "minExtent": 200},
    }
    numbers = {"type": "quantitative", "title": text("Reports"), "axis": {"tickMinStep": 1, "format": ",d"}}
    return {
        "data": {"values": values},
        "encoding": {"y": lines},
        "layer": [
            {
                "mark": {"type": "bar", "size": 12},
                "encoding": {
                    "x": {**numbers, "field": "low"},
                    "x2": {"field": "high"},
                    "color": {"datum": span, **colours},
                },
            },
            {
                "mark": {"type": "tick", "thickness": 3, "size": 16},
                "encoding": {"x": {**numbers, "field": "median"}, "color": {"datum": middle, **colours}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {"x": {**numbers, "field": "n"}, "color": {"datum": week, **colours}},
            },
        ],
    }


PANEL: Final = Panel(name="pulse", title=mark("The week against the four before it"), load=load)
CHART: Final = Chart(name="pulse", load=load, view=view, height=320)
