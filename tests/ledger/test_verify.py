# ruff: noqa: S608 - the statements are built of this file's own constants
"""An exported ledger proves itself without a server, and names the row at which it was changed."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from sluss_schemas import ledgerfile
from sluss_schemas.checkpoint import key_hash, sign_note, verifier_key
from sluss_schemas.codec import encode
from sluss_schemas.ledger import commitment, leaf_hash
from sluss_schemas.ledgerfile import Verified
from sluss_schemas.merkle import Frontier
from sluss_server.cli import ledger as command
from sluss_server.storage import ledger
from sluss_server.storage.ledger import Leaf

from tests.http.server import run
from tests.ledger.asking import answer, opened
from tests.server.restored import settings
from tests.server.sealer import SignKey
from tests.server.town import Town

LEAVES: Final = 40
DAY_ONE: Final = 3
"""Leaves when the first day's checkpoint was signed."""
ROWS: Final = (1, 20, LEAVES)
COLUMNS: Final = ("partnership_id", "agency", "seq", "action", "salt", "content", "leaf")
_OWN: Final = "agency = (SELECT agency FROM ledger_heads ORDER BY seq DESC LIMIT 1)"


@dataclass(frozen=True)
class Kept:
    """What is left of a town: its database, and what a device had kept and noted."""

    database: Path
    note: bytes
    key: bytes


async def _grow(folder: Path) -> Kept:
    """Let the guards' ledger have so many leaves, two days long."""
    town = await (await Town(folder / "town.db").open()).build()
    guard = town.field("security")
    await town.push(guard, town.report("security"), town.report("security"))
    await town.pull(guard)
    kept = (await answer(town, guard)).note
    town.clock.now += 86_400

    async def rest(connection: Any) -> None:  # noqa: ANN401  # the writer's connection
        size = (await ledger.tree(connection, town.partnership, guard.agency.id)).size
        rows = [Leaf(guard.agency.id, "test", encode(("test", b"", b"", at))) for at in range(LEAVES - size)]
        await ledger.append(connection, town.partnership, rows, lambda size: b"s" * size)

    await town.writer.submit(rest)
    newest = (await answer(town, guard)).note
    assert [opened(town, guard, note).size for note in (kept, newest)] == [DAY_ONE, LEAVES]
    await town.close()
    genesis = guard.agency.directory.genesis
    assert genesis is not None
    return Kept(folder / "town.db", kept, genesis.checkpoint)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A ledger as it was written."""
    return asyncio.run(_grow(tmp_path_factory.mktemp("ledger")))


@dataclass(frozen=True)
class Copy:
    """A copy of the town's database, to be changed and exported."""

    folder: Path
    town: Kept

    def __call__(self, *statements: tuple[str, tuple[object, ...]], **given: Any) -> Verified:  # noqa: ANN401
        """Change a fresh copy, export its ledger and verify that."""
        number = len(list(self.folder.iterdir()))
        database, file = self.folder / f"{number}.db", self.folder / f"{number}.jsonl"
        with closing(sqlite3.connect(self.town.database)) as before, closing(sqlite3.connect(database)) as copy:
            before.backup(copy)
            for statement, values in statements:
                assert copy.execute(statement, values).rowcount > 0
            copy.commit()
        url = f"sqlite+aiosqlite:///{database}"
        asyncio.run(command.save(settings(self.folder, url), "security", file, 0))
        with file.open("rb") as lines:
            return ledgerfile.verify(lines, **given)

    def lines(self) -> list[bytes]:
        """Export the ledger as it is, and return its lines."""
        assert self().sound
        return max(self.folder.glob("*.jsonl"), key=lambda one: int(one.stem)).read_bytes().splitlines()


@pytest.fixture
def exported(tmp_path: Path, town: Kept) -> Copy:
    """Whatever is to be exported."""
    return Copy(tmp_path, town)


def flipped(value: object) -> object:
    """The same with one bit of its first byte another, or one more."""
    if isinstance(value, int):
        return value + 1_000
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:]
    assert isinstance(value, bytes)
    return bytes([value[0] ^ 1]) + value[1:]


def rows(town: Kept, *columns: str) -> Iterator[tuple[Any, ...]]:
    with closing(sqlite3.connect(town.database)) as connection:
        yield from connection.execute(f"SELECT {', '.join(columns)} FROM ledger_leaves WHERE {_OWN} ORDER BY seq")


def named(found: Verified) -> list[str]:
    return [one.row for one in found.faults]


