"""Canaries: a text that occurs nowhere else, in every part of every report, and the search for it in any bytes.

All canaries of a town have one core, so a search for the core in every encoding finds every one of them; what follows
the core says which report and part it came from.
Safety has no canary, because that part is made of code numbers and holds no text at all.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from sluss_client.store import Store
from sluss_client.testing import Town
from sluss_schemas.forms import FORMS, Form, Person, Place
from sluss_schemas.forms.base import fields

from tests.forms.samples import canary_form

CORE: Final = "QzqJxwVkKrZpXyHg"
"""Letters in no word of any language, and not all of one case, so that each encoding of them is one of its own."""
_NAMED: Final = re.compile(CORE + r"(K\d\d[A-Z]{3}-[A-Z]{3})")
_BITS_OF_BASE64: Final = 6
_SQLITE: Final = b"SQLite format 3\0"


def canary(kind: int, owner: str, part: str) -> str:
    """Return the canary of one part of one report."""
    return f"{CORE}K{kind:02d}{owner}-{part}"


def form_with_canaries(kind: int, owner: str, **changes: object) -> Form:
    """Return a form with every field filled, and in every text the canary of its part."""
    form = FORMS[kind]
    texts: dict[str, object] = {
        field.name: canary(kind, owner, field.compartment) for field in fields(form) if field.kind_of_value == "text"
    }
    filled = canary_form(kind, **texts)
    place, subject = getattr(filled, "place", None), getattr(filled, "subject", None)
    if isinstance(place, Place):
        texts["place"] = _marked(place, canary(kind, owner, "PLC"))
    if subject:
        texts["subject"] = [_marked(person, canary(kind, owner, "SUB")) for person in subject]
    return canary_form(kind, **(texts | changes))


def _marked(declared: Place | Person, mark: str) -> Place | Person:
    values = {name: getattr(declared, name) for name in declared.__struct_fields__}
    texts = {field.name: mark for field in fields(type(declared)) if field.kind_of_value == "text"}
    return type(declared)(**(values | texts))


def texts_of(form: Form, kind: int, owner: str) -> set[str]:
    """Return the canaries that a form carries, by the names that `named` finds."""
    return named(repr(form)) & {f"K{kind:02d}{owner}-{part}" for part in ("SIT", "PLC", "SUB", "CAR", "ENF", "AUT")}


def named(text: str) -> set[str]:
    """Return which canaries occur in a text, as `K01SEC-SUB`."""
    return set(_NAMED.findall(text))


def needles(text: str) -> dict[str, bytes]:
    """Return every form in which a text could lie in bytes."""
    raw = text.encode()
    found = {
        "utf-8": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
    }
    for before in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            # What stands before and after shares characters with the text's first and last bits; those are left out.
            whole = encode(bytes(before) + raw)
            first = -(-before * 8 // _BITS_OF_BASE64)
            last = (before + len(raw)) * 8 // _BITS_OF_BASE64
            found[f"{name}+{before}"] = whole[first:last]
    return found


def leaks(haystacks: Iterable[tuple[str, bytes]], text: str = CORE) -> list[str]:
    """Return where a text occurs, and how written: `server/sluss.db: base64+1`."""
    wanted = needles(text)
    return sorted(
        {f"{where}: {encoding}" for where, data in haystacks for encoding, needle in wanted.items() if needle in data}
    )


def files(folder: Path, *, without: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield every file under a folder, but for those whose name holds `without`."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not (without and without in path.name):
            yield str(path.relative_to(folder)), path.read_bytes()


def cells(database: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each value of each table as one piece, since SQLite cuts long values at the ends of its pages."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name from the schema itself
                for value in row:
                    if isinstance(value, bytes | str):
                        yield f"{database.name}:{name}", value if isinstance(value, bytes) else value.encode()
    finally:
        connection.close()


def databases(town: Town) -> list[Path]:
    """Return the database files of a town's server."""
    assert town.server is not None
    found = [path for path in town.server.data.rglob("*") if path.is_file() and _is_sqlite(path)]
    assert found
    return found


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def decrypted(store: Store) -> bytes:
    """Return every row of a device's store in the clear, by the store's own key."""
    spaces = [space for (space,) in store._connection.execute("SELECT DISTINCT space FROM rows")]
    rows = [key + b" " + data for space in spaces for key, data in store.items(space)]
    assert rows
    return b"\n".join(rows)
