"""The server's data folder: the files that make it this server and no other.

For: the key that signs receipts, the name of this lineage of backups, and the mark of a restore that is under way.
Refuses a file of another size, and a folder in which a restore was broken off.

> INVARIANT: a file here is whole or absent, nobody else may read it, and none is ever written over.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE: Final = "receipt.key"
INSTANCE_FILE: Final = "instance"
UNFINISHED_FILE: Final = "restore.unfinished"
"""Is there from before a restore writes anything until all of it is on disk."""
KEY_BYTES: Final = 32
INSTANCE_BYTES: Final = 16
_PRIVATE: Final = 0o600


class NotRunnableError(Exception):
    """Something around the server is not as it must be; an operator can put it right.

    Attributes:
        code: stable code of the command line (`sluss_server.cli`).
        say: one sentence that says what to do.

    """

    def __init__(self, code: str, say: str) -> None:
        super().__init__(f"{code}: {say}")
        self.code = code
        self.say = say


def receipt_key(data_dir: Path) -> Ed25519PrivateKey:
    """Return the key that signs receipts, made at its first use.

    Every server process of a partnership needs the same file, because agencies pin the key's public half.

    Raises:
        NotRunnableError: the file is no such key.

    """
    return Ed25519PrivateKey.from_private_bytes(_kept(data_dir / KEY_FILE, KEY_BYTES))


def instance(data_dir: Path) -> bytes:
    """Return the 16 bytes that name this server's lineage of backups, made at their first use.

    Raises:
        NotRunnableError: the file holds something else.

    """
    return _kept(data_dir / INSTANCE_FILE, INSTANCE_BYTES)


def finished(data_dir: Path) -> None:
    """Return quietly if no restore was broken off in this folder, and no file that is there is damaged.

    Raises:
        NotRunnableError: it is not so.

    """
    if (data_dir / UNFINISHED_FILE).exists():
        say = "Delete the data folder, empty the database if it is elsewhere, and run `sluss restore FILE` again."
        raise NotRunnableError("not_restored", say)
    for name, size in ((KEY_FILE, KEY_BYTES), (INSTANCE_FILE, INSTANCE_BYTES)):
        if (data_dir / name).exists():
            _read(data_dir / name, size)


def folder(data_dir: Path) -> None:
    """Make the data folder, readable by its owner alone.

    Raises:
        NotRunnableError: it cannot be made.

    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise NotRunnableError("data_dir_unusable", "Set SLUSS_DATA_DIR to a folder that can be written.") from None


def _kept(file: Path, size: int) -> bytes:
    """Return a file of random bytes, made at its first use, which nobody else may read.

    Raises:
        NotRunnableError: the file cannot be read or written, or has another size.

    """
    folder(file.parent)
    if not file.exists():
        with contextlib.suppress(FileExistsError):
            make(file, secrets.token_bytes(size))
    return _read(file, size)


def _read(file: Path, size: int) -> bytes:
    """Return a file's content.

    Raises:
        NotRunnableError: it cannot be read, or has another size.

    """
    try:
        found = file.read_bytes()
    except OSError:
        raise NotRunnableError("data_dir_unusable", f"Let this user read {file.name} in SLUSS_DATA_DIR.") from None
    if len(found) != size:
        raise NotRunnableError("key_damaged", f"Put {file.name} in SLUSS_DATA_DIR back from a backup; it is damaged.")
    return found


def make(file: Path, content: bytes) -> None:
    """Write a file that must not be there yet, whole or not at all, and for nobody else to read.

    Raises:
        FileExistsError: it is there, perhaps since a moment ago and by another process.
        NotRunnableError: it cannot be written.

    """
    # Written aside and linked, because a second process must never see half of a key.
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.link(aside, file)
    except FileExistsError:
        raise
    except OSError:
        raise NotRunnableError("data_dir_unusable", "Set SLUSS_DATA_DIR to a folder that can be written.") from None
    finally:
        aside.unlink(missing_ok=True)
