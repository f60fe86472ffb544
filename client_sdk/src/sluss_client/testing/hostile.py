"""A hostile server for tests: a man in the middle who stands at the server's address, before the real one.

A device signs its requests for this address, the real server believes it to be its own, and whatever passes is decoded
here into the structures of the wire.
A test tells which answers to change, to replace, to drop or to give a second time; by default everything passes as it
came.
It also has what the host of a server has: the database's file, the receipt key, and all that ever passed.

> INVARIANT: it forges nothing that would need a key of a device, of an agency or of an audience; whoever colludes with
> it brings theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from sluss_client.crypto import SignKey
from sluss_schemas import ledger, membership, statements
from sluss_schemas import sync as wire
from sluss_schemas.codec import encode
from sluss_schemas.signing import RECEIPT_LABEL

_END: Final = b"\r\n\r\n"
_OK: Final = 200
_REFUSED: Final = 400
_FORMAT: Final = 1
_KEY_FILE: Final = "receipt.key"
_STATUS: Final = {200: "OK", 204: "No Content", 401: "Unauthorized", 403: "Forbidden", 409: "Conflict"}
_SHAPES: Final[dict[tuple[str, str], tuple[Any, Any]]] = {
    ("POST", "/v1/directory/pull"): (membership.DirectoryPull, membership.DirectoryAnswer),
    ("POST", "/v1/directory"): (membership.DirectoryAppend, membership.Appended),
    ("POST", "/v1/keys/pull"): (membership.KeysPull, membership.KeysAnswer),
    ("POST", "/v1/keys"): (membership.KeysOffer, None),
    ("POST", "/v1/push"): (wire.Push, wire.PushAnswer),
    ("POST", "/v1/pull"): (wire.Pull, wire.PullAnswer),
    ("POST", "/v1/ledger/checkpoint"): (ledger.CheckpointAsk, ledger.CheckpointAnswer),
    ("POST", "/v1/ledger/leaves"): (ledger.LeavesAsk, ledger.LeavesAnswer),
    ("POST", "/v1/reads"): (ledger.Reads, None),
    ("POST", "/v1/registry"): (statements.RegistryAsk, statements.RegistryAnswer),
    ("POST", "/v1/stock"): (statements.StockAsk, statements.StockAnswer),
    ("GET", "/v1/enrolments"): (None, membership.Enrolments),
    ("POST", "/v1/enrolments"): (membership.Enrolment, None),
    ("POST", "/v1/invites"): (membership.Invitation, None),
    ("POST", "/v1/found"): (membership.Founding, membership.Appended),
}
"""What is asked and answered, by method and path; another path passes as bytes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, as a server words it."""

    status: int
    code: str
    field: str | None = None
    server_time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and the real server's answer to it.

    Attributes:
        path: for instance `/v1/pull`.
        device: the key id of the device that signed the request, or nothing for an unsigned one.
        asked: the request, decoded where the path is known, else bytes.
        answer: the real answer, decoded likewise; bytes for a refusal, and None before the server was asked.
        given: what the device got.

    """

    path: str
    device: bytes
    asked: Any
    answer: Any = None
    status: int = _OK
    given: Any = None


Lie = Callable[[Exchange], Any]
"""What the device gets for an answer: a structure, bytes, or a `Problem`."""


@dataclass(frozen=True, slots=True)
class _Told:
    path: str
    lie: Lie
    devices: frozenset[bytes]
    instead: bool


