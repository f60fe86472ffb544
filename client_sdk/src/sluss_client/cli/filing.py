"""Commands that write: file a report, send and fetch, look at what waits, import a CSV.

Refuses: nothing by itself; the device says what is wrong with a form, and a row that cannot be imported is one line.

> INVARIANT: who will read a report is printed before its id, and both come from the pack.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import rich_click as click
from click.exceptions import Exit, UsageError

from sluss_client import holding, importing, mappings
from sluss_client.answers import Duty, ReaderRow, SyncResult
from sluss_client.cli import common, shapes
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Invalid, Refused
from sluss_client.mappings.rows import Reader
from sluss_client.mappings.table import Bad
from sluss_client.report import Report
from sluss_client.views import moment
from sluss_schemas import forms
from sluss_schemas.forms.base import field_named
from sluss_schemas.forms.namecheck import Finding

field_option = click.option(
    "--field", "fields", multiple=True, metavar="NAME=VALUE", help="A field of the form; repeat it."
)
duty_option = click.option(
    "--duty", "duties", multiple=True, metavar="CODE=ANSWER", help="Answer a duty, for instance L14=send; repeat it."
)
quote_option = click.option(
    "--quote", "quotes", multiple=True, metavar="ID", help="A report that it repeats something of; repeat it."
)
_same_event_option: Final = click.option(
    "--same-event", metavar="ID", help="A report of the same event that you read in full; only who reads both can tell."
)


_LOOKS: Final = {
    "personal_number": "a personal number",
    "phone": "a telephone number",
    "email": "an e-mail address",
    "plate": "a number plate",
    "address": "a street address",
    "name": "a name",
}
_HELD: Final = {
    "embargo": "It stays in the own agency until a supervisor releases it.",
    "review": "It stays in the own agency until its text was looked at: file it with --no-names if it names nobody.",
    "protected": "It stays in the own agency because of its place.",
}


@click.command(epilog=EXIT_CODES)
@click.argument("kind", required=False)
@click.option(
    "--json",
    "documents",
    multiple=True,
    is_flag=False,
    flag_value="",
    metavar="[FILE|-]",
    help="Print one JSON document; with FILE or - also take the fields from there.",
)
@field_option
@duty_option
@click.option(
    "--hold", type=click.Choice(["embargo", "review"]), help="Keep it in the own agency until it is released."
)
@click.option("--no-names", is_flag=True, help="Confirm that the texts name nobody.")
@quote_option
@_same_event_option
def file(  # noqa: PLR0917  # what the options say
    kind: str | None,
    documents: tuple[str, ...],
    fields: tuple[str, ...],
    duties: tuple[str, ...],
    hold: holding.Hold | None,
    quotes: tuple[str, ...],
    same_event: str | None,
    *,
    no_names: bool,
) -> None:
    """Save a report of KIND, for instance order_incident; no network.

    Fields are those of docs/forms.md; persons and places are JSON.
    Without observed_at it is the time of now.
    A text that looks as if it named somebody stays in the own agency until --no-names says that it does not.
    """
    given = [source for source in documents if source]
    if kind is None and given:
        # `file --json order_incident`: the option took the word that follows it.
        kind = given.pop(0)
    if kind is None:
        raise UsageError("Say which kind of report to save.")
    if len(given) > 1:
        raise UsageError("Give the fields in one file.")
    answers = dict(pair(duty, "--duty") for duty in duties)
    values = (_document(given[0]) if given else {}) | field_values(kind, fields)

    def save(device: Device) -> tuple[Report, list[ReaderRow], list[Duty]]:
        form = make_form(device, kind, values)
        sure = no_names or _asked(device.check_text(form))
        report = device.file(form, answers, hold=hold, confirm_text=sure, quotes=quotes, same_event=same_event)
        due = [one for one in device.duties() if one.report_id == report.id]
        return report, device.readers(report, answers), due

    report, readers, due = common.reading(save)
    if documents:
        common.print_json(
            {
                "id": report.id.hex(),
                "kind": report.kind,
                "version": report.version,
                "state": report.state,
                "readers": [shapes.reader_row(row) for row in readers],
                "duties_due": [one.code for one in due],
                "nobody_receives": [one.code for one in due if not one.receivable],
                "hold": report.hold or None,
                "until": None if report.quoted.until is None else _moment(report.quoted.until),
            }
        )
        return
    print_readers(readers)
    click.echo(report.id.hex())
    if report.hold:
        common.note(_HELD[report.hold])
    if report.quoted.until is not None:
        common.note(f"It quotes what was opened until {_moment(report.quoted.until)}, and stays with you until then.")
    for one in due:
        if one.code not in answers:
            common.note(
                f"The duty {one.code} ({one.name}) waits for an answer: --duty {one.code}=send or {one.code}=no."
            )
        if one.say:
            common.note(f"The duty {one.code} ({one.name}): {one.say}")


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _asked(found: Sequence[Finding]) -> bool:
    """Ask a person at a terminal about what looks like somebody in their texts; nobody else is asked."""
    if not found or not sys.stdin.isatty() or not sys.stderr.isatty():
        return False
    for one in found:
        common.note(f"{one.field}: characters {one.start + 1} to {one.end} look like {_LOOKS[one.kind]}.")
    return click.confirm("Do the texts name nobody?", err=True)


def make_form(device: Device, kind: str, values: dict[str, Any]) -> forms.Form:
    """Return a form of plain values, observed now where no time is given."""
    now = moment(device.now(), device.local.trust.pack(device.now()))
    return forms.make(kind, {"observed_at": now} | values)


def field_values(kind: str, given: Sequence[str]) -> dict[str, Any]:
    """Return the values of `--field`; what a person or place is has to be JSON."""
    form = forms.form_type(kind)
    values: dict[str, Any] = {}
    for one in given:
        name, value = pair(one, "--field")
        field = field_named(form, name)
        structured = field is not None and field.kind_of_value in {"persons", "place"}
        values[name] = _decode(value.encode(), name) if structured and value[:1] in {"{", "["} else value
    return values


def pair(text: str, option: str) -> tuple[str, str]:
    """Return what an option of the form NAME=VALUE says."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"Write {option} as NAME=VALUE.")
    return name.strip(), value


