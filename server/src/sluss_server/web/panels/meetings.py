"""Meetings: which agencies came, on the street and among those who can decide.

It counts agencies at meetings; who sat there for them stands nowhere.
Source: docs/secrecy-rules.md B8; docs/forms.md (K14).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluss_schemas.policy.model import Code
from sluss_schemas.statements import MEETING_KIND
from sluss_server.aggregates import measures
from sluss_server.aggregates.cells import TOTAL, days_of
from sluss_server.aggregates.measures import Attendance, Level, LevelAttendance, Meeting
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import figures
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.counts import Figure

WEEKS: Final = 13
LEVELS: Final[dict[Level, str]] = {
    "street": mark("On the street"),
    "heads": mark("Heads and steering groups"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelOf:
    """A level: its name, how many meetings there were, how many seats were taken, and each agency's attendance."""

    name: str
    meetings: int
    per_cent: int | None
    agencies: tuple[tuple[Code, Attendance], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meetings:
    """What is shown.

    Attributes:
        first: the first week.
        last: the last one.
        levels: both.
        others: how many meetings others wrote down, as published.
        files: whether the own agency writes meetings down.
        more: whether there are more than were counted.

    """

    first: int
    last: int
    levels: tuple[LevelOf, ...]
    others: Figure
    files: bool
    more: bool


def levels_of(attended: Mapping[Level, LevelAttendance], codes: Iterable[Code]) -> tuple[LevelOf, ...]:
    """Return both levels with the agencies by their names; an agency that no list has is left out."""
    known = {code.n: code for code in codes}
    return tuple(
        LevelOf(
            name=name,
            meetings=attended[level].meetings,
            per_cent=attended[level].per_cent,
            agencies=tuple((known[number], one) for number, one in attended[level].agencies.items() if number in known),
        )
        for level, name in LEVELS.items()
    )


def at(meetings: Sequence[tuple[int, Meeting]], scene: int) -> list[Meeting]:
    """Return the meetings at a scene, or all."""
    return [one for place, one in meetings if scene in {0, place}]


async def load(services: Services, viewer: Viewer, ask: Ask) -> Meetings:
    """Return who came to the meetings of a quarter of a year up to the week that is asked for."""
    weeks = figures.last_weeks(ask.week, WEEKS)
    found = await services.courses.minutes(viewer, (days_of(min(weeks))[0], days_of(max(weeks))[1]))
    shown = await figures.load(services, viewer, [MEETING_KIND], weeks, ask.scene, dims=())
    return Meetings(
        first=min(weeks),
        last=max(weeks),
        levels=levels_of(measures.attendance(at(found.meetings, ask.scene)), figures.codes(viewer.pack, "agency")),
        others=shown.others_total(MEETING_KIND, weeks, TOTAL),
        files=viewer.own.sector in viewer.pack.kinds[MEETING_KIND].owners,
        more=found.more,
    )


def view(data: Meetings, look: Look) -> Mapping[str, object]:
    """Draw at what share of the meetings each agency had somebody, at each level."""
    words = look.words
    levels = [words.text(level.name) for level in data.levels]
    values = [
        {"agency": words.label(code), "level": name, "share": one.per_cent or 0}
        for name, level in zip(levels, data.levels, strict=True)
        for code, one in level.agencies
    ]
    return {
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "y": {"field": "agency", "type": "nominal", "sort": None, "title": None, "axis": figures.WIDE},
            "yOffset": {"field": "level", "type": "nominal", "sort": levels},
            "x": {"field": "share", "type": "quantitative", "title": "%", "scale": {"domain": [0, 100]}},
            "color": {"field": "level", "type": "nominal", "scale": {"domain": levels}},
        },
    }


PANEL: Final = Panel(name="meetings", title=mark("Meetings and attendance"), load=load)
CHART: Final = Chart(name="meetings", load=load, view=view)
