"""Objectives: what the agencies aim at, whose aim it is, until when, and how far it is.

What is counted is the own agency's exactly and the others' as published, in whole weeks. Who came to meetings and how
long repairs took is known to the agency that wrote it down, so such an aim is measured for its owner alone.
Source: docs/protocol.md section 4, "Statements"; docs/secrecy-rules.md B8.

> INVARIANT: where a part is hidden, so is the value; it then says only what the known part decides by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sluss_schemas.directory import Genesis
from sluss_schemas.policy.model import Code, Kind, Pack
from sluss_schemas.statements import MUMIN_KIND, Measure, ObjectiveTerms
from sluss_server.aggregates import measures
from sluss_server.aggregates.catalogue import dimensions
from sluss_server.aggregates.cells import SUM, TOTAL, Cell, day_of, days_of, week_of
from sluss_server.aggregates.measures import GROWS, Progress, Standing, progress
from sluss_server.services import Services
from sluss_server.services.courses import LONGEST_DAYS
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import defects, figures, meetings, mumin
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.figures import Figures

MOST: Final = 100
LONGEST_WEEKS: Final = 160
AFTERWARDS_DAYS: Final = 92
"""For so long after its last day an objective is still shown."""
Said = Standing | Literal["to_come"]
STANDINGS: Final[dict[Said, str]] = {
    "met": mark("met"),
    "on_track": mark("on track"),
    "behind": mark("behind"),
    "missed": mark("missed"),
    "hidden": mark("cannot be told"),
    "to_come": mark("yet to begin"),
}
SUMS: Final = {"naloxone_doses": mark("Doses of naloxone"), "needles": mark("Needles")}
MEASURES: Final = {
    "mumin_ratio": mark("MUMIN: visits to a clinic, of those who were stopped"),
    "attendance": mark("Attendance at meetings"),
    "days_to_fix": mark("Median time until a defect is fixed"),
}
UNITS: Final = {"mumin_ratio": mark("per cent"), "attendance": mark("per cent"), "days_to_fix": mark("days")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What was counted: the sum of what is known, and whether that is all; None where nothing can be told."""

    known: int | None
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One objective as it stands.

    Attributes:
        terms: what its owner states.
        owner: the agency whose aim it is.
        kind: the kind of report that is counted in, for counts and sums.
        code: the code that the counted reports have, where one is asked for.
        value: what was counted.
        progress: how far it is.
        standing: in one word.

    """

    terms: ObjectiveTerms
    owner: Genesis
    kind: Kind | None
    code: Code | None
    value: Value
    progress: Progress
    standing: Said

    @property
    def measure(self) -> str:
        """What is measured besides a kind, marked; empty for the reports of a kind."""
        return MEASURES.get(self.terms.measure.what) or SUMS.get(self.terms.measure.dim, "")

    @property
    def unit(self) -> str:
        """The unit of target and value, marked; empty for a count."""
        return UNITS.get(self.terms.measure.what, "")

    @property
    def standing_text(self) -> str:
        """How it stands, marked."""
        return STANDINGS[self.standing]

    @property
    def level(self) -> str:
        """The level of meetings that is measured, marked; empty for both."""
        return dict(zip((1, 2), meetings.LEVELS.values(), strict=True)).get(self.terms.measure.value or 0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """The objectives, the first to end before the others; `day` is the last day that is counted."""

    aims: tuple[Aim, ...]
    day: int


def cell_of(measure: Measure) -> Cell:
    """Return what a count or a sum looks at."""
    if not measure.dim:
        return TOTAL
    return (measure.dim, SUM) if measure.what == "sum" else (measure.dim, measure.value or 0)


def code_of(pack: Pack, measure: Measure) -> Code | None:
    """Return the code that counted reports have."""
    if measure.kind is None or measure.value is None or measure.kind not in pack.kinds:
        return None
    lists = {one.name: one.codes for one in dimensions(pack, measure.kind)}
    codes = pack.codes.get(lists.get(measure.dim, ""), {})
    return next((code for code in codes.values() if code.n == measure.value), None)


def counted(found: Figures, measure: Measure, weeks: Sequence[int]) -> Value:
    """Return a count or a sum over some weeks, of all agencies together."""
    kind, cell = measure.kind or 0, cell_of(measure)
    others = found.others_total(kind, weeks, cell)
    whole = others.state not in {"hidden", "part"} and not found.unsplit(kind, cell)
    return Value(known=found.joint_total(kind, weeks, cell) + others.value, whole=whole)


def ratio(found: Figures, weeks: Sequence[int]) -> Value:
    """Return MUMIN's ratio over some weeks, of all agencies together."""
    steps = dict[int, int | None]()
    for step in (measures.STOPPED, measures.CLINIC_VISIT):
        cell = (mumin.DIM, step)
        joint, others = found.joint_total(MUMIN_KIND, weeks, cell), found.others_total(MUMIN_KIND, weeks, cell)
        steps[step] = mumin.together(joint, others)
    per_cent = measures.mumin_ratio(steps).per_cent
    return Value(known=per_cent, whole=per_cent is not None)


