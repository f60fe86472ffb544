"""Commands about disputes: what others disclosed to this person, to challenge a disclosure, to settle it.

Refuses: as the device does.

> INVARIANT: nothing of a report is shown or asked here.
"""

from __future__ import annotations

import rich_click as click

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.cli.disclosing import id_of, when

_text = click.option("--text", required=True, metavar="T", help="About the disclosure; nothing of what it disclosed.")


@click.command(epilog=EXIT_CODES)
@common.with_json
def received(*, as_json: bool) -> None:
    """List what other agencies disclosed to this person, with the ids to dispute it by; no network."""
    rows = common.reading(
        lambda device: [
            {
                "grant": one.grant_id.hex(),
                "report": one.report_id.hex(),
                "agency": one.agency,
                "gateway": one.gateway,
                "until": when(one.until, device.pack),
                "state": one.state,
            }
            for one in device.received()
        ]
    )
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['grant']}  {row['state']:<9} {row['agency']:<16} {row['gateway']:<4} {row['report']}")


@click.command(epilog=EXIT_CODES)
@common.with_json
def disputes(*, as_json: bool) -> None:
    """List the disputes that this person filed or is told of, newest first; no network."""
    rows = common.reading(
        lambda device: [
            {
                "grant": one.grant_id.hex(),
                "agency": one.agency,
                "by": one.by,
                "text": one.text,
                "since": when(one.since, device.pack),
                "state": one.state,
                "settled": one.settled or None,
            }
            for one in device.disputes()
        ]
    )
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['since']}  {row['state']:<8} {row['grant']}  {row['agency']}/{row['by']}: {row['text']}")


@click.command(epilog=EXIT_CODES)
@click.argument("grant_id", metavar="GRANT")
@_text
@common.with_json
def dispute(grant_id: str, text: str, *, as_json: bool) -> None:
    """Challenge a disclosure, before the supervisors of both agencies; it leaves with the next sync."""
    _done(common.reading(lambda device: device.dispute(id_of(grant_id, "grant"), text)), as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("grant_id", metavar="GRANT")
@_text
@common.with_json
def settle(grant_id: str, text: str, *, as_json: bool) -> None:
    """Settle a dispute of a disclosure of the own agency; it leaves with the next sync."""
    _done(common.reading(lambda device: device.settle(id_of(grant_id, "grant"), text)), as_json=as_json)


def _done(record: bytes, *, as_json: bool) -> None:
    if as_json:
        common.print_json({"id": record.hex()})
    else:
        click.echo(record.hex())
