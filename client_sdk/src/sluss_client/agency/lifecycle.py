"""What happens to people, as entries of the directory: they join, change, leave, lose a telephone.

Directory in, entries out: no network, no store, no key.
Source: docs/protocol.md sections 1 and 2.

> INVARIANT: somebody who leaves loses every device and every audience in the same append.
> INVARIANT: no act here leaves an agency without a registrar who may act.
> INVARIANT: `resume` alone gives a suspended person's rights back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from sluss_client.errors import Invalid
from sluss_schemas import directory as d
from sluss_schemas.agency import Audience, Device, Person
from sluss_schemas.ids import Function, Kid, PersonId
from sluss_schemas.policy.model import Pack
from sluss_schemas.replay import Directory

_PREFIX: Final = 6
"""Digits of a device's id, at least, by which it is named."""
OVER: Final = "Their last day has passed; give another with `change --until` first."

Reason = Literal["lost", "stolen", "left", "replaced"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What changes about a person; None leaves it as it is, `all_scenes` ends a list of scenes."""

    functions: tuple[Function, ...] | None = None
    scenes: tuple[int, ...] | None = None
    all_scenes: bool = False
    valid_until: int | None = None


def person_of(own: Directory, alias: str) -> Person:
    """Return the person with an alias.

    Raises:
        Invalid: `unknown_alias`.

    """
    found = next((one for one in own.persons.values() if one.alias == alias), None)
    if found is None:
        raise Invalid("unknown_alias", "alias")
    return found


def devices_of(own: Directory, person: PersonId) -> list[Device]:
    """Return a person's devices that are not revoked."""
    return [one for one in own.devices.values() if one.person == person and one.revoked_at is None]


def device_of(own: Directory, whom: str) -> Device:
    """Return the one device of an alias, or the one whose id begins so, with six digits at least.

    Raises:
        Invalid: `unknown_alias`; `out_of_range` where several are meant.

    """
    person = next((one for one in own.persons.values() if one.alias == whom), None)
    found: list[Device] = []
    if person is not None:
        found = devices_of(own, person.person)
        if not found:
            raise Invalid("unknown_alias", "alias", "Every device of this person was revoked; see `people --all`.")
    elif len(whom) >= _PREFIX:
        # A shorter one may be an alias with a slip in it.
        found = [
            one for one in own.devices.values() if one.kid.hex().startswith(whom.lower()) and one.revoked_at is None
        ]
    if not found:
        raise Invalid("unknown_alias", "alias")
    if len(found) > 1:
        raise Invalid("out_of_range", "alias", "Several devices are meant; name one by the beginning of its id.")
    return found[0]


def joins(own: Directory, device: Kid, person: PersonId, functions: Iterable[Function], pack: Pack) -> list[d.Body]:
    """Return the memberships of a device: with the history that its person had, or else as the pack says."""
    bodies: list[d.Body] = []
    for function in sorted(functions):
        audience = own.audience_for(function)
        if audience is not None:
            bodies.append(d.MemberAdd(audience.audience, device, _first(audience, person, pack)))
    return bodies


def _first(audience: Audience, person: PersonId, pack: Pack) -> int:
    if person in audience.history:
        return audience.history[person]
    whole = pack.parameters.history.get(audience.function) == "full"
    return 1 if whole or not audience.epochs else len(audience.epochs) + 1


def revoke(own: Directory, whom: str, reason: Reason, now: int) -> list[d.Body]:
    """Return the entry that revokes one device."""
    device = device_of(own, whom)
    leaves_a_registrar(own, {device.kid}, now)
    return [d.DeviceRevoke(device.kid, reason)]


def leave(own: Directory, alias: str, now: int) -> list[d.Body]:
    """Return the entries by which somebody leaves: every device revoked, the person suspended."""
    person = person_of(own, alias)
    devices = devices_of(own, person.person)
    leaves_a_registrar(own, {one.kid for one in devices}, now)
    return [*(d.DeviceRevoke(one.kid, "left") for one in devices), d.PersonSuspend(person.person)]


def suspend(own: Directory, alias: str, now: int) -> list[d.Body]:
    """Return the entry that takes a person's rights away; their devices stay enrolled."""
    person = person_of(own, alias)
    leaves_a_registrar(own, {one.kid for one in devices_of(own, person.person)}, now)
    return [d.PersonSuspend(person.person)]


def resume(own: Directory, alias: str, pack: Pack, now: int) -> list[d.Body]:
    """Return the entries by which a suspended person is back, with the history of a newcomer."""
    person = person_of(own, alias)
    if _over(person.valid_until, now):
        raise Invalid("out_of_range", "until", OVER)
    bodies: list[d.Body] = [_entry(person, person.functions)]
    for device in devices_of(own, person.person):
        bodies += joins(own, device.kid, person.person, person.functions, pack)
    return bodies


def change(own: Directory, alias: str, to: Change, pack: Pack, now: int) -> list[d.Body]:
    """Return the entries that change a person's functions, scenes or end; audiences follow the functions."""
    person = person_of(own, alias)
    devices = devices_of(own, person.person)
    functions = person.functions if to.functions is None else tuple(sorted(set(to.functions)))
    for function in functions:
        if own.audience_for(function) is None:
            raise Invalid("unknown_code", "function", f"This agency has no {function!s}.")
    entry = _entry(person, functions)
    if to.scenes is not None or to.all_scenes:
        entry = msgspec.structs.replace(entry, scenes=None if to.all_scenes else to.scenes)
    if to.valid_until is not None:
        leaves_a_registrar(own, {one.kid for one in devices}, max(now, to.valid_until))
        entry = msgspec.structs.replace(entry, valid_until=to.valid_until)
    if person.suspended:
        # The entry alone would end the suspension.
        return [entry, d.PersonSuspend(person.person)]
    if _over(entry.valid_until, now):
        return [entry]
    bodies: list[d.Body] = [entry]
    for device in devices:
        # Not the functions that are new alone: whose last day had passed is in no audience any more.
        bodies += joins(own, device.kid, person.person, _missing(own, device.kid, functions), pack)
    return bodies


def expired(own: Directory, now: int) -> list[d.Body]:
    """Return the entries that end the memberships of persons whose time is over."""
    return [
        d.MemberRemove(audience.audience, kid)
        for audience in own.audiences.values()
        for kid in sorted(audience.members)
        if not own.persons[own.devices[kid].person].active(now)
    ]


def custodians(own: Directory, whom: Sequence[str]) -> list[d.Body]:
    """Return the entry that names three custodians, by alias or by the beginning of a device's id."""
    if len(whom) != d.CUSTODIANS:
        raise Invalid("out_of_range", "custodians", "Name three custodians.")
    return [d.CustodianSet(tuple(device_of(own, one).kid for one in whom))]


def _entry(person: Person, functions: tuple[Function, ...]) -> d.PersonAdd:
    scenes = None if person.scenes is None else tuple(sorted(person.scenes))
    return d.PersonAdd(person.person, person.alias, functions, scenes, person.valid_until)


def _missing(own: Directory, device: Kid, functions: Iterable[Function]) -> list[Function]:
    """Return the functions whose audiences a device is not in."""
    member = {one.function for one in own.audiences.values() if device in one.members}
    return [function for function in functions if function not in member]


def _over(valid_until: int | None, now: int) -> bool:
    return valid_until is not None and now >= valid_until


def leaves_a_registrar(own: Directory, gone: set[Kid], at: int) -> None:
    """Return quietly unless these devices are the last registrars' that may act at this time.

    Raises:
        Invalid: `last_registrar`.

    """
    stays = any(own.device_active(kid, at) for kid in own.registrars.keys() - gone)
    if not stays and not gone.isdisjoint(own.registrars):
        raise Invalid("last_registrar", "alias")
