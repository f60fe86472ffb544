"""`sluss-device stock`: the own agency's naloxone: count it, and see what should be left.

Refuses a count of a day that is yet to come.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import rich_click as click

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES

_DAY: Final = click.DateTime(["%Y-%m-%d"])


@click.group()
def stock() -> None:
    """The own agency's naloxone, in doses."""


@stock.command(name="set", epilog=EXIT_CODES)
@click.argument("doses", type=click.IntRange(0, 100_000))
@click.option("--counted", type=_DAY, help="The day at whose end they were counted; without it today.")
@click.option("--expires", type=_DAY, help="The last day of the doses that expire first.")
@common.with_json
def set_stock(doses: int, *, counted: datetime | None, expires: datetime | None, as_json: bool) -> None:
    """State that there are so many DOSES, those of the day of the count being used already."""
    record = common.reading(
        lambda device: device.count_stock(
            doses,
            counted=None if counted is None else counted.date(),
            expires=None if expires is None else expires.date(),
        )
    )
    if as_json:
        common.print_json({"id": None if record is None else record.hex()})
    else:
        click.echo("Counted; it leaves with the next sync." if record else "That is stated already.")


@stock.command(name="show", epilog=EXIT_CODES)
@common.with_json
def show_stock(*, as_json: bool) -> None:
    """Show what was counted, what the agency's own reports say was given since, and what should be left."""
    found = common.on_device(lambda device: device.stock())
    if as_json:
        common.print_json(
            {
                "left": found.left,
                "doses": found.doses,
                "counted": found.counted.isoformat(),
                "used": found.used,
                "expires": None if found.expires is None else found.expires.isoformat(),
                "sent": found.sent,
            }
        )
        return
    click.echo(f"{found.left} doses: {found.doses} on {found.counted}, and {found.used} given on later days.")
    if found.expires is not None:
        click.echo(f"The first of them expire after {found.expires}.")
    if found.left < 0:
        common.note("More were given than were counted; count again.")
