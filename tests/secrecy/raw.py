"""What a server answers to a device, byte for byte: signed requests, nothing decoded and nothing kept.

The requests are those of a sync that starts from nothing, so the answers hold everything that the server would ever
give this device.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from sluss_client.device import Device
from sluss_client.transport import Transport
from sluss_schemas import membership
from sluss_schemas import sync as wire

T = TypeVar("T")
_OK: Final = 200
_CHANGING_IN_PROBLEMS: Final = re.compile(rb'"request_id":"[0-9a-f]{16}"|"server_time":\d{10}')
_TIME_AT: Final = {"/v1/pull": 3, "/v1/directory/pull": 2}
"""Which field of an answer is the time."""
CHANGING: Final = frozenset({"date", "x-request-id"})
"""Headers that differ between any two answers."""


@dataclass(frozen=True)
class Answer:
    """One answer, as it came."""

    asked: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def masked(self) -> tuple[str, int, tuple[tuple[str, str], ...], int, bytes]:
        """Return all of it but the time that the server says it is; the number of bytes is compared too."""
        body = self.body
        if self.status != _OK:
            body = _CHANGING_IN_PROBLEMS.sub(b"", body)
        elif (time := _TIME_AT.get(self.asked)) is not None:
            parts = [bytes(part) for part in msgspec.msgpack.decode(body, type=list[msgspec.Raw])]
            body = b"".join(parts[:time] + parts[time + 1 :])
        return self.asked, self.status, self.headers, len(self.body), body


class Raw:
    """A device's keys, asking one server."""

    def __init__(self, device: Device, server: str) -> None:
        """Ask in this device's name."""
        self._transport = Transport(server, device.local.keys)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send one signed request and return what came."""
        data = b"" if body is None else msgspec.msgpack.encode(body)
        response = await self._transport._tried(method, path, data, signed=True, wait_s=0)
        headers = tuple(sorted((k.lower(), v) for k, v in response.headers.items() if k.lower() not in CHANGING))
        return Answer(path, response.status_code, headers, response.content)

    async def push(self, items: list[bytes], records: list[bytes] | None = None) -> wire.PushAnswer:
        """Push sealed items and signed records as they are."""
        push = wire.Push(
            tuple(msgspec.Raw(item) for item in items),
            records=tuple(msgspec.Raw(record) for record in records or ()),
        )
        return await self._transport.post("/v1/push", push, wire.PushAnswer)

    async def pull(self, limit: int = wire.MAX_PAGE_ENTRIES, cursor: tuple[wire.Position, ...] = ()) -> list[Answer]:
        """Return the pages of a pull, from a cursor to the end."""
        at = {position.feed: position for position in cursor}
        found, more = list[Answer](), True
        while more:
            answer = await self.ask("POST", "/v1/pull", wire.Pull(tuple(at[feed] for feed in sorted(at)), limit))
            found.append(answer)
            pages = _read(answer, wire.PullAnswer).pages
            at |= {page.position.feed: page.position for page in pages}
            more = any(page.more for page in pages)
        return found

    async def everything(self) -> list[Answer]:
        """Return every answer of a sync that starts from nothing."""
        directory = [await self.ask("POST", "/v1/directory/pull", membership.DirectoryPull())]
        while _read(directory[-1], membership.DirectoryAnswer).more:
            chains = [chain for one in directory for chain in _read(one, membership.DirectoryAnswer).chains]
            known = {chain.agency: chain.first + len(chain.entries) - 1 for chain in chains}
            body = membership.DirectoryPull(
                tuple(membership.Known(agency, seq) for agency, seq in sorted(known.items()))
            )
            directory.append(await self.ask("POST", "/v1/directory/pull", body))
        return [*directory, await self.ask("POST", "/v1/keys/pull", membership.KeysPull()), *await self.pull()]


@asynccontextmanager
async def asking(device: Device, server: str) -> AsyncIterator[Raw]:
    """Ask in a device's name for a while."""
    raw = Raw(device, server)
    try:
        yield raw
    finally:
        await raw.close()


def _read(answer: Answer, type_: type[T]) -> T:
    assert answer.status == _OK, answer.body
    return msgspec.msgpack.decode(answer.body, type=type_)


def entries(answers: list[Answer]) -> Iterator[wire.Entry]:
    """Yield the entries of the feeds in some answers."""
    for answer in answers:
        if answer.asked == "/v1/pull":
            for page in _read(answer, wire.PullAnswer).pages:
                yield from (*page.entries, *page.past)
