"""The addresses of the overview: sign in, look, sign out.

A page is asked for, its viewer is found, its panels load, its template says it, in that order.
Refuses to change anything on GET, and on POST anything that our own page did not send.
A panel at fault is named on the page in its place and in the log, and takes none of the others with it; a page of which
no panel can be made is a fault as a whole, as a file is that lacks anything.

> INVARIANT: what is not a static file or the way in is answered only to a session that is good at this moment.

Source: docs/decisions/0026-sign-in-by-launch.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from litestar.response.base import ASGIResponse
from litestar.types import ExceptionHandlersMap, HTTPScope

from sluss_schemas.problems import Invalid, SlussError
from sluss_server import logs
from sluss_server.http import bodies, problem
from sluss_server.http.bodies import ClientGoneError
from sluss_server.http.shell import Shell
from sluss_server.services.sessions import Viewer
from sluss_server.web import asking, faults, guard, static
from sluss_server.web.asking import Wishes
from sluss_server.web.guard import ROOT
from sluss_server.web.panels import SHEETS, Panel, Sheet

Handle = Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]

HTML: Final = "text/html"
_FORM_LIMIT: Final = 1024
_SEE_OTHER: Final = 303
_NOT_MODIFIED: Final = 304


def routes(shell: Shell) -> list[HTTPRouteHandler]:
    """Return a handler for each address."""
    desk = Desk(shell)
    return [
        *(_handler("GET", ROOT + sheet.path, desk.sheet(sheet)) for sheet in SHEETS),
        _handler("GET", f"{ROOT}/enter/{{token:str}}", desk.enter),
        _handler("POST", f"{ROOT}/enter", desk.entered),
        _handler("POST", f"{ROOT}/leave", desk.leave),
        _handler("GET", f"{ROOT}/static/{{name:path}}", desk.static),
    ]


def handlers(shell: Shell, others: ExceptionHandlersMap) -> ExceptionHandlersMap:
    """Return the application's exception handlers: pages for the overview, `others` for everything else."""
    desk = Desk(shell)

    def within(other: Any) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:  # noqa: ANN401  # theirs
        def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
            path = request.scope["path"]
            ours = path == ROOT or path.startswith(f"{ROOT}/")
            if not ours or isinstance(error, ClientGoneError):
                answered: Response[Any] = other(request, error)
                return answered
            return desk.fault(request.scope, error)

        return answer

    return {kind: within(other) for kind, other in others.items()}


