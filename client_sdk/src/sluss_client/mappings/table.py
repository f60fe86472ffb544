"""A CSV file, row by row, that a broken row does not stop.

For: imports of reports and of scenes.
Refuses: nothing but a file that is not there; a broken row is one of the rows, and says what to do.

> INVARIANT: what is said about a row never repeats what stands in it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as declared
from functools import cached_property
from pathlib import Path
from typing import Final

from sluss_schemas.problems import Invalid

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that was not taken: its number as a spreadsheet counts, a stable code, the field, and what to do.

    `source` and `version` say which versions of the same thing have to wait for it, where that could be read.
    """

    row: int
    code: str
    field: str
    say: str
    source: str = declared(default="", repr=False)
    version: int = 0

    def __str__(self) -> str:
        """Return the one line that is shown."""
        return ": ".join(part for part in (f"row {self.row}", self.code, self.field, self.say) if part)


class Table:
    """A CSV file: its headings and its rows; a row that is no row of it is `Bad`.

    Read in UTF-8, with or without a mark at the beginning.
    """

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        """Read the headings.

        Raises:
            Invalid: `bad_row` when there is no file, or nothing in it.

        """
        self.path = path
        self._delimiter = delimiter
        first = next((cells for _, cells in self._cells() if isinstance(cells, list) and cells), [])
        self.headings = [heading.strip() for heading in first]
        if not self.headings:
            raise Invalid("bad_row", path.name, "Give a CSV file whose first row has the headings.")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {heading: at for at, heading in enumerate(self.headings)}

    def need(self, column: str, where: str) -> None:
        """Refuse with `bad_mapping` unless the file has this column."""
        if column not in self._places:
            raise Invalid("bad_mapping", where, f"{self.path.name} has no column of this name.")

    def value(self, cells: list[str], column: str) -> str:
        """Return one cell of a row, without the spaces around it."""
        return cells[self._places[column]].strip()

    def rows(self) -> Iterator[tuple[int, list[str] | Bad]]:
        """Yield the rows after the headings, each with its number; empty lines count and are passed over."""
        rows = self._cells()
        for _, cells in rows:
            if isinstance(cells, list) and cells:
                break
        for number, cells in rows:
            if isinstance(cells, Bad):
                yield number, cells
            elif len(cells) not in {0, len(self.headings)}:
                say = f"The row has {len(cells)} cells and the headings are {len(self.headings)}."
                yield number, Bad(number, "bad_row", "", say)
            elif cells:
                broken = any(_SURROGATES.search(cell) for cell in cells)
                yield number, Bad(number, "bad_row", "", "Write the row in UTF-8.") if broken else cells

    def _cells(self) -> Iterator[tuple[int, list[str] | Bad]]:
        try:
            with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                reader, number = csv.reader(file, delimiter=self._delimiter), 0
                while True:
                    number += 1
                    try:
                        yield number, next(reader)
                    except StopIteration:
                        return
                    except csv.Error:
                        yield number, Bad(number, "bad_row", "", "Correct the quotation marks of the row.")
        except OSError:
            raise Invalid("bad_row", self.path.name, "Give the path of a CSV file that can be read.") from None
