"""Where in a JSON text a value stands: its path as people write it, and its line.

For: whoever refuses what a file holds, so that its author finds the place in an editor.
Refuses nothing: of a place that is not there it tells the innermost one that is.
Source: RFC 8259.

> INVARIANT: pure; the text has been read as JSON before.
"""

from __future__ import annotations

import json
import re
from typing import Final

Path = tuple[str | int, ...]
"""The names and the numbers that lead to a value, from the outermost on."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
# What the standard library reads although it is no JSON; in a string it is nothing but letters.
_NO_NUMBER: Final = re.compile(r'"(?:\\.|[^"\\])*"|(-?(?:NaN|Infinity)|\d{4000,})')
_ONE: Final = json.JSONDecoder()


def name_of(path: Path) -> str:
    """Return a path as `features[0].geometry`; empty for the document itself."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def line_of(text: str, path: Path) -> int:
    """Return the line, from 1 on, in which the value at a path begins."""
    at = _after_space(text, 0)
    for step in path:
        found = _member(text, at, step)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def line_of_no_number(text: str) -> int:
    """Return the line of the first number that is none, or that is longer than any; 1 where there is no such."""
    at = next((found.start(1) for found in _NO_NUMBER.finditer(text) if found[1]), 0)
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, step: str | int) -> int | None:
    """Return where a member of the array or the object at a place begins; of two of one name it is the last."""
    found, number, named = None, 0, text[at : at + 1] == "{"
    if text[at : at + 1] != ("{" if isinstance(step, str) else "["):
        return None
    at = _after_space(text, at + 1)
    while text[at] not in "]}":
        name: object = number
        if named:
            name, at = _ONE.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + len(":"))
        if name == step:
            found = at
        _, at = _ONE.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)
        number += 1
    return found


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
