"""What time brings about by itself: grants and shifts begin and end, packs and agreements change, reports are over.

Each is written when it happens, by a task of the server that looks every second; nothing here is computed when somebody
reads. Delivery decides again for itself, so a look that comes late withholds or removes, and never gives.
Source: docs/protocol.md sections 4 and 6; docs/secrecy-rules.md B6 and B7.

> INVARIANT: an end is one drop in each feed that had something, however many server processes look.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.manifest import read_manifest
from sluss_server.services import background, ending, reclassifying, shifts
from sluss_server.services.core import Core
from sluss_server.services.culling import Culling
from sluss_server.services.directories import View
from sluss_server.services.publishing import Publishing
from sluss_server.services.recipients import given, keep_wraps, scene_of
from sluss_server.services.reevaluating import Reevaluating
from sluss_server.storage import directory, disclosure, feeds, ledger, pending, reports
from sluss_server.storage.feeds import NewEntry
from sluss_server.storage.pending import Waiting
from sluss_server.storage.reports import Stored

LOOK_EVERY_S: Final = 1.0
_BATCH: Final = 200
_ALL_AGAIN_S: Final = 3_600
"""How often everything that is over is looked for, and not only what is over since the last look."""
_ROUNDS: Final = 50


class Sweeping:
    """The work in the background."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._again: Final = Reevaluating(core)
        self._culling: Final = Culling(core)
        self._publishing: Final = Publishing(core)
        self._since: Final[dict[bytes, int]] = {}
        self._whole: Final[dict[bytes, int]] = {}

    def working(self) -> AbstractAsyncContextManager[None]:
        """Look while the block lasts."""
        return background.working(self.once, every_s=LOOK_EVERY_S, failed="not_swept")

    async def once(self) -> None:
        """Write what has happened since the last look, in every partnership."""
        async with self._core.engine.read() as connection:
            partnerships = await directory.partnership_ids(connection)
        for partnership in partnerships:
            await self._look(partnership)

    async def _look(self, partnership: bytes) -> None:
        view, now = await self._core.directories.refresh(partnership), self._core.clock()
        if not view.directories:
            return
        since = self._since_when(partnership, now)
        for _ in range(_ROUNDS):
            if not await self._is_due(view, since, now):
                self._since[partnership] = now
                break
            touched = await self._core.writer.submit(partial(self._settle, view, since, now))
            if touched is None:
                # The directories have moved; the next look has the new ones.
                return
            self._core.wake.tell(partnership, touched)
        self._core.wake.tell(partnership, await self._again.once(view, now))
        self._core.wake.tell(partnership, await self._culling.once(view, now))
        if not any(self._lacks(view, agency, now) for agency in view.directories):
            # A week is published once, and with everybody's numbers.
            await self._publishing.once(view, now)

    def _since_when(self, partnership: bytes, now: int) -> int:
        """Return after when an end has not been looked for; now and then everything is looked for again."""
        if now - self._whole.get(partnership, -_ALL_AGAIN_S) >= _ALL_AGAIN_S or now < self._since.get(partnership, 0):
            self._whole[partnership] = now
            return -1
        return self._since.get(partnership, -1)

    async def _is_due(self, view: View, since: int, now: int) -> bool:
        """Tell whether there is anything to write; a look at nothing costs readers nothing."""
        partnership = view.partnership
        async with self._core.engine.read() as connection:
            if await disclosure.grants_over(connection, partnership, since, now, 1):
                return True
            if self._ready(view, await pending.due(connection, partnership, now, _BATCH), now):
                return True
            waiting = await pending.for_shift(connection, partnership)
            return any(await shifts.changes(connection, view, waiting, now))

    async def _settle(self, view: View, since: int, now: int, connection: AsyncConnection) -> list[bytes] | None:
        """Write a batch of what is due and return the feeds that it is in; None where the directories have moved."""
        core, partnership = self._core, view.partnership
        if view.moved(await directory.heads(connection, partnership)):
            return None
        over = await disclosure.grants_over(connection, partnership, since, now, _BATCH, hold=True)
        done = await ending.end_all(connection, partnership, over, now, ending.EXPIRE)
        due = self._ready(view, await pending.due(connection, partnership, now, _BATCH, hold=True), now)
        begun = await self._begun(connection, view, due, now)
        await pending.remove(connection, partnership, due)
        waiting = await pending.for_shift(connection, partnership, hold=True)
        drops, puts = await shifts.changes(connection, view, waiting, now)
        await feeds.append(connection, partnership, [*done.entries, *drops], core.random)
        # After the drops: a drop ends every earlier put of its name, also one of the same transaction.
        await feeds.append(connection, partnership, [*begun, *puts], core.random)
        await ledger.append(connection, partnership, done.leaves, core.random)
        return [entry.feed for entry in (*done.entries, *drops, *begun, *puts)]

    def _ready(self, view: View, due: Sequence[Waiting], now: int) -> list[Waiting]:
        """Return what can begin: what nobody here can decide, for want of its owner's pack, waits for it."""
        return [one for one in due if not self._lacks(view, one.agency, now)]

    def _lacks(self, view: View, agency: bytes, now: int) -> bool:
        owner = view.directories.get(agency)
        return owner is not None and self._core.rules.lacks(owner.packs, now)

    async def _begun(self, connection: AsyncConnection, view: View, due: Sequence[Waiting], now: int) -> list[NewEntry]:
        """Return the entries of grants that begin, as far as what they give is open now."""
        stored = await reports.stored(connection, view.partnership, sorted({one.digest for one in due}))
        names = {one.digest: (one.agency, read_manifest(one.manifest).report_id) for one in stored.values()}
        closed = await reclassifying.protected(connection, view.partnership, set(names.values()))
        found = list[NewEntry]()
        for one in due:
            report = stored.get(one.digest)
            if report is None or (one.not_after is not None and one.not_after <= now):
                continue
            entries = self._given(view, one, report, now)
            if names[one.digest] in closed:
                entries = reclassifying.narrow(self._core, view, one.agency, entries, now)
            found += entries
        return found

    def _given(self, view: View, one: Waiting, report: Stored, now: int) -> list[NewEntry]:
        rules, owner = self._core.rules, view.directories.get(one.agency)
        receiver = view.as_receiver(one.recipient, one.agency, now, scene_of(report.tiers))
        pack = None if owner is None else rules.now(owner.packs, now)
        if owner is None or receiver is None or pack is None:
            return []
        slots = rules.slots(pack, read_manifest(report.manifest).kind, owner.sector, receiver)
        kept = keep_wraps(one.wraps, given(rules, pack, slots, receiver, one.gateway))
        return [one.entry()._replace(wraps=encode(kept))] if kept else []
