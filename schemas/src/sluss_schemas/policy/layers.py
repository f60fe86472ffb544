"""A pack that is built on another: the other one's file, with what this one changes, takes away and adds.

For: reading a pack of which only the difference was written, so that a lawyer reads the difference.
Refuses: a base that is not exactly the bytes whose hash the pack names, and a change that changes nothing.

> INVARIANT: a pack's digest is of its own bytes, and these name the base by its hash; so one digest still names one
> set of decisions for ever, however many packs lie under it.

Source: docs/secrecy-rules.md, "Earlier packs".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Final

import msgspec

from sluss_schemas.ids import Column, Compartment, Sector
from sluss_schemas.policy.cells import PackRefused, grounds_of, parse, written
from sluss_schemas.policy.extract import ExtractRules
from sluss_schemas.policy.file import File, Override, Row, Said, file_of, table
from sluss_schemas.policy.jurisdiction import Find

MOST_LAYERS: Final = 8
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_ANY: Final = "*"


class Reground(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In every cell of some owners, a ground of the base gives way to another, or to none where `by` is empty.

    A duty stays a duty only where the new ground is one; otherwise somebody decides.
    """

    ground: str
    by: str
    owners: tuple[Sector, ...]
    law: tuple[str, ...]
    en: str
    sv: str


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack says of the one that it is built on; the rest of its tables are laid over that one's.

    Attributes:
        id: the pack's own id.
        valid_from: the pack's own first day.
        extends: the base's id.
        extends_digest: SHA-256 of the base's bytes, in hex.
        cited: how the base's citations read in this law; `*` stands for every other one, an empty text drops it.
        reground: the grounds that give way to others.
        remove: what goes, by its table: `gateway = ["L12"]`.

    """

    id: str
    valid_from: date
    extends: str
    extends_digest: str
    cited: dict[str, str] = {}
    reground: tuple[Reground, ...] = ()
    remove: dict[str, tuple[str, ...]] = {}


def read(data: bytes, find: Find, depth: int = 0) -> File:
    """Return the whole file of a pack, with everything that lies under it.

    Raises:
        PackRefused: it cannot be read, or its base is missing, another one, or not what is changed here.

    """
    tables = _tables(data)
    if "extends" not in tables:
        return file_of(tables)
    try:
        layer = msgspec.convert(tables, Layer)
    except msgspec.ValidationError as error:
        raise PackRefused("file", f"Correct the pack: {error}.") from None
    base = find(f"{layer.extends}.toml") if depth < MOST_LAYERS and _ID.fullmatch(layer.extends) else None
    if base is None:
        raise PackRefused("extends", f"There is no pack {layer.extends} to build on.")
    if (digest := hashlib.sha256(base).hexdigest()) != layer.extends_digest:
        raise PackRefused("extends_digest", f"{layer.extends} has the digest {digest}, another than is named here.")
    below = read(base, find, depth + 1)
    if layer.id == below.id:
        raise PackRefused("id", "Give the pack an id of its own.")
    changed = msgspec.to_builtins(_regrounded(_cited(below, layer.cited), layer, tables), builtin_types=(date,))
    _remove(changed, layer.remove)
    changed.pop("extends", None)
    own = {key: value for key, value in tables.items() if key not in _OF_THE_LAYER}
    own["override"] = [*_list(changed["override"]), *_list(own.get("override", ()))]
    return file_of(_laid(changed, own) | {"extends": layer.extends})


@lru_cache(16)
def _tables(data: bytes) -> Mapping[str, object]:
    """Return the tables of a pack; the packs of a jurisdiction lie on the same few others."""
    return table(data)


_OF_THE_LAYER: Final = {"extends", "extends_digest", "cited", "reground", "remove"}


def _laid(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Return `below` with `above` over it: tables are laid over each other, all else is replaced."""
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        found[key] = _laid(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return found


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise PackRefused("override", "Write each override as a table of its own.")
    return value


def _remove(tables: dict[str, object], remove: Mapping[str, Sequence[str]]) -> None:
    """Take named entries away, each of which has to be there."""
    for name, keys in remove.items():
        entries = tables.get(name)
        for key in keys:
            if not isinstance(entries, dict) or key not in entries:
                raise PackRefused(f"remove.{name}", f"There is no {key} to remove.")
            del entries[key]


def _cited(file: File, cited: Mapping[str, str]) -> File:
    """Return the file with its citations in the words of this law."""
    if not cited:
        return file
    found = set[str]()

    def said(law: Iterable[str]) -> tuple[str, ...]:
        found.update(law)
        now = (cited.get(each, cited.get(_ANY, each)) for each in law)
        return tuple(dict.fromkeys(each for each in now if each))

    def cell(one: str | Said) -> str | Said:
        return msgspec.structs.replace(one, law=said(one.law)) if isinstance(one, Said) else one

    def cells(row: Row) -> dict[Column, str | Said]:
        return {column: cell(one) for column, one in row.cells.items()}

    again = msgspec.structs.replace(
        file,
        partnership=said(file.partnership),
        gateway={
            code: msgspec.structs.replace(one, law=said(one.law), chapters=said(one.chapters))
            for code, one in file.gateway.items()
        },
        offence={
            code: msgspec.structs.replace(
                one, law=said(one.law), chapter="".join(said((one.chapter,) if one.chapter else ()))
            )
            for code, one in file.offence.items()
        },
        request={code: msgspec.structs.replace(one, law=said(one.law)) for code, one in file.request.items()},
        kind={
            code: one
            if one.retention is None
            else msgspec.structs.replace(
                one, retention=msgspec.structs.replace(one.retention, law=said(one.retention.law))
            )
            for code, one in file.kind.items()
        },
        retention={name: msgspec.structs.replace(one, law=said(one.law)) for name, one in file.retention.items()},
        extract=_extract(file, said),
        override=tuple(msgspec.structs.replace(row, law=said(row.law), cells=cells(row)) for row in file.override),
        owner={
            sector: {
                part: msgspec.structs.replace(row, law=said(row.law), cells=cells(row)) for part, row in rows.items()
            }
            for sector, rows in file.owner.items()
        },
    )
    if unknown := cited.keys() - found - {_ANY}:
        raise PackRefused("cited", f"The base does not cite {min(unknown)}.")
    return again


def _extract(file: File, said: Callable[[Iterable[str]], tuple[str, ...]]) -> ExtractRules | None:
    """Return the table of extracts with its citations in the words of this law."""
    if (rules := file.extract) is None:
        return None
    lines = tuple(msgspec.structs.replace(one, law=said(one.law)) for one in rules.withhold)
    return msgspec.structs.replace(rules, law=said(rules.law), withhold=lines)


def _regrounded(file: File, layer: Layer, tables: Mapping[str, object]) -> File:
    """Return the file with grounds that gave way to others in its cells."""
    if not layer.reground:
        return file
    duties = _duties(file, tables)
    used = set[Reground]()

    def cell(row: Row, owner: Sector, column: Column) -> str | Said:
        said = row.said(column)
        now = said
        for line in layer.reground:
            if owner in line.owners and line.ground in grounds_of(parse(now.code, f"{owner}.{column}")):
                code = _instead(now.code, line, duties)
                now = Said(code=code, law=line.law, en=line.en, sv=line.sv)
                used.add(line)
        return row.cells[column] if now is said else now

    def cells(row: Row, owner: Sector) -> dict[Column, str | Said]:
        return {column: cell(row, owner, column) for column in row.cells}

    owners: dict[Sector, dict[Compartment, Row]] = {
        owner: {part: msgspec.structs.replace(row, cells=cells(row, owner)) for part, row in rows.items()}
        for owner, rows in file.owner.items()
    }
    # A line of one owner each, because what one owner's cells become is not what another's do.
    override: list[Override] = []
    for row in file.override:
        each = {owner: cells(row, owner) for owner in row.owners}
        if all(one == row.cells for one in each.values()):
            override.append(row)
        else:
            override += [msgspec.structs.replace(row, owners=(owner,), cells=one) for owner, one in each.items()]
    if idle := [line.ground for line in layer.reground if line not in used]:
        raise PackRefused("reground", f"No cell of these owners has {min(idle)}.")
    return msgspec.structs.replace(file, owner=owners, override=tuple(override))


def _duties(file: File, tables: Mapping[str, object]) -> set[str]:
    """Return the grounds that oblige, those of the layer itself among them."""
    gateways = tables.get("gateway", {})
    own = gateways if isinstance(gateways, Mapping) else {}
    stated = {code: one["duty"] for code, one in own.items() if isinstance(one, Mapping) and "duty" in one}
    codes = {*file.gateway, *own}
    below = {code for code, gateway in file.gateway.items() if gateway.duty}
    return {code for code in codes if stated.get(code, code in below)}


def _instead(code: str, line: Reground, duties: set[str]) -> str:
    """Return a cell's code with one ground in the place of another."""
    read = parse(code, line.ground)
    told = [line.by if one == line.ground else one for one in read.duties]
    chosen = [line.by if one == line.ground else one for one in read.gateways]
    chosen += [one for one in told if one not in duties]
    told = [one for one in told if one in duties]
    due = {one for one in told if one}
    return written(read, due, {one for one in chosen if one} - due)
