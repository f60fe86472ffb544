"""The group commit: what many devices send goes to disk in one transaction, and each is answered after it.

A job is a function of the connection.
Jobs that say what they `merge` with are handed to one function together, so that sixteen devices with one report each
cost as many statements as one device with sixteen.
Refuses to know what a job writes.

> INVARIANT: nobody is answered before the commit that holds their effect, and a failing job takes nobody along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.problems import Invalid
from sluss_server.storage.engine import Engine, passing

T = TypeVar("T")
P = TypeVar("P")

MAX_WAITING: Final = 2_000
MAX_WEIGHT: Final = 200
"""The most report versions in one transaction; it bounds how long the answer to the first of them takes."""
_ATTEMPTS: Final = 3

Job = Callable[[AsyncConnection], Awaitable[T]]
Merged = Callable[[AsyncConnection, Sequence[P]], Awaitable[Sequence[T]]]


@dataclass(slots=True)
class _Waiting:
    """A job in the queue."""

    run: Merged[Any, Any]
    payload: Any
    key: Hashable
    weight: int
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """The one writer of a process. Use `start`, then `submit` or `merge` from anywhere, then `close`."""

    def __init__(self, engine: Engine, *, max_waiting: int = MAX_WAITING) -> None:
        """Write to this engine; more than `max_waiting` jobs in the queue are refused as `overloaded`."""
        self._engine: Final = engine
        self._queue: Final[asyncio.Queue[_Waiting | None]] = asyncio.Queue()
        self._max_waiting: Final = max_waiting
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection | None = None
        self._closing = False

    async def start(self) -> None:
        """Begin to work."""
        self._closing = False
        self._task = asyncio.create_task(self._work(), name="writer")

    async def close(self) -> None:
        """Finish what is in the queue, refuse anything more, and close the connection."""
        self._closing = True
        if self._task is not None:
            self._queue.put_nowait(None)
            await self._task
            self._task = None
        await self._forget()

    async def submit(self, job: Job[T]) -> T:
        """Run a job in a transaction and return its value after the commit.

        Raises:
            Invalid: `overloaded`, or what the job raised.

        """

        async def alone(connection: AsyncConnection, _payloads: Sequence[None]) -> Sequence[T]:
            return [await job(connection)]

        return cast("T", await self._enter(_Waiting(alone, None, object(), 1)))

    async def merge(self, run: Merged[P, T], payload: P, *, key: Hashable, weight: int = 1) -> T:
        """Run `run` with this payload and those of everybody else who waits with an equal `key`.

        `run` gets the payloads in the order they came, and returns one value for each; equal keys MUST mean the same
        `run`. `weight` is how many report versions or the like the payload stands for.

        Raises:
            Invalid: `overloaded`, or what `run` raised when it was given this payload alone.

        """
        return cast("T", await self._enter(_Waiting(run, payload, key, weight)))

    async def _enter(self, waiting: _Waiting) -> object:
        if self._closing or self._task is None or self._queue.qsize() >= self._max_waiting:
            raise Invalid("overloaded")
        self._queue.put_nowait(waiting)
        return await waiting.answer

    async def _work(self) -> None:
        more = True
        while more:
            batch, weight = list[_Waiting](), 0
            first = await self._queue.get()
            while first is not None:
                batch.append(first)
                weight += first.weight
                if weight >= MAX_WEIGHT or self._queue.empty():
                    break
                first = self._queue.get_nowait()
            more = first is not None
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            answers = await self._transaction(batch)
        except Exception as error:  # noqa: BLE001  # whatever it is belongs to the job that caused it
            if len(batch) > 1:
                for one in batch:
                    await self._alone(one)
            elif passing(error):
                await self._alone(batch[0])
            else:
                _fail(batch[0], error)
        else:
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)

    async def _alone(self, one: _Waiting) -> None:
        """Run one job by itself, and again where another process was in its way or the connection was lost."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                [answer] = await self._transaction([one])
            except Exception as error:  # noqa: BLE001  # as above
                if attempt == _ATTEMPTS or not passing(error):
                    _fail(one, error)
                    return
            else:
                if not one.answer.done():
                    one.answer.set_result(answer)
                return

    async def _transaction(self, batch: list[_Waiting]) -> list[object]:
        """Run a batch in one transaction and return its answers in the batch's order."""
        groups: dict[Hashable, list[int]] = {}
        for number, one in enumerate(batch):
            groups.setdefault(one.key, []).append(number)
        answers: list[object] = [None] * len(batch)
        connection = await self._connected()
        try:
            async with connection.begin():
                for numbers in groups.values():
                    got = await batch[numbers[0]].run(connection, [batch[number].payload for number in numbers])
                    for number, answer in zip(numbers, got, strict=True):
                        answers[number] = answer
        except BaseException:
            if connection.in_transaction() or connection.invalidated:
                await self._forget()
            raise
        return answers

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._engine.writer_connection()
        return self._connection

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _fail(one: _Waiting, error: Exception) -> None:
    if not one.answer.done():
        one.answer.set_exception(error)
