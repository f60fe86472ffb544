"""A directory's chain, written a second time from docs/protocol.md section 2 alone."""

from __future__ import annotations

from typing import Any, Final

from tests.vectors.second import primitives as p
from tests.vectors.second import wire

KINDS: Final = (
    "genesis",
    "scene",
    "root_rotate",
    "registrar_add",
    "registrar_remove",
    "person_add",
    "person_suspend",
    "device_add",
    "device_revoke",
    "audience_create",
    "member_add",
    "member_remove",
    "epoch",
    "shares",
    "pack",
    "peer",
    "instance",
    "custodian_set",
    "roster",
    "agreement",
    "agreement_end",
)
"""Kinds by number, from 1."""
ROOT_ONLY: Final = frozenset({"genesis", "root_rotate", "registrar_add", "registrar_remove"})
Signed = tuple[bytes, bytes, bytes]
"""Entry, signer's key id, signature."""


def enrolment_message(partnership: bytes, invite: bytes, sign_key: bytes, kem_key: bytes) -> bytes:
    return b"sluss/enrol" + partnership + invite + sign_key + kem_key


def signed(entry: bytes, seed: bytes) -> Signed:
    message = b"sluss/directory" + p.sha256(entry)
    return entry, p.kid(p.sign_public(seed)), p.sign(seed, message)


class Chain:
    """Entries that are being made."""

    def __init__(self, time: int) -> None:
        self.time = time
        self.entries: list[Signed] = []

    @property
    def hash(self) -> bytes:
        return p.sha256(self.entries[-1][0]) if self.entries else bytes(32)

    @property
    def agency(self) -> bytes:
        return p.sha256(self.entries[0][0])[:16]

    @property
    def head(self) -> tuple[bytes, int, bytes]:
        return self.agency, len(self.entries) - 1, self.hash

    def entry(self, does: str, body: list[Any], /, **wrong: Any) -> bytes:  # noqa: ANN401  # any value may be the wrong one
        """Return the bytes of the entry that would follow, with some of its fields replaced by name."""
        fields = {
            "format": 1,
            "seq": len(self.entries),
            "prev": self.hash,
            "kind": KINDS.index(does) + 1,
            "body": body,
            "time": self.time,
        }
        return wire.write(list({**fields, **wrong}.values()))

    def add(self, kind: str, body: list[Any], seed: bytes) -> None:
        self.entries.append(signed(self.entry(kind, body), seed))
        self.time += 60
