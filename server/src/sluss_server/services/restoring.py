"""After a restore: what an agency's directory may take before the agency has accepted the restored server.

The entries of the hours between backup and restore are lost here, and the devices that have them give them back.
Whoever signed a new entry before all of them are back would make a second branch, which no device follows.
So a chain takes only what was signed before the restore, until an entry accepts the server's new instance.
An agency that was founded after the restore has lost nothing.
Source: docs/protocol.md section 2.

> INVARIANT: a server that was never restored pays one look at its start for all of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sluss_schemas.codec import decode
from sluss_schemas.directory import Body, Entry, Instance, SignedEntry
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_server.services.directories import Directories
from sluss_server.storage import directory as chains
from sluss_server.storage import restores
from sluss_server.storage.engine import Engine
from sluss_server.storage.restores import Restore


class Restoring:
    """What is known of restores, read once: a restore goes into an empty database alone, which nobody serves."""

    def __init__(self, engine: Engine) -> None:
        """Read from this engine, when first asked."""
        self._engine: Final = engine
        self._latest: dict[bytes, Restore] | None = None

    async def restore_of(self, partnership: bytes) -> Restore | None:
        """Return the last restore of a partnership, or None."""
        if self._latest is None:
            async with self._engine.read() as connection:
                self._latest = await restores.latest(connection)
        return self._latest.get(partnership)

    async def waits(self, partnership: bytes, directory: Directory) -> Restore | None:
        """Return the restore that an agency has yet to accept, or None."""
        restore = await self.restore_of(partnership)
        if restore is None or directory.instance == restore.instance:
            return None
        async with self._engine.read() as connection:
            [genesis] = await chains.entries(connection, partnership, directory.agency, 0, 1)
        return restore if _time(decode(SignedEntry, genesis.entry, "directory")) <= restore.restored_at else None

    async def check(
        self, partnership: bytes, before: Directory, entries: Sequence[SignedEntry], bodies: Sequence[Body]
    ) -> None:
        """Return quietly if a directory may take these entries: old ones, or the one that accepts the restore first.

        Raises:
            Invalid: `restoring`.

        """
        restore = await self.waits(partnership, before)
        if restore is None:
            return
        for entry, body in zip(entries, bodies, strict=True):
            if isinstance(body, Instance) and body.instance == restore.instance:
                return
            if _time(entry) > restore.restored_at:
                raise Invalid("restoring", "entries")


async def waiting(engine: Engine) -> dict[str, Restore]:
    """Return the slugs of all agencies that have yet to accept a restore."""
    restoring, directories = Restoring(engine), Directories(engine)
    async with engine.read() as connection:
        restored = await restores.latest(connection)
    found = dict[str, Restore]()
    for partnership in restored:
        view = await directories.refresh(partnership)
        for directory in view.directories.values():
            if (restore := await restoring.waits(partnership, directory)) is not None:
                found[directory.slug] = restore
    return found


def _time(entry: SignedEntry) -> int:
    return decode(Entry, entry.entry, "entries").time
