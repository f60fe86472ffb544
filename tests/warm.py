"""Server processes without the 0.7 s that an interpreter takes to import the server, of which a run starts hundreds.

Each is forked off a process that has the imports behind it (`tests.warmed`), and then is what `python -m
sluss_server.cli` would be: a process of its own with its arguments, environment, sockets, signals and exit code.
Other programs, and the server with something replaced, start from cold.

> INVARIANT: nothing of the server has run before the fork but its imports and the reading of the shipped packs, and
> nothing of the test's process is in it.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

_PROGRAM: Final = (sys.executable, "-m", "sluss_server.cli")
_POSSIBLE: Final = "forkserver" in multiprocessing.get_all_start_methods()


class Warm:
    """A forked process, with what tests use of a `Popen`."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], out: Path | None, err: Path) -> None:
        """Start it; what it writes goes into the files, standard output without one into `stdout`."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["sluss_server.cli", "tests.warmed"])
        reader, writer = context.Pipe(duplex=False)
        given = (list(arguments), dict(environment), str(Path.cwd()), str(err), writer if out is None else str(out))
        self.args = [*_PROGRAM, *arguments]
        # One that a test leaves behind ends with the test's process.
        self._process = context.Process(target=_become, args=given, daemon=True)
        with reader, writer:
            self._process.start()
            self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once there is one."""
        self._process.join(timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill without warning."""
        self._process.kill()


def _become(arguments: list[str], environment: dict[str, str], folder: str, err: str, out: Connection | str) -> None:
    """Be the server's command line, in a process that was just forked."""
    for number, to in ((1, out), (2, err)):
        if isinstance(to, str):
            opened = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        else:
            os.dup2(to.fileno(), number)
            to.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["sluss", *arguments]
    # Imported already, where the fork was; not at the top, because the tests' process has no use for it.
    importlib.import_module("sluss_server.cli").main(arguments)


def start(command: Sequence[str], environment: Mapping[str, str], err: Path) -> Warm | subprocess.Popen[str]:
    """Start a program; its standard output can be read, and what it says on standard error goes on in a file."""
    if _POSSIBLE and tuple(command[:3]) == _PROGRAM:
        return Warm(command[3:], environment, None, err)
    with err.open("a", encoding="utf-8") as log:
        return subprocess.Popen(list(command), env=dict(environment), stdout=subprocess.PIPE, stderr=log, text=True)


def run(
    command: Sequence[str], environment: Mapping[str, str], timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    if not _POSSIBLE or tuple(command[:3]) != _PROGRAM:
        return subprocess.run(
            list(command), env=dict(environment), capture_output=True, text=True, timeout=timeout, check=False
        )
    with tempfile.TemporaryDirectory(prefix="sluss-run-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = Warm(command[3:], environment, out, err)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
            process.stdout.close()
        said = [file.read_text(encoding="utf-8") if file.exists() else "" for file in (out, err)]
        return subprocess.CompletedProcess(process.args, code, *said)
