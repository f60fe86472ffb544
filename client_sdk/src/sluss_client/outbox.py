"""What was filed on this device and is the device's until the server has acknowledged it.

A row is a report version: what the person wrote, the readers that they were shown, their answers to duties, and from
sealing on the exact bytes that are pushed until they are answered.

> INVARIANT: nothing but the author's own withdrawal removes an unsent row; no change of access, version or clock does.
> INVARIANT: a sealed item is pushed byte for byte until it is answered; only `stale_directory` seals it again.
> INVARIANT: what was answered is kept, sealed, until `drop_items`: a server that was restored gets it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from sluss_client.store import Store
from sluss_schemas.quoting import NOTHING, Quoted
from sluss_schemas.sync import MAX_PUSH_BYTES, MAX_PUSH_ITEMS

_SPACE: Final = "outbox"
_PENDING: Final = "pending"
_UNSENT: Final = "unsent"
_LATEST: Final = "latest"
_ITEMS: Final = "item"
_KEPT: Final = "kept"
_AGAIN: Final = "again"
SPACES: Final = frozenset({_SPACE, _PENDING, _ITEMS, _KEPT, _AGAIN})
"""The store's spaces that hold rows, what waits of them, and what is sealed."""
_ENVELOPE_BYTES: Final = 1024


class State(StrEnum):
    """Where a row stands."""

    FILED = "filed"
    SEALED = "sealed"
    SENT = "sent"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


WAITING: Final = frozenset({State.FILED, State.SEALED, State.REFUSED})
"""Not acknowledged: on this device alone."""
ANSWERED: Final = frozenset({State.SENT, State.QUARANTINED})
"""On the server, by its receipt."""


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """One audience that the author was shown, and the slots that it would get."""

    audience: str
    slots: int


