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
_CHAR: Final = re.compile(rb"<([0-9A-F]+)> <([0-9A-F]+)>")
_PLAIN: Final = rb"\\.|[^\\()]"
# Parentheses that are in pairs are not escaped.
_PAIR: Final = rb"\((?:" + _PLAIN + rb"|\((?:" + _PLAIN + rb"|\((?:" + _PLAIN + rb")*\))*\))*\)"
_TEXT: Final = rb"\((?:" + _PLAIN + rb"|" + _PAIR + rb")*\)"
_SET: Final = re.compile(
    rb"/(\w+) [\d.]+ Tf|\[((?:" + _TEXT + rb"|[^\]])*)\]TJ|(" + _TEXT + rb")Tj|\b(ET)\b", re.DOTALL
)
_ONE: Final = re.compile(_TEXT, re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


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
        for name, several, one, ends in _SET.findall(self._stream(int(found[1]))):
            if name:
                font = fonts[name]
            elif ends:
                said.append("\n")
            else:
                codes = b"".join(_plain(piece) for piece in (_ONE.findall(several) if several else [one]))
                said += [font[int.from_bytes(codes[at : at + 2], "big")] for at in range(0, len(codes), 2)]
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


def _plain(piece: bytes) -> bytes:
    """Return the bytes of a string in parentheses."""

    def one(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8)]) if code.isdigit() else _LETTERS.get(code, code)

    return _ESCAPED.sub(one, piece[1:-1])


def _says(table: bytes) -> dict[int, str]:
    """Return what the codes of a font say."""
    blocks = re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL)
    assert b"beginbfrange" not in table
    return {
        int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be")
        for block in blocks
        for code, text in _CHAR.findall(block)
    }
