"""What P4 and P7 do on a device; called in a process of its own, as an app would run it."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluss_client import Device, NotFound
from sluss_client.testing import PASSPHRASE
from sluss_schemas.ids import ReportId

from benchmarks import sealing

_FSYNC_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Synced:
    """A first sync: seconds in all, seconds until the newest were readable (None: never), reports, and alarms."""

    seconds: float
    readable: float | None
    received: int
    alarms: int


class _Enough(Exception):  # control flow: what was waited for is readable
    """Ends a sync early."""


@dataclass(slots=True)
class _Watch:
    """Told of each committed page; notes when every report that is waited for can be read from the store."""

    device: Device
    waiting: list[ReportId]
    started: float
    stop: bool
    readable: float | None = None
    received: int = 0

    def __call__(self, stage: str, done: int, _total: int) -> None:
        if stage != "pull" or self.readable is not None:
            return
        self.received = done
        while self.waiting:
            try:
                report = self.device.get(self.waiting[-1])
            except NotFound:
                return
            if not isinstance(report.situation, str):
                message = "a report arrived that cannot be read"
                raise TypeError(message)
            self.waiting.pop()
        self.readable = time.perf_counter() - self.started
        if self.stop:
            raise _Enough


def first_sync(store: Path, newest: tuple[ReportId, ...], stop: bool) -> Synced:  # noqa: FBT001  # called by position, in another process
    """Sync a device that has read nothing, and close it; with `stop` only until the newest are readable.

    The time starts when the store is open; its passphrase costs a fifth of a second on purpose.
    """

    async def once() -> Synced:
        async with await Device.open(store, PASSPHRASE) as device:
            started = time.perf_counter()
            watch = _Watch(device, list(newest), started, stop)
            try:
                done = await device.sync(watch)
            except _Enough:
                return Synced(time.perf_counter() - started, watch.readable, watch.received, len(device.local.alarms()))
            return Synced(time.perf_counter() - started, watch.readable, done.received, done.alarms)

    return asyncio.run(once())


def filed(store: Path, count: int) -> tuple[list[float], list[float]]:
    """File reports, each followed by one fsync of a page beside the store; return the seconds of both."""
    device, now = sealing.opened(store), int(sealing.opened(store).now())
    filing, syncing = [], []
    place = store.with_suffix(".fsync")
    with place.open("ab", buffering=0) as file:
        for number in range(count):
            form = sealing.report(number, now)
            started = time.perf_counter()
            device.file(form)
            filing.append(time.perf_counter() - started)
            started = time.perf_counter()
            file.write(bytes(_FSYNC_BYTES))
            os.fsync(file.fileno())
            syncing.append(time.perf_counter() - started)
    place.unlink()
    return filing, syncing


def sealed_at_sync(store: Path, count: int) -> list[float]:
    """File so many reports, sync, and return when each part of them was sealed and committed, in seconds.

    The first time is when the first part was done, so a rate is taken from the second on.
    """
    device = sealing.opened(store)
    with device.batch():
        for number in range(count):
            device.file(sealing.report(number, int(device.now())))
    moments = []

    def note(stage: str, _done: int, _total: int) -> None:
        if stage == "seal":
            moments.append(time.perf_counter())

    device.sync_now(note)
    return moments
