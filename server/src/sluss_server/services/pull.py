"""A pull: what is new in a device's feeds, over all of them together, a page at a time.

An idle device costs one query: the ends of its feeds, and with them whether a directory has moved.
Source: docs/protocol.md section 6.

> INVARIANT: nothing in an answer depends on what the asker may not have: no number, size or order spans more than its
> own feeds.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.problems import Invalid
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.delivering import Asker, Delivering
from sluss_server.services.headsets import directories_of
from sluss_server.services.placing import Feeds, feeds_of
from sluss_server.services.recording import Recording
from sluss_server.storage import feeds
from sluss_server.storage.feeds import FeedHead, StoredEntry
from sluss_server.storage.ledger import Leaf

_ROUNDS: Final = 5
_POLL_S: Final = 2.0
"""How long a wake-up that was lost, or written by another process, goes unseen by a waiting device."""
_CHUNK: Final = 128
"""Entries fetched at once: a page's bytes end before its number of entries does."""


class Pulling:
    """The use case."""

    def __init__(self, core: Core, recording: Recording) -> None:
        """Stand on these parts; deliveries are recorded by `recording`."""
        self._core: Final = core
        self._recording: Final = recording
        self._delivering: Final = Delivering(core.rules)

    async def pull(self, caller: Caller, pull: sync.Pull) -> sync.PullAnswer:
        """Return what follows the cursor, waiting up to `pull.wait` seconds for something.

        Raises:
            Invalid: `revoked_device`, `not_allowed`, `unknown_device`, `out_of_range`, `overloaded` or
                `pack_missing`.

        """
        if not 1 <= pull.limit <= sync.MAX_PAGE_ENTRIES or not 0 <= pull.wait <= sync.MAX_WAIT_S:
            raise Invalid("out_of_range", "limit" if pull.wait in range(sync.MAX_WAIT_S + 1) else "wait")
        until = time.monotonic() + pull.wait
        while True:
            answer, places = await self._once(caller, pull)
            left = until - time.monotonic()
            if answer.pages or answer.closed or left <= 0:
                return answer
            await self._core.wake.wait(caller.partnership, places, min(left, _POLL_S))

    async def _once(self, caller: Caller, pull: sync.Pull) -> tuple[sync.PullAnswer, list[bytes]]:
        core = self._core
        view = core.directories.known(caller.partnership)
        for _ in range(_ROUNDS):
            now = core.clock()
            caller = core.directories.again(caller, now)
            caller.must_be_active()
            # What is skipped for want of a pack would not come again.
            core.must_decide(view, view.directories, now)
            own = feeds_of(view, caller)
            async with core.engine.read() as connection:
                heads, chains = await feeds.news(connection, caller.partnership, own.ranges())
                if not view.moved(chains):
                    asker = Asker(view, caller.agency, own, now)
                    pages = await self._pages(connection, caller, asker, heads, pull)
                    used = await core.head_sets.read(connection, caller.partnership, _used(pages))
                    break
            view = await core.directories.refresh(caller.partnership)
        else:
            raise Invalid("overloaded")
        if any(page.entries or page.past for page in pages):
            await self._recording.record(caller.partnership, _delivery(caller, pages, now))
        closed = tuple(one.feed for one in pull.cursor if not own.has(one.feed))
        return sync.PullAnswer(tuple(pages), closed, view.heads, now, used), own.places()

    async def _pages(
        self,
        connection: AsyncConnection,
        caller: Caller,
        asker: Asker,
        heads: list[FeedHead],
        pull: sync.Pull,
    ) -> list[sync.FeedPage]:
        reader = _Reader(self._delivering, connection, caller.partnership, asker, _Room(pull.limit))
        unread = _unread(asker.feeds, heads, pull.cursor)
        news = [(head, start, await reader.upwards(head, start)) for head, start in unread]
        pages = list[sync.FeedPage]()
        for head, start, entries in news:
            seq = entries[-1].seq if entries else start.seq
            # What is new comes before what is past, in every feed.
            past = await reader.downwards(head, start.below) if seq == head.seq else []
            below = past[-1].seq if past else start.below
            position = sync.Position(head.feed, head.generation, seq, below if below > 1 else 0)
            pages.append(
                sync.FeedPage(position, tuple(entries), position.seq < head.seq or position.below > 0, tuple(past))
            )
        return pages


