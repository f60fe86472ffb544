"""The routes: each endpoint of the table, and the few pages that a machine's operator asks for.

For: one handler per endpoint: body, signature, service, answer, in that order.
Refuses a body before its signature: only what a known device signed is read, except where nobody can sign yet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from sluss_schemas.problems import Invalid
from sluss_server import logs
from sluss_server.http import bodies, openapi, problem, signature
from sluss_server.http.endpoints import ENDPOINTS, Endpoint, Page
from sluss_server.http.shell import Shell
from sluss_server.services.notes import Note, NoteList

_NO_CONTENT: Final = 204


async def live(_shell: Shell) -> bytes:
    """Say that the process answers."""
    return b'{"status":"live"}'


async def ready(shell: Shell) -> bytes:
    """Say that the database answers and its schema is this version's.

    Raises:
        Invalid: `overloaded`, which a load balancer understands, whatever the reason; the reason is in the log.

    """
    try:
        await shell.services.ready()
    except Exception as error:  # noqa: BLE001  # whatever it is, this process is not ready
        logs.get().warning("not_ready", **logs.fault(error))
        raise Invalid("overloaded", "database") from None
    return b'{"status":"ready"}'


async def document(_shell: Shell) -> bytes:
    """Give the OpenAPI document."""
    return _document()


async def notes(shell: Shell) -> bytes:
    """Give the notes for everybody."""
    return msgspec.json.encode(await shell.services.notes())


async def note(shell: Shell, name: str) -> bytes:
    """Give one note to whoever was given its address."""
    return msgspec.json.encode(await shell.services.note(name))


PAGES: Final[tuple[Page, ...]] = (
    Page(path="/health/live", summary="Whether the process answers.", media=bodies.JSON, call=live),
    Page(
        path="/health/ready",
        summary="Whether the database answers too.",
        media=bodies.JSON,
        call=ready,
        problems=("overloaded",),
    ),
    Page(path="/openapi.json", summary="This document.", media=bodies.JSON, call=document),
    Page(
        path="/notes",
        summary="The notes that were released to everybody and hold now, the newest first.",
        media=bodies.JSON,
        call=notes,
        gives=NoteList,
        cache="public, max-age=30",
        problems=("internal",),
    ),
    Page(
        path="/notes/{note}",
        summary="One note, for a partner who was given its address; gone when it ends or is withdrawn.",
        media=bodies.JSON,
        call=note,
        gives=Note,
        problems=("not_found", "internal"),
    ),
)


def routes(shell: Shell) -> list[HTTPRouteHandler]:
    """Return a handler for each endpoint and page."""
    return [*(_endpoint(one, shell) for one in ENDPOINTS), *(_page(one, shell) for one in PAGES)]


def _endpoint(endpoint: Endpoint, shell: Shell) -> HTTPRouteHandler:
    """Return the handler of one endpoint."""

    async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
        scope = request.scope
        headers = scope["headers"]
        arguments: list[object] = [shell]
        signed = None
        if endpoint.signed:
            now = shell.clock()
            identify = shell.services.identify
            signed = await signature.verify(scope, identify=identify, now=now, public_url=shell.public_url)
            problem.trace_of(scope).device = signed.caller.device[: logs.KID_SHOWN_BYTES].hex()
            arguments.append(signed.caller)
        body = await bodies.read(headers, request.receive, limit=endpoint.limit if endpoint.takes else 0)
        if signed is not None:
            signed.check_body(body)
        sent = bodies.sent_as(headers)
        if endpoint.takes is not None:
            arguments.append(bodies.decode(endpoint.takes, body, sent))
        try:
            answer = await endpoint.call(*arguments)
        except Invalid as refusal:
            if signed is not None:
                await shell.services.denied(signed.caller, refusal.code, endpoint.path)
            raise
        if endpoint.gives is None:
            return ASGIResponse(status_code=_NO_CONTENT)
        media = bodies.answered_as(bodies.header(headers, b"accept"), sent)
        return ASGIResponse(body=bodies.encode(answer, media), media_type=media)

    return _handler(endpoint.method, endpoint.path, handle)


def _page(page: Page, shell: Shell) -> HTTPRouteHandler:
    """Return the handler of one page."""

    async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
        body = await page.call(shell, *request.path_params.values())
        headers = {"cache-control": page.cache} if page.cache else {}
        return ASGIResponse(body=body, media_type=page.media, headers=headers)

    return _handler("GET", page.path.replace("}", ":str}"), handle)


def _handler(
    method: Literal["GET", "POST"], path: str, handle: Callable[..., Awaitable[ASGIResponse]]
) -> HTTPRouteHandler:
    """Return the framework's handler, which adds nothing of its own: no schema, no decoding, no validation."""
    return HTTPRouteHandler(path, http_method=[method], name=f"{method} {path}", include_in_schema=False)(handle)


@cache
def _document() -> bytes:
    """Return the encoded OpenAPI document, which does not change while the process runs."""
    return msgspec.json.encode(openapi.document(ENDPOINTS, PAGES))
