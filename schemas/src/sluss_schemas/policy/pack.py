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
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Final, TypeVar

import msgspec

from sluss_schemas.ids import COLUMNS, COMPARTMENTS, KINDS, SECTORS, Digest, kind_code
from sluss_schemas.policy import invariants, jurisdiction, layers, requests
from sluss_schemas.policy.cells import Cell, PackRefused, parse, rule_id
from sluss_schemas.policy.file import File, Said
from sluss_schemas.policy.jurisdiction import Find
from sluss_schemas.policy.model import PRECISIONS, CellKey, Code, Gateway, Kind, Pack, RowKey

__all__ = ["Cell", "Code", "Gateway", "Kind", "Pack", "PackRefused", "at", "builtin", "by_digest", "load", "sketches"]

_PACK_NAME: Final = re.compile(r"[A-Z]{2}-[0-9]{4}-[0-9]{2}-[0-9]{2}\.toml")
_T = TypeVar("_T")


def shipped(name: str) -> bytes | None:
    """Return a file that is shipped with the packs or with the sketches, or None."""
    packs = resources.files(__package__).joinpath("packs")
    files = (packs.joinpath(name), packs.joinpath("sketches", name))
    return next((file.read_bytes() for file in files if file.is_file()), None)


def load(data: bytes, *, floor: Pack | None = None, find: Find = shipped) -> Pack:
    """Read and check a pack.

    Args:
        data: the file's bytes; the pack's digest is their SHA-256.
        floor: for an agency's own pack, the statutory pack that it may narrow and not widen.
        find: gives the files that it names: the pack that it is built on, and its jurisdiction's bounds.

    Raises:
        PackRefused: something is wrong; `field` names the cell (`K16.HLT.SIT.POL`) or the table.

    """
    file = layers.read(data, find)
    bounds = jurisdiction.of(file.jurisdiction, find)
    for name, entries in file.codes.items():
        if len({entry.n for entry in entries.values()}) != len(entries):
            raise PackRefused(f"codes.{name}", "Give every code of a list a number of its own.")
    kinds = _kinds(file)
    _check_retention(file)
    _check_extract(file)
    requests.check(file.request, file.gateway)
    base = _base(file)
    pack = Pack(
        id=file.id,
        extends=file.extends,
        jurisdiction=file.jurisdiction,
        status=file.status,
        valid_from=file.valid_from,
        zone=file.zone,
        notice=file.notice,
        partnership=file.partnership,
        authorities=file.authorities,
        digest=Digest(hashlib.sha256(data).digest()),
        bounds=bounds,
        parameters=file.parameters,
        filing=file.filing,
        gateways=_gateways(file),
        kinds=kinds,
        offences=file.offence,
        retention=file.retention,
        extract=file.extract,
        requests=file.request,
        base=base,
        cells=_cells(file, kinds, base),
        codes=file.codes,
        # A pack that lies on a later one has that one's dates too; a wording that is younger is not its own.
        law={name: one for name, one in file.law.items() if one.since <= file.valid_from},
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
    """Return the shipped packs that an agency may adopt, oldest first."""
    return tuple(pack for pack in _shipped("packs") if pack.status != "sketch")


@cache
def sketches() -> tuple[Pack, ...]:
    """Return the shipped sketches of other laws, which nobody may adopt."""
    return tuple(pack for pack in _shipped("packs", "sketches") if pack.status == "sketch")


def by_digest(digest: bytes) -> Pack | None:
    """Return the shipped pack with this digest, or None; never a sketch."""
    return next((pack for pack in builtin() if pack.digest == digest), None)


def at(packs: Iterable[Pack], day: date) -> Pack:
    """Return the pack in force on a local day; before the oldest, the oldest. A sketch is never in force.

    Raises:
        PackRefused: no pack was given; without one nothing may be decided.

    """
    ordered = sorted((pack for pack in packs if pack.status != "sketch"), key=lambda pack: pack.valid_from)
    if not ordered:
        raise PackRefused("file", "Install a policy pack; without one nothing is shared.")
    return next((pack for pack in reversed(ordered) if pack.valid_from <= day), ordered[0])


def _shipped(*folder: str) -> list[Pack]:
    """Return the packs of a folder, oldest first."""
    files = resources.files(__package__).joinpath(*folder).iterdir()
    packs = [load(each.read_bytes()) for each in files if _PACK_NAME.fullmatch(each.name)]
    return sorted(packs, key=lambda pack: (pack.valid_from, pack.id))


def _gateways(file: File) -> dict[str, Gateway]:
    """Return the grounds by their codes, each with an age that the pack knows where it has one."""
    for code, gateway in file.gateway.items():
        if gateway.age is not None and not isinstance(getattr(file.parameters, gateway.age.parameter, None), int):
            raise PackRefused(f"gateway.{code}", f"The pack has no age called {gateway.age.parameter}.")
        _check_offence(file, code, gateway)
    return {code: msgspec.structs.replace(gateway, code=code) for code, gateway in file.gateway.items()}


def _check_offence(file: File, code: str, gateway: Gateway) -> None:
    """Refuse a ground about offences that stand nowhere, or with a least penalty that the pack does not say."""
    if gateway.offence != "chapter":
        if gateway.chapters or gateway.least:
            raise PackRefused(f"gateway.{code}", "Only a ground about a chapter's offences has chapters.")
        return
    known = {one.chapter for one in file.offence.values() if one.chapter}
    if not gateway.chapters or not known.issuperset(gateway.chapters):
        raise PackRefused(f"gateway.{code}", "Name chapters in which the pack has offences.")
    if gateway.least and not isinstance(getattr(file.parameters, gateway.least, None), int):
        raise PackRefused(f"gateway.{code}", f"The pack has no least penalty called {gateway.least}.")


def _check_retention(file: File) -> None:
    """Refuse to keep anything for no time at all: it would be culled before anybody had read it."""
    kept = {f"retention.{owner}": one.days for owner, one in file.retention.items()}
    kept |= {f"kind.{code}": one.retention.days for code, one in file.kind.items() if one.retention is not None}
    kept["parameters.retention_decisions_days"] = file.parameters.retention_decisions_days
    for where, days in kept.items():
        if days is not None and days < 1:
            raise PackRefused(where, "Keep reports for one day at least.")
    for owner, each in file.retention.items():
        if each.visible_hours is not None:
            raise PackRefused(f"retention.{owner}", "Say of a kind how long it is shown, not of an owner.")
    for code, kind in file.kind.items():
        one = kind.retention
        if one is not None and one.visible_hours is not None and not 1 <= one.visible_hours <= (one.days or 1) * 24:
            raise PackRefused(f"kind.{code}", "Show reports for one hour at least, and no longer than they are kept.")


def _check_extract(file: File) -> None:
    """Refuse a kind that nobody writes, and a reason to leave something out by no statute at all."""
    if file.extract is None:
        return
    if not set(file.extract.day_only) <= file.kind.keys():
        raise PackRefused("extract.day_only", "Name kinds that the pack has.")
    for one in file.extract.withhold:
        if not set(one.kinds) <= file.kind.keys():
            raise PackRefused(f"extract.{one.code}", "Name kinds that the pack has.")
        if not one.law:
            raise PackRefused(f"extract.{one.code}", "Name the statute.")


def _kinds(file: File) -> dict[int, Kind]:
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
        if not kind.clear and kind.retention is not None:
            # The server does not know the kind, so it could not tell when one is over.
            raise PackRefused(f"kind.{code}", "A kind whose existence is secret is kept as long as its owner's others.")
        for ground in kind.note_grounds:
            if ground not in file.gateway or file.gateway[ground].note_to is None:
                raise PackRefused(f"kind.{code}", f"{ground} names nobody to whom a note goes.")
        if not kind.clear and (kind.facts or kind.counted):
            raise PackRefused(f"kind.{code}", "A kind whose existence is secret has no facts and is never counted.")
        kinds[numbers[code]] = msgspec.structs.replace(kind, number=numbers[code], precision=precision)
    return dict(sorted(kinds.items()))


def _base(file: File) -> dict[RowKey, Cell]:
    """Return the base rows, one cell for each owner, compartment and column."""
    _all_of(file.owner, SECTORS, "owner")
    base: dict[RowKey, Cell] = {}
    for owner, rows in file.owner.items():
        _all_of(rows, COMPARTMENTS, f"owner.{owner}")
        for compartment, row in rows.items():
            where = f"{owner}.{compartment}"
            _all_of(row.cells, COLUMNS, where)
            for column in row.cells:
                base[owner, compartment, column] = _cell(f"{where}.{column}", row.said(column))
    return base


def _cells(file: File, kinds: Mapping[int, Kind], base: Mapping[RowKey, Cell]) -> dict[CellKey, Cell]:
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
                for column in line.cells:
                    name = f"{line.kind}.{owner}.{compartment}.{column}"
                    key = (numbers.get(line.kind, 0), owner, compartment, column)
                    if key not in cells:
                        raise PackRefused(name, "Override only a kind and an owner that files it.")
                    if column != owner or line.reaches_owner:
                        cells[key] = _cell(name, line.said(column))
    return {key: _as_content(cell, cells, key) for key, cell in cells.items()}


def _cell(name: str, said: Said) -> Cell:
    """Return the cell that a code makes, with its reasons."""
    read = parse(said.code, name)
    return Cell(
        rule_id=name,
        code=said.code,
        automatic=read.automatic,
        duties=read.duties,
        gateways=read.gateways,
        as_content=read.as_content,
        why=said.en,
        why_sv=said.sv,
        law=said.law,
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
