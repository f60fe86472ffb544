"""Zones: one text for one shape, whatever file it came in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas import zones
from sluss_schemas.problems import Invalid

POINTS = st.tuples(st.floats(-180, 180), st.floats(-90, 90)).map(list)
RINGS = st.lists(POINTS, min_size=3, max_size=6).map(lambda ring: [*ring, ring[0]])
POLYGONS = st.lists(RINGS, min_size=1, max_size=3)


@given(POLYGONS, st.sampled_from(["bare", "feature", "collection"]))
def test_a_polygon_is_one_text_by_itself_and_in_a_feature(rings: list[object], wrapped: str) -> None:
    geometry: object = {"type": "Polygon", "coordinates": rings}
    document = geometry
    if wrapped != "bare":
        document = {"type": "Feature", "properties": {"name": "Torget"}, "geometry": geometry}
    if wrapped == "collection":
        document = {"type": "FeatureCollection", "features": [document]}

    zone = zones.parse(json.dumps(document, indent=2))

    assert zone == zones.parse(json.dumps(geometry)) == zones.parse(zone)
    [outline] = zones.polygons(zone)
    assert len(outline) == len(rings)


@given(st.lists(POLYGONS, min_size=1, max_size=3))
def test_a_zone_may_have_several_polygons(parts: list[object]) -> None:
    zone = zones.parse(json.dumps({"type": "MultiPolygon", "coordinates": parts}))
    assert len(zones.polygons(zone)) == len(parts)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=8))
def test_whatever_else_stands_there_is_refused_with_its_place(coordinates: object) -> None:
    for kind in ("Polygon", "MultiPolygon", "Point"):
        with pytest.raises(Invalid, match="bad_zone"):
            zones.parse(json.dumps({"type": kind, "coordinates": coordinates}))


RING = "[18, 59],\n[19, 59],\n[19, 60],\n[18, 59]"
"""Four lines."""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f'{{"type": "Polygon",\n"coordinates": [[{RING},\n[18, "x"]]]}}', "line 6, coordinates[0][4]"),
        (
            f'{{"type":"MultiPolygon",\n"coordinates":[[[{RING}],\n[{RING},\n[999, 1]]]]}}',
            "line 10, coordinates[0][1][4]",
        ),
        ('{"coordinates": [\n[[1, 1], [1, 2]]], "name": "]}",\n"type": "Polygon"}', "line 2, coordinates[0]"),
        ('\n{"type":"MultiPolygon",\n"coordinates"\n:\n[\n\n]}', "line 5, coordinates"),
        ('{"type": "Polygon",\n"coordinates": [[]]}', "line 2, coordinates[0]"),
        ('{"type": "Polygon",\n"coordinates": {"a": 1}}', "line 2, coordinates"),
        ('{"type": "Polygon"\n}', "line 1, coordinates"),
        ('{"note": "type\\": [",\n"type": "Point"}', "line 2, type"),
        ('{"type": "Polygon",\n"type": "Point"}', "line 2, type"),
        ('{"type": "FeatureCollection",\n"features": [1, 2]}', "line 2, features"),
        (
            '{"type": "FeatureCollection",\n"features": [{\n"geometry":\n[], "type": "Feature"}]}',
            "line 4, features[0].geometry",
        ),
        ("\n\n[]", "line 3"),
        ("null", "line 1"),
    ],
)
def test_what_is_no_zone_is_refused_with_its_line_and_its_place(text: str, where: str) -> None:
    with pytest.raises(Invalid) as refused:
        zones.parse(text)
    assert (refused.value.code, refused.value.field) == ("bad_zone", where)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"type": "Polygon",\n"coordinates": [[[1, NaN]]]}', 2),
        ('{"name": "NaN",\n\n"coordinates": [[[1, -Infinity]]]}', 3),
        (f"[1,\n{'1' * 5_000}]", 2),
        ("\n[" + "[" * 200_000, 1),
        ('{"type":\n"Polygon" "coordinates": []}', 2),
        ("", 1),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Invalid) as refused:
        zones.parse(text)
    assert (refused.value.code, refused.value.field) == ("bad_zone", f"line {line}")


def test_an_outline_that_no_entry_has_room_for_is_too_long() -> None:
    ring = [[round(number / 1000, 5), 59.0] for number in range(2_000)]
    with pytest.raises(Invalid, match="too_long"):
        zones.parse(json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}))
