"""Commands that read from this device alone: list, show, readers; and what a supervisor may open.

Refuses: a closed compartment, with its rule, the same whether it is filled or empty.

> INVARIANT: nothing here touches the network.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import msgspec
import rich_click as click

from sluss_client.answers import ReaderRow
from sluss_client.cli import common, filing, shapes
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Refused
from sluss_client.report import Author, Report
from sluss_schemas.brief import Brief
from sluss_schemas.ids import COMPARTMENT_NAMES
from sluss_schemas.policy.readers import Language

_ID: Final = re.compile(r"[0-9a-fA-F]{32}")


present_option = click.option(
    "--present", multiple=True, metavar="AUDIENCE", help="Who sees the screen too: police/field, or guests; repeat it."
)


@click.command(name="list", epilog=EXIT_CODES)
@click.option("--scene", help="Only reports of this scene.")
@click.option("--kind", help="Only reports of this kind.")
@present_option
@common.with_json
def list_reports(scene: str | None, kind: str | None, present: tuple[str, ...], *, as_json: bool) -> None:
    """List the reports that this person may read, newest first; with others present those that all of them may."""
    found = common.reading(
        lambda device: [shapes.report_row(one) for one in device.reports(scene, kind, present=present)]
    )
    if as_json:
        common.print_json(found)
        return
    for row in found:
        place = row["scene"] or "-"
        click.echo(
            f"{row['observed_at']}  {row['kind']:<24} {place:<24} {row['agency']:<16} {row['state']:<11} {row['id']}"
        )


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@present_option
@common.with_json
def show(report_id: str, present: tuple[str, ...], *, as_json: bool) -> None:
    """Show a report: what is open, and the rule behind what is closed; to all who are present."""

    def look(device: Device) -> tuple[dict[str, Any], list[str]]:
        report = device.get(report_id, present=present)
        return shapes.report_whole(report, device.local.trust.pack(device.now())), _lines(report)

    document, lines = common.reading(look)
    if as_json:
        common.print_json(document)
        return
    head = [str(document[name]) for name in ("kind", "agency", "state")] + [f"version {document['version']}"]
    click.echo(" · ".join([*head, "forked"] if document["forked"] else head))
    click.echo(f"{'observed':<14} {document['observed_at']}")
    click.echo(f"{'scene':<14} {document['scene'] or '-'}")
    for line in lines:
        click.echo(line)
    for name, value in document["coded"].items():
        if value not in (None, []):
            click.echo(f"{name:<14} {_text(value)}")
    for other in document["linked"]:
        click.echo(f"{'same event':<14} {other}")


def _lines(report: Report) -> list[str]:
    return [f"{name:<14} {_compartment(report, name)}" for name in COMPARTMENT_NAMES.values()]


def _compartment(report: Report, name: str) -> str:
    try:
        value = getattr(report, name)
    except Refused as closed:
        law = f" ({'; '.join(closed.law)})" if closed.law else ""
        return f"closed: {closed.rule or closed.code}: {closed.say}{law}"
    if isinstance(value, Brief):
        return "in brief: " + "; ".join(f"{key} {text}" for key, text in value.labels("en").items())
    return "-" if value is None else _text(value)


def _text(value: object) -> str:
    if isinstance(value, Author):
        return f"{value.alias} ({value.function})"
    if isinstance(value, msgspec.Struct):
        each = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return ", ".join(f"{name} {one}" for name, one in each if one is not None)
    if isinstance(value, list):
        return "; ".join(_text(one) for one in value)
    return str(value)


@click.command(epilog=EXIT_CODES)
@click.argument("what", metavar="ID|KIND")
@filing.field_option
@filing.duty_option
@filing.quote_option
@common.with_json
def readers(
    what: str, fields: tuple[str, ...], duties: tuple[str, ...], quotes: tuple[str, ...], *, as_json: bool
) -> None:
    """Print who will read a report, or a form of a KIND with these fields, before it is saved."""
    answers = dict(filing.pair(duty, "--duty") for duty in duties)

    def look(device: Device) -> list[ReaderRow]:
        if _ID.fullmatch(what):
            return device.readers(device.get(what), answers or None)
        form = filing.make_form(device, what, filing.field_values(what, fields))
        return device.readers(form, answers, quotes=quotes)

    rows = common.reading(look)
    if as_json:
        common.print_json([shapes.reader_row(row) for row in rows])
        return
    filing.print_readers(rows)


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.argument("part", metavar="PART")
@click.option("--for", "agency", metavar="AGENCY", help="Explain it for the field staff of another agency.")
@click.option("--person", metavar="ALIAS", help="Explain it for one person, by alias or AGENCY/ALIAS.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="By the law of this day; today's without it.")
@click.option("--lang", type=click.Choice(["en", "sv"]), default="en", help="The language of the explanation.")
@common.with_json
def explain(  # noqa: PLR0917  # the options of a command
    report_id: str,
    part: str,
    agency: str | None,
    person: str | None,
    at: datetime | None,
    lang: Language,
    *,
    as_json: bool,
) -> None:
    """Say why a PART of a report, for instance subject, is open or closed: rule, law, and until when."""
    day = None if at is None else at.date()
    told = common.reading(
        lambda device: device.explain(report_id, part, person=person, agency=agency, at=day, lang=lang)
    )
    if as_json:
        common.print_json(shapes.told(told))
        return
    for sentence in told.sentences:
        click.echo(sentence)


@click.command(epilog=EXIT_CODES)
@click.argument("name", metavar="NAME")
@common.with_json
def extract(name: str, *, as_json: bool) -> None:
    """Tell a person what the own agency noted about them, by name or alias: what is theirs, and what is left out."""

    def look(device: Device) -> dict[str, Any]:
        return shapes.extract(device.extract(name), device.local.trust.pack(device.now()))

    found = common.reading(look)
    if as_json:
        common.print_json(found)
        return
    for one in found["reports"]:
        click.echo(f"{one['time']}  {one['kind']:<24} {one['scene'] or '-'}")
        parts = one["parts"] if one["person"] is None else {"subject": one["person"]} | one["parts"]
        for part, fields in parts.items():
            click.echo(f"  {part:<14} " + "; ".join(f"{key} {value}" for key, value in fields.items()))
        for left in one["left_out"]:
            click.echo(f"  {left['part']:<14} left out: {left['code']}: {left['say']} ({'; '.join(left['law'])})")
    if found["unopened"]:
        common.note(f"{found['unopened']} rows are not opened here and not looked at; `held` lists them.")


@click.command(epilog=EXIT_CODES)
@common.with_json
def held(*, as_json: bool) -> None:
    """List the rows of the own agency that a supervisor may open for a task or a reason."""

    def look(device: Device) -> list[dict[str, Any]]:
        pack = device.local.trust.pack(device.now())
        return [shapes.held_row(row, pack) for row in device.held()]

    rows = common.reading(look)
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['time']}  {row['kind'] or '-':<24} {row['id']} v{row['version']}")


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@click.option("--reason", required=True, help="Why it has to be opened; sealed to the own supervisors.")
@common.with_json
def inspect(report_id: str, reason: str, *, as_json: bool) -> None:
    """Open a held row for a reason; it can be read after the next two-way sync."""

    async def whole(device: Device) -> None:
        await device.inspect(report_id, reason=reason)

    common.on_device(whole)
    if as_json:
        common.print_json({"id": report_id.lower()})
    else:
        click.echo("The opening is recorded; sync to send it, and read the report then.")