class _Room:
    """What is left of a page: a number of entries, and bytes."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self.size = sync.MAX_PAGE_BYTES
        self._empty = True

    def takes(self, size: int) -> bool:
        """Take an entry of this size, if there is room; the first always fits."""
        if self.entries <= 0 or (size > self.size and not self._empty):
            return False
        self.entries, self.size, self._empty = self.entries - 1, self.size - size, False
        return True


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads entries of feeds for one asker, as long as there is room."""

    delivering: Delivering
    connection: AsyncConnection
    partnership: bytes
    asker: Asker
    room: _Room

    async def upwards(self, head: FeedHead, start: sync.Position) -> list[sync.Entry]:
        """Return what follows a position."""
        found, position = list[sync.Entry](), start.seq
        while self.room.entries > 0 and position < head.seq:
            limit = min(_CHUNK, self.room.entries)
            rows = await feeds.page(self.connection, self.partnership, head.feed, position, limit)
            if not self._take(rows, found):
                break
            position = rows[-1].seq
        return found

    async def downwards(self, head: FeedHead, below: int) -> list[sync.Entry]:
        """Return what lies before a mark, the latest first."""
        found = list[sync.Entry]()
        while self.room.entries > 0 and below > 1:
            limit = min(_CHUNK, self.room.entries)
            rows = await feeds.past(self.connection, self.partnership, head.feed, below, limit)
            if not self._take(rows, found):
                break
            below = rows[-1].seq
        return found

    def _take(self, rows: list[StoredEntry], found: list[sync.Entry]) -> bool:
        """Add rows while they fit; tell whether all of them did."""
        for row in rows:
            entry, size = self.delivering.entry(self.asker, row)
            if not self.room.takes(size):
                return False
            found.append(entry)
        return bool(rows)


def _unread(
    own: Feeds, heads: list[FeedHead], cursor: tuple[sync.Position, ...]
) -> list[tuple[FeedHead, sync.Position]]:
    """Return the device's feeds with something unread, its own first, each with where to go on.

    A feed that is new to the device, or begins a new generation, is read downwards from its head.
    A place beyond the head means the head, and is told to the device as such: it would miss what comes next otherwise.
    """
    known = {one.feed: one for one in cursor}
    found = list[tuple[FeedHead, sync.Position]]()
    for head in sorted(heads, key=lambda one: (one.feed != own.own, one.feed)):
        start = known.get(head.feed)
        if start is None or start.generation != head.generation:
            start = sync.Position(head.feed, head.generation, head.seq, head.seq + 1)
        beyond = start.seq > head.seq
        seq, below = min(max(start.seq, 0), head.seq), min(max(start.below, 0), head.seq + 1)
        if own.has(head.feed) and (beyond or seq < head.seq or below > 1):
            found.append((head, sync.Position(start.feed, start.generation, seq, below)))
    return found


def _used(pages: list[sync.FeedPage]) -> set[bytes]:
    """Return the digests of the directory heads that the delivered versions were sealed with."""
    entries = (entry for page in pages for entry in (*page.entries, *page.past))
    return {directories_of(entry.put.manifest) for entry in entries if entry.put is not None}


def _delivery(caller: Caller, pages: list[sync.FeedPage], now: int) -> Leaf:
    """Return the leaf of a page: which device got which ranges of which feeds, as a digest."""
    runs = [(page.position.feed, run) for page in pages for run in (page.entries, page.past) if run]
    ranges = [(feed, run[0].seq, run[-1].seq) for feed, run in runs]
    digest = hashlib.sha256(encode(ranges)).digest()
    return Leaf(caller.agency, "deliver", encode(("deliver", digest, caller.device, now)))
