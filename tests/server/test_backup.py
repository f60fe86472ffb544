"""Backup and restore: one consistent moment of a running server, all of it or nothing, on either engine."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from sluss_schemas.codec import decode
from sluss_schemas.problems import Invalid
from sluss_schemas.signing import RECEIPT_LABEL, verify
from sluss_schemas.sync import Receipt
from sluss_server import datadir
from sluss_server.cli import keeping
from sluss_server.storage import schema, tables
from sluss_server.storage.engine import open_engine

from tests.http.server import SLUSS, environment_of, run
from tests.server.restored import (
    NEW_INSTANCE,
    Address,
    brought_back,
    contents,
    faults,
    give_folder,
    quietly,
    saved,
    settings,
)
from tests.server.town import AGENCIES, INSTANCE, NOW, Town

ENGINES = ("sqlite", "postgresql")
# Killed where the first rows are written, and where everything is written and only the mark is left.
CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from sluss_server.cli import keeping
from sluss_server.datadir import UNFINISHED_FILE
from sluss_server.settings import Settings

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

unlink = Path.unlink
if sys.argv[2] == "mark":
    Path.unlink = lambda self, **more: die() if self.name == UNFINISHED_FILE else unlink(self, **more)
tell = die if sys.argv[2] == "rows" else lambda rows: None
asyncio.run(keeping.bring_back(Settings.read(os.environ), Path(sys.argv[1]), 1, b"i" * 16, tell))
"""


async def town_on(url: str) -> Town:
    """Two agencies with five reports."""
    town = await (await Town(url).open()).build(AGENCIES[:3])
    await file_some(town, 5)
    return town


async def file_some(town: Town, number: int) -> list[bytes]:
    reports = [town.report("security", scene=1 + one % 3) for one in range(number)]
    outcomes = await town.outcomes(town.field("security"), *reports)
    assert {one[0] for one in outcomes} == {"created"}
    return [one.digest for one in reports]


async def held(town: Town) -> set[bytes]:
    async with town.engine.read() as connection:
        return set((await connection.execute(select(tables.reports.c.digest))).scalars())


def environment(folder: Path, url: str) -> dict[str, str]:
    return environment_of(folder, {"SLUSS_DATABASE_URL": url})


