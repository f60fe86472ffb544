"""Checkpoints of the ledgers: made when they are due, kept, and shown to the agency's own devices with their proofs.

One is due a minute after the one before it if anything that it commits to has changed, after a thousand leaves at once,
and within the hour in any case, so that one who is shown an old one sees that it is old.
Refuses to answer about another agency's ledger: there is no way to ask.
Source: docs/protocol.md sections 6 and 7.

> INVARIANT: nothing in an agency's checkpoint, nor when it is made, depends on what other agencies file, except on what
> is put into the agency's own feeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import checkpoint as notes
from sluss_schemas.checkpoint import Checkpoint, FeedHead, FeedsTree
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import DIGEST_BYTES
from sluss_schemas.ledger import CheckpointAnswer, CheckpointAsk
from sluss_schemas.manifest import Head
from sluss_schemas.merkle import Frontier
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.placing import feeds_of
from sluss_server.storage import checkpoints, ledger
from sluss_server.storage.checkpoints import StoredCheckpoint

EVERY_S: Final = 60
EVERY_LEAVES: Final = 1_000
AT_LEAST_EVERY_S: Final = 3_600
_CACHED_PROOFS: Final = 2_000
_FEEDS_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an agency's next checkpoint would commit to."""

    tree: Frontier
    directory: Head
    feeds: bytes
    before: StoredCheckpoint | None

    def due(self, now: int, instance: bytes) -> bool:
        """Tell whether there is to be one now."""
        before = self.before
        if before is None or self.tree.size - before.size >= EVERY_LEAVES:
            return True
        if f"\ninstance {instance.hex()}\n".encode() not in before.note:
            return True
        since = now - before.made_at
        if 0 <= since < EVERY_S:
            return False
        directory = f"\ndirectory {self.directory.seq} ".encode()
        moved = self.tree.size != before.size or self.feeds != before.feeds or directory not in before.note
        return moved or since >= AT_LEAST_EVERY_S


class Checkpoints:
    """Makes and shows them."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts; what signs receipts signs checkpoints."""
        self._core: Final = core
        self._looked: Final[dict[bytes, int]] = {}
        self._trees: Final[dict[bytes, tuple[bytes, FeedsTree]]] = {}
        self._proofs: Final[dict[tuple[bytes, int, bytes], tuple[bytes, ...]]] = {}

    async def show(self, caller: Caller, ask: CheckpointAsk) -> CheckpointAnswer:
        """Return the newest checkpoint of the caller's agency, its proofs, and where the caller's own feeds ended.

        Raises:
            Invalid: `unknown_device`, `revoked_device` or `not_allowed`.

        """
        view, caller = await self._core.enter(caller)
        newest = await self.newest(view, caller.agency)
        found = notes.read(newest.note, view.partnership, caller.agency, self._core.receipts.public_key)
        proof = await self._proof(caller, ask.since, found)
        own, tree = feeds_of(view, caller), self._tree(caller.agency, newest)
        return CheckpointAnswer(newest.note, proof, tuple(tree.prove(feed) for feed in tree.feeds if own.has(feed)))

    async def newest(self, view: View, agency: bytes) -> StoredCheckpoint:
        """Return an agency's newest checkpoint, made now if one is due."""
        now = self._core.clock()
        async with self._core.engine.read() as connection:
            newest = await checkpoints.newest(connection, view.partnership, agency)
            if newest is not None and 0 <= now - max(newest.made_at, self._looked.get(agency, 0)) < EVERY_S:
                return newest
            seen = await self._look(connection, view, agency)
        self._looked[agency] = now
        if newest is not None and not seen.due(now, self._core.receipts.instance):
            return newest
        return await self._core.writer.submit(lambda connection: self._make(connection, view, agency, now))

    async def keep(self) -> list[tuple[View, bytes]]:
        """Make every checkpoint that is due, and return the ledgers that have one."""
        async with self._core.engine.read() as connection:
            heads = await ledger.every_head(connection)
        done = list[tuple[View, bytes]]()
        for partnership in sorted({head.partnership for head in heads}):
            view = await self._core.directories.refresh(partnership)
            for head in heads:
                if head.partnership == partnership and head.agency in view.directories:
                    await self._keep_one(view, head)
                    done.append((view, head.agency))
        return done

    async def _keep_one(self, view: View, head: ledger.LedgerHead) -> None:
        newest = self._trees.get(head.agency)
        if newest is not None:
            # A thousand leaves do not wait for the minute.
            known = notes.read(newest[0], view.partnership, head.agency, self._core.receipts.public_key)
            if head.seq - known.size >= EVERY_LEAVES:
                self._looked.pop(head.agency, None)
                now = self._core.clock()
                made = await self._core.writer.submit(lambda one: self._make(one, view, head.agency, now))
                self._tree(head.agency, made)
                return
        self._tree(head.agency, await self.newest(view, head.agency))

    async def _look(self, connection: AsyncConnection, view: View, agency: bytes) -> _Seen:
        heads: Iterable[FeedHead] = await checkpoints.feeds(connection, view.partnership)
        own = tuple(head for head in heads if view.has_feed(agency, head[0]))
        seq, hash_ = await checkpoints.directory(connection, view.partnership, agency) or (0, bytes(DIGEST_BYTES))
        return _Seen(
            await ledger.tree(connection, view.partnership, agency),
            Head(agency, seq, hash_),
            encode(own),
            await checkpoints.newest(connection, view.partnership, agency),
        )

    async def _make(self, connection: AsyncConnection, view: View, agency: bytes, now: int) -> StoredCheckpoint:
        """Write a checkpoint, unless somebody else has done so in between."""
        # First the ledger's head: it is held until the end.
        await ledger.tree(connection, view.partnership, agency, hold=True)
        seen = await self._look(connection, view, agency)
        if seen.before is not None and not seen.due(now, self._core.receipts.instance):
            return seen.before
        # A clock that was put back does not take the ledger's time back.
        at = now if seen.before is None else max(now, seen.before.made_at)
        secret = self._core.random(DIGEST_BYTES)
        feeds = FeedsTree(secret, _heads(seen.feeds))
        made = Checkpoint(
            partnership=view.partnership,
            agency=agency,
            size=seen.tree.size,
            root=seen.tree.root,
            time=at,
            directory=seen.directory,
            feeds=len(feeds),
            feeds_root=feeds.root,
            instance=self._core.receipts.instance,
        )
        new = StoredCheckpoint(made.size, at, self._core.receipts.sign_checkpoint(made), secret, seen.feeds)
        await checkpoints.insert(connection, view.partnership, agency, new)
        return new

    def _tree(self, agency: bytes, newest: StoredCheckpoint) -> FeedsTree:
        known = self._trees.get(agency)
        if known is None or known[0] != newest.note:
            known = self._trees[agency] = newest.note, FeedsTree(newest.secret, _heads(newest.feeds))
        return known[1]

    async def _proof(self, caller: Caller, since: int, found: Checkpoint) -> tuple[bytes, ...]:
        """Return the proof that a ledger grew out of what it was at a size; many devices ask for the same."""
        if not 0 < since < found.size:
            return ()
        name = (caller.agency, since, found.root)
        if name not in self._proofs:
            async with self._core.engine.read() as connection:
                proof = await ledger.consistency(connection, caller.partnership, caller.agency, since, found.size)
            if len(self._proofs) >= _CACHED_PROOFS:
                self._proofs.clear()
            self._proofs[name] = proof
        return self._proofs[name]


def _heads(feeds: bytes) -> tuple[FeedHead, ...]:
    return decode(tuple[FeedHead, ...], feeds, "feeds", limit=_FEEDS_BYTES)