class Desk:
    """What answers, one method an address."""

    def __init__(self, shell: Shell) -> None:
        """Share what the requests of this process share."""
        self._shell: Final = shell

    def sheet(self, sheet: Sheet) -> Handle:
        """Return what answers with one sheet."""

        async def handle(request: Request[Any, Any, Any]) -> ASGIResponse:
            query = asking.query_of(request.scope)
            wishes = asking.wishes(request.scope, query)
            viewer = await self._viewer(request.scope)
            ask = asking.ask(ROOT + sheet.path, query, viewer)
            made, broken = list[tuple[Panel, object]](), list[Exception]()
            for panel in sheet.panels:
                try:
                    data = await panel.load(self._shell.services, viewer, ask)
                    made.append((panel, _pages().panel(wishes, viewer, ask, sheet, panel=panel, data=data)))
                except SlussError:
                    raise
                except Exception as error:  # noqa: BLE001  # whatever it is, the other panels are right
                    self._note(request.scope, panel, error)
                    made.append((panel, None))
                    broken.append(error)
            if len(broken) == len(sheet.panels):
                raise broken[0]
            number = problem.trace_of(request.scope).request_id
            return self._page(
                request.scope, _pages().overview(wishes, viewer, ask, sheet, made=made, number=number), wishes
            )

        return handle

    def _note(self, scope: HTTPScope, panel: Panel, error: Exception) -> None:
        """Log the fault of a panel, and count it as one of the server."""
        number = problem.trace_of(scope).request_id
        logs.get().error("panel_failed", panel=panel.name, request_id=number, **logs.fault(error))
        self._shell.metrics.refused("internal")

    async def enter(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Show the button; whoever looks a link up in advance, as mail programs do, uses nothing up."""
        wishes = asking.wishes(request.scope, asking.query_of(request.scope))
        return self._page(request.scope, _pages().enter(wishes, request.path_params["token"]), wishes)

    async def entered(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Use the link up and begin a session."""
        scope, shell = request.scope, self._shell
        guard.must_be_our_page(scope, shell.public_url)
        body = await bodies.read(scope["headers"], request.receive, limit=_FORM_LIMIT)
        fields = parse_qs(body.decode("latin-1"), max_num_fields=1)
        cookie = await shell.services.sessions.begin(fields.get("token", [""])[0])
        if cookie is None:
            raise Invalid("link_used", "token")
        secure = guard.is_secure(scope, shell.public_url)
        return _answer(
            b"", status=_SEE_OTHER, headers={"location": ROOT}, set_cookies=[guard.sign_in(cookie, secure=secure)]
        )

    async def leave(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """End the session."""
        scope, shell = request.scope, self._shell
        guard.must_be_our_page(scope, shell.public_url)
        await shell.services.sessions.end(guard.cookies(scope["headers"]).get(guard.SESSION, ""))
        wishes = asking.wishes(scope, {})
        gone = guard.sign_out(secure=guard.is_secure(scope, shell.public_url))
        return _answer(_pages().left(wishes), set_cookies=[gone])

    async def static(self, request: Request[Any, Any, Any]) -> ASGIResponse:
        """Give a file that pages load; there is nothing in it that is not public."""
        file = static.file(str(request.path_params["name"]).lstrip("/"))
        if file is None:
            raise Invalid("not_found", "name")
        scope = request.scope
        named = asking.query_of(scope).get("v") == file.version
        headers = {"etag": file.etag, "cache-control": static.KEPT if named else static.ASKED}
        if file.etag in bodies.header(scope["headers"], b"if-none-match"):
            return _answer(b"", status=_NOT_MODIFIED, media=file.media, headers=headers)
        return _answer(file.body, media=file.media, headers=headers)

    def fault(self, scope: HTTPScope, error: Exception) -> Response[bytes]:
        """Return the page for a refusal or a fault, which is noted as any other."""
        trace = problem.trace_of(scope)
        route = problem.route_of(scope)
        status, headers, _ = problem.respond(error, shell=self._shell, trace=trace, route=route)
        refusal = problem.refusal_of(error)
        try:
            wishes = asking.wishes(scope, asking.query_of(scope))
        except Invalid:
            wishes = asking.wishes(scope, {})
        body = _pages().fault(wishes, faults.fault_of(refusal), status, trace.request_id)
        headers |= {"content-security-policy": guard.POLICY}
        if refusal.code == "session_ended":
            headers["set-cookie"] = guard.sign_out(secure=guard.is_secure(scope, self._shell.public_url))
        return Response(body, status_code=status, headers=headers, media_type=HTML)

    async def _viewer(self, scope: HTTPScope) -> Viewer:
        cookie = guard.cookies(scope["headers"]).get(guard.SESSION, "")
        if not cookie:
            raise Invalid("not_signed_in", "session")
        viewer = await self._shell.services.sessions.viewer(cookie)
        if viewer is None:
            raise Invalid("session_ended", "session")
        problem.trace_of(scope).device = viewer.device[: logs.KID_SHOWN_BYTES].hex()
        return viewer

    def _page(self, scope: HTTPScope, body: bytes, wishes: Wishes) -> ASGIResponse:
        secure = guard.is_secure(scope, self._shell.public_url)
        return _answer(
            body, set_cookies=[guard.remember(name, value, secure=secure) for name, value in wishes.given.items()]
        )


def _answer(
    body: bytes,
    *,
    status: int = 200,
    media: str = HTML,
    headers: dict[str, str] | None = None,
    set_cookies: Iterable[str] = (),
) -> ASGIResponse:
    lines = {"content-security-policy": guard.POLICY, **(headers or {})}
    encoded = [(b"set-cookie", one.encode()) for one in set_cookies]
    return ASGIResponse(body=body, status_code=status, media_type=media, headers=lines, encoded_headers=encoded)


def _handler(method: Literal["GET", "POST"], path: str, handle: Handle) -> HTTPRouteHandler:
    """Return the framework's handler, which adds nothing of its own."""

    async def call(request: Request[Any, Any, Any]) -> ASGIResponse:
        return await handle(request)

    return HTTPRouteHandler(path, http_method=[method], name=f"{method} {path}", include_in_schema=False)(call)


def _pages() -> Any:  # noqa: ANN401  # the module `pages`
    """Return what makes pages, imported when the first is asked for."""
    from sluss_server.web import pages  # noqa: PLC0415

    return pages
