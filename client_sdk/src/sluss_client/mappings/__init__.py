"""What a mapping file says: how a row of somebody's CSV becomes a report, and from which file it was told so.

For: reading mapping files, the shipped ones by name and any other by its path.
Refuses: a file that is no TOML, a key that means nothing, a kind or field that no form has, a zone that does not exist;
each with its place in the file (`bad_mapping`), before the first row is read.
Source: the shipped files beside this module show every key.

> INVARIANT: a mapping can move values and look codes up in its own tables; it has no way to make a value up.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from sluss_client.mappings.values import plain
from sluss_schemas import forms
from sluss_schemas.forms.base import Declared, Field, Person, Place, field_named
from sluss_schemas.ids import AGENCY_SECTORS
from sluss_schemas.policy.pack import builtin
from sluss_schemas.problems import Invalid

SKIP: Final = "skip"
"""In a table of kinds: rows with this value become no report."""
_SET_APART: Final = frozenset({"scene", "observed_at"})
_INNER: Final[dict[str, type[Declared]]] = {"place": Place, "subject": Person}
"""What has fields of its own, `place.lat`; the one person that a row is about is `subject`."""


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the value of a field stands.

    Attributes:
        column: heading of the column.
        codes: what the column's values mean, by value; an empty text means that nothing is known.
        scale: `microdegrees` for decimal degrees; without it a value is taken as it stands.
        collect: where several rows are one event, all their values together, each once.
        sum_over: where several rows are one event, columns that tell apart what is added up; each is added once.

    """

    column: str
    codes: dict[str, str] | None = None
    scale: Literal["microdegrees"] | None = None
    collect: bool = False
    sum_over: tuple[str, ...] = ()


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column that holds numbers, and another file, beside the CSV, that says what they stand for.

    Attributes:
        column: heading of the column with the numbers.
        file: name of the other file.
        of: its column with the numbers.
        value: its column with what they stand for.

    """

    column: str
    file: str
    of: str
    value: str


class Kinds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Kinds of report that are looked up in a column.

    Attributes:
        column: heading of the column.
        table: by value of the column: `skip`, or a kind and the codes that the value itself says.

    """

    column: str
    table: dict[str, dict[str, Any] | Literal["skip"]]


