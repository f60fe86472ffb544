"""Commands for whoever checks an agency's ledger: `ledger export`, `ledger verify`, `ledger review`.

`verify` needs the file and nothing else: no server, no database, no settings.
Refuses to write over a file, and to call a ledger sound that has one fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import rich_click as click
from click.exceptions import Exit

from sluss_schemas import ledgerfile
from sluss_schemas.checkpoint import read_key, verifier_key
from sluss_schemas.ledgerfile import Verified
from sluss_schemas.problems import Invalid
from sluss_server import app
from sluss_server.cli.common import EXIT_CODES, REFUSED, opened, print_json, settings, with_json
from sluss_server.clock import Clock
from sluss_server.services import auditing
from sluss_server.services.auditing import Review
from sluss_server.settings import Settings

_PRIVATE: Final = 0o600
_DAYS: Final = 31
_DAY_S: Final = 86_400

_partnership = click.option("--partnership", help="The partnership's id in hex, where several have such an agency.")


@click.group(epilog=EXIT_CODES)
def ledger() -> None:
    """Export, verify and review an agency's ledger."""


@ledger.command(epilog=EXIT_CODES)
@click.argument("agency")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_partnership
@with_json
def export(agency: str, file: Path, partnership: str | None, *, as_json: bool) -> None:
    """Write AGENCY's ledger with its proofs to FILE, also while the server serves."""
    given = settings()
    count = asyncio.run(save(given, agency, file, Clock(given.test_clock)(), partnership=_id(partnership)))
    if as_json:
        print_json({"agency": agency, "file": str(file), "leaves": count})
    else:
        click.echo(f"{count} leaves of {agency} are in {file}; `sluss ledger verify {file}` checks them anywhere.")


@ledger.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--checkpoint",
    "kept",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that a device of the agency kept, in a file; repeat it.",
)
@click.option("--key", help="The checkpoint key that the agency noted at its founding: hex, or name+hash+key.")
@with_json
def verify(file: Path, kept: tuple[Path, ...], key: str | None, *, as_json: bool) -> None:
    """Check an exported ledger, without a server: that nothing in it was changed or taken away."""
    pinned = None if key is None else read_key(key)
    with file.open("rb") as lines:
        found = ledgerfile.verify(lines, key=pinned, witnessed=[one.read_bytes() for one in kept])
    if as_json:
        print_json(_document(found))
    else:
        _say(found)
    if not found.sound:
        raise Exit(REFUSED)


@ledger.command(epilog=EXIT_CODES)
@click.argument("agency")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day; without it a month back.")
@_partnership
@with_json
def review(agency: str, since: datetime | None, partnership: str | None, *, as_json: bool) -> None:
    """Count what was done in AGENCY, by day, person and act, and show the alarms about bulk opening."""
    given = settings()
    now = Clock(given.test_clock)()
    start = (now // _DAY_S - _DAYS) * _DAY_S if since is None else int(since.replace(tzinfo=UTC).timestamp())
    found = asyncio.run(_review(given, agency, start, partnership=_id(partnership)))
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    looked = f"last reviewed by {found.looked_by} on {found.looked_on}" if found.looked_on else "NOT REVIEWED yet"
    click.echo(f"{found.agency} since {found.since}: {len(found.alarms)} alarms about bulk opening; {looked}.")
    for one in found.alarms:
        ended = f"ended by {one.ended_by} on {one.ended_on}" if one.ended_by else "NOT ENDED by any colleague"
        who = one.alias or one.person or "-"
        click.echo(f"{one.day} ALARM {one.action} {who}: {one.count} within an hour; {ended}")
    for row in found.rows:
        mark = "  BULK" if row.bulk else ""
        click.echo(f"{row.day} {row.alias or row.person or '-':<24} {row.action:<16} {row.count:>7}{mark}")


async def save(given: Settings, agency: str, file: Path, now: int, *, partnership: bytes | None = None) -> int:
    """Write a ledger to a new file and return how many leaves it has.

    Raises:
        Invalid: `backup_exists`, `not_found`, `missing_field`.
        NotRunnableError: there is no such database.

    """
    async with opened(given) as engine:
        await app.check_schema(engine)
        view, directory = await auditing.ledger_of(engine, agency, partnership)
        count = 0
        with _new(file) as out:
            async with engine.snapshot() as connection:
                async for line in auditing.exported(connection, view, directory, now):
                    count += isinstance(line, ledgerfile.Row)
                    out.write(ledgerfile.write(line))
    return count


async def _review(given: Settings, agency: str, since: int, *, partnership: bytes | None) -> Review:
    async with opened(given) as engine:
        await app.check_schema(engine)
        view, directory = await auditing.ledger_of(engine, agency, partnership)
        async with engine.snapshot() as connection:
            return await auditing.reviewed(connection, view, directory, since)


@contextlib.contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """Open a new file for its owner alone; whatever goes wrong, nothing of it stays."""
    try:
        out = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb")
    except OSError as wrong:
        say = f"Choose another file; this one cannot be made ({wrong.strerror})."
        raise Invalid("backup_exists", say=say) from None
    try:
        with out:
            yield out
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _id(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise Invalid("wrong_type", "partnership", "Give the partnership's id in hexadecimal digits.") from None


def _document(found: Verified) -> dict[str, object]:
    newest = found.checkpoints[-1] if found.checkpoints else None
    return {
        "sound": found.sound,
        "agency": found.agency,
        "root_fingerprint": found.fingerprint.hex(),
        "checkpoint_key": found.key.hex(),
        "leaves": found.leaves,
        "erased": found.erased,
        "beyond": found.beyond,
        "checkpoints": len(found.checkpoints),
        "newest": None if newest is None else {"size": newest.size, "time": newest.time, "root": newest.root.hex()},
        "faults": [{"row": one.row, "say": one.say} for one in found.faults],
    }


def _say(found: Verified) -> None:
    for one in found.faults:
        click.echo(f"FAIL {one.row}: {one.say}")
    if not found.agency:
        return
    newest = found.checkpoints[-1] if found.checkpoints else None
    click.echo(
        f"{found.agency}: {found.leaves} leaves, {found.erased} of them erased, {found.beyond} not yet signed for."
    )
    if newest is not None:
        at = datetime.fromtimestamp(newest.time, UTC).isoformat(timespec="minutes")
        click.echo(f"{len(found.checkpoints)} checkpoints hold; the newest is over {newest.size} leaves, of {at}.")
        click.echo(f"Checkpoint key: {verifier_key(newest.origin, found.key)}")
    click.echo(f"Root fingerprint: {found.fingerprint.hex()}; compare it with the one that was noted at the founding.")
    click.echo("Nothing was changed or taken away." if found.sound else "This is not the ledger that was signed for.")
