"""Makes entries of one agency's directory with real signing keys, by names, for tests of what a chain means.

A KEM key is never used by the replay, so it is only bytes here.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, Final

from msgspec.structs import replace

from sluss_client.crypto import SignKey
from sluss_schemas import directory as d
from sluss_schemas.ids import Kid, kid_of
from sluss_schemas.replay import Directory
from sluss_schemas.terms import AgreementSigned, Terms, TermsCell, terms_bytes, terms_message

NOW: Final = 1_790_000_000
PARTNERSHIP: Final = b"p" * 16
FIELD, SUPERVISORS = b"f" * 16, b"s" * 16


def hashed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def id16(name: str) -> bytes:
    return hashed(name)[:16]


@cache
def key(name: str) -> SignKey:
    """Return the signing key of a root, a registrar, a device or a group."""
    return SignKey(hashed(f"key of {name}"))


def kid(name: str) -> Kid:
    return kid_of(key(name).public)


def kem(name: str) -> bytes:
    return hashed(f"kem of {name}") * 38


def genesis(*, registry: bool = True) -> d.Genesis:
    committed = hashlib.sha256(key("next root").public).digest()
    root = key("root").public
    return d.Genesis(PARTNERSHIP, "security", "SEC", "Guards", "Vakter", registry, root, committed, bytes(32))


def root_rotate(root: str, following: str) -> d.RootRotate:
    return d.RootRotate(key(root).public, hashlib.sha256(key(following).public).digest())


def person(name: str, *functions: str, alias: str | None = None) -> d.PersonAdd:
    return d.PersonAdd(id16(name), alias or name, functions, None, None)  # type: ignore[arg-type]  # also wrong ones


def device(
    owner: str, name: str, *, invite: str | None = None, kem_of: str | None = None, signer: str | None = None
) -> d.DeviceAdd:
    """Return the entry of somebody's device; what is named differs from what it should be."""
    invited, kem_key = id16(f"invite {invite or name}"), kem(kem_of or name)
    message = d.enrolment_message(PARTNERSHIP, invited, key(name).public, kem_key)
    return d.DeviceAdd(id16(owner), invited, key(name).public, kem_key, key(signer or name).sign(message))


def epoch(number: int, *members: str, audience: bytes = FIELD, keys: str | None = None) -> d.Epoch:
    name = keys or f"epoch {number} of {audience.hex()}"
    kids = tuple(sorted(kid(member) for member in members))
    return d.Epoch(audience, number, 2, kem(name), key(name).public, bytes(32), kids)


def shares(number: int, *names: str, audience: bytes = FIELD) -> d.Shares:
    return d.Shares(audience, number, tuple((kid(name), hashed(name)) for name in names))


def terms(agency: bytes, name: str, **changes: Any) -> Terms:  # noqa: ANN401  # any field
    """Return the terms of an agreement of an agency with another one."""
    other, named = id16("another agency"), id16(f"agreement {name}")
    cells = (TermsCell(13, agency, "SIT", other, "R"),)
    whole = Terms(named, tuple(sorted((agency, other))), cells, None, "Why.", "S-1", NOW - 1, NOW + 1000)
    return replace(whole, **changes)


def agreement(what: Terms, head: str = "disa", *, signer: str | None = None) -> AgreementSigned:
    """Return an agency's part in an agreement; what is named differs from what it should be."""
    data = terms_bytes(what)
    return AgreementSigned(data, kid(head), key(signer or head).sign(terms_message(data)))


def signed(directory: Directory, body: d.Body, signer: str, time: int = NOW) -> d.SignedEntry:
    """Return the entry that would follow."""
    data = d.entry_bytes(directory.seq + 1, directory.hash, body, time)
    return d.SignedEntry(data, kid(signer), key(signer).sign(d.entry_message(data)))


def append(directory: Directory, body: d.Body, signer: str = "registrar", time: int = NOW) -> d.SignedEntry:
    entry = signed(directory, body, signer, time)
    directory.append(entry)
    return entry


def seen(directory: Directory) -> dict[str, Any]:
    """Return everything that a directory holds, so that what changes in it later does not change here.

    Only containers and audiences can change; what else stands in it is frozen.
    """
    found = {
        name: type(value)(value) if isinstance(value, dict | list | set) else value
        for name, value in vars(directory).items()
    }
    found["audiences"] = {
        audience: (one.function, dict(one.members), list(one.epochs), dict(one.history), set(one.left))
        for audience, one in directory.audiences.items()
    }
    return found
