"""What stands around every request: its id, its headers, its line in the log and its place in the counters.

For: the outermost layer, which sees what no route sees: unknown addresses, refused methods, and faults that escaped
every other handler.
Refuses to look into a body.

> INVARIANT: every request that is answered has a request id, is counted and is logged once, without its content.
"""

from __future__ import annotations

import time
from typing import Final, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send

from sluss_server import logs
from sluss_server.http import problem
from sluss_server.http.metrics import UNMATCHED
from sluss_server.http.shell import Shell, Trace

REQUEST_ID: Final = b"x-request-id"
SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Set on every answer that does not set its own."""
STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=63072000")
_QUIET: Final = ("/health/live", "/health/ready")
_NAMES: Final = frozenset(name for name, _ in SECURITY_HEADERS)


class Frame:
    """The outermost application; the framework is inside."""

    def __init__(self, app: ASGIApp, shell: Shell) -> None:
        self._app = app
        self._shell = shell
        secure = shell.public_url.startswith("https://")
        self._headers = [*SECURITY_HEADERS, *([STRICT_TRANSPORT] if secure else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of connection are handed on as they are."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        trace = Trace(request_id=self._shell.new_id())
        scope["state"]["trace"] = trace
        status = 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._complete(message, trace)
            await send(message)

        try:
            await self._app(scope, receive, framed)
        except Exception as error:
            if status:
                # Too late for another answer: the server closes the connection.
                logs.get().error("fault", request_id=trace.request_id, **logs.fault(error))
                raise
            await self._last_resort(error, scope, trace, framed)
        finally:
            self._note(scope, trace, status, time.monotonic() - started)

    def _complete(self, message: HTTPResponseStartEvent, trace: Trace) -> None:
        """Add what every answer carries."""
        given = list(message["headers"])
        own = _NAMES.intersection(name for name, _ in given)
        added = [one for one in self._headers if one[0] not in own] if own else self._headers
        message["headers"] = [*given, *added, (REQUEST_ID, trace.request_id.encode())]

    async def _last_resort(self, error: Exception, scope: HTTPScope, trace: Trace, send: Send) -> None:
        """Answer what escaped every other handler."""
        route = problem.route_of(scope)
        status, headers, body = problem.respond(error, shell=self._shell, trace=trace, route=route)
        headers |= {"content-type": problem.MEDIA_TYPE, "content-length": str(len(body))}
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send(cast("Message", {"type": "http.response.start", "status": status, "headers": lines}))
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _note(self, scope: HTTPScope, trace: Trace, status: int, seconds: float) -> None:
        """Count and log one request."""
        route = problem.route_of(scope)
        self._shell.metrics.answered(scope["method"], route, status, seconds)
        log = logs.get()
        (log.debug if route in _QUIET else log.info)(
            "request",
            request_id=trace.request_id,
            # A method is text that the client chose, unless a route knows it.
            method=scope["method"] if route != UNMATCHED and trace.code != "method_not_allowed" else "",
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            device=trace.device,
            code=trace.code,
        )
