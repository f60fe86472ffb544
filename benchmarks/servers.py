"""A server process over the data of a town, as an operator would run it.

`testing.Server` gives its process the clock of tests, a file that is read whenever the time is asked for; that would
be measured too, so the figures are taken on a process without it.

> INVARIANT: the program is the product's own command, with its own defaults.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

CLOCK: Final = "SLUSS_TEST_CLOCK"
_STOP_S: Final = 30.0


class Server:
    """A server on a port; it can be started again.

    Attributes:
        data: the data folder.
        url: its address.

    """

    def __init__(self, data: Path, port: int) -> None:
        """Take a data folder that was founded before; nothing runs yet."""
        self.data = data
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        if self._process is None:
            message = "the server does not run"
            raise RuntimeError(message)
        return self._process.pid

    def start(self) -> None:
        """Start, and return when it listens."""
        environment = {name: value for name, value in os.environ.items() if name != CLOCK}
        with self.data.with_suffix(".log").open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sluss_server.cli", "serve", "--port", str(self._port)],
                env=environment | {"SLUSS_DATA_DIR": str(self.data)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if "listening" not in line:
            self.stop()
            message = f"the server did not start; its log is {self.data.with_suffix('.log')}"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Stop as an operator would; one that does not run is left alone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)
        if process.stdout is not None:
            process.stdout.close()
