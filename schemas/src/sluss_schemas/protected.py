"""Protected places, and the list of public ones: what the body of a `places` record says, and what lies inside.

Health says where its protected places are; the list travels sealed to those who may hold it and is looked up on their
devices alone.
Points are whole microdegrees, because no float crosses the wire; distances are metres on a plane laid through the
point, which is exact to less than a metre at the size of a town.

> INVARIANT: what is on the border of a place, or nearer to it than the buffer, is inside.

Source: docs/secrecy-rules.md ("Protected places"), B7 13, 14 and 18, B8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, hypot, radians
from typing import Annotated, Final

from msgspec import Meta

from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.forms.base import MICRODEGREES, Place
from sluss_schemas.manifest import UnixTime
from sluss_schemas.problems import Invalid

PROTECTED: Final = "protected"
PUBLIC: Final = "public"
"""The codes of a `places` record: which of the two lists it is."""
MAX_BUFFER_M: Final = 5000
_METRES_PER_DEGREE: Final = 111_320.0
_CORNERS: Final = 3

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Latitude = Annotated[int, Meta(ge=-90 * MICRODEGREES, le=90 * MICRODEGREES)]
Longitude = Annotated[int, Meta(ge=-180 * MICRODEGREES, le=180 * MICRODEGREES)]
Point = tuple[Latitude, Longitude]


class ProtectedPlace(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One protected place.

    Attributes:
        name: what health calls it; no report of another agency ever shows it.
        polygon: its corners in order, as latitude and longitude in microdegrees.
        buffer_m: metres around it that belong to it.
        not_before: when it begins, for a mobile team.
        until: when it ends, for a mobile team.
        known_as: names of places and parts of places by which people write that they are there.

    """

    name: Name
    polygon: Annotated[tuple[Point, ...], Meta(min_length=_CORNERS, max_length=100)]
    buffer_m: Annotated[int, Meta(ge=0, le=MAX_BUFFER_M)]
    not_before: UnixTime | None
    until: UnixTime | None
    known_as: Annotated[tuple[Name, ...], Meta(max_length=20)]


class ProtectedPlaces(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The whole list of an agency's protected places; a later one takes the place of an earlier."""

    places: Annotated[tuple[ProtectedPlace, ...], Meta(max_length=200)]


class PublicPlaces(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The public places that may be named at scenes, by the scene's number; a scene that is left out has no list."""

    scenes: Annotated[tuple[tuple[int, tuple[Name, ...]], ...], Meta(max_length=200)]


def read_protected(data: bytes) -> ProtectedPlaces:
    """Return a list from the body of a record; `Invalid` where it is none."""
    return decode(ProtectedPlaces, data, "places")


def read_public(data: bytes) -> PublicPlaces:
    """Return a list of public places from the body of a record; `Invalid` where it is none."""
    return decode(PublicPlaces, data, "places")


def checked(place: ProtectedPlace) -> ProtectedPlace:
    """Return a place after every bound was checked.

    Raises:
        Invalid: `malformed`; `out_of_range` for a period that ends before it begins.

    """
    decode(ProtectedPlace, encode(place), "places")
    if place.not_before is not None and place.until is not None and place.until <= place.not_before:
        raise Invalid("out_of_range", "until", "Give an end that is after the beginning.")
    return place


def in_force(place: ProtectedPlace, at: int) -> bool:
    """Tell whether a place is protected at a time."""
    begun = place.not_before is None or place.not_before <= at
    return begun and (place.until is None or at < place.until)


def covers(place: ProtectedPlace, at: int, *, point: Point | None, names: Iterable[str] = ()) -> bool:
    """Tell whether a point, or a place by one of its names, lies in a protected place at a time."""
    if not in_force(place, at):
        return False
    known = {_plain(name) for name in (place.name, *place.known_as)}
    if any(_plain(name) in known for name in names):
        return True
    return point is not None and distance_m(place.polygon, point) <= place.buffer_m


def names_of(place: Place) -> tuple[str, ...]:
    """Return the names that a report gives to where it happened."""
    return tuple(text for text in (place.name, place.sub_place, place.property) if text)


def distance_m(polygon: Sequence[Point], point: Point) -> float:
    """Return how many metres a point is from a polygon; nought inside and on the border."""
    flat = [_flat(corner, point) for corner in polygon]
    edges = list(zip(flat, [*flat[1:], flat[0]], strict=True))
    return 0.0 if _inside(edges) else min(_to_segment(*edge) for edge in edges)


_Flat = tuple[float, float]


def _flat(corner: Point, around: Point) -> _Flat:
    """Return a corner in metres east and north of a point."""
    east = (corner[1] - around[1] + 180 * MICRODEGREES) % (360 * MICRODEGREES) - 180 * MICRODEGREES
    metres = _METRES_PER_DEGREE / MICRODEGREES
    return east * metres * cos(radians(around[0] / MICRODEGREES)), (corner[0] - around[0]) * metres


def _inside(edges: Iterable[tuple[_Flat, _Flat]]) -> bool:
    """Tell whether the origin is inside: a ray to the east crosses the edges an odd number of times."""
    crossed = 0
    for (x1, y1), (x2, y2) in edges:
        if (y1 > 0) != (y2 > 0) and x1 + (x2 - x1) * -y1 / (y2 - y1) > 0:
            crossed += 1
    return crossed % 2 == 1


def _to_segment(one: _Flat, two: _Flat) -> float:
    (x1, y1), (x2, y2) = one, two
    length = (x2 - x1) ** 2 + (y2 - y1) ** 2
    along = 0.0 if not length else max(0.0, min(1.0, -(x1 * (x2 - x1) + y1 * (y2 - y1)) / length))
    return hypot(x1 + along * (x2 - x1), y1 + along * (y2 - y1))


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
