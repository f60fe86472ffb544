"""Commands that read a policy pack: `pack cells`."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from typing import Final

import rich_click as click
from click.exceptions import UsageError

from sluss_schemas.policy import Pack, at, builtin, cells
from sluss_server.cli.common import EXIT_CODES, print_json, with_json
from sluss_server.clock import Clock

CELL_COLUMNS: Final = ("kind", "owner", "compartment", "audience", "code")


@click.group(epilog=EXIT_CODES)
def pack() -> None:
    """Read a policy pack."""


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


def _pack(pack_id: str | None) -> Pack:
    """Return a pack by its id, or the one in force today."""
    if pack_id is None:
        today = datetime.fromtimestamp(Clock()(), UTC).date()
        return at(builtin(), today)
    found = next((one for one in builtin() if one.id == pack_id), None)
    if found is None:
        known = ", ".join(one.id for one in builtin())
        raise UsageError(f"There is no such pack; there are: {known}.")
    return found
