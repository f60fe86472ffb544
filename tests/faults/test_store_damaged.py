"""A store that is damaged, locked, in the way or opened with the wrong passphrase: a code for each, and no change."""

# ruff: noqa: ASYNC240  # files are looked at between the steps; nothing else runs on the loop

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluss_client import Device, Invalid, NotFound, Offline, Refused, SlussError, StoreError
from sluss_client import store as module
from sluss_client.testing import PASSPHRASE, Town

from tests.faults.samples import AGENCIES, incident, reads, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = 4096


async def forty_reports() -> bytes:
    async with Town(agencies=AGENCIES) as town:
        guard = await town.device("security")
        for number in range(40):
            guard.file(incident(town.clock.now(), f"{number} " + "x" * 900))
        await guard.sync()
        guard.file(incident(town.clock.now(), "never sent"))
        await guard.close()
        return guard.path.read_bytes()


@pytest.fixture(scope="module")
def whole_store() -> bytes:
    """A device's store with forty reports and one that was never sent, as it was closed."""
    return asyncio.run(forty_reports())


@pytest.fixture
def closed(tmp_path: Path, whole_store: bytes) -> Path:
    """A copy of that store."""
    path = tmp_path / "closed.sluss"
    path.write_bytes(whole_store)
    return path


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def one_page(data: bytes) -> bytes:
    return data[:PAGE]


def header_page(data: bytes) -> bytes:
    return random.Random(1).randbytes(PAGE) + data[PAGE:]


def header_page_but_its_beginning(data: bytes) -> bytes:
    return data[:100] + random.Random(2).randbytes(PAGE - 100) + data[PAGE:]


def middle_page(data: bytes) -> bytes:
    middle = len(data) // PAGE // 2 * PAGE
    return data[:middle] + random.Random(3).randbytes(PAGE) + data[middle + PAGE :]


def every_page_but_the_first(data: bytes) -> bytes:
    return data[:PAGE] + random.Random(4).randbytes(len(data) - PAGE)


def empty(_data: bytes) -> bytes:
    return b""


def text_file(_data: bytes) -> bytes:
    return b"Meeting on Monday at ten.\n" * 400


def another_database(_data: bytes) -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE header (id INTEGER, value TEXT)")
        connection.execute("INSERT INTO header VALUES (1, 'a recipe')")
        whole: bytes = connection.serialize()
    connection.close()
    return whole


async def use(path: Path) -> list[str]:
    """Open a store and look at everything in it."""
    async with await Device.open(path, PASSPHRASE) as device:
        found = texts(device)
        device.waiting()
        if not device.local.store.check():
            raise StoreError("store_damaged", "check")
        return found


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        one_page,
        header_page,
        header_page_but_its_beginning,
        middle_page,
        every_page_but_the_first,
        empty,
        text_file,
        another_database,
    ],
)
async def test_a_damaged_store_says_so_and_is_not_changed(closed: Path, damage: Callable[[bytes], bytes]) -> None:
    damaged = damage(closed.read_bytes())
    closed.write_bytes(damaged)

    for _ in range(2):
        with pytest.raises(StoreError) as problem:
            await use(closed)
        assert problem.value.code == "store_damaged"
        assert closed.read_bytes() == damaged


async def test_a_flipped_bit_is_found_or_changes_nothing(closed: Path) -> None:
    whole, dice = closed.read_bytes(), random.Random(5)
    expected = await use(closed)
    ends = set()
    for _ in range(60):
        at = dice.randrange(len(whole))
        flipped = whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :]
        closed.write_bytes(flipped)
        try:
            assert await use(closed) == expected
        except SlussError as problem:
            # A flipped bit of the salt or of the sealed key looks like another passphrase.
            assert problem.code in {"store_damaged", "wrong_passphrase"}  # noqa: PT017  # either end is good
            ends.add(problem.code)
            assert closed.read_bytes() == flipped
    assert "store_damaged" in ends


async def test_a_flipped_bit_in_any_sealed_row_is_damage(closed: Path) -> None:
    kept = closed.with_name("kept")
    shutil.copyfile(closed, kept)
    with sqlite3.connect(closed) as connection:
        spaces = [space for (space,) in connection.execute("SELECT DISTINCT space FROM rows")]
    connection.close()
    assert {"outbox", "replica", "device", "chain", "epoch", "cursor"} <= set(spaces)
    for space in spaces:
        shutil.copyfile(kept, closed)
        with sqlite3.connect(closed) as connection:
            (sealed,) = connection.execute("SELECT sealed FROM rows WHERE space = ?", (space,)).fetchone()
            flipped = sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]
            connection.execute("UPDATE rows SET sealed = ? WHERE space = ? AND sealed = ?", (flipped, space, sealed))
        connection.close()
        with pytest.raises(StoreError) as problem:
            await use(closed)
        assert problem.value.code == "store_damaged", space


