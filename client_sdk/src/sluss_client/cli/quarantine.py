"""`sluss-device quarantine` and `countersign`: what was sent without the right to, before a supervisor's eyes.

Refuses: anybody but a supervisor of the own agency; a report that was not listed on this device.
"""

from __future__ import annotations

from typing import Any

import rich_click as click

from sluss_client.answers import Quarantined
from sluss_client.cli import common, shapes
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Refused
from sluss_client.report import Report
from sluss_client.views import moment
from sluss_schemas.brief import Brief


@click.command(epilog=EXIT_CODES)
@common.with_json
def quarantine(*, as_json: bool) -> None:
    """List what waits in quarantine: who sent it, why it waits, and what it says."""

    async def whole(device: Device) -> list[dict[str, Any]]:
        pack = device.pack
        found = await device.quarantine()
        return [shapes.quarantined_row(one, moment(one.received_at, pack).isoformat(), _text(one)) for one in found]

    rows = common.on_device(whole)
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['received_at']}  {row['kind'] or '-':<24} {row['alias'] or '-':<8} {row['reason']:<16} "
            f"{row['id']} v{row['version']}  {row['situation'] or '-'}"
        )


def _text(one: Quarantined) -> str | None:
    try:
        said = None if one.report is None else _situation(one.report)
    except Refused:
        return None
    return said


def _situation(report: Report) -> str | None:
    value = report.situation
    return "; ".join(value.labels("en").values()) if isinstance(value, Brief) else value


@click.command(epilog=EXIT_CODES)
@click.argument("report_id", metavar="ID")
@common.with_json
def countersign(report_id: str, *, as_json: bool) -> None:
    """Take a listed report out of quarantine; it counts after the next two-way sync, as if it had just come."""

    async def whole(device: Device) -> int:
        return await device.countersign(report_id)

    versions = common.on_device(whole)
    if as_json:
        common.print_json({"id": report_id.lower(), "versions": versions})
    else:
        click.echo(f"The countersignature is recorded ({versions} versions); sync to send it.")
