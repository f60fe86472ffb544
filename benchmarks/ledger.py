"""P13: the ledger: what a leaf costs with its tree, and what a proof does.

Leaves: appended as the server does, in transactions of 50 and one alone, beside a salted SHA-256 and an insert in plain
`sqlite3`.
The tree: its hashes without a database, beside the two SHA-256 that a leaf takes at the least.
Proofs: that a ledger grew, from a size at random to the last, beside one row by its key.
Not measured: the acts that are recorded, HTTP, the checkpoint's signature (one a minute).
"""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

from sluss_schemas import merkle
from sluss_schemas.codec import encode
from sluss_schemas.ledger import Act, leaf_hash
from sluss_server.storage import ledger, schema
from sluss_server.storage.engine import Engine, open_engine
from sluss_server.storage.ledger import Leaf

from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground
from benchmarks.yardsticks import AT_ONCE

_WHOSE: Final = bytes(16)
_AGENCY: Final = bytes(15) + b"a"
_PROOFS: Final = 50
_SALT_BYTES: Final = 32
_BARE: Final = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE leaves (seq INTEGER PRIMARY KEY, action TEXT, salt BLOB, content BLOB, leaf BLOB);
"""


async def p13(ground: Ground) -> list[Figure]:
    """Measure what the ledger costs."""
    sizes = ground.sizes
    engine = open_engine(f"sqlite:///{ground.folder / 'ledger.sqlite'}")
    try:
        await schema.migrate(engine)
        await _append(engine, _leaves(sizes.stored[0]), AT_ONCE)
        rounds = [await _round(engine, ground.folder, sizes.rows, number) for number in range(sizes.rounds)]
    finally:
        await engine.close()
    together, alone, grown, proven = ([one[part] for one in rounds] for part in range(4))
    return [
        _figure(f"leaves appended with their tree, {AT_ONCE} in a transaction", "leaves/s", together, _INSERTS),
        _figure("a leaf alone, as that of a page is, committed", "ms", alone, _INSERTS),
        _figure("the tree of a leaf, without a database", "us", grown, "two SHA-256"),
        _figure(f"a proof that a ledger of {sizes.stored[0]:,} leaves and more grew", "ms", proven, _ROW),
    ]


_INSERTS: Final = "a salted SHA-256 and an insert, plain sqlite3"
_ROW: Final = "one row by its key, plain sqlite3"
_Pair = tuple[float, float]
"""A figure, and its limit in the same round."""


def _figure(work: str, unit: str, pairs: Sequence[_Pair], limit: str) -> Figure:
    return Figure(
        workload="P13",
        work=work,
        unit=unit,
        rounds=tuple(mine for mine, _ in pairs),
        limit=Limit(name=limit, unit=unit, rounds=tuple(bare for _, bare in pairs)),
    )


async def _round(engine: Engine, folder: Path, count: int, number: int) -> tuple[_Pair, _Pair, _Pair, _Pair]:
    leaves, few = _leaves(count), _leaves(max(count // 10, 5))
    with closing(_bare(folder, number)) as connection:
        together = (count / await _append(engine, leaves, AT_ONCE), count / _insert(connection, leaves, AT_ONCE))
        alone = (1000 * await _append(engine, few, 1) / len(few), 1000 * _insert(connection, few, 1) / len(few))
        proven = (1000 * await _prove(engine), 1000 * _look_up(connection))
    return together, alone, _grow(leaves), proven


def _leaves(count: int) -> list[Leaf]:
    made = (
        Act("collect", os.urandom(32), os.urandom(16), at, "", os.urandom(32), os.urandom(16)) for at in range(count)
    )
    return [Leaf(_AGENCY, act.action, encode(act)) for act in made]


async def _append(engine: Engine, leaves: Sequence[Leaf], at_once: int) -> float:
    """Return the seconds that appending takes, in transactions of so many."""
    connection = await engine.writer_connection()
    try:
        started = time.perf_counter()
        for start in range(0, len(leaves), at_once):
            async with connection.begin():
                await ledger.append(connection, _WHOSE, leaves[start : start + at_once], os.urandom)
        return time.perf_counter() - started
    finally:
        await connection.close()


def _bare(folder: Path, number: int) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / f"leaves{number}.sqlite", isolation_level=None)
    connection.executescript(_BARE)
    return connection


def _insert(connection: sqlite3.Connection, leaves: Sequence[Leaf], at_once: int) -> float:
    """Return the seconds that a salted digest and a row for each take."""
    started = time.perf_counter()
    for start in range(0, len(leaves), at_once):
        connection.execute("BEGIN IMMEDIATE")
        rows = []
        for _, action, content in leaves[start : start + at_once]:
            salt = os.urandom(_SALT_BYTES)
            rows.append((action, salt, content, hashlib.sha256(salt + content).digest()))
        connection.executemany("INSERT INTO leaves (action, salt, content, leaf) VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    return time.perf_counter() - started


def _grow(leaves: Sequence[Leaf]) -> _Pair:
    """Return the microseconds of a leaf's part of the tree, and of two digests of that size."""
    digests = [hashlib.sha256(leaf.content).digest() for leaf in leaves]
    tree = merkle.Frontier()
    started = time.perf_counter()
    tree.extend(leaf_hash(leaf.action, digest) for leaf, digest in zip(leaves, digests, strict=True))
    mine = time.perf_counter() - started
    pair = bytes(2 * _SALT_BYTES)
    started = time.perf_counter()
    for _ in range(2 * len(leaves)):
        hashlib.sha256(pair).digest()
    bare = time.perf_counter() - started
    return 1_000_000 * mine / len(leaves), 1_000_000 * bare / len(leaves)


async def _prove(engine: Engine) -> float:
    """Return the median seconds of a proof.

    Raises:
        ValueError: one does not hold.

    """
    took = list[float]()
    async with engine.read() as connection:
        tree = await ledger.tree(connection, _WHOSE, _AGENCY)
        for _ in range(_PROOFS):
            old = random.randrange(1, tree.size)  # which size is asked for is no secret
            started = time.perf_counter()
            proof = await ledger.consistency(connection, _WHOSE, _AGENCY, old, tree.size)
            took.append(time.perf_counter() - started)
            if not 0 < len(proof) <= 2 * tree.size.bit_length():
                message = "that is no proof"
                raise ValueError(message)
    return median(took)


def _look_up(connection: sqlite3.Connection) -> float:
    took = list[float]()
    for at in range(_PROOFS):
        started = time.perf_counter()
        connection.execute("SELECT leaf FROM leaves WHERE seq = ?", (at,)).fetchone()
        took.append(time.perf_counter() - started)
    return median(took)
