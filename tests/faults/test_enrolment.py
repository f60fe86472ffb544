"""A founding or an enrolment that breaks off anywhere: the same call again goes on with the very same keys.

Run as `python -m tests.faults.test_enrolment STORE PASSPHRASE CODE [BEFORE]` it enrols again and again, and dies as
SQLite begins the first, the second, the so-manieth statement: without BEFORE until there is a store; with BEFORE, a
store that waits for an answer, from a copy of it each time, until it lives through all of it.
After each it prints `killed` or `ended`; and, where there is a store, its key id and whether it is `approved` or
`waits`, with BEFORE after the same call was made once more.
"""

# ruff: noqa: ASYNC240, T201  # one thing after another, and what is printed was done

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import stamina

from sluss_client import Device, Invalid, Offline, Refused, StoreError
from sluss_client import store as module
from sluss_client.testing import AGENCIES as ALL
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas.invitation import read_code, write_code

from tests.faults.proxy import Exchange, Relay, honest, pass_on
from tests.faults.victim import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = {"founding": "/v1/found", "enrolment": "/v1/enrolments"}
KINDS = tuple(PATHS)
QUICK_KIB = 64


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """One agency, which invites."""
    async with Town(agencies=("security",)) as built:
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def codes(town: Town) -> Iterator[str]:
    """Founding codes of agencies that nobody has founded."""
    assert town.server is not None
    made = await asyncio.gather(*(asyncio.to_thread(town.server.found, ALL) for _ in range(2)))
    return iter([code for partnership in made for code in partnership.values()])


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    """How long a device waits before it tries again is not what is tried here."""
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@dataclass
class Line:
    """The way between new devices and the server."""

    town: Town
    codes: Iterator[str]
    relay: Relay

    async def code(self, kind: str) -> str:
        """Return a new code of this kind, for a device whose requests go through the relay."""
        code = (
            next(self.codes) if kind == "founding" else await self.town.founders["security"].registrar.invite(["field"])
        )
        return write_code(msgspec.structs.replace(read_code(code), server=self.relay.url))

    def lose(self, path: str, *, asked: bool = True) -> None:
        """Cut the line at the next request to a path: after the server's answer, or before it was `asked`."""

        async def before(exchange: Exchange) -> bytes | None:
            return self._cut() if exchange.path == path and not asked else None

        async def after(exchange: Exchange) -> bytes:
            return self._cut() if exchange.path == path else exchange.answer

        self.relay.before, self.relay.after = before, after

    def _cut(self) -> bytes:
        # The device tries again by itself, and then nobody listens.
        self.relay.deaf()
        return b""

    async def mend(self) -> None:
        """Be an honest line again."""
        self.relay.before, self.relay.after = pass_on, honest
        self.relay.deaf()
        await self.relay.listen()

    def sent(self, path: str) -> list[bytes]:
        """Return the bodies of the requests to a path that the server has answered well."""
        return [
            exchange.request.partition(b"\r\n\r\n")[2]
            for exchange in self.relay.seen
            if exchange.path == path and exchange.answer.startswith(b"HTTP/1.1 2")
        ]


@pytest_asyncio.fixture(loop_scope="module")
async def line(town: Town, codes: Iterator[str]) -> AsyncIterator[Line]:
    """An honest line, until a test cuts it."""
    assert town.server is not None
    async with Relay(town.server.port) as relay:
        yield Line(town, codes, relay)


async def breaks_off(path: Path, code: str, lost: str = "offline") -> None:
    """Enrol where the answer is lost: that is said, and everything is kept."""
    with pytest.raises(Offline) as offline:
        await Device.enrol(path, code, PASSPHRASE)
    assert offline.value.code == lost
    assert "same code and passphrase at the same path" in offline.value.say
    assert [one.name for one in path.parent.iterdir()] == [path.name]


async def state_of(path: Path) -> list[str]:
    """Return a device's key id and whether it knows that it is approved."""
    async with await Device.open(path, PASSPHRASE) as device:
        return [device.local.keys.kid.hex(), "approved" if device.approved else "waits"]


async def check_whole(town: Town, device: Device, kind: str) -> None:
    """Fail unless a device is what its enrolment promised, and its store waits for nothing."""
    if kind == "founding":
        seeds = device.registrar.root_seeds()
        assert seeds is not None
        assert {len(seed) for seed in seeds} == {32}
        await device.sync()
        assert await device.registrar.invite(["field"])
    else:
        await town.founders["security"].sync()
        await device.sync()
    assert device.approved
    assert device.local.store.count("announcement") == 0
    assert device.local.store.check()


