"""Commands that keep a server safe: `backup`, `restore`.

A backup is one consistent moment of a running server; a restore is all or nothing.
Refuses to write over anything: a backup over a file, a restore over a server.

> INVARIANT: while a restore is under way its mark lies in the data folder, and nothing is served from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import rich_click as click

from sluss_schemas.problems import Invalid
from sluss_server import app
from sluss_server.cli.common import EXIT_CODES, opened, print_json, settings, with_json
from sluss_server.clock import Clock
from sluss_server.datadir import (
    INSTANCE_BYTES,
    INSTANCE_FILE,
    KEY_FILE,
    UNFINISHED_FILE,
    NotRunnableError,
    finished,
    folder,
    instance,
    make,
    receipt_key,
)
from sluss_server.settings import Settings
from sluss_server.storage import backup as files
from sluss_server.storage import restores, schema
from sluss_server.storage.backup import Header, Tell

NEXT: Final = "Have every registrar sync, then one of each agency run `sluss-device restored`."
_PRIVATE: Final = 0o600
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup, or a restore, was of: the file, its size in bytes, its rows and the schema's revision."""

    file: str
    bytes: int
    rows: int
    revision: str


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_json
def backup(file: Path, *, as_json: bool) -> None:
    """Write everything the server has to FILE, also while it serves.

    The file holds the key that signs receipts, and opens no report: keep it as you keep the server.
    """
    given = settings()
    with _progress("backed up", quiet=as_json) as tell:
        done = asyncio.run(save(given, file, Clock(given.test_clock)(), tell))
    if as_json:
        print_json(msgspec.to_builtins(done))
    else:
        click.echo(f"{done.rows} rows at {done.revision} are in {done.file}, {done.bytes} bytes.")


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_json
def restore(file: Path, *, as_json: bool) -> None:
    """Make a server out of a backup, in a new data folder and an empty database."""
    given = settings()
    with _progress("restored", quiet=as_json) as tell:
        header, done = asyncio.run(
            bring_back(given, file, Clock(given.test_clock)(), secrets.token_bytes(INSTANCE_BYTES), tell)
        )
    made_at = datetime.fromtimestamp(header.made_at, UTC)
    if as_json:
        print_json({**msgspec.to_builtins(done), "made_at": f"{made_at:%Y-%m-%dT%H:%M:%SZ}"})
        return
    click.echo(f"{done.rows} rows are back as they were on {made_at:%Y-%m-%d %H:%M} UTC. Run `sluss serve`.")
    click.echo(f"{NEXT} Until then the server takes no new entry of a directory.")


async def save(given: Settings, file: Path, now: int, tell: Tell) -> Kept:
    """Write a backup to a file that is not there yet; what is not whole is taken away again.

    Args:
        given: of the server that is backed up.
        file: where to.
        now: Unix seconds, for the file's header.
        tell: is told how far it is.

    Raises:
        NotRunnableError: there is no server to back up, or its database does not answer.
        Invalid: `backup_exists` or `disk_full`.

    """
    finished(given.data_dir)
    async with opened(given) as engine:
        if await app.revision(engine) is None or not (given.data_dir / KEY_FILE).is_file():
            raise NotRunnableError("not_migrated", "There is no server here yet; run `sluss found NAME`.")
        seed = receipt_key(given.data_dir).private_bytes_raw()
        with _new(file) as out:
            async with engine.snapshot() as connection:
                revision = await connection.run_sync(schema.current_of)
                header = Header(files.FORMAT, revision or "", now, instance(given.data_dir), seed)
                rows = await files.write(connection, out, header, tell)
    return _kept(file, rows, header)


async def bring_back(given: Settings, file: Path, now: int, new_instance: bytes, tell: Tell) -> tuple[Header, Kept]:
    """Make a server out of a backup, and return what the backup was.

    Args:
        given: of the server that comes to be; its data folder and its database are new.
        file: the backup.
        now: Unix seconds; entries of directories that were signed later wait until an agency accepts the restore.
        new_instance: 16 random bytes, which the server is called from now on.
        tell: is told how far it is.

    Raises:
        NotRunnableError: the folder or the database cannot be used, or an earlier restore was broken off here.
        Invalid: `backup_damaged` or `not_empty`; nothing was changed.

    """
    try:
        source = file.open("rb")
    except OSError as wrong:
        raise Invalid("backup_damaged", say=f"This file cannot be read ({wrong.strerror}).") from None
    with source:
        header = files.verify(source)
        if not schema.known(header.revision):
            say = "Restore with the version of Sluss that made this backup, or a later one."
            raise Invalid("backup_damaged", say=say)
        finished(given.data_dir)
        identity = {KEY_FILE: header.receipt_key, INSTANCE_FILE: new_instance}
        if any((given.data_dir / name).exists() for name in identity):
            raise Invalid("not_empty")
        folder(given.data_dir)
        async with app.database(given) as engine:
            await app.revision(engine)
            with _marked(given.data_dir, identity):
                connection = await engine.writer_connection()
                try:
                    async with connection.begin():
                        if not await files.is_empty(connection):
                            raise Invalid("not_empty")
                        await schema.build(connection, header.revision)
                        rows = await files.fill(connection, source, tell)
                        await schema.build(connection, schema.head())
                        await restores.record(connection, new_instance, now)
                finally:
                    await connection.close()
    return header, _kept(file, rows, header)


def _kept(file: Path, rows: int, header: Header) -> Kept:
    """Say what a backup holds."""
    return Kept(file=str(file), bytes=file.stat().st_size, rows=rows, revision=header.revision)


@contextlib.contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """Open a new file for its owner alone; whatever goes wrong, nothing of it stays."""
    try:
        out = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb")
    except FileExistsError:
        raise Invalid("backup_exists") from None
    except OSError as wrong:
        raise Invalid(
            "backup_exists", say=f"Choose another file; this one cannot be made ({wrong.strerror})."
        ) from None
    try:
        with out:
            yield out
            out.flush()
            os.fsync(out.fileno())
    except BaseException as wrong:
        file.unlink(missing_ok=True)
        if isinstance(wrong, OSError) and wrong.errno in _NO_ROOM:
            raise Invalid("disk_full", say=f"Choose a place with more room ({wrong.strerror}).") from None
        raise
    _settle(file.parent)


@contextlib.contextmanager
def _marked(data_dir: Path, content: dict[str, bytes]) -> Iterator[None]:
    """Put files into the data folder around what is done within, and take them away again if it fails.

    The mark is there first and goes last: whoever finds it knows that all of this was broken off.
    """
    mark = data_dir / UNFINISHED_FILE
    try:
        make(mark, b"")
    except FileExistsError:
        finished(data_dir)
        raise
    try:
        for name, data in content.items():
            make(data_dir / name, data)
        _settle(data_dir)
        yield
    except BaseException:
        for name in content:
            (data_dir / name).unlink(missing_ok=True)
        mark.unlink()
        raise
    mark.unlink()
    _settle(data_dir)


def _settle(data_dir: Path) -> None:
    """Have it on disk which files are in a folder, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(data_dir, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _progress(done: str, *, quiet: bool) -> Iterator[Tell]:
    """Count rows on a terminal, on standard error; elsewhere say nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda _rows: None
        return
    try:
        yield lambda rows: click.echo(f"\r{rows} rows {done}", nl=False, err=True)
    finally:
        click.echo(err=True)
