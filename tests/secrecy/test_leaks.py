"""A canary in every part of every report, looked for wherever a host, a thief or a curious colleague could look.

Every kind of every owner was filed with every field filled.
The search knows a text in UTF-8, hex, base64 in each alignment, and UTF-16; that it finds one is shown first.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from sluss_client.device import Device
from sluss_client.errors import StoreError
from sluss_client.store import Store
from sluss_client.testing import PASSPHRASE
from sluss_schemas.ids import COMPARTMENT_NAMES

from tests.secrecy import expected
from tests.secrecy.canaries import CORE, canary, cells, databases, decrypted, files, leaks, named, needles, texts_of
from tests.secrecy.populated import READERS, Pair, Populated, Who
from tests.secrecy.raw import Answer, asking

WITH_TEXT: Final = {"SIT", "PLC", "SUB", "CAR", "ENF"}
"""The parts that hold text; an absent person's informant stands in the author section besides."""
readers = pytest.mark.parametrize("who", READERS, ids="/".join)


# the search itself

ENCODINGS: Final[dict[str, Callable[[str], bytes]]] = {
    "utf-8": lambda text: text.encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "base64+0": lambda text: base64.b64encode(b"abc" + text.encode() + b"?>~"),
    "base64+1": lambda text: base64.b64encode(b"abcd" + text.encode() + b"?>~"),
    "base64+2": lambda text: base64.b64encode(b"abcde" + text.encode() + b"?>~"),
    "base64url+0": lambda text: base64.urlsafe_b64encode(text.encode() + b"\xff\xfe"),
    "base64url+1": lambda text: base64.urlsafe_b64encode(b"\xff" + text.encode() + b"\xff\xfe"),
    "base64url+2": lambda text: base64.urlsafe_b64encode(b"\xff\xfe" + text.encode() + b"\xff\xfe"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_search_finds_a_planted_canary_in_a_file(tmp_path: Path, encoding: str) -> None:
    planted = canary(5, "SOC", "SUB")
    (tmp_path / "clean").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "dirty").write_bytes(bytes(1001) + ENCODINGS[encoding](planted) + bytes(1001))
    found = leaks(files(tmp_path))
    assert f"folder/dirty: {encoding}" in found
    assert all(where.startswith("folder/dirty: ") for where in found)
    assert leaks(files(tmp_path), "another text of a report") == []


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_search_finds_a_planted_canary_in_a_database_and_its_log(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "planted.db"
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, value BLOB)")
        long = bytes(9000) + ENCODINGS[encoding](canary(1, "SEC", "SIT")) + bytes(9000)
        connection.execute("INSERT INTO things (value) VALUES (?)", (long,))
        assert f"planted.db-wal: {encoding}" in leaks(files(tmp_path))
        assert f"planted.db:things: {encoding}" in leaks(cells(path))
    finally:
        connection.close()


def test_no_two_encodings_of_the_search_are_the_same_bytes() -> None:
    # Standard and URL-safe base64 agree for letters; everything else is its own.
    distinct = {name: needle for name, needle in needles(CORE).items() if "url" not in name}
    assert len(set(distinct.values())) == len(distinct) == 8


# what was filed


def all_texts(square: Populated) -> set[str]:
    """Return the names of the canaries that were filed."""
    return {name for (kind, owner), form in square.filed.items() for name in texts_of(form, kind, owner)}


def test_every_part_that_holds_text_carries_a_canary_of_its_own(square: Populated) -> None:
    wanted = {
        f"K{kind:02d}{owner}-{part}"
        for kind, owner in expected.pairs()
        for part in WITH_TEXT
        if expected.table()[kind, owner, part, owner].letter != "N"
    }
    wanted |= {f"K06{owner}-AUT" for kind, owner in expected.pairs() if kind == 6}
    assert all_texts(square) == wanted
    assert len(wanted) == 270


# the server


def test_no_canary_is_in_the_servers_folder_or_log(square: Populated) -> None:
    server = square.town.server
    assert server is not None
    found = [name for name, _ in files(server.data)]
    assert any(name.endswith("-wal") for name in found), found
    assert leaks(files(square.town.folder, without=".sluss")) == []


def test_no_canary_is_in_any_cell_of_the_servers_database(square: Populated) -> None:
    for database in databases(square.town):
        assert leaks(cells(database)) == []


def test_the_searched_folder_is_where_the_reports_are(square: Populated) -> None:
    stored = b"".join(value for database in databases(square.town) for _, value in cells(database))
    assert all(bytes(report_id) in stored for report_id in square.whole.values())
    on_disk = b"".join(data for _, data in files(square.town.folder, without=".sluss"))
    assert all(bytes(report_id) in on_disk for report_id in square.whole.values())


# the wire


@readers
def test_no_canary_is_in_anything_that_the_server_answers(square: Populated, who: Who) -> None:
    answers = square.run(everything_asked(square, who))
    assert sum(len(one.body) for one in answers) > 10_000
    assert leaks((one.asked, one.body + repr(one.headers).encode()) for one in answers) == []


async def everything_asked(square: Populated, who: Who) -> list[Answer]:
    """Return every answer of a sync from nothing."""
    async with asking(square.device(*who), square.town.url) as raw:
        return await raw.everything()


@readers
def test_no_canary_is_in_anything_that_a_device_has_sealed_to_send(square: Populated, who: Who) -> None:
    outbox = square.device(*who).local.outbox
    items = [(row.report_id.hex(), outbox.item(row)) for row in outbox.rows()]
    assert leaks(items) == []
    assert all(item for _, item in items)
    assert bool(items) == (who[1] == "author")


# the devices


def test_no_canary_is_in_the_file_of_any_store_while_it_is_open(square: Populated) -> None:
    stores = [(name, data) for name, data in files(square.town.folder) if ".sluss" in name]
    assert len([name for name, _ in stores if name.endswith(".sluss")]) >= len(READERS)
    assert any(name.endswith("-wal") for name, _ in stores)
    assert leaks(stores) == []


@pytest.mark.parametrize("sector", expected.SECTORS)
def test_an_authors_locked_store_shows_nothing_and_opens_for_no_other_passphrase(
    square: Populated, sector: str, tmp_path: Path
) -> None:
    # A copy of the whole store, as it is on a device that was taken; the author's own stays open.
    original = square.device(sector, "author").path
    for path in original.parent.glob(original.name + "*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    copy = tmp_path / original.name
    assert leaks(files(tmp_path)) == []
    for passphrase in ("", PASSPHRASE + " ", PASSPHRASE.upper()):
        with pytest.raises(StoreError) as refused:
            Store.open(copy, passphrase)
        assert refused.value.code == "wrong_passphrase"
    # The right one opens it, and then the canaries are there: the search looked at the right file.
    store = Store.open(copy, PASSPHRASE)
    try:
        assert len(named(decrypted(store).decode("latin-1"))) > 20
    finally:
        store.close()
    assert leaks(files(tmp_path)) == []


@readers
def test_a_device_holds_what_its_reader_may_have_in_full_and_nothing_else(square: Populated, who: Who) -> None:
    """Read every row of the store with the store's own key: what may not be read is not merely hidden."""
    held = named(decrypted(square.device(*who).local.store).decode("latin-1"))
    assert held == may_hold(square, who)


@readers
def test_no_call_of_the_sdk_gives_more_than_the_table_says(square: Populated, who: Who) -> None:
    said = named(" ".join(everything_said(square, square.device(*who))))
    assert said == may_hold(square, who)


def may_hold(square: Populated, who: Who) -> set[str]:
    """Return the canaries that a reader may have: those of parts open in full, and an author's own."""
    found: set[str] = set()
    for pair, form in square.filed.items():
        texts = texts_of(form, *pair)
        if who == (pair[1], "author"):
            found |= texts
        else:
            found |= {name for name in texts if open_in_full(square, pair, who, name[-3:])}
    return found


def open_in_full(square: Populated, pair: Pair, who: Who, part: str) -> bool:
    """Tell whether a part is open in full to a reader, in the report with duties or in its twins."""
    return "full" in {square.seen(pair, who).get(part), twin_form(square, pair, who, part)}


def twin_form(square: Populated, pair: Pair, who: Who, part: str) -> str | None:
    """Return how a part of a report filed without duties is open; the own supervisors have not opened those rows."""
    return None if who == (pair[1], "supervisors") else square.seen(pair, who, twin=True).get(part)


def everything_said(square: Populated, device: Device) -> Iterator[str]:
    """Yield what the SDK says, in every call that gives anything."""
    yield repr((device.waiting(), device.duties(), device.held(), device.people(), device.scenes()))
    for report in device.reports():
        for each in (report, device.get(report.id)):
            yield repr(each)
            yield repr((each.full_arrays(), each.author_extra(), each.readable, each.kind, each.scene))
            for part, name in COMPARTMENT_NAMES.items():
                if each.form_of(part) is not None:
                    yield repr(getattr(each, name))
                if each.form_of(part) == "full":
                    yield repr(each.coded(name))
    for form in square.filed.values():
        yield repr(type(form))
