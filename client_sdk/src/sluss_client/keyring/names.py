"""What the agency's roster says, as this device keeps it: names, the count key, and changes that wait to be sealed.

It seals and opens nothing; `roster.py` does.
Source: docs/protocol.md section 2.

> INVARIANT: a name stands in the device's store and in the sealed roster, and else in the grant alone that says who the
> author of a report is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sluss_client.store import Store
from sluss_schemas.directory import RosterContent
from sluss_schemas.ids import Kid, PersonId

_ROSTER: Final = "roster"
_CHANGED: Final = "name"
_KEPT: Final = b"kept"
_CLOSED: Final = b"closed"
_CONTENT: Final = b"content"
_COUNT_KEY: Final = b"count"


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Which roster is here: its digest, the key ids that it was sealed to, and the server's instance at that time."""

    digest: bytes
    recipients: tuple[Kid, ...]
    instance: bytes


def keep(store: Store, kept: Kept, content: RosterContent) -> None:
    """Keep an opened roster; changes that it has made true are done."""
    said = {PersonId(one.person): one.name for one in content.names}
    with store.transaction():
        store.put(_ROSTER, _KEPT, msgspec.msgpack.encode(kept))
        store.put(_ROSTER, _CONTENT, msgspec.msgpack.encode(content.names))
        store.put(_ROSTER, _COUNT_KEY, content.count_key)
        store.delete(_ROSTER, _CLOSED)
        for person, name in changes(store).items():
            if said.get(person, "") == name:
                store.delete(_CHANGED, person)


def kept(store: Store) -> Kept | None:
    """Return which roster is here."""
    data = store.get(_ROSTER, _KEPT)
    return None if data is None else msgspec.msgpack.decode(data, type=Kept)


def digest(store: Store) -> bytes | None:
    """Return the digest of the roster that is here."""
    found = kept(store)
    return None if found is None else found.digest


def note_closed(store: Store, closed: Kept) -> None:
    """Note a roster that came and is sealed to nobody here."""
    store.put(_ROSTER, _CLOSED, msgspec.msgpack.encode(closed))


def closed(store: Store) -> Kept | None:
    """Return the last roster that was sealed to nobody here."""
    data = store.get(_ROSTER, _CLOSED)
    return None if data is None else msgspec.msgpack.decode(data, type=Kept)


def count_key(store: Store) -> bytes:
    """Return the agency's count key, or nothing until a roster was opened here."""
    return store.get(_ROSTER, _COUNT_KEY) or b""


def sealed_names(store: Store) -> dict[PersonId, str]:
    """Return the names that the roster has."""
    data = store.get(_ROSTER, _CONTENT)
    pairs = () if data is None else msgspec.msgpack.decode(data, type=tuple[tuple[bytes, str], ...])
    return {PersonId(person): name for person, name in pairs}


def changes(store: Store) -> dict[PersonId, str]:
    """Return the names set on this device that no roster has yet; an empty one removes a name."""
    return {PersonId(person): data.decode() for person, data in store.items(_CHANGED)}


def change(store: Store, person: PersonId, name: str) -> None:
    """Set a name, for the next roster."""
    if sealed_names(store).get(person, "") == name:
        store.delete(_CHANGED, person)
    else:
        store.put(_CHANGED, person, name.encode())
