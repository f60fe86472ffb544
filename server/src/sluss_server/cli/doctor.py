"""`sluss doctor`: whether everything around the server is as it must be.

Changes nothing, makes nothing, and shows no key and no setting's value.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
import rich_click as click
from click.exceptions import Exit
from sqlalchemy.exc import SQLAlchemyError

from sluss_schemas.policy import at, builtin
from sluss_schemas.problems import Invalid, SlussError
from sluss_server import app
from sluss_server.cli import keeping
from sluss_server.cli.common import EXIT_CODES, REFUSED, opened, print_json, settings, with_json
from sluss_server.clock import Clock
from sluss_server.datadir import INSTANCE_FILE, KEY_FILE, NotRunnableError, finished, instance, receipt_key
from sluss_server.services import restoring
from sluss_server.services.directories import Directories
from sluss_server.services.rules import Rules
from sluss_server.settings import Settings, unknown
from sluss_server.storage import directory, disclosure, restores

FREE_BYTES: Final = 512 * 1024 * 1024
"""Less than this and a shift's reports may not fit."""
_EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_SYNCHRONOUS_FULL: Final = 2
_OTHERS: Final = 0o077
_SHOWN: Final = 16
_SOON_DAYS: Final = 31
"""Digits of a fingerprint."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: its name, whether it holds, and what was found or what to do."""

    name: str
    ok: bool
    say: str


@click.command(name="doctor", epilog=EXIT_CODES)
@with_json
def examine(*, as_json: bool) -> None:
    """Look whether everything around the server is as it must be."""
    checks = asyncio.run(_examine(settings(), os.environ))
    if as_json:
        print_json({"ok": all(check.ok for check in checks), "checks": msgspec.to_builtins(checks)})
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<10} {check.say}")
    if not all(check.ok for check in checks):
        raise Exit(REFUSED)


async def _examine(given: Settings, environment: Mapping[str, str]) -> tuple[Check, ...]:
    """Make every check, each whatever came of the others."""
    checks: tuple[tuple[str, Callable[[Settings], Awaitable[str]]], ...] = (
        ("data_dir", _check_data_dir),
        ("disk", _check_disk),
        ("key", _check_key),
        ("database", _check_database),
        ("schema", _check_schema),
        ("restore", _check_restore),
        ("durability", _check_durability),
        ("clock", _check_clock),
        ("packs", _check_packs),
        ("adopted", _check_adopted),
        ("tasks", _check_tasks),
    )
    done = [_check_settings(environment)]
    for name, check in checks:
        try:
            done.append(Check(name=name, ok=True, say=await check(given)))
        except NotRunnableError as wrong:
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
        raise NotRunnableError("data_dir_unusable", "Others may look into the data folder; give it mode 0700.")
    return "The data folder can be written, and by nobody else."


async def _check_disk(given: Settings) -> str:
    """There is room for what comes."""
    _must_be_there(given)
    free = shutil.disk_usage(given.data_dir).free
    if free < FREE_BYTES:
        raise NotRunnableError("disk_full", f"Free some space: {free // 2**20} MiB are left.")
    return f"{free // 2**20} MiB are free."


async def _check_key(given: Settings) -> str:
    """The receipt key is there, whole, and nobody else's."""
    file, name = given.data_dir / KEY_FILE, given.data_dir / INSTANCE_FILE
    if not file.is_file() or not name.is_file():
        raise NotRunnableError("key_missing", "There is no receipt key yet; `sluss found NAME` makes it.")
    for one in (file, name):
        if one.stat().st_mode & _OTHERS:
            raise NotRunnableError("key_open", f"Others may read {one.name}; give it mode 0600.")
    public = receipt_key(given.data_dir).public_key().public_bytes_raw()
    fingerprint = hashlib.sha256(public).hexdigest()[:_SHOWN]
    return f"Receipt key {fingerprint}, instance {instance(given.data_dir).hex()[:_SHOWN]}; both are private."


def _must_be_there(given: Settings) -> None:
    """Refuse a data folder that is not there."""
    if not given.data_dir.is_dir():
        raise NotRunnableError("data_dir_unusable", "The data folder is not there yet; run `sluss found NAME`.")


