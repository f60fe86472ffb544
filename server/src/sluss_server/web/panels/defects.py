"""Defects of places: how far the work has come, and how long repairs take.

Of the own agency from the versions of its reports; of the others the states as they were when a week was published.
Source: docs/secrecy-rules.md B8; docs/forms.md (K09).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluss_schemas.policy.model import Code
from sluss_schemas.statements import DEFECT_KIND
from sluss_server.aggregates import measures
from sluss_server.aggregates.cells import day_of, days_of
from sluss_server.aggregates.measures import Defects, History
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import figures
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.counts import Figure

WEEKS: Final = 13
BACK_DAYS: Final = 365
DIM: Final = "status"
BANDS: Final = (
    mark("within a day"),
    mark("within a week"),
    mark("within 30 days"),
    mark("within 90 days"),
    mark("longer"),
)
FIXED: Final = mark("Fixed")
WAITING: Final = mark("Waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How many defects stand at a state: of the own agency now, and of the others as published."""

    code: Code
    own: int
    others: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """What is shown.

    Attributes:
        day: the last day that is looked at.
        first: the first week of the others' figures.
        last: the last one.
        states: in their order.
        own: the own agency's repairs.
        files: whether the own agency files defects.
        at_scene: whether one scene is shown, at which others' states are not told.
        more: whether there are older defects that are not counted here.

    """

    day: int
    first: int
    last: int
    states: tuple[State, ...]
    own: Defects
    files: bool
    at_scene: bool
    more: bool

    @property
    def bands(self) -> list[tuple[str, int, int]]:
        """Each band of time: its name, how many repairs took so long, and how many defects have waited so long."""
        return list(zip(BANDS, self.own.fixed, self.own.waiting, strict=True))

    @property
    def fixed(self) -> int:
        """How many are repaired."""
        return sum(self.own.fixed)

    @property
    def waiting(self) -> int:
        """How many are neither repaired nor declined."""
        return sum(self.own.waiting)


def at(courses: Iterable[tuple[int, History]], scene: int) -> list[History]:
    """Return what became of the defects at a scene, or at all."""
    return [history for place, history in courses if scene in {0, place}]


def states_of(codes: Sequence[Code], own: Defects, others: Mapping[int, Figure]) -> tuple[State, ...]:
    """Return every state, also one at which nothing stands."""
    return tuple(State(code=code, own=own.states.get(code.n, 0), others=others[code.n]) for code in codes)


async def load(services: Services, viewer: Viewer, ask: Ask) -> Repairs:
    """Follow the own agency's defects up to the end of the week, and count what is published of the others."""
    after = days_of(ask.week)[1]
    day = min(after - 1, day_of(viewer.now, viewer.pack.zone))
    found = await services.courses.repairs(viewer, (after - BACK_DAYS, after))
    own = measures.defect_states(at(found.courses, ask.scene), day)
    weeks = figures.last_weeks(ask.week, WEEKS)
    shown = await figures.load(services, viewer, [DEFECT_KIND], weeks, ask.scene, dims=(DIM,))
    codes = figures.codes(viewer.pack, "defect_status")
    others = {code.n: shown.others_total(DEFECT_KIND, weeks, (DIM, code.n)) for code in codes}
    return Repairs(
        day=day,
        first=min(weeks),
        last=max(weeks),
        states=states_of(codes, own, others),
        own=own,
        files=viewer.own.sector in viewer.pack.kinds[DEFECT_KIND].owners,
        at_scene=bool(ask.scene),
        more=found.more,
    )


def view(data: Repairs, look: Look) -> Mapping[str, object]:
    """Draw how long repairs took, and how long what is not repaired has waited."""
    words = look.words
    names, whose = [words.text(name) for name in BANDS], [words.text(FIXED), words.text(WAITING)]
    values = [
        {"band": name, "what": what, "n": number}
        for name, (_, fixed, waiting) in zip(names, data.bands, strict=True)
        for what, number in zip(whose, (fixed, waiting), strict=True)
    ]
    return {
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "x": {"field": "band", "type": "ordinal", "sort": names, "title": None, "axis": {"labelAngle": 0}},
            "xOffset": {"field": "what", "type": "nominal", "sort": whose},
            "y": figures.count_axis(values),
            "color": {"field": "what", "type": "nominal", "scale": {"domain": whose}},
        },
    }


PANEL: Final = Panel(name="defects", title=mark("Defects of places"), load=load)
CHART: Final = Chart(name="defects", load=load, view=view)
