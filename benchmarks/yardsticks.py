"""The limits: what the parts cost here and now, with nothing of Sluss around them.

Each call takes one limit once, in the process that calls it, and remembers it for the page.
Not limits of the hardware: of one core, of this Python, and of the libraries that Sluss stands on.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluss_client import crypto
from sluss_schemas import sync as wire

from benchmarks.figures import percentile

AT_ONCE: Final = 50
"""Reports in a transaction, as in a push."""
_PAGE: Final = 128
_FSYNC_BYTES: Final = 4096
_MESSAGE: Final = bytes(44)  # a label and a digest, as a report's signature covers
_SECRET: Final = bytes(34)  # a secret and a bitmap, as a seal covers

_SCHEMA: Final = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE reports (digest BLOB PRIMARY KEY, manifest BLOB, signature BLOB, tiers BLOB, sections BLOB);
CREATE TABLE entries (feed INTEGER, seq INTEGER, digest BLOB, salt BLOB, seal BLOB, wraps BLOB,
                      PRIMARY KEY (feed, seq)) WITHOUT ROWID;
CREATE TABLE outcomes (digest BLOB PRIMARY KEY, receipt BLOB, signature BLOB);
CREATE TABLE facts (digest BLOB PRIMARY KEY, value BLOB);
CREATE TABLE leaves (seq INTEGER PRIMARY KEY, salt BLOB, content BLOB, leaf BLOB);
"""


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how often a second something can be done, from doing it `count` times."""
    started = time.perf_counter()
    for _ in range(count):
        work()
    return count / (time.perf_counter() - started)


def verifying(count: int) -> float:
    """Return Ed25519 verifications a second on one core."""
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key(), private.sign(_MESSAGE)
    return rate(count, lambda: public.verify(signature, _MESSAGE))


def sealing(count: int, receivers: int) -> float:
    """Return reports a second whose secret is sealed (HPKE, X-Wing) to so many receivers, on one core."""
    publics = [crypto.KemKey(crypto.random_key()).public for _ in range(receivers)]
    return rate(max(count // receivers, 1), lambda: [crypto.seal(one, b"", _SECRET) for one in publics])


def sealing_one(count: int, size: int) -> float:
    """Return HPKE messages a second over so many bytes to one key, on one core."""
    public, message = crypto.KemKey(crypto.random_key()).public, bytes(size)
    return rate(count, lambda: crypto.seal(public, b"", message))


def opening(count: int) -> float:
    """Return HPKE openings a second on one core."""
    key = crypto.KemKey(crypto.random_key())
    sealed = crypto.seal(key.public, b"", _SECRET)
    return rate(count, lambda: key.open(sealed, b""))


def opening_and_verifying(count: int) -> float:
    """Return reports a second if a report were one opening and one verification, on one core."""
    return 1 / (1 / opening(count) + 1 / verifying(count))


def decoding(items: Sequence[bytes]) -> float:
    """Return reports a second that MessagePack alone turns into structures."""
    decoder = msgspec.msgpack.Decoder(wire.Item)
    started = time.perf_counter()
    for item in items:
        decoder.decode(item)
    return len(items) / (time.perf_counter() - started)


def fsync_ms(folder: Path, count: int) -> float:
    """Return the median milliseconds of appending a page to a file and fsyncing it."""
    place = folder / "fsync"
    took = []
    with place.open("ab", buffering=0) as file:
        for _ in range(count):
            started = time.perf_counter()
            file.write(bytes(_FSYNC_BYTES))
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    place.unlink()
    return 1000 * median(took)


class Rows:
    """The rows of reports in plain `sqlite3`: WAL, synchronous=FULL, one connection, no framework.

    A report is its manifest and sections, an entry with seal and wraps per audience, an outcome with its receipt, a
    row of facts and a leaf of the ledger: the bytes that the server stores, without any check.
    """

    def __init__(self, folder: Path, items: Sequence[bytes]) -> None:
        """Take the rows from sealed items."""
        self._place = folder / "rows.sqlite"
        self._items = [msgspec.msgpack.decode(item, type=wire.Item) for item in items]

    def written(self, at_once: int, count: int) -> float:
        """Return reports a second in transactions of `at_once`, written into a new file."""
        for name in (self._place, *(self._place.with_name(self._place.name + end) for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
        with closing(sqlite3.connect(self._place, isolation_level=None)) as connection:
            connection.executescript(_SCHEMA)
            encoded = [self._rows(self._items[number % len(self._items)], number) for number in range(count)]
            started = time.perf_counter()
            for start in range(0, count, at_once):
                _write(connection, encoded[start : start + at_once])
            return count / (time.perf_counter() - started)

    def scanned(self) -> float:
        """Return reports a second, read as one feed's pages would be from what `written` wrote."""
        with closing(sqlite3.connect(self._place)) as connection:
            started, position, found = time.perf_counter(), -1, 0
            while rows := connection.execute(
                "SELECT seq, entries.digest, salt, seal, wraps, manifest, signature, tiers, sections"
                " FROM entries JOIN reports ON reports.digest = entries.digest"
                " WHERE feed = 0 AND seq > ? ORDER BY seq LIMIT ?",
                (position, _PAGE),
            ).fetchall():
                position, found = rows[-1][0], found + len(rows)
            return found / (time.perf_counter() - started)

    @staticmethod
    def _rows(item: wire.Item, number: int) -> list[tuple[str, list[tuple[object, ...]]]]:
        digest, encode = os.urandom(32), msgspec.msgpack.encode
        report = (digest, item.manifest, item.signature, encode(item.tiers), encode(item.sections))
        entries: list[tuple[object, ...]] = [
            (feed, number, digest, os.urandom(32), one.seal, encode(one.wraps))
            for feed, one in enumerate(item.recipients)
        ]
        return [
            ("INSERT INTO reports VALUES (?, ?, ?, ?, ?)", [report]),
            ("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", entries),
            ("INSERT INTO outcomes VALUES (?, ?, ?)", [(digest, bytes(100), bytes(64))]),
            ("INSERT INTO facts VALUES (?, ?)", [(digest, bytes(80))]),
            ("INSERT INTO leaves VALUES (?, ?, ?, ?)", [(number, bytes(32), bytes(100), bytes(32))]),
        ]


def _write(connection: sqlite3.Connection, reports: Sequence[list[tuple[str, list[tuple[object, ...]]]]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for tables in zip(*reports, strict=True):
        connection.executemany(tables[0][0], [row for _, rows in tables for row in rows])
    connection.execute("COMMIT")


def ms(latencies: Sequence[float], share: float) -> float:
    """Return a percentile of seconds, in milliseconds."""
    return 1000 * percentile(latencies, share)
