"""Counts as panels are given them, made from a few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluss_schemas.directory import Scene
from sluss_server.aggregates.cells import Cell
from sluss_server.web.panels.counts import Counts, by_scene

K01, K09 = 1, 9
FIRST = 2900
"""The first week of what `weekly` tells."""


def scene(number: int, zone: str | None = None) -> Scene:
    return Scene(number, f"scene-{number}", f"Scene {number}", f"Plats {number}", zone, "confirmed")


def square(west: float, south: float, size: float = 0.01) -> str:
    east, north = west + size, south + size
    ring = f"[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]"
    return f'{{"type":"Polygon","coordinates":[[{ring}]]}}'


def weekly(
    own: Mapping[tuple[int, int], Sequence[int]],
    others: Mapping[tuple[int, Cell], Sequence[int | None]] | None = None,
    k: int = 5,
) -> Counts:
    """Return counts of weeks from `FIRST` on: own ones by kind and scene, published ones by kind and cell."""
    theirs = others or {}
    longest = max(len(one) for one in (*own.values(), *theirs.values()))
    return Counts(
        weeks=range(FIRST, FIRST + longest),
        mine=tuple(sorted({kind for kind, _ in own})),
        theirs=dict.fromkeys(sorted({kind for kind, _ in theirs}), k),
        own=by_scene(
            (kind, FIRST + week, place, number)
            for (kind, place), numbers in own.items()
            for week, number in enumerate(numbers)
        ),
        others={
            (kind, FIRST + week, cell): figure
            for (kind, cell), figures in theirs.items()
            for week, figure in enumerate(figures)
        },
    )
