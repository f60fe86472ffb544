"""Who sent a request: its signature, checked before anything else of it is read.

For: RFC 9421 with exactly one profile: one signature labelled `sluss`, made with Ed25519 over `@method`,
`@target-uri` and `content-digest`, with the parameters `created`, `keyid` and `alg`.
Refuses every other shape as `unsigned`, a time more than five minutes off as `clock_off`, a key that no directory
names as `unknown_device`, and whatever does not verify as `bad_signature`.
The headers are verified first and the body's digest is compared once it has been read, so a stranger makes the server
read no body at all.

> INVARIANT: a `Caller` leaves this module only for a request whose method, target and body its device signed.

Source: docs/protocol.md section 5.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
)
from litestar.types import HTTPScope
from typing_extensions import override

from sluss_schemas import signing
from sluss_schemas.problems import Invalid
from sluss_schemas.sync import MAX_CLOCK_SKEW_S
from sluss_server.services import Caller

LABEL: Final = "sluss"
COVERED: Final = ("@method", "@target-uri", "content-digest")
PARAMETERS: Final = frozenset({"created", "keyid", "alg"})
HEADERS: Final = (b"signature-input", b"signature", b"content-digest")
"""What a signed request carries, each exactly once."""

Identify = Callable[[bytes], Awaitable[Caller | None]]

# The one shape of Signature-Input. What it does not match was not made for this server; whether what it matches was
# also signed is the library's to say, which parses the header again by the book.
_COMPONENTS: Final = " ".join(f'"{name}"' for name in COVERED)
_INPUT: Final = re.compile(
    rf'{LABEL}=\({_COMPONENTS}\)((?:;(?:created=[0-9]{{1,12}}|keyid="[0-9a-f]{{32}}"|alg="ed25519")){{3}})'
)
_DIGEST: Final = re.compile(r"sha-256=:[A-Za-z0-9+/]{43}=:")


def content_digest(body: bytes) -> str:
    """Return the Content-Digest field of a body (RFC 9530)."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


class Signed:
    """A request whose headers were verified; its body is still to come."""

    __slots__ = ("_digest", "caller")

    def __init__(self, caller: Caller, digest: str) -> None:
        self.caller = caller
        self._digest = digest

    def check_body(self, body: bytes) -> None:
        """Return quietly if this is the body that was signed.

        Raises:
            Invalid: `bad_signature`.

        """
        if content_digest(body) != self._digest:
            raise Invalid("bad_signature", "content-digest")


async def verify(scope: HTTPScope, *, identify: Identify, now: int, public_url: str = "") -> Signed:
    """Return who signed a request, from its head alone.

    Args:
        scope: the request.
        identify: tells whose a key id is.
        now: Unix seconds.
        public_url: the beginning of the target that devices sign; empty for the request's own scheme and host.

    Raises:
        Invalid: `unsigned`, `clock_off`, `unknown_device` or `bad_signature`.

    """
    fields, host = _fields(scope["headers"])
    created, keyid = _parameters(fields["signature-input"])
    if abs(now - created) > MAX_CLOCK_SKEW_S:
        raise Invalid("clock_off", "created")
    caller = await identify(bytes.fromhex(keyid))
    if caller is None:
        raise Invalid("unknown_device", "keyid")
    message = _Message(scope["method"], _target(scope, host, public_url), fields)
    try:
        results = _Verifier(keyid, caller.sign_key).verify(message, max_age=None)
    except (HTTPMessageSignaturesException, ValueError):
        # The library's message may quote a header, so it is dropped on purpose.
        raise Invalid("bad_signature", "signature") from None
    if len(results) != 1 or results[0].parameters.get("created") != created:
        raise Invalid("bad_signature", "signature")
    return Signed(caller, fields["content-digest"])


class _Message:
    """The part of a request that the library is to see."""

    __slots__ = ("headers", "method", "url")

    def __init__(self, method: str, url: str, headers: dict[str, str]) -> None:
        self.method = method
        self.url = url
        self.headers = headers


class _Ed25519(HTTPSignatureAlgorithm):
    """Verifies through the project's one verifying function."""

    algorithm_id = "ed25519"

    def __init__(self, public_key: Any = None, private_key: Any = None) -> None:  # noqa: ANN401  # the library's signature
        if private_key is not None:
            message = "the server verifies and never signs a request"
            raise TypeError(message)
        self._key: bytes = public_key

    @override
    def verify(self, signature: bytes, message: bytes) -> None:
        """Return quietly if the signature is good."""
        signing.verify(self._key, signature, message)


class _OneKey(HTTPSignatureKeyResolver):
    """Knows one device's key, by exactly the id that was asked about."""

    def __init__(self, keyid: str, key: bytes) -> None:
        self._keyid = keyid
        self._key = key

    @override
    def resolve_public_key(self, key_id: str) -> bytes | None:
        """Return the raw key, or None for any other id."""
        return self._key if key_id == self._keyid else None


class _Verifier(HTTPMessageVerifier):
    """The library's verifier without a clock of its own and with no parameter but ours."""

    signature_metadata_parameters = set(PARAMETERS)  # noqa: RUF012  # the library's declaration

    def __init__(self, keyid: str, key: bytes) -> None:
        super().__init__(signature_algorithm=_Ed25519, key_resolver=_OneKey(keyid, key))

    @override
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Leave the time to `verify` above, because the library would ask the clock itself."""


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], str]:
    """Return the three fields that matter, and the host.

    Raises:
        Invalid: `unsigned` where one is missing or stands there twice.

    """
    fields: dict[str, str] = {}
    host = ""
    for name, value in headers:
        if name in HEADERS:
            key = name.decode("ascii")
            if key in fields:
                raise Invalid("unsigned", key)
            fields[key] = value.decode("latin-1")
        elif name == b"host":
            host = value.decode("latin-1")
    for name in HEADERS:
        key = name.decode("ascii")
        if key not in fields:
            raise Invalid("unsigned", key)
    if not _DIGEST.fullmatch(fields["content-digest"]):
        raise Invalid("unsigned", "content-digest")
    return fields, host


def _parameters(signature_input: str) -> tuple[int, str]:
    """Return `created` and `keyid` of a Signature-Input of the one shape.

    Raises:
        Invalid: `unsigned` for any other shape: more than one signature, other components, another algorithm.

    """
    match = _INPUT.fullmatch(signature_input)
    if match is None:
        raise Invalid("unsigned", "signature-input")
    parameters = dict(part.split("=", 1) for part in match[1][1:].split(";"))
    if parameters.keys() != PARAMETERS:
        raise Invalid("unsigned", "signature-input")
    return int(parameters["created"]), parameters["keyid"].strip('"')


def _target(scope: HTTPScope, host: str, public_url: str) -> str:
    """Return the target URI as the device knows it, byte for byte as it was asked for."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    base = public_url or f"{scope['scheme']}://{host}"
    return f"{base}{path}?{query}" if query else base + path
