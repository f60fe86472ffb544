"""Work that the server does again and again without being asked.

A look that fails is logged with its place in the code and nothing that it quotes, and the next one comes as if nothing
had been: whatever went wrong, a database that was away is back later.

> INVARIANT: no failure ends the work; the end of the block does, wherever it is: transactions keep whole what it did.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from sluss_server import logs


@contextlib.asynccontextmanager
async def working(once: Callable[[], Awaitable[None]], *, every_s: float, failed: str) -> AsyncIterator[None]:
    """Do some work every so many seconds while the block lasts.

    Args:
        once: one look.
        every_s: how long to wait before each.
        failed: the event in the log after one that failed.

    """
    task = asyncio.create_task(_work(once, every_s, failed), name=failed)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _work(once: Callable[[], Awaitable[None]], every_s: float, failed: str) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await once()
        except Exception as error:  # noqa: BLE001  # whatever it is, the next look may succeed
            logs.get().warning(failed, **logs.fault(error))