def test_what_was_not_touched_is_sound(exported: Copy, town: Kept) -> None:
    found = exported(key=town.key, witnessed=[town.note])

    assert found.faults == []
    assert (found.agency, found.leaves, found.erased, found.beyond) == ("security", LEAVES, 0, 0)
    assert [one.size for one in found.checkpoints] == [DAY_ONE, DAY_ONE, LEAVES]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("column", COLUMNS)
def test_one_changed_byte_of_any_column_is_named(exported: Copy, town: Kept, column: str, row: int) -> None:
    value = list(rows(town, column))[row - 1][0]
    change = f"UPDATE ledger_leaves SET {column} = ? WHERE {_OWN} AND seq = ?"

    found = exported((change, (flipped(value), row)))

    # The last row, numbered a thousand higher, leaves a gap that is named to its end.
    assert named(found)[0] in {f"leaf {row}", f"leaves {row} to 1039"}


@pytest.mark.parametrize("row", ROWS)
def test_every_bit_of_a_row_counts(exported: Copy, row: int) -> None:
    lines = exported.lines()
    at = next(at for at, line in enumerate(lines) if json.loads(line).get("seq") == row)
    document = json.loads(lines[at])
    for name in ("salt", "content", "leaf"):
        data = base64.b64decode(document[name])
        for place in range(len(data)):
            other = data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]
            changed = json.dumps({**document, name: base64.b64encode(other).decode()}).encode()
            assert f"leaf {row}" in named(ledgerfile.verify([*lines[:at], changed, *lines[at + 1 :]]))


@pytest.mark.parametrize("row", ROWS)
def test_a_removed_row_is_named(exported: Copy, row: int) -> None:
    found = exported((f"DELETE FROM ledger_leaves WHERE {_OWN} AND seq = ?", (row,)))
    assert named(found)[0] == f"leaf {row}"


def test_removed_rows_whose_place_was_closed_are_named(exported: Copy) -> None:
    found = exported(
        (f"DELETE FROM ledger_leaves WHERE {_OWN} AND seq = ?", (20,)),
        (f"UPDATE ledger_leaves SET seq = -(seq - 1) WHERE {_OWN} AND seq > ?", (20,)),
        (f"UPDATE ledger_leaves SET seq = -seq WHERE {_OWN} AND seq < ?", (0,)),
    )
    assert "leaf 40" in named(found)
    assert "leaves 17 to 32" in named(found)


def test_a_row_that_was_written_anew_whole_is_found_in_its_block(exported: Copy) -> None:
    content = encode(("test", b"", b"", 999))
    rewritten = (b"t" * 32, content, commitment(b"t" * 32, content), 20)
    change = f"UPDATE ledger_leaves SET salt = ?, content = ?, leaf = ? WHERE {_OWN} AND seq = ?"

    found = exported((change, rewritten))

    assert named(found) == [f"leaves {DAY_ONE + 1} to {LEAVES}", "leaves 17 to 32", "head"]


def test_a_whole_tree_that_was_made_anew_is_not_what_was_signed_for(exported: Copy, town: Kept) -> None:
    content = encode(("test", b"", b"", 999))
    made = commitment(b"t" * 32, content)
    leaves = [(action, made if seq == 20 else leaf) for seq, action, leaf in rows(town, "seq", "action", "leaf")]
    tree, nodes = Frontier(), list[tuple[str, tuple[object, ...]]]()
    for action, leaf in leaves:
        nodes += [
            (f"UPDATE ledger_nodes SET hash = ? WHERE {_OWN} AND level = ? AND number = ?", (root, *node))
            for node, root in tree.append(leaf_hash(action, leaf))
            if node.level == 4
        ]
    change = f"UPDATE ledger_leaves SET salt = ?, content = ?, leaf = ? WHERE {_OWN} AND seq = ?"

    found = exported(
        (change, (b"t" * 32, content, made, 20)),
        (f"UPDATE ledger_heads SET peaks = ? WHERE {_OWN}", (bytes(tree),)),
        *nodes,
    )

    assert named(found) == [f"leaves {DAY_ONE + 1} to {LEAVES}"]


@pytest.mark.parametrize(
    ("change", "values", "row"),
    [
        ("UPDATE ledger_nodes SET hash = ? WHERE {own} AND number = 1", (bytes(32),), "leaves 17 to 32"),
        ("DELETE FROM ledger_nodes WHERE {own} AND number = 1", (), "leaves 17 to 32"),
        ("UPDATE ledger_nodes SET number = 9 WHERE {own} AND number = 1", (), "leaves 145 to 160"),
        ("UPDATE ledger_heads SET peaks = ? WHERE {own}", (bytes(64),), "head"),
        ("UPDATE ledger_heads SET seq = 41, peaks = ? WHERE {own}", (bytes(96),), "leaf 41"),
        ("UPDATE ledger_checkpoints SET note = replace(note, 'time 1', 'time 2') WHERE {own}", (), "checkpoint 3"),
    ],
)
def test_a_changed_proof_is_named(exported: Copy, change: str, values: tuple[object, ...], row: str) -> None:
    if "ledger_checkpoints" in change:
        change = "UPDATE ledger_checkpoints SET note = CAST(replace(CAST(note AS TEXT), 'time 1', 'time 2') AS BLOB)"
    assert row in named(exported((change.format(own=_OWN), values)))


