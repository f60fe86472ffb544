"""What every command shares: the store and its passphrase, one open device, output, progress, and how a refusal ends.

Refuses: to show a trace or anything that a person wrote; to ask for a passphrase where nobody can answer.
Source: docs/contract.md, "Command lines".

> INVARIANT: an error is one line on standard error, `code: field: what to do`, and standard output stays clean.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import platformdirs
import rich_click as click
from click.exceptions import UsageError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sluss_client.device import Device
from sluss_client.errors import Offline, SlussError

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Shown = Callable[[int, int], None]

DONE: Final = 0
REFUSED: Final = 1
NOT_UNDERSTOOD: Final = 2
OFFLINE: Final = 3
EXIT_CODES: Final = (
    "Exit codes: 0 done; 1 refused or failed; 2 the command was not understood; 3 offline, and what was filed is safe."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store is and where its passphrase comes from, as the options before the command say."""

    store: Path
    passphrase_file: Path | None

    def passphrase(self, *, twice: bool = False) -> str:
        """Return the passphrase: from the file, the environment, or a person at a terminal.

        Raises:
            UsageError: nobody is there to be asked, or the file cannot be read.

        """
        if self.passphrase_file is not None:
            try:
                given = self.passphrase_file.read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                given = ""
            if not given:
                raise UsageError("The file with the passphrase cannot be read, or it is empty.")
            return given
        given = os.environ.get("SLUSS_PASSPHRASE", "")
        if given:
            return given
        if not sys.stdin.isatty():
            raise UsageError("Give the passphrase in SLUSS_PASSPHRASE or with --passphrase-file.")
        return str(click.prompt("Passphrase", hide_input=True, err=True, confirmation_prompt=twice))


def default_store() -> Path:
    """Return where this user's store is unless something else is said."""
    return Path(platformdirs.user_data_dir("sluss", appauthor=False)) / "device.sluss"


def place() -> Place:
    """Return what the options before the command said."""
    context = click.get_current_context(silent=True)
    found = None if context is None else context.find_object(Place)
    return found or Place(default_store(), None)


def with_json(command: F) -> F:
    """Give a command its `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def on_device(action: Callable[[Device], Awaitable[T]]) -> T:
    """Open the device, do something with it, and close it."""
    where = place()
    passphrase = where.passphrase()

    async def whole() -> T:
        async with await Device.open(where.store, passphrase) as device:
            return await action(device)

    return asyncio.run(whole())


def reading(action: Callable[[Device], T]) -> T:
    """Do something with the device that waits for nothing."""

    async def once(device: Device) -> T:
        return action(device)

    return on_device(once)


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def note(text: str) -> None:
    """Say something beside the result, on standard error."""
    click.echo(text, err=True)


@contextmanager
def progress(what: str) -> Iterator[Shown | None]:
    """Show a bar on standard error while something long goes on; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def refuse(code: str, field: str, say: str, exit_code: int = REFUSED, *, as_json: bool) -> int:
    """Print one refusal on standard error and return the exit code."""
    say = " ".join(say.split())
    if as_json:
        line = json.dumps({"error": {"code": code, "field": field, "say": say}}, ensure_ascii=False)
    else:
        line = ": ".join(part for part in (code, field, say) if part)
    click.echo(line, err=True)
    return exit_code


def refusal(error: SlussError, *, as_json: bool) -> int:
    """Print what Sluss refused and return the exit code."""
    return refuse(
        error.code, error.field, error.say, OFFLINE if isinstance(error, Offline) else REFUSED, as_json=as_json
    )
