"""MessagePack as the protocol needs it, written by hand: one writer, and a reader that takes what the writer makes.

Knows nil, booleans, integers, byte strings, texts and arrays; maps, floats and extensions are refused, because no
signed structure has them.

> INVARIANT: `write(read(data)) == data` for everything that `read` returns.
"""

from __future__ import annotations

from typing import Any, Final

Value = Any
"""None, bool, int, bytes, str, a list of values, or `Raw`."""

_LONG: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_COUNTED: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4}
_LEAST: Final = {0xC4: 0, 0xC5: 0x100, 0xC6: 0x10000, 0xD9: 32, 0xDA: 0x100, 0xDB: 0x10000, 0xDC: 16, 0xDD: 0x10000}


class Malformed(Exception):
    """Bytes that are no value of the protocol."""


class NotCanonical(Malformed):
    """Bytes that are a value, written otherwise than the protocol says."""


class Raw(bytes):
    """Bytes that are an encoded value already, and stand in an array as they are."""


def write(value: Value) -> bytes:
    """Return the one encoding of a value."""
    match value:
        case Raw():
            return bytes(value)
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _integer(value)
        case bytes():
            return _head(len(value), None, (0xC4, 0xC5, 0xC6)) + value
        case str():
            data = value.encode()
            return _head(len(data), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + data
        case list() | tuple():
            return _head(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(write(each) for each in value)
    raise TypeError(type(value))


def _integer(value: int) -> bytes:
    if -32 <= value <= 127:
        return value.to_bytes(1, "big", signed=True)
    for code, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)) if value > 0 else ():
        if value < 1 << 8 * size:
            return bytes([code]) + value.to_bytes(size, "big")
    for code, size in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)) if value < 0 else ():
        if value >= -1 << 8 * size - 1:
            return bytes([code]) + value.to_bytes(size, "big", signed=True)
    raise OverflowError(value)


def _head(count: int, short: tuple[int, int] | None, codes: tuple[int | None, int, int]) -> bytes:
    if short is not None and count < short[1]:
        return bytes([short[0] | count])
    for code, size in zip(codes, (1, 2, 4), strict=True):
        if code is not None and count < 1 << 8 * size:
            return bytes([code]) + count.to_bytes(size, "big")
    raise OverflowError(count)


def read(data: bytes) -> Value:
    """Return the value of canonical bytes.

    Raises:
        Malformed: no value, or something behind it.
        NotCanonical: a number or a length written longer than it needs to be.

    """
    value, at = _read(data, 0)
    if at != len(data):
        raise Malformed
    return value


def _take(data: bytes, at: int, count: int) -> bytes:
    if at + count > len(data):
        raise Malformed
    return data[at : at + count]


def _read(data: bytes, at: int) -> tuple[Value, int]:
    code = _take(data, at, 1)[0]
    at += 1
    if code < 0x80 or code >= 0xE0:
        return (code if code < 0x80 else code - 0x100), at
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    if (size := _LONG.get(code)) is not None:
        number = int.from_bytes(_take(data, at, size), "big", signed=code >= 0xD0)
        if len(write(number)) != 1 + size or (code >= 0xD0) != (number < 0):
            raise NotCanonical
        return number, at + size
    if 0x90 <= code < 0xA0:
        return _array(data, at, code & 0x0F)
    if 0xA0 <= code < 0xC0:
        return _text(_take(data, at, code & 0x1F)), at + (code & 0x1F)
    if (size := _COUNTED.get(code)) is None:
        raise Malformed
    count = int.from_bytes(_take(data, at, size), "big")
    at += size
    if count < _LEAST[code]:
        raise NotCanonical
    if code >= 0xDC:
        return _array(data, at, count)
    found = _take(data, at, count)
    return (_text(found) if code >= 0xD9 else found), at + count


def _array(data: bytes, at: int, count: int) -> tuple[Value, int]:
    values = []
    for _ in range(count):
        value, at = _read(data, at)
        values.append(value)
    return values, at


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed from None
