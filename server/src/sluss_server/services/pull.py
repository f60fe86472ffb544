"""A pull: what is new in a device's feeds, over all of them together, a page at a time.

An idle device costs one query: the ends of its feeds, and with them whether a directory has moved.
Source: docs/protocol.md section 6.

> INVARIANT: nothing in an answer depends on what the asker may not have: no number, size or order spans more than its
> own feeds.
"""

from __future__ import annotations

import hashlib
import time
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.problems import Invalid
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.delivering import Asker, Delivering
from sluss_server.services.placing import Feeds, feeds_of
from sluss_server.services.recording import Recording
from sluss_server.storage import feeds
from sluss_server.storage.feeds import FeedHead
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
            Invalid: `revoked_device`, `not_allowed`, `unknown_device`, `out_of_range`, or `overloaded`.

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
            own = feeds_of(view, caller)
            async with core.engine.read() as connection:
                heads, chains = await feeds.news(connection, caller.partnership, own.ranges())
                if not view.moved(chains):
                    asker = Asker(view, caller.agency, own, now)
                    pages = await self._pages(connection, caller, asker, heads, pull)
                    break
            view = await core.directories.refresh(caller.partnership)
        else:
            raise Invalid("overloaded")
        if any(page.entries for page in pages):
            await self._recording.record(caller.partnership, _delivery(caller, pages, now))
        closed = tuple(one.feed for one in pull.cursor if not own.has(one.feed))
        return sync.PullAnswer(tuple(pages), closed, view.heads, now), own.places()

    async def _pages(
        self,
        connection: AsyncConnection,
        caller: Caller,
        asker: Asker,
        heads: list[FeedHead],
        pull: sync.Pull,
    ) -> list[sync.FeedPage]:
        room, space = pull.limit, sync.MAX_PAGE_BYTES
        pages = list[sync.FeedPage]()
        for head, start in _unread(asker.feeds, heads, pull.cursor):
            entries, full = list[sync.Entry](), room <= 0 or space <= 0
            position = start
            while not full and position < head.seq:
                rows = await feeds.page(connection, caller.partnership, head.feed, position, min(_CHUNK, room))
                for row in rows:
                    entry, size = self._delivering.entry(asker, row)
                    if size > space and (entries or pages):
                        full = True
                        break
                    entries.append(entry)
                    position, room, space = row.seq, room - 1, space - size
                full = full or room <= 0 or space <= 0 or not rows
            more = position < head.seq
            pages.append(sync.FeedPage(sync.Position(head.feed, head.generation, position), tuple(entries), more))
            if more:
                break
        return pages


def _unread(own: Feeds, heads: list[FeedHead], cursor: tuple[sync.Position, ...]) -> list[tuple[FeedHead, int]]:
    """Return the device's feeds with something after the cursor, its own first, each with where to begin."""
    known = {one.feed: one for one in cursor}
    found = list[tuple[FeedHead, int]]()
    for head in sorted(heads, key=lambda one: (one.feed != own.own, one.feed)):
        position = known.get(head.feed)
        start = position.seq if position is not None and position.generation == head.generation else 0
        if own.has(head.feed) and start < head.seq:
            found.append((head, max(start, 0)))
    return found


def _delivery(caller: Caller, pages: list[sync.FeedPage], now: int) -> Leaf:
    """Return the leaf of a page: which device got which ranges of which feeds, as a digest."""
    ranges = [(one.position.feed, one.entries[0].seq, one.entries[-1].seq) for one in pages if one.entries]
    digest = hashlib.sha256(encode(ranges)).digest()
    return Leaf(caller.agency, "deliver", encode(("deliver", digest, caller.device, now)))
