"""The zones of the map as GeoJSON: the same numbers as in the table of the map's panel.

Refuses whoever has no session, as pages do.
Source: RFC 7946.

> INVARIANT: of other agencies there is nothing but what is published to the viewer's own.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from sluss_server.http.shell import Shell
from sluss_server.web import asking
from sluss_server.web.guard import ROOT
from sluss_server.web.panels import zones
from sluss_server.web.routes import Desk

GEOJSON: Final = "application/geo+json"


def routes(shell: Shell) -> list[HTTPRouteHandler]:
    """Return the handler of the map's zones."""
    maps, path = Maps(shell), f"{ROOT}/zones.geojson"

    async def call(request: Request[Any, Any, Any]) -> ASGIResponse:
        return await maps.zones(request)

    return [HTTPRouteHandler(path, http_method=["GET"], name=f"GET {path}", include_in_schema=False)(call)]


class Maps(Desk):
    """What answers with shapes."""

    async def zones(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Return the zones of a week."""
        # Imported when the first map is asked for, as pages are.
        from sluss_server.web.wording import words  # noqa: PLC0415

        scope = request.scope
        query = asking.query_of(scope)
        wishes = asking.wishes(scope, query)
        viewer = await self._viewer(scope)
        ask = asking.ask(scope["path"], query, viewer)
        data = await zones.load(self._shell.services, viewer, ask)
        body = msgspec.json.encode(zones.geojson(data, words(wishes.lang)))
        return ASGIResponse(body=body, media_type=GEOJSON)
