"""The text of an enrolment code, written and read a second time from docs/protocol.md section 2 alone."""

from __future__ import annotations

from base64 import b32decode, b32encode
from typing import Any

from tests.vectors.second import primitives as p
from tests.vectors.second import wire


def write_code(array: list[Any], prefix: str = "SLUSS1") -> str:
    data = wire.write(array)
    text = b32encode(data + p.sha256(data)[:4]).decode().rstrip("=")
    return "-".join([prefix, *(text[at : at + 8] for at in range(0, len(text), 8))])


def read_code(text: str) -> list[Any]:
    prefix, *groups = text.split("-")
    assert prefix == "SLUSS1"
    body = "".join(groups)
    data = b32decode(body + "=" * (-len(body) % 8))
    assert p.sha256(data[:-4])[:4] == data[-4:]
    array: list[Any] = wire.read(data[:-4])
    return array
