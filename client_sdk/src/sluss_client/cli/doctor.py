"""`sluss-device doctor`: whether everything on this device is as it must be, in codes and numbers, never content.

> INVARIANT: it changes nothing and asks nobody.
"""

from __future__ import annotations

import asyncio

import msgspec
import rich_click as click
from click.exceptions import Exit

from sluss_client.cli import common
from sluss_client.cli.checks import Check, examine
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import SlussError


@click.command(epilog=EXIT_CODES)
@common.with_json
def doctor(*, as_json: bool) -> None:
    """Look whether everything on this device is as it must be; no network."""
    where = common.place()
    passphrase = where.passphrase() if where.store.exists() else ""

    async def whole() -> list[Check]:
        try:
            async with await Device.open(where.store, passphrase) as device:
                return examine(device)
        except SlussError as wrong:
            return [Check(name="store", ok=False, say=f"{wrong.code}: {wrong.say}", value=wrong.code)]

    checks = asyncio.run(whole())
    ok = all(check.ok for check in checks)
    if as_json:
        common.print_json({"ok": ok, "checks": msgspec.to_builtins(checks)})
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<10} {check.say}")
    if not ok:
        raise Exit(common.REFUSED)
