"""A survey of scenes in a CSV: one row for each, stated for the agency once however often the file is read.

For: `sluss-device scenes survey`.
Refuses: a row that cannot be read or stated, with one line, while the rest goes on.
A column that the file does not have leaves what is stated as it is; an empty cell empties it.

> INVARIANT: the same file read twice states nothing new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from sluss_client.device import Device
from sluss_client.errors import Invalid
from sluss_client.mappings.table import Bad, Table
from sluss_client.mappings.values import slug_of

_YES: Final = {"yes": True, "ja": True, "true": True, "1": True, "no": False, "nej": False, "false": False, "0": False}


@dataclass(slots=True)
class Summary:
    """What a survey did, in rows."""

    rows: int = 0
    stated: int = 0
    same: int = 0
    bad: list[Bad] = field(default_factory=list)


class Survey:
    """The rows of a file, and what is wrong with some of them."""

    def __init__(self, file: Path, slug_column: str | None = None) -> None:
        """Open it.

        Raises:
            Invalid: `bad_row` when it or its column of slugs is not there.

        """
        self.summary = Summary()
        self._table = Table(file)
        self._named = slug_column is not None
        self._slug = slug_column or "slug"
        if self._slug not in self._table.headings:
            raise Invalid("bad_row", self._slug, "The file has no such column; name the one it has with --slug-column.")

    def run(self, device: Device) -> Summary:
        """State what is not stated yet; no network.

        Raises:
            Refused: `supervisor_only`.

        """
        numbers, rows, seen = list[int](), list[tuple[str, dict[str, object]]](), set[str]()
        for number, cells in self._table.rows():
            self.summary.rows += 1
            if isinstance(cells, Bad):
                self.summary.bad.append(cells)
                continue
            try:
                slug, changes = self._row(cells)
                if slug in seen:
                    raise Invalid("bad_row", "slug", "Another row is about this scene.")
            except Invalid as wrong:
                self._refuse(number, wrong)
                continue
            seen.add(slug)
            numbers.append(number)
            rows.append((slug, changes))
        refused = len(self.summary.bad)
        self.summary.stated = device.describe_scenes(rows, lambda at, wrong: self._refuse(numbers[at], wrong))
        self.summary.same = len(rows) - self.summary.stated - (len(self.summary.bad) - refused)
        self.summary.bad.sort(key=lambda one: one.row)
        return self.summary

    def _refuse(self, number: int, wrong: Invalid) -> None:
        self.summary.bad.append(Bad(number, wrong.code, wrong.field, wrong.say))

    def _row(self, cells: list[str]) -> tuple[str, dict[str, object]]:
        name = self._table.value(cells, self._slug)
        if not name:
            raise Invalid("missing_field", "slug")
        given = {column: self._table.value(cells, column) for column in _COLUMNS if column in self._table.headings}
        return slug_of(name) if self._named else name, {
            column: _COLUMNS[column](value, column) for column, value in given.items()
        }


def _text(value: str, _column: str) -> str:
    return value


def _state(value: str, column: str) -> str:
    if not value:
        raise Invalid("missing_field", column)
    return value


def _day(value: str, column: str) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise Invalid("wrong_type", column, "Give a day such as 2026-02-03.") from None


def _year(value: str, column: str) -> int | None:
    if value and not (value.isascii() and value.isdecimal()):
        raise Invalid("wrong_type", column, "Give a year such as 2026.")
    return int(value) if value else None


def _codes(value: str, _column: str) -> tuple[str, ...]:
    return tuple(value.replace(";", " ").split())


def _parts(value: str, column: str) -> tuple[tuple[str, str], ...]:
    found = []
    for part in filter(None, (one.strip() for one in value.split(";"))):
        code, sign, label = part.partition("=")
        if not sign or not label.strip():
            raise Invalid("wrong_type", column, "Give parts as code=name, with semicolons between them.")
        found.append((code.strip(), label.strip()))
    return tuple(found)


def _flag(value: str, column: str) -> bool:
    if value and value.casefold() not in _YES:
        raise Invalid("wrong_type", column, "Give yes or no.")
    return _YES.get(value.casefold(), False)


_COLUMNS: Final[dict[str, Callable[[str, str], object]]] = {
    "state": _state,
    "since": _day,
    "definition": _codes,
    "strategy": _text,
    "strategy_since": _day,
    "surroundings": _codes,
    "sub_places": _parts,
    "district": _text,
    "municipality": _text,
    "survey": _year,
    "first_known": _year,
    "prioritised": _year,
    "under_reported": _flag,
}
"""How a cell of each column is read."""
