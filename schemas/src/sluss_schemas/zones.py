"""Zones of scenes: a polygon in GeoJSON, checked and written in one compact way.

For: the registrar who sets a scene's zone, and the map that draws it.
Refuses: what is no GeoJSON, saying in which line and at which coordinate; lines, points, and more than one feature.
Source: RFC 7946; docs/protocol.md section 2, `Scene`.

> INVARIANT: pure: the same shape gives the same text, whatever file it came in.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sluss_schemas.json_places import Path, line_of, line_of_no_number, name_of
from sluss_schemas.problems import Invalid

MAX_ZONE: Final = 20_000
"""Characters of a zone as a directory entry has room for it."""
_DECIMALS: Final = 5
"""A metre; a zone is no surveyor's drawing."""
_LEAST: Final = 4
_ROUND: Final = (180, 90)
Ring = list[list[float]]
Polygon = list[Ring]


class _Wrong(Exception):
    """What stands at a path is no part of a zone."""

    def __init__(self, path: Path, hint: str) -> None:
        super().__init__(hint)
        self.path: Final = path
        self.hint: Final = hint


def parse(text: str) -> str:
    """Return the zone in a GeoJSON text: a `Polygon` or `MultiPolygon`, by itself or in one feature.

    Raises:
        Invalid: `bad_zone` with the line, and with the place in the document if it is JSON; `too_long`.

    """
    try:
        document = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as wrong:
        say = "This line is no JSON: look at its commas and brackets."
        raise Invalid("bad_zone", f"line {wrong.lineno}", say) from None
    except (ValueError, RecursionError):
        say = "The file has a number or a depth that no map has."
        raise Invalid("bad_zone", f"line {line_of_no_number(text)}", say) from None
    try:
        zone = _zone(document)
    except _Wrong as wrong:
        where = f"line {line_of(text, wrong.path)}"
        raise Invalid("bad_zone", ", ".join(filter(None, (where, name_of(wrong.path)))), wrong.hint) from None
    if len(zone) > MAX_ZONE:
        raise Invalid("too_long", "zone", f"Simplify the outline: {MAX_ZONE} characters are the most.")
    return zone


def polygons(zone: str) -> list[Polygon]:
    """Return the polygons of a zone that `parse` gave, each a list of rings, the outer one first.

    Raises:
        Invalid: `bad_zone` for any other text.

    """
    found = json.loads(parse(zone))
    return found["coordinates"] if found["type"] == "MultiPolygon" else [found["coordinates"]]


def _zone(document: Any) -> str:  # noqa: ANN401  # whatever a file holds
    where, geometry = _geometry(document)
    kind, coordinates, within = geometry.get("type"), geometry.get("coordinates"), (*where, "coordinates")
    if kind == "Polygon":
        shape: list[Any] = _polygon(coordinates, within)
    elif kind == "MultiPolygon":
        shape = [_polygon(one, (*within, at)) for at, one in enumerate(_list(coordinates, within))]
    else:
        raise _Wrong((*where, "type"), "A zone is a Polygon or a MultiPolygon.")
    return json.dumps({"type": kind, "coordinates": shape}, separators=(",", ":"))


def _geometry(document: Any) -> tuple[Path, dict[str, Any]]:  # noqa: ANN401  # whatever a file holds
    """Return where the geometry stands, and the geometry."""
    where: Path = ()
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list) or len(features) != 1:
            raise _Wrong(("features",), "Give a file with one feature: the zone of one scene.")
        document, where = features[0], ("features", 0)
    if isinstance(document, dict) and document.get("type") == "Feature":
        document, where = document.get("geometry"), (*where, "geometry")
    if not isinstance(document, dict):
        raise _Wrong(where, "Give GeoJSON: a Polygon, or a feature with one.")
    return where, document


def _polygon(rings: Any, where: Path) -> Polygon:  # noqa: ANN401  # whatever a file holds
    return [_ring(ring, (*where, at)) for at, ring in enumerate(_list(rings, where))]


def _ring(positions: Any, where: Path) -> Ring:  # noqa: ANN401  # whatever a file holds
    found = [_position(one, (*where, at)) for at, one in enumerate(_list(positions, where))]
    if len(found) < _LEAST or found[0] != found[-1]:
        raise _Wrong(where, "A ring has at least four positions, and ends where it begins.")
    return found


def _position(given: Any, where: Path) -> list[float]:  # noqa: ANN401  # whatever a file holds
    numbers = _list(given, where)[: len(_ROUND)]
    if len(numbers) != len(_ROUND) or any(type(one) not in {int, float} for one in numbers):
        raise _Wrong(where, "A position is a longitude and a latitude in degrees.")
    if any(abs(one) > most for one, most in zip(numbers, _ROUND, strict=True)):
        raise _Wrong(where, "Longitudes go to 180 degrees and latitudes to 90: give WGS 84.")
    return [round(float(one), _DECIMALS) for one in numbers]


def _list(given: Any, where: Path) -> list[Any]:  # noqa: ANN401  # whatever a file holds
    if not isinstance(given, list) or not given:
        raise _Wrong(where, "There is nothing to draw here.")
    return given


def _no_number(name: str) -> float:
    raise ValueError(name)
