"""Zones as shapes: as paths of a picture, and whether two of them touch.

Degrees are taken as a plane: across a town that is true to a few metres.
Refuses to name places by coordinates: a picture has no numbers but pixels.

> INVARIANT: pure: the same zones give the same paths, north is up, and a metre is as long upwards as sideways.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from sluss_schemas.problems import Invalid
from sluss_schemas.zones import Polygon, Ring, polygons

_MARGIN: Final = 40
_SMALLEST: Final = 1e-9
Point = tuple[float, float]


class Box(NamedTuple):
    """What lies around shapes, in degrees."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A zone in a picture: its path, and where its name stands."""

    path: str
    x: float
    y: float


@lru_cache(256)
def shape(zone: str) -> tuple[Polygon, ...]:
    """Return a zone's polygons; none of a zone that is no shape."""
    try:
        return tuple(polygons(zone))
    except Invalid:
        return ()


def around(shapes: Sequence[Sequence[Polygon]]) -> Box | None:
    """Return what lies around shapes; None of nothing."""
    points = [point for polygons_ in shapes for polygon in polygons_ for ring in polygon for point in ring]
    if not points:
        return None
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return Box(min(xs), min(ys), max(xs), max(ys))


def draw(zones: Mapping[int, str], width: int, height: int) -> dict[int, Drawn]:
    """Return zones as paths that fill a picture of this size, each under its number."""
    shapes = {number: found for number, zone in zones.items() if (found := shape(zone))}
    box = around(list(shapes.values()))
    if box is None:
        return {}
    narrow = math.cos(math.radians((box.south + box.north) / 2))
    wide, high = max((box.east - box.west) * narrow, _SMALLEST), max(box.north - box.south, _SMALLEST)
    scale = min((width - 2 * _MARGIN) / wide, (height - 2 * _MARGIN) / high)
    left, top = (width - wide * scale) / 2, (height - high * scale) / 2

    def place(point: Sequence[float]) -> Point:
        x = left + (point[0] - box.west) * narrow * scale
        return round(x, 1), round(top + (box.north - point[1]) * scale, 1)

    return {
        number: _drawn([[list(map(place, ring)) for ring in one] for one in found]) for number, found in shapes.items()
    }


def touching(zone: str, other: str) -> bool:
    """Tell whether two zones have a point in common."""
    return _touching(*sorted((zone, other)))


@lru_cache(4096)
def _touching(zone: str, other: str) -> bool:
    mine, theirs = shape(zone), shape(other)
    box, their_box = around([mine]), around([theirs])
    if box is None or their_box is None or not _meet(box, their_box):
        return False
    return any(_polygons_touch(one, two) for one in mine for two in theirs)


def _meet(box: Box, other: Box) -> bool:
    sideways = box.west <= other.east and other.west <= box.east
    return sideways and box.south <= other.north and other.south <= box.north


def _polygons_touch(one: Polygon, two: Polygon) -> bool:
    if _inside(one[0][0], two[0]) or _inside(two[0][0], one[0]):
        return True
    return any(_cross(a, b, c, d) for a, b in pairwise(one[0]) for c, d in pairwise(two[0]))


def _inside(point: Sequence[float], ring: Ring) -> bool:
    """Tell whether a point lies in a ring, by how often a line to the east crosses it."""
    x, y = point[0], point[1]
    within = False
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            within = not within
    return within


def _cross(a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]) -> bool:
    """Tell whether two lines have a point in common, their ends included."""
    if max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]):
        return False
    if max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return False
    return _side(a, b, c) * _side(a, b, d) <= 0 and _side(c, d, a) * _side(c, d, b) <= 0


def _side(a: Sequence[float], b: Sequence[float], point: Sequence[float]) -> int:
    turn = (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
    return 0 if abs(turn) < _SMALLEST**2 else 1 if turn > 0 else -1


def _drawn(placed: list[list[list[Point]]]) -> Drawn:
    rings = [ring for polygon in placed for ring in polygon]
    path = "".join("M" + "L".join(f"{x:g},{y:g}" for x, y in ring[:-1]) + "Z" for ring in rings)
    outer = placed[0][0][:-1]
    x, y = (sum(point[axis] for point in outer) / len(outer) for axis in (0, 1))
    return Drawn(path=path, x=round(x, 1), y=round(y, 1))
