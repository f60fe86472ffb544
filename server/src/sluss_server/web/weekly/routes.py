"""The addresses of the weekly pack: a week as PDF, CSV and GeoJSON, the codebook, months, and a month of the own facts.

Refuses whoever has no session, as pages do; a week or a month that is none, or is yet to come, is a page that says so.

Report by report there are the own agency's facts alone, and who takes them along stands in its ledger.

> INVARIANT: a file is made at the moment at which it is asked for, of what its viewer may see then, and kept nowhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse

from sluss_schemas.problems import Invalid
from sluss_server.aggregates.cells import date_of, day_of, month_days
from sluss_server.http.shell import Shell
from sluss_server.services.sessions import Viewer
from sluss_server.web import asking
from sluss_server.web.asking import Ask, Wishes
from sluss_server.web.guard import ROOT
from sluss_server.web.panels import zones
from sluss_server.web.routes import Desk

Handle = Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]
PDF: Final = "application/pdf"
CSV: Final = "text/csv; header=present"
GEOJSON: Final = "application/geo+json"
JSON_LINES: Final = "application/x-ndjson"
_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9000
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def routes(shell: Shell) -> list[HTTPRouteHandler]:
    """Return a handler for each address."""
    packs = Packs(shell)
    return [
        _handler(f"{ROOT}/week/{{name:str}}", packs.week),
        _handler(f"{ROOT}/codebook.csv", packs.codebook),
        _handler(f"{ROOT}/facts.jsonl", packs.facts),
        _handler(f"{ROOT}/months.csv", packs.months),
    ]


class Packs(Desk):
    """What answers with files."""

    def __init__(self, shell: Shell) -> None:
        """Share what the requests of this process share."""
        super().__init__(shell)
        # One document at a time: a processor is busy with it for a tenth of a second.
        self._one: Final = asyncio.Semaphore(1)
        self._forms: Final = {"pdf": self._pdf, "csv": self._csv, "geojson": self._geojson}

    async def week(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Give a week in the form that the address ends with."""
        wishes, viewer = await self._asked(request)
        name, _, form = str(request.path_params["name"]).rpartition(".")
        make = self._forms.get(form)
        if make is None:
            raise Invalid("not_found", "name")
        if not name:
            raise Invalid("not_found", "week")
        ask = asking.ask(request.scope["path"], {"week": name}, viewer)
        return await make(wishes, viewer, ask)

    async def codebook(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Give the codebook of the CSV files."""
        # Imported when the first file is asked for, as pages are.
        from sluss_server.web.weekly import codebook, rfc4180  # noqa: PLC0415

        _, viewer = await self._asked(request)
        return _file(rfc4180.written(codebook.rows(viewer)), CSV, "sluss-codebook.csv")

    async def facts(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Stream the own agency's coded facts of a month."""
        from sluss_server.web.weekly import lines  # noqa: PLC0415

        _, viewer = await self._asked(request)
        name, days = month(asking.query_of(request.scope).get("month", ""), viewer)
        await self._shell.services.coded.note(viewer, name)
        pages = self._shell.services.coded.between(viewer, days)
        return ASGIStreamingResponse(
            iterator=lines.lines(viewer, pages), media_type=JSON_LINES, headers=_headers(f"sluss-facts-{name}.jsonl")
        )

    async def months(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Stream the own agency's exact counts of some months."""
        from sluss_server.web.weekly import months  # noqa: PLC0415

        wishes, viewer = await self._asked(request)
        query = asking.query_of(request.scope)
        last, _ = month(query.get("month", ""), viewer)
        asked = months.asked(last, query.get("months", ""))
        name = f"sluss-months-{months.name_of(asked[0])}-{last}-{wishes.lang}.csv"
        return ASGIStreamingResponse(
            iterator=months.file(self._shell.services, viewer, asked, wishes.lang),
            media_type=CSV,
            headers=_headers(name),
        )

    async def _pdf(self, wishes: Wishes, viewer: Viewer, ask: Ask) -> ASGIResponse:
        from sluss_server.web.weekly import contents, pdf  # noqa: PLC0415
        from sluss_server.web.wording import words  # noqa: PLC0415

        found = await contents.load(self._shell.services, viewer, ask)
        said = pdf.said(found, words(wishes.lang))
        async with self._one:
            body = await asyncio.to_thread(pdf.typeset, said, found.ends)
        return _file(body, PDF, f"sluss-{ask.week_name}-{wishes.lang}.pdf")

    async def _csv(self, wishes: Wishes, viewer: Viewer, ask: Ask) -> ASGIResponse:
        from sluss_server.web.weekly import rfc4180, tables  # noqa: PLC0415

        found = await tables.load(self._shell.services, viewer, ask.week)
        rows = tables.rows(viewer, found, ask.week, wishes.lang)
        return _file(rfc4180.written(rows), CSV, f"sluss-{ask.week_name}-{wishes.lang}.csv")

    async def _geojson(self, wishes: Wishes, viewer: Viewer, ask: Ask) -> ASGIResponse:
        from sluss_server.web.wording import words  # noqa: PLC0415

        data = await zones.load(self._shell.services, viewer, ask)
        body = msgspec.json.encode(zones.geojson(data, words(wishes.lang)))
        return _file(body, GEOJSON, f"sluss-{ask.week_name}.geojson")

    async def _asked(self, request: Request[Any, Any, Any]) -> tuple[Wishes, Viewer]:
        wishes = asking.wishes(request.scope, asking.query_of(request.scope))
        return wishes, await self._viewer(request.scope)


def month(said: str, viewer: Viewer) -> tuple[str, tuple[int, int]]:
    """Return the month that an address names, with its days; without a name the month that it is.

    Raises:
        Invalid: `not_found` for one that is none, or is yet to come.

    """
    today = day_of(viewer.now, viewer.pack.zone)
    named = _MONTH.fullmatch(said or _month_of(today))
    if named is None:
        raise Invalid("not_found", "month")
    year, number = int(named[1]), int(named[2])
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise Invalid("not_found", "month")
    days = month_days(year, number)
    if days[0] > today:
        raise Invalid("not_found", "month")
    return named[0], days


def _month_of(day: int) -> str:
    return f"{date_of(day):%Y-%m}"


def _file(body: bytes, media: str, name: str) -> ASGIResponse:
    return ASGIResponse(body=body, media_type=media, headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"', "content-security-policy": _POLICY}


def _handler(path: str, handle: Handle) -> HTTPRouteHandler:
    async def call(request: Request[Any, Any, Any]) -> ASGIResponse:
        return await handle(request)

    return HTTPRouteHandler(path, http_method=["GET"], name=f"GET {path}", include_in_schema=False)(call)