class Scene(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns with the name of the scene; the first one that is filled counts."""

    columns: tuple[str, ...]


class Unknown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands for a time of day that nobody wrote down, and the text that says so to whoever reads the report."""

    time: str
    situation: str


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the time of the observation stands.

    Attributes:
        column: heading of its column.
        zone: the zone of times that name none.
        time: heading of the column with the time of day, where `column` has the date alone.
        order: `mdy` for dates such as 01/31/2018.
        unknown: for a row whose time of day is empty; without it such a row is refused.

    """

    column: str
    zone: str
    time: str | None = None
    order: Literal["ymd", "mdy"] = "ymd"
    unknown: Unknown | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What identifies a row for ever: columns, and a prefix that keeps apart what has ids of its own."""

    prefix: str
    columns: tuple[str, ...]


class SkipIds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another file, beside the CSV, whose ids are not taken from this one."""

    file: str
    column: str


class Skip(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows with one of these values in a column become no report."""

    column: str
    equals: tuple[str, ...]


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mapping file, read.

    Attributes:
        kind: the kind of every row, or where it is looked up.
        owner: slug of the agency that may import with it; without it any.
        scene: where the scene's name stands; without it the reports have none.
        observed_at: where the time stands.
        source: what identifies a row.
        version: column with the number of a row's version; its versions are filed and then amended in order.
        several: whether rows with the same source are one event, which then says nothing that they do not agree on.
        keys: by a name that stands for a column elsewhere in the mapping: numbers, and the file that explains them.
        fields: by field of the form, `place.lat` for a part of the place.
        skip_ids_from: another file whose ids are left to it.
        skip: further rows that become no report.
        empty: values that mean that nothing is known.
        delimiter: what stands between two cells.

    """

    kind: str | Kinds
    observed_at: When
    source: Source
    owner: str | None = None
    scene: Scene | None = None
    version: str | None = None
    several: bool = False
    keys: dict[str, Key] = {}
    fields: dict[str, Cell] = {}
    skip_ids_from: SkipIds | None = None
    skip: tuple[Skip, ...] = ()
    empty: tuple[str, ...] = ("", "NULL")
    delimiter: str = ","

    def columns(self) -> Iterator[tuple[str, str]]:
        """Yield every column of the CSV that has to be there, after its place in the mapping."""
        for name, key in self.keys.items():
            yield f"keys.{name}.column", key.column
        yield from ((where, column) for where, column in self._named() if column not in self.keys)

    def _named(self) -> Iterator[tuple[str, str]]:
        if isinstance(self.kind, Kinds):
            yield "kind.column", self.kind.column
        yield "observed_at.column", self.observed_at.column
        if self.observed_at.time is not None:
            yield "observed_at.time", self.observed_at.time
        for column in self.source.columns:
            yield "source.columns", column
        for column in self.scene.columns if self.scene is not None else ():
            yield "scene.columns", column
        if self.version is not None:
            yield "version", self.version
        for name, cell in self.fields.items():
            yield f"fields.{name}.column", cell.column
            for column in cell.sum_over:
                yield f"fields.{name}.sum_over", column
        for rule in self.skip:
            yield "skip.column", rule.column

    def governed(self) -> frozenset[str]:
        """Return the fields that a later version of a row may change; others belong to whoever amended by hand."""
        tabled: set[str] = set()
        if isinstance(self.kind, Kinds):
            tabled = {name for entry in self.kind.table.values() if isinstance(entry, dict) for name in entry}
        named = {name.partition(".")[0] for name in self.fields}
        return frozenset({*_SET_APART, *named, *tabled} - {"kind"})


def shipped() -> list[str]:
    """Return the names of the mappings that come with this package."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str) -> Mapping:
    """Return a shipped mapping by its name, or the one in a file.

    Raises:
        Invalid: `bad_mapping` with the place in the file.

    """
    table = _read(name, Path())
    base = table.pop("extends", None)
    if base is not None:
        below = _read(str(base), Path(name).parent)
        if "extends" in below:
            raise Invalid("bad_mapping", "extends", "A mapping that is extended may not extend another one.")
        table = below | table
    try:
        mapping = msgspec.convert(table, Mapping)
    except msgspec.ValidationError as wrong:
        say, _, place = str(wrong).partition(" - at `$")
        raise Invalid("bad_mapping", place.strip("`.") or "mapping", f"{say}.") from None
    _check(mapping)
    return mapping


def _read(name: str, beside: Path) -> dict[str, Any]:
    try:
        if name in shipped():
            text = (resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8")
        else:
            text = (beside / name).read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError:
        say = f"There is no such mapping; shipped ones are {', '.join(shipped())}, any other is a path."
        raise Invalid("bad_mapping", "mapping", say) from None
    except UnicodeDecodeError:
        raise Invalid("bad_mapping", "mapping", "Write the mapping file in UTF-8.") from None
    except tomllib.TOMLDecodeError as wrong:
        at = re.search(r"\(at ([^)]*)\)", str(wrong))
        raise Invalid("bad_mapping", at[1] if at else "mapping", "Write the mapping as TOML.") from None
    kind = table.get("kind")
    if isinstance(kind, dict) and isinstance(kind.get("table"), dict):
        kind["table"] = {plain(value): entry for value, entry in kind["table"].items()}
    return table


def _check(mapping: Mapping) -> None:
    """Refuse what no form can take, so that it is said once and not once for every row."""
    if mapping.owner is not None and mapping.owner not in AGENCY_SECTORS:
        raise Invalid("bad_mapping", "owner", f"Name one of {', '.join(AGENCY_SECTORS)}.")
    try:
        ZoneInfo(mapping.observed_at.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("bad_mapping", "observed_at.zone", "Name a zone such as Europe/Stockholm.") from None
    if not mapping.source.columns:
        raise Invalid("bad_mapping", "source.columns", "Name the columns that identify a row.")
    if mapping.several and mapping.version is not None:
        raise Invalid("bad_mapping", "several", "Rows are versions of an event, or they are parts of it; not both.")
    if len(mapping.delimiter) != 1:
        raise Invalid("bad_mapping", "delimiter", "Name the one character that stands between two cells.")
    if isinstance(mapping.kind, str):
        kinds = {_form(mapping.kind, "kind")}
    else:
        kinds = {
            _checked_entry(entry, f"kind.table.{value}")
            for value, entry in mapping.kind.table.items()
            if isinstance(entry, dict)
        }
    for name, cell in mapping.fields.items():
        _check_field(name, kinds)
        if (cell.collect or cell.sum_over) and not mapping.several:
            raise Invalid("bad_mapping", f"fields.{name}", "Only several rows of one event can be put together.")
        for form in kinds:
            for value, code in (cell.codes or {}).items():
                _check_code(field_named(form, name), code, f"fields.{name}.codes.{value}")


def _form(kind: object, where: str) -> type[forms.Form]:
    try:
        return forms.form_type(kind if isinstance(kind, str) else "")
    except Invalid:
        raise Invalid("bad_mapping", where, "Name a kind of report, for instance order_incident.") from None


def _checked_entry(entry: dict[str, Any], where: str) -> type[forms.Form]:
    form = _form(entry.get("kind"), where)
    for name, value in entry.items():
        if name != "kind" and (name in _SET_APART or field_named(form, name) is None):
            raise Invalid("bad_mapping", f"{where}.{name}", "This kind of report has no such field to be set here.")
        _check_code(field_named(form, name), value, f"{where}.{name}")
    return form


def _check_code(field: Field | None, value: object, where: str) -> None:
    """Refuse a code that no pack has, or that belongs to another kind; a pack that lacks it refuses the row."""
    if field is None or not field.codes or not value:
        return
    known = {code for pack in builtin() for code in pack.codes[field.codes]}
    if not all(code in (field.only or known) for code in (value if isinstance(value, list) else [value])):
        raise Invalid("bad_mapping", where, f"Choose a code from the list {field.codes} that this kind has.")


def _check_field(name: str, kinds: set[type[forms.Form]]) -> None:
    first, dot, rest = name.partition(".")
    known = first not in _SET_APART and all(field_named(form, first) is not None for form in kinds)
    if known and dot:
        known = first in _INNER and field_named(_INNER[first], rest) is not None
    if not known:
        raise Invalid("bad_mapping", f"fields.{name}", "Not every kind in this mapping has such a field.")
