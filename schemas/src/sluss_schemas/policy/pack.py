"""Reading a policy pack: bytes in, a frozen `Pack` out, or a refusal that names the cell.

For: turning the dated TOML file into the decision for every kind, owner, compartment and column.
Refuses: an unknown table or key, a cell without exactly one code, a ground that the statute does not offer
there, a pack that breaks an invariant, and an agency's pack that is wider than the floor under it.

> INVARIANT: a `Pack` exists only after every check held; nothing half-read can decide anything.

Source: docs/secrecy-rules.md B4 and B5.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Final, TypeVar

import msgspec

from sluss_schemas.ids import COLUMNS, COMPARTMENTS, KINDS, SECTORS, Column, Compartment, Digest, Sector, kind_code
from sluss_schemas.policy import invariants
from sluss_schemas.policy.cells import Cell, PackRefused, parse, rule_id
from sluss_schemas.policy.model import (
    PRECISIONS,
    CellKey,
    Code,
    Gateway,
    Kind,
    Label,
    Pack,
    Parameters,
    Precision,
    RowKey,
)

__all__ = ["Cell", "Code", "Gateway", "Kind", "Pack", "PackRefused", "at", "builtin", "by_digest", "load"]

MAX_BYTES: Final = 1 << 20
"""A pack is text for lawyers; what is larger is not one."""
_PACK_NAME: Final = re.compile(r"[A-Z]{2}-[0-9]{4}-[0-9]{2}-[0-9]{2}\.toml")
_T = TypeVar("_T")


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A base row, or the part that every override shares with it."""

    cells: dict[Column, str]
    law: tuple[str, ...]
    en: str
    sv: str


