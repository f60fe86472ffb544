"""The directory heads that versions were sealed with: written with the first version, given to whoever pulls one.

A reader compares them with its own directories, so that nobody is shown another history than their colleagues.
Refuses to judge: whether heads are sound is said where a version is checked.
Source: docs/protocol.md section 6.

> INVARIANT: a list is remembered as stored only after the commit that stored it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.manifest import Head
from sluss_server.storage import heads as storage
from sluss_server.storage.heads import HeadSetRow

_KEPT: Final = 4096
"""Lists in memory: a list changes with every entry of any directory, and few of them are in use at a time."""

Heads = tuple[Head, ...]


class _Front(msgspec.Struct, frozen=True, array_like=True):
    """A manifest's first fields, as far as the digest of its directories; it was checked when it came in."""

    format: msgspec.Raw
    suite: msgspec.Raw
    kind: msgspec.Raw
    agency: msgspec.Raw
    report_id: msgspec.Raw
    version: msgspec.Raw
    parents: msgspec.Raw
    schema: msgspec.Raw
    pack: msgspec.Raw
    directories: bytes


_front: Final = msgspec.msgpack.Decoder(_Front)
_heads: Final = msgspec.msgpack.Decoder(Heads)


def directories_of(manifest: bytes) -> bytes:
    """Return the digest of the directory heads that a stored manifest names."""
    return _front.decode(manifest).directories


class HeadSets:
    """The lists of all partnerships, those in use in memory."""

    def __init__(self) -> None:
        """Begin with none in memory."""
        self._kept: Final[dict[tuple[bytes, bytes], Heads]] = {}

    async def read(
        self, connection: AsyncConnection, partnership: bytes, digests: Iterable[bytes]
    ) -> tuple[Heads, ...]:
        """Return the lists of these digests, in the digests' order; one that was never stored is left out."""
        wanted = sorted(set(digests))
        new = [one for one in wanted if (partnership, one) not in self._kept]
        found = {one: _heads.decode(data) for one, data in (await storage.known(connection, partnership, new)).items()}
        held = {one: kept for one in wanted if (kept := self._kept.get((partnership, one))) is not None}
        self.learn(partnership, found)
        found |= held
        return tuple(found[one] for one in wanted if one in found)

    async def write(self, connection: AsyncConnection, partnership: bytes, given: Mapping[bytes, Heads]) -> None:
        """Store what is not stored yet, as part of the caller's transaction."""
        new = sorted(one for one in given if (partnership, one) not in self._kept)
        stored = await storage.known(connection, partnership, new)
        rows = [HeadSetRow(partnership, one, encode(given[one])) for one in new if one not in stored]
        await storage.insert(connection, rows)

    def learn(self, partnership: bytes, stored: Mapping[bytes, Heads]) -> None:
        """Remember lists that are committed."""
        if len(self._kept) + len(stored) > _KEPT:
            self._kept.clear()
        for digest, heads in stored.items():
            self._kept[partnership, digest] = heads
