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


def test_an_outline_that_no_entry_has_room_for_is_too_long() -> None:
    ring = [[round(number / 1000, 5), 59.0] for number in range(2_000)]
    with pytest.raises(Invalid, match="too_long"):
        zones.parse(json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}))
