"""Founding an agency, and announcing a new device: what is made from a code and a device's fresh keys.

Source: docs/protocol.md section 2.

> INVARIANT: the root's keys are made on the founding device and signed with there; they belong into two safes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.agency.chain import Chain
from sluss_client.crypto import SignKey
from sluss_client.errors import Invalid
from sluss_client.keys import DeviceKeys
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import FUNCTIONS, Function, Sector
from sluss_schemas.invitation import Code
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.policy.pack import builtin
from sluss_schemas.replay import Directory

ALIASES: Final[dict[Sector, str]] = {"POL": "P", "SOC": "F", "SEC": "S", "MUN": "K", "HLT": "H"}
_LABELS: Final[dict[Sector, tuple[str, str]]] = {
    "POL": ("Police", "Polisen"),
    "SOC": ("Social services", "Socialtjänsten"),
    "SEC": ("Security", "Ordningsvakterna"),
    "MUN": ("Municipality", "Kommunen"),
    "HLT": ("Health", "Hälso- och sjukvården"),
}


class Founded(msgspec.Struct, frozen=True):
    """A new agency: its first entries, its id and root fingerprint, and the seeds that go into the safes."""

    entries: tuple[d.SignedEntry, ...]
    agency: bytes
    root: bytes
    root_seed: bytes
    next_root_seed: bytes

    def __repr__(self) -> str:
        """Show no key."""
        return f"Founded(agency={self.agency.hex()})"


def found(code: Code, keys: DeviceKeys, functions: Sequence[Function], now: int) -> Founded:
    """Make an agency's first entries on its founding device: root, registrar, audiences, this person and device."""
    if code.founding is None:
        raise Invalid("damaged_code", "code", "This code invites a colleague; it founds no agency.")
    slug, sector, registry, checkpoint = code.founding
    root_seed, next_seed = crypto.random_key(), crypto.random_key()
    root, registrar = SignKey(root_seed), keys.sign
    chain = Chain(Directory())
    english, swedish = _LABELS[sector]
    committed = hashlib.sha256(SignKey(next_seed).public).digest()
    chain.add(
        d.Genesis(code.partnership, slug, sector, english, swedish, registry, root.public, committed, checkpoint),
        root,
        now,
    )
    chain.add(d.RegistrarAdd(registrar.public), root, now)
    packs = builtin()
    # The older ones too: what was due on the day of an event, the pack of that day says.
    for pack in packs:
        chain.add(d.PackInForce(pack.digest, day_number(pack.valid_from)), registrar, now)
    received = {gateway.receiver_function for gateway in packs[-1].gateways.values() if sector in gateway.receivers}
    for function in FUNCTIONS:
        if function != "reception" or function in received:
            chain.add(d.AudienceCreate(os.urandom(16), function), registrar, now)
    person = os.urandom(16)
    chain.add(d.PersonAdd(person, f"{ALIASES[sector]}-1", tuple(sorted(functions)), None, None), registrar, now)
    message = d.enrolment_message(code.partnership, code.invite, keys.sign.public, keys.kem.public)
    device = d.DeviceAdd(person, code.invite, keys.sign.public, keys.kem.public, keys.sign.sign(message))
    chain.add(device, registrar, now)
    for function in sorted(functions):
        audience = chain.directory.audience_for(function)
        if audience is not None:
            chain.add(d.MemberAdd(audience.audience, keys.kid, 1), registrar, now)
    directory = chain.directory
    return Founded(tuple(chain.entries), directory.agency, directory.root_fingerprint, root_seed, next_seed)


def founding_mac(code: Code, entries: Sequence[d.SignedEntry]) -> bytes:
    """Return the proof that the founder holds the founding code."""
    return crypto.mac(code.secret, hashlib.sha256(b"".join(entry.entry for entry in entries)).digest())


def enrolment_of(code: Code, keys: DeviceKeys) -> membership.Enrolment:
    """Return what a new device posts: its public keys, its own signature, and the proof that it holds the code."""
    message = d.enrolment_message(code.partnership, code.invite, keys.sign.public, keys.kem.public)
    return membership.Enrolment(
        code.partnership,
        code.invite,
        keys.sign.public,
        keys.kem.public,
        keys.sign.sign(message),
        crypto.mac(code.secret, message),
    )