def _document(source: str) -> dict[str, Any]:
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError:
        raise UsageError("The file with the fields cannot be read.") from None
    values = _decode(data, "json")
    if not isinstance(values, dict):
        raise Invalid("malformed", "json", "Give one JSON object with the fields by name.")
    return values


def _decode(data: bytes, field: str) -> Any:  # noqa: ANN401  # what it is, the form says
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("malformed", field, "Give JSON.") from None


def print_readers(rows: Sequence[ReaderRow]) -> None:
    """Print one line for each audience: what it reads in full, and what as a brief."""
    for audience in dict.fromkeys(row.audience for row in rows):
        full = [row.compartment for row in rows if row.audience == audience and row.form == "full"]
        brief = [row.compartment for row in rows if row.audience == audience and row.form != "full"]
        parts = [", ".join(full)] if full else []
        parts += [f"briefly {', '.join(brief)}"] if brief else []
        click.echo(f"{audience:<28} {'; '.join(parts)}")


@click.command(epilog=EXIT_CODES)
@common.with_json
def sync(*, as_json: bool) -> None:
    """Send what waits and fetch what is new."""
    with common.progress("sync") as shown:

        async def whole(device: Device) -> SyncResult:
            return await device.sync(None if shown is None else lambda _, done, total: shown(done, total))

        result = common.on_device(whole)
    found = {name: getattr(result, name) for name in SyncResult.__dataclass_fields__}
    if as_json:
        common.print_json(found)
    else:
        click.echo(", ".join(f"{name} {count}" for name, count in found.items()))


@click.command(epilog=EXIT_CODES)
@common.with_json
def outbox(*, as_json: bool) -> None:
    """List what the server has not acknowledged, with the reason where it refused; no network."""

    def look(device: Device) -> list[dict[str, Any]]:
        pack = None
        with suppress(Refused):
            pack = device.pack
        return [shapes.waiting_row(row, pack) for row in device.waiting()]

    rows = common.reading(look)
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        reason = ": ".join(part for part in (row["reason"], row["field"], row["say"]) if part)
        click.echo(
            f"{row['filed_at']}  {row['state']:<12} {row['kind'] or '-':<24} {row['id']} v{row['version']}  {reason}"
        )


@click.command(name="import", epilog=EXIT_CODES)
@click.argument("csv_file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--mapping", required=True, metavar="NAME_OR_FILE", help="A shipped mapping, or a mapping file.")
@click.option("--skip-ids", metavar="FILE:COLUMN", help="Leave out the ids in a column of another CSV.")
@click.option(
    "--scenes-out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Only write the scenes that FILE needs, for `scenes import`; nothing is filed.",
)
@common.with_json
def import_csv(csv_file: Path, mapping: str, skip_ids: str | None, scenes_out: Path | None, *, as_json: bool) -> None:
    """File the rows of a CSV as reports; no network.

    It can be stopped at any moment and started again: nothing is filed twice.
    A row that cannot be filed is one line; the others are filed.
    """
    rows = importing.reader(csv_file, mappings.load(mapping), _skip_file(skip_ids))
    if scenes_out is not None:
        _scenes_out(rows, scenes_out, as_json=as_json)
        return
    bad: list[Bad] = []
    with common.progress(csv_file.name) as shown:

        async def whole(device: Device) -> importing.Summary:
            return await importing.run(device, rows, progress=shown, told=bad.append)

        summary = common.on_device(whole)
    bad.sort(key=lambda one: one.row)
    counts = {name: getattr(summary, name) for name in ("filed", "amended", "skipped", "already", "bad")}
    missing = sorted(summary.missing_scenes)
    if as_json:
        common.print_json(counts | {"missing_scenes": missing, "bad_rows": [shapes.bad_row(one) for one in bad]})
    else:
        for one in bad:
            common.note(str(one))
        if missing:
            common.note(f"Scenes that are not registered: {' '.join(missing)}")
            common.note("Write them with --scenes-out FILE, and have a registrar run `scenes import FILE`.")
        click.echo(", ".join(f"{name} {count}" for name, count in counts.items()))
    if bad:
        raise Exit(common.REFUSED)


def _skip_file(given: str | None) -> importing.SkipFile | None:
    if given is None:
        return None
    file_, colon, column = given.rpartition(":")
    if not colon or not file_:
        raise UsageError("Write --skip-ids as FILE:COLUMN.")
    return Path(file_), column


def _scenes_out(rows: Reader, path: Path, *, as_json: bool) -> None:
    found = importing.scenes_of(rows)
    importing.write_scenes(path, found)
    if as_json:
        common.print_json({"scenes": len(found), "file": str(path)})
    else:
        click.echo(f"{len(found)} scenes are in {path}.")
