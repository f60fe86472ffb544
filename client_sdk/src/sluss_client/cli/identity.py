"""Enrolling a device, and the root keys of an agency that is founded on it.

Refuses to write the root keys over a file.

> INVARIANT: the root keys leave the device only after they have been shown, and then the device forgets them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import rich_click as click
import segno

from sluss_client.agency import papers, registrar
from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Invalid, StoreError
from sluss_schemas.ids import FUNCTIONS, Function

_GROUP: Final = 8

function_option = click.option(
    "--function",
    "functions",
    multiple=True,
    type=click.Choice(FUNCTIONS),
    help="What the person does in the agency; repeat it.",
)
paper_option = click.option(
    "--paper",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the root keys for printing, too: one sheet for each safe. Delete the file afterwards.",
)
root_key_option = click.option(
    "--root-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with the key as it stands on its sheet; without it or SLUSS_ROOT_KEY it is asked for.",
)


@click.command(epilog=EXIT_CODES)
@click.argument("code")
@function_option
@paper_option
@common.with_json
def enrol(code: str, functions: tuple[Function, ...], paper: Path | None, *, as_json: bool) -> None:
    """Make this device's store and keys, and announce it with CODE.

    A colleague's code says what the person does; a founding code founds the agency here, with --function.
    Then the root keys are shown once: they belong into two safes, and the device forgets them.
    Where there was no answer, run the same command again: it announces the same keys and goes on.
    """
    where = common.place()
    _must_be_free(paper)
    passphrase = where.passphrase(twice=True)

    async def whole() -> None:
        given = {"functions": functions} if functions else {}
        async with await Device.enrol(where.store, code, passphrase, **given) as device:
            _enrolled(device, paper, as_json=as_json)

    asyncio.run(whole())


def _enrolled(device: Device, paper: Path | None, *, as_json: bool) -> None:
    seeds = registrar.root_seeds(device.local)
    fingerprint = device.local.config.root
    if as_json:
        found = {
            "store": str(device.path),
            "device": device.local.keys.kid.hex(),
            "approved": device.approved,
            "agency": device.agency if device.approved else None,
            "alias": device.alias if device.approved else None,
            "root_fingerprint": fingerprint.hex(),
            "safe": None if seeds is None else _safe(*seeds),
        }
        common.print_json(found)
    elif not device.approved:
        click.echo("This device is announced. Have the registrar sync, then run `sluss-device sync` here.")
    elif seeds is None:
        click.echo(f"This device is {device.alias}'s of {device.agency}. Run `sluss-device sync` here.")
    else:
        click.echo(f"{device.agency} is founded; this device is {device.alias}, its registrar's.")
        click.echo(f"\nRead this to the registrars of the other agencies:\n  root fingerprint  {grouped(fingerprint)}")
    if seeds is not None:
        hand_over(device, paper, as_json=as_json)


def hand_over(device: Device, paper: Path | None, *, as_json: bool) -> None:
    """Show the root keys that are on this device, on paper too where that is asked for, and forget them."""
    seeds = registrar.root_seeds(device.local)
    if seeds is None:
        raise Invalid("wrong_root_key", "root_key", "No root key is on this device; it lies in its safe.")
    root, following = seeds
    if paper is not None:
        papers.write_page(paper, device.agency, device.local.config.root, (root or None, following))
    if not as_json:
        click.echo("\nPut these into two safes; they are shown once:" if root else "\nPut this into safe B:")
        for label, key in (("root key, safe A", root), ("next root key, safe B", following)):
            if key:
                click.echo(f"  {label:<22} {papers.write_key(key)}")
                if sys.stdout.isatty():
                    segno.make(papers.write_key(key), error="l").terminal(out=sys.stdout, compact=True)
    sys.stdout.flush()
    registrar.forget_root(device.local)


def _safe(root: bytes, following: bytes) -> dict[str, str | None]:
    return {"root_key": papers.write_key(root) if root else None, "next_root_key": papers.write_key(following)}


def grouped(data: bytes) -> str:
    """Return bytes as hexadecimal in groups that can be read aloud."""
    text = data.hex()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def _must_be_free(paper: Path | None) -> None:
    """Refuse before anything is founded; writing it would refuse too late."""
    if paper is not None and paper.exists():
        raise StoreError("store_exists", "paper", "Choose another file for the paper; this one is there.")


def asked_key(file: Path | None) -> bytes:
    """Return a root key: from a file, the environment, or typed by a person.

    Raises:
        UsageError: nobody is there to be asked, or the file cannot be read.
        Invalid: `damaged_root_key`.

    """
    if file is not None:
        try:
            return papers.read_key(file.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError):
            raise click.UsageError("The file with the root key cannot be read.") from None
    given = os.environ.get("SLUSS_ROOT_KEY", "")
    if given:
        return papers.read_key(given)
    if not sys.stdin.isatty():
        raise click.UsageError("Give the root key with --root-key-file or in SLUSS_ROOT_KEY.")
    return papers.read_key(str(click.prompt("Root key, as it stands on its sheet", hide_input=True, err=True)))


@click.group()
def root() -> None:
    """The agency's root key."""


@root.command(name="show", epilog=EXIT_CODES)
@paper_option
@common.with_json
def show_root(paper: Path | None, *, as_json: bool) -> None:
    """Show the root keys that were made on this device and not shown yet, and forget them."""
    _must_be_free(paper)

    def hand(device: Device) -> None:
        seeds = registrar.root_seeds(device.local)
        if as_json and seeds is not None:
            common.print_json(_safe(*seeds))
        hand_over(device, paper, as_json=as_json)

    common.reading(hand)


@root.command(name="rotate", epilog=EXIT_CODES)
@root_key_option
@paper_option
@common.with_json
def rotate_root(root_key_file: Path | None, paper: Path | None, *, as_json: bool) -> None:
    """Replace a lost or stolen root key by the next root key, which lies in safe B; show the key that follows it."""
    _must_be_free(paper)
    seed = asked_key(root_key_file)

    async def rotate(device: Device) -> None:
        await device.sync()
        await device.roots.rotate(seed)
        seeds = registrar.root_seeds(device.local)
        if as_json and seeds is not None:
            common.print_json(_safe(*seeds))
        elif not as_json:
            click.echo("The key from safe B is the root key now.")
        hand_over(device, paper, as_json=as_json)

    common.on_device(rotate)
