"""The case records that go with a disclosure: what stands in their sealed bodies, and to whom each is sealed.

Refuses: a body that is not of the form given here; whoever sealed it to this device may have made a mistake.
Source: docs/protocol.md section 4.

> INVARIANT: what a person wrote is in a body sealed to its addressees, never in clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, TypeVar

from msgspec import Meta

from sluss_client import crypto
from sluss_client.local import Local
from sluss_schemas.agency import Device, EpochKeys
from sluss_schemas.codec import Document, decode
from sluss_schemas.ids import Kid
from sluss_schemas.manifest import Bytes64, Id16
from sluss_schemas.problems import Invalid

Addressee = tuple[Kid, bytes]
"""A KEM key's id and the key: an audience's epoch or a device."""
MAX_TEXT: Final = 4000
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
T = TypeVar("T", bound=Document)


class Decided(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an approver or a reviewer is shown of a decision: the grant as it stands, and why it was made."""

    report_id: Id16
    version: int
    grant: bytes
    reasons: tuple[tuple[Annotated[str, Meta(max_length=64)], Text], ...]
    person: Id16


class Approved(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An approver's answer: the signature over the grant, or nothing and why not."""

    grant_id: Id16
    signature: Bytes64 | None
    text: Text


class Said(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Why something was recalled, or looked at again."""

    text: Text


def own_supervisors(local: Local) -> list[Addressee]:
    """Return the own supervisors' key; none while they have none."""
    return audience(local, "supervisors")


def audience(local: Local, function: str) -> list[Addressee]:
    """Return the key of one of the own agency's audiences."""
    found = local.trust.own.audience_for(function)  # type: ignore[arg-type]  # a function's name
    epoch = None if found is None else found.recipient
    return [] if epoch is None or not crypto.usable(epoch.kem_key) else [(epoch.kem_kid, epoch.kem_key)]


def devices(local: Local, kids: Iterable[bytes]) -> list[Addressee]:
    """Return the KEM keys of own devices by their signing keys' ids, as far as they are not revoked."""
    known = (local.trust.own.devices.get(Kid(kid)) for kid in kids)
    return [(one.kem_kid, one.kem_key) for one in known if one is not None and one.revoked_at is None]


def holders(local: Local, kids: Iterable[bytes], now: int) -> Iterator[tuple[str, Device | EpochKeys]]:
    """Yield the agencies and keys behind KEM key ids: who received something."""
    chains = local.trust.agencies(now)
    for kid in kids:
        for chain in chains:
            if (found := chain.by_kem_kid.get(Kid(kid))) is not None:
                yield chain.slug, found
                break


def aliases(local: Local, kids: Iterable[bytes], now: int) -> tuple[str, ...]:
    """Return whom KEM key ids stand for: aliases of persons, labels of audiences."""
    names = []
    for slug, found in holders(local, kids, now):
        chain = next(one for one in local.trust.agencies(now) if one.slug == slug)
        if isinstance(found, EpochKeys):
            names.append(f"{slug}/{chain.audiences[found.audience].function}")
        else:
            names.append(f"{slug}/{chain.persons[found.person].alias}")
    return tuple(dict.fromkeys(names))


def body_of(type_: type[T], data: bytes) -> T | None:
    """Return a body, or None for one that is not of this form."""
    try:
        return decode(type_, data, "body")
    except Invalid:
        return None
