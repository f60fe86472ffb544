"""What a registrar does about people and the partnership, and who is a registrar.

Each act syncs before and after, so that it stands on the latest entries and what follows from it happens at once.
Refuses what would leave the agency without a registrar.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rich_click as click
import segno

from sluss_client.agency.lifecycle import Reason
from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.cli.identity import asked_key, function_option, root_key_option
from sluss_client.device import Device
from sluss_schemas.ids import FUNCTIONS, Function

scene_option = click.option(
    "--scene", "scenes", multiple=True, help="A scene that the person works at; repeat it. Without it: all."
)
day = click.DateTime(["%Y-%m-%d"])


def _acting(act: Callable[[Device], Awaitable[None]]) -> None:
    """Do an act between two syncs."""

    async def whole(device: Device) -> None:
        await device.sync()
        await act(device)
        await device.sync()

    common.on_device(whole)


def _done(row: dict[str, Any], say: str, *, as_json: bool) -> None:
    if as_json:
        common.print_json(row)
    else:
        click.echo(say)


def _end_of(until: datetime | date | None, zone: str) -> int | None:
    """Return the end of a day in the pack's zone, in Unix seconds."""
    if until is None:
        return None
    return int(datetime.combine(until, time(23, 59, 59), ZoneInfo(zone)).timestamp()) + 1


@click.command(epilog=EXIT_CODES)
@function_option
@scene_option
@click.option("--alias", help="The person's alias; without it the next free one.")
@click.option("--name", help="The person's name, which the own agency alone sees.")
@click.option("--for", "again", metavar="ALIAS", help="Another device for somebody who is there.")
@click.option("--custodian", is_flag=True, help="A person without a function, to be a custodian.")
@click.option("--days", type=int, default=7, show_default=True, help="How long the code works, up to 31.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the code as a picture, too.")
@common.with_json
def invite(  # noqa: PLR0917  # the command's options
    functions: tuple[Function, ...],
    scenes: tuple[str, ...],
    alias: str | None,
    name: str | None,
    again: str | None,
    custodian: bool,  # noqa: FBT001  # an option
    days: int,
    svg: Path | None,
    *,
    as_json: bool,
) -> None:
    """Invite a colleague: print a code that enrols one device, once."""
    if sum([bool(functions), custodian, again is not None]) != 1:
        raise click.UsageError("Say with --function what the person does, or give --custodian, or --for ALIAS.")
    if again is not None and (scenes or alias or name):
        raise click.UsageError("Another device has its person's alias, name and scenes.")

    async def ask(device: Device) -> str:
        if again is not None:
            await device.sync()
            return await device.registrar.invite_again(again, days=days)
        return await device.registrar.invite(functions, scenes or None, alias, name=name, days=days)

    code = common.on_device(ask)
    picture = segno.make(code, error="l")
    if svg is not None:
        try:
            picture.save(str(svg), kind="svg", scale=4)
        except OSError:
            raise click.UsageError("The picture cannot be written there.") from None
    if as_json:
        common.print_json({"code": code, "functions": list(functions), "scenes": list(scenes) or None, "for": again})
        return
    click.echo(code)
    if sys.stdout.isatty():
        picture.terminal(out=sys.stdout, compact=True)


