"""MUMIN: how many young people came how far, against what is aimed at.

It has no scene, for a place and so few people would be somebody. Nothing links the steps of one episode here, so the
funnel is of steps in the same weeks.
Source: docs/secrecy-rules.md B8; docs/forms.md (K08).

> INVARIANT: where one of the counts is hidden, the ratio that is made of it is hidden too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluss_schemas.policy.model import Code
from sluss_schemas.statements import MUMIN_KIND, ObjectiveTerms
from sluss_server.aggregates import measures
from sluss_server.aggregates.cells import days_of, week_of
from sluss_server.aggregates.measures import Ratio
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import figures
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.chart import Chart, Look
from sluss_server.web.panels.counts import Figure
from sluss_server.web.panels.figures import Figures

WEEKS: Final = 13
LONGEST: Final = 60
DIM: Final = "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step: what the own agency counts, None where it files none of it, and what is published of the others.

    `joint` is what the own agency adds to both: of an event that another agency's report counts nothing.
    """

    code: Code
    own: int | None
    others: Figure
    joint: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mumin:
    """The funnel.

    Attributes:
        first: the first week.
        last: the last one.
        steps: in their order.
        ratio: of visits to a clinic to those who were stopped, of all agencies together.
        rounded: whether figures of others are in the ratio.
        aim: the objective that runs in the last week, if there is one; the weeks begin with it.

    """

    first: int
    last: int
    steps: tuple[Step, ...]
    ratio: Ratio
    rounded: bool
    aim: ObjectiveTerms | None


def aim_of(objectives: Sequence[ObjectiveTerms], week: int) -> ObjectiveTerms | None:
    """Return the objective for MUMIN that runs in a week; of several the one that ends first."""
    monday, after = days_of(week)
    running = [
        one
        for one in objectives
        if one.measure.what == "mumin_ratio" and not one.ended and one.since < after and one.until >= monday
    ]
    return min(running, key=lambda one: (one.until, one.objective), default=None)


def weeks_of(aim: ObjectiveTerms | None, week: int) -> list[int]:
    """Return the weeks of the funnel, the newest first: since the objective began, or a quarter of a year."""
    number = WEEKS if aim is None else min(week - week_of(aim.since) + 1, LONGEST)
    return figures.last_weeks(week, number)


def together(joint: int, others: Figure) -> int | None:
    """Return the sum of both; None where something of it is hidden."""
    return None if others.state in {"hidden", "part"} else joint + others.value


def funnel(found: Figures, codes: Sequence[Code], weeks: Sequence[int], aim: ObjectiveTerms | None) -> Mumin:
    """Return the funnel of some weeks."""
    steps = tuple(
        Step(
            code=code,
            own=found.own_total(MUMIN_KIND, weeks, (DIM, code.n)),
            others=found.others_total(MUMIN_KIND, weeks, (DIM, code.n)),
            joint=found.joint_total(MUMIN_KIND, weeks, (DIM, code.n)),
        )
        for code in codes
    )
    return Mumin(
        first=min(weeks),
        last=max(weeks),
        steps=steps,
        ratio=measures.mumin_ratio({step.code.n: together(step.joint, step.others) for step in steps}),
        rounded=any(step.others.value for step in steps),
        aim=aim,
    )


async def load(services: Services, viewer: Viewer, ask: Ask) -> Mumin:
    """Count the steps."""
    registry = await services.registry.current(viewer.partnership)
    aim = aim_of([terms for _, terms in registry.objectives], ask.week)
    weeks = weeks_of(aim, ask.week)
    found = await figures.load(services, viewer, [MUMIN_KIND], weeks, dims=(DIM,))
    return funnel(found, figures.codes(viewer.pack, "mumin_step"), weeks, aim)


def view(data: Mumin, look: Look) -> Mapping[str, object]:
    """Draw the steps: the own agency's, and behind them what is shown of the others."""
    whose = [look.words.text(mark("Own agency")), look.words.text(mark("Others, as published"))]
    names = [look.words.label(step.code) for step in data.steps]
    values = [
        {"step": name, "who": who, "order": order, "n": number}
        for name, step in zip(names, data.steps, strict=True)
        for order, (who, number) in enumerate(zip(whose, (step.own or 0, step.others.value), strict=True))
        # What is hidden has no length.
        if number
    ]
    return {
        "data": {"values": values},
        "mark": "bar",
        "encoding": {
            "y": {"field": "step", "type": "ordinal", "title": None, "axis": figures.WIDE, "scale": {"domain": names}},
            "x": figures.count_axis(values, "step"),
            "color": {"field": "who", "type": "nominal", "scale": {"domain": whose}},
            "order": {"field": "order", "type": "quantitative"},
        },
    }


PANEL: Final = Panel(name="mumin", title=mark("MUMIN"), load=load)
CHART: Final = Chart(name="mumin", load=load, view=view, height=280)
