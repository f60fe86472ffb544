"""Notes for an auditor: that this account of this agency is the person of that code, sealed to the auditor alone.

Who leaves one agency and begins at another is another person in each directory, and nothing connects the two.
Each registrar writes a note of one code: the code goes from hand to hand, the notes go to the auditor as files.
Refuses: a note for somebody whom the directory does not have, and one that is not signed as it says.
Source: docs/protocol.md section 7, "Notes for an auditor"; docs/operating.md.

> INVARIANT: neither code nor note is kept on the device or sent to the server, and whoever lacks the auditor's key sees
> nothing that two notes of one code have in common.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from sluss_client import crypto
from sluss_client.agency import lifecycle
from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_schemas import spoken
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import kid_of
from sluss_schemas.manifest import U8, Bytes32, Bytes64, Id16, UnixTime
from sluss_schemas.signing import verify

FORMAT: Final = 1
SIGN_LABEL: Final = b"sluss/audit/note"
SEAL_LABEL: Final = b"sluss/audit/seal"
CODE: Final = "SLUSSPERSON1"
NOTE: Final = "SLUSSNOTE1"
PUBLIC: Final = "SLUSSAUDITOR1"
PRIVATE: Final = "SLUSSAUDITKEY1"
_CODE_BYTES: Final = 16
_LINE: Final = 64


class Said(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a note says: that a person of an agency is whoever the code is of."""

    format: U8
    partnership: Id16
    agency: Id16
    slug: Annotated[str, Meta(max_length=64)]
    person: Id16
    alias: Annotated[str, Meta(max_length=64)]
    code: Id16
    time: UnixTime


class Signed(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a note says, with the registrar's device that signed it."""

    said: Annotated[bytes, Meta(max_length=1024)]
    key: Bytes32
    signature: Bytes64

    @property
    def device(self) -> bytes:
        """The id of the device that signed."""
        return kid_of(self.key)


# the auditor's key


def new_key() -> tuple[str, str]:
    """Return an auditor's new key as two texts: the private one, which stays, and the public one, for registrars."""
    seed = crypto.random_key()
    return spoken.write(PRIVATE, seed), spoken.write(PUBLIC, crypto.KemKey(seed).public)


# writing a note


def note(local: Local, alias: str, auditor: str, code: str | None, now: int) -> tuple[str, str]:
    """Return a person's code, a new one if none is given, and the note that is sealed to the auditor's public key.

    Raises:
        Invalid: `unknown_alias`, `damaged_code` for the code or the auditor's key.

    """
    own = local.trust.own
    person, public = lifecycle.person_of(own, alias), spoken.read(PUBLIC, auditor)
    if not crypto.usable(public):
        raise Invalid("damaged_code", "auditor")
    secret = os.urandom(_CODE_BYTES) if code is None else spoken.read(CODE, code)
    if len(secret) != _CODE_BYTES:
        raise Invalid("damaged_code", "code")
    config = local.config
    said = encode(Said(FORMAT, config.partnership, own.agency, own.slug, person.person, alias, secret, now))
    signed = encode(Signed(said, local.keys.sign.public, local.keys.sign.sign(_message(said))))
    sealed = crypto.seal(public, SEAL_LABEL, crypto.pad(signed))
    return spoken.write(CODE, secret), spoken.write(NOTE, sealed, size=_LINE, between="\n")


# joining notes


def opened(private: str, text: str) -> tuple[Said, bytes]:
    """Return what a note says, and the device that signed it.

    Raises:
        Invalid: `damaged_code` for the key; `bad_signature`, `malformed` for a note that is none, or for somebody else.

    """
    seed = spoken.read(PRIVATE, private)
    if len(seed) != crypto.KEY_BYTES:
        raise Invalid("damaged_code", "key")
    try:
        plain = crypto.unpad(crypto.KemKey(seed).open(spoken.read(NOTE, text), SEAL_LABEL))
    except crypto.CannotOpen:
        raise Invalid("malformed", "note", "This note is sealed to another auditor, or is damaged.") from None
    signed = decode(Signed, plain, "note")
    verify(signed.key, signed.signature, _message(signed.said), "note")
    return decode(Said, signed.said, "note"), signed.device


def joined(notes: Iterable[tuple[Said, bytes]]) -> list[list[tuple[Said, bytes]]]:
    """Return the notes of each code that names more than one account, the oldest first."""
    found: dict[tuple[bytes, bytes], dict[tuple[bytes, bytes], tuple[Said, bytes]]] = {}
    for said, device in notes:
        accounts = found.setdefault((said.partnership, said.code), {})
        accounts.setdefault((said.agency, said.person), (said, device))
    same = [sorted(accounts.values(), key=lambda one: one[0].time) for accounts in found.values() if len(accounts) > 1]
    return sorted(same, key=lambda one: one[0][0].time)


def _message(said: bytes) -> bytes:
    return SIGN_LABEL + hashlib.sha256(said).digest()
