"""`sluss-device` as a person or a script runs it: a process of its own, with its exit code and its two outputs."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sluss_client.cli import run

COMMAND: Final = (sys.executable, "-m", "sluss_client.cli")
PASSPHRASE: Final = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # what a command prints, its test knows
        """What standard output has as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The code of the refusal, which is the one line of standard error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Terminal:
    """One device's command line."""

    store: Path

    def run(
        self, *arguments: str | Path, given: str = "", environment: Mapping[str, str] | None = None, bare: bool = False
    ) -> Result:
        """Run a command; `bare` leaves the passphrase to be asked for."""
        done = subprocess.run(
            [*COMMAND, "--store", str(self.store), *map(str, arguments)],
            env=_environment(environment, bare=bare),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str | Path, given: str = "") -> Result:
        """Run a command, in this process, that has to succeed and to be silent beside its result."""
        result = inside(self.store, PASSPHRASE, [str(one) for one in arguments], given=given)
        assert result.code == 0, result.err
        assert result.err == ""
        return result

    def json(self, *arguments: str | Path, given: str = "") -> Any:  # noqa: ANN401  # as above
        """Run a command that has to succeed, with `--json`, and return what it printed."""
        return self.ok(*arguments, "--json", given=given).json

    def seen(self, *arguments: str | Path) -> tuple[int, str]:
        """Run a command on a terminal; return its exit code and all that the terminal showed."""
        master, slave = pty.openpty()
        with subprocess.Popen(
            [*COMMAND, "--store", str(self.store), *map(str, arguments)],
            env=_environment({"TERM": "xterm"}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        ) as process:
            os.close(slave)
            shown = _read_all(master)
            code = process.wait()
        os.close(master)
        return code, shown


def inside(store: Path, passphrase: str, arguments: Sequence[str], *, given: str = "") -> Result:
    """Run a command in this process, which is quicker and otherwise the same; for tables of many."""
    out, err = io.StringIO(), io.StringIO()
    before = {name: os.environ.get(name) for name in ("SLUSS_STORE", "SLUSS_PASSPHRASE", "COLUMNS")}
    os.environ |= {"SLUSS_STORE": str(store), "SLUSS_PASSPHRASE": passphrase, "COLUMNS": "200"}
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given.encode()))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(list(arguments))
    finally:
        sys.stdin = stdin
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    return Result(code, out.getvalue(), err.getvalue())


def _environment(more: Mapping[str, str] | None, *, bare: bool = False) -> dict[str, str]:
    known = {} if bare else {"SLUSS_PASSPHRASE": PASSPHRASE}
    return {**os.environ, "COLUMNS": "200", **known, **(more or {})}


def _read_all(master: int) -> str:
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            # What Linux says when the last one who wrote has gone.
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)
