"""A server process over a folder, for tests: founded, started, stopped, killed and started again.

It runs the project's own commands and reads nothing of the server but what an operator reads.

> INVARIANT: the server of a test is the one that would be deployed, with nothing changed but its clock.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

from sluss_client.testing.clock import VARIABLE

_STOP_S: Final = 10.0
_SLUSS: Final = (sys.executable, "-m", "sluss_server.cli")


class Process(Protocol):
    """What is used of a process that was started."""

    @property
    def pid(self) -> int:
        """The process id."""

    @property
    def stdout(self) -> IO[str] | None:
        """What it says."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, if it still runs."""

    def kill(self) -> None:
        """Kill without warning."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once there is one; raises `subprocess.TimeoutExpired`."""


def _popen(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Start a command whose standard error goes on in a file."""
    with log.open("a", encoding="utf-8") as errors:
        return subprocess.Popen(  # noqa: S603  # our own program
            list(command), env=dict(environment), stdout=subprocess.PIPE, stderr=errors, text=True
        )


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603  # our own program
        list(command), env=dict(environment), capture_output=True, text=True, check=False
    )


START: Callable[[Sequence[str], Mapping[str, str], Path], Process] = _popen
RUN: Callable[[Sequence[str], Mapping[str, str]], subprocess.CompletedProcess[str]] = _run
"""How processes are started; whoever runs hundreds of towns may have a way that is quicker than a new interpreter."""


class Server:
    """A server process over a folder, which can be stopped, killed and started again."""

    def __init__(
        self, folder: Path, clock_file: Path, database_url: str | None, *, public_url: str | None = None
    ) -> None:
        """Choose a free port; nothing runs yet. `public_url` is the address that devices use, where it is another."""
        self.folder = folder
        self.data = folder / "server"
        self.log = folder / "server.log"
        self.port = _free_port()
        self.url = public_url or f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, "SLUSS_DATA_DIR": str(self.data), VARIABLE: str(clock_file)}
        if database_url is not None:
            self._environment["SLUSS_DATABASE_URL"] = database_url
        if public_url is not None:
            self._environment["SLUSS_PUBLIC_URL"] = public_url
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        if self._process is None:
            message = "the server does not run"
            raise RuntimeError(message)
        return self._process.pid

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the operator's commands, with the server's environment."""
        return RUN([*_SLUSS, *arguments], self._environment)

    def found(self, agencies: Sequence[str]) -> dict[str, str]:
        """Found a partnership and return the founding codes by agency."""
        named = [part for agency in agencies for part in ("--agency", agency)]
        done = self.run("found", "Town", *named, "--server-url", self.url, "--json")
        if done.returncode != 0:
            message = f"founding failed: {done.stderr}"
            raise RuntimeError(message)
        return {code["agency"]: code["code"] for code in json.loads(done.stdout)["codes"]}

    def start(self) -> None:
        """Start, and return when it listens."""
        self._process = START([*_SLUSS, "serve", "--port", str(self.port)], self._environment, self.log)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if "listening" not in line:
            self._process.wait(_STOP_S)
            message = f"the server did not start: {self.log.read_text(encoding='utf-8')[-2000:]}"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Stop as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill without warning."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
