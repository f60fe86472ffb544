"""Inviting a colleague, or a colleague's next device, and letting in whoever comes with the code.

Refuses a device that cannot prove that it holds the code, and one to which nothing can be sealed.
Source: docs/protocol.md section 2.

> INVARIANT: an invitation's secret never leaves this device but in the code, so the server cannot enrol itself.
> INVARIANT: a code lets one device in.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.agency import founding, lifecycle
from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import Person
from sluss_schemas.ids import Function, PersonId, kid_of
from sluss_schemas.policy.model import Pack
from sluss_schemas.signing import verify

SPACE: Final = "invite"
_DAY_S: Final = 86_400
_DAYS: Final = 31
_RETRY_S: Final = 3_600


class Invite(msgspec.Struct, frozen=True, array_like=True):
    """What a registrar promised to whoever brings the code."""

    secret: bytes
    functions: tuple[Function, ...]
    scenes: tuple[int, ...] | None
    alias: str
    person: bytes
    expires_at: int
    used: bool = False

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Invite({self.alias})"


def promise(  # noqa: PLR0917  # what is promised
    local: Local, functions: Sequence[Function], scenes: Sequence[int] | None, alias: str | None, days: int, now: int
) -> tuple[bytes, Invite]:
    """Keep an invitation of somebody new; return its id and what it says.

    Raises:
        Invalid: `unknown_code` for a function, `out_of_range` for days or an alias in use.

    """
    own = local.trust.own
    for function in functions:
        if own.audience_for(function) is None:
            raise Invalid("unknown_code", "function", f"This agency has no {function!s}.")
    promised = [one for one in _invites(local) if not one.used and now < one.expires_at]
    taken = {one.alias for one in promised} | {person.alias for person in own.persons.values()}
    if alias is not None and alias in taken:
        raise Invalid("out_of_range", "alias", "Another person has this alias; choose a free one.")
    numbers = None if scenes is None else tuple(sorted(set(scenes)))
    person = PersonId(os.urandom(16))
    return _keep(local, tuple(sorted(set(functions))), numbers, alias or _next_alias(local), person, days, now)


def promise_again(local: Local, person: Person, days: int, now: int) -> tuple[bytes, Invite]:
    """Keep an invitation of another device for somebody who is there: functions, scenes and history are the person's.

    Raises:
        Invalid: `out_of_range` for days.

    """
    scenes = None if person.scenes is None else tuple(sorted(person.scenes))
    return _keep(local, person.functions, scenes, person.alias, person.person, days, now)


def _keep(  # noqa: PLR0917  # as above
    local: Local,
    functions: tuple[Function, ...],
    scenes: tuple[int, ...] | None,
    alias: str,
    person: PersonId,
    days: int,
    now: int,
) -> tuple[bytes, Invite]:
    if not 1 <= days <= _DAYS:
        raise Invalid("out_of_range", "days", f"An invitation lasts 1 to {_DAYS} days.")
    # An hour less than the longest, for clocks that differ.
    ends = now + days * _DAY_S - (_RETRY_S if days == _DAYS else 0)
    invite = Invite(crypto.random_key()[:16], functions, scenes, alias, person, ends)
    invite_id = os.urandom(16)
    local.store.put(SPACE, invite_id, msgspec.msgpack.encode(invite))
    return invite_id, invite


def _invites(local: Local) -> list[Invite]:
    return [msgspec.msgpack.decode(data, type=Invite) for _, data in local.store.items(SPACE)]


def _next_alias(local: Local) -> str:
    own = local.trust.own
    taken = {person.alias for person in own.persons.values()} | {one.alias for one in _invites(local)}
    number = 1
    while f"{founding.ALIASES[own.sector]}-{number}" in taken:
        number += 1
    return f"{founding.ALIASES[own.sector]}-{number}"


def find(local: Local, enrolment: membership.Enrolment, now: int) -> Invite | None:
    """Return the invitation that a request was made with, if it is genuine and the code can still be used."""
    data = local.store.get(SPACE, enrolment.invite)
    if data is None:
        return None
    invite = msgspec.msgpack.decode(data, type=Invite)
    message = d.enrolment_message(local.config.partnership, enrolment.invite, enrolment.sign_key, enrolment.kem_key)
    # A key that nothing can be sealed to would stop every epoch that its device belongs to.
    if invite.used or now >= invite.expires_at or not crypto.usable(enrolment.kem_key):
        return None
    if not hmac.compare_digest(crypto.mac(invite.secret, message), enrolment.mac):
        return None
    try:
        verify(enrolment.sign_key, enrolment.signature, message)
    except Invalid:
        return None
    return invite


def admit(local: Local, enrolment: membership.Enrolment, invite: Invite, pack: Pack, now: int) -> list[d.Body]:
    """Return the entries that let a device in, with the person's history or as the pack says for newcomers.

    Raises:
        Invalid: `not_allowed` for somebody who is suspended, or whose last day has passed.

    """
    own, kid = local.trust.own, kid_of(enrolment.sign_key)
    person = own.persons.get(PersonId(invite.person))
    functions = invite.functions if person is None else person.functions
    bodies: list[d.Body] = []
    if person is None:
        bodies.append(d.PersonAdd(invite.person, invite.alias, invite.functions, invite.scenes, None))
    elif not person.active(now):
        # Who has left since they were invited comes back only when a registrar says so.
        raise Invalid("not_allowed", "person")
    bodies.append(
        d.DeviceAdd(invite.person, enrolment.invite, enrolment.sign_key, enrolment.kem_key, enrolment.signature)
    )
    return bodies + lifecycle.joins(own, kid, PersonId(invite.person), functions, pack)


def use(local: Local, invite_id: bytes, invite: Invite) -> None:
    """Note that a code was used."""
    local.store.put(SPACE, invite_id, msgspec.msgpack.encode(msgspec.structs.replace(invite, used=True)))
