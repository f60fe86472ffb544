"""A town of agencies for tests: a real server over a real socket, and enrolled devices with real keys.

```python
async with Town(clock=clock) as town:
    guard = await town.device("security", "field", scenes=["central-square"])
    boss = await town.device("social_services", "supervisors")
    town.clock.advance(hours=5)
```

The server is started as a process if `sluss_server` is installed; with `url=` one that runs already is used, and its
founding codes and the clock's file are given.
Source: docs/contract.md, "Testing".

> INVARIANT: nothing is mocked; what a test sees through a town a device in the field would see.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sluss_client.clock import real
from sluss_client.device import Device
from sluss_schemas.ids import AGENCY_SLUGS, Function

AGENCIES: Final = tuple(AGENCY_SLUGS.values())
SCENES: Final = (
    ("central-square", "Central square", "Centrala torget"),
    ("suburban-square", "Suburban square", "Förortstorget"),
    ("station-park", "Station park", "Stationsparken"),
)
PASSPHRASE: Final = "a town's passphrase"  # noqa: S105  # the stores of a test town hold nothing secret
_START_S: Final = 30.0
_STOP_S: Final = 10.0
_VARIABLE: Final = "SLUSS_TEST_CLOCK"


class Clock:
    """A clock that runs on from a start and can be set; server and devices of a town read it from one file."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at a moment, by default the real one."""
        self._offset = 0.0 if start is None else start.timestamp() - real()
        self._file: Path | None = None

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromtimestamp(real() + int(self._offset), UTC)

    def set(self, moment: datetime) -> None:
        """Put the clock to a moment."""
        self._offset = moment.timestamp() - real()
        self._write()

    def advance(self, **units: float) -> None:
        """Put the clock forward: `advance(hours=5)`, with the units of `timedelta`."""
        self._offset += timedelta(**units).total_seconds()
        self._write()

    def attach(self, file: Path) -> None:
        """Write the offset to the file that `SLUSS_TEST_CLOCK` names, now and at every change."""
        self._file = file
        self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{int(self._offset)}\n", encoding="ascii")
        whole.replace(self._file)


class Server:
    """A server process over a folder, which can be stopped, killed and started again."""

    def __init__(self, folder: Path, clock_file: Path, database_url: str | None) -> None:
        """Choose a free port and found a partnership; nothing runs yet."""
        self.folder = folder
        self.data = folder / "server"
        self.log = folder / "server.log"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, "SLUSS_DATA_DIR": str(self.data), _VARIABLE: str(clock_file)}
        if database_url is not None:
            self._environment["SLUSS_DATABASE_URL"] = database_url
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        if self._process is None:
            message = "the server does not run"
            raise RuntimeError(message)
        return self._process.pid

    def found(self, agencies: Sequence[str]) -> dict[str, str]:
        """Found a partnership and return the founding codes by agency."""
        named = [part for agency in agencies for part in ("--agency", agency)]
        done = subprocess.run(  # noqa: S603  # our own program
            [*_SLUSS, "found", "Town", *named, "--server-url", self.url, "--json"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"founding failed: {done.stderr}"
            raise RuntimeError(message)
        return {code["agency"]: code["code"] for code in json.loads(done.stdout)["codes"]}

    def start(self) -> None:
        """Start, and return when it listens."""
        with self.log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [*_SLUSS, "serve", "--port", str(self.port)],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if "listening" not in line:
            self._process.wait(_STOP_S)
            message = f"the server did not start: {self.log.read_text(encoding='utf-8')[-2000:]}"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Stop as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill without warning."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


_SLUSS: Final = (sys.executable, "-m", "sluss_server.cli")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Town:
    """A partnership of agencies on a real server.

    Attributes:
        clock: the time of server and devices.
        founders: per agency the device that founded it: its registrar, and a member of each of its audiences, so that
            every audience has an epoch.
        server: the process, or None with `url=`.

    """

    def __init__(
        self,
        clock: Clock | None = None,
        database_url: str | None = None,
        *,
        url: str | None = None,
        codes: Mapping[str, str] | None = None,
        clock_file: Path | None = None,
        agencies: Sequence[str] = AGENCIES,
        scenes: Sequence[tuple[str, str, str]] = SCENES,
    ) -> None:
        """Describe the town; `async with` builds it."""
        self.clock = clock or Clock()
        self.founders: dict[str, Device] = {}
        self.server: Server | None = None
        self._database_url = database_url
        self._url = url
        self._codes = dict(codes or {})
        self._clock_file = clock_file
        self._agencies = tuple(agencies)
        self._scenes = tuple(scenes)
        self._devices: list[Device] = []
        self._before = os.environ.get(_VARIABLE)
        self.folder = Path()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._url or (self.server.url if self.server is not None else "")

    async def __aenter__(self) -> Self:
        """Start the server, found the agencies, exchange root fingerprints, register the scenes."""
        self.folder = Path(tempfile.mkdtemp(prefix="sluss-town-"))
        clock_file = self._clock_file or self.folder / "clock"
        self.clock.attach(clock_file)
        os.environ[_VARIABLE] = str(clock_file)
        try:
            if self._url is None:
                self.server = Server(self.folder, clock_file, self._database_url)
                self._codes = await asyncio.to_thread(self.server.found, self._agencies)
                await asyncio.to_thread(self.server.start)
            await self._found()
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
        """Close the devices, stop the server, remove the folder."""
        for device in self._devices:
            with suppress(Exception):
                await device.close()
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)
        if self._before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = self._before
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _found(self) -> None:
        for agency in self._agencies:
            functions: tuple[Function, ...] = ("field", "supervisors")
            if agency == "social_services":
                functions = (*functions, "reception")
            path = self.folder / f"{agency}-founder.sluss"
            device = await Device.enrol(path, self._codes[agency], PASSPHRASE, functions=functions)
            self._devices.append(device)
            self.founders[agency] = device
        for device in self.founders.values():
            await device.sync()
        # Founders read their roots' fingerprints to each other, on the telephone or at a table.
        for device in self.founders.values():
            for other in self.founders.values():
                if other is not device:
                    await device.registrar.peer(other.local.config.root)
        await self.founders[self._agencies[0]].registrar.add_scenes(self._scenes)
        for device in self.founders.values():
            await device.sync()

    async def device(
        self,
        agency: str,
        function: Function = "field",
        scenes: Sequence[str] | None = None,
        *,
        alias: str | None = None,
        path: Path | None = None,
    ) -> Device:
        """Enrol a colleague's device with its keys in place, ready to file and to read.

        Args:
            agency: slug, for instance `security`.
            function: `field`, `supervisors` or `reception`.
            scenes: slugs; None for every scene.
            alias: the person's alias; the next free one by default.
            path: where its store is; in the town's folder by default.

        """
        founder = self.founders[agency]
        code = await founder.registrar.invite([function], scenes, alias)
        path = path or self.folder / f"{agency}-{function}-{len(self._devices)}.sluss"
        device = await Device.enrol(path, code, PASSPHRASE)
        self._devices.append(device)
        await founder.sync()
        await device.sync()
        return device

    async def reopen(self, device: Device) -> Device:
        """Close a device and open its store again, as after the app was closed."""
        path = device.path
        await device.close()
        again = await Device.open(path, PASSPHRASE)
        self._devices[self._devices.index(device)] = again
        return again
