"""The map: the registry's zones alone, classes of what is known, and the same numbers for everybody who has no map."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from sluss_server.aggregates.cells import SCENE
from sluss_server.web.panels import shapes, zones
from sluss_server.web.panels.counts import Figure
from sluss_server.web.panels.zones import Zones
from sluss_server.web.wording import words

from tests.web.browser import Office, Seat
from tests.web.counted import FIRST, K01, scene, square, weekly

PLACES = {"central-square": square(18.06, 59.33), "station-park": square(18.07, 59.33)}


@pytest.mark.parametrize(("known", "number"), [(0, 0), (1, 1), (4, 1), (5, 2), (14, 2), (15, 3), (30, 4), (900, 4)])
def test_a_class_is_of_what_is_known(known: int, number: int) -> None:
    (found,) = zones.zones(weekly({(K01, 1): (known,)}), {1: scene(1)}, FIRST)

    assert found.class_ == number
    low, high = Zones(zones=(), kinds=(), kind=None).classes[number]
    assert low <= known <= (high or known)


def test_of_others_the_geojson_has_what_is_published_and_no_more() -> None:
    scenes = {1: scene(1, square(18, 59)), 2: scene(2, square(18.01, 59)), 3: scene(3)}
    numbers = weekly({(K01, 1): (3,)}, {(K01, (SCENE, 1)): (10,), (K01, (SCENE, 2)): (None,)})
    data = Zones(zones=zones.zones(numbers, scenes, FIRST), kinds=(), kind=None)
    first, second = json.loads(json.dumps(zones.geojson(data, words("sv"))))["features"]

    assert first["properties"] == {
        "scene": "scene-1",
        "name": "Plats 1",
        "class": 2,
        "own": 3,
        "others": 10,
        "others_state": "shown",
    }
    assert first["geometry"]["type"] == "MultiPolygon"
    assert (second["properties"]["others"], second["properties"]["others_state"]) == (None, "hidden")
    assert data.zones[2].others == Figure("waiting", 0, 5)


def test_a_picture_has_north_above_and_a_zone_that_is_no_shape_is_left_out() -> None:
    drawn = shapes.draw({1: square(18, 59), 2: square(18, 59.1), 3: "no shape"}, 720, 420)

    assert sorted(drawn) == [1, 2]
    assert drawn[2].y < drawn[1].y
    assert 0 <= min(drawn[1].x, drawn[2].x) <= max(drawn[1].x, drawn[2].x) <= 720
    assert shapes.draw({}, 720, 420) == {}


@pytest.mark.parametrize(
    ("west", "south", "touch"),
    [(18.0, 59.0, True), (18.01, 59.0, True), (18.01, 59.01, True), (18.005, 59.005, True), (18.011, 59.0, False)],
)
def test_zones_touch_where_they_have_a_point_in_common(west: float, south: float, touch: bool) -> None:  # noqa: FBT001
    assert shapes.touching(square(18, 59), square(west, south)) is touch
    assert shapes.touching(square(west, south), square(18, 59)) is touch


def test_a_zone_within_another_touches_it() -> None:
    assert shapes.touching(square(18, 59), square(18.004, 59.004, 0.001))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seat(office: Office) -> AsyncIterator[Seat]:
    registrar = office.town.founders["security"]
    for slug, zone in PLACES.items():
        await registrar.registrar.set_zone(slug, zone)
    await registrar.sync()
    async with office.seat() as taken:
        yield taken


@pytest.mark.asyncio(loop_scope="session")
async def test_the_map_names_the_zones_and_asks_nobody_else(seat: Seat) -> None:
    page = await seat.visit("/overview/scenes", "en")
    await page.wait_for_load_state("networkidle")
    if await page.locator("#map").is_hidden():
        pytest.skip("this browser cannot draw maps")

    await expect(page.locator("#map .zone-name")).to_have_text(["Central square", "Station park"])
    seat.quiet()
    await page.close()


@pytest.mark.asyncio(loop_scope="session")
async def test_without_script_the_picture_and_the_table_say_the_same(office: Office, seat: Seat) -> None:
    async with office.seat(java_script_enabled=False) as plain:
        page = await plain.visit("/overview/scenes?week=2026-W05", "en")
        await expect(page.locator("#map")).to_be_hidden()
        await expect(page.locator("svg.zones path")).to_have_count(2)
        await expect(page.locator("#zones tbody tr").first).to_contain_text("Central square")
        await page.select_option("#zones-kind", "place_defect")
        await page.click("#zones .pick button")
        assert "kind=place_defect" in page.url
        assert "week=2026-W05" in page.url
        plain.quiet()
    geo = await seat.context.request.get(f"{seat.url}/overview/zones.geojson?week=2026-W05&lang=sv")
    assert geo.headers["content-type"].startswith("application/geo+json")
    assert {one["properties"]["name"]: one["properties"]["own"] for one in (await geo.json())["features"]} == {
        "Centrala torget": 1,
        "Stationsparken": 0,
    }


@pytest.mark.asyncio(loop_scope="session")
async def test_nobody_gets_zones_or_charts_without_a_session(office: Office) -> None:
    async with office.stranger() as nobody:
        for path in ("zones.geojson", "chart/trend.svg", "chart/pulse.svg"):
            answer = await nobody.context.request.get(f"{nobody.url}/overview/{path}")
            assert answer.status == 401
