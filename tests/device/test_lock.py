"""A locked device: no key in memory, no answer, and everything there again after the passphrase."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sluss_client import Device, Refused, StoreError
from sluss_client.crypto import KemKey, RowCipher, SignKey
from sluss_client.local import Local
from sluss_client.testing import Clock

from tests.device.chain import PASSPHRASE, Agency


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.attach(tmp_path / "clock")
    monkeypatch.setenv("SLUSS_TEST_CLOCK", str(tmp_path / "clock"))
    return made


@pytest_asyncio.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """A device with a key of its audience; nobody else has it open."""
    agency = Agency(tmp_path)
    local = agency.device("field")
    agency.rotate("field", local)
    agency.close()
    agency.locals.clear()
    yield local.store.path


CALLS: dict[str, Callable[[Device], Any]] = {
    "local": lambda device: device.local,
    "approved": lambda device: device.approved,
    "alias": lambda device: device.alias,
    "now": lambda device: device.now(),
    "people": lambda device: device.people(),
    "reports": lambda device: list(device.reports()),
    "waiting": lambda device: device.waiting(),
    "duties": lambda device: device.duties(),
    "get": lambda device: device.get("00" * 16),
    "custody": lambda device: device.custody,
    "batch": lambda device: device.batch(),
}
WAITED_FOR: dict[str, Callable[[Device], Any]] = {
    "sync": lambda device: device.sync(),
    "quarantine": lambda device: device.quarantine(),
    "countersign": lambda device: device.countersign("00" * 16),
    "answer": lambda device: device.answer("00" * 16, {}),
}


def refusals_at_once(device: Device) -> set[str]:
    """Make every call that waits for nothing; return the codes with which they are refused."""
    codes = set()
    for call in CALLS.values():
        with pytest.raises(Refused) as refused:
            call(device)
        codes.add(refused.value.code)
    return codes


async def refusals(device: Device) -> set[str]:
    """Make every call; return the codes with which they are refused."""
    codes = refusals_at_once(device)
    for wait in WAITED_FOR.values():
        with pytest.raises(Refused) as refused:
            await wait(device)
        codes.add(refused.value.code)
    return codes


def secrets() -> list[object]:
    """Return every key and every loaded device that is in memory."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, SignKey | KemKey | RowCipher | Local)]


async def test_a_locked_device_refuses_every_call_and_has_no_key_in_memory(path: Path) -> None:
    before = len(secrets())
    device = await Device.open(path, PASSPHRASE)
    assert device.people()
    assert len(secrets()) > before + 3

    device.lock()

    assert len(secrets()) == before
    assert await refusals(device) == {"locked"}
    assert device.path == path
    await device.close()


async def test_the_passphrase_unlocks_and_a_wrong_one_does_not(path: Path) -> None:
    async with await Device.open(path, PASSPHRASE) as device:
        alias = device.alias
        await device.unlock("not asked for while it is open")
        device.lock()

        with pytest.raises(StoreError) as wrong:
            await device.unlock("another")
        assert wrong.value.code == "wrong_passphrase"
        assert await refusals(device) == {"locked"}

        await device.unlock(PASSPHRASE)
        assert device.alias == alias
        device.lock()
        device.lock()
        await device.unlock(PASSPHRASE)
        assert device.alias == alias


async def test_it_locks_itself_after_its_idle_time_and_not_before(clock: Clock, path: Path) -> None:
    async with await Device.open(path, PASSPHRASE, lock_after_s=600) as device:
        for _ in range(3):
            clock.advance(seconds=590)
            assert device.people()
        clock.advance(seconds=602)

        assert await refusals(device) == {"locked"}
        await device.unlock(PASSPHRASE)
        assert device.people()


async def test_a_device_that_only_syncs_by_itself_is_idle(clock: Clock, path: Path) -> None:
    async with await Device.open(path, PASSPHRASE, lock_after_s=600) as device:
        clock.advance(seconds=400)
        with pytest.raises(Exception, match="offline"):
            await device.sync()
        clock.advance(seconds=400)
        with pytest.raises(Refused) as refused:
            await device.sync()
        assert refused.value.code == "locked"


async def test_without_an_idle_time_it_stays_open(clock: Clock, path: Path) -> None:
    async with await Device.open(path, PASSPHRASE) as device:
        clock.advance(days=400)
        assert device.people()


async def test_a_sync_that_is_under_way_ends_before_the_keys_are_forgotten(path: Path) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await answered.wait()
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    async with server, await Device.open(path, PASSPHRASE) as device:
        device._transport.server = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        local = device.local
        syncing = asyncio.create_task(device.sync())
        await asyncio.wait_for(asked.wait(), 10)

        device.lock()
        assert refusals_at_once(device) == {"locked"}
        assert local.store.count("chain") > 0
        unlocking = asyncio.create_task(device.unlock(PASSPHRASE))
        answered.set()
        with pytest.raises(Exception, match="server_error"):
            await syncing
        with pytest.raises(StoreError) as closed:
            local.store.count("chain")
        assert closed.value.code == "locked"
        await unlocking
        assert device.people()


async def test_what_was_handed_out_before_says_that_it_is_locked(path: Path) -> None:
    device = await Device.open(path, PASSPHRASE)
    custody, local = device.custody, device.local
    await device.close()

    for act in (custody.splits, lambda: local.store.put("a", b"b", b"c"), local.store.check, local.store.scrub):
        with pytest.raises(StoreError) as closed:
            act()
        assert closed.value.code == "locked"