@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_lost_answer_the_same_call_sends_the_same_bytes_and_goes_on(
    line: Line, tmp_path: Path, kind: str
) -> None:
    path, code = tmp_path / "new.sluss", await line.code(kind)
    line.lose(PATHS[kind])
    await breaks_off(path, code)
    kid, state = await state_of(path)
    assert state == "waits"
    await breaks_off(path, code)

    await line.mend()
    async with await Device.enrol(path, code, PASSPHRASE, functions=["field"]) as device:
        assert device.local.keys.kid.hex() == kid
        first, again = line.sent(PATHS[kind])
        assert first == again
        await check_whole(line.town, device, kind)

    whole = path.read_bytes()
    with pytest.raises(StoreError) as exists:
        await Device.enrol(path, code, PASSPHRASE)
    assert exists.value.code == "store_exists"
    assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_that_never_arrived_is_sent_by_the_same_call(line: Line, tmp_path: Path, kind: str) -> None:
    path, code = tmp_path / "new.sluss", await line.code(kind)
    line.lose(PATHS[kind], asked=False)
    await breaks_off(path, code)
    kid, _ = await state_of(path)
    assert line.sent(PATHS[kind]) == []

    await line.mend()
    async with await Device.open(path, PASSPHRASE) as device:
        assert not device.approved
        with pytest.raises(Refused) as waits:
            await device.sync()
        assert waits.value.code == "waiting_for_approval"
    async with await Device.enrol(path, code, PASSPHRASE) as device:
        assert device.local.keys.kid.hex() == kid
        await check_whole(line.town, device, kind)


async def test_a_server_killed_between_its_commit_and_its_answer_has_founded_the_agency_once(
    line: Line, tmp_path: Path
) -> None:
    path, code = tmp_path / "new.sluss", await line.code("founding")
    server = line.town.server
    assert server is not None

    async def killed(_exchange: Exchange) -> bytes:
        line.relay.deaf()
        await asyncio.to_thread(server.kill)
        return b""

    line.relay.after = killed
    await breaks_off(path, code)
    await asyncio.to_thread(server.start)

    await line.mend()
    async with await Device.enrol(path, code, PASSPHRASE) as device:
        await check_whole(line.town, device, "founding")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_is_none_keeps_everything(line: Line, tmp_path: Path, kind: str) -> None:
    path, code = tmp_path / "new.sluss", await line.code(kind)

    async def garbled(_exchange: Exchange) -> bytes:
        return b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}"

    line.relay.after = garbled
    await breaks_off(path, code, "server_error")

    await line.mend()
    async with await Device.enrol(path, code, PASSPHRASE) as device:
        await check_whole(line.town, device, kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sync_alone_repairs_what_the_server_has_done(line: Line, tmp_path: Path, kind: str) -> None:
    path, code = tmp_path / "new.sluss", await line.code(kind)
    line.lose(PATHS[kind])
    await breaks_off(path, code)
    await line.town.founders["security"].sync()
    await line.mend()

    async with await Device.open(path, PASSPHRASE) as device:
        await device.sync()
        assert device.approved
        if kind == "founding":
            assert await device.registrar.invite(["field"])

    # Nothing has to be asked any more, and the store is finished all the same.
    line.relay.deaf()
    async with await Device.enrol(path, code, PASSPHRASE) as device:
        await line.mend()
        await check_whole(line.town, device, kind)


async def test_keys_that_were_approved_before_their_device_heard_of_it_are_kept(line: Line, tmp_path: Path) -> None:
    path, code = tmp_path / "new.sluss", await line.code("enrolment")
    line.lose("/v1/enrolments")
    await breaks_off(path, code)
    await line.town.founders["security"].sync()

    # The server says `invite_used` now, and then the line is cut again.
    await line.mend()
    line.lose("/v1/directory/pull")
    await breaks_off(path, code)

    await line.mend()
    async with await Device.enrol(path, code, PASSPHRASE) as device:
        assert device.approved
        await check_whole(line.town, device, "enrolment")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [False, True])
