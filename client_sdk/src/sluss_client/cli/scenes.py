"""`sluss-device scenes`: register the partnership's scenes and their zones, and state what they are.

A registrar registers, from a CSV and from GeoJSON; a supervisor states, from a survey or for one week.

Refuses a file's bad rows, one line each, while the rest is registered.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import rich_click as click
from click.exceptions import Exit

from sluss_client import surveying
from sluss_client.cli import common, shapes, stated
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Invalid
from sluss_client.mappings.table import Bad, Table
from sluss_client.mappings.values import slug_of
from sluss_schemas.statements import SceneTerms

_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LABEL_CHARACTERS: Final = 120
_AT_ONCE: Final = 500


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


@scenes.command(epilog=EXIT_CODES)
@click.argument("slug")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--none", "without", is_flag=True, help="Take the zone away.")
@common.with_json
def zone(slug: str, file: Path | None, *, without: bool, as_json: bool) -> None:
    """Give a scene the outline in FILE: GeoJSON in WGS 84 with one polygon."""
    if (file is None) != without:
        raise click.UsageError("Give a file, or --none.")
    changed = common.on_device(lambda device: device.registrar.set_zone(slug, None if file is None else _read(file)))
    if as_json:
        common.print_json({"slug": slug, "changed": changed})
    else:
        click.echo("The zone is set." if changed else "The zone was so before.")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError:
        raise Invalid("bad_zone", file.name, "Give the path of a GeoJSON file in UTF-8.") from None
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        raise Invalid("bad_zone", f"line {line}", "This line is not in UTF-8: save the file in that.") from None


@scenes.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--slug-column", help="The column whose value becomes the slug.")
@common.with_json
def survey(file: Path, slug_column: str | None, *, as_json: bool) -> None:
    """State what the scenes in FILE are: a CSV with the column slug and any of the registry's fields.

    What is stated already is not stated again. Codes stand with spaces between them, parts as code=name;code=name.
    """
    rows = surveying.Survey(file, slug_column)

    async def state(device: Device) -> surveying.Summary:
        # A colleague may have stated it already.
        await stated.known(device)
        return rows.run(device)

    done = common.on_device(state)
    if as_json:
        bad = [shapes.bad_row(one) for one in done.bad]
        common.print_json(
            {"rows": done.rows, "stated": done.stated, "same": done.same, "bad": len(bad), "bad_rows": bad}
        )
    else:
        for one in done.bad:
            common.note(str(one))
        click.echo(f"{done.stated} of {done.rows} scenes are stated anew; {done.same} were stated so before.")
    if done.bad:
        raise Exit(common.REFUSED)


@scenes.command(epilog=EXIT_CODES)
@click.argument("slug")
@click.argument("week", type=click.DateTime(["%Y-%m-%d"]))
@click.argument("hours", type=int)
@common.with_json
def staffing(slug: str, week: datetime, hours: int, *, as_json: bool) -> None:
    """State how many HOURS the agency's staff were at a scene in the WEEK of a day."""

    async def state(device: Device) -> bytes | None:
        return device.state_staffing(slug, week.date(), hours)

    record = common.on_device(state)
    if as_json:
        common.print_json({"id": None if record is None else record.hex()})
    else:
        click.echo("Stated; it leaves with the next sync." if record else "That is stated already.")


@scenes.command(epilog=EXIT_CODES)
@common.with_json
def registry(*, as_json: bool) -> None:
    """List what agencies state of the scenes, each statement verified on this device."""

    async def ask(device: Device) -> list[dict[str, Any]]:
        known, scenes, pack = await stated.known(device), stated.slugs(device), device.pack
        return [stated.scene_row(one, one.terms, scenes, pack) for one in known if isinstance(one.terms, SceneTerms)]

    found = sorted(common.on_device(ask), key=lambda one: (str(one["scene"]), one["agency"]))
    if as_json:
        common.print_json(found)
        return
    for one in found:
        click.echo(f"{one['scene'] or '-':<32} {one['agency']:<16} {one['state']:<10} {one['strategy'] or '-'}")


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
