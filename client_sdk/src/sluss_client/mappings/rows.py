"""Rows of a CSV as forms: what a mapping says, done to one row at a time.

For: importing, and looking at a file without importing it; no device and no network are needed.
Refuses: a row that it would have to guess about, with the row, the field and what to do, never with the row's content.

> INVARIANT: every value of a form stands in the row or in the mapping's tables; what is unknown stays empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sluss_client.mappings import SKIP, Cell, Key, Kinds, Mapping
from sluss_client.mappings.table import Bad, Table
from sluss_client.mappings.values import id_of, local_time, microdegrees, plain, slug_of, years_first
from sluss_schemas import forms
from sluss_schemas.forms.base import field_named
from sluss_schemas.problems import Invalid

T = TypeVar("T")
_Row = tuple[int, list[str]]
"""The number of a row, and its cells."""


@dataclass(frozen=True, slots=True)
class Made:
    """A row as a form; `source` identifies what it is about, `version` orders its versions."""

    row: int
    source: str
    version: int
    form: forms.Form = field(repr=False)
    scene_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that the mapping leaves out."""

    row: int


class Reader:
    """A CSV file under a mapping."""

    def __init__(self, path: Path, mapping: Mapping, skip_ids: frozenset[str] = frozenset()) -> None:
        """Open the file; `skip_ids` are ids (the first column of the source) whose rows are left out.

        Raises:
            Invalid: `bad_row` for a file that cannot be read, `bad_mapping` for a column that it does not have.

        """
        self.mapping = mapping
        self.table = Table(path, mapping.delimiter)
        self._keys = {name: _meanings(path.parent / key.file, key, name) for name, key in mapping.keys.items()}
        for where, column in mapping.columns():
            self.table.need(column, where)
        self._skip_ids = skip_ids
        self._zone = ZoneInfo(mapping.observed_at.zone)

    def __iter__(self) -> Iterator[Made | Bad | Skipped]:
        """Yield what became of each row, or of each event where several rows are one, at the place of its first."""
        events: dict[str, list[_Row]] = {}
        for number, cells in self.table.rows():
            if isinstance(cells, Bad):
                yield cells
                continue
            ids = [id_of(self.table.value(cells, column)) for column in self.mapping.source.columns]
            if ids[0] in self._skip_ids or self._left_out(cells):
                yield Skipped(number)
                continue
            source = f"{self.mapping.source.prefix}:{'/'.join(quote(one, safe='') for one in ids)}"
            if any(one in self.mapping.empty for one in ids):
                yield Bad(number, "missing_field", "source", "Fill in the columns that identify the row.")
            elif self.mapping.several:
                events.setdefault(source, []).append((number, cells))
            else:
                yield self._event(source, [(number, cells)])
        for source, rows in events.items():
            yield self._event(source, rows)

    def _event(self, source: str, rows: Sequence[_Row]) -> Made | Bad | Skipped:
        """Return what became of the rows of one event."""
        (number, cells), version = rows[0], 0
        try:
            version = self._version(cells)
            return self._made(number, [one for _, one in rows], source, version)
        except Invalid as wrong:
            return Bad(number, wrong.code, wrong.field, wrong.say, source, version)

    def _left_out(self, cells: list[str]) -> bool:
        return any(self._text(cells, rule.column) in rule.equals for rule in self.mapping.skip)

    def _made(self, number: int, rows: Sequence[list[str]], source: str, version: int) -> Made | Skipped:
        mapping = self.mapping
        kind, values = _agreed("kind", [self._kind(cells) for cells in rows])
        if kind == SKIP:
            return Skipped(number)
        values = dict(values)
        scene = _agreed("scene", [self._scene(cells) for cells in rows])
        if scene:
            values["scene"] = slug_of(scene)
        values |= _agreed("observed_at", [self._time(cells) for cells in rows])
        for name, cell in mapping.fields.items():
            value = self._together(rows, cell, name)
            if value is not None:
                _put(values, name, value)
        form = forms.make(kind, _numbers(kind, values))
        return Made(number, source, version, form, scene)

    def _kind(self, cells: list[str]) -> tuple[str, dict[str, object]]:
        kinds = self.mapping.kind
        if not isinstance(kinds, Kinds):
            return kinds, {}
        entry = kinds.table.get(plain(self._text(cells, kinds.column)))
        if entry is None:
            raise Invalid("unknown_kind", "kind", "Add the value of this column to the mapping's table of kinds.")
        if isinstance(entry, str):
            return SKIP, {}
        return entry["kind"], {name: value for name, value in entry.items() if name != "kind"}

    def _scene(self, cells: list[str]) -> str:
        columns = self.mapping.scene.columns if self.mapping.scene is not None else ()
        return next((name for column in columns if (name := self._value(cells, column))), "")

    def _time(self, cells: list[str]) -> dict[str, object]:
        when = self.mapping.observed_at
        text = self._value(cells, when.column)
        if when.order == "mdy":
            text = years_first(text)
        if when.time is None:
            return {"observed_at": local_time(text, self._zone)}
        of_day = self._value(cells, when.time)
        if of_day or when.unknown is None:
            return {"observed_at": local_time(f"{text} {of_day}".strip(), self._zone)}
        return {
            "observed_at": local_time(f"{text} {when.unknown.time}", self._zone),
            "situation": when.unknown.situation,
        }

    def _text(self, cells: list[str], column: str) -> str:
        """Return what stands in a column, or what its number stands for."""
        if column not in self._keys:
            return self.table.value(cells, column)
        value = self.table.value(cells, self.mapping.keys[column].column)
        if value and value not in self._keys[column]:
            raise Invalid("unknown_code", column, f"Add the number to {self.mapping.keys[column].file}.")
        return self._keys[column].get(value, "")

    def _value(self, cells: list[str], column: str) -> str:
        value = self._text(cells, column)
        return "" if value in self.mapping.empty else value

    def _together(self, rows: Sequence[list[str]], cell: Cell, name: str) -> object:
        """Return the value of a field in all rows of an event."""
        if cell.collect:
            found = [self._cell(cells, cell, name) for cells in rows]
            return list(dict.fromkeys(one for one in found if one is not None)) or None
        if not cell.sum_over:
            return _agreed(name, [self._cell(cells, cell, name) for cells in rows])
        parts: dict[tuple[str, ...], list[object]] = {}
        for cells in rows:
            part = tuple(id_of(self._text(cells, column)) for column in cell.sum_over)
            parts.setdefault(part, []).append(self._cell(cells, cell, name))
        added = [_whole(name, one) for values in parts.values() if (one := _agreed(name, values)) is not None]
        return sum(added) if added else None

    def _cell(self, cells: list[str], cell: Cell, name: str) -> object:
        value = self._value(cells, cell.column)
        if not value:
            return None
        if cell.codes is not None:
            if value not in cell.codes:
                raise Invalid("unknown_code", name, "Add the value of this column to the mapping's table of codes.")
            return cell.codes[value] or None
        return microdegrees(value, name) if cell.scale == "microdegrees" else value

    def _version(self, cells: list[str]) -> int:
        if self.mapping.version is None:
            return 0
        text = id_of(self._value(cells, self.mapping.version))
        if not (text.isascii() and text.isdecimal()):
            raise Invalid("wrong_type", "version", "Give the number of the version.")
        return int(text)