async def test_a_refusal_leaves_no_store(line: Line, tmp_path: Path, kind: str, *, kept: bool) -> None:
    code, folder = await line.code(kind), tmp_path / "late"
    folder.mkdir()
    path = folder / "new.sluss"
    if kept:
        line.lose(PATHS[kind], asked=False)
        await breaks_off(path, code)
        await line.mend()
    # Somebody else was first.
    async with await Device.enrol(tmp_path / "first.sluss", code, PASSPHRASE) as device:
        await check_whole(line.town, device, kind)

    with pytest.raises(Invalid) as refused:
        await Device.enrol(path, code, PASSPHRASE)

    assert refused.value.code == "invite_used"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_another_code_for_a_store_that_waits_is_refused_and_touches_nothing(
    line: Line, tmp_path: Path, kind: str
) -> None:
    path, code = tmp_path / "new.sluss", await line.code(kind)
    other = await line.code("enrolment")
    line.lose(PATHS[kind])
    await breaks_off(path, code)
    await line.mend()
    whole = path.read_bytes()

    for passphrase, expected in ((PASSPHRASE, "store_exists"), ("another", "wrong_passphrase")):
        with pytest.raises(StoreError) as problem:
            await Device.enrol(path, other, passphrase)
        assert problem.value.code == expected
        assert ("another code" in problem.value.say) == (passphrase == PASSPHRASE)
        assert path.read_bytes() == whole
        # Beside it only a wrong passphrase is counted.
        assert {one.name for one in tmp_path.iterdir()} <= {path.name, f"{path.name}.tries"}

    for works, at in ((code, path), (other, tmp_path / "other.sluss")):
        async with await Device.enrol(at, works, PASSPHRASE) as device:
            await check_whole(line.town, device, kind if works == code else "enrolment")


async def test_what_an_earlier_store_left_beside_the_path_is_not_read_into_a_new_one(
    line: Line, tmp_path: Path
) -> None:
    path = tmp_path / "new.sluss"
    (await Device.enrol(path, await line.code("enrolment"), PASSPHRASE)).local.store.put("x", b"x", b"x")
    log = path.with_name(path.name + "-wal")
    kept = log.read_bytes()
    assert kept
    path.unlink()
    path.with_name(".new.sluss.new").write_bytes(b"half a store")
    log.write_bytes(kept)

    async with await Device.enrol(path, await line.code("enrolment"), PASSPHRASE) as device:
        await check_whole(line.town, device, "enrolment")
    assert list(tmp_path.iterdir()) == [path]


def killed_everywhere(path: Path, code: str, *before: Path) -> list[list[str]]:
    """Run this module's victim and return its lines."""
    arguments = [str(path), PASSPHRASE, code, *map(str, before)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.test_enrolment", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [one.split() for one in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kill_at_any_statement_leaves_nothing_or_a_store_that_goes_on(
    line: Line, tmp_path: Path, kind: str
) -> None:
    path, code = tmp_path / "new.sluss", await line.code(kind)

    # Until the store stands at its path nothing was sent.
    making = await asyncio.to_thread(killed_everywhere, path, code)
    assert line.sent(PATHS[kind]) == []
    assert len(making) > 10
    assert making[:-1] == [["killed"]] * (len(making) - 1)
    kid, state = await state_of(path)
    assert making[-1] == ["killed", kid, state]
    assert state == "waits"
    assert list(tmp_path.iterdir()) == [path]

    # From here on the server has the same bytes again and again.
    before = tmp_path / "before"
    shutil.copyfile(path, before)
    ends = await asyncio.to_thread(killed_everywhere, path, code, before)
    assert len(ends) > 10
    last = [kid, "approved" if kind == "founding" else "waits"]
    assert ends == [*([["killed", *last]] * (len(ends) - 1)), ["ended", *last]]
    assert len(set(line.sent(PATHS[kind]))) == 1
    async with await Device.open(path, PASSPHRASE) as device:
        await check_whole(line.town, device, kind)


# the victim


def in_a_child(path: Path, passphrase: str, code: str, number: int) -> bool:
    """Enrol in a process that dies at a statement; tell whether it lived."""
    child = os.fork()
    if child == 0:
        _die_at(number)
        asyncio.run(_enrol(path, passphrase, code))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


def _die_at(number: int) -> None:
    counter, connect = itertools.count(1), sqlite3.connect

    def count(_statement: str) -> None:
        if next(counter) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(*arguments: Any, **named: Any) -> sqlite3.Connection:  # noqa: ANN401  # handed on
        connection: sqlite3.Connection = connect(*arguments, **named)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = counted  # type: ignore[assignment,unused-ignore]  # in this process alone


async def _enrol(path: Path, passphrase: str, code: str) -> None:
    await (await Device.enrol(path, code, passphrase)).close()


def main(store: str, passphrase: str, code: str, before: str = "") -> None:
    """Do what the module says."""
    module._MEMORY_KIB = QUICK_KIB  # type: ignore[misc]  # in this process alone
    path = Path(store)
    for number in itertools.count(1):
        if before:
            shutil.copyfile(before, path)
        lived = in_a_child(path, passphrase, code, number)
        if before and not lived:
            # What the kill left is finished by the same call, or was finished.
            try:
                asyncio.run(_enrol(path, passphrase, code))
            except StoreError as problem:
                assert problem.code == "store_exists"  # noqa: PT017  # the other good end
        state = asyncio.run(state_of(path)) if path.exists() else []
        print("ended" if lived else "killed", *state, flush=True)
        if lived or (state and not before):
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
