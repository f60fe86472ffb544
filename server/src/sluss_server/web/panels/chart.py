"""What a chart of a panel is: a picture of the panel's own numbers, as a Vega-Lite specification.

A chart has no title and says nothing that the table beneath it does not say.
Refuses data from an address: a specification carries its numbers.

> INVARIANT: pure: the same numbers, language and colours give the same specification.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask

if TYPE_CHECKING:
    # Languages are read when the first page is asked for, and not when the server starts.
    from sluss_server.web.wording import Words

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH: Final = 720
NARROW: Final = 360
"""What a chart is drawn at for a telephone, on which letters of a wider one could not be read."""
_NARROW_LABELS: Final = {"labelLimit": 100, "minExtent": 125}
HEIGHT: Final = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """A theme's colours for pictures, as the style sheet has them for pages.

    Attributes:
        text: of labels.
        faint: of what is less important.
        hair: of the grid.
        main: of what the picture is about.
        soft: of a band behind it.
        other: of what it is compared with.
        series: told apart by everybody, in the order of use.

    """

    text: str
    faint: str
    hair: str
    main: str
    soft: str
    other: str
    series: tuple[str, ...]


LIGHT: Final = Ink(
    text="#14191d",
    faint="#4c565e",
    hair="#d5dade",
    main="#14506b",
    soft="#bcd6e2",
    other="#b3420b",
    series=("#14506b", "#b3420b", "#3d7a2e", "#7a3f8c", "#8a6d00", "#4c565e"),
)
DARK: Final = Ink(
    text="#e9eef1",
    faint="#aab5bc",
    hair="#2d363d",
    main="#8fd0ee",
    soft="#2f5163",
    other="#ffb375",
    series=("#8fd0ee", "#ffb375", "#9bd48a", "#d6a5e6", "#e6cf6b", "#aab5bc"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """How a chart is to look: words and numbers of a language, a theme's colours, and whether for a narrow window."""

    words: Words
    ink: Ink
    narrow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart.

    Attributes:
        name: of its address, `/overview/chart/NAME.svg`; the panel's name, with more behind it for a second one.
        load: what the panel loads.
        view: returns the specification's own part (data, mark, encoding), given what was loaded.
        width: in pixels, as in the template.
        height: likewise.

    """

    name: str
    load: Callable[[Services, Viewer, Ask], Awaitable[Any]]
    view: Callable[[Any, Look], Mapping[str, object]]
    width: int = WIDTH
    height: int = HEIGHT


def specification(chart: Chart, loaded: object, look: Look) -> dict[str, object]:
    """Return what is drawn: the chart's own part in the overview's style."""
    ink = look.ink
    axis: dict[str, object] = {
        "labelColor": ink.text,
        "titleColor": ink.faint,
        "gridColor": ink.hair,
        "domainColor": ink.hair,
    }
    axis |= {"tickColor": ink.hair, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    # Browsers have other fonts than what draws: labels need room.
    legend = {"labelColor": ink.text, "labelFontSize": 12, "orient": "top", "title": None, "columnPadding": 32}
    view: Mapping[str, object] = chart.view(loaded, look)
    if look.narrow:
        legend |= {"columns": 1}
        view = cast("Mapping[str, object]", _narrow(view))
    return {
        "$schema": SCHEMA,
        "width": min(chart.width, NARROW) if look.narrow else chart.width,
        "height": chart.height,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": None,
        **view,
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": axis,
            "legend": legend,
            "range": {"category": list(ink.series)},
            "text": {"color": ink.text},
            "bar": {"color": ink.main},
            "line": {"color": ink.main, "strokeWidth": 2},
            "locale": {"number": _number_locale(look.words)},
        },
    }


def _narrow(part: object) -> object:
    """Return a part of a specification with less room for the labels of its axes."""
    if isinstance(part, Mapping):
        if "minExtent" in part:
            return {**part, **_NARROW_LABELS}
        return {name: _narrow(one) for name, one in part.items()}
    return [_narrow(one) for one in part] if isinstance(part, list | tuple) else part


def _number_locale(words: Words) -> dict[str, object]:
    swedish = words.lang == "sv"
    return {
        "decimal": "," if swedish else ".",
        "thousands": "\u00a0" if swedish else ",",
        "grouping": [3],
        "currency": ["", ""],
    }