async def _check_database(given: Settings) -> str:
    """The database answers."""
    async with opened(given) as engine:
        await app.revision(engine)
        return f"{engine.dialect.name} answers."


async def _check_schema(given: Settings) -> str:
    """The schema is this program's."""
    async with opened(given) as engine:
        await app.check_schema(engine)
    return "The schema is this version's."


async def _check_restore(given: Settings) -> str:
    """No restore is half done, here or in an agency's directory."""
    finished(given.data_dir)
    async with opened(given) as engine:
        await app.check_schema(engine)
        async with engine.read() as connection:
            last = max((await restores.latest(connection)).values(), key=lambda one: one.generation, default=None)
        if last is None:
            return "It was never restored."
        await app.identity(given.data_dir, engine)
        waiting = await restoring.waiting(engine)
    when = f"{datetime.fromtimestamp(last.restored_at, UTC):%Y-%m-%d %H:%M} UTC"
    if waiting:
        say = f"Restored {when}. {keeping.NEXT} It waits for: {', '.join(sorted(waiting))}."
        raise NotRunnableError("restoring", say)
    return f"Restored {when}; every agency has accepted it."


async def _check_durability(given: Settings) -> str:
    """What was acknowledged survives a power cut."""
    async with opened(given) as engine, engine.read() as connection:
        if engine.dialect.name != "sqlite":
            for setting in ("fsync", "synchronous_commit"):
                if (await connection.exec_driver_sql(f"SHOW {setting}")).scalar() == "off":
                    raise NotRunnableError("not_durable", f"Turn {setting} on in the database's settings.")
            return "The database's fsync and synchronous_commit are on."
        journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
        synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
    if journal != "wal" or synchronous != _SYNCHRONOUS_FULL:
        raise NotRunnableError("not_durable", "Keep the database on a local disk that supports a write-ahead log.")
    return "Write-ahead log, synchronous=FULL."


async def _check_clock(given: Settings) -> str:
    """The machine's clock can be right, and no test moves it."""
    if given.test_clock is not None:
        raise NotRunnableError("clock_off", "Remove SLUSS_TEST_CLOCK: it moves the server's time.")
    now = datetime.fromtimestamp(Clock()(), UTC)
    if not _EARLIEST < now < _LATEST:
        raise NotRunnableError("clock_off", "Set the machine's clock; devices sign with theirs.")
    return f"It is {now:%Y-%m-%d %H:%M} UTC; a device's clock may differ by five minutes."


async def _check_tasks(given: Settings) -> str:
    """How many tasks have run out of time; whose and which they are, is their agency's business alone."""
    async with opened(given) as engine:
        await app.check_schema(engine)
        async with engine.read() as connection:
            overdue = await disclosure.overdue(connection, Clock(given.test_clock)())
    return f"{overdue} overdue in all agencies." if overdue else "None is overdue."


async def _check_packs(_given: Settings) -> str:
    """The shipped packs hold, and one is in force."""
    today = at(builtin(), datetime.fromtimestamp(Clock()(), UTC).date())
    return f"{len(builtin())} read and checked; {today.id} is in force."


async def _check_adopted(given: Settings) -> str:
    """Every pack that an agency has in force is here, and what it has adopted for later is too."""
    now, rules, later = Clock(given.test_clock)(), Rules(builtin()), list[str]()
    async with opened(given) as engine:
        await app.check_schema(engine)
        async with engine.read() as connection:
            partnerships = await directory.partnership_ids(connection)
        directories = Directories(engine)
        for partnership in partnerships:
            for one in (await directories.refresh(partnership)).directories.values():
                if rules.lacks(one.packs, now):
                    raise Invalid("pack_missing", one.slug)
                days = [now + day * 86_400 for day in range(1, _SOON_DAYS + 1)]
                later += [one.slug] if any(rules.lacks(one.packs, day) for day in days) else []
    if later:
        return f"Update this program within {_SOON_DAYS} days: it lacks a pack of {', '.join(sorted(later))}."
    return "Every pack that an agency has adopted and that begins soon is here."
