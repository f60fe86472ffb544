"""What lies in a protected place: points by its border and buffer, names by what people write, times by its period."""

from __future__ import annotations

from math import cos, radians

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas.codec import encode
from sluss_schemas.problems import Invalid
from sluss_schemas.protected import (
    Point,
    ProtectedPlace,
    ProtectedPlaces,
    checked,
    covers,
    distance_m,
    read_protected,
)

METRE = 1_000_000 / 111_320
"""A metre to the north, in microdegrees."""
HERE: Point = (59_332_580, 18_064_900)
WIDE = METRE / cos(radians(HERE[0] / 1_000_000))
"""A metre to the east."""

metres = st.integers(-400, 400)


def at(east: float, north: float, around: Point = HERE) -> Point:
    return round(around[0] + north * METRE), round(around[1] + east * WIDE)


def box(size: int = 100, buffer_m: int = 0, **changes: object) -> ProtectedPlace:
    corners = (at(0, 0), at(size, 0), at(size, size), at(0, size))
    place = ProtectedPlace("the van", corners, buffer_m, None, None, ("Sprutbytet", "gården bakom"))
    return msgspec.structs.replace(place, **changes)


@given(metres, metres)
def test_the_distance_to_a_box_is_what_a_ruler_says(east: int, north: int) -> None:
    outside_east, outside_north = max(-east, 0, east - 100), max(-north, 0, north - 100)
    ruled = (outside_east**2 + outside_north**2) ** 0.5
    assert distance_m(box().polygon, at(east, north)) == pytest.approx(ruled, abs=0.5)


@given(st.lists(st.tuples(metres, metres), min_size=3, max_size=8, unique=True), metres, metres, st.integers(0, 7))
def test_where_the_corners_begin_and_which_way_they_run_does_not_matter(
    corners: list[tuple[int, int]], east: int, north: int, turn: int
) -> None:
    polygon, point = [at(*corner) for corner in corners], at(east, north)
    turn %= len(polygon)
    turned = [*polygon[turn:], *polygon[:turn]]
    known = distance_m(polygon, point)
    assert distance_m(turned, point) == pytest.approx(known, abs=1e-6)
    assert distance_m(turned[::-1], point) == pytest.approx(known, abs=1e-6)
    # A corner is on the border, and so inside.
    assert all(distance_m(polygon, corner) == pytest.approx(0, abs=1e-6) for corner in polygon)


@given(metres, metres, st.integers(0, 300))
def test_a_wider_buffer_never_covers_less(east: int, north: int, buffer_m: int) -> None:
    point = at(east, north)
    if covers(box(buffer_m=buffer_m), 0, point=point):
        assert covers(box(buffer_m=buffer_m + 50), 0, point=point)
    assert covers(box(buffer_m=buffer_m), 0, point=at(100 + buffer_m - 1, 50))
    assert not covers(box(buffer_m=buffer_m), 0, point=at(100 + buffer_m + 1, 50))


def test_a_yard_with_a_corner_cut_out_does_not_cover_the_corner() -> None:
    polygon = (at(0, 0), at(100, 0), at(100, 40), at(40, 40), at(40, 100), at(0, 100))
    yard = box(polygon=polygon)
    assert covers(yard, 0, point=at(20, 90))
    assert not covers(yard, 0, point=at(80, 80))


def test_a_place_across_the_date_line_covers_what_is_in_it() -> None:
    far = (-17_000_000, 179_999_990)
    corners = (
        (-17_000_500, 179_999_500),
        (-17_000_500, -179_999_500),
        (-16_999_500, -179_999_500),
        (-16_999_500, 179_999_500),
    )
    assert covers(box(polygon=corners), 0, point=far)
    assert not covers(box(polygon=corners), 0, point=(-17_000_000, 179_990_000))


@pytest.mark.parametrize("name", ["Sprutbytet", " sprutbytet ", "GÅRDEN  bakom", "The van"])
def test_a_place_is_known_by_its_names_without_a_point(name: str) -> None:
    assert covers(box(), 0, point=None, names=["kiosken", name])
    assert not covers(box(), 0, point=None, names=["kiosken"])


def test_a_mobile_place_is_one_only_in_its_period() -> None:
    van = box(not_before=1000, until=2000)
    assert [covers(van, when, point=at(50, 50)) for when in (999, 1000, 1999, 2000)] == [False, True, True, False]


def test_a_list_comes_back_from_its_bytes_and_a_bad_one_is_refused() -> None:
    places = ProtectedPlaces((box(), box(buffer_m=30)))
    assert read_protected(encode(places)) == places
    for wrong in (
        box(polygon=(HERE, HERE)),
        box(buffer_m=-1),
        box(buffer_m=100_000),
        box(name=""),
        box(polygon=((91_000_000, 0),) * 3),
        box(not_before=5, until=5),
    ):
        with pytest.raises(Invalid):
            checked(wrong)
    with pytest.raises(Invalid):
        read_protected(b"\x01")
