"""Which duties' grants left this device with which version, for as long as the report may be corrected.

The sealed items themselves go after some weeks; an identity may turn out to be wrong later than that.

> INVARIANT: nothing of a report's content is kept here; a grant is named by its id, its ground and its receivers' keys.

Source: docs/secrecy-rules.md B7 12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sluss_client.local import Local
from sluss_schemas import disclosure
from sluss_schemas.codec import decode
from sluss_schemas.sync import Item

_SPACE: Final = "told"
_DIGEST_BYTES: Final = 32


class Told(msgspec.Struct, frozen=True, array_like=True):
    """A duty's grant that was made here; `recall` is the record that took it back."""

    grant_id: bytes
    gateway: str
    slots: tuple[int, ...]
    receivers: tuple[bytes, ...]
    recall: bytes = b""


def remember(local: Local, item: bytes) -> None:
    """Keep which grants a sealed item carries."""
    for grant in decode(Item, item, "item").grants:
        remember_grant(local, grant)


def remember_grant(local: Local, item: disclosure.GrantItem) -> None:
    """Keep that a duty's grant was made here."""
    grant = disclosure.read_grant(item.grant)
    save(local, grant.digest, Told(grant.grant_id, grant.gateway, grant.slots, grant.receivers))


def save(local: Local, digest: bytes, told: Told) -> None:
    """Keep a grant of a version as it is now."""
    local.store.put(_SPACE, digest + told.grant_id, msgspec.msgpack.encode(told))


def forget(local: Local, digest: bytes) -> None:
    """Let go of the grants of a version that is here no longer."""
    for key, _ in list(local.store.items(_SPACE)):
        if key[:_DIGEST_BYTES] == digest:
            local.store.delete(_SPACE, key)


def of_version(local: Local, digest: bytes) -> Iterator[Told]:
    """Yield the grants of a version that were made here and not taken back."""
    for key, data in local.store.items(_SPACE):
        if key[:_DIGEST_BYTES] == digest:
            told = msgspec.msgpack.decode(data, type=Told)
            if not told.recall:
                yield told
