"""A command for supervisors: `desk`, which opens the overview in the browser.

> INVARIANT: with `--print` the link is the whole of standard output, so that a script can hand it on.
"""

from __future__ import annotations

import webbrowser

import rich_click as click

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device


@click.command(epilog=EXIT_CODES)
@click.option("--print", "only_print", is_flag=True, help="Print the link instead of opening the browser.")
@common.with_json
def desk(*, only_print: bool, as_json: bool) -> None:
    """Open the supervisors' overview in this machine's browser.

    The link signs one browser in, once and within a minute. Who gets it from you sees what you may see.
    """

    async def ask(device: Device) -> str:
        return await device.launch()

    link = common.on_device(ask)
    if as_json:
        common.print_json({"link": link})
    elif only_print or not webbrowser.open(link):
        click.echo(link)
    else:
        common.note("The overview opens in the browser; there, press the button within a minute.")
