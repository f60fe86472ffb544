"""The encrypted file under outbox and replica.

One SQLite file; every row is sealed under a store key, which is sealed under the passphrase (Argon2id) together with
a secret in the operating system's keyring where there is one.
A row's name is a keyed hash, so a stolen file tells how many rows there are and how large, and nothing else.
It knows nothing of reports.

> INVARIANT: `put` is durable when the transaction around it has ended; a failed write leaves what was there.
> INVARIANT: a wrong passphrase, a damaged file and a full disk each have their own code, and none changes the file.
> INVARIANT: a closed store has no key in memory any more.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import keyring
import keyring.errors
import msgspec

from sluss_client import clock, crypto, tries
from sluss_client.errors import StoreError

_FORMAT: Final = 1
_SALT_BYTES: Final = 16
_MEMORY_KIB: Final = 64 * 1024
_PASSES: Final = 3
_LANES: Final = 4
_MOST_MEMORY_KIB: Final = 1024 * 1024
_MOST_PASSES: Final = 64
_MAGIC: Final = b"SQLite format 3\0"
_WITH_LOG: Final = b"\x02\x02"  # the file's versions for writing and reading: with a write-ahead log
_HEAD_BYTES: Final = 20
_SERVICE: Final = "sluss"
_BUSY_MS: Final = 2000

_SCHEMA: Final = """
CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), value BLOB NOT NULL);
CREATE TABLE rows (
    space TEXT NOT NULL, name BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (space, name)
) WITHOUT ROWID;
"""


class _Header(msgspec.Struct, frozen=True, array_like=True):
    """What is needed to find the store key; `pepper` names the keyring's entry if it has a share in the key."""

    format: int
    salt: bytes
    memory_kib: int
    passes: int
    lanes: int
    pepper: str | None
    sealed_key: bytes

    def sound(self) -> bool:
        """Tell whether these can be a header's values: a damaged one may ask for all of the machine's memory."""
        costs = 1 <= self.lanes <= _LANES and 1 <= self.passes <= _MOST_PASSES
        memory = 8 * self.lanes <= self.memory_kib <= _MOST_MEMORY_KIB
        return self.format == _FORMAT and len(self.salt) == _SALT_BYTES and costs and memory


def _keyring_usable() -> bool:
    """Tell whether there is a keyring that keeps secrets; a plain-text or null one is none."""
    backend = keyring.get_keyring()
    # keyring rates what really protects at 1 and above; chainer, fail and null are below.
    return bool(backend.priority >= 1) and "plaintext" not in type(backend).__module__.lower()


def _pepper(name: str | None) -> bytes:
    if name is None:
        return b""
    try:
        value = keyring.get_password(_SERVICE, name)
    except keyring.errors.KeyringError:
        value = None
    if value is None:
        raise StoreError(
            "wrong_passphrase", "keyring", "The keyring of this computer account does not hold this store's key."
        )
    return bytes.fromhex(value)


def _new_pepper() -> tuple[str | None, bytes]:
    if not _keyring_usable():
        return None, b""
    name, secret = os.urandom(16).hex(), crypto.random_key()
    try:
        keyring.set_password(_SERVICE, name, secret.hex())
    except keyring.errors.KeyringError:
        return None, b""
    return name, secret


