"""What the doctor looks at: one check for each thing that may be wrong with a device, its keys or its agency.

A check that only a registrar can mend fails on a registrar's device alone; elsewhere it says what is there.

> INVARIANT: a check that fails says what to do.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from sluss_client import alarms
from sluss_client.agency.agreements import WARN_DAYS
from sluss_client.agency.registrar import root_seeds
from sluss_client.device import Device
from sluss_client.errors import Refused, SlussError
from sluss_client.keyring.keyshare import AudienceState, missing, state
from sluss_client.syncing import notes
from sluss_client.views import moment
from sluss_schemas.problems import CATALOGUE
from sluss_schemas.replay import Directory

_FREE_BYTES: Final = 100 * 2**20
"""Less than this and a shift's reports and photographs may not fit."""
_CLOCK_OFF_S: Final = 300
"""What the server allows; more is corrected with every answer, and means that the clock should be set."""
_REGISTRARS: Final = 2
_FINGERPRINT_DIGITS: Final = 16
_SOON_S: Final = 12 * 3600
"""A task that is due within half a day is named; one that is over fails the check."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: whether it holds, what to do or what was found, and the bare value."""

    name: str
    ok: bool
    say: str
    value: Any = None


def examine(device: Device) -> list[Check]:
    """Make every check that this device is far enough for."""
    try:
        local = device.local
    except Refused as refusal:
        return [Check(name="wiped", ok=False, say=refusal.say, value=len(device.waiting()))]
    checks = [_store(device), _disk(device), _enrolled(device)]
    if not local.approved:
        return checks
    return [*checks, *(check(device) for check in _CHECKS)]


def _store(device: Device) -> Check:
    whole = device.local.store.check()
    say = "The store opens, and every row in it." if whole else CATALOGUE["store_damaged"][1]
    return Check(name="store", ok=whole, say=say, value=str(device.path))


def _disk(device: Device) -> Check:
    free = shutil.disk_usage(device.path.parent).free
    ok = free >= _FREE_BYTES
    say = f"{free // 2**20} MiB are free." if ok else f"Free some space: {free // 2**20} MiB are left."
    return Check(name="disk", ok=ok, say=say, value=free)


def _enrolled(device: Device) -> Check:
    if device.local.store.count("announcement"):
        say = "Nobody answered yet: enrol again with the same code and passphrase at the same path."
        return Check(name="approved", ok=False, say=say, value=None)
    if not device.approved:
        return Check(name="approved", ok=False, say=CATALOGUE["waiting_for_approval"][1], value=None)
    functions = ", ".join(device.functions) or "no function"
    say = f"This is {device.alias} of {device.agency} ({functions})."
    return Check(name="approved", ok=True, say=say, value={"agency": device.agency, "alias": device.alias})


def _pack(device: Device) -> Check:
    try:
        pack = device.pack
    except SlussError as wrong:
        return Check(name="pack", ok=False, say=f"{wrong.code}: {wrong.say}")
    if pack.stands_in:
        return Check(name="pack", ok=False, say=CATALOGUE["pack_missing"][1], value=None)
    return Check(name="pack", ok=True, say=f"{pack.id} is in force.", value=pack.id)


def _keys(device: Device) -> Check:
    lacking = missing(device.local)
    say = f"Sync when a colleague has: no key yet for {', '.join(lacking)}." if lacking else "Every key is here."
    return Check(name="keys", ok=not lacking, say=say, value=lacking)


def _rotation(device: Device) -> Check:
    """Say what the next syncs do by themselves; nobody has to do anything else."""
    found = state(device.local, device.now())
    said = [said for one in found if (said := _of_audience(one))]
    say = "; ".join(said) or "No key has to be renewed or passed on."
    return Check(name="rotation", ok=True, say=say, value=msgspec.to_builtins(found))


