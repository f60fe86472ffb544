"""A command for whoever compares ledgers: `ledger`, the last checkpoint that this device has proven.

The note goes to standard output as it was signed, so that `sluss ledger verify --checkpoint` takes it from a file.

> INVARIANT: nothing here touches the network.
"""

from __future__ import annotations

from datetime import UTC, datetime

import rich_click as click

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Refused
from sluss_client.syncing import witnessing


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
