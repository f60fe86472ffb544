"""Commands about policy packs: what there is, whether one holds, why a cell is as it is, and what another would change.

Refuses: to weigh or to adopt; a registrar's device adopts a pack, and lawyers say whether it may.
Source: docs/contract.md, "Command lines".
"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import rich_click as click
from click.exceptions import UsageError

from sluss_schemas.policy import Pack, PackRefused, at, builtin, cells, load, sketches
from sluss_schemas.policy.conditions import conditions
from sluss_schemas.policy.explain import dated, explain
from sluss_schemas.policy.pack import shipped
from sluss_schemas.policy.readers import Language
from sluss_schemas.policy.simulate import said, simulate
from sluss_server.cli.common import EXIT_CODES, print_json, refuse, with_json
from sluss_server.clock import Clock

DIFF_COLUMNS: Final = ("what", "before", "after")
CELL_COLUMNS: Final = ("kind", "owner", "compartment", "audience", "code")


@click.group(epilog=EXIT_CODES)
def pack() -> None:
    """Read a policy pack, and compare it with another."""


@pack.command(name="list", epilog=EXIT_CODES)
@with_json
def pack_list(*, as_json: bool) -> None:
    """Print the packs that this program has; sketches may not be adopted."""
    rows = [_described(one) for one in (*builtin(), *sketches())]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        built = f"  on {row['extends']}" if row["extends"] else ""
        click.echo(f"{row['id']}  {row['status']:<6}  from {row['valid_from']}  {row['digest']}{built}")


@pack.command(name="check", epilog=EXIT_CODES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--floor", metavar="PACK_ID", help="Refuse what is wider than this pack.")
@with_json
@click.pass_context
def pack_check(context: click.Context, file: Path, floor: str | None, *, as_json: bool) -> None:
    """Check a pack's file: its cells, its grounds, and the bounds of its jurisdiction.

    What it builds on is looked for among the shipped packs first, then beside it.
    """
    try:
        found = _read(file, floor=None if floor is None else _pack(floor))
    except PackRefused as refused:
        context.exit(refuse(refused.code, f"{refused.field}: {refused.say}", as_json=as_json))
    row = _described(found)
    if as_json:
        print_json(row)
        return
    click.echo(
        f"{row['id']} holds: {row['cells']} cells, digest {row['digest']}, {row['status']} of {row['jurisdiction']}."
    )


@pack.command(name="cells", epilog=EXIT_CODES)
@click.argument("pack_id", required=False)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", help="How to print them.")
@with_json
def pack_cells(pack_id: str | None, form: str, *, as_json: bool) -> None:
    """Print every cell of a pack; without PACK_ID of the one in force today."""
    rows = cells(_pack(pack_id))
    if as_json or form == "json":
        print_json([dict(zip(CELL_COLUMNS, row, strict=True)) for row in rows])
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CELL_COLUMNS)
    writer.writerows(rows)


lang_option = click.option(
    "--lang", type=click.Choice(["en", "sv"]), default="en", help="The language of what is said."
)


@pack.command(name="simulate", epilog=EXIT_CODES)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@lang_option
@with_json
def pack_simulate(old: str, new: str, lang: Language, *, as_json: bool) -> None:
    """Say who would gain and who would lose what if NEW took the place of OLD: ids of packs, or files."""
    before, after = _named(old), _named(new)
    changes, others = simulate(before, after), list(conditions(before, after))
    if as_json:
        rows = [msgspec.to_builtins(one) for one in changes]
        print_json(
            {"old": before.id, "new": after.id, "changes": rows, "conditions": [msgspec.to_builtins(o) for o in others]}
        )
        return
    for line in said(changes, lang):
        click.echo(line)
    if others:
        click.echo("Would ask for something else:" if lang == "en" else "Skulle kräva något annat:")
    for one in others:
        click.echo(f"  {one.en if lang == 'en' else one.sv}")


@pack.command(name="diff", epilog=EXIT_CODES)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@with_json
def pack_diff(old: str, new: str, *, as_json: bool) -> None:
    """Print every cell, ground and number that differs as `what,before,after`; OLD and NEW are ids or files."""
    before, after = _named(old), _named(new)
    rows = [
        *((f"{one.kind}.{one.owner}.{one.compartment}.{one.audience}", one.before, one.after)
          for one in simulate(before, after)),
        *((f"{one.name}.{one.field}" if one.field else one.name, one.before, one.after)
          for one in conditions(before, after)),
    ]  # fmt: skip
    if as_json:
        print_json([dict(zip(DIFF_COLUMNS, row, strict=True)) for row in rows])
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(DIFF_COLUMNS)
    writer.writerows(rows)


@pack.command(name="explain", epilog=EXIT_CODES)
@click.argument("cell")
@click.option("--pack", "name", metavar="PACK", help="Of this pack, by its id or its file; without it today's.")
@lang_option
@with_json
def pack_explain(cell: str, name: str | None, lang: Language, *, as_json: bool) -> None:
    """Say why a CELL, as `cells` names it with dots, is as it is: what holds, on which law, and what could open it."""
    chosen = _pack(None) if name is None else _named(name)
    keys = {one.rule_id: key for key, one in chosen.cells.items()}
    if cell.upper() not in keys:
        raise UsageError(f"{chosen.id} has no cell {cell}; `sluss pack cells` prints them all.")
    found = explain(chosen, *keys[cell.upper()], lang=lang)
    if as_json:
        print_json({"pack": chosen.id, **msgspec.to_builtins(found)})
        return
    click.echo(f"{found.rule_id} {found.code}  {chosen.id} from {chosen.valid_from}")
    click.echo(found.sentence)
    click.echo("; ".join(dated(chosen, found.law, lang)))


def _read(file: Path, floor: Pack | None = None) -> Pack:
    """Return the pack of a file, which may lie on shipped ones or on what is beside it."""

    def find(name: str) -> bytes | None:
        # Bounds that are shipped cannot be loosened by a file beside the pack.
        known, beside = shipped(name), file.parent / name
        return known if known is not None else beside.read_bytes() if beside.is_file() else None

    return load(file.read_bytes(), floor=floor, find=find)


def _named(what: str) -> Pack:
    """Return a pack by its id or by its file."""
    return _read(Path(what)) if Path(what).is_file() else _pack(what)


def _described(one: Pack) -> dict[str, object]:
    return {
        "id": one.id,
        "jurisdiction": one.jurisdiction,
        "status": one.status,
        "valid_from": one.valid_from.isoformat(),
        "extends": one.extends,
        "digest": one.digest.hex(),
        "cells": len(one.cells),
    }


def _pack(pack_id: str | None) -> Pack:
    """Return a pack by its id, or the one in force today."""
    if pack_id is None:
        today = datetime.fromtimestamp(Clock()(), UTC).date()
        return at(builtin(), today)
    every = (*builtin(), *sketches())
    found = next((one for one in every if one.id == pack_id), None)
    if found is None:
        known = ", ".join(one.id for one in every)
        raise UsageError(f"There is no such pack; there are: {known}.")
    return found