def ids_of(path: Path, column: str, delimiter: str = ",") -> frozenset[str]:
    """Return the ids in a column of another file.

    Raises:
        Invalid: `bad_row` for a file that cannot be read, `bad_mapping` for a column that it does not have.

    """
    table = Table(path, delimiter)
    table.need(column, "skip_ids_from.column")
    return frozenset(id_of(table.value(cells, column)) for _, cells in table.rows() if isinstance(cells, list))


def _meanings(path: Path, key: Key, name: str) -> dict[str, str]:
    """Return what the numbers of another file stand for."""
    table = Table(path)
    table.need(key.of, f"keys.{name}.of")
    table.need(key.value, f"keys.{name}.value")
    rows = (cells for _, cells in table.rows() if isinstance(cells, list))
    return {table.value(cells, key.of): table.value(cells, key.value) for cells in rows}


def _agreed(name: str, values: Sequence[T]) -> T:
    """Return the one value that all rows of an event have."""
    if any(one != values[0] for one in values):
        raise Invalid("bad_row", name, "The rows of one event differ here; collect or add them up in the mapping.")
    return values[0]


def _whole(name: str, value: object) -> int:
    """Return a whole number that is added up."""
    text = id_of(str(value))
    if not (text.isascii() and text.isdecimal()):
        raise Invalid("wrong_type", name, "Give a whole number.")
    return int(text)


def _put(values: dict[str, object], name: str, value: object) -> None:
    first, dot, rest = name.partition(".")
    if not dot:
        values[first] = value
        return
    inner: Any = values.setdefault(first, [{}] if first == "subject" else {})
    # A row is about one person at most.
    (inner[0] if first == "subject" else inner)[rest] = value


def _numbers(kind: str, values: dict[str, object]) -> dict[str, object]:
    """Return the values with separators of thousands taken out of whole numbers."""
    form = forms.form_type(kind)
    return {
        name: id_of(value)
        if isinstance(value, str) and (field := field_named(form, name)) is not None and field.kind_of_value == "int"
        else value
        for name, value in values.items()
    }
