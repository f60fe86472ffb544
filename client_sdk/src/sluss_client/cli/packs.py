"""`sluss-device pack adopt`: a registrar takes another policy pack, knowing who gains and who loses by it.

What would change is said before it is asked whether it may; a script says `--yes`, and `--dry-run` only looks.
"""

from __future__ import annotations

from typing import Any

import msgspec
import rich_click as click

from sluss_client.agency import packs
from sluss_client.agency.packs import Preview
from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.cli.disclosing import lang_option, sure, yes_option
from sluss_client.device import Device
from sluss_schemas.policy.readers import Language
from sluss_schemas.policy.simulate import said


@click.group()
def pack() -> None:
    """The policy packs that the own agency has adopted."""


@pack.command(name="adopt", epilog=EXIT_CODES)
@click.argument("pack_id", metavar="PACK")
@click.option("--dry-run", is_flag=True, help="Say what would change, and sign nothing.")
@yes_option
@lang_option
@common.with_json
def adopt(pack_id: str, lang: Language, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Adopt a PACK for the own agency, after saying who would gain or lose what against the one in force."""

    async def act(device: Device) -> tuple[Preview, bool]:
        if not dry_run:
            await device.sync()
        found = packs.preview(device.local, pack_id, device.now())
        if dry_run or found.adopted:
            return found, False
        sure(lang, yes=yes, what="\n".join(words(found, lang)))
        done = await packs.adopt(device.registrar, found)
        await device.sync()
        return found, done

    found, done = common.on_device(act)
    if as_json:
        common.print_json(_shape(found, done=done))
        return
    for line in words(found, lang):
        click.echo(line)
    if found.adopted:
        click.echo("It is adopted already." if lang == "en" else "Det är redan antaget.")
    elif done:
        day = found.new.valid_from.isoformat()
        click.echo(f"It is adopted and holds from {day}." if lang == "en" else f"Det är antaget och gäller från {day}.")


def words(found: Preview, lang: Language) -> list[str]:
    """Return what would change, in lines."""
    others = [f"  {one.en if lang == 'en' else one.sv}" for one in found.conditions]
    heading = ["Would ask for something else:" if lang == "en" else "Skulle kräva något annat:"] if others else []
    return [f"{found.old.id} -> {found.new.id}", *said(found.changes, lang), *heading, *others]


def _shape(found: Preview, *, done: bool) -> dict[str, Any]:
    return {
        "pack": found.new.id,
        "valid_from": found.new.valid_from.isoformat(),
        "old": found.old.id,
        "adopted": found.adopted or done,
        "changes": [msgspec.to_builtins(one) for one in found.changes],
        "conditions": [msgspec.to_builtins(one) for one in found.conditions],
    }