class TestErased:
    def test_with_a_leaf_that_records_it_is_sound(self, town: Kept, tmp_path: Path) -> None:
        database = tmp_path / "erased.db"
        with closing(sqlite3.connect(town.database)) as before, closing(sqlite3.connect(database)) as copy:
            before.backup(copy)
            [[agency, partnership]] = copy.execute(
                f"SELECT agency, partnership_id FROM ledger_heads WHERE {_OWN}"
            ).fetchall()

        async def erase() -> None:
            there = await Town(database).open()
            await there.writer.submit(
                lambda one: ledger.forget(
                    one, partnership, agency, [(2, 4), (20, 20)], code="retention", now=1, random=lambda n: b"s" * n
                )
            )
            await there.close()

        asyncio.run(erase())
        found = Copy(tmp_path, Kept(database, town.note, town.key))(witnessed=[town.note])

        assert found.faults == []
        assert (found.leaves, found.erased, found.beyond) == (LEAVES + 1, 4, 1)

    def test_without_one_is_named(self, exported: Copy) -> None:
        change = f"UPDATE ledger_leaves SET salt = x'', content = x'' WHERE {_OWN} AND seq = ?"
        assert named(exported((change, (20,)))) == ["leaf 20"]


class TestKeys:
    def test_another_key_than_the_pinned_one_is_none(self, exported: Copy) -> None:
        found = exported(key=SignKey().public)
        assert "genesis" in named(found)
        assert found.checkpoints == []

    def test_a_checkpoint_of_a_ledger_that_was_hidden_is_named(self, exported: Copy, town: Kept) -> None:
        lines = exported.lines()
        assert ledgerfile.verify(lines, witnessed=[town.note]).sound
        for note in (town.note.replace(b"time", b"tome"), b"", b"\n\n", fork_of(town.note)):
            assert not ledgerfile.verify(lines, witnessed=[note]).sound

    def test_a_genesis_of_somebody_else_is_none(self, exported: Copy) -> None:
        header, *rest = exported.lines()
        document = json.loads(header)
        for change in ({"agency": "00" * 16}, {"genesis": ""}, {"partnership": "11" * 16}, {"format": 2}):
            changed = json.dumps({**document, **change}).encode()
            assert not ledgerfile.verify([changed, *rest]).sound


def fork_of(note: bytes) -> bytes:
    """A note over the same size by another key."""
    text = note.decode().partition("\n\n")[0] + "\n"
    key, name = SignKey(), text.partition("\n")[0]
    assert key_hash(name, key.public) not in note
    return sign_note(text, name, key.public, key.sign)


def test_any_line_that_is_missing_or_broken_is_noticed(exported: Copy) -> None:
    lines = exported.lines()
    for at in range(len(lines)):
        changes: Iterable[list[bytes]] = (
            [*lines[:at], *lines[at + 1 :]],
            [*lines[:at], b"{", *lines[at + 1 :]],
            lines[:at],
        )
        # A checkpoint that is not there is missed by whoever kept one.
        if json.loads(lines[at])["type"] != "checkpoint":
            assert all(not ledgerfile.verify(changed).sound for changed in changes)


def test_the_command_verifies_without_a_server(exported: Copy, town: Kept, tmp_path: Path) -> None:
    lines = exported.lines()
    good, bad, note = tmp_path / "good", tmp_path / "bad", tmp_path / "note"
    good.write_bytes(b"\n".join(lines))
    bad.write_bytes(b"\n".join(line for line in lines if json.loads(line).get("seq") != 20))
    note.write_bytes(town.note)
    key = verifier_key(town.note.decode().partition("\n")[0], town.key)
    nowhere = tmp_path / "nowhere"

    done = run("ledger", "verify", str(good), "--checkpoint", str(note), "--key", key, folder=nowhere)
    refused = run("ledger", "verify", str(bad), "--json", folder=nowhere)

    assert (done.returncode, refused.returncode) == (0, 1), done.stderr
    assert "Nothing was changed or taken away." in done.stdout
    assert json.loads(refused.stdout)["faults"][0]["row"] == "leaf 20"
    assert not nowhere.exists()
