"""`sluss-device people`: who is in the own agency, by alias and name, and with which devices; no network."""

from __future__ import annotations

from typing import Any

import rich_click as click

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.keyring import roster
from sluss_schemas.agency import Device as Enrolled
from sluss_schemas.agency import Person
from sluss_schemas.replay import Directory

_KID_DIGITS = 8


@click.command(epilog=EXIT_CODES)
@click.option("--all", "everybody", is_flag=True, help="Those who have left, too.")
@common.with_json
def people(*, everybody: bool, as_json: bool) -> None:
    """List the people of the own agency; names are sealed to it and shown to nobody else."""
    rows = common.reading(lambda device: _rows(device, everybody=everybody))
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        where = "everywhere" if row["scenes"] is None else ", ".join(row["scenes"])
        does = ", ".join(row["functions"]) or "no function"
        click.echo(f"{row['alias']:<8} {row['name'] or '':<24} {does} ({where}){_state(row['state'])}")
        for device in row["devices"]:
            click.echo(f"{'':<8} device {device['device'][:_KID_DIGITS]} {', '.join(device['is'])}")


def _state(state: str) -> str:
    return "" if state == "active" else f", {state}"


def _rows(device: Device, *, everybody: bool) -> list[dict[str, Any]]:
    local, now = device.local, device.now()
    own, names = local.trust.own, roster.names_of(local)
    scenes = local.trust.registry(now)
    found = []
    for person in sorted(own.persons.values(), key=lambda one: (len(one.alias), one.alias)):
        active = person.active(now)
        if not (active or everybody):
            continue
        numbers = None if person.scenes is None else sorted(person.scenes)
        found.append(
            {
                "alias": person.alias,
                "name": names.get(person.person),
                "functions": list(person.functions),
                "scenes": None if numbers is None else [scenes[one].slug for one in numbers if one in scenes],
                "state": "active" if active else "suspended" if person.suspended else "over",
                "devices": [_device(own, one) for one in _devices(own, person, everybody=everybody)],
            }
        )
    return found


def _devices(own: Directory, person: Person, *, everybody: bool) -> list[Enrolled]:
    mine = [one for one in own.devices.values() if one.person == person.person]
    return [one for one in mine if everybody or one.revoked_at is None]


def _device(own: Directory, device: Enrolled) -> dict[str, Any]:
    roles = {
        "revoked": device.revoked_at is not None,
        "registrar": device.kid in own.registrars,
        "custodian": device.kid in own.custodians,
    }
    member = [one.function for one in own.audiences.values() if device.kid in one.members]
    return {"device": device.kid.hex(), "is": [role for role, true in roles.items() if true] + sorted(member)}
