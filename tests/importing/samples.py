"""Small files to import, written by hand, and how a test looks at what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sluss_client import importing, mappings
from sluss_client.device import Device
from sluss_client.importing import Summary
from sluss_client.mappings.rows import Made
from sluss_client.mappings.table import Bad
from sluss_client.saving import SOURCE

EVENTS: Final = """
kind = { column = "type", table = { Fight = { kind = "order_incident", sub_kind = "quarrel" }, Sum = "skip", \
"Found, goods" = { kind = "seizure_or_find", found_as = "find" }, \
Grave = { kind = "order_incident", sub_kind = "assault", severity = 2 } } }
source = { prefix = "events", columns = ["id"] }
scene = { columns = ["title", "place"] }
observed_at = { column = "when", zone = "Europe/Stockholm" }
fields = { situation = { column = "text" } }
"""
VERSIONS: Final = EVENTS + 'version = "version"\n'
HEADINGS: Final = "id,version,when,type,title,place,text"


def mapping_file(folder: Path, text: str = EVENTS, name: str = "mine.toml") -> str:
    """Write a mapping and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def csv_file(folder: Path, rows: Sequence[str], headings: str = HEADINGS, name: str = "events.csv") -> Path:
    """Write a CSV and return its path."""
    path = folder / name
    path.write_text("\n".join([headings, *rows]) + "\n", encoding="utf-8")
    return path


def read(folder: Path, rows: Sequence[str], text: str = EVENTS, headings: str = HEADINGS) -> list[object]:
    """Return what a mapping makes of rows."""
    mapping = mappings.load(mapping_file(folder, text))
    return list(importing.reader(csv_file(folder, rows, headings), mapping))


def made(rows: Sequence[object]) -> list[Made]:
    """Return the rows that became forms."""
    return [row for row in rows if isinstance(row, Made)]


def refused(rows: Sequence[object]) -> list[tuple[int, str, str]]:
    """Return row, code and field of the rows that did not."""
    return [(row.row, row.code, row.field) for row in rows if isinstance(row, Bad)]


async def imported(
    device: Device, folder: Path, rows: Sequence[str], text: str = EVENTS, headings: str = HEADINGS
) -> tuple[Summary, list[tuple[int, str, str]]]:
    """Import rows and return the summary, and row, code and field of what was not taken."""
    bad: list[Bad] = []
    mapping = mappings.load(mapping_file(folder, text))
    summary = await importing.run(device, importing.reader(csv_file(folder, rows, headings), mapping), told=bad.append)
    return summary, refused(bad)


def sources(device: Device) -> dict[str, bytes]:
    """Return the report id of every source that the store knows."""
    return {key.decode(): report for key, report in device.local.store.items(SOURCE)}
