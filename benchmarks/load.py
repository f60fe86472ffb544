"""The load generator: what one process of clients does to a server.

Runs in a process of its own; each function is called there, opens the store that it is given once, and keeps it open.
Not measured here: sealing, which was done before, and opening, which P4 does.
Refuses an outcome that is not the first storing of a report: a duplicate would be a cheaper push.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from sluss_client import Device
from sluss_client.keys import DeviceKeys
from sluss_client.testing import PASSPHRASE
from sluss_schemas import sync as wire

from benchmarks import raw_http

_PUSH: Final = "/v1/push"
_PULL: Final = "/v1/pull"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long some requests took, in seconds: all of them, and each; and the bytes sent and got with their heads."""

    seconds: float
    latencies: list[float]
    sent: int
    got: int


@dataclass(frozen=True, slots=True)
class Drained:
    """A first sync as the server serves it: seconds, reports, bytes got, and the cursor that it ended with."""

    seconds: float
    reports: int
    got: int
    cursor: tuple[wire.Position, ...]


class _Page(msgspec.Struct, frozen=True, array_like=True):
    """A page of a feed with its entries left as they came."""

    position: wire.Position
    entries: tuple[msgspec.Raw, ...]
    more: bool
    past: tuple[msgspec.Raw, ...] = ()


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a pull, as far as a cursor needs it."""

    pages: tuple[_Page, ...]


@cache
def _keys(store: Path) -> DeviceKeys:
    """Return a device's keys."""
    return asyncio.run(Device.open(store, PASSPHRASE)).local.keys


def warm(store: Path) -> None:
    """Open a store before anything is timed."""
    _keys(store)


def push(store: Path, url: str, items: Path, batch: int, clients: int) -> Timing:
    """Push the items of a file, so many in a request, from so many clients.

    Raises:
        ConnectionError: the server refused a request, or stored an item otherwise than as a new report.

    """
    raws = msgspec.msgpack.decode(items.read_bytes(), type=list[bytes])
    bodies = [
        msgspec.msgpack.encode(wire.Push(tuple(msgspec.Raw(item) for item in raws[start : start + batch])))
        for start in range(0, len(raws), batch)
    ]
    requests = [raw_http.signed(_keys(store), url, _PUSH, body) for body in bodies]
    done = raw_http.run(url, requests, clients)
    for body in done.bodies:
        for outcome in msgspec.msgpack.decode(body, type=wire.PushAnswer).items:
            if outcome.outcome is not wire.OutcomeCode.CREATED or outcome.receipt is None:
                message = f"an item was {outcome.outcome} ({outcome.reason}, {outcome.field})"
                raise ConnectionError(message)
    return Timing(done.seconds, done.latencies, done.sent, done.got)


def drain(store: Path, url: str) -> Drained:
    """Pull everything from the beginning, page by page, and throw it away.

    What the client does between two pages (read the cursor, sign the next request) is within the time.
    """
    keys, cursor = _keys(store), dict[bytes, wire.Position]()
    client = raw_http.Client.connect(url)
    reports = got = 0
    started, more = time.perf_counter(), True
    while more:
        body = msgspec.msgpack.encode(wire.Pull(tuple(cursor[feed] for feed in sorted(cursor))))
        answer = msgspec.msgpack.decode(client.ask(raw_http.signed(keys, url, _PULL, body)), type=_Answer)
        got += client.length
        for page in answer.pages:
            cursor[page.position.feed] = page.position
            reports += len(page.entries) + len(page.past)
        more = any(page.more for page in answer.pages)
    seconds = time.perf_counter() - started
    client.close()
    return Drained(seconds, reports, got, tuple(cursor.values()))


def idle(store: Path, url: str, cursor: tuple[wire.Position, ...], count: int, clients: int) -> Timing:
    """Pull with nothing new, each request signed by itself.

    Raises:
        ConnectionError: there was something new after all.

    """
    body = msgspec.msgpack.encode(wire.Pull(tuple(sorted(cursor, key=lambda one: one.feed))))
    done = raw_http.run(url, [raw_http.signed(_keys(store), url, _PULL, body) for _ in range(count)], clients)
    if any(msgspec.msgpack.decode(one, type=_Answer).pages for one in done.bodies):
        message = "an idle pull brought something"
        raise ConnectionError(message)
    return Timing(done.seconds, done.latencies, done.sent, done.got)


def nothing(url: str, size: int, count: int, clients: int) -> Timing:
    """Post bodies of so many bytes to the bare application."""
    done = raw_http.run(url, [raw_http.unsigned(url, _PUSH, bytes(size))] * count, clients)
    return Timing(done.seconds, done.latencies, done.sent, done.got)
