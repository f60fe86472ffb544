"""A partnership of agencies for tests: founded by real devices on a real server, with colleagues who enrol by a code.

The server is started as a process if `sluss_server` is installed; with `url=` one that runs already is used, and its
founding codes and the clock's file are given.
Source: docs/contract.md, "Testing".

> INVARIANT: a device of a town has nothing that a device in the field would not have.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sluss_client.device import Device
from sluss_client.testing.clock import VARIABLE, Clock
from sluss_client.testing.hostile import Hostile
from sluss_client.testing.server import Server
from sluss_schemas.ids import AGENCY_SLUGS, Function

AGENCIES: Final = tuple(AGENCY_SLUGS.values())
SCENES: Final = (
    ("central-square", "Central square", "Centrala torget"),
    ("suburban-square", "Suburban square", "Förortstorget"),
    ("station-park", "Station park", "Stationsparken"),
)
PASSPHRASE: Final = "a town's passphrase"  # noqa: S105  # the stores of a test town hold nothing secret


class Town:
    """A partnership of agencies on a real server.

    Attributes:
        clock: the time of server and devices.
        founders: per agency the device that founded it: its registrar, and a member of each of its audiences, so that
            every audience has an epoch.
        server: the process, or None with `url=`.
        hostile: with `hostile=True`, who stands between the devices and the server, honest until told otherwise.

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
        hostile: bool = False,
    ) -> None:
        """Describe the town; `async with` builds it."""
        self.clock = clock or Clock()
        self.founders: dict[str, Device] = {}
        self.server: Server | None = None
        self._hostile = Hostile() if hostile else None
        self._database_url = database_url
        self._url = url
        self._codes = dict(codes or {})
        self._clock_file = clock_file
        self._agencies = tuple(agencies)
        self._scenes = tuple(scenes)
        self._devices: list[Device] = []
        self._before = os.environ.get(VARIABLE)
        self._clock_name = ""
        self.folder = Path()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._url or (self.server.url if self.server is not None else "")

    @property
    def hostile(self) -> Hostile:
        """Who stands in between; with `hostile=True` only."""
        if self._hostile is None:
            message = "this town's server is the real one: build it with hostile=True"
            raise RuntimeError(message)
        return self._hostile

    async def __aenter__(self) -> Self:
        """Start the server, found the agencies, exchange root fingerprints, register the scenes."""
        self.folder = Path(tempfile.mkdtemp(prefix="sluss-town-"))
        clock_file = self._clock_file or self.folder / "clock"
        self.clock.attach(clock_file)
        self._clock_name = os.environ[VARIABLE] = str(clock_file)
        try:
            if self._url is None:
                between = None if self._hostile is None else await self._hostile.listen()
                self.server = Server(self.folder, clock_file, self._database_url, public_url=between)
                if self._hostile is not None:
                    self._hostile.before(self.server.port, self.server.data)
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
        if self._hostile is not None:
            await self._hostile.close()
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)
        self._give_back_the_clock()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def keep_time(self) -> None:
        """Let the devices of this process have this town's time again, where another town has been opened since."""
        os.environ[VARIABLE] = self._clock_name

    def _give_back_the_clock(self) -> None:
        """Leave the variable as it was, unless another town has it by now or the one that had it is gone."""
        if os.environ.get(VARIABLE) != self._clock_name:
            return
        if self._before is not None and Path(self._before).exists():
            os.environ[VARIABLE] = self._before
        else:
            os.environ.pop(VARIABLE, None)

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
        code = await self.founders[agency].registrar.invite([function], scenes, alias)
        return await self._enrol(agency, code, path)

    async def replace(self, device: Device) -> Device:
        """Give a device's person another one, with the history that the person has; the first stays as it is."""
        agency = device.agency
        return await self._enrol(agency, await self.founders[agency].registrar.invite_again(device.alias))

    async def _enrol(self, agency: str, code: str, path: Path | None = None) -> Device:
        founder = self.founders[agency]
        path = path or self.folder / f"{agency}-{len(self._devices)}.sluss"
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
