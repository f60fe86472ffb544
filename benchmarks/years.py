"""What years do to an agency's directory: entries as a registrar would sign them, with real keys.

Colleagues join until the audience is full; from then on with each who joins somebody leaves, a new epoch is opened for
exactly those who are there, and a roster follows.
The secrets behind the keys are thrown away: nothing is sealed to them.

> INVARIANT: every entry can be appended where it stands, and every key is one of its kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from sluss_client.crypto import KemKey, SignKey, random_key
from sluss_client.keys import DeviceKeys, DeviceSeeds
from sluss_schemas import directory as d
from sluss_schemas import manifest
from sluss_schemas.agency import Audience
from sluss_schemas.ids import Kid
from sluss_schemas.replay import Directory

_NO_WRAPS: Final = bytes(32)


def joining(directory: Directory, audience: Audience) -> tuple[bytes, Kid, list[d.Body]]:
    """Return a new colleague's id, device and entries; they read what there is."""
    if directory.genesis is None:
        say = "nobody joins an agency that is not founded"
        raise ValueError(say)
    keys, person, invite = DeviceKeys.of(DeviceSeeds.new()), os.urandom(16), os.urandom(16)
    message = d.enrolment_message(directory.genesis.partnership, invite, keys.sign.public, keys.kem.public)
    return (
        person,
        keys.kid,
        [
            d.PersonAdd(person, f"N-{person.hex()[:12]}", (audience.function,), None, None),
            d.DeviceAdd(person, invite, keys.sign.public, keys.kem.public, keys.sign.sign(message)),
            d.MemberAdd(audience.audience, keys.kid, 1),
        ],
    )


def passing(directory: Directory, audience: Audience, members: int) -> Iterator[d.Body]:
    """Yield entries without end, from an agency as it is now; after the first years the audience has `members`."""
    number = len(audience.epochs)
    there = [(bytes(directory.devices[kid].person), kid) for kid in audience.members]
    while True:
        person, kid, entries = joining(directory, audience)
        yield from entries
        there.append((person, kid))
        if len(there) <= members:
            continue
        # The first is the registrar, who stays.
        person, kid = there.pop(1)
        yield d.DeviceRevoke(kid, "left")
        yield d.PersonSuspend(person)
        number += 1
        kem, sign = KemKey(random_key()).public, SignKey(random_key()).public
        yield d.Epoch(
            audience.audience, number, manifest.SUITE, kem, sign, _NO_WRAPS, tuple(sorted(kid for _, kid in there))
        )
        yield d.Roster(os.urandom(32))