class Row(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One report version in the outbox.

    `number` orders rows as they were filed; `values` are the form's plain values as MessagePack; `parents` are digests,
    and `after` says that the version before it, in this outbox, is the parent and has yet to be sealed.
    `duties` are the author's answers by code, `due` the duties that the form put, `unsent` those answered "send" that
    have yet to leave in a grant of their own.
    `hold` says why it goes to the own agency alone, `place_stays` that the others get its scene and no place;
    `quoted` is what it quotes of other reports, which limits its readers and may end it;
    `note` is the note on the market that it made by itself, and `made_from` the report that made this note;
    `event` is the mark of what happened, and `counts` whether that counts by this report, where the server is told.
    """

    report_id: bytes
    version: int
    number: int
    kind: int
    values: bytes
    filed_at: int
    shown: tuple[Shown, ...]
    duties: tuple[tuple[str, str], ...] = ()
    due: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()
    parents: tuple[bytes, ...] = ()
    after: bool = False
    state: State = State.FILED
    reason: str | None = None
    field: str | None = None
    digest: bytes | None = None
    section_keys: tuple[tuple[int, bytes], ...] = ()
    sealed_at: int | None = None
    outcome: str | None = None
    receipt: bytes | None = None
    receipt_signature: bytes | None = None
    answered_at: int | None = None
    hold: str = ""
    place_stays: bool = False
    note: bytes = b""
    made_from: bytes = b""
    quoted: Quoted = NOTHING
    event: bytes = b""
    counts: bool | None = None

    def __repr__(self) -> str:
        """Show no content and no key."""
        return f"Row({self.report_id.hex()}, version={self.version}, state={self.state})"

    @property
    def key(self) -> bytes:
        """The row's key in the store."""
        return row_key(self.report_id, self.version)


def row_key(report_id: bytes, version: int) -> bytes:
    """Return the key of a version's row."""
    return report_id + version.to_bytes(4, "big")


class Outbox:
    """The rows, over the store."""

    def __init__(self, store: Store) -> None:
        """Count on from the last row."""
        self._store = store
        self._last = max((row.number for row in self.rows()), default=0)

    def next_number(self) -> int:
        """Return the number of the next row."""
        self._last += 1
        return self._last

    def save(self, row: Row, item: bytes | None = None) -> None:
        """Write a row, with the sealed item where it was just sealed; durable when the transaction has ended.

        Items stand apart because they are large, and so does what waits: a sync looks at what there is to do and not
        at years of work.
        """
        with self._store.transaction():
            self._store.put(_SPACE, row.key, msgspec.msgpack.encode(row))
            if item is not None:
                self._store.put(_ITEMS, row.key, item)
            number = row.number.to_bytes(8, "big")
            self._mark(_PENDING, row, number, wanted=row.state in {State.FILED, State.SEALED})
            self._mark(_UNSENT, row, number, wanted=bool(row.unsent))
            if row.state in ANSWERED and row.answered_at is not None:
                self._store.put(_KEPT, row.key, row.answered_at.to_bytes(8, "big") + number)
            if row.version > self._latest(row.report_id):
                self._store.put(_LATEST, row.report_id, row.version.to_bytes(4, "big"))

    def _mark(self, space: str, row: Row, number: bytes, *, wanted: bool) -> None:
        if wanted:
            self._store.put(space, row.key, number)
        else:
            self._store.delete(space, row.key)

    def unsent(self) -> list[bytes]:
        """Return the keys of rows with answered duties that have yet to leave, in the order of filing."""
        return [key for _, key in sorted((number, key) for key, number in self._store.items(_UNSENT))]

    def item(self, row: Row) -> bytes:
        """Return the sealed bytes of a row."""
        return self._store.get(_ITEMS, row.key) or b""

    def get(self, report_id: bytes, version: int) -> Row | None:
        """Return a version's row, or None."""
        data = self._store.get(_SPACE, row_key(report_id, version))
        return None if data is None else msgspec.msgpack.decode(data, type=Row)

    def head(self, report_id: bytes) -> Row | None:
        """Return the latest version of a report in this outbox, or None."""
        # The number is kept: versions in between may be others', so counting up to a gap would miss the latest.
        return self.get(report_id, self._latest(report_id))

    def _latest(self, report_id: bytes) -> int:
        return int.from_bytes(self._store.get(_LATEST, report_id) or b"", "big")

    def first_refused(self, report_id: bytes) -> Row | None:
        """Return the first version of a report that the server refused, or None."""
        version = 1
        while (row := self.get(report_id, version)) is not None:
            if row.state is State.REFUSED:
                return row
            version += 1
        return None

    def forget_after(self, row: Row) -> None:
        """Remove what followed a refused version, once its author has written that one anew from the latest."""
        version = row.version + 1
        while (later := self.get(row.report_id, version)) is not None:
            for space in (_SPACE, _PENDING, _UNSENT, _ITEMS):
                self._store.delete(space, later.key)
            version += 1
        self._store.put(_LATEST, row.report_id, row.version.to_bytes(4, "big"))

    def rows(self) -> list[Row]:
        """Return every row in the order of filing."""
        found = (msgspec.msgpack.decode(data, type=Row) for _, data in self._store.items(_SPACE))
        return sorted(found, key=lambda row: row.number)

    def pending(self) -> list[bytes]:
        """Return the keys of rows to seal or push, in the order of filing."""
        found = sorted((number, key) for key, number in self._store.items(_PENDING))
        return [key for _, key in found]

    def sealed_batches(self) -> Iterator[list[tuple[Row, bytes]]]:
        """Yield what is sealed in pushes of at most 50 items and 1 MiB, in the order of filing."""
        rows = (self.by_key(key) for key in self.pending())
        return self._batches(row for row in rows if row.state is State.SEALED)

    # kept for a restore of the server

    def mark_again(self, since: int) -> None:
        """Have everything pushed again that was answered since then (Unix seconds)."""
        for key, data in list(self._store.items(_KEPT)):
            if int.from_bytes(data[:8], "big") >= since:
                self._store.put(_AGAIN, key, data[8:])

    def again_batches(self) -> Iterator[list[tuple[Row, bytes]]]:
        """Yield what is to be pushed again, as `sealed_batches` does."""
        keys = [key for _, key in sorted((number, key) for key, number in self._store.items(_AGAIN))]
        return self._batches(self.by_key(key) for key in keys)

    def answered_again(self, row: Row) -> None:
        """End the pushing again of a row."""
        self._store.delete(_AGAIN, row.key)

    def drop_items(self, before: int) -> int:
        """Remove the sealed items that were answered before then (Unix seconds), and return how many."""
        old = [key for key, data in self._store.items(_KEPT) if int.from_bytes(data[:8], "big") < before]
        with self._store.transaction():
            for key in old:
                for space in (_ITEMS, _KEPT, _AGAIN):
                    self._store.delete(space, key)
        return len(old)

    def remove(self, row: Row) -> None:
        """Remove a row and all that belongs to it; only for what the server has."""
        with self._store.transaction():
            for space in (_SPACE, _PENDING, _UNSENT, _ITEMS, _KEPT, _AGAIN):
                self._store.delete(space, row.key)
            if self._latest(row.report_id) == row.version:
                self._store.delete(_LATEST, row.report_id)

    def _batches(self, rows: Iterable[Row]) -> Iterator[list[tuple[Row, bytes]]]:
        batch: list[tuple[Row, bytes]] = []
        size = 0
        for row in rows:
            item = self.item(row)
            if batch and (len(batch) == MAX_PUSH_ITEMS or size + len(item) > MAX_PUSH_BYTES - _ENVELOPE_BYTES):
                yield batch
                batch, size = [], 0
            batch.append((row, item))
            size += len(item)
        if batch:
            yield batch

    def by_key(self, key: bytes) -> Row:
        """Return the row of a key that `pending` gave."""
        row = self.get(key[:-4], int.from_bytes(key[-4:], "big"))
        if row is None:  # pragma: no cover - both are written in one transaction
            raise KeyError(key.hex())
        return row

    def waiting(self) -> Iterator[Row]:
        """Yield what the server has not acknowledged."""
        return (row for row in self.rows() if row.state in WAITING)
