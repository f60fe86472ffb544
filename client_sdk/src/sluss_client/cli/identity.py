"""Commands about who is who: enrol a device, invite a colleague, pin an agency, register scenes.

Refuses: root keys on the screen twice; a scene file's bad rows, one line each, while the rest is registered.

> INVARIANT: the root keys leave the device only after they have been printed, and then the device forgets them.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from pathlib import Path
from typing import Final

import rich_click as click
import segno
from click.exceptions import Exit

from sluss_client.cli import common, shapes
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Invalid
from sluss_client.mappings.table import Bad, Table
from sluss_client.mappings.values import slug_of
from sluss_client.registrar import Registrar
from sluss_schemas.ids import FUNCTIONS, Function

_CHECK_BYTES: Final = 4
_GROUP: Final = 8
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LABEL_CHARACTERS: Final = 120
_AT_ONCE: Final = 500

function_option = click.option(
    "--function",
    "functions",
    multiple=True,
    type=click.Choice(FUNCTIONS),
    help="What the person does in the agency; repeat it.",
)


@click.command(epilog=EXIT_CODES)
@click.argument("code")
@function_option
@click.option("--keep-root", is_flag=True, help="Leave the root keys on this device besides.")
@common.with_json
def enrol(code: str, functions: tuple[Function, ...], *, keep_root: bool, as_json: bool) -> None:
    """Make this device's store and keys, and announce it with CODE.

    A colleague's code says what the person does; a founding code founds the agency here, with --function.
    Then the root keys are printed once: they belong into the agency's safe, and the device forgets them.
    Where there was no answer, run the same command again: it announces the same keys and goes on.
    """
    where = common.place()
    passphrase = where.passphrase(twice=True)

    async def whole() -> None:
        given = {"functions": functions} if functions else {}
        async with await Device.enrol(where.store, code, passphrase, **given) as device:
            _enrolled(device, keep_root=keep_root, as_json=as_json)

    asyncio.run(whole())


def _enrolled(device: Device, *, keep_root: bool, as_json: bool) -> None:
    seeds = device.registrar.root_seeds() if device.approved and Registrar.present(device.local) else None
    root = device.local.config.root
    if as_json:
        found = {
            "store": str(device.path),
            "device": device.local.keys.kid.hex(),
            "approved": device.approved,
            "agency": device.agency if device.approved else None,
            "alias": device.alias if device.approved else None,
            "root_fingerprint": root.hex(),
            "safe": None if seeds is None else {"root_key": seeds[0].hex(), "next_root_key": seeds[1].hex()},
        }
        common.print_json(found)
    elif device.approved and seeds is None:
        click.echo(f"This device is {device.alias}'s of {device.agency}. Run `sluss-device sync` here.")
    elif seeds is None:
        click.echo("This device is announced. Have the registrar sync, then run `sluss-device sync` here.")
    else:
        click.echo(f"{device.agency} is founded; this device is {device.alias}, its registrar's.")
        click.echo(f"\nRead this to the registrars of the other agencies:\n  root fingerprint  {grouped(root)}")
        click.echo("\nPut this into the safe; it is shown once:")
        click.echo(f"  root key          {printable(seeds[0])}\n  next root key     {printable(seeds[1])}")
    sys.stdout.flush()
    if seeds is not None and not keep_root:
        device.registrar.forget_root()


def grouped(data: bytes) -> str:
    """Return bytes as hexadecimal in groups that can be read aloud."""
    text = data.hex()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def printable(key: bytes) -> str:
    """Return a key for paper: hexadecimal in groups, the last one a checksum over the key."""
    return grouped(key + hashlib.sha256(key).digest()[:_CHECK_BYTES])


@click.command(epilog=EXIT_CODES)
@function_option
@click.option("--scene", "scenes", multiple=True, help="A scene that the person works at; repeat it. Without it: all.")
@click.option("--alias", help="The person's alias; without it the next free one.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the code as a picture, too.")
@common.with_json
def invite(
    functions: tuple[Function, ...], scenes: tuple[str, ...], alias: str | None, svg: Path | None, *, as_json: bool
) -> None:
    """Invite a colleague: print a code that enrols one device, once, within seven days."""
    if not functions:
        raise click.UsageError("Say with --function what the person does.")

    async def ask(device: Device) -> str:
        return await device.registrar.invite(functions, scenes or None, alias)

    code = common.on_device(ask)
    picture = segno.make(code, error="l")
    if svg is not None:
        try:
            picture.save(str(svg), kind="svg", scale=4)
        except OSError:
            raise click.UsageError("The picture cannot be written there.") from None
    if as_json:
        common.print_json({"code": code, "functions": list(functions), "scenes": list(scenes) or None})
        return
    click.echo(code)
    if sys.stdout.isatty():
        picture.terminal(out=sys.stdout, compact=True)


@click.command(epilog=EXIT_CODES)
@click.argument("fingerprint")
@common.with_json
def peer(fingerprint: str, *, as_json: bool) -> None:
    """Pin the agency whose root has FINGERPRINT, as its registrar has read it out; until then it is nobody."""
    try:
        root = bytes.fromhex(re.sub(r"[\s:-]", "", fingerprint))
    except ValueError:
        raise click.UsageError("A fingerprint is 64 hexadecimal digits.") from None

    async def pin(device: Device) -> str:
        registrar = device.registrar
        await device.sync()
        trust = device.local.trust
        pinned = next((one for one in trust.agencies(device.now())[1:] if one.root_fingerprint == root), None)
        return pinned.slug if pinned is not None else await registrar.peer(root)

    slug = common.on_device(pin)
    if as_json:
        common.print_json({"agency": slug})
    else:
        click.echo(f"{slug} is pinned.")


@click.group()
def scenes() -> None:
    """The partnership's scenes."""


