"""What every command of `sluss` shares: exit codes, `--json`, how things and refusals are printed, and the database."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import rich_click as click
from sqlalchemy.engine import URL

from sluss_server import app
from sluss_server.datadir import NotRunnableError
from sluss_server.settings import Settings
from sluss_server.storage.engine import Engine, database_url

F = TypeVar("F", bound=Callable[..., Any])

DONE: Final = 0
REFUSED: Final = 1
NOT_UNDERSTOOD: Final = 2
EXIT_CODES: Final = "Exit codes: 0 done; 1 refused, or a check failed; 2 the command was not understood."


def with_json(command: F) -> F:
    """Give a command its `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def settings() -> Settings:
    """Return the settings of the environment."""
    return Settings.read(os.environ)


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def refuse(code: str, say: str, exit_code: int = REFUSED, *, as_json: bool) -> int:
    """Print one refusal on standard error and return the exit code."""
    line = " ".join(say.split())
    click.echo(json.dumps({"error": {"code": code, "say": line}}) if as_json else f"sluss: {code}: {line}", err=True)
    return exit_code


@contextlib.asynccontextmanager
async def opened(given: Settings) -> AsyncIterator[Engine]:
    """Open a database that is there; SQLite would make an empty one of one that is not.

    Raises:
        NotRunnableError: there is none.

    """
    if not _is_there(database_url(given.database_url)):
        raise NotRunnableError("database_unreachable", "There is no database yet; run `sluss found NAME`.")
    async with app.database(given) as engine:
        yield engine


def _is_there(url: URL) -> bool:
    """Say whether a database may be there; of a server, only asking it tells."""
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()
