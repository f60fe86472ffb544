"""`sluss-device audit`: an auditor's key, a registrar's note about somebody who moved, and what an auditor joins.

`key` and `join` are the auditor's and need no device: they run on a machine of their own, from files.
Refuses to write over a file, and to count a ledger that does not hold together.

> INVARIANT: nothing here touches the network, and the auditor's private key is written to its file alone.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import rich_click as click

from sluss_client.agency import auditnotes
from sluss_client.agency.auditnotes import Said
from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.errors import Invalid
from sluss_schemas import ledgerfile
from sluss_schemas.ledger import read_content, who_of

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW: Final = click.Path(dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """That two accounts are one person, for an auditor and nobody else."""


@audit.command(name="key", epilog=EXIT_CODES)
@click.argument("file", type=_NEW)
@click.argument("public", type=_NEW)
@common.with_json
def key(file: Path, public: Path, *, as_json: bool) -> None:
    """Make an auditor's key: the private one goes to FILE and stays there, the public one to PUBLIC, for registrars."""
    private, shown = auditnotes.new_key()
    _write(file, private)
    _write(public, shown)
    if as_json:
        common.print_json({"file": str(file), "public": str(public)})
    else:
        click.echo(f"The registrars get {public}; nobody but the auditor gets {file}.")


@audit.command(name="note", epilog=EXIT_CODES)
@click.argument("alias")
@click.option("--auditor", type=_FILE, required=True, help="A file with the auditor's public key.")
@click.option("--code", help="What the person brings from where they were; without it a new code is made.")
@click.option("--out", type=_NEW, required=True, help="The note's file; it goes to the auditor, with the ledger.")
@common.with_json
def note(alias: str, auditor: Path, code: str | None, out: Path, *, as_json: bool) -> None:
    """Note for the auditor who ALIAS is; prints the code that the person takes along."""
    public = auditor.read_text(encoding="utf-8")
    said, text = common.reading(lambda device: device.registrar.audit_note(alias, public, code))
    _write(out, text)
    if as_json:
        common.print_json({"alias": alias, "code": said, "file": str(out)})
    else:
        click.echo(said)


@audit.command(name="join", epilog=EXIT_CODES)
@click.argument("notes", nargs=-1, required=True, type=_FILE)
@click.option("--key", "private", type=_FILE, required=True, help="The file with the auditor's private key.")
@click.option("--ledger", "ledgers", multiple=True, type=_FILE, help="An exported ledger; repeat it.")
@common.with_json
def join(notes: tuple[Path, ...], private: Path, ledgers: tuple[Path, ...], *, as_json: bool) -> None:
    """Show which accounts of NOTES are one person, and what each did by the ledgers."""
    secret = private.read_text(encoding="utf-8")
    found = auditnotes.joined(auditnotes.opened(secret, one.read_text(encoding="utf-8")) for one in notes)
    acts = {agency: counts for file in ledgers for agency, counts in [_acts(file)]}
    people = [[_account(said, device, acts) for said, device in one] for one in found]
    if as_json:
        common.print_json(people)
        return
    for number, accounts in enumerate(people, 1):
        for one in accounts:
            did = ", ".join(f"{action} {count}" for action, count in one["acts"].items()) or "nothing in these ledgers"
            click.echo(f"{number}. {one['agency']} {one['alias']} (signed by device {one['signed_by'][:8]}): {did}")
    if not people:
        click.echo("No two of these accounts are one person's.")


def _account(said: Said, device: bytes, acts: dict[str, Counter[tuple[bytes, str]]]) -> dict[str, Any]:
    did = acts.get(said.agency.hex(), Counter())
    return {
        "agency": said.slug,
        "alias": said.alias,
        "person": said.person.hex(),
        "signed_by": device.hex(),
        "acts": {action: count for (who, action), count in sorted(did.items()) if who == said.person},
    }


def _acts(file: Path) -> tuple[str, Counter[tuple[bytes, str]]]:
    """Return whose ledger a file is, and how often each person did what, as far as its leaves name persons."""
    with file.open("rb") as lines:
        if not ledgerfile.verify(lines).sound:
            raise Invalid("malformed", "ledger", f"{file.name} does not hold together; see `sluss ledger verify`.")
    agency, counts = "", Counter[tuple[bytes, str]]()
    with file.open("rb") as lines:
        for line in ledgerfile.read(lines):
            if isinstance(line, ledgerfile.Header):
                agency = line.agency
            elif isinstance(line, ledgerfile.Row) and line.content:
                counts[who_of(read_content(line.action, line.content)), line.action] += 1
    return agency, counts


def _write(file: Path, text: str) -> None:
    """Write a new file for its owner alone."""
    try:
        out = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as wrong:
        say = f"Choose another file; this one cannot be made ({wrong.strerror})."
        raise Invalid("backup_exists", say=say) from None
    with out:
        out.write(text + "\n")