@scenes.command(name="list", epilog=EXIT_CODES)
@common.with_json
def list_scenes(*, as_json: bool) -> None:
    """List the scenes that this device knows; no network."""
    found = common.reading(lambda device: device.scenes())
    if as_json:
        common.print_json([{"slug": slug, "label_en": en, "label_sv": sv} for slug, en, sv in found])
        return
    for slug, en, sv in found:
        click.echo(f"{slug:<32} {en}" + (f" / {sv}" if sv != en else ""))


@scenes.command(name="import", epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--slug-column", help="The column whose value becomes the slug; without it the label.")
@click.option("--label-column", help="The column with the label in both languages; without it the slug's.")
@common.with_json
def import_scenes(file: Path, slug_column: str | None, label_column: str | None, *, as_json: bool) -> None:
    """Register the scenes in FILE, a CSV with the columns slug, label_en and label_sv, or with those named.

    Scenes that are registered already stay as they are, or get their new label.
    A slug that is made from a name has lower case, plain letters and hyphens.
    """
    rows = SceneRows(file, slug_column, label_column)

    async def register(device: Device) -> int:
        wanted = rows.wanted({slug: label for slug, label, _ in device.scenes()})
        changed = 0
        for start in range(0, len(wanted), _AT_ONCE):
            changed += await device.registrar.add_scenes(wanted[start : start + _AT_ONCE])
        return changed

    changed = common.on_device(register)
    if as_json:
        bad = [shapes.bad_row(one) for one in rows.bad]
        common.print_json({"rows": rows.read, "changed": changed, "bad": len(bad), "bad_rows": bad})
    else:
        for one in rows.bad:
            common.note(str(one))
        click.echo(f"{changed} of {rows.read} scenes are new or have a new label.")
    if rows.bad:
        raise Exit(common.REFUSED)


class SceneRows:
    """A CSV of scenes."""

    def __init__(self, file: Path, slug_column: str | None, label_column: str | None) -> None:
        """Open it; `Invalid` when it or a column is not there."""
        self.bad: list[Bad] = []
        self.read = 0
        self._table = Table(file)
        self._named = slug_column or label_column
        self._slug = slug_column or label_column or "slug"
        self._labels = (label_column or slug_column or "label_en", label_column or slug_column or "label_sv")
        for column in {self._slug, *self._labels}:
            if column not in self._table.headings:
                say = "The file has no such column; name the ones it has with --slug-column and --label-column."
                raise Invalid("bad_row", column, say)

    def wanted(self, known: dict[str, str]) -> list[tuple[str, str, str]]:
        """Return the scenes to register, each once; `known` are registered labels by slug."""
        found: dict[str, tuple[str, str, str]] = {}
        for number, cells in self._table.rows():
            self.read += 1
            try:
                if isinstance(cells, Bad):
                    self.bad.append(cells)
                    continue
                scene = self._scene(cells)
                before = found[scene[0]][1] if scene[0] in found else known.get(scene[0]) if self._named else None
                if before is not None and before.casefold() == scene[1].casefold():
                    continue
                if before is not None and (scene[0] in found or slug_of(before) == slug_of(scene[1])):
                    raise Invalid("bad_row", "slug", "Another scene has this slug; name a column with slugs.")
            except Invalid as wrong:
                self.bad.append(Bad(number, wrong.code, wrong.field, wrong.say))
                continue
            found[scene[0]] = scene
        return list(found.values())

    def _scene(self, cells: list[str]) -> tuple[str, str, str]:
        slug, english, swedish = (self._table.value(cells, column) for column in (self._slug, *self._labels))
        slug = slug_of(slug) if self._named else slug
        if not _SLUG.fullmatch(slug):
            raise Invalid("wrong_type", "slug", "Give up to 64 lower-case letters, digits and hyphens.")
        for label in (english, swedish):
            if not label:
                raise Invalid("missing_field", "label")
            if len(label) > _LABEL_CHARACTERS:
                raise Invalid("too_long", "label", f"Shorten the label to {_LABEL_CHARACTERS} characters.")
        return slug, english, swedish
