"""What the weekly pack shows of a week: the panels' own numbers, put together.

Duties have no week: they are as they stand on the day on which the pack is made, which it says. So the Monday meeting
has them in the pack of the week that has just ended; the pack of an older week leaves them out, and stays as it was.
Refuses numbers of its own: what the panels load is shown, so that paper and screen never differ.
Source: docs/secrecy-rules.md B8.

> INVARIANT: of other agencies there is nothing but what is published to the viewer's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluss_schemas.directory import Genesis
from sluss_server.aggregates.cells import begins, day_of, days_of
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import duties, objectives, pulse, zones
from sluss_server.web.panels.duties import Duties
from sluss_server.web.panels.objectives import Objectives
from sluss_server.web.panels.pulse import Pulse
from sluss_server.web.panels.zones import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A week, as one agency sees it.

    Attributes:
        week: the ISO week, counted from that of 1970-01-01.
        ends: the Unix time at which it is over; the only time that a file made of this says.
        partnership: what the partnership is called.
        agency: whose exact numbers these are.
        round_to: to what the others' numbers are rounded.
        pulse: the reports by kind.
        scenes: the reports by scene.
        objectives: how far they are at the end of the week.
        today: the day on which this is put together.
        duties: what the agency has to do on that day; None in a week before the last whole one.

    """

    week: int
    ends: int
    partnership: str
    agency: Genesis
    round_to: int
    pulse: Pulse
    scenes: tuple[Zone, ...]
    objectives: Objectives
    today: int
    duties: Duties | None


async def load(services: Services, viewer: Viewer, ask: Ask) -> Contents:
    """Load a week, at all scenes."""
    genesis = viewer.own.genesis
    if genesis is None:
        # No session is without an agency.
        raise AssertionError
    return Contents(
        week=ask.week,
        ends=begins(days_of(ask.week)[1], viewer.pack.zone),
        partnership=viewer.partnership_name,
        agency=genesis,
        round_to=viewer.pack.parameters.round_to,
        pulse=await pulse.load(services, viewer, ask),
        scenes=(await zones.load(services, viewer, ask)).zones,
        objectives=await objectives.load(services, viewer, ask),
        today=day_of(viewer.now, viewer.pack.zone),
        duties=None if ask.week < ask.this_week - 1 else await duties.load(services, viewer, ask),
    )
