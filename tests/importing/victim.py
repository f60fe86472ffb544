"""A process that imports or syncs and is killed in the middle: run as `python -m tests.importing.victim`.

It kills itself with SIGKILL from within the progress callback, so that "in the middle" is a row and not a matter of
luck; nothing is flushed, closed or rolled back by anybody.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sluss_client import Device, importing, mappings

ROOT: Final = Path(__file__).resolve().parents[2]


def kill_in_import(store: Path, passphrase: str, csv: Path, mapping: str, after: int) -> int:
    """Import in another process that dies after so many rows; return its exit code."""
    return _run(["import", str(store), passphrase, str(csv), mapping, str(after)])


def kill_in_sync(store: Path, passphrase: str, stage: str, after: int) -> int:
    """Sync in another process that dies in a stage, after so many; return its exit code."""
    return _run(["sync", str(store), passphrase, stage, str(after)])


def _run(arguments: Sequence[str]) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "tests.importing.victim", *arguments], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode


async def _import(store: str, passphrase: str, csv: str, mapping: str, after: str) -> None:
    rows = importing.reader(Path(csv), mappings.load(mapping))
    async with await Device.open(store, passphrase) as device:
        await importing.run(device, rows, progress=lambda done, _: _die(done, int(after)))


async def _sync(store: str, passphrase: str, stage: str, after: str) -> None:
    async with await Device.open(store, passphrase) as device:
        await device.sync(lambda at, done, _: _die(done, int(after)) if at == stage else None)


def _die(done: int, after: int) -> None:
    if done >= after:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(_import(*sys.argv[2:]) if sys.argv[1] == "import" else _sync(*sys.argv[2:]))
