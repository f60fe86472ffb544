"""Bytes as text that can be read aloud and typed back: Base32 in groups, after a prefix, with a checksum.

Source: docs/protocol.md section 2.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from sluss_schemas.problems import Invalid

GROUP: Final = 8
_CHECK_BYTES: Final = 4


def write(prefix: str, data: bytes, *, size: int = GROUP, between: str = "-") -> str:
    """Return bytes as text, in groups of so many letters."""
    body = base64.b32encode(data + _check(data)).decode().rstrip("=")
    return between.join([prefix, *(body[at : at + size] for at in range(0, len(body), size))])


def read(prefix: str, text: str) -> bytes:
    """Return the bytes of a text, however it was spaced or cased.

    Raises:
        Invalid: `damaged_code`.

    """
    bare = "".join(text.upper().replace("-", " ").split())
    if not bare.startswith(prefix):
        raise Invalid("damaged_code", "code", f"The code begins with {prefix}; read or type it again.")
    body = bare.removeprefix(prefix)
    try:
        data = base64.b32decode(body + "=" * (-len(body) % 8))
    except ValueError:
        raise Invalid("damaged_code", "code") from None
    data, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if _check(data) != check:
        raise Invalid("damaged_code", "code")
    return data


def _check(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECK_BYTES]