def _of_audience(one: AudienceState) -> str:
    parts = [
        "a new key is due, at the next syncs of a member and of a registrar" if one.rotation_due else "",
        f"{one.waiting} wait for it" if one.waiting else "",
        f"{one.lacking} earlier keys are not here yet" if one.lacking else "",
        f"{one.not_split} keys are to be split for the custodians" if one.not_split else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"{one.function}: {said}" if said else ""


def _scenes(device: Device) -> Check:
    count = len(device.scenes())
    say = f"{count} scenes are known." if count else "No scene is known; sync, or have a registrar register some."
    return Check(name="scenes", ok=count > 0, say=say, value=count)


def _contact(device: Device) -> Check:
    at = device.local.config.confirmed_at
    if not at:
        return Check(name="contact", ok=False, say="This device has never synced; run `sluss-device sync`.")
    pack = device.pack
    value = moment(at, pack).isoformat()
    recent = not device.local.lapsed(pack.parameters.lease_across_h * 3600, device.now())
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


def fingerprint(chain: Directory) -> str:
    """Return the end of a chain as four groups that can be read aloud; equal numbers must have equal groups."""
    digits = chain.hash.hex()[:_FINGERPRINT_DIGITS]
    return " ".join(digits[at : at + 4] for at in range(0, _FINGERPRINT_DIGITS, 4))


def _directory(device: Device) -> Check:
    chains = device.local.trust.agencies(device.now())
    value = {chain.slug: {"entries": chain.seq + 1, "fingerprint": fingerprint(chain)} for chain in chains}
    said = "; ".join(f"{slug} {one['entries']}: {one['fingerprint']}" for slug, one in value.items())
    say = f"{said}. Where a colleague's device has the same number, the letters are the same."
    return Check(name="directory", ok=True, say=say, value=value)


def _registrars(device: Device) -> Check:
    own = device.local.trust.own
    names = sorted(own.persons[own.devices[kid].person].alias for kid in own.registrars if kid in own.devices)
    ok = len(names) >= _REGISTRARS or not _registers(device)
    say = f"Registrars: {', '.join(names) or 'nobody'}."
    if len(names) < _REGISTRARS:
        say += " Name a second one with `registrar add`: one who is gone cannot be replaced without the root key."
    return Check(name="registrars", ok=ok, say=say, value=names)


def _root(device: Device) -> Check:
    here = root_seeds(device.local) is not None
    say = "No root key is on this device."
    if here:
        say = "The root keys are on this device: run `root show`, put both into two safes, and forget them here."
    return Check(name="root", ok=not here, say=say, value=here)


def _custodians(device: Device) -> Check:
    found = device.custody.custodians()
    gone = [one.alias for one in found if not one.active]
    split = [one.split for one in device.custody.splits()]
    value = {"custodians": [one.alias for one in found], "gone": gone, "not_split": split.count(False)}
    if not found:
        say = "No custodians: name three with `custodians`, or keys that everybody has lost stay lost."
    elif gone:
        say = f"Name others with `custodians`: {', '.join(gone)} cannot help any more."
    elif not all(split):
        say = f"{split.count(False)} of {len(split)} keys are not split yet; syncs of a member and a registrar do it."
    else:
        say = f"{', '.join(one.alias for one in found)} can recover every key; rehearse it with `recover --drill`."
    return Check(name="custodians", ok=bool(found and not gone) or not _registers(device), say=say, value=value)


def _agreements(device: Device) -> Check:
    """Remind of what ends soon whoever looks at this device; a supervisor's has to see to it in the last week."""
    ending = device.agreements.ending()
    said = [f"{row.id[:8]} ends in {row.days_left} days and is looked after by {row.owner}" for row in ending]
    say = f"{'; '.join(said)}: renew it, or let it end." if said else "No agreement ends within 30 days."
    near = any(row.warns != max(WARN_DAYS) for row in ending)
    value = [{"id": row.id, "owner": row.owner, "days_left": row.days_left, "warns": row.warns} for row in ending]
    return Check(name="agreements", ok=not (near and "supervisors" in device.functions), say=say, value=value)


def _registers(device: Device) -> bool:
    return device.local.keys.kid in device.local.trust.own.registrars


def _server(device: Device) -> Check:
    waits = notes.says_restored(device.local)
    say = "The server is the one that the agency knows."
    if waits:
        say = CATALOGUE["restoring"][1]
    return Check(name="server", ok=not waits, say=say, value=device.local.server_instance().hex())


def _alarms(device: Device) -> Check:
    found = Counter(code for _, code in device.local.alarms())
    said = [f"{count} {code}: {_sentence(code)}" for code, count in sorted(found.items())]
    say = " ".join(said) or "Nothing had to be kept out."
    return Check(name="alarms", ok=not found, say=say, value=dict(sorted(found.items())))


def _sentence(code: str) -> str:
    known = code not in alarms.ALARMS and code in CATALOGUE
    return CATALOGUE[code][1] if known else alarms.say(code)


def _tasks(device: Device) -> Check:
    """Name what is due soon and what is overdue: what it is called, and until when."""
    now, pack = device.now(), device.pack
    due = [one for one in device.tasks() if one.state != "done" and one.until <= now + _SOON_S]
    over = [one for one in due if one.state == "overdue"]
    verb = {True: "was", False: "is"}
    said = [f"{one.code} {one.name} {verb[one in over]} due at {moment(one.until, pack).isoformat()}" for one in due]
    say = f"See `sluss-device tasks`: {'; '.join(said)}." if said else "No task is due within 12 hours."
    value = [{"code": one.code, "until": one.until, "state": one.state} for one in due]
    return Check(name="tasks", ok=not over, say=say, value=value)


def _waiting(device: Device) -> Check:
    waiting = device.waiting()
    found = Counter(row.reason for row in waiting if row.reason)
    value = {"waiting": len(waiting), "reasons": dict(sorted(found.items()))}
    if not found:
        return Check(name="outbox", ok=True, say=f"{len(waiting)} wait to be sent.", value=value)
    said = ", ".join(f"{count} {code}" for code, count in sorted(found.items()))
    say = f"See `sluss-device outbox`: {len(waiting)} wait, of which the server did not take {said}."
    return Check(name="outbox", ok=False, say=say, value=value)


_CHECKS: Final[tuple[Callable[[Device], Check], ...]] = (
    _pack,
    _keys,
    _rotation,
    _scenes,
    _contact,
    _clock,
    _directory,
    _registrars,
    _root,
    _custodians,
    _agreements,
    _server,
    _tasks,
    _alarms,
    _waiting,
)
