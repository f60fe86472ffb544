"""Bodies in and out: MessagePack, or JSON for whoever asks for it.

For: reading no more than an endpoint allows, decoding strictly, and answering in the media type that was asked for.
Refuses a compressed body (nothing that is sealed compresses), a media type of another kind, and to say anything of
what it could not decode: the decoder's words may quote it.

> INVARIANT: no more than `limit` bytes of a body are ever held.

Source: docs/protocol.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, Literal, Protocol, TypeVar, cast

import msgspec
from litestar.types import Receive

from sluss_schemas import codec, sync
from sluss_schemas.disclosure import GrantItem
from sluss_schemas.problems import Invalid
from sluss_schemas.records import SignedRecord

T = TypeVar("T")
Headers = Iterable[tuple[bytes, bytes]]
Media = Literal["application/msgpack", "application/json"]

MSGPACK: Final[Media] = "application/msgpack"
JSON: Final[Media] = "application/json"
# The registered name and the one from before there was one.
_MSGPACK_NAMES: Final = frozenset({MSGPACK, "application/vnd.msgpack", "application/x-msgpack"})

_FAULTS: Final = (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError)
_pack: Final = msgspec.msgpack.Encoder()
_json: Final = msgspec.json.Encoder()
_NOTHING: Final = msgspec.Raw(_pack.encode(None))


class _Decoder(Protocol):
    """What both packages' decoders have in common."""

    def decode(self, data: bytes | msgspec.Raw, /) -> Any: ...  # noqa: ANN401  # of the type it was made for


_decoders: Final[dict[tuple[type[object], Media], _Decoder]] = {}


class ClientGoneError(Exception):
    """The client went away before its request was complete; nobody is left to be answered."""


def header(headers: Headers, name: bytes) -> str:
    """Return a header's value, the first if there are several; empty if there is none."""
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


async def read(headers: Headers, receive: Receive, *, limit: int) -> bytes:
    """Return the body, at most `limit` bytes of it.

    Raises:
        Invalid: `body_too_large`, before reading where the length was announced; `invalid_request` for a body that
            is compressed or whose length is no number.
        ClientGoneError: the client went away.

    """
    length = header(headers, b"content-length")
    if length and not (length.isascii() and length.isdigit()):
        raise Invalid("invalid_request", "content-length")
    if len(length) > len(str(limit)) or int(length or 0) > limit:
        raise Invalid("body_too_large", "body")
    if header(headers, b"content-encoding") not in {"", "identity"}:
        raise Invalid("invalid_request", "content-encoding")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        chunk = message["body"]
        size += len(chunk)
        if size > limit:
            raise Invalid("body_too_large", "body")
        chunks.append(chunk)
        if not message["more_body"]:
            return b"".join(chunks) if len(chunks) > 1 else chunks[0]


def sent_as(headers: Headers) -> Media:
    """Return the media type of a body; MessagePack where nothing is said.

    Raises:
        Invalid: `invalid_request` for any other.

    """
    name = _bare(header(headers, b"content-type"))
    if name == JSON:
        return JSON
    if name and name not in _MSGPACK_NAMES:
        raise Invalid("invalid_request", "content-type")
    return MSGPACK


@lru_cache(maxsize=64)
def answered_as(accept: str, sent: Media) -> Media:
    """Return the media type of the answer: what `Accept` prefers of the two, else what was sent."""
    weights: dict[Media, float] = {}
    for part in accept.split(","):
        name = _bare(part)
        media: Media | None = JSON if name == JSON else MSGPACK if name in _MSGPACK_NAMES else None
        if media is not None:
            weights[media] = max(weights.get(media, 0), _weight(part))
    if not any(weights.values()):
        return sent
    return JSON if weights.get(JSON, 0) > weights.get(MSGPACK, 0) else MSGPACK


def decode(type_: type[T], body: bytes, media: Media) -> T:
    """Return a body as a structure.

    A structure that is signed or decides who may read has to come in its one encoding; around the others the
    request's signature stands.

    Raises:
        Invalid: `malformed`, or `not_canonical` for such a structure in another encoding.

    """
    if media == MSGPACK and issubclass(type_, codec.Document):
        return codec.decode(type_, body, "body")
    try:
        value: T = _decoder(type_, media).decode(body)
    except _FAULTS:
        # The decoder's own message may quote the input, so it is dropped on purpose.
        raise Invalid("malformed", "body") from None
    if media == JSON and isinstance(value, sync.Push):
        return cast("T", _packed(value))
    return value


def encode(value: object, media: Media) -> bytes:
    """Return a structure in a media type; bytes are base64 in JSON."""
    return _pack.encode(value) if media == MSGPACK else _json.encode(value)


def _packed(push: sync.Push) -> sync.Push:
    """Return a push that came as JSON with its items in the one encoding, in which the service takes them."""
    return sync.Push(
        items=tuple(_repack(sync.Item, item) for item in push.items),
        grants=tuple(_repack(GrantItem, grant) for grant in push.grants),
        records=tuple(_repack(SignedRecord, record) for record in push.records),
    )


def _repack(type_: type[object], raw: msgspec.Raw) -> msgspec.Raw:
    """Return one item in the one encoding; one that is none becomes nil, so that it alone is refused."""
    try:
        return msgspec.Raw(_pack.encode(_decoder(type_, JSON).decode(raw)))
    except _FAULTS:
        return _NOTHING


def _decoder(type_: type[object], media: Media) -> _Decoder:
    """Return the decoder of a structure, made once."""
    found = _decoders.get((type_, media))
    if found is None:
        made: _Decoder = msgspec.msgpack.Decoder(type_) if media == MSGPACK else msgspec.json.Decoder(type_)
        found = _decoders[type_, media] = made
    return found


def _bare(value: str) -> str:
    """Return a media type without its parameters."""
    return value.partition(";")[0].strip().lower()


def _weight(part: str) -> float:
    """Return the weight of one entry of `Accept`; 1 where none is given, 0 where it is none."""
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return max(0.0, min(1.0, float(value)))
            except ValueError:
                return 0
    return 1
