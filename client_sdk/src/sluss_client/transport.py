"""Signed requests to the server, and nothing else: no decision, no store.

Every request is signed with the device's key (RFC 9421 with a Content-Digest); there is no token to steal.
A clock that is off is learned from the server's answer and corrected once, as far as the server can be believed.
Source: docs/protocol.md section 5.

> INVARIANT: a server moves this device's time by a day at most, unless what the agencies signed proves the own clock
> wrong; the time in any other answer moves nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import httpx2
import msgspec
import stamina
from http_message_signatures import HTTPMessageSigner
from http_message_signatures.algorithms import ED25519
from http_message_signatures.httpx2 import adapt_message

from sluss_client import clock
from sluss_client.crypto import SignKey
from sluss_client.errors import Invalid, Offline, Refused, SlussError, Untrusted
from sluss_client.keys import DeviceKeys
from sluss_schemas.manifest import UnixTime
from sluss_schemas.problems import CATALOGUE

T = TypeVar("T")

_MEDIA: Final = "application/msgpack"
_COMPONENTS: Final = ("@method", "@target-uri", "content-digest")
_LABEL: Final = "sluss"
_TIMEOUT_S: Final = 30.0
_MOST_BYTES: Final = 64 * 2**20
"""A page has 1 MiB and a long chain a few: more would only fill the device's memory."""
_TRIES: Final = 4
_RETRY_FOR_S: Final = 20.0
_UNAVAILABLE: Final = frozenset({429, 502, 503, 504})
_MOST_OFFSET_S: Final = 86_400


@cache
def _tls() -> ssl.SSLContext:
    """Return what the machine trusts, read once: reading it takes longer than most requests."""
    return httpx2.create_ssl_context()


class _TryAgain(Exception):  # control flow inside this module
    """The request did not arrive, or the server asked to wait."""


class _Answer(NamedTuple):
    """What the server answered, whole."""

    status_code: int
    content: bytes
    headers: httpx2.Headers


class Problem(msgspec.Struct, frozen=True):
    """The server's problem body, as far as a device uses it."""

    code: str = "internal"
    detail: str = ""
    field: str | None = None
    server_time: UnixTime | None = None


def believable(own: int, said: int, newest: int) -> bool:
    """Tell whether a server's time may correct the own clock, all in Unix seconds.

    It may where both are a day apart at most, where the own clock is provably wrong, being behind the `newest` time
    that the agencies have signed while the server's is not, and as long as there is no directory to ask (0).
    """
    return not newest or abs(said - own) <= _MOST_OFFSET_S or own < newest <= said


