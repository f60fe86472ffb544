"""Displacement: scenes that fell while neighbours rose, against the four weeks before, with the staffing beside it.

Fewer reports may be fewer people, fewer staff who look, or people who moved; the numbers alone cannot tell.
Refuses to claim a cause, and to look at a week that is not over.

> INVARIANT: pure but for `load`; of others only what is published in all five weeks is counted, so that a number that
> was hidden in one of them is no fall and no rise.

Source: docs/secrecy-rules.md B8; docs/protocol.md section 4, "Statements".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from sluss_schemas.directory import Scene
from sluss_server.aggregates.cells import days_of
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import counts, shapes
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.counts import BEFORE, Counts

LEAST: Final = 3
"""A smaller step is no movement."""
Hours = Mapping[tuple[int, int, bytes], int]
"""Stated hours by scene, week (its Monday) and agency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A scene's week beside those before it.

    Attributes:
        scene: which.
        now: reports of the week that are known of.
        before: those of the four weeks before, the nearest first; none where the partnership is younger than that.
        hours: what agencies stated of the week; None where nobody did.
        hours_before: the median of the stated weeks before.

    """

    scene: Scene
    now: int
    before: tuple[int, ...]
    hours: int | None
    hours_before: float | None

    @property
    def usual(self) -> float | None:
        """The median of the weeks before."""
        return median(self.before) if self.before else None

    @property
    def fell(self) -> bool:
        """Whether the week is below every one of them, and by a step that counts."""
        return bool(self.before) and self.now < min(self.before) and median(self.before) - self.now >= LEAST

    @property
    def rose(self) -> bool:
        """Whether it is above every one of them, likewise."""
        return bool(self.before) and self.now > max(self.before) and self.now - median(self.before) >= LEAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """A scene that fell, and its neighbours that rose; `touching` where its neighbours are those that it touches."""

    fallen: Move
    risen: tuple[Move, ...]
    touching: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """What is shown: the week that was looked at, which is the one before where that is not over."""

    week: int
    asked: bool
    falls: tuple[Fall, ...]
    moves: tuple[Move, ...]

    @property
    def compared(self) -> bool:
        """Whether there are weeks to compare with."""
        return any(one.before for one in self.moves)


def known(numbers: Counts, weeks: Sequence[int], place: int) -> tuple[int, ...]:
    """Return how many reports of a scene are known of in each week, of kinds that can be compared over all of them."""
    steady = [
        kind for kind in numbers.theirs if all(numbers.other(kind, week, place).state == "shown" for week in weeks)
    ]
    return tuple(
        numbers.joint_of(numbers.mine, week, place) + sum(numbers.other(kind, week, place).value for kind in steady)
        for week in weeks
    )


def move(numbers: Counts, staffing: Hours, week: int, place: int, scene: Scene) -> Move:
    """Return how a scene's week compares."""
    weeks = [week - back for back in range(BEFORE + 1)]
    if weeks[-1] < numbers.first:
        weeks = weeks[:1]
    now, *before = known(numbers, weeks, place)
    hours = [_hours(staffing, place, one) for one in weeks]
    stated = [one for one in hours[1:] if one is not None]
    return Move(
        scene=scene,
        now=now,
        before=tuple(before),
        hours=hours[0],
        hours_before=median(stated) if stated else None,
    )


def falls(moves: Mapping[int, Move]) -> tuple[Fall, ...]:
    """Return the scenes that fell while a neighbour rose, the deepest fall first."""
    found = list[Fall]()
    for number, one in moves.items():
        if not one.fell:
            continue
        near, touching = neighbours(number, {place: other.scene for place, other in moves.items()})
        risen = tuple(moves[place] for place in near if moves[place].rose)
        if risen:
            found.append(Fall(fallen=one, risen=risen, touching=touching))
    return tuple(sorted(found, key=lambda fall: fall.fallen.now - median(fall.fallen.before)))


def neighbours(number: int, scenes: Mapping[int, Scene]) -> tuple[list[int], bool]:
    """Return a scene's neighbours and whether they touch it: without such a one they are all other scenes."""
    others = [place for place in scenes if place != number]
    zone = scenes[number].zone
    touching = [place for place in others if zone and (other := scenes[place].zone) and shapes.touching(zone, other)]
    return (touching, True) if touching else (others, False)


async def load(services: Services, viewer: Viewer, ask: Ask) -> Displacement:
    """Load the last five weeks that are over."""
    week = min(ask.week, ask.this_week - 1)
    numbers = await counts.load(services, viewer, ask, weeks=BEFORE + 1, until=week)
    registry = await services.registry.current(viewer.partnership, since_week=days_of(week - BEFORE)[0])
    moves = {number: move(numbers, registry.staffing, week, number, scene) for number, scene in viewer.scenes.items()}
    return Displacement(week=week, asked=week == ask.week, falls=falls(moves), moves=tuple(moves.values()))


def _hours(staffing: Hours, place: int, week: int) -> int | None:
    stated = [hours for (scene, monday, _), hours in staffing.items() if (scene, monday) == (place, days_of(week)[0])]
    return sum(stated) if stated else None


PANEL: Final = Panel(name="displacement", title=mark("Fewer here, more next door"), load=load)
