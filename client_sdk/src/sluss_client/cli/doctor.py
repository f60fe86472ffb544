"""`sluss-device doctor`: whether everything on this device is as it must be, in codes and numbers, never content.

> INVARIANT: a check that fails says what to do.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from typing import Any, Final

import msgspec
import rich_click as click
from click.exceptions import Exit

from sluss_client.cli import common
from sluss_client.cli.common import EXIT_CODES
from sluss_client.device import Device
from sluss_client.errors import SlussError
from sluss_client.keyshare import missing
from sluss_client.views import moment
from sluss_schemas.problems import CATALOGUE

_FREE_BYTES: Final = 100 * 2**20
"""Less than this and a shift's reports and photographs may not fit."""
_CLOCK_OFF_S: Final = 300
"""What the server allows; more is corrected with every answer, and means that the clock should be set."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: whether it holds, what to do or what was found, and the bare value."""

    name: str
    ok: bool
    say: str
    value: Any = None


@click.command(epilog=EXIT_CODES)
@common.with_json
def doctor(*, as_json: bool) -> None:
    """Look whether everything on this device is as it must be; no network."""
    where = common.place()
    passphrase = where.passphrase() if where.store.exists() else ""

    async def whole() -> list[Check]:
        try:
            async with await Device.open(where.store, passphrase) as device:
                return _examine(device)
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


def _examine(device: Device) -> list[Check]:
    checks = [_store(device), _disk(device), _approved(device)]
    if not checks[-1].ok:
        return checks
    return [
        *checks,
        _pack(device),
        _keys(device),
        _scenes(device),
        _contact(device),
        _clock(device),
        _alarms(device),
        _waiting(device),
    ]


def _store(device: Device) -> Check:
    whole = device.local.store.check()
    say = "The store opens, and every row in it." if whole else CATALOGUE["store_damaged"][1]
    return Check(name="store", ok=whole, say=say, value=str(device.path))


def _disk(device: Device) -> Check:
    free = shutil.disk_usage(device.path.parent).free
    ok = free >= _FREE_BYTES
    say = f"{free // 2**20} MiB are free." if ok else f"Free some space: {free // 2**20} MiB are left."
    return Check(name="disk", ok=ok, say=say, value=free)


def _approved(device: Device) -> Check:
    if not device.approved:
        return Check(name="approved", ok=False, say=CATALOGUE["waiting_for_approval"][1], value=None)
    functions = ", ".join(device.local.person.functions)
    say = f"This is {device.alias} of {device.agency} ({functions})."
    return Check(name="approved", ok=True, say=say, value={"agency": device.agency, "alias": device.alias})


def _pack(device: Device) -> Check:
    try:
        pack = device.local.trust.pack(device.now())
    except SlussError as wrong:
        return Check(name="pack", ok=False, say=f"{wrong.code}: {wrong.say}")
    return Check(name="pack", ok=True, say=f"{pack.id} is in force.", value=pack.id)


def _keys(device: Device) -> Check:
    lacking = missing(device.local)
    say = f"Sync when a colleague has: no key yet for {', '.join(lacking)}." if lacking else "Every key is here."
    return Check(name="keys", ok=not lacking, say=say, value=lacking)


def _scenes(device: Device) -> Check:
    count = len(device.scenes())
    say = f"{count} scenes are known." if count else "No scene is known; sync, or have a registrar register some."
    return Check(name="scenes", ok=count > 0, say=say, value=count)


def _contact(device: Device) -> Check:
    at = device.local.config.confirmed_at
    if not at:
        return Check(name="contact", ok=False, say="This device has never synced; run `sluss-device sync`.")
    pack = device.local.trust.pack(device.now())
    value = moment(at, pack).isoformat()
    recent = device.now() - at <= pack.parameters.lease_across_h * 3600
    say = (
        f"The last sync was at {value}."
        if recent
        else f"Sync: the last time was {value}, and other agencies' reports are locked."
    )
    return Check(name="contact", ok=recent, say=say, value=value)


def _clock(device: Device) -> Check:
    offset = device.local.config.offset
    ok = abs(offset) <= _CLOCK_OFF_S
    say = (
        f"The clock is {offset} s from the server's." if ok else f"Set the clock: it is {offset} s off, and corrected."
    )
    return Check(name="clock", ok=ok, say=say, value=offset)


def _alarms(device: Device) -> Check:
    found = Counter(code for _, code in device.local.alarms())
    said = ", ".join(f"{count} {code}" for code, count in sorted(found.items()))
    say = f"Tell a registrar: deliveries were kept out ({said})." if found else "Nothing had to be kept out."
    return Check(name="alarms", ok=not found, say=say, value=dict(sorted(found.items())))


def _waiting(device: Device) -> Check:
    waiting = device.waiting()
    found = Counter(row.reason for row in waiting if row.reason)
    value = {"waiting": len(waiting), "reasons": dict(sorted(found.items()))}
    if not found:
        return Check(name="outbox", ok=True, say=f"{len(waiting)} wait to be sent.", value=value)
    said = ", ".join(f"{count} {code}" for code, count in sorted(found.items()))
    say = f"See `sluss-device outbox`: {len(waiting)} wait, of which the server did not take {said}."
    return Check(name="outbox", ok=False, say=say, value=value)
