"""Charts: a Vega-Lite specification in, an SVG out, drawn by a process beside the server.

The engine that draws is a whole browser's script engine, a hundred megabytes of it; the server does not carry that
while nobody looks at a chart. The process begins with the first chart and ends when none has been asked for a while.
It is given numbers and labels that the page shows anyway, and may load nothing from anywhere.
Refuses nothing that can be drawn: what cannot is the specification's fault, and a fault.

> INVARIANT: the same specification gives the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import struct
import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import BinaryIO, Final

import msgspec

_KEPT: Final = 256
_IDLE_S: Final = 60.0
_SIZE: Final = struct.Struct(">I")


class DrawingError(Exception):
    """The process that draws has ended, or could not draw what it was given."""


class Drawer:
    """Draws one chart after the other, and remembers the last ones."""

    def __init__(self, *, idle_s: float = _IDLE_S) -> None:
        self._idle_s = idle_s
        self._drawn: OrderedDict[bytes, bytes] = OrderedDict()
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None

    async def svg(self, specification: Mapping[str, object]) -> bytes:
        """Return the chart.

        Raises:
            DrawingError: it cannot be drawn.

        """
        asked = msgspec.json.encode(specification, order="sorted")
        name = hashlib.sha256(asked).digest()
        async with self._turn:
            if name not in self._drawn:
                self._drawn[name] = await self._draw(asked)
                while len(self._drawn) > _KEPT:
                    self._drawn.popitem(last=False)
            self._drawn.move_to_end(name)
            self._rest_later()
            return self._drawn[name]

    async def close(self) -> None:
        """End the process, if there is one."""
        async with self._turn:
            await self._rest()

    async def _draw(self, asked: bytes) -> bytes:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", __name__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        if process.stdin is None or process.stdout is None:
            raise DrawingError("a process without pipes")
        try:
            process.stdin.write(_SIZE.pack(len(asked)) + asked)
            await process.stdin.drain()
            (size,) = _SIZE.unpack(await process.stdout.readexactly(_SIZE.size))
            drawn = await process.stdout.readexactly(size)
        except (OSError, asyncio.IncompleteReadError) as error:
            await self._rest()
            raise DrawingError("the process that draws has ended") from error
        if not drawn:
            raise DrawingError("this cannot be drawn")
        return drawn

    def _rest_later(self) -> None:
        if self._end is not None:
            self._end.cancel()
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(self._idle_s, lambda: loop.create_task(self.close()))

    async def _rest(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            # It ends by itself when nothing more can come.
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
        await process.wait()


def work(asked: BinaryIO, drawn: BinaryIO) -> None:
    """Draw until nothing more comes: each way a length and that many bytes, of which none is what cannot be drawn."""
    # Not at the top: the server imports this module for `Drawer` alone.
    import vl_convert  # noqa: PLC0415

    while len(size := asked.read(_SIZE.size)) == _SIZE.size:
        specification = asked.read(*_SIZE.unpack(size)).decode()
        try:
            svg = vl_convert.vegalite_to_svg(specification, allowed_base_urls=[]).encode()
        except ValueError:
            svg = b""
        drawn.write(_SIZE.pack(len(svg)) + svg)
        drawn.flush()


if __name__ == "__main__":
    work(sys.stdin.buffer, sys.stdout.buffer)