def backed_up_in(room: int, file: Path, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `sluss backup` where no file may be larger than so many bytes."""
    return subprocess.run(
        ["prlimit", f"--fsize={room}", *SLUSS, "backup", str(file)],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )


def killed_at(where: str, file: Path, given: dict[str, str]) -> int:
    """Run a restore that is killed, and return the process's end."""
    return subprocess.run([sys.executable, "-c", CHILD, str(file), where], env=given, check=False).returncode


class TestBackup:
    @pytest.mark.parametrize("source", ENGINES)
    @pytest.mark.parametrize("target", ENGINES)
    async def test_restores_everything_on_either_engine(
        self, tmp_path: Path, address: Address, source: str, target: str
    ) -> None:
        town = await town_on(address(source))
        file = await saved(town, tmp_path / "old")

        other = await brought_back(town, file, tmp_path / "new", address(target))

        assert await contents(other.engine) == await contents(town.engine)
        assert await other.puts(other.field("police")) == await town.puts(town.field("police"))
        await file_some(other, 2)
        assert await faults(other.engine) == []
        await town.close()
        await other.close()

    @pytest.mark.parametrize("engine", ENGINES)
    async def test_is_one_moment_while_reports_come_in(self, tmp_path: Path, address: Address, engine: str) -> None:
        town = await town_on(address(engine))
        folder, file = tmp_path / "old", tmp_path / "backup.sluss"
        give_folder(town, folder)
        before, done = await held(town), asyncio.Event()

        async def go_on() -> int:
            rounds = 0
            while not done.is_set():
                await file_some(town, 2)
                rounds += 1
            return rounds

        filing = asyncio.create_task(go_on())
        process = await asyncio.create_subprocess_exec(
            *SLUSS, "backup", str(file), "--json", env=environment(folder, str(town.path)), stdout=subprocess.PIPE
        )
        out, _ = await process.communicate()
        done.set()
        rounds = await filing

        printed = json.loads(out)
        assert printed["file"] == str(file)
        assert printed["bytes"] == file.stat().st_size
        assert printed["revision"] == schema.head()
        other = await brought_back(town, file, tmp_path / "new", address(engine))
        assert await faults(other.engine) == []
        assert sum(len(rows) for rows in (await contents(other.engine)).values()) == printed["rows"]
        kept = await held(other)
        assert before <= kept
        assert kept < await held(town)
        assert rounds > 3
        await town.close()
        await other.close()

    def test_is_the_owners_alone_and_written_over_nothing(self, tmp_path: Path) -> None:
        run("found", "Town", "--agency", "police", folder=tmp_path / "data")
        file = tmp_path / "backup.sluss"

        first = run("backup", str(file), folder=tmp_path / "data")
        content = file.read_bytes()
        second = run("backup", str(file), "--json", folder=tmp_path / "data")

        assert (first.returncode, first.stderr) == (0, "")
        assert file.stat().st_mode & 0o777 == 0o600
        assert (second.returncode, json.loads(second.stderr)["error"]["code"]) == (1, "backup_exists")
        assert file.read_bytes() == content

    @pytest.mark.skipif(shutil.which("prlimit") is None, reason="no prlimit here to bound a file's size with")
    async def test_leaves_nothing_where_there_is_no_room(self, tmp_path: Path, address: Address) -> None:
        town = await town_on(address("sqlite"))
        give_folder(town, tmp_path / "old")
        file = tmp_path / "backup.sluss"

        done = backed_up_in(60_000, file, environment(tmp_path / "old", str(town.path)))

        assert (done.returncode, done.stderr.split(":")[1]) == (1, " disk_full")
        assert not file.exists()
        await town.close()

    def test_of_nothing_is_refused_and_makes_nothing(self, tmp_path: Path) -> None:
        done = run("backup", str(tmp_path / "backup.sluss"), folder=tmp_path / "data")

        assert (done.returncode, list(tmp_path.iterdir())) == (1, [])

    async def test_of_an_older_schema_is_brought_to_this_one(self, tmp_path: Path, address: Address) -> None:
        url = address("sqlite")
        engine = open_engine(url)
        connection = await engine.writer_connection()
        async with connection.begin():
            await schema.build(connection, "0002")
            await connection.execute(
                tables.partnerships.insert().values(partnership_id=b"p" * 16, name="x", server_url="y", created_at=1)
            )
        await connection.close()
        await engine.close()
        town = Town(url)
        file = tmp_path / "backup.sluss"
        made = await keeping.save(give_folder(town, tmp_path / "old"), file, NOW, quietly)

        other = await brought_back(town, file, tmp_path / "new", address("sqlite"))

        assert (made.revision, made.rows) == ("0002", 1)
        assert await schema.current(other.engine) == schema.head()
        assert (await contents(other.engine))["partnerships"] == [(b"p" * 16, "x", "y", 1)]
        await other.close()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "one byte": lambda data: data[:1],
    "half": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-1],
    "without its digest": lambda data: data[:-32],
    "longer": lambda data: data + b"\0",
    "another head": lambda data: b"x" + data[1:],
    "a bit in the header": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "a bit in the middle": lambda data: data[: len(data) // 2] + b"?" + data[len(data) // 2 + 1 :],
    "a bit at the end": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
}


def damaged(file: Path, whole: Path, damage: Callable[[bytes], bytes]) -> None:
    file.write_bytes(damage(whole.read_bytes()))


