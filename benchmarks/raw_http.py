"""HTTP/1.1 over plain sockets, with as little work as a client can do.

Requests are made and signed before they are timed; while they are timed, a client writes bytes, waits, and reads the
answer's length, so that the server is what is measured although both share the machine.
Not measured: the client package's own transport, which P4 uses.
Refuses every answer that is no success.

> INVARIANT: each client waits for its answer before it sends again; a latency is from the first byte written to the
> last byte read.
"""

from __future__ import annotations

import hashlib
import selectors
import socket
import time
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

from sluss_client import clock
from sluss_client.keys import DeviceKeys

_MEDIA: Final = "application/msgpack"
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_CHUNK: Final = 1 << 18
_OK: Final = range(200, 300)
_PATIENCE_S: Final = 60.0


@dataclass(slots=True)
class Run:
    """What became of a number of requests; times in seconds.

    `bodies` stand in the order of the requests; `sent` and `got` are bytes with the heads.
    """

    seconds: float
    latencies: list[float]
    bodies: list[bytes]
    sent: int
    got: int


def signed(keys: DeviceKeys, url: str, path: str, body: bytes) -> bytes:
    """Return a signed request (docs/protocol.md section 5), ready to be written."""
    digest = f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"
    parameters = (
        f'("@method" "@target-uri" "content-digest");created={clock.now()};keyid="{keys.kid.hex()}";alg="ed25519"'
    )
    base = f'"@method": POST\n"@target-uri": {url}{path}\n"content-digest": {digest}\n"@signature-params": {parameters}'
    signature = b64encode(keys.sign.sign(base.encode())).decode()
    more = {
        "content-digest": digest,
        "signature-input": f"sluss={parameters}",
        "signature": f"sluss=:{signature}:",
    }
    return unsigned(url, path, body, more)


def unsigned(url: str, path: str, body: bytes, more: dict[str, str] | None = None) -> bytes:
    """Return a request, ready to be written."""
    fields = {
        "host": urlsplit(url).netloc,
        "accept": _MEDIA,
        "content-type": _MEDIA,
        "content-length": str(len(body)),
        **(more or {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@dataclass(slots=True)
class Client:
    """One connection, and what it waits for."""

    link: socket.socket
    number: int = -1
    since: float = 0.0
    parts: list[bytes] = field(default_factory=list)
    length: int = 0
    wanted: int = -1

    @classmethod
    def connect(cls, url: str) -> Self:
        """Connect to a server."""
        parts = urlsplit(url)
        link = socket.create_connection((parts.hostname or "", parts.port or 80), _PATIENCE_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(link)

    def close(self) -> None:
        """Close the connection."""
        self.link.close()

    def ask(self, request: bytes) -> bytes:
        """Send a request, wait for the answer and return its body."""
        self.send(0, request)
        while not self.read():
            pass
        return self.body()

    def send(self, number: int, request: bytes) -> None:
        """Send a request without waiting."""
        self.number, self.parts, self.length, self.wanted = number, [], 0, -1
        self.since = time.perf_counter()
        self.link.sendall(request)

    def read(self) -> bool:
        """Read what is there; tell whether the answer is whole."""
        data = self.link.recv(_CHUNK)
        if not data:
            message = "the server closed a connection in the middle of a run"
            raise ConnectionError(message)
        self.parts.append(data)
        self.length += len(data)
        if self.wanted < 0:
            self.wanted = _whole(b"".join(self.parts))
        return 0 <= self.wanted <= self.length

    def body(self) -> bytes:
        """Return the body of a whole answer, or raise `ConnectionError` if it is no success."""
        head, _, body = b"".join(self.parts).partition(_HEAD_END)
        if int(head.split(maxsplit=2)[1]) not in _OK:
            message = f"the server answered {head.splitlines()[0].decode()}: {body[:300]!r}"
            raise ConnectionError(message)
        return body


def _whole(start: bytes) -> int:
    """Return how long an answer is in all, or -1 while its head is not whole."""
    end = start.find(_HEAD_END)
    if end < 0:
        return -1
    head = start[:end].lower()
    at = head.find(_LENGTH)
    length = 0 if at < 0 else int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    return end + len(_HEAD_END) + length


def run(url: str, requests: Sequence[bytes], clients: int) -> Run:
    """Send the requests from this many clients, each one at a time, and return what came back.

    Connections are made before the time starts.

    Raises:
        ConnectionError: an answer that is no success, or none.

    """
    waiting = deque(enumerate(requests))
    latencies, bodies, got = list[float](), [b""] * len(requests), 0
    with selectors.DefaultSelector() as selector, ExitStack() as ends:
        everybody = [Client.connect(url) for _ in range(min(clients, len(requests)))]
        for one in everybody:
            ends.callback(one.close)
            selector.register(one.link, selectors.EVENT_READ, one)
        busy, started = len(everybody), time.perf_counter()
        for one in everybody:
            one.send(*waiting.popleft())
        while busy:
            ready = selector.select(_PATIENCE_S)
            if not ready:
                message = f"no answer for {_PATIENCE_S:.0f} s"
                raise ConnectionError(message)
            for key, _ in ready:
                one = key.data
                if not one.read():
                    continue
                latencies.append(time.perf_counter() - one.since)
                got += one.length
                bodies[one.number] = one.body()
                if waiting:
                    one.send(*waiting.popleft())
                else:
                    busy -= 1
        seconds = time.perf_counter() - started
    return Run(seconds, latencies, bodies, sum(map(len, requests)), got)