class Transport:
    """One device's connection to one server."""

    def __init__(self, server: str, keys: DeviceKeys, offset: int = 0, newest: Callable[[], int] = lambda: 0) -> None:
        """Prepare; no connection is made before the first request.

        `newest` gives the newest time that the directories here were signed at, or 0 while none is known.
        """
        self.server = server.rstrip("/")
        self.offset = offset
        self._newest = newest
        self._kid = keys.kid
        self._key: SignKey | None = keys.sign
        self._signer = HTTPMessageSigner(signature_algorithm=ED25519)
        self._client: httpx2.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def now(self) -> int:
        """Return the time as the server would say it."""
        return clock.now() + self.offset

    def forget(self) -> None:
        """Let go of the device's key and state; a signed request then raises `Refused` with the code `locked`."""
        self._key = None
        self._newest = lambda: 0

    def check_clock(self) -> None:
        """Hold the correction against the directories, which may not have been known when it was learned.

        Raises:
            Untrusted: `clock_disputed`; the correction is forgotten.

        """
        if not believable(clock.now(), self.now(), self._newest()):
            self.offset = 0
            raise Untrusted("clock_disputed", "clock")

    async def post(self, path: str, body: object, answer: type[T], *, wait_s: float = 0) -> T:
        """Send a body and return the decoded answer.

        Raises:
            Offline: no contact, or an answer that is none.
            Invalid, Refused, Untrusted: what the server's problem says, or `clock_disputed`.

        """
        return await self._send("POST", path, msgspec.msgpack.encode(body), answer, wait_s=wait_s)

    async def get(self, path: str, answer: type[T]) -> T:
        """Fetch and return the decoded answer; raises as `post`."""
        return await self._send("GET", path, b"", answer)

    async def post_unsigned(self, path: str, body: object, answer: type[T]) -> T:
        """Send a body from a device that the server does not know yet; raises as `post`."""
        return await self._send("POST", path, msgspec.msgpack.encode(body), answer, signed=False)

    async def _send(
        self, method: str, path: str, body: bytes, answer: type[T], *, signed: bool = True, wait_s: float = 0
    ) -> T:
        try:
            response = await self._tried(method, path, body, signed=signed, wait_s=wait_s)
            if response.status_code == httpx2.codes.UNAUTHORIZED and self._learned_offset(response):
                response = await self._tried(method, path, body, signed=signed, wait_s=wait_s)
        except httpx2.DecodingError as error:
            raise _unreadable(path) from error
        except (_TryAgain, httpx2.HTTPError) as error:
            raise Offline("offline", self.server) from error
        if response.status_code >= httpx2.codes.BAD_REQUEST:
            raise _problem(response)
        if response.status_code >= httpx2.codes.MULTIPLE_CHOICES:
            # What another address says was not asked for, and no request was signed for it.
            raise Offline("server_error", f"HTTP {response.status_code}")
        if answer is type(None):
            return None
        try:
            return msgspec.msgpack.decode(response.content, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable(path) from error

    async def _tried(self, method: str, path: str, body: bytes, *, signed: bool, wait_s: float) -> _Answer:
        # Repeating is safe: a push is idempotent, and everything else only reads or is refused the second time.
        tries = stamina.retry_context(on=_TryAgain, attempts=_TRIES, timeout=_RETRY_FOR_S, wait_initial=0.2)
        async for attempt in tries:
            with attempt:
                return await self._once(method, path, body, signed=signed, wait_s=wait_s)
        raise _TryAgain  # pragma: no cover - retry_context either returns or raises

    async def _once(self, method: str, path: str, body: bytes, *, signed: bool, wait_s: float) -> _Answer:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=_TIMEOUT_S, verify=_tls())
        headers = {"accept": _MEDIA, "content-type": _MEDIA}
        request = self._client.build_request(
            method, self.server + path, content=body, headers=headers, timeout=_TIMEOUT_S + wait_s
        )
        if signed:
            self._sign(request, body)
        try:
            response = await self._client.send(request, stream=True)
            answer = _Answer(response.status_code, await _content(response), response.headers)
        except httpx2.ConnectError as error:
            # No coverage is an ordinary state of a telephone: say so at once instead of trying for a while.
            raise Offline("offline", self.server) from error
        except httpx2.TransportError as error:
            raise _TryAgain from error
        if answer.status_code in _UNAVAILABLE:
            raise _TryAgain
        return answer

    def _sign(self, request: httpx2.Request, body: bytes) -> None:
        if self._key is None:
            raise Refused("device", code="locked")
        message = adapt_message(request)
        prepared = self._signer.prepare(
            message,
            key_id=self._kid.hex(),
            created=datetime.fromtimestamp(self.now(), UTC),
            label=_LABEL,
            covered_component_ids=_COMPONENTS[:2],
            body=body,
        )
        self._signer.apply(message, prepared, self._key.sign(prepared.signature_base))

    def _learned_offset(self, response: _Answer) -> bool:
        problem = _decode_problem(response)
        if problem.code != "clock_off" or problem.server_time is None:
            return False
        own = clock.now()
        if not believable(own, problem.server_time, self._newest()):
            raise Untrusted("clock_disputed", "clock")
        self.offset = problem.server_time - own
        return True


async def _content(response: httpx2.Response) -> bytes:
    """Return the body, as far as a device takes one in; what is longer is no answer, whoever sends it."""
    parts, size = [], 0
    try:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > _MOST_BYTES:
                raise Offline("server_error", "size", "The server's answer is too large; nothing of it was used.")
            parts.append(part)
    finally:
        await response.aclose()
    return b"".join(parts)


def _unreadable(path: str) -> Offline:
    return Offline("server_error", path, "The server's answer could not be read; nothing of it was used.")


def _decode_problem(response: _Answer) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Problem()


_KINDS: Final[dict[str, type[SlussError]]] = {
    "revoked_device": Refused,
    "not_allowed": Refused,
    "pack_missing": Untrusted,
    "unknown_device": Untrusted,
    "internal": Offline,
    "overloaded": Offline,
}


def _problem(response: _Answer) -> Exception:
    problem = _decode_problem(response)
    # A code counts only with its own status: what a device alone can know is no server's to say.
    known = CATALOGUE.get(problem.code, (0, ""))[0] == response.status_code
    if not known or response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return Offline("server_error", f"HTTP {response.status_code}")
    kind: Any = _KINDS.get(problem.code, Invalid)
    if kind is Refused:
        return Refused(problem.field or "", code=problem.code)
    return kind(problem.code, problem.field or "")  # type: ignore[no-any-return]
