"""What every reader may see of every kind, worked out from the table of cells alone.

It is a second writing of the secrecy page's rules and shares no code with the product's decision: the CSV is read
here, its codes are taken apart here, and the carrier rule, the duties and the case staff are written down once more.

Source: docs/secrecy-rules.md, "How the pack meets the keys".
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

CELLS: Final = Path(__file__).resolve().parents[1] / "policy" / "cells.csv"
SECTORS: Final = {"POL": "police", "SOC": "social_services", "SEC": "security", "MUN": "municipality", "HLT": "health"}
PARTS: Final = ("SIT", "PLC", "SUB", "CAR", "ENF", "SAF", "AUT", "ATT")
NAMES: Final = {
    "SIT": "situation",
    "PLC": "place",
    "SUB": "subject",
    "CAR": "care",
    "ENF": "enforcement",
    "SAF": "safety",
    "AUT": "author",
    "ATT": "attachments",
}
"""The parts by the names that the SDK gives them."""
CASE_STAFF: Final = {6: "", 7: "", 12: "SIT SAF", 19: ""}
"""Kinds whose `O` means the author and named staff, and what the whole field audience has all the same."""
SEALED_AUTHOR: Final = {15}
"""Kinds whose author only the own supervisors may learn."""
ABOUT_A_PERSON: Final = frozenset({"SUB", "CAR", "ENF", "SAF"})
AT_FILING: Final = {"L11": ("SOC", "reception"), "L14": ("POL", "field")}
"""The duties that the author answers at filing, and whom they tell; both lift situation and place in full."""

Form = Literal["full", "brief"]
Seen = dict[str, Form]
"""The open parts of a report; empty where the report does not exist for this reader."""
Role = Literal["field", "author", "case_staff", "supervisors", "reception"]


class Codes(NamedTuple):
    """One cell, taken apart: its letter if it has one, its duties and its gateways."""

    letter: str
    duties: frozenset[str]
    gateways: frozenset[str]


@cache
def table() -> dict[tuple[int, str, str, str], Codes]:
    """Return every cell by kind, owner, part and column."""
    with CELLS.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return {
        (int(line["kind"][1:]), line["owner"], line["compartment"], column): _codes(line[column])
        for line in lines
        for column in (*SECTORS, "SUP")
    }


def _codes(cell: str) -> Codes:
    letter, found = "", dict[str, list[str]]()
    for part in cell.split(" / "):
        if len(part) == 1:
            letter = part
        else:
            found[part[0]] = part[2:].split(",")
    return Codes(letter, frozenset(found.get("T", ())), frozenset(found.get("B", ())))


def pairs() -> list[tuple[int, str]]:
    """Return every kind with every owner of it."""
    return sorted({(kind, owner) for kind, owner, _, _ in table()})


def column(sector: str, role: Role) -> str:
    """Return the column in which a reader of another agency, or of the own, stands."""
    return "SUP" if role == "supervisors" else sector


def offered(kind: int, owner: str) -> set[str]:
    """Return the duties that a fully filled form puts to its author; attachments are never part of a form."""
    return {
        code
        for code, (sector, _) in AT_FILING.items()
        if sector != owner
        for part in PARTS
        if part != "ATT" and code in table()[kind, owner, part, sector].duties
    }


def seen(
    kind: int, owner: str, sector: str, role: Role, sent: Iterable[str] = (), *, agreed: Mapping[str, str] | None = None
) -> Seen:
    """Return what a reader has of a report in whose filing the duties `sent` were answered "send".

    What two agencies `agreed` on, by part, is read in the stead of a cell that leaves it to them, by field staff alone.

    For the own supervisors: after they have opened the row.
    """
    row = {part: table()[kind, owner, part, column(sector, role)] for part in PARTS}
    if sector == owner:
        return _own(kind, row, role)
    if role == "field":
        left = {part: code for part, code in (agreed or {}).items() if row[part].letter == "D"}
        row |= {part: row[part]._replace(letter=code) for part, code in left.items()}
    base: Seen = {}
    for part, codes in row.items():
        if codes.letter == "A":
            base[part] = "full"
        elif codes.letter in {"R", "P"}:
            base[part] = "brief"
    found: Seen = dict(base) if role == "field" and "SIT" in base else {}
    for code in sent:
        if AT_FILING[code] == (sector, role):
            found = {**base, **found, **_told(row, code)}
    return found


def _told(row: dict[str, Codes], code: str) -> Seen:
    told: Seen = {part: "full" for part, codes in row.items() if code in codes.duties}
    if ABOUT_A_PERSON & told.keys():
        told |= {part: "full" for part in ("SIT", "PLC") if row[part].letter not in {"X", "N"}}
    return told


def _own(kind: int, row: dict[str, Codes], role: Role) -> Seen:
    if role == "supervisors":
        opened: Seen = {part: "full" for part, codes in row.items() if "L22" in codes.gateways}
        return {**opened, "AUT": "full"} if kind in SEALED_AUTHOR else opened
    if role == "reception":
        return {}
    owned: Seen = {part: "full" for part, codes in row.items() if codes.letter == "O"}
    if kind in CASE_STAFF and role == "field":
        return {part: form for part, form in owned.items() if part in CASE_STAFF[kind].split()}
    return owned
