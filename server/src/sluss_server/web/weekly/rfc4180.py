"""CSV as spreadsheets read it: UTF-8 that says so, and no cell that is a formula.

Source: RFC 4180; for the mark at the beginning and the guard, what Excel and LibreOffice do with a file.

> INVARIANT: a cell never begins with what a spreadsheet calculates; whatever a scene or a partnership is called.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable
from typing import Final

_CALCULATES: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}")
_ALSO: Final = ("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")


def guarded(cell: str | int) -> str:
    """Return a cell that a spreadsheet shows as it is: an apostrophe stands before what it would calculate."""
    text = str(cell)
    # A sheet may trim a cell before it looks at it.
    begins = text.lstrip(" \N{NO-BREAK SPACE}\ufeff")
    return f"'{text}" if text.startswith(_CALCULATES) or begins.startswith((*_CALCULATES, *_ALSO)) else text


def written(rows: Iterable[Iterable[str | int]]) -> bytes:
    """Return a file of rows, the first of which are its columns' names."""
    return codecs.BOM_UTF8 + lines(rows)


def lines(rows: Iterable[Iterable[str | int]]) -> bytes:
    """Return rows alone, for a file that is written piece by piece."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    for row in rows:
        writer.writerow([guarded(cell) for cell in row])
    return file.getvalue().encode()
