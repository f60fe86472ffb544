"""Commands about the own agency's ledger: `ledger`, the last proven checkpoint, and `log`, what people did.

The checkpoint goes to standard output as it was signed: `sluss ledger verify --checkpoint` takes it from a file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import rich_click as click

from sluss_client import views
from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Invalid, Refused
from sluss_client.logbook import Log, LogEntry
from sluss_client.syncing import witnessing

_DAY: Final = click.DateTime(["%Y-%m-%d"])


@click.command(epilog=EXIT_CODES)
@common.with_json
def ledger(*, as_json: bool) -> None:
    """Print the last checkpoint of the agency's ledger that this device has verified.

    Keep it in a file: an exported ledger that does not hold it is not the one that this device has seen.
    """

    def look(device: Device) -> dict[str, object]:
        note, found = device.checkpoint, witnessing.checkpoint_of(device.local)
        if note is None or found is None:
            raise Refused("checkpoint", "Sync this device first; it has no checkpoint yet.", code="not_found")
        at = datetime.fromtimestamp(found.time, UTC).isoformat()
        return {"size": found.size, "time": at, "root": found.root.hex(), "note": note.decode()}

    document = common.reading(look)
    if as_json:
        common.print_json(document)
    else:
        click.echo(document["note"], nl=False)


@click.command(epilog=EXIT_CODES)
@click.option("--since", type=_DAY, help="The first day; without it as far back as the pack's log review goes.")
@click.option("--person", metavar="ALIAS", help="Each act of one person, and not only how many.")
@click.option("--report", "report_id", metavar="ID", help="Each act about one report.")
@common.with_json
def log(*, since: datetime | None, person: str | None, report_id: str | None, as_json: bool) -> None:
    """Show what was opened, read, filed, told and denied in the own agency, proven from the ledger.

    For supervisors; that somebody looked stands in the ledger too. It names who opened, read, asked and was denied; who
    filed a report, the report alone says.
    """
    with common.progress("Ledger") as shown:

        async def look(device: Device) -> Log:
            tell = None if shown is None else lambda _stage, done, total: shown(done, total)
            if person is not None and not any(person == one.alias for one in device.local.trust.own.persons.values()):
                raise Invalid("unknown_person", "person", "`sluss-device people` shows who there is.")
            return await device.log(None if since is None else since.date(), tell)

        found = common.on_device(look)
    wanted = None if report_id is None else views.as_id(report_id)
    entries = [one for one in found.entries if person in {None, one.person} and wanted in {None, one.report_id}]
    if as_json:
        common.print_json(
            {
                "since": found.since.isoformat(),
                "until": found.until.isoformat(),
                "deliveries": found.deliveries,
                "erased": found.erased,
                "unread": found.unread,
                "witnessed": found.witnessed,
                "entries": [_row(one) for one in entries],
            }
        )
        return
    click.echo(f"Proven from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d %H:%M}: {len(found.entries)} acts.")
    if not found.witnessed:
        click.echo("This device had not proven the ledger before that day: that it begins there is the server's word.")
    if found.erased:
        click.echo(f"Of {found.erased} more it is proven that they were, and that they were erased.")
    if found.unread:
        click.echo(f"{found.unread} more say what this program cannot read; update it.")
    if person is None and report_id is None:
        counts = Counter((_who(one), one.action) for one in entries)
        for (who, action), count in sorted(counts.items()):
            click.echo(f"{who:<28} {action:<16} {count:>7}")
        return
    for one in entries:
        click.echo(_line(one))


def _row(one: LogEntry) -> dict[str, object]:
    report = None if one.report_id is None else one.report_id.hex()
    return asdict(one) | {"time": one.time.isoformat(), "report_id": report}


def _line(one: LogEntry) -> str:
    about = "" if one.report_id is None else f"{one.kind or '-'} {one.report_id.hex()}"
    more = " ".join(part for part in (about, ", ".join(one.parts), one.code) if part)
    return f"{one.time:%Y-%m-%d %H:%M}  {_who(one):<24} {one.action:<12} {more}".rstrip()


def _who(one: LogEntry) -> str:
    """Return who did it, as far as the ledger says."""
    return one.person or (f"somebody of {one.agency}" if one.agency else "-")
