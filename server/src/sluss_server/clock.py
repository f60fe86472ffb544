"""The one place that asks what time it is.

For: Unix seconds for everything that decides by time, handed on as an argument from here.
Refuses: any other question; a duration is measured with `time.monotonic` where it is needed.
A test may move this clock by a file that holds a number of seconds to add (`SLUSS_TEST_CLOCK`); devices read the
same file, so that a whole town lives at one time.

> INVARIANT: no other module of the server reads a clock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

TEST_CLOCK: Final = "SLUSS_TEST_CLOCK"
"""The environment variable that names the file with the offset."""


class Clock:
    """Real time, moved by what a file says; calling it gives Unix seconds."""

    def __init__(self, offset_file: Path | None = None) -> None:
        """Read `offset_file` anew on each call; None for real time."""
        self._file = offset_file

    def __call__(self) -> int:
        """Return Unix seconds, UTC."""
        if self._file is None:
            return int(time.time())
        return int(time.time() + self._offset(self._file))

    @staticmethod
    def _offset(file: Path) -> float:
        """Return the seconds to add; 0 where the file is missing, unreadable or no number."""
        # Not remembered between calls: two writes within one tick of the file system's clock look alike.
        try:
            offset = float(file.read_bytes())
        except (OSError, ValueError):
            return 0
        # Not a number, and infinities: no time at all could be made of them.
        return offset if abs(offset) < 1e11 else 0  # noqa: PLR2004  # a bound that no calendar reaches


def now() -> int:
    """Return Unix seconds, UTC, by the clock that the environment names at this moment."""
    named = os.environ.get(TEST_CLOCK)
    return Clock(Path(named) if named else None)()
