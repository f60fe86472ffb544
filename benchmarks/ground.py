"""The town that a run stands on: servers, enrolled devices, sealed reports, and the processes that use them.

Everything is made when a workload first asks for it, so that one workload alone costs little.
Refuses nothing; it makes real things and gives them out.

> INVARIANT: this process does nothing while something is timed elsewhere: it waits for the answer.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar, TypeVarTuple

import msgspec

from sluss_client.testing import Town
from sluss_schemas.ids import ReportId

from benchmarks import load, sealing
from benchmarks.sealing import Made
from benchmarks.servers import CLOCK, Server
from benchmarks.sizes import Sizes
from benchmarks.yardsticks import AT_ONCE, Rows

T = TypeVar("T")
Given = TypeVarTuple("Given")

_SEALERS: Final = 2
_CHUNK: Final = 1_000
"""Reports in a file: what a sealing or pushing process holds at once."""


class Ground:
    """Use it in an `async with`.

    Attributes:
        sizes: how much work there is.
        town: the partnership, from which everything else was enrolled.
        stored: how many reports the server holds.

    """

    def __init__(self, sizes: Sizes) -> None:
        """Choose sizes; nothing runs yet."""
        self.sizes = sizes
        self.town = Town()
        self.stored = 0
        self._began = time.monotonic()
        self._hands: dict[str, ProcessPoolExecutor] = {}
        self._stores: dict[str, Path] = {}
        self._server: Server | None = None
        self._copies: dict[int, Server] = {}
        self._bare: subprocess.Popen[str] | None = None
        self._bare_url = ""
        self._files = 0
        self._rows: Rows | None = None

    # life

    async def __aenter__(self) -> Self:
        """Found the town and enrol every device, so that no directory changes later."""
        self.say("a town of five agencies, and its devices")
        await self.town.__aenter__()
        try:
            for number in range(_SEALERS):
                await self._enrol(f"sealer{number}", "security")
            for name in ("pusher", "filer"):
                await self._enrol(name, "security")
            for name in ("puller", "reader"):
                await self._enrol(name, "police")
            await self._take_over()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End and remove everything."""
        await self.close()

    async def close(self) -> None:
        """End the processes and remove the town."""
        for hand in self._hands.values():
            hand.shutdown(cancel_futures=True)
        for server in (*self._copies.values(), *([self._server] if self._server is not None else [])):
            await asyncio.to_thread(server.stop)
        if self._bare is not None:
            self._bare.terminate()
            self._bare.wait()
            if self._bare.stdout is not None:
                self._bare.stdout.close()
        await self.town.close()

    async def _take_over(self) -> None:
        """Go on without the clock of tests, on the address that the devices know."""
        if self.town.server is None:
            message = "the town has no server of its own"
            raise RuntimeError(message)
        os.environ.pop(CLOCK, None)
        await asyncio.to_thread(self.town.server.stop)
        self._server = Server(self.town.server.data, self.town.server.port)
        await asyncio.to_thread(self._server.start)

    async def _enrol(self, name: str, agency: str) -> None:
        device = await self.town.device(agency, "field", path=self.folder / f"{name}.sluss")
        await device.sync()
        # From here on the store belongs to another process.
        await device.close()
        self._stores[name] = device.path

    def say(self, text: str) -> None:
        """Tell on standard error what goes on."""
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)

    # what there is

    @property
    def folder(self) -> Path:
        """The town's folder, on the file system that is measured."""
        return self.town.folder

    @property
    def server(self) -> Server:
        """The server that reports are pushed to."""
        if self._server is None:
            message = "the ground is not entered"
            raise RuntimeError(message)
        return self._server

    def store(self, name: str) -> Path:
        """Return the path of a device's store."""
        return self._stores[name]

    def copy_of(self, name: str, number: int) -> Path:
        """Return a copy of a store as it was after enrolment: a device that has read nothing yet."""
        place = self.folder / f"{name}-{number}.sluss"
        for end in ("", "-wal"):
            source = self.store(name).with_name(self.store(name).name + end)
            if source.exists():
                shutil.copyfile(source, place.with_name(place.name + end))
        return place

    async def call(self, hand: str, work: Callable[[*Given], T], *args: *Given) -> T:
        """Run a function in the process of this name and return what it returned."""
        if hand not in self._hands:
            # Spawned, so that nothing of this process, neither memory nor sockets, is in the other.
            context = multiprocessing.get_context("spawn")
            self._hands[hand] = ProcessPoolExecutor(1, mp_context=context)
        return await asyncio.get_running_loop().run_in_executor(self._hands[hand], work, *args)

    async def bare(self) -> str:
        """Return the address of the bare application, in a process of its own."""
        if self._bare is None:
            self._bare, self._bare_url = await asyncio.to_thread(_start_bare)
            await self.call("load", load.nothing, self._bare_url, 1, AT_ONCE, 1)
        return self._bare_url

    # reports

    async def sealed(self, count: int) -> list[Made]:
        """Seal reports on several devices at once, into files in the order in which they are to be pushed."""
        jobs = []
        for number, size in enumerate(sealing.chunks(count, min(_CHUNK, max(-(-count // _SEALERS), 1)))):
            self._files += 1
            hand = f"sealer{number % _SEALERS}"
            place = self.folder / f"items-{self._files}"
            jobs.append(self.call(hand, sealing.make, self.store(hand), place, size))
        return list(await asyncio.gather(*jobs))

    async def one_file(self, count: int) -> Made:
        """Seal reports into one file."""
        self._files += 1
        place = self.folder / f"items-{self._files}"
        return await self.call("sealer0", sealing.make, self.store("sealer0"), place, count)

    async def push(self, made: Made, batch: int, clients: int) -> load.Timing:
        """Push a file from the load generator, and forget it."""
        done = await self.call("load", load.push, self.store("pusher"), self.server.url, made.items, batch, clients)
        made.items.unlink()
        self.stored += len(made.ids)
        return done

    async def fill(self, count: int) -> None:
        """Let the server hold at least so many reports; untimed."""
        missing = count - self.stored
        if missing <= 0:
            return
        self.say(f"  storing {missing:,} more reports, to {count:,}")
        while missing > 0:
            for made in await self.sealed(min(missing, _SEALERS * _CHUNK)):
                await self.push(made, AT_ONCE, 1)
                missing -= len(made.ids)
            if self.stored % 10_000 < _SEALERS * _CHUNK:
                self.say(f"  {self.stored:,} stored")

    async def top(self) -> tuple[ReportId, ...]:
        """Push the newest reports one after another, and return their ids, oldest of them first."""
        made = await self.one_file(self.sizes.newest)
        await self.push(made, 1, 1)
        return made.ids

    async def rows(self) -> Rows:
        """Return the rows of some sealed reports for the limits of plain `sqlite3`."""
        if self._rows is None:
            self._rows = Rows(self.folder, await self.items(AT_ONCE))
        return self._rows

    async def items(self, count: int) -> list[bytes]:
        """Return some sealed items that are not pushed."""
        made = await self.one_file(count)
        return msgspec.msgpack.decode(made.items.read_bytes(), type=list[bytes])

    # servers

    async def holding(self, count: int) -> Server:
        """Return a server that holds about so many reports; the largest is the town's, the others are copies of it.

        Copies are made on the way, so ask in rising order; they run beside the town's server, idle until asked.
        """
        if count == self.sizes.stored[-1]:
            for smaller in self.sizes.stored[:-1]:
                await self.holding(smaller)
            await self.fill(count)
            return self.server
        if count not in self._copies:
            await self.fill(count)
            data = self.folder / f"holding-{count}"
            await asyncio.to_thread(self.server.stop)
            await asyncio.to_thread(shutil.copytree, self.server.data, data)
            copy = Server(data, _free_port())
            self._copies[count] = copy
            for server in (self.server, copy):
                await asyncio.to_thread(server.start)
        return self._copies[count]

    @staticmethod
    async def fresh(server: Server) -> None:
        """Start a server again, so that it holds what it needs to run and nothing of what it did."""
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_bare() -> tuple[subprocess.Popen[str], str]:
    """Start the bare application on a free port, and return it and its address when it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare"],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    port = process.stdout.readline().strip() if process.stdout is not None else ""
    return process, f"http://127.0.0.1:{port}"