@pytest.mark.parametrize("wrong", ["", "another", PASSPHRASE + " ", PASSPHRASE.upper(), "å" * 100])
async def test_a_wrong_passphrase_changes_nothing(closed: Path, wrong: str) -> None:
    whole = closed.read_bytes()

    with pytest.raises(StoreError) as problem:
        await Device.open(closed, wrong)

    assert problem.value.code == "wrong_passphrase"
    assert closed.read_bytes() == whole
    assert "never sent" in await use(closed)


async def test_a_store_that_is_not_there_is_missing_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as problem:
        await Device.open(tmp_path / "none.sluss", PASSPHRASE)

    assert problem.value.code == "store_missing"
    assert list(tmp_path.iterdir()) == []


@contextmanager
def busy(path: Path) -> Iterator[None]:
    """Be another program that has the store in a long transaction."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_a_store_that_another_program_writes_to_is_locked_and_nothing_is_half_saved(
    shared: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUSY_MS", 50)
    guard = await shared.device("security")
    before = guard.file(incident(shared.clock.now(), "before"))
    with busy(guard.path):
        with pytest.raises(StoreError) as problem:
            guard.file(incident(shared.clock.now(), "meanwhile"))
        assert problem.value.code == "store_locked"
        with pytest.raises(StoreError) as problem:
            await guard.amend(before.id, situation="amended meanwhile")
        assert problem.value.code == "store_locked"
        with pytest.raises(StoreError) as problem:
            await guard.sync()
        assert problem.value.code == "store_locked"
        # Reading waits for nobody.
        assert reads(guard, [before]) == ["before"]

    after = guard.file(incident(shared.clock.now(), "after"))
    assert (await guard.sync()).sent == 2
    assert reads(guard, [before, after]) == ["before", "after"]


async def test_enrolling_over_a_store_leaves_it_untouched(shared: Town, closed: Path) -> None:
    whole = closed.read_bytes()
    code = await shared.founders["security"].registrar.invite(["field"])

    with pytest.raises(StoreError) as problem:
        await Device.enrol(closed, code, PASSPHRASE)
    assert problem.value.code == "store_exists"
    with pytest.raises(StoreError) as problem:
        await Device.enrol(closed, code, "another")
    assert problem.value.code == "wrong_passphrase"
    assert closed.read_bytes() == whole

    # The code was not used up by that.
    async with await Device.enrol(closed.with_name("elsewhere.sluss"), code, PASSPHRASE) as device:
        assert not device.approved


async def test_enrolling_over_something_else_leaves_it_untouched(shared: Town, tmp_path: Path) -> None:
    code = await shared.founders["security"].registrar.invite(["field"])
    for content in (b"", b"Meeting on Monday at ten.\n"):
        path = tmp_path / "notes"
        path.write_bytes(content)
        with pytest.raises(StoreError):
            await Device.enrol(path, code, PASSPHRASE)
        assert path.read_bytes() == content


async def test_an_enrolment_that_is_refused_leaves_no_store_behind(shared: Town, tmp_path: Path) -> None:
    assert shared.server is not None
    registrar = shared.founders["security"].registrar
    code, used, late = [await registrar.invite(["field"]) for _ in range(3)]
    path = tmp_path / "new.sluss"

    async def fails(this: str, kind: type[SlussError], problem_code: str) -> None:
        with pytest.raises(kind) as problem:
            await Device.enrol(path, this, PASSPHRASE)
        assert problem.value.code == problem_code
        assert list(tmp_path.iterdir()) == []

    for damaged in (code[:-9], code.replace(code[20], "A" if code[20] != "A" else "B"), "", "hello", code[7:]):
        await fails(damaged, Invalid, "damaged_code")

    # A code is used once its registrar's device has approved whoever came with it first.
    first = await Device.enrol(shared.folder / "first.sluss", used, PASSPHRASE)
    await shared.founders["security"].sync()
    await fails(used, Invalid, "invite_used")
    shared.clock.advance(days=8)
    await fails(late, Invalid, "invite_expired")
    shared.clock.advance(days=-8)

    # What failed for want of network is kept, and goes on with the same code later.
    shared.server.stop()
    with pytest.raises(Offline):
        await Device.enrol(path, code, PASSPHRASE)
    shared.server.start()
    assert list(tmp_path.iterdir()) == [path]
    async with first, await Device.enrol(path, code, PASSPHRASE) as second:
        await shared.founders["security"].sync()
        await second.sync()
        assert first.path.exists()
        assert second.approved


async def test_an_unapproved_device_says_what_it_waits_for(shared: Town, tmp_path: Path) -> None:
    code = await shared.founders["security"].registrar.invite(["field"])
    path = tmp_path / "early.sluss"
    async with await Device.enrol(path, code, PASSPHRASE) as device:
        for act in (lambda: device.file(incident(shared.clock.now(), "early")), lambda: list(device.reports())):
            with pytest.raises(SlussError) as problem:
                act()
            assert problem.value.code == "waiting_for_approval"
        with pytest.raises(Refused) as refused:
            await device.sync()
        assert refused.value.code == "waiting_for_approval"
        await shared.founders["security"].sync()
        assert not (await device.sync()).waiting
        with pytest.raises(NotFound):
            device.get(bytes(16).hex())
