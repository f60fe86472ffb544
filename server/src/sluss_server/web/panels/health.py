"""Health of the data: silent devices, how late reports come, and scenes of which nobody reports any more.

Nothing reported is not nothing happened: this says where to ask before believing a low number.
Refuses names: a device is shown by the beginning of its key id, which a registrar finds in the roster.

> INVARIANT: of the own agency alone; other agencies' silence is theirs to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from sluss_schemas.directory import Scene
from sluss_schemas.policy.model import Kind, Pack
from sluss_server.aggregates.cells import day_of
from sluss_server.services import Services
from sluss_server.services.health import Arrival
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import counts
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.counts import Counts

SILENT_DAYS: Final = 7
QUIET_WEEKS: Final = 4
MEDIAN_WEEKS: Final = 26
ABOVE: Final = 2
"""A kind of which there are usually more a week than this does not fall silent by chance."""
LATEST: Final = (0, 1, 3, 7)
"""The last day of each band: the same day, the next, within three days, within a week; later is the band after."""
_SHOWN_BYTES: Final = 4
_MOST: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """The devices in use: how many, and those that were not heard of for a week, the longest silent first."""

    all: int
    silent: tuple[tuple[str, int | None], ...]

    @property
    def shown(self) -> tuple[tuple[str, int | None], ...]:
        """Those of the silent ones that the page names."""
        return self.silent[:_MOST]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A kind at a scene of which there was nothing for four weeks, with the median of the half year before."""

    scene: Scene
    kind: Kind
    median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is shown; `told` are scenes that an agency has stated to be under-reported.

    `timed` tells whether any of the own agency's reports say the day of what happened.
    """

    devices: Devices
    delays: tuple[int, ...]
    timed: bool
    quiet: tuple[Quiet, ...]
    told: tuple[Scene, ...]

    @property
    def arrived(self) -> int:
        """How many reports the delays are of."""
        return sum(self.delays)


def devices(silence: Mapping[bytes, int | None]) -> Devices:
    """Return which devices are silent; one that was never heard of is so."""
    silent = [
        (kid.hex()[: 2 * _SHOWN_BYTES], days) for kid, days in silence.items() if days is None or days > SILENT_DAYS
    ]
    return Devices(
        all=len(silence),
        silent=tuple(sorted(silent, key=lambda one: (one[1] is not None, -(one[1] or 0), one[0]))),
    )


def delays(arrivals: Iterable[Arrival], zone: str) -> tuple[int, ...]:
    """Return how many reports came in each band, in whole days where the partnership is."""
    found = [0] * (len(LATEST) + 1)
    for one in arrivals:
        days = day_of(one.received_at, zone) - day_of(one.time, zone)
        found[next((band for band, last in enumerate(LATEST) if days <= last), len(LATEST))] += 1
    return tuple(found)


def quiet(numbers: Counts, pack: Pack, scenes: Mapping[int, Scene]) -> tuple[Quiet, ...]:
    """Return what fell silent: nothing in the last four weeks, and a median above two in the 26 before.

    Of a partnership that is younger than that only the weeks since it began are looked at, and those are four at least.
    """
    earlier, last = [one for one in numbers.weeks[:-QUIET_WEEKS] if one >= numbers.first], numbers.weeks[-QUIET_WEEKS:]
    if len(earlier) < QUIET_WEEKS:
        return ()
    found = list[Quiet]()
    for place, scene in scenes.items():
        for kind in numbers.mine:
            if any(numbers.own_of((kind,), week, place) for week in last):
                continue
            usual = median(numbers.own_of((kind,), week, place) for week in earlier)
            if usual > ABOVE:
                found.append(Quiet(scene=scene, kind=pack.kinds[kind], median=usual))
    return tuple(found)


async def load(services: Services, viewer: Viewer, ask: Ask) -> Health:
    """Load thirty weeks that are over, a week's arrivals, and the devices."""
    over = min(ask.week, ask.this_week - 1)
    numbers = await counts.load(services, viewer, ask, weeks=MEDIAN_WEEKS + QUIET_WEEKS, until=over, own_only=True)
    timed = [
        kind for kind in numbers.mine if viewer.pack.kinds[kind].time_fact(viewer.own.sector) not in {None, "week"}
    ]
    registry = await services.registry.current(viewer.partnership, since_week=ask.week * 7)
    told = {scene for scene, said in registry.scenes.items() if any(terms.under_reported for _, terms in said)}
    asked = {number: scene for number, scene in viewer.scenes.items() if ask.scene in {0, number}}
    return Health(
        devices=devices(await services.health.silence(viewer)),
        delays=delays(await services.health.arrivals(viewer, timed, ask.week), viewer.pack.zone),
        timed=bool(timed),
        quiet=quiet(numbers, viewer.pack, asked),
        told=tuple(scene for number, scene in asked.items() if number in told),
    )


PANEL: Final = Panel(name="health", title=mark("Can these numbers be trusted?"), load=load)