class Hostile:
    """The man in the middle; honest until a test tells it otherwise.

    Attributes:
        seen: every exchange, in order.

    """

    def __init__(self) -> None:
        """Know no server yet."""
        self.seen: list[Exchange] = []
        self.port = 0
        self._at = 0
        self._data = Path()
        self._server: asyncio.Server | None = None
        self._told: list[_Told] = []

    # where it stands

    async def listen(self) -> str:
        """Listen on a free port; return the address that devices and the server are to take for the server's."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._at)
        self._at = self._server.sockets[0].getsockname()[1]
        return self.url

    def before(self, port: int, data: Path) -> None:
        """Pass requests on to a server on this port, whose folder is this."""
        self.port, self._data = port, data

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._at}"

    # what a test tells it

    def on(self, path: str, lie: Lie, *devices: bytes) -> None:
        """Change the real server's answers to a path from now on, for these devices or for all."""
        self._told.append(_Told(path, lie, frozenset(devices), instead=False))

    def instead(self, path: str, lie: Lie, *devices: bytes) -> None:
        """Answer a path from now on without asking the real server, for these devices or for all."""
        self._told.append(_Told(path, lie, frozenset(devices), instead=True))

    def honest(self) -> None:
        """Let everything pass as it comes."""
        self._told.clear()

    @contextmanager
    def lying(self, path: str, lie: Lie, *devices: bytes) -> Iterator[Hostile]:
        """Change the answers to a path while the block lasts, then be honest."""
        self.on(path, lie, *devices)
        try:
            yield self
        finally:
            self.honest()

    # what a host has

    @property
    def database(self) -> Path:
        """The real server's database."""
        return self._data / "sluss.sqlite"

    def answers(self, path: str, device: bytes = b"") -> list[Any]:
        """Return the real answers to a path so far, to one device or to all."""
        return [
            one.answer
            for one in self.seen
            if one.path == path
            and one.status == _OK
            and one.answer is not None
            and (not device or one.device == device)
        ]

    def receipt(self, digest: bytes, outcome: wire.OutcomeCode, time: int, instance: bytes = bytes(16)) -> wire.Outcome:
        """Return an outcome with a receipt signed by the server's own key, whether anything was stored or not."""
        data = encode(wire.Receipt(_FORMAT, digest, str(outcome), instance, time))
        key = SignKey((self._data / _KEY_FILE).read_bytes()[:32])
        return wire.Outcome(digest, outcome, receipt=data, receipt_signature=key.sign(RECEIPT_LABEL + data))

    # passing on

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            while True:
                raw = await _message(reader)
                writer.write(await self._answer(raw))
                await writer.drain()
        writer.close()

    async def _answer(self, raw: bytes) -> bytes:
        method, path = raw.split(b" ", 2)[:2]
        shapes = _SHAPES.get((method.decode(), path.decode()), (None, None))
        exchange = Exchange(path=path.decode(), device=_device(raw), asked=_decode(raw.partition(_END)[2], shapes[0]))
        told = [
            one
            for one in self._told
            if one.path == exchange.path and (not one.devices or exchange.device in one.devices)
        ]
        answer, lies = b"", told
        if not any(one.instead for one in told):
            answer = await self._ask(raw)
            status = int(answer.split(b" ", 2)[1])
            body = answer.partition(_END)[2]
            exchange = replace(exchange, answer=_decode(body, shapes[1] if status == _OK else None), status=status)
            # A refusal passes: what a test changes are answers.
            lies = [] if status >= _REFUSED else told
        given = exchange.answer
        for one in lies:
            # The next lie begins where this one ended.
            given = one.lie(replace(exchange, answer=given))
        self.seen.append(replace(exchange, given=given))
        return _worded(given) if lies else answer

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        finally:
            writer.close()


def _device(raw: bytes) -> bytes:
    """Return the key id that a request names as its signer."""
    head = raw.partition(_END)[0].decode("latin-1")
    _, found, rest = head.partition('keyid="')
    return bytes.fromhex(rest.partition('"')[0]) if found else b""


def _decode(body: bytes, shape: Any) -> Any:  # noqa: ANN401  # a structure of the wire, or bytes
    return body if shape is None else msgspec.msgpack.decode(body, type=shape)


def _worded(given: Any) -> bytes:  # noqa: ANN401  # as `_decode` gave it, or a `Problem`
    if isinstance(given, Problem):
        said = {"code": given.code, "detail": "", "field": given.field, "server_time": given.server_time}
        return _whole(given.status, "application/problem+json", msgspec.json.encode(said))
    body = given if isinstance(given, bytes) else msgspec.msgpack.encode(given)
    return _whole(_OK, "application/msgpack", body)


def _whole(status: int, media: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_STATUS.get(status, 'Problem')}\r\n"
        f"content-type: {media}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return one request or answer, head and body as they came."""
    head = await reader.readuntil(_END)
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    return head + await reader.readexactly(int(fields.get(b"content-length", b"0")))
