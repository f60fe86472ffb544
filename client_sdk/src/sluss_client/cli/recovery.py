"""`sluss-device recover`: epochs back from two of three custodians, and the rehearsal of it.

Source: docs/contract.md, "Command lines".

> INVARIANT: a drill leaves everything on the device as it was.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import rich_click as click
from click.exceptions import Exit

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.keyring.custody import Given, Recovery

_SAY: Final = {
    "held": "is here already",
    "recovered": "gives the published keys",
    "not_split": "was never split; a member's device does that at a sync",
    "shares_missing": "needs the shares of two custodians",
    "bad_share": "needs another custodian's share",
    "not_recovered": "does not give the published keys: tell a registrar",
}


@click.group(invoke_without_command=True, epilog=EXIT_CODES)
@click.option("--drill", is_flag=True, help="Try it and keep nothing.")
@common.with_json
@click.pass_context
def recover(context: click.Context, *, drill: bool, as_json: bool) -> None:
    """Recover the epochs of this device's audiences with the shares that two custodians gave it."""
    if context.invoked_subcommand is not None:
        if drill:
            raise click.UsageError("A drill is for `recover` alone.")
        return

    async def whole(device: Device) -> Recovery:
        await device.sync()
        done = await device.custody.recover(drill=drill)
        if not drill and any(one.outcome == "recovered" for one in done.epochs):
            # Now old reports open, and others who wait for the same keys get them.
            await device.sync()
        return done

    done = common.on_device(whole)
    if as_json:
        common.print_json({"drill": drill, "ok": done.whole, **msgspec.to_builtins(done)})
    else:
        _show(done, drill=drill)
    if not done.whole:
        raise Exit(common.REFUSED)


def _show(done: Recovery, *, drill: bool) -> None:
    for one in done.epochs:
        shares = f" (shares of {', '.join(one.given)})" if one.given else ""
        click.echo(f"{one.function:<12} epoch {one.epoch:<4} {_SAY[one.outcome]}{shares}")
        for alias in one.bad:
            click.echo(f"{'':<12} bad_share: {alias}'s share is not the one in the directory.")
    for alias in done.foreign:
        click.echo(f"foreign_share: {alias} is no custodian of these epochs.")
    if not done.epochs:
        click.echo("This device is a member of no audience that has an epoch.")
    elif drill:
        click.echo("This was a drill: nothing was kept.")


@recover.command(epilog=EXIT_CODES)
@click.argument("whom", metavar="ALIAS")
@common.with_json
def give(whom: str, *, as_json: bool) -> None:
    """Give this custodian's shares to the device of ALIAS, or to the device with this id; for a custodian.

    Do this with the person before you: whoever has two custodians' shares can read and sign as the group.
    """

    async def whole(device: Device) -> Given:
        await device.sync()
        return await device.custody.give(whom)

    done = common.on_device(whole)
    if as_json:
        common.print_json(msgspec.to_builtins(done))
    else:
        click.echo(f"The shares of {done.epochs} epochs were given to {done.alias}'s device {done.kid}.")


@recover.command(epilog=EXIT_CODES)
@common.with_json
def status(*, as_json: bool) -> None:
    """Show the custodians, which epochs are split for them, and what of it is on this device; no network."""

    def read(device: Device) -> dict[str, Any]:
        custody = device.custody
        return {
            "custodians": msgspec.to_builtins(custody.custodians()),
            "epochs": msgspec.to_builtins(custody.splits()),
        }

    found = common.reading(read)
    if as_json:
        common.print_json(found)
        return
    for one in found["custodians"]:
        gone = "" if one["active"] else "  revoked: name another custodian"
        click.echo(f"custodian    {one['alias']:<12} {one['kid']}{gone}")
    if not found["custodians"]:
        click.echo("no_custodians: nobody could recover anything; a registrar names three.")
    for one in found["epochs"]:
        split = "split" if one["split"] else "not split for the custodians of now"
        here = [name for name, is_here in (("its key", one["held"]), ("a share", one["share"])) if is_here]
        on_device = f"; here: {' and '.join(here)}" if here else ""
        click.echo(f"{one['function']:<12} epoch {one['epoch']:<4} {split}{on_device}")
