"""Commands about policy packs: `pack list`, `pack check`, `pack cells`."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import rich_click as click
from click.exceptions import UsageError

from sluss_schemas.policy import Pack, PackRefused, at, builtin, cells, load, sketches
from sluss_schemas.policy.pack import shipped
from sluss_server.cli.common import EXIT_CODES, print_json, refuse, with_json
from sluss_server.clock import Clock

CELL_COLUMNS: Final = ("kind", "owner", "compartment", "audience", "code")


@click.group(epilog=EXIT_CODES)
def pack() -> None:
    """Read a policy pack."""


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

    def find(name: str) -> bytes | None:
        # Bounds that are shipped cannot be loosened by a file beside the pack.
        known, beside = shipped(name), file.parent / name
        return known if known is not None else beside.read_bytes() if beside.is_file() else None

    try:
        found = load(file.read_bytes(), floor=None if floor is None else _pack(floor), find=find)
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