@click.command(epilog=EXIT_CODES)
@click.argument("alias")
@common.with_json
def leave(alias: str, *, as_json: bool) -> None:
    """A colleague leaves: revoke every device of ALIAS, and suspend the person."""
    _acting(lambda device: device.registrar.leave(alias))
    _done({"alias": alias}, f"{alias} has left; every audience that they were in gets a new key.", as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("whom", metavar="ALIAS|DEVICE")
@click.option("--reason", type=click.Choice(["lost", "stolen", "replaced", "left"]), default="lost", show_default=True)
@common.with_json
def revoke(whom: str, reason: Reason, *, as_json: bool) -> None:
    """Revoke the device of ALIAS, or the one whose id begins with DEVICE; the server refuses it from now on."""
    _acting(lambda device: device.registrar.revoke(whom, reason))
    say = f"The device of {whom} is revoked. For a new one: `invite --for ALIAS`."
    _done({"device": whom, "reason": reason}, say, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("alias")
@common.with_json
def suspend(alias: str, *, as_json: bool) -> None:
    """Take the rights of ALIAS away for a while; their devices stay enrolled."""
    _acting(lambda device: device.registrar.suspend(alias))
    _done({"alias": alias}, f"{alias} is suspended until `resume {alias}`.", as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("alias")
@common.with_json
def resume(alias: str, *, as_json: bool) -> None:
    """Give the rights of ALIAS back."""
    _acting(lambda device: device.registrar.resume(alias))
    _done({"alias": alias}, f"{alias} is back.", as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("alias")
@function_option
@scene_option
@click.option("--all-scenes", is_flag=True, help="Every scene from now on.")
@click.option("--until", type=day, help="The last day of service.")
@click.option("--name", help="The person's name, which the own agency alone sees; an empty one removes it.")
@common.with_json
def change(  # noqa: PLR0917  # the command's options
    alias: str,
    functions: tuple[Function, ...],
    scenes: tuple[str, ...],
    all_scenes: bool,  # noqa: FBT001  # an option
    until: datetime | None,
    name: str | None,
    *,
    as_json: bool,
) -> None:
    """Change what ALIAS does, where, until when, or their name; what is not said stays."""
    if scenes and all_scenes:
        raise click.UsageError("Give --scene or --all-scenes.")
    if not (functions or scenes or all_scenes or until) and name is None:
        raise click.UsageError("Say what is to change.")

    async def act(device: Device) -> None:
        if name is not None:
            device.registrar.name(alias, name)
        if functions or scenes or all_scenes or until:
            await device.registrar.change(
                alias,
                functions=functions or None,
                scenes=scenes or None,
                all_scenes=all_scenes,
                valid_until=_end_of(until, device.pack.zone),
            )

    _acting(act)
    _done({"alias": alias}, f"{alias} is changed.", as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("whom", nargs=3, metavar="ALIAS ALIAS ALIAS")
@common.with_json
def custodians(whom: tuple[str, ...], *, as_json: bool) -> None:
    """Name the three custodians; any two of them can recover the agency's keys."""
    _acting(lambda device: device.registrar.custodians(whom))
    say = "The custodians are named; their devices get their shares at their next sync."
    _done({"custodians": list(whom)}, say, as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.option("--function", "functions", multiple=True, type=click.Choice(FUNCTIONS), help="Of these audiences alone.")
@common.with_json
def rotate(functions: tuple[Function, ...], *, as_json: bool) -> None:
    """Make new keys for this device's audiences now; 90 days and every leaving do it by themselves."""

    async def whole(device: Device) -> list[str]:
        device.registrar.rotate(functions or FUNCTIONS)
        before = {one.function: len(one.epochs) for one in device.local.memberships()}
        await device.sync()
        return sorted(one.function for one in device.local.memberships() if len(one.epochs) > before[one.function])

    rotated = common.on_device(whole)
    _done({"rotated": rotated}, f"New keys: {', '.join(rotated) or 'none'}.", as_json=as_json)


@click.command(epilog=EXIT_CODES)
@common.with_json
def restored(*, as_json: bool) -> None:
    """Accept a restored server, once every registrar of the agency has synced with it."""
    _acting(lambda device: device.registrar.restored())
    _done({"restored": True}, "The server is accepted; devices push again what they filed lately.", as_json=as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("fingerprint", required=False)
@click.option("--until", type=day, help="The last day of the agreement.")
@click.option("--agreement", default="", help="The agreement's number or title.")
@click.option("--end", "slug", metavar="AGENCY", help="End the pin of an agency instead.")
@common.with_json
def peer(fingerprint: str | None, until: datetime | None, agreement: str, slug: str | None, *, as_json: bool) -> None:
    """Pin the agency whose root has FINGERPRINT, as its registrar has read it out; until then it is nobody."""
    if (fingerprint is None) == (slug is None):
        raise click.UsageError("Give a FINGERPRINT, or --end AGENCY.")
    try:
        root = bytes.fromhex(re.sub(r"[\s:-]", "", fingerprint or ""))
    except ValueError:
        raise click.UsageError("A fingerprint is 64 hexadecimal digits.") from None

    async def pin(device: Device) -> str:
        registrar = device.registrar
        await device.sync()
        if slug is not None:
            await registrar.end_peer(slug)
            return slug
        trust = device.local.trust
        pinned = next((one for one in trust.agencies(device.now())[1:] if one.root_fingerprint == root), None)
        if pinned is not None and not agreement and until is None:
            return pinned.slug
        return await registrar.peer(root, agreement=agreement, until=_end_of(until, device.pack.zone))

    found = common.on_device(pin)
    _done(
        {"agency": found}, f"{found} is pinned." if slug is None else f"{found} is no peer any more.", as_json=as_json
    )


@click.group()
def registrar() -> None:
    """Who is a registrar; this needs the root key from safe A, on any enrolled device of the agency."""


@registrar.command(name="add", epilog=EXIT_CODES)
@click.argument("whom", metavar="ALIAS|DEVICE")
@root_key_option
@common.with_json
def add_registrar(whom: str, root_key_file: Path | None, *, as_json: bool) -> None:
    """Make the device of ALIAS a registrar's."""
    seed = asked_key(root_key_file)
    _acting(lambda device: device.roots.add_registrar(seed, whom))
    _done({"device": whom}, f"{whom} is a registrar.", as_json=as_json)


@registrar.command(name="remove", epilog=EXIT_CODES)
@click.argument("whom", metavar="ALIAS|DEVICE")
@root_key_option
@common.with_json
def remove_registrar(whom: str, root_key_file: Path | None, *, as_json: bool) -> None:
    """Take a registrar's right from the device of ALIAS."""
    seed = asked_key(root_key_file)
    _acting(lambda device: device.roots.remove_registrar(seed, whom))
    _done({"device": whom}, f"{whom} is no registrar any more.", as_json=as_json)
