"""Charts have addresses of their own, which are as guarded as pages and say only what the page says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio

from sluss_server.web.panels import CHARTS
from sluss_server.web.panels.chart import NARROW

from tests.web.browser import Office, Seat

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASKED = "week=2026-W05&lang=sv&theme=light"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seat(office: Office) -> AsyncIterator[Seat]:
    async with office.seat() as taken:
        yield taken


@pytest.mark.parametrize("name", [one.name for one in CHARTS])
async def test_every_chart_can_be_drawn(seat: Seat, name: str) -> None:
    answer = await seat.context.request.get(f"{seat.url}/overview/chart/{name}.svg?{ASKED}")

    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert ET.fromstring(await answer.body()).tag.endswith("svg")  # noqa: S314  # our own
    narrow = await seat.context.request.get(f"{seat.url}/overview/chart/{name}.svg?{ASKED}&size=narrow")
    assert int(ET.fromstring(await narrow.body()).attrib["width"]) <= NARROW  # noqa: S314  # our own


async def test_a_chart_that_has_not_changed_is_not_sent_again_and_is_kept_by_nobody_else(seat: Seat) -> None:
    address = f"{seat.url}/overview/chart/trend.svg"
    first = await seat.context.request.get(f"{address}?{ASKED}")
    again = await seat.context.request.get(f"{address}?{ASKED}", headers={"if-none-match": first.headers["etag"]})
    other = await seat.context.request.get(f"{address}?week=2026-W05&lang=sv&theme=dark")

    assert first.headers["cache-control"] == "private, no-cache"
    assert "script-src" not in first.headers["content-security-policy"]
    assert "default-src 'none'" in first.headers["content-security-policy"]
    assert (again.status, await again.body()) == (304, b"")
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "nothing.svg",
        "trend",
        "trend.svg?week=2026-W99",
        "trend.svg?scene=nowhere",
        "trend.svg?kind=nothing",
        "trend.svg?size=9",
    ],
)
async def test_a_chart_that_there_is_none_of_is_not_found(seat: Seat, path: str) -> None:
    answer = await seat.context.request.get(f"{seat.url}/overview/chart/{path}")

    assert answer.status == 404


@pytest.mark.parametrize("name", [one.name for one in CHARTS])
async def test_nobody_sees_a_chart_without_a_session(office: Office, name: str) -> None:
    async with office.stranger() as nobody:
        answer = await nobody.context.request.get(f"{nobody.url}/overview/chart/{name}.svg")

        assert answer.status == 401
