"""Reads a PDF as a test needs it: how many pages it has, and what stands on them, in the order in which it was set.

Knows as much of the format as the typesetter uses: one object after another, deflated streams, fonts with ToUnicode.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

_OBJECT: Final = re.compile(rb"(\d+) 0 obj\s(.*?)\sendobj", re.DOTALL)
_STREAM: Final = re.compile(rb"stream\r?\n(.*)\r?\nendstream", re.DOTALL)
_PAGE: Final = re.compile(rb"/Type\s*/Page\b(?!s)")
_RANGE: Final = re.compile(rb"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>(?:\s*<([0-9a-fA-F]+)>)?")
_SET: Final = re.compile(rb"/(\w+) [\d.]+ Tf|\[(.*?)\]\s*TJ|<([0-9a-fA-F]*)>\s*Tj|\b(BT|ET)\b", re.DOTALL)
_HEX: Final = re.compile(rb"<([0-9a-fA-F]*)>")


class Pdf:
    """A document."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.objects = {int(number): inner for number, inner in _OBJECT.findall(body)}
        self.pages = [inner for inner in self.objects.values() if _PAGE.search(inner)]

    def texts(self) -> list[str]:
        """Return what each page says, pieces of one table cell or line together."""
        return [self._page(page) for page in self.pages]

    def _stream(self, number: int) -> bytes:
        inner = self.objects[number]
        found = _STREAM.search(inner)
        assert found is not None
        return zlib.decompress(found[1]) if b"FlateDecode" in inner else found[1]

    def _page(self, page: bytes) -> str:
        found = re.search(rb"/Contents (\d+) 0 R", page)
        assert found is not None
        fonts = self._fonts(page)
        said, font = list[str](), dict[int, str]()
        for name, several, one, block in _SET.findall(self._stream(int(found[1]))):
            if name:
                font = fonts[name]
            elif block:
                said.append("\n" if block == b"ET" else "")
            else:
                for code in _HEX.findall(several) if several else [one]:
                    said.append("".join(font.get(int(code[at : at + 4], 16), "\ufffd") for at in range(0, len(code), 4)))
        return "".join(said)

    def _fonts(self, page: bytes) -> dict[bytes, dict[int, str]]:
        """Return the resources' fonts by name, each as what its codes say."""
        where = page
        indirect = re.search(rb"/Resources (\d+) 0 R", page)
        if indirect:
            where = self.objects[int(indirect[1])]
        listed = re.search(rb"/Font\s*<<(.*?)>>", where, re.DOTALL)
        assert listed is not None
        found = dict[bytes, dict[int, str]]()
        for name, number in re.findall(rb"/(\w+) (\d+) 0 R", listed[1]):
            to = re.search(rb"/ToUnicode (\d+) 0 R", self.objects[int(number)])
            assert to is not None
            found[name] = _says(self._stream(int(to[1])))
        return found


def _says(table: bytes) -> dict[int, str]:
    """Return what the codes of a font say."""
    found = dict[int, str]()
    for block, kind in re.findall(rb"beginbf(?:char|range)(.*?)endbf(char|range)", table, re.DOTALL):
        for first, second, third in _RANGE.findall(block):
            if kind == b"char":
                found[int(first, 16)] = _text(second)
            else:
                low, high, start = int(first, 16), int(second, 16), int(third, 16)
                found |= {code: chr(start + code - low) for code in range(low, high + 1)}
    return found


def _text(code: bytes) -> str:
    return bytes.fromhex(code.decode()).decode("utf-16-be")
