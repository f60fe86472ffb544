"""A relay on the loopback that loses, cuts and forges answers, between a device and a real server.

It passes a request on as it came, waits for the whole answer, and then does what the test's plan says for that path.
It reads no more of HTTP than where a message ends; nothing that it does depends on time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and, once there is one, the server's whole answer to it."""

    path: str
    request: bytes
    answer: bytes = b""

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return self.answer.partition(_END)[2]


Before = Callable[[Exchange], Awaitable[bytes | None]]
"""What happens instead of passing a request on: bytes to answer (none at all cut the line), or None to pass it on."""
After = Callable[[Exchange], Awaitable[bytes]]
"""What the device gets for an answer; it is cut off where the bytes end."""


async def honest(exchange: Exchange) -> bytes:
    """Give the answer as it came."""
    return exchange.answer


async def pass_on(_exchange: Exchange) -> None:
    """Pass the request on."""


def answer(body: bytes, status: str = "200 OK", media: str = "application/msgpack", *more: str) -> bytes:
    """Return a whole answer of this body."""
    head = [f"HTTP/1.1 {status}", f"content-type: {media}", f"content-length: {len(body)}", *more]
    return "\r\n".join(head).encode() + _END + body


@dataclass
class Relay:
    """The relay; `async with` opens it, and `before` and `after` may be set at any time."""

    port: int
    before: Before = pass_on
    after: After = honest
    seen: list[Exchange] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _at: int = 0

    @property
    def url(self) -> str:
        """The address that a device is to use."""
        return f"http://127.0.0.1:{self._at}"

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.deaf()

    async def listen(self) -> None:
        """Listen, always on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._at)
        self._at = self._server.sockets[0].getsockname()[1]

    def deaf(self) -> None:
        """Listen no more, so that the next connection is refused as where nothing listens."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            while True:
                request = await _message(reader)
                exchange = Exchange(request.split(b" ", 2)[1].decode(), request)
                given = await self.before(exchange)
                if given is None:
                    exchange = Exchange(exchange.path, request, await self._ask(request))
                    self.seen.append(exchange)
                    given = await self.after(exchange)
                writer.write(given)
                await writer.drain()
                if given != exchange.answer or not given:
                    break
        writer.close()

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return one request or answer, head and body as they came."""
    head = await reader.readuntil(_END)
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    return head + await reader.readexactly(int(fields.get(b"content-length", b"0")))
