"""Signed requests to the server, and nothing else: no decision, no store.

Every request is signed with the device's key (RFC 9421 with a Content-Digest); there is no token to steal.
A clock that is off is learned from the server's answer and corrected once.
Source: docs/protocol.md section 5.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import httpx2
import msgspec
import stamina
from http_message_signatures import HTTPMessageSigner
from http_message_signatures.algorithms import ED25519
from http_message_signatures.httpx2 import adapt_message

from sluss_client import clock
from sluss_client.errors import Invalid, Offline, Refused, SlussError, Untrusted
from sluss_client.keys import DeviceKeys
from sluss_schemas.manifest import UnixTime
from sluss_schemas.problems import CATALOGUE

T = TypeVar("T")

_MEDIA: Final = "application/msgpack"
_COMPONENTS: Final = ("@method", "@target-uri", "content-digest")
_LABEL: Final = "sluss"
_TIMEOUT_S: Final = 30.0
_TRIES: Final = 4
_RETRY_FOR_S: Final = 20.0
_UNAVAILABLE: Final = frozenset({429, 502, 503, 504})


class _TryAgain(Exception):  # control flow inside this module
    """The request did not arrive, or the server asked to wait."""


class Problem(msgspec.Struct, frozen=True):
    """The server's problem body, as far as a device uses it."""

    code: str = "internal"
    detail: str = ""
    field: str | None = None
    server_time: UnixTime | None = None


class Transport:
    """One device's connection to one server."""

    def __init__(self, server: str, keys: DeviceKeys, offset: int = 0) -> None:
        """Prepare; no connection is made before the first request."""
        self.server = server.rstrip("/")
        self.offset = offset
        self._keys = keys
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

    async def post(self, path: str, body: object, answer: type[T], *, wait_s: float = 0) -> T:
        """Send a body and return the decoded answer.

        Raises:
            Offline: no contact, or an answer that is none.
            Invalid, Refused, Untrusted: what the server's problem says.

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

    async def _tried(self, method: str, path: str, body: bytes, *, signed: bool, wait_s: float) -> httpx2.Response:
        # Repeating is safe: a push is idempotent, and everything else only reads or is refused the second time.
        tries = stamina.retry_context(on=_TryAgain, attempts=_TRIES, timeout=_RETRY_FOR_S, wait_initial=0.2)
        async for attempt in tries:
            with attempt:
                return await self._once(method, path, body, signed=signed, wait_s=wait_s)
        raise _TryAgain  # pragma: no cover - retry_context either returns or raises

    async def _once(self, method: str, path: str, body: bytes, *, signed: bool, wait_s: float) -> httpx2.Response:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=_TIMEOUT_S)
        headers = {"accept": _MEDIA, "content-type": _MEDIA}
        request = self._client.build_request(
            method, self.server + path, content=body, headers=headers, timeout=_TIMEOUT_S + wait_s
        )
        if signed:
            self._sign(request, body)
        try:
            response = await self._client.send(request)
        except httpx2.ConnectError as error:
            # No coverage is an ordinary state of a telephone: say so at once instead of trying for a while.
            raise Offline("offline", self.server) from error
        except httpx2.TransportError as error:
            raise _TryAgain from error
        if response.status_code in _UNAVAILABLE:
            raise _TryAgain
        return response

    def _sign(self, request: httpx2.Request, body: bytes) -> None:
        message = adapt_message(request)
        prepared = self._signer.prepare(
            message,
            key_id=self._keys.kid.hex(),
            created=datetime.fromtimestamp(self.now(), UTC),
            label=_LABEL,
            covered_component_ids=_COMPONENTS[:2],
            body=body,
        )
        self._signer.apply(message, prepared, self._keys.sign.sign(prepared.signature_base))

    def _learned_offset(self, response: httpx2.Response) -> bool:
        problem = _decode_problem(response)
        if problem.code != "clock_off" or problem.server_time is None:
            return False
        self.offset = problem.server_time - clock.now()
        return True


def _unreadable(path: str) -> Offline:
    return Offline("server_error", path, "The server's answer could not be read; nothing of it was used.")


def _decode_problem(response: httpx2.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Problem()


_KINDS: Final[dict[str, type[SlussError]]] = {
    "revoked_device": Refused,
    "not_allowed": Refused,
    "unknown_device": Untrusted,
    "internal": Offline,
    "overloaded": Offline,
}


def _problem(response: httpx2.Response) -> Exception:
    problem = _decode_problem(response)
    # A code counts only with its own status: what a device alone can know is no server's to say.
    known = CATALOGUE.get(problem.code, (0, ""))[0] == response.status_code
    if not known or response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return Offline("server_error", f"HTTP {response.status_code}")
    kind: Any = _KINDS.get(problem.code, Invalid)
    if kind is Refused:
        return Refused(problem.field or "", code=problem.code)
    return kind(problem.code, problem.field or "")  # type: ignore[no-any-return]
