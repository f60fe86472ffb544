"""What every seal is made with: who seals and when, for whom, and what goes instead of a section that says too much.

Other agencies get a full author section by a duty or a decision alone, and never what lies beside the author: the place
of a report that tells its scene alone, what it quotes, and why it is kept back.
Source: docs/protocol.md sections 3 and 4.

> INVARIANT: what stands in for a section has a key of its own, under its grant's id, so the section stays closed.
> INVARIANT: who decided leaves the device sealed to the own supervisors, or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sluss_client import crypto
from sluss_client.crypto import SignKey
from sluss_client.keys import DeviceKeys
from sluss_client.sections import AuthorSection, in_excerpt
from sluss_client.trust import Trust
from sluss_schemas import disclosure, manifest
from sluss_schemas.agency import Person
from sluss_schemas.codec import encode
from sluss_schemas.ids import Digest, GrantId, Kid, slots_of
from sluss_schemas.policy.model import Pack

_DECIDER_LABEL: Final = b"sluss/decider"


@dataclass(frozen=True, slots=True)
class Author:
    """Who files, with which device, in which function, and the group key that signs for them.

    `count_key` and `name` are the roster's, or nothing while no roster has reached this device.
    """

    person: Person
    function: str
    device: DeviceKeys
    group: SignKey
    count_key: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a sealing is made with: its author, the directories and the pack as they are now, and the time."""

    author: Author
    trust: Trust
    pack: Pack
    now: int


@dataclass(frozen=True, slots=True)
class Target:
    """One recipient of a seal: its key, and the slots that it gets."""

    kid: Kid
    public: bytes
    bitmap: int


def sealed_for(
    digest: Digest, target: Target, secret: bytes, keys: Mapping[int, bytes], grant_id: GrantId
) -> disclosure.Sealed:
    """Seal a recipient's secret to their key, and wrap under it the section keys that they get."""
    message = secret + target.bitmap.to_bytes(2, "big")
    return disclosure.Sealed(
        target.kid,
        crypto.seal(target.public, manifest.seal_info(digest, target.kid, grant_id), message),
        tuple(
            disclosure.Wrap(number, crypto.wrap(secret, manifest.wrap_info(digest, number, grant_id), keys[number]))
            for number in slots_of(target.bitmap)
        ),
    )


def decider_for(name: Digest, moment: Moment) -> bytes:
    """Seal who decided, and their device's signature, to the own supervisors."""
    author, supervisors = moment.author, moment.trust.own.audience_for("supervisors")
    if supervisors is None or supervisors.recipient is None or not crypto.usable(supervisors.recipient.kem_key):
        return b""
    decider = encode((author.person.person, author.device.kid, author.device.sign.sign(name)))
    return crypto.seal(supervisors.recipient.kem_key, _DECIDER_LABEL + name, decider)


def alone(section: AuthorSection, name: str) -> bytes:
    """Return the plaintext of an author section with the author's name and nothing else beside the author."""
    return in_excerpt(section, None, name)


def excerpts(
    digest: Digest, grant_id: GrantId, plain: Mapping[int, bytes]
) -> tuple[dict[int, bytes], tuple[disclosure.Section, ...]]:
    """Encrypt what stands in for sections, by slot; return the fresh keys, and the excerpts in order."""
    keys = {number: crypto.random_key() for number in sorted(plain)}
    cut = (
        (number, crypto.encrypt_section(key, disclosure.excerpt_context(digest, grant_id, number), plain[number]))
        for number, key in keys.items()
    )
    return keys, tuple(disclosure.Section(number, section) for number, section in cut)


def named(cut: tuple[disclosure.Section, ...]) -> tuple[disclosure.Excerpt, ...]:
    """Return excerpts as their grant names them."""
    return tuple(disclosure.Excerpt(one.slot, hashlib.sha256(one.section).digest()) for one in cut)
