"""The table of cells that the pack is held against, and packs that differ from the shipped one in a few places.

`cells.csv` states the secrecy page's tables cell by cell, one line per kind, owner and compartment; it is no
output of the pack and is edited only when the page is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

import msgspec

from sluss_schemas.ids import COLUMNS
from sluss_schemas.policy import Pack, builtin
from sluss_schemas.policy.cells import parse

HERE = Path(__file__).parent
PAGE_TABLE = HERE.parents[2] / "shared" / "design" / "default_policy.csv"
"""The secrecy page's own table, where the design pages lie beside the repository."""
PACK_BYTES = resources.files("sluss_schemas.policy").joinpath("packs/SE-2026-01-15.toml").read_bytes()


def shipped() -> Pack:
    """Return the pack that the tests are about."""
    return next(pack for pack in builtin() if pack.id == "SE-2026-01-15")


def stated() -> dict[str, str]:
    """Return the code that `cells.csv` states for every rule id."""
    with (HERE / "cells.csv").open(encoding="utf-8", newline="") as file:
        return {
            f"{line['kind']}.{line['owner']}.{line['compartment']}.{column}": line[column]
            for line in csv.DictReader(file)
            for column in COLUMNS
        }


def differences(pack: Pack, table: Mapping[str, str]) -> list[str]:
    """Return the rule ids at which a pack and a table disagree, or that only one of them has."""
    codes = {cell.rule_id: cell.code for cell in pack.cells.values()}
    if codes.keys() != table.keys():
        return sorted(codes.keys() ^ table.keys())
    return [rule for rule, code in codes.items() if table[rule] != code]


def edited(cells: Mapping[str, str] | None = None, texts: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return the shipped pack's file with pieces of text replaced once and overrides added for some cells."""
    text = PACK_BYTES.decode()
    for old, new in texts:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        text = text.replace(old, new)
    for rule, code in (cells or {}).items():
        kind, owner, compartment, column = rule.split(".")
        text += (
            f'\n[[override]]\nkind = "{kind}"\nowners = ["{owner}"]\ncompartments = ["{compartment}"]\n'
            f'reaches_owner = true\ncells = {{ {column} = "{code}" }}\nlaw = []\nen = "changed"\nsv = "changed"\n'
        )
    return text.encode()


def with_cells(pack: Pack, cells: Mapping[str, str]) -> Pack:
    """Return a pack with some cells changed, past every check."""
    changed = dict(pack.cells)
    by_rule = {cell.rule_id: key for key, cell in pack.cells.items()}
    for rule, code in cells.items():
        read = parse(code, rule)
        old = changed[by_rule[rule]]
        changed[by_rule[rule]] = msgspec.structs.replace(
            old,
            code=code,
            automatic=read.automatic,
            duties=read.duties,
            gateways=read.gateways,
            as_content=read.as_content,
        )
    return msgspec.structs.replace(pack, cells=changed)
