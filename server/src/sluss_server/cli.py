"""`sluss`: the server's command line.

For: an operator and for scripts: found a partnership, serve it, look after its database, and read a policy pack.
Refuses to show a trace: a refusal is one line on standard error with a code and what to do, and with `--json` one
object.

Exit codes: 0 done; 1 refused, or a check failed; 2 the command was not understood.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import msgspec
import rich_click as click
from click.exceptions import Abort, Exit, UsageError
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from sluss_schemas.ids import AGENCY_SECTORS, AGENCY_SLUGS
from sluss_schemas.invitation import write_code
from sluss_schemas.policy import Pack, at, builtin, cells
from sluss_schemas.problems import SlussError
from sluss_server import app, logs
from sluss_server.clock import Clock
from sluss_server.http import listener
from sluss_server.settings import Settings, unknown
from sluss_server.storage.engine import Engine, database_url

F = TypeVar("F", bound=Callable[..., Any])

DONE: Final = 0
REFUSED: Final = 1
NOT_UNDERSTOOD: Final = 2
EXIT_CODES: Final = "Exit codes: 0 done; 1 refused, or a check failed; 2 the command was not understood."
CELL_COLUMNS: Final = ("kind", "owner", "compartment", "audience", "code")
FREE_BYTES: Final = 512 * 1024 * 1024
"""Less than this and a shift's reports may not fit."""
_EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_SYNCHRONOUS_FULL: Final = 2
_OTHERS: Final = 0o077
_STORY: Final = Path("examples", "one_night_at_the_square.py")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: its name, whether it holds, and what was found or what to do."""

    name: str
    ok: bool
    say: str


def with_json(command: F) -> F:
    """Give a command its `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(package_name="sluss-server", prog_name="sluss", message="%(prog)s %(version)s")
def cli() -> None:
    """The Sluss server: it stores, routes and decides, and cannot read."""


@cli.command(epilog=EXIT_CODES)
@click.argument("name")
@click.option(
    "--agency",
    "agencies",
    multiple=True,
    type=click.Choice(list(AGENCY_SECTORS)),
    help="An agency of the partnership; repeat it. The first one keeps the scenes. Without it: all five.",
)
@click.option("--server-url", help="The address that devices will use; it stands in every code.")
@with_json
def found(name: str, agencies: tuple[str, ...], server_url: str | None, *, as_json: bool) -> None:
    """Found a partnership and print one founding code for each agency.

    A code is used once, on the device that founds the agency; whoever has it can found it.
    """
    settings = _settings()
    slugs = tuple(dict.fromkeys(agencies)) or tuple(AGENCY_SLUGS.values())
    url = server_url or settings.public_url or f"http://{settings.host}:{settings.port}"
    url = url.rstrip("/")
    partnership, codes = asyncio.run(app.found(settings, name, url, [(slug, AGENCY_SECTORS[slug]) for slug in slugs]))
    rows = [(slug, write_code(code)) for slug, code in zip(slugs, codes, strict=True)]
    if as_json:
        _print_json(
            {
                "partnership": partnership.hex(),
                "name": name,
                "server_url": url,
                "codes": [
                    {"agency": slug, "sector": AGENCY_SECTORS[slug], "registry": number == 0, "code": code}
                    for number, (slug, code) in enumerate(rows)
                ],
            }
        )
        return
    click.echo(f"{name} is founded. Give each agency its code; a code is used once.")
    for slug, code in rows:
        click.echo(f"{slug:<16} {code}")


@cli.command(epilog=EXIT_CODES)
@click.option("--host", help="Address to listen on, instead of SLUSS_HOST.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port, instead of SLUSS_PORT; 0 takes a free one.")
@with_json
def serve(host: str | None, port: int | None, *, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are finished first.

    One line says when requests are answered, so that a program can wait for it.
    """
    settings = _settings()
    settings = msgspec.structs.replace(
        settings, host=host or settings.host, port=settings.port if port is None else port
    )
    bound = app.listen(settings.host, settings.port)
    url = listener.url_of(bound)

    def announce() -> None:
        click.echo(json.dumps({"listening": url}) if as_json else f"sluss listening on {url}")
        sys.stdout.flush()

    app.run(settings, bound, announce)


@cli.command(epilog=EXIT_CODES)
@with_json
def migrate(*, as_json: bool) -> None:
    """Bring the database's schema to this version; make a backup first."""
    before, after = asyncio.run(app.migrate(_settings()))
    if as_json:
        _print_json({"from": before, "to": after})
    else:
        click.echo(f"The schema is at {after}." if before == after else f"The schema went from {before} to {after}.")


@cli.command(name="doctor", epilog=EXIT_CODES)
@with_json
def examine(*, as_json: bool) -> None:
    """Look whether everything around the server is as it must be."""
    settings = _settings()
    checks = asyncio.run(_examine(settings, os.environ))
    if as_json:
        _print_json({"ok": all(check.ok for check in checks), "checks": msgspec.to_builtins(checks)})
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<10} {check.say}")
    if not all(check.ok for check in checks):
        raise Exit(REFUSED)


@cli.group(epilog=EXIT_CODES)
def pack() -> None:
    """Read a policy pack."""


@pack.command(name="cells", epilog=EXIT_CODES)
@click.argument("pack_id", required=False)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", help="How to print them.")
@with_json
def pack_cells(pack_id: str | None, form: str, *, as_json: bool) -> None:
    """Print every cell of a pack; without PACK_ID of the one in force today."""
    rows = cells(_pack(pack_id))
    if as_json or form == "json":
        _print_json([dict(zip(CELL_COLUMNS, row, strict=True)) for row in rows])
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CELL_COLUMNS)
    writer.writerows(rows)


@cli.command(epilog=EXIT_CODES, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
@with_json
def demo(arguments: tuple[str, ...], *, as_json: bool) -> None:
    """Tell one night at the square, on a real server with real devices."""
    story = next((folder / _STORY for folder in Path(__file__).resolve().parents if (folder / _STORY).is_file()), None)
    # Only looked for: the server never imports what opens a section.
    if story is None or importlib.util.find_spec("sluss_client") is None:
        say = "Run `make demo` in a copy of the repository; the story needs the devices' package, which is not here."
        raise app.NotRunnableError("demo_missing", say)
    if as_json:
        _print_json({"story": str(story)})
        return
    os.execv(sys.executable, [sys.executable, str(story), *arguments])  # noqa: S606  # our own file, no shell


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong becomes one line."""
    as_json = "--json" in arguments
    try:
        logs.configure("warning", Clock())
        result = cli.main(args=arguments, prog_name="sluss", standalone_mode=False)
    except UsageError as wrong:
        where = wrong.ctx.command_path if wrong.ctx else "sluss"
        return _refuse("usage", f"{wrong.format_message()} See `{where} --help`.", NOT_UNDERSTOOD, as_json=as_json)
    except (Abort, KeyboardInterrupt):
        return REFUSED
    except SlussError as refusal:
        field = f"{refusal.field}: " if refusal.field else ""
        return _refuse(refusal.code, field + refusal.say, as_json=as_json)
    except app.NotRunnableError as refusal:
        return _refuse(refusal.code, refusal.say, as_json=as_json)
    except BrokenPipeError:
        # Whoever read our output has read enough; nothing is left to be flushed to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except Exception as error:  # noqa: BLE001  # the last place that can still keep a trace, and what it quotes, in
        told = logs.fault(error)
        say = f"This is a fault of the program: {told['type']} at {told['at'] or told['raised']}."
        return _refuse("internal", say, as_json=as_json)
    # A command that ends with `Exit` hands its code back this way; one that simply ends hands back nothing.
    return result if isinstance(result, int) else DONE


def _refuse(code: str, say: str, exit_code: int = REFUSED, *, as_json: bool) -> int:
    """Print one refusal on standard error and return the exit code."""
    line = " ".join(say.split())
    click.echo(json.dumps({"error": {"code": code, "say": line}}) if as_json else f"sluss: {code}: {line}", err=True)
    return exit_code


def _settings() -> Settings:
    """Return the settings of the environment."""
    return Settings.read(os.environ)


def _pack(pack_id: str | None) -> Pack:
    """Return a pack by its id, or the one in force today."""
    if pack_id is None:
        today = datetime.fromtimestamp(Clock()(), UTC).date()
        return at(builtin(), today)
    found = next((one for one in builtin() if one.id == pack_id), None)
    if found is None:
        known = ", ".join(one.id for one in builtin())
        raise UsageError(f"There is no such pack; there are: {known}.")
    return found


def _print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


async def _examine(given: Settings, environment: Mapping[str, str]) -> tuple[Check, ...]:
    """Make every check, each whatever came of the others."""
    checks: tuple[tuple[str, Callable[[Settings], Awaitable[str]]], ...] = (
        ("data_dir", _check_data_dir),
        ("disk", _check_disk),
        ("key", _check_key),
        ("database", _check_database),
        ("schema", _check_schema),
        ("durability", _check_durability),
        ("clock", _check_clock),
        ("packs", _check_packs),
    )
    done = [_check_settings(environment)]
    for name, check in checks:
        try:
            done.append(Check(name=name, ok=True, say=await check(given)))
        except app.NotRunnableError as wrong:
            done.append(Check(name=name, ok=False, say=wrong.say))
        except SlussError as wrong:
            done.append(Check(name=name, ok=False, say=f"{wrong.field}: {wrong.say}"))
        except (OSError, SQLAlchemyError) as wrong:
            done.append(Check(name=name, ok=False, say=f"This could not be looked at ({type(wrong).__name__})."))
    return tuple(done)


def _check_settings(environment: Mapping[str, str]) -> Check:
    """No variable may be misspelt: it would be passed over in silence."""
    misspelt = unknown(environment)
    say = f"Correct or remove: {', '.join(misspelt)}." if misspelt else "Every SLUSS_ variable is known."
    return Check(name="settings", ok=not misspelt, say=say)


async def _check_data_dir(given: Settings) -> str:
    """Files can be made in the data folder, and it is nobody else's."""
    _must_be_there(given)
    with tempfile.TemporaryFile(dir=given.data_dir) as probe:
        probe.write(b"sluss")
    if given.data_dir.stat().st_mode & _OTHERS:
        raise app.NotRunnableError("data_dir_unusable", "Others may look into the data folder; give it mode 0700.")
    return "The data folder can be written, and by nobody else."


async def _check_disk(given: Settings) -> str:
    """There is room for what comes."""
    _must_be_there(given)
    free = shutil.disk_usage(given.data_dir).free
    if free < FREE_BYTES:
        raise app.NotRunnableError("disk_full", f"Free some space: {free // 2**20} MiB are left.")
    return f"{free // 2**20} MiB are free."


async def _check_key(given: Settings) -> str:
    """The receipt key is there, whole, and nobody else's."""
    file = given.data_dir / app.KEY_FILE
    if not file.is_file():
        raise app.NotRunnableError("key_missing", "There is no receipt key yet; `sluss found NAME` makes it.")
    app.receipt_key(given.data_dir)
    if file.stat().st_mode & _OTHERS:
        raise app.NotRunnableError("key_open", f"Others may read {app.KEY_FILE}; give it mode 0600.")
    return "The receipt key is there and private."


def _must_be_there(given: Settings) -> None:
    """Refuse a data folder that is not there."""
    if not given.data_dir.is_dir():
        raise app.NotRunnableError("data_dir_unusable", "The data folder is not there yet; run `sluss found NAME`.")


def _is_there(url: URL) -> bool:
    """Say whether a database may be there; of a server, only asking it tells."""
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


@contextlib.asynccontextmanager
async def _opened(given: Settings) -> AsyncIterator[Engine]:
    """Open a database that is there; SQLite would make an empty one of one that is not."""
    if not _is_there(database_url(given.database_url)):
        raise app.NotRunnableError("database_unreachable", "There is no database yet; run `sluss found NAME`.")
    async with app.database(given) as engine:
        yield engine


async def _check_database(given: Settings) -> str:
    """The database answers."""
    async with _opened(given) as engine:
        await app.revision(engine)
        return f"{engine.dialect.name} answers."


async def _check_schema(given: Settings) -> str:
    """The schema is this program's."""
    async with _opened(given) as engine:
        await app.check_schema(engine)
    return "The schema is this version's."


async def _check_durability(given: Settings) -> str:
    """What was acknowledged survives a power cut."""
    async with _opened(given) as engine, engine.read() as connection:
        # Asked of the one engine that has these settings: elsewhere they are the database operator's.
        if engine.dialect.name != "sqlite":
            return "The database's own settings decide; keep synchronous_commit on."
        journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
        synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
    if journal != "wal" or synchronous != _SYNCHRONOUS_FULL:
        raise app.NotRunnableError("not_durable", "Keep the database on a local disk that supports a write-ahead log.")
    return "Write-ahead log, synchronous=FULL."


async def _check_clock(given: Settings) -> str:
    """The machine's clock can be right, and no test moves it."""
    if given.test_clock is not None:
        raise app.NotRunnableError("clock_off", "Remove SLUSS_TEST_CLOCK: it moves the server's time.")
    now = datetime.fromtimestamp(Clock()(), UTC)
    if not _EARLIEST < now < _LATEST:
        raise app.NotRunnableError("clock_off", "Set the machine's clock; devices sign with theirs.")
    return f"It is {now:%Y-%m-%d %H:%M} UTC; a device's clock may differ by five minutes."


async def _check_packs(_given: Settings) -> str:
    """The shipped packs hold, and one is in force."""
    today = at(builtin(), datetime.fromtimestamp(Clock()(), UTC).date())
    return f"{len(builtin())} read and checked; {today.id} is in force."


if __name__ == "__main__":
    main()
