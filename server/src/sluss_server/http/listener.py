"""The process that listens: uvicorn on a socket, from the first request to an orderly end.

For: saying when requests are really answered, and stopping without losing one that is in progress.
Refuses to believe a proxy: what is said of scheme and client in a request's headers is not looked at.

> INVARIANT: after a signal no new request is taken, nobody waits for news, every accepted one answered.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from typing import Final

import uvicorn
from litestar import Litestar
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sluss_schemas.problems import Invalid
from sluss_server.http.frame import REQUEST_ID, SECURITY_HEADERS
from sluss_server.http.metrics import UNMATCHED
from sluss_server.http.problem import MEDIA_TYPE, respond
from sluss_server.http.shell import Shell, Trace

_STOP_WITHIN_S: Final = 30
"""The longest that a stop waits for requests in progress; longer than any of them may take."""
_KEEP_ALIVE_S: Final = 65
_BACKLOG: Final = 2048


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; port 0 takes a free one.

    Raises:
        OSError: the address cannot be had.

    """
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, proto)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """Return the address of a bound socket, as a program would call it."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: Litestar, *, shell: Shell, bound: socket.socket, announce: Callable[[], None]) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT.

    Args:
        app: what answers.
        shell: what its requests share; told when the process is to stop.
        bound: the socket to listen on; closed at the end.
        announce: called once requests are answered.

    """
    config = uvicorn.Config(
        app,
        http=_speaking(shell),
        # uvloop has no Windows build.
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # The public address is a setting.
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn puts these back and raises the signal once more when all is done: by then the stop was orderly.
        signal.signal(number, lambda _number, _frame: None)
    _Server(config, shell, announce).run(sockets=[bound])


def _speaking(shell: Shell) -> type[HttpToolsProtocol]:
    """Return the protocol whose refusal of what is not even HTTP is a problem body, too."""

    class Protocol(HttpToolsProtocol):
        @override
        def send_400_response(self, msg: str) -> None:
            trace = Trace(request_id=shell.new_id())
            status, _, body = respond(Invalid("invalid_request"), shell=shell, trace=trace, route=UNMATCHED)
            lines = [
                *SECURITY_HEADERS,
                (REQUEST_ID, trace.request_id.encode()),
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            head = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
            self.transport.write(b"HTTP/1.1 %d Bad Request\r\n" % status + head + b"\r\n" + body)
            self.transport.close()

    return Protocol


class _Server(uvicorn.Server):
    """Says when it listens, and lets nobody wait for news once it is to stop."""

    def __init__(self, config: uvicorn.Config, shell: Shell, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._shell = shell
        self._announce = announce

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so when it is true."""
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those who wait for news, then everybody else, then stop."""
        self._shell.draining.set()
        await super().shutdown(sockets=sockets)
