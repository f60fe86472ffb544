"""A policy pack as it is written, before anything is decided from it.

For: `pack.py`, which makes cells of it, and `layers.py`, which builds one file on another.
Refuses: a table or a key that nothing reads, and a value of another type; TOML says where.

Source: docs/secrecy-rules.md B4 and B5.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Final

import msgspec

from sluss_schemas.ids import Column, Compartment, Sector
from sluss_schemas.policy.cells import PackRefused
from sluss_schemas.policy.extract import ExtractRules
from sluss_schemas.policy.model import (
    Code,
    FilingRules,
    Gateway,
    Kind,
    Label,
    Offence,
    Parameters,
    Precision,
    Retention,
    Status,
)
from sluss_schemas.policy.requests import RequestType
from sluss_schemas.policy.statutes import Statute

MAX_BYTES: Final = 1 << 20
"""A pack is text for lawyers; what is larger is not one."""


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cell with reasons of its own, where it does not have those of its row."""

    code: str
    law: tuple[str, ...]
    en: str
    sv: str


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A base row, or the part that every override shares with it."""

    cells: dict[Column, str | Said]
    law: tuple[str, ...]
    en: str
    sv: str

    def said(self, column: Column) -> Said:
        """Return a cell's code with its reasons."""
        cell = self.cells[column]
        return cell if isinstance(cell, Said) else Said(code=cell, law=self.law, en=self.en, sv=self.sv)


class Override(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What some owners' reports of one kind do differently."""

    kind: str
    owners: tuple[Sector, ...]
    compartments: tuple[Compartment, ...]
    reaches_owner: bool = False


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written, complete; `extends` names the pack that it was built on, if any."""

    id: str
    extends: str = ""
    jurisdiction: str
    status: Status = "law"
    valid_from: date
    zone: str
    notice: Label
    partnership: tuple[str, ...]
    authorities: tuple[Sector, ...]
    parameters: Parameters
    filing: FilingRules = FilingRules()
    precision: dict[Sector, Precision]
    gateway: dict[str, Gateway]
    kind: dict[str, Kind]
    offence: dict[str, Offence] = {}
    retention: dict[Sector, Retention] = {}
    extract: ExtractRules | None = None
    request: dict[str, RequestType] = {}
    owner: dict[Sector, dict[Compartment, Row]]
    override: tuple[Override, ...] = ()
    codes: dict[str, dict[str, Code]] = {}
    law: dict[str, Statute] = {}


def table(data: bytes) -> dict[str, object]:
    """Return the tables of a pack's bytes.

    Raises:
        PackRefused: they are no text, no TOML, or far too many.

    """
    if len(data) > MAX_BYTES:
        raise PackRefused("file", "Give a pack of at most 1 MiB.")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise PackRefused("file", "Write the pack in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise PackRefused("file", f"Correct the TOML: {error}.") from None


def file_of(tables: Mapping[str, object]) -> File:
    """Return the file that these tables are.

    Raises:
        PackRefused: something is missing, unknown, or of another type.

    """
    try:
        return msgspec.convert(tables, File)
    except msgspec.ValidationError as error:
        raise PackRefused("file", f"Correct the pack: {error}.") from None
