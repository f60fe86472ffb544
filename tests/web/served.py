"""The overview as a server process serves it, over a town's core: its addresses, asked without a socket.

Each `served` has services of its own, as another process would: nothing that one remembers is told by the next.
A picture is given as its specification, of which `test_drawing.py` holds that it gives the same bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import httpx2
import msgspec
from litestar import Litestar

from sluss_server.http import problem
from sluss_server.http.frame import Frame
from sluss_server.http.shell import Shell
from sluss_server.web import charts, guard, maps
from sluss_server.web import routes as overview
from sluss_server.web.drawing import Drawer
from sluss_server.web.panels import CHARTS, SHEETS
from sluss_server.web.weekly import routes as weekly

from tests.server.town import Town

ONLY_WARNS: Final = "ignore:Use of deprecated parameter 'encoded_headers'"
"""What a server says once of its framework; in the tests' process a warning is an error."""
NO_NUMBERS: Final = ("/enter", "/leave", "/static/")
Seen = dict[str, bytes]
"""What each address says."""


class Specified(Drawer):
    """What gives a chart's specification in the place of its picture."""

    async def svg(self, specification: Mapping[str, object]) -> bytes:
        return msgspec.json.encode(specification, order="sorted")


def application(town: Town) -> Litestar:
    """The overview, on services of its own."""
    shell = Shell(clock=town.clock, new_id=lambda: "0" * 16)
    shell.services = town.new_services()
    handlers = [*overview.routes(shell), *charts.routes(shell, Specified()), *maps.routes(shell)]
    app = Litestar(
        route_handlers=[*handlers, *weekly.routes(shell)],
        exception_handlers=overview.handlers(shell, problem.handlers(shell)),
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = Frame(app.asgi_handler, shell)
    return app


def paths(town: Town) -> set[str]:
    """Every path of the overview that says a number."""
    found = {one.path.removeprefix(guard.ROOT) for one in application(town).routes}
    return {path for path in found if not path.startswith(NO_NUMBERS)}


@asynccontextmanager
async def served(town: Town) -> AsyncIterator[httpx2.AsyncClient]:
    # Each writes down in its own types what an application is.
    transport = httpx2.ASGITransport(cast("Any", application(town)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://town") as client:
        yield client


async def sign_in(town: Town, slug: str) -> str:
    """Return the cookie of a browser in which an agency's supervisor has signed in."""
    launch = await town.services.sessions.launch(await town.caller(town.supervisor(slug)))
    cookie = await town.services.sessions.begin(launch.token)
    assert cookie is not None
    return cookie


async def seen(client: httpx2.AsyncClient, cookie: str, addresses: Iterable[str]) -> Seen:
    """Fetch addresses; each is there, and no panel of it is at fault."""
    found = Seen()
    for address in addresses:
        answer = await client.get(guard.ROOT + address, headers={"cookie": f"{guard.SESSION}={cookie}"})
        assert answer.status_code == 200, address
        assert b'role="alert"' not in answer.content, address
        found[address] = answer.content
    return found


def sheets(week: str, lang: str) -> list[str]:
    return [f"{sheet.path}?week={week}&lang={lang}" for sheet in SHEETS]


def pictures(week: str, look: str) -> list[str]:
    return [f"/chart/{one.name}.svg?week={week}&{look}" for one in CHARTS]


def files(week: str, month: str) -> list[str]:
    """Every file, in each language that it has."""
    both = [f"/week/{week}.{form}?lang={lang}" for form in ("pdf", "csv") for lang in ("sv", "en")]
    shapes = [f"/week/{week}.geojson?lang=en", f"/zones.geojson?week={week}&lang=en"]
    rows = ["/codebook.csv", f"/facts.jsonl?month={month}", f"/months.csv?month={month}&lang=en"]
    return [*both, *shapes, *rows]
