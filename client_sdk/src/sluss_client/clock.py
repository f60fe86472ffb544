"""The device's only clock: real time, plus the offset that tests write into a file.

`SLUSS_TEST_CLOCK` names a file with a number of seconds; without it this is the machine's time.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


def now() -> int:
    """Return Unix seconds."""
    return int(real()) + _offset()


def real() -> float:
    """Return the machine's own time in Unix seconds, without the offset; for whoever sets that offset."""
    return time.time()


def latest(corrected: int) -> int:
    """Return the later of a time that a server corrected and the own one: by it ends what no server may prolong."""
    return max(corrected, now())


def running() -> float:
    """Return seconds that only run forward, whatever the clock is set to, and also while the machine sleeps."""
    # Linux's monotonic clock stands still in sleep, macOS's goes on under this name only, Windows' goes on by itself.
    name = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    passed = time.monotonic() if name is None else time.clock_gettime(name)
    return passed + _offset()


def _offset() -> int:
    name = os.environ.get("SLUSS_TEST_CLOCK")
    if not name:
        return 0
    try:
        return int(float(Path(name).read_text(encoding="ascii") or 0))
    except (OSError, ValueError):
        # No file yet means no offset yet; half-written never happens, since it is replaced as a whole.
        return 0
