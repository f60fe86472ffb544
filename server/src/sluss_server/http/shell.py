"""What every request of one process shares, and what is noted about a single one.

For: handing the services, the clock and the counters to whoever answers, without globals.
Refuses to do anything with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sluss_server.http.metrics import Metrics
from sluss_server.services import Services

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Trace:
    """What may be told of one request, in the log and to whoever asks for help.

    Attributes:
        request_id: made here, never taken from the request: what others choose could carry content into the log.
        device: the first bytes of the signing device's key id in hex; empty before the signature is verified.
        code: the problem code of the answer; empty for a success.

    """

    request_id: str
    device: str = ""
    code: str = ""


@dataclass(slots=True, kw_only=True)
class Shell:
    """What the requests of one process share.

    Attributes:
        clock: Unix seconds.
        new_id: makes a request's id.
        public_url: what devices sign as the beginning of the target; empty for the request's own scheme and host.
        metrics: the counters.
        draining: set when the process is about to stop, so that nobody is kept waiting for news.

    """

    clock: Callable[[], int]
    new_id: Callable[[], str]
    public_url: str = ""
    metrics: Metrics = field(default_factory=Metrics)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    _services: Services | None = None

    @property
    def services(self) -> Services:
        """The services, which exist while the application runs."""
        if self._services is None:
            message = "no request can be answered before the application has started"
            raise RuntimeError(message)
        return self._services

    @services.setter
    def services(self, services: Services) -> None:
        self._services = services

    async def unless_draining(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """Await what may wait long; return None, and cancel it, if the process is to stop first."""
        if self.draining.is_set():
            waiting.close()
            return None
        answer = asyncio.ensure_future(waiting)
        stop = asyncio.ensure_future(self.draining.wait())
        try:
            await asyncio.wait({answer, stop}, return_when=asyncio.FIRST_COMPLETED)
            return await answer if answer.done() else None
        finally:
            for task in (answer, stop):
                if not task.done():
                    task.cancel()
