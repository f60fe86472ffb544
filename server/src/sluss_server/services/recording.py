"""Leaves that are written for themselves, such as that of a delivery, many devices' in one transaction.

And those of a directory's entries, which are acts as well as anything that is pushed.

> INVARIANT: what is recorded is on disk before the page that it is about leaves the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import directory as d
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import AudienceId, Kid
from sluss_schemas.ledger import Act
from sluss_schemas.replay import Directory
from sluss_server.services.core import Core
from sluss_server.storage import ledger
from sluss_server.storage.ledger import Leaf


class Recording:
    """Hands leaves to the writer."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def record(self, partnership: bytes, leaf: Leaf) -> None:
        """Write a leaf, and return when it is on disk."""

        async def run(connection: AsyncConnection, leaves: Sequence[Leaf]) -> list[None]:
            await ledger.append(connection, partnership, leaves, self._core.random)
            return [None] * len(leaves)

        await self._core.writer.merge(run, leaf, key=("record", partnership))


def rotations(after: Directory, entries: Iterable[d.SignedEntry], now: int) -> list[Leaf]:
    """Return a leaf for each epoch that takes the place of another, by who signed the entry."""
    agency, found = bytes(after.agency), list[Leaf]()
    for signed in entries:
        entry = decode(d.Entry, signed.entry, "entries")
        if entry.kind != d.EntryKind.EPOCH:
            continue
        opened = decode(d.Epoch, bytes(entry.body), "entries")
        if opened.epoch > 1:
            device = after.devices.get(Kid(signed.signer))
            # A root key is no person's.
            who = signed.signer if device is None else device.person
            function = after.audiences[AudienceId(opened.audience)].function
            act = Act("rotate", d.entry_hash(signed.entry), who, now, function, b"", opened.audience)
            found.append(Leaf(agency, act.action, encode(act)))
    return found
