"""A process that something happens to: it is killed, its disk is full, or it has no network.

Run as `python -m tests.faults.victim WORK STORE PASSPHRASE ...`; it prints one line for what it has done, and only then
goes on.

    loop                files incident after incident and prints each id, until it is killed
    file | sync | last NUMBER
                        dies when SQLite begins the so-manieth statement of filing, or of syncing, which in the end is
                        refused, once for each number
    fill LIMIT          see `fill`
    alone               see `alone`
"""

# ruff: noqa: ASYNC221, ASYNC240, T201  # one thing after another, and what is printed was done

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sluss_client import Device, Offline, Refused, StoreError, clock

from tests.faults.samples import incident, texts

ROOT: Final = Path(__file__).resolve().parents[2]
LENGTH: Final = 3000
_BALLAST: Final = 512 * 1024


def text(number: int) -> str:
    """Return a text from which its number and its length can be told."""
    return f"{number}:".ljust(LENGTH, "x")


def start(work: str, store: Path, passphrase: str, *more: str, within: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start the process, within another program if named; its output is piped."""
    return subprocess.Popen(
        [*within, sys.executable, "-m", "tests.faults.victim", work, str(store), passphrase, *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(work: str, store: Path, passphrase: str, *more: str, within: Sequence[str] = ()) -> list[str]:
    """Run the process to its end, which must be a good one, and return what it printed."""
    with start(work, store, passphrase, *more, within=within) as process:
        printed, errors = process.communicate()
    assert process.returncode == 0, errors
    return printed.splitlines()


def now() -> datetime:
    """Return the device's time."""
    return datetime.fromtimestamp(clock.now(), UTC)


async def loop(store: str, passphrase: str) -> None:
    """File until somebody kills this process."""
    async with await Device.open(store, passphrase) as device:
        print("open", flush=True)
        for number in itertools.count():
            print(device.file(incident(now(), text(number)), source=str(os.urandom(8))).id.hex(), flush=True)


async def file(device: Device) -> None:
    """File one incident, and only then print its id."""
    report = device.file(incident(now(), text(os.getpid())), source=str(os.getpid()))
    print(report.id.hex(), flush=True)


async def sync(device: Device) -> None:
    """Sync."""
    await device.sync()


async def last(device: Device) -> None:
    """Sync a device that was revoked."""
    with suppress(Refused):
        await device.sync()


def die_at(store: str, passphrase: str, work: Callable[[Device], Awaitable[None]], numbers: Sequence[str]) -> None:
    """Work in a child process for each number, which dies as SQLite begins that statement; print how each ended."""
    for number in numbers:
        child = os.fork()
        if child == 0:
            asyncio.run(_until(store, passphrase, work, int(number)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}", flush=True)


async def _until(store: str, passphrase: str, work: Callable[[Device], Awaitable[None]], number: int) -> None:
    device = await Device.open(store, passphrase)
    counter = itertools.count(1)

    def count(_statement: str) -> None:
        if next(counter) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    # A wiped device refuses `local`.
    device._unlocked().store._connection.set_trace_callback(count)
    await work(device)


def _file_until_full(device: Device, numbers: itertools.count[int]) -> tuple[list[str], str]:
    filed = list[str]()
    while True:
        number = next(numbers)
        try:
            device.file(incident(now(), text(number)))
        except StoreError as error:
            return filed, error.code
        filed.append(text(number))


async def fill(store: str, passphrase: str, limit: str) -> None:
    """Move the store to a disk with little room, file until it is full, make room, file again; print what happened.

    With a size for `limit` a file system of that size is mounted over the store's folder, which takes a mount name
    space of its own; with `file` no file of this process may grow beyond a size.
    """
    path, numbers = Path(store), itertools.count()
    if limit == "file":
        ballast = None
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + _BALLAST, resource.RLIM_INFINITY))
    else:
        data = path.read_bytes()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={limit}", "tmpfs", str(path.parent)], check=True)
        path.write_bytes(data)
        ballast = path.with_name("ballast")
        ballast.write_bytes(bytes(_BALLAST))
    said: dict[str, object] = {}
    async with await Device.open(store, passphrase) as device:
        filed, said["when_full"] = _file_until_full(device, numbers)
        said["filed"] = len(filed)
        said["kept"] = texts(device) == sorted(filed)
        # What was refused left its room, in which a report may fit whose sealed bytes are a few less.
        fitted, said["still_full"] = _file_until_full(device, numbers)
        filed += fitted
    try:
        async with await Device.open(store, passphrase) as device:
            said["opens_when_full"] = "yes" if texts(device) == sorted(filed) else "lost"
    except StoreError as error:
        said["opens_when_full"] = error.code
    if ballast is None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        ballast.unlink()
    async with await Device.open(store, passphrase) as device:
        for _ in range(3):
            filed.append(text(next(numbers)))
            device.file(incident(now(), filed[-1]))
        said["after"] = texts(device) == sorted(filed)
        said["whole"] = device.local.store.check()
    async with await Device.open(store, passphrase) as device:
        said["reopened"] = texts(device) == sorted(filed)
    print(json.dumps(said))


async def alone(store: str, passphrase: str) -> None:
    """File, list, read and sync where there is no network at all; print what each gave."""
    said: dict[str, object] = {}
    async with await Device.open(store, passphrase) as device:
        form = incident(now(), "filed without network")
        said["readers"] = sorted({row.audience for row in device.readers(form)})
        report = device.file(form)
        said["got"] = device.get(report.id).situation
        said["listed"] = texts(device)
        said["waiting"] = [one.state for one in device.waiting()]
        try:
            await device.sync()
        except Offline as offline:
            said["sync"] = offline.code
        said["after"] = [one.state for one in device.waiting()]
    print(json.dumps(said))


def main(work: str, store: str, passphrase: str, *more: str) -> None:
    """Do what is asked for."""
    if work in {"file", "sync", "last"}:
        die_at(store, passphrase, {"file": file, "sync": sync, "last": last}[work], more)
    else:
        works: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"loop": loop, "fill": fill, "alone": alone}
        asyncio.run(works[work](store, passphrase, *more))


if __name__ == "__main__":
    main(*sys.argv[1:])
