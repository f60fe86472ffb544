"""The one encoding: strict, bounded, canonical MessagePack.

A structure that is signed or hashed is an array of fixed order.
What arrives is decoded, encoded again, and refused unless it comes back byte for byte, because msgspec itself accepts
non-minimal integers and unknown lengths.

> INVARIANT: no value of a received structure is used before `decode` has returned it.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from sluss_schemas.problems import Invalid

T = TypeVar("T")

MAX_DOCUMENT_BYTES: Final = 4 * 1024 * 1024

_encoder: Final = msgspec.msgpack.Encoder()
_decoders: dict[object, msgspec.msgpack.Decoder[object]] = {}


class Document(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every structure that is signed, hashed or decides who may read: an array, nothing unknown in it."""


def encode(value: object) -> bytes:
    """Return the canonical bytes of a value."""
    return _encoder.encode(value)


def decode(type_: type[T], data: bytes, field: str = "", *, limit: int = MAX_DOCUMENT_BYTES) -> T:
    """Return the value of canonical bytes.

    Raises:
        Invalid: `body_too_large` beyond `limit` bytes, `malformed` when the bytes are no such structure,
            `not_canonical` when they are one in another encoding.

    """
    if len(data) > limit:
        raise Invalid("body_too_large", field)
    decoder = _decoders.get(type_)
    if decoder is None:
        decoder = _decoders[type_] = msgspec.msgpack.Decoder(type_)
    try:
        value = decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError):
        # msgspec's own message may quote the input, so it is dropped on purpose.
        raise Invalid("malformed", field) from None
    if _encoder.encode(value) != data:
        raise Invalid("not_canonical", field)
    return value  # type: ignore[return-value]  # the decoder was made for this very type
