"""A clock that a test sets, and that server and devices read from one file.

It changes no clock of the machine, and runs on by itself between changes.

> INVARIANT: whoever reads the file sees the last change whole.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sluss_client.clock import real

VARIABLE: Final = "SLUSS_TEST_CLOCK"
"""The variable that names the file."""


class Clock:
    """A clock that runs on from a start and can be set; server and devices of a town read it from one file."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at a moment, by default the real one."""
        self._offset = 0.0 if start is None else start.timestamp() - real()
        self._file: Path | None = None

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromtimestamp(real() + int(self._offset), UTC)

    def set(self, moment: datetime) -> None:
        """Put the clock to a moment."""
        self._offset = moment.timestamp() - real()
        self._write()

    def advance(self, **units: float) -> None:
        """Put the clock forward: `advance(hours=5)`, with the units of `timedelta`."""
        self._offset += timedelta(**units).total_seconds()
        self._write()

    def attach(self, file: Path) -> None:
        """Write the offset to the file that `SLUSS_TEST_CLOCK` names, now and at every change."""
        self._file = file
        self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{int(self._offset)}\n", encoding="ascii")
        whole.replace(self._file)
