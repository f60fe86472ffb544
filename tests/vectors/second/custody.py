"""Shares, proposals and rosters, written and read a second time from docs/protocol.md sections 1 and 2 alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.vectors.second import primitives as p
from tests.vectors.second import wire


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


# shares


def split(secret: bytes, p01: bytes, p02: bytes, p12: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the three shares of a secret."""
    q01, q02, q12 = (_xor(secret, pad) for pad in (p01, p02, p12))
    return p01 + p02, q01 + p12, q02 + q12


def combine(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret from the shares of two custodians, by their numbers."""
    halves = {number: (share[:32], share[32:]) for number, share in shares.items()}
    if 2 not in halves:
        return _xor(halves[0][0], halves[1][0])
    return _xor(halves[0][1], halves[2][0]) if 0 in halves else _xor(halves[1][1], halves[2][1])


def share_info(agency: bytes, audience: bytes, epoch: int, custodian: bytes, device: bytes) -> bytes:
    return b"sluss/share" + agency + audience + epoch.to_bytes(4, "big") + custodian + device


def proposal_message(label: bytes, array: list[Any]) -> bytes:
    """Return what the maker of an epoch or of a split signs; the signature is the array's last field."""
    return label + p.sha256(wire.write([*array[:-1], bytes(64)]))


def proposed_epoch(array: list[Any], seed: bytes) -> list[Any]:
    return [*array, p.sign(seed, proposal_message(b"sluss/proposal", [*array, b""]))]


def proposed_split(array: list[Any], seed: bytes) -> list[Any]:
    return [*array, p.sign(seed, proposal_message(b"sluss/split", [*array, b""]))]


# rosters


def roster_info(agency: bytes, kid: bytes, content: bytes) -> bytes:
    return b"sluss/roster" + agency + kid + p.sha256(content)


def seal_roster(
    agency: bytes, content: list[Any], keys: Mapping[bytes, bytes], key: bytes, salt: bytes
) -> tuple[list[Any], bytes]:
    """Return the array of a sealed roster, and its digest; `keys` gives the randomness for each KEM key."""
    sealed = p.encrypt(key, b"sluss/roster/content" + agency, p.pad(wire.write(content)), salt)
    seals = [
        [p.kid(public), p.hpke_seal(public, roster_info(agency, p.kid(public), sealed), key, randomness)]
        for public, randomness in keys.items()
    ]
    array = [1, seals, sealed]
    return array, p.sha256(wire.write(array))


def open_roster(agency: bytes, sealed: bytes, kem_seed: bytes) -> list[Any]:
    """Return what a roster says: count key, and names by person.

    Raises:
        Malformed, Closed, KeyError, AssertionError: for what is wrong.

    """
    form, seals, content = wire.read(sealed)
    kid = p.kid(p.kem_public(kem_seed))
    key = p.hpke_open(kem_seed, roster_info(agency, kid, content), dict(seals)[kid])
    said = wire.read(p.unpad(p.decrypt(key, b"sluss/roster/content" + agency, content)))
    assert (form, said[0]) == (1, 1)
    array: list[Any] = said
    return array