class TestRestore:
    @pytest.fixture
    async def backed_up(self, tmp_path: Path, address: Address) -> Path:
        town = await town_on(address("sqlite"))
        file = await saved(town, tmp_path / "old")
        await town.close()
        return file

    async def test_of_a_damaged_file_touches_nothing(self, tmp_path: Path, backed_up: Path) -> None:
        file, folder = tmp_path / "damaged.sluss", tmp_path / "new"
        for name, damage in DAMAGE.items():
            damaged(file, backed_up, damage)

            with pytest.raises(Invalid, match="backup_damaged"):
                await keeping.bring_back(settings(folder, ""), file, NOW, NEW_INSTANCE, quietly)

            assert not folder.exists(), name

    async def test_goes_into_no_folder_that_is_used(self, tmp_path: Path, backed_up: Path) -> None:
        folder = tmp_path / "used"
        run("found", "Town", "--agency", "police", folder=folder)
        before = {one.name: one.read_bytes() for one in folder.iterdir()}

        done = run("restore", str(backed_up), "--json", folder=folder)

        assert (done.returncode, json.loads(done.stderr)["error"]["code"]) == (1, "not_empty")
        assert {one.name: one.read_bytes() for one in folder.iterdir()} == before

    @pytest.mark.parametrize("engine", ENGINES)
    async def test_goes_into_no_database_that_is_used(
        self, tmp_path: Path, backed_up: Path, address: Address, engine: str
    ) -> None:
        town = await Town(address(engine)).open()
        before = await contents(town.engine)

        with pytest.raises(Invalid, match="not_empty"):
            await keeping.bring_back(settings(tmp_path / "new", str(town.path)), backed_up, NOW, NEW_INSTANCE, quietly)

        assert list((tmp_path / "new").iterdir()) == []
        assert await contents(town.engine) == before
        await town.close()

    async def test_goes_into_a_folder_where_a_server_was_only_tried(self, tmp_path: Path, backed_up: Path) -> None:
        folder = tmp_path / "new"
        tried = run("serve", "--port", "0", folder=folder)

        done = run("restore", str(backed_up), "--json", folder=folder)

        assert tried.stderr.startswith("sluss: not_migrated: ")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout).keys() == {"file", "bytes", "rows", "revision", "made_at"}

    @pytest.mark.parametrize(("engine", "where"), [("sqlite", "rows"), ("sqlite", "mark"), ("postgresql", "rows")])
    async def test_that_was_killed_is_not_served_and_says_how_to_go_on(
        self, tmp_path: Path, backed_up: Path, address: Address, engine: str, where: str
    ) -> None:
        folder = tmp_path / "new"
        url = address(engine) if engine == "postgresql" else f"sqlite+aiosqlite:///{folder}/sluss.sqlite"
        given = {"SLUSS_DATABASE_URL": url}
        assert killed_at(where, backed_up, environment(folder, url)) == -signal.SIGKILL

        refused = [run(*one, folder=folder, **given) for one in (("serve", "--port", "0"), ("restore", str(backed_up)))]
        shutil.rmtree(folder)
        again = run("restore", str(backed_up), folder=folder, **given)

        for one in refused:
            assert one.returncode == 1
            assert one.stderr.startswith("sluss: not_restored: Delete the data folder")
        assert (again.returncode, again.stderr) == (0, "")
        engine_ = open_engine(url)
        assert await faults(engine_) == []
        async with engine_.read() as connection:
            assert (await connection.execute(select(func.count()).select_from(tables.reports))).scalar_one() == 5
        await engine_.close()

    async def test_keeps_the_receipt_key_and_draws_a_new_instance(self, tmp_path: Path, address: Address) -> None:
        town = await town_on(address("sqlite"))
        report = town.report("security")
        [outcome] = (await town.push(town.field("security"), report)).items
        file = await saved(town, tmp_path / "old")
        other = await brought_back(town, file, tmp_path / "new", address("sqlite"))

        [again] = (await other.push(other.field("security"), report)).items
        [fresh] = (await other.push(other.field("security"), other.report("security"))).items

        public = datadir.receipt_key(tmp_path / "new").public_key().public_bytes_raw()
        assert outcome.receipt == again.receipt
        for one, instance in ((again, INSTANCE), (fresh, NEW_INSTANCE)):
            assert one.receipt is not None
            assert one.receipt_signature is not None
            verify(public, one.receipt_signature, RECEIPT_LABEL + one.receipt, "receipt")
            assert decode(Receipt, one.receipt, "receipt").instance == instance
        assert datadir.instance(tmp_path / "new") == NEW_INSTANCE
        await town.close()
        await other.close()

    async def test_makes_feeds_that_begin_anew_each_time(self, tmp_path: Path, address: Address) -> None:
        town = await town_on(address("sqlite"))
        file = await saved(town, tmp_path / "old")
        late = await file_some(town, 1)
        new_scene = town.report("security", scene=4)
        await town.push(town.field("security"), new_scene)
        police = town.field("police")
        cursor = [page.position for page in (await town.pull(police)).pages]

        # The same backup twice, as after two fires; and a feed that the backup does not know.
        generations = set[int]()
        for number in (1, 2):
            now = NOW + 1000 * number
            other = await brought_back(town, file, tmp_path / f"new{number}", address("sqlite"), now=now)
            await other.push(other.field("security"), other.report("security", scene=4))
            answer = await other.pull(police, cursor)
            digests = {entry.digest for page in answer.pages for entry in page.entries}
            assert len(digests) == 6
            assert not digests & {*late, new_scene.digest}
            found = {page.position.generation for page in answer.pages}
            assert len(found) == 1
            assert not found & generations
            generations |= found
            cursor = [page.position for page in answer.pages]
            await other.close()
        await town.close()

    async def test_of_a_database_with_another_folder_is_not_served(self, tmp_path: Path, address: Address) -> None:
        town = await town_on(address("sqlite"))
        file, url = await saved(town, tmp_path / "old"), address("sqlite")
        other = await brought_back(town, file, tmp_path / "new", url)
        await other.close()
        await town.close()

        done = run("serve", "--port", "0", folder=tmp_path / "old", SLUSS_DATABASE_URL=url)

        assert done.returncode == 1
        assert done.stderr.startswith("sluss: key_damaged: Copy receipt.key and instance")

    async def test_is_refused_by_an_older_program(
        self, tmp_path: Path, backed_up: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "known", lambda revision: revision == "0001")

        with pytest.raises(Invalid, match="or a later one"):
            await keeping.bring_back(settings(tmp_path / "new", ""), backed_up, NOW, NEW_INSTANCE, quietly)
