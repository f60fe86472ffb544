"""One body for every refusal (RFC 9457), whatever raised it.

For: turning a refusal into its status, its code and what to do, by the catalogue; and turning everything else that can
be raised into one as well.
Refuses to repeat anything that was sent, and to say what went wrong inside: that is in the log, by type and place.

> INVARIANT: one code has one status, and a code that is no refusal of the network's answers as `internal`.

Source: docs/protocol.md section 5.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response import Response
from litestar.types import ExceptionHandlersMap, HTTPScope, Scope

from sluss_schemas.problems import CATALOGUE, Invalid, SlussError
from sluss_server import logs
from sluss_server.http.bodies import ClientGoneError
from sluss_server.http.metrics import UNMATCHED
from sluss_server.http.shell import Shell, Trace

MEDIA_TYPE: Final = "application/problem+json"
CLIENT_GONE: Final = 499
"""The status that is logged where nobody was left to be answered."""
_SERVER_ERRORS: Final = 500
# What the framework refuses by itself.
_CODES: Final[dict[int, str]] = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal.

    Attributes:
        type: `urn:sluss:problem:` and the code.
        title: the code in words.
        status: the HTTP status.
        detail: what to do.
        code: stable code of the catalogue.
        field: the part of the request that it is about; empty where there is none.
        request_id: to be given to the operator.
        server_time: Unix seconds, for a device whose clock is off.

    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str
    request_id: str
    server_time: int


def problem(refusal: SlussError, *, request_id: str, now: int) -> Problem:
    """Return the body of a refusal."""
    return Problem(
        type=f"urn:sluss:problem:{refusal.code}",
        title=refusal.code.replace("_", " "),
        status=CATALOGUE[refusal.code][0],
        detail=refusal.say,
        code=refusal.code,
        field=refusal.field,
        request_id=request_id,
        server_time=now,
    )


def refusal_of(error: Exception) -> SlussError:
    """Return the refusal that an exception amounts to; `internal` for one that nobody meant."""
    if isinstance(error, SlussError):
        return error if CATALOGUE[error.code][0] else Invalid("internal")
    if isinstance(error, HTTPException) and error.status_code < _SERVER_ERRORS:
        return Invalid(_CODES.get(error.status_code, "invalid_request"))
    return Invalid("internal")


def trace_of(scope: Scope) -> Trace:
    """Return what is noted about a request."""
    return cast("Trace", scope["state"]["trace"])


def respond(error: Exception, *, shell: Shell, trace: Trace, route: str) -> tuple[int, dict[str, str], bytes]:
    """Note, count and, where nobody meant it, log an exception; return status, headers and body of its answer."""
    refusal = refusal_of(error)
    trace.code = refusal.code
    shell.metrics.refused(refusal.code)
    if refusal.code == "internal":
        logs.get().error("fault", request_id=trace.request_id, route=route, **logs.fault(error))
    body = problem(refusal, request_id=trace.request_id, now=shell.clock())
    headers = {"allow": allow} if (allow := _allow(error)) else {}
    if refusal.code == "body_too_large":
        # The rest of the body stays unread, so this connection can carry no other request.
        headers["connection"] = "close"
    if refusal.code == "overloaded":
        headers["retry-after"] = "1"
    return body.status, headers, msgspec.json.encode(body)


def handlers(shell: Shell) -> ExceptionHandlersMap:
    """Return the application's exception handlers."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        if isinstance(error, ClientGoneError):
            return Response(b"", status_code=CLIENT_GONE, media_type="text/plain")
        route = route_of(request.scope)
        status, headers, body = respond(error, shell=shell, trace=trace_of(request.scope), route=route)
        return Response(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)

    return {Exception: answer, HTTPException: answer}


def route_of(scope: HTTPScope) -> str:
    """Return the template of the route that answers; the path itself may hold anything."""
    return scope.get("path_template") or UNMATCHED


def _allow(error: Exception) -> str:
    """Return the methods that a refused method should have been, as the framework names them."""
    headers = error.headers if isinstance(error, HTTPException) else None
    return (headers or {}).get("allow", "")