class _Override(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str
    owners: tuple[Sector, ...]
    compartments: tuple[Compartment, ...]
    reaches_owner: bool = False


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written."""

    id: str
    jurisdiction: str
    valid_from: date
    zone: str
    notice: Label
    partnership: tuple[str, ...]
    authorities: tuple[Sector, ...]
    parameters: Parameters
    precision: dict[Sector, Precision]
    gateway: dict[str, Gateway]
    kind: dict[str, Kind]
    owner: dict[Sector, dict[Compartment, _Row]]
    override: tuple[_Override, ...] = ()
    codes: dict[str, dict[str, Code]] = {}


def load(data: bytes, *, floor: Pack | None = None) -> Pack:
    """Read and check a pack.

    Args:
        data: the file's bytes; the pack's digest is their SHA-256.
        floor: for an agency's own pack, the statutory pack that it may narrow and not widen.

    Raises:
        PackRefused: something is wrong; `field` names the cell (`K16.HLT.SIT.POL`) or the table.

    """
    if len(data) > MAX_BYTES:
        raise PackRefused("file", "Give a pack of at most 1 MiB.")
    try:
        file = msgspec.convert(tomllib.loads(data.decode()), _File)
    except UnicodeDecodeError:
        raise PackRefused("file", "Write the pack in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise PackRefused("file", f"Correct the TOML: {error}.") from None
    except msgspec.ValidationError as error:
        raise PackRefused("file", f"Correct the pack: {error}.") from None
    for name, entries in file.codes.items():
        if len({entry.n for entry in entries.values()}) != len(entries):
            raise PackRefused(f"codes.{name}", "Give every code of a list a number of its own.")
    kinds = _kinds(file)
    gateways = {code: msgspec.structs.replace(gateway, code=code) for code, gateway in file.gateway.items()}
    base = _base(file)
    pack = Pack(
        id=file.id,
        jurisdiction=file.jurisdiction,
        valid_from=file.valid_from,
        zone=file.zone,
        notice=file.notice,
        partnership=file.partnership,
        authorities=file.authorities,
        digest=Digest(hashlib.sha256(data).digest()),
        parameters=file.parameters,
        gateways=gateways,
        kinds=kinds,
        base=base,
        cells=_cells(file, kinds, base),
        codes=file.codes,
    )
    check(pack, floor)
    return pack


def check(pack: Pack, floor: Pack | None = None) -> None:
    """Refuse a pack that breaks an invariant or goes beyond the floor.

    Raises:
        PackRefused: with the first cell that is wrong.

    """
    for broken in invariants.violations(pack, floor):
        raise PackRefused(broken.cell, f"{broken.invariant}: {broken.say}")


@cache
def builtin() -> tuple[Pack, ...]:
    """Return the packs that are shipped, oldest first."""
    files = resources.files(__package__).joinpath("packs").iterdir()
    packs = [load(each.read_bytes()) for each in files if _PACK_NAME.fullmatch(each.name)]
    return tuple(sorted(packs, key=lambda pack: pack.valid_from))


def by_digest(digest: bytes) -> Pack | None:
    """Return the shipped pack with this digest, or None."""
    return next((pack for pack in builtin() if pack.digest == digest), None)


def at(packs: Iterable[Pack], day: date) -> Pack:
    """Return the pack in force on a local day; before the oldest, the oldest.

    Raises:
        PackRefused: no pack was given; without one nothing may be decided.

    """
    ordered = sorted(packs, key=lambda pack: pack.valid_from)
    if not ordered:
        raise PackRefused("file", "Install a policy pack; without one nothing is shared.")
    return next((pack for pack in reversed(ordered) if pack.valid_from <= day), ordered[0])


def _kinds(file: _File) -> dict[int, Kind]:
    """Return the kinds by number, each with a precision for every owner."""
    numbers = {kind_code(number): number for number in KINDS}
    _all_of(file.kind, numbers, "kind")
    _all_of(file.precision, SECTORS, "precision")
    kinds: dict[int, Kind] = {}
    for code, kind in file.kind.items():
        precision = {owner: kind.precision.get(owner, file.precision[owner]) for owner in kind.owners}
        if unused := set(kind.precision) - set(kind.owners):
            raise PackRefused(f"kind.{code}", f"Drop the precision for {min(unused)}, which does not own the kind.")
        if not kind.owners or len(set(kind.owners)) != len(kind.owners):
            raise PackRefused(f"kind.{code}", "Name each owner once, and at least one.")
        if sum(fact in PRECISIONS for fact in kind.facts) > 1 or len(set(kind.facts)) != len(kind.facts):
            raise PackRefused(f"kind.{code}", "Name each fact once, and one precision of time at most.")
        if not kind.clear and (kind.facts or kind.counted):
            raise PackRefused(f"kind.{code}", "A kind whose existence is secret has no facts and is never counted.")
        kinds[numbers[code]] = msgspec.structs.replace(kind, number=numbers[code], precision=precision)
    return dict(sorted(kinds.items()))


def _base(file: _File) -> dict[RowKey, Cell]:
    """Return the base rows, one cell for each owner, compartment and column."""
    _all_of(file.owner, SECTORS, "owner")
    base: dict[RowKey, Cell] = {}
    for owner, rows in file.owner.items():
        _all_of(rows, COMPARTMENTS, f"owner.{owner}")
        for compartment, row in rows.items():
            where = f"{owner}.{compartment}"
            _all_of(row.cells, COLUMNS, where)
            for column, code in row.cells.items():
                base[owner, compartment, column] = _cell(f"{where}.{column}", code, row)
    return base


def _cells(file: _File, kinds: Mapping[int, Kind], base: Mapping[RowKey, Cell]) -> dict[CellKey, Cell]:
    """Return every cell: the base rows for each kind and owner, then the overrides in their order."""
    cells: dict[CellKey, Cell] = {}
    for number, kind in kinds.items():
        for owner in kind.owners:
            for compartment in COMPARTMENTS:
                for column in COLUMNS:
                    name = rule_id(number, owner, compartment, column)
                    found = base[owner, compartment, column]
                    cells[number, owner, compartment, column] = msgspec.structs.replace(found, rule_id=name)
    numbers = {kind_code(number): number for number in kinds}
    for line in file.override:
        for owner in line.owners:
            for compartment in line.compartments:
                for column, code in line.cells.items():
                    name = f"{line.kind}.{owner}.{compartment}.{column}"
                    key = (numbers.get(line.kind, 0), owner, compartment, column)
                    if key not in cells:
                        raise PackRefused(name, "Override only a kind and an owner that files it.")
                    if column != owner or line.reaches_owner:
                        cells[key] = _cell(name, code, line)
    return {key: _as_content(cell, cells, key) for key, cell in cells.items()}


def _cell(name: str, code: str, row: _Row) -> Cell:
    """Return the cell that a row's code makes."""
    read = parse(code, name)
    return Cell(
        rule_id=name,
        code=code,
        automatic=read.automatic,
        duties=read.duties,
        gateways=read.gateways,
        as_content=read.as_content,
        why=row.en,
        why_sv=row.sv,
        law=row.law,
    )


def _as_content(cell: Cell, cells: Mapping[CellKey, Cell], key: CellKey) -> Cell:
    """Give an attachment the grounds of the person it may show, as decided openings and never as a duty.

    Nobody but the decider knows what a picture shows, so the strictest of what it is likely to show decides.
    """
    if not cell.as_content:
        return cell
    kind, owner, _, column = key
    subject = cells[kind, owner, "SUB", column]
    return msgspec.structs.replace(cell, gateways=(*subject.duties, *subject.gateways))


def _all_of(given: Mapping[_T, object], wanted: Iterable[_T], where: str) -> None:
    """Refuse a table in which something is missing or too much."""
    expected = list(wanted)
    for name in expected:
        if name not in given:
            raise PackRefused(f"{where}.{name}", "Add what is missing here; nothing is decided by its absence.")
    for name in given:
        if name not in expected:
            raise PackRefused(f"{where}.{name}", "Remove what no other table knows.")
