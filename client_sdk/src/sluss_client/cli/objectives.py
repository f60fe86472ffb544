"""`sluss-device objectives`: what agencies aim at: list, set, change and end.

Refuses: a title that names somebody, and a measure that nobody counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import rich_click as click

from sluss_client.cases.wording import Aim
from sluss_client.cli import common, stated
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import Invalid
from sluss_schemas.ids import ID_BYTES
from sluss_schemas.statements import ObjectiveTerms

_DAY: Final = click.DateTime(["%Y-%m-%d"])


@click.group()
def objectives() -> None:
    """What agencies aim at, with a number and a last day."""


@objectives.command(name="list", epilog=EXIT_CODES)
@click.option("--all", "every", is_flag=True, help="Also those that were ended.")
@common.with_json
def list_objectives(*, every: bool, as_json: bool) -> None:
    """List the objectives of every agency, each verified on this device."""

    async def ask(device: Device) -> list[dict[str, Any]]:
        known, scenes, pack = await stated.known(device), stated.slugs(device), device.pack
        return [
            stated.objective_row(one, one.terms, scenes, pack)
            for one in known
            if isinstance(one.terms, ObjectiveTerms) and (every or not one.terms.ended)
        ]

    found = sorted(common.on_device(ask), key=lambda one: (one["until"], one["id"]))
    if as_json:
        common.print_json(found)
        return
    for one in found:
        sign = "at most" if one["direction"] == "at_most" else "at least"
        where = one["scene"] or "-"
        click.echo(f"{one['id']}  {one['agency']}  {where}  {one['title']}: {sign} {one['target']} by {one['until']}")


@objectives.command(name="set", epilog=EXIT_CODES)
@click.argument("title")
@click.option("--measure", required=True, help="count:KIND[:FACT=CODE], sum:KIND:FACT, mumin_ratio, attendance, ...")
@click.option("--at-most", type=click.IntRange(0, 1_000_000), help="The target as a ceiling.")
@click.option("--at-least", type=click.IntRange(0, 1_000_000), help="The target as a floor.")
@click.option("--from", "since", type=_DAY, required=True, help="The first day that counts.")
@click.option("--until", type=_DAY, required=True, help="The last day.")
@click.option("--scene", default="", help="A scene; without it the whole partnership.")
@click.option("--change", "objective", help="The id of an objective of the own agency that is to be changed.")
@common.with_json
def set_objective(
    title: str,
    *,
    measure: str,
    at_most: int | None,
    at_least: int | None,
    since: datetime,
    until: datetime,
    scene: str,
    objective: str | None,
    as_json: bool,
) -> None:
    """State an objective of the own agency under a TITLE that names nobody."""
    if (at_most is None) == (at_least is None):
        raise click.UsageError("Give --at-most or --at-least.")
    direction: Literal["at_most", "at_least"] = "at_most" if at_least is None else "at_least"
    aim = Aim(
        title=title,
        measure=measure,
        direction=direction,
        target=int(at_least if at_most is None else at_most),  # type: ignore[arg-type]  # one of them is there
        since=since.date(),
        until=until.date(),
        scene=scene,
    )
    known = None if objective is None else _id(objective)
    name = common.reading(lambda device: device.set_objective(aim, known))
    if as_json:
        common.print_json({"id": name.hex()})
    else:
        click.echo(f"{name.hex()}  It leaves with the next sync.")


@objectives.command(name="end", epilog=EXIT_CODES)
@click.argument("objective")
@common.with_json
def end_objective(objective: str, *, as_json: bool) -> None:
    """State that an objective of the own agency is over before its last day."""
    name = _id(objective)
    common.reading(lambda device: device.end_objective(name))
    if as_json:
        common.print_json({"id": name.hex()})
    else:
        click.echo("It is over; that leaves with the next sync.")


def _id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != ID_BYTES:
        raise Invalid("wrong_type", "objective", "Give the 32 digits of its id.")
    return found
