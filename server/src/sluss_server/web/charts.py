"""The pictures of the overview: each has an address that says all that it shows, and loads what its panel loads.

Refuses whoever has no session, as pages do, and a name that is none.
Sent again only when it has changed; a browser asks each time, so that nobody sees a picture after signing out.

> INVARIANT: a picture is drawn from what its viewer may see at this moment, and from nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from sluss_schemas.problems import Invalid
from sluss_server.http import bodies
from sluss_server.http.shell import Shell
from sluss_server.web import asking
from sluss_server.web.drawing import Drawer
from sluss_server.web.guard import ROOT
from sluss_server.web.panels import CHARTS
from sluss_server.web.panels.chart import DARK, LIGHT, Chart, Look, specification
from sluss_server.web.routes import Desk

SVG: Final = "image/svg+xml"
# A person signs out of a shared computer: what is kept is shown only after asking whether it still may be.
KEPT: Final = "private, no-cache"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""Of a picture that is opened by itself: its own colours and nothing else, no script at all."""
_NOT_MODIFIED: Final = 304
_SUFFIX: Final = ".svg"


def routes(shell: Shell, drawer: Drawer) -> list[HTTPRouteHandler]:
    """Return the handler of all charts; whoever made `drawer` closes it."""
    path = f"{ROOT}/chart/{{name:str}}"
    answer = _as_route(Charts(shell, drawer).chart)
    return [HTTPRouteHandler(path, http_method=["GET"], name=f"GET {path}", include_in_schema=False)(answer)]


class Charts(Desk):
    """What answers with a picture."""

    def __init__(self, shell: Shell, drawer: Drawer, charts: tuple[Chart, ...] = CHARTS) -> None:
        """Share what the requests of this process share, and what draws."""
        super().__init__(shell)
        self._drawer: Final = drawer
        self._charts: Final = {f"{one.name}{_SUFFIX}": one for one in charts}

    async def chart(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Draw a chart, unless the browser has it."""
        scope = request.scope
        chart = self._charts.get(request.path_params["name"])
        if chart is None:
            raise Invalid("not_found", "name")
        query = asking.query_of(scope)
        wishes = asking.wishes(scope, query)
        viewer = await self._viewer(scope)
        ask = asking.ask(scope["path"], query, viewer)
        loaded = await chart.load(self._shell.services, viewer, ask)
        asked = specification(chart, loaded, _look(wishes, narrow=_narrow(query)))
        etag = f'"{hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()[:32]}"'
        headers = {"etag": etag, "cache-control": KEPT, "content-security-policy": POLICY}
        if etag in bodies.header(scope["headers"], b"if-none-match"):
            return ASGIResponse(body=b"", status_code=_NOT_MODIFIED, media_type=SVG, headers=headers)
        return ASGIResponse(body=await self._drawer.svg(asked), media_type=SVG, headers=headers)


def _narrow(query: Mapping[str, str]) -> bool:
    """Return whether an address asks for the chart of a narrow window; there is no other size that can be asked for."""
    size = query.get("size", "")
    if size not in {"", "narrow"}:
        raise Invalid("not_found", "size")
    return bool(size)


def _look(wishes: asking.Wishes, *, narrow: bool) -> Look:
    # Imported when the first chart is asked for, as pages are.
    from sluss_server.web.wording import words  # noqa: PLC0415

    return Look(words(wishes.lang), DARK if wishes.theme == "dark" else LIGHT, narrow)


def _as_route(
    handle: Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]],
) -> Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]:
    """Return a plain function, which is what the framework takes."""

    async def call(request: Request[Any, Any, Any]) -> ASGIResponse:
        return await handle(request)

    return call