def standing_of(terms: ObjectiveTerms, value: Value, day: int) -> tuple[Progress, Said]:
    """Return how an objective stands on a day."""
    found = progress(
        value.known if value.whole else None,
        what=terms.measure.what,
        direction=terms.direction,
        target=terms.target,
        days=(terms.since, terms.until),
        today=day,
    )
    if day < terms.since:
        return found, "to_come"
    if found.standing == "hidden" and value.known is not None and terms.measure.what in GROWS:
        # More can only be hidden, so what is known may be enough.
        if terms.direction == "at_least" and value.known >= terms.target:
            return found, "met"
        if terms.direction == "at_most" and value.known > terms.target:
            return found, "missed"
    return found, found.standing


def shown(terms: ObjectiveTerms, day: int) -> bool:
    """Tell whether an objective is shown on a day."""
    return not terms.ended and terms.until + AFTERWARDS_DAYS >= day


def weeks_of(terms: ObjectiveTerms, day: int) -> list[int]:
    """Return the weeks that count, up to a day; none before it begins."""
    last = week_of(min(terms.until, day))
    return list(range(week_of(terms.since), last + 1))


async def load(services: Services, viewer: Viewer, ask: Ask) -> Objectives:
    """Measure the objectives up to the end of the week that is asked for."""
    day = min(days_of(ask.week)[1] - 1, day_of(viewer.now, viewer.pack.zone))
    registry = await services.registry.current(viewer.partnership)
    stated = [
        (held.agency, terms)
        for held, terms in registry.objectives
        if shown(terms, day) and (not ask.scene or terms.scene in {None, ask.scene})
    ][:MOST]
    found = await _read(services, viewer, [terms for _, terms in stated], day)
    aims = list[Aim]()
    for agency, terms in stated:
        owner = viewer.view.directories[agency].genesis if agency in viewer.view.directories else None
        if owner is None:
            continue
        value = await _value(services, viewer, found, (agency, terms), day)
        far, standing = standing_of(terms, value, day)
        counts = terms.measure.what in GROWS
        aims.append(
            Aim(
                terms=terms,
                owner=owner,
                kind=viewer.pack.kinds.get(terms.measure.kind or 0) if counts else None,
                code=code_of(viewer.pack, terms.measure) if counts else None,
                value=value,
                progress=far,
                standing=standing,
            )
        )
    return Objectives(aims=tuple(aims), day=day)


async def _read(
    services: Services, viewer: Viewer, stated: Sequence[ObjectiveTerms], day: int
) -> Mapping[int, Figures]:
    """Read once what is counted for all objectives; return it by scene."""
    asked = [terms for terms in stated if 0 < len(weeks_of(terms, day)) <= LONGEST_WEEKS]
    kinds = {terms.measure.kind or MUMIN_KIND for terms in asked if terms.measure.what in {*GROWS, "mumin_ratio"}}
    kinds &= set(viewer.pack.kinds)
    if not kinds:
        return {}
    weeks = sorted({week for terms in asked for week in weeks_of(terms, day)})
    dims = {mumin.DIM, *(terms.measure.dim for terms in asked)}
    found = await figures.read(services, viewer, sorted(kinds), weeks, dims)
    return {scene: found.at(scene) for scene in {terms.scene or 0 for terms in asked}}


async def _value(
    services: Services, viewer: Viewer, found: Mapping[int, Figures], stated: tuple[bytes, ObjectiveTerms], day: int
) -> Value:
    agency, terms = stated
    weeks, what = weeks_of(terms, day), terms.measure.what
    if not 0 < len(weeks) <= LONGEST_WEEKS:
        return Value(known=None, whole=False)
    if what in GROWS or what == "mumin_ratio":
        at = found.get(terms.scene or 0)
        if at is None:
            return Value(known=None, whole=False)
        return counted(at, terms.measure, weeks) if what in GROWS else ratio(at, weeks)
    days = (terms.since, min(terms.until, day) + 1)
    if agency != viewer.agency or days[1] - days[0] > LONGEST_DAYS:
        return Value(known=None, whole=False)
    if what == "attendance":
        minutes = await services.courses.minutes(viewer, days)
        value = attended(measures.attendance(meetings.at(minutes.meetings, terms.scene or 0)), terms.measure.value)
    else:
        repairs = await services.courses.repairs(viewer, days)
        value = measures.defect_states(defects.at(repairs.courses, terms.scene or 0), day).median
    return Value(known=value, whole=value is not None)


def attended(levels: Mapping[measures.Level, measures.LevelAttendance], level: int | None) -> int | None:
    """Return the share of seats that were taken, at a level or at both."""
    every = [
        one
        for number, name in enumerate(meetings.LEVELS, start=1)
        if level in {None, number}
        for one in levels[name].agencies.values()
    ]
    return measures.per_cent(sum(one.present + one.deputy for one in every), sum(one.meetings for one in every))


PANEL: Final = Panel(name="objectives", title=mark("Objectives"), load=load)
