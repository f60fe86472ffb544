"""Zones: where reports of a week were, by the partnership's own zones, in classes.

A class is of what is known: the own agency's exact number and what is published of the others at that scene.
Beside the numbers stands what a scene is and what is wanted of it: the registry's agency's word, else the newest one.
Refuses maps of others: nothing is drawn but the zones of the registry, so that nobody else learns who looks at what.

Source: docs/secrecy-rules.md B8; docs/protocol.md section 2, `Scene`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sluss_schemas.directory import Scene
from sluss_schemas.policy.model import Code, Kind, Pack
from sluss_schemas.statements import STATE, STRATEGY, SceneTerms
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels import counts, shapes
from sluss_server.web.panels.base import Panel, mark
from sluss_server.web.panels.counts import Counts, Figure
from sluss_server.web.panels.figures import codes
from sluss_server.web.panels.shapes import Drawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluss_server.web.wording import Words

WIDTH: Final = 720
HEIGHT: Final = 420
BOUNDS: Final = (1, 5, 15, 30)
"""The least number of each class after the first, which is of scenes of which nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A scene in a week; `drawn` is None for one whose zone is not set.

    `joint` is what the own agency adds to the sum: of an event that another agency's report counts nothing.
    """

    scene: Scene
    own: int
    joint: int
    others: Figure
    drawn: Drawn | None

    @property
    def known(self) -> int:
        """How many events are known of: the own ones, and what is shown of the others."""
        return self.joint + self.others.value

    @property
    def class_(self) -> int:
        """Its class, from 0 on."""
        return bisect_right(BOUNDS, self.known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a scene is stated to be, as it holds now; a code is None where nothing is decided."""

    state: Code | None
    since: int
    strategy: Code | None
    strategy_since: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Zones:
    """The scenes of a week; `kind` is None for all kinds together, and of `stated` is what a page shows, by number."""

    zones: tuple[Zone, ...]
    kinds: tuple[Kind, ...]
    kind: Kind | None
    stated: Mapping[int, Stated] = field(default_factory=dict)

    @property
    def drawn(self) -> tuple[Zone, ...]:
        """Those that the map shows."""
        return tuple(one for one in self.zones if one.drawn is not None)

    @property
    def classes(self) -> list[tuple[int, int | None]]:
        """The least and the largest number of each class; the last one has no largest."""
        return [(0, 0), *((low, high - 1) for low, high in pairwise(BOUNDS)), (BOUNDS[-1], None)]


def zones(numbers: Counts, scenes: Mapping[int, Scene], week: int, place: int = 0) -> tuple[Zone, ...]:
    """Return every scene, or the one at `place`, with its numbers of a week."""
    drawn = shapes.draw({number: one.zone for number, one in scenes.items() if one.zone}, WIDTH, HEIGHT)
    return tuple(
        Zone(
            scene=scene,
            own=numbers.own_of(numbers.mine, week, number),
            joint=numbers.joint_of(numbers.mine, week, number),
            others=numbers.others_of(numbers.theirs, week, number),
            drawn=drawn.get(number),
        )
        for number, scene in scenes.items()
        if place in {0, number}
    )


async def load(services: Services, viewer: Viewer, ask: Ask) -> Zones:
    """Load one week, of all kinds or of the one that `kind=` names; a map always shows all scenes."""
    kind = counts.kind_asked(viewer.pack, ask.query)
    numbers = await counts.load(services, viewer, ask, weeks=1, kind=kind)
    return Zones(
        zones=zones(numbers, viewer.scenes, ask.week),
        kinds=counts.kinds_offered(viewer.pack),
        kind=viewer.pack.kinds[kind] if kind else None,
    )


async def load_page(services: Services, viewer: Viewer, ask: Ask) -> Zones:
    """Load the same, and what the scenes are stated to be."""
    data = await load(services, viewer, ask)
    registry = await services.registry.current(viewer.partnership, since_week=ask.week * 7)
    return replace(data, stated={number: stated(viewer.pack, said[0][1]) for number, said in registry.scenes.items()})


def stated(pack: Pack, terms: SceneTerms) -> Stated:
    """Return what a statement says, in the pack's codes."""
    return Stated(
        state=next((code for code in codes(pack, STATE) if code.n == terms.state), None),
        since=terms.since,
        strategy=next((code for code in codes(pack, STRATEGY) if code.n == terms.strategy), None),
        strategy_since=terms.strategy_since,
    )


def geojson(data: Zones, words: Words) -> dict[str, object]:
    """Return the map's zones (RFC 7946), each with its class and what the table says of it."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": number,
                "geometry": _geometry(zone.scene),
                "properties": {
                    "scene": zone.scene.slug,
                    "name": words.label(zone.scene),
                    "class": zone.class_,
                    "own": zone.own,
                    "others": zone.others.value if zone.others.state in {"shown", "part"} else None,
                    "others_state": zone.others.state,
                },
            }
            for number, zone in enumerate(data.drawn)
        ],
    }


def _geometry(scene: Scene) -> dict[str, object]:
    return {"type": "MultiPolygon", "coordinates": list(shapes.shape(scene.zone or ""))}


PANEL: Final = Panel(name="zones", title=mark("The week on the map"), load=load_page)
