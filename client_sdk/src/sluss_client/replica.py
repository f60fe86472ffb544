"""What this device has received, as opened when it arrived; changed only by what the server answers.

A row is a report with its versions, and per version the feeds through which it is held.
When the last feed is gone the version is gone.

Of the own agency's reports the section keys are kept with what they open, for somebody who decides a disclosure later.

> INVARIANT: what cannot be read under the pack was never written here.
> INVARIANT: what a grant gave less than whole stays with that grant's hold, and ends with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sluss_client.store import Store
from sluss_schemas.ids import bitmap_of
from sluss_schemas.manifest import read_manifest

_SPACE: Final = "replica"


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """One way in which a version is held: through a feed, by a base seal or by a grant.

    `slots` is what the seal opened; `function` and `named` say in which capacity; `gateway` is empty for a base seal;
    `held` means that the server keeps the seal back until the row is opened for a task or a reason; `excerpts` has by
    slot what this grant gives in the place of a whole section; `since` is when the grant began.
    """

    feed: bytes
    function: str
    named: bool
    slots: int
    held: bool = False
    grant: bytes = b""
    gateway: str = ""
    not_after: int | None = None
    excerpts: tuple[tuple[int, bytes], ...] = ()
    since: int | None = None

    @property
    def whole(self) -> int:
        """The slots that are held whole, as a bitmap."""
        return self.slots & ~bitmap_of(number for number, _ in self.excerpts)

    def __repr__(self) -> str:
        """Show no content."""
        return f"Hold({self.feed.hex()}, {self.function}, {self.gateway}, {self.grant.hex()}, slots={self.slots})"


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One received version: its manifest and what could be opened of it.

    `keys` are the section keys of what is whole here, of the own agency's reports alone.
    """

    digest: bytes
    version: int
    manifest: bytes
    kind: int
    sections: tuple[tuple[int, bytes], ...]
    holds: tuple[Hold, ...]
    scene: int
    received_at: int
    keys: tuple[tuple[int, bytes], ...] = ()

    def __repr__(self) -> str:
        """Show no content."""
        return f"Version({self.digest.hex()[:16]}, {self.version})"


class Received(msgspec.Struct, frozen=True, array_like=True):
    """A report as this device holds it."""

    report_id: bytes
    agency: bytes
    versions: tuple[Version, ...]

    @property
    def key(self) -> bytes:
        """The row's key: two agencies' ids do not meet, so neither can write over the other's."""
        return self.agency + self.report_id

    def heads(self) -> tuple[Version, ...]:
        """Return the versions that no held version follows, the latest first; more than one means a fork.

        A branch that has grown is no newer than one that has not: both are heads.
        """
        if len(self.versions) == 1:
            return self.versions
        followed = {parent for version in self.versions for parent in read_manifest(version.manifest).parents}
        heads = [version for version in self.versions if version.digest not in followed]
        return tuple(sorted(heads, key=lambda head: (-head.version, head.digest)))


class Replica:
    """The rows, over the store."""

    def __init__(self, store: Store) -> None:
        """Read nothing yet."""
        self._store = store

    def get(self, agency: bytes, report_id: bytes) -> Received | None:
        """Return an agency's report, or None."""
        data = self._store.get(_SPACE, agency + report_id)
        return None if data is None else msgspec.msgpack.decode(data, type=Received)

    def save(self, reports: list[Received]) -> None:
        """Write reports; one without versions is removed."""
        keep = [(one.key, msgspec.msgpack.encode(one)) for one in reports if one.versions]
        if keep:
            self._store.put_all(_SPACE, keep)
        for one in reports:
            if not one.versions:
                self._store.delete(_SPACE, one.key)

    def reports(self) -> Iterator[Received]:
        """Yield every report held."""
        return (msgspec.msgpack.decode(data, type=Received) for _, data in self._store.items(_SPACE))

    def count(self) -> int:
        """Return how many reports are held."""
        return self._store.count(_SPACE)