class Store:
    """An open store; one process has it open at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, key: bytes) -> None:
        """Take an open connection; use `create` or `open`."""
        self.path = path
        self._connection = connection
        self._keys: tuple[crypto.RowCipher, bytes] | None = (
            crypto.RowCipher(crypto.derive(key, b"sluss/store/rows")),
            crypto.derive(key, b"sluss/store/names"),
        )

    def __repr__(self) -> str:
        """Show no key."""
        return "Store()"

    @classmethod
    def create(cls, path: Path, passphrase: str) -> Store:
        """Make a new store.

        Raises:
            StoreError: `store_exists`, `disk_full`, `store_damaged`.

        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # The file is made private before anything is in it.
            with _translated():
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise StoreError("store_exists", str(path)) from None
        try:
            salt, key = os.urandom(_SALT_BYTES), crypto.random_key()
            name, pepper = _new_pepper()
            header = _Header(_FORMAT, salt, _MEMORY_KIB, _PASSES, _LANES, name, b"")
            sealed = crypto.RowCipher(_outer(passphrase, header, pepper)).seal(b"sluss/store/key", key)
            header = msgspec.structs.replace(header, sealed_key=sealed)
            with _translated(), _closed_on_error(path) as connection:
                connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
                connection.execute("INSERT INTO header VALUES (1, ?)", (msgspec.msgpack.encode(header),))
        except BaseException:
            remove(path)
            raise
        return cls(path, connection, key)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Store:
        """Open a store.

        Raises:
            StoreError: `store_missing`, `store_locked`, `wrong_passphrase`, `store_damaged`, `passphrase_wait`.

        """
        if not path.exists():
            raise StoreError("store_missing", str(path))
        with _translated(), path.open("rb") as file:
            # SQLite would take an empty file for a new database, and turn another program's into one with a log.
            head = file.read(_HEAD_BYTES)
            if not head.startswith(_MAGIC) or not head.endswith(_WITH_LOG):
                raise StoreError("store_damaged", str(path))
        tries.check(path, clock.now())
        with _translated(), _closed_on_error(path) as connection:
            row = connection.execute("SELECT value FROM header WHERE id = 1").fetchone()
            try:
                header = msgspec.msgpack.decode(row[0], type=_Header)
            except (TypeError, msgspec.DecodeError, UnicodeDecodeError):
                raise StoreError("store_damaged", str(path)) from None
            if not header.sound():
                raise StoreError("store_damaged", str(path))
            outer = _outer(passphrase, header, _pepper(header.pepper))
            try:
                key = crypto.RowCipher(outer).open(b"sluss/store/key", header.sealed_key)
            except crypto.CannotOpen:
                tries.failed(path, clock.now())
                raise StoreError("wrong_passphrase", "passphrase") from None
        tries.clear(path)
        return cls(path, connection, key)

    def close(self) -> None:
        """Close the file and let go of the keys; any other call then raises `locked`."""
        self._connection.close()
        self._keys = None

    @property
    def _cipher(self) -> crypto.RowCipher:
        return self._open_keys()[0]

    def _open_keys(self) -> tuple[crypto.RowCipher, bytes]:
        if self._keys is None:
            raise StoreError("locked", "store")
        return self._keys

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside one durable step, or nothing of it; may be nested."""
        if self._connection.in_transaction:
            yield
            return
        yield from self._outermost()

    def _outermost(self) -> Iterator[None]:
        with _translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def put(self, space: str, key: bytes, data: bytes) -> None:
        """Write a row."""
        self.put_all(space, [(key, data)])

    def put_all(self, space: str, rows: list[tuple[bytes, bytes]]) -> None:
        """Write many rows of a space at once."""
        prefix = space.encode()
        sealed = []
        for key, data in rows:
            name = self._name(prefix, key)
            sealed.append((space, name, self._cipher.seal(prefix + name, msgspec.msgpack.encode((key, data)))))
        with self.transaction():
            self._connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", sealed)

    def get(self, space: str, key: bytes) -> bytes | None:
        """Return a row's data, or None."""
        name = self._name(space.encode(), key)
        with _translated():
            row = self._connection.execute(
                "SELECT sealed FROM rows WHERE space = ? AND name = ?", (space, name)
            ).fetchone()
        return None if row is None else self._open(space, name, row[0])[1]

    def delete(self, space: str, key: bytes) -> None:
        """Remove a row; SQLite overwrites it on disk (`secure_delete`)."""
        with self.transaction():
            self._connection.execute(
                "DELETE FROM rows WHERE space = ? AND name = ?", (space, self._name(space.encode(), key))
            )

    def items(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys and data of a space, in no order that means anything."""
        with _translated():
            rows = self._connection.execute("SELECT name, sealed FROM rows WHERE space = ?", (space,)).fetchall()
        for name, sealed in rows:
            yield self._open(space, name, sealed)

    def count(self, space: str) -> int:
        """Return how many rows a space has."""
        with _translated():
            return int(self._connection.execute("SELECT count(*) FROM rows WHERE space = ?", (space,)).fetchone()[0])

    def spaces(self) -> set[str]:
        """Return the spaces that have rows."""
        with _translated():
            return {space for (space,) in self._connection.execute("SELECT DISTINCT space FROM rows")}

    def clear(self, space: str) -> None:
        """Remove every row of a space."""
        with self.transaction():
            self._connection.execute("DELETE FROM rows WHERE space = ?", (space,))

    def scrub(self) -> None:
        """After a purge: empty the write-ahead log, so that no page of it holds what was deleted."""
        with _translated():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check(self) -> bool:
        """Tell whether SQLite finds the file whole and every row opens."""
        with _translated():
            whole = bool(self._connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")
            rows = self._connection.execute("SELECT space, name, sealed FROM rows").fetchall()
        for space, name, sealed in rows:
            self._open(space, name, sealed)
        return whole

    def _name(self, space: bytes, key: bytes) -> bytes:
        return crypto.mac(self._open_keys()[1], space + b"\0" + key)[:16]

    def _open(self, space: str, name: bytes, sealed: bytes) -> tuple[bytes, bytes]:
        try:
            data = self._cipher.open(space.encode() + name, sealed)
        except crypto.CannotOpen:
            raise StoreError("store_damaged", space) from None
        return msgspec.msgpack.decode(data, type=tuple[bytes, bytes])


def _outer(passphrase: str, header: _Header, pepper: bytes) -> bytes:
    key = crypto.passphrase_key(
        passphrase, header.salt, memory_kib=header.memory_kib, passes=header.passes, lanes=header.lanes
    )
    return crypto.mac(key, b"sluss/store/outer" + pepper)


def _connect(path: Path) -> sqlite3.Connection:
    # The app's loop and a worker thread may take turns with one store; SQLite's own mutex keeps each call whole.
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _closed_on_error(path: Path) -> Iterator[sqlite3.Connection]:
    connection = _connect(path)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def remove(path: Path) -> None:
    """Remove the files of a store that was not finished; one that was in use is never removed."""
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with suppress(OSError):
            name.unlink()
    tries.clear(path)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLite's errors into the store's own."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE")):
            raise StoreError("disk_full", "store") from error
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StoreError("store_locked", "store") from error
        raise StoreError("store_damaged", "store") from error
    except sqlite3.ProgrammingError as error:
        # Nothing else is asked of it that could be a misuse: the store was closed, and the device locked with it.
        raise StoreError("locked", "store") from error
    except sqlite3.DatabaseError as error:
        raise StoreError("store_damaged", "store") from error
    except FileExistsError:
        raise
    except OSError as error:
        raise StoreError("disk_full" if error.errno == 28 else "store_damaged", "store") from error  # noqa: PLR2004  # ENOSPC
