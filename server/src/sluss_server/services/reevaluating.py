"""What feeds hold, decided again when another pack comes into force or what agreements open changes.

Delivery decides again by itself; this takes back what devices have already. What is open no longer is dropped, and what
is open in part is dropped and put again with less.
What a suspended agreement gave is withheld and not taken back, because the agreement may be resumed.
Refuses to take anything back for what is only missing here: without a pack or a known receiver nothing is delivered,
and nothing is dropped either.
Source: docs/secrecy-rules.md B6, B7 6 and 8.

> INVARIANT: nothing is widened: what was left out of a seal or taken back stays so until somebody seals anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.agreeing import Standing, standing
from sluss_schemas.codec import encode
from sluss_schemas.disclosure import ended
from sluss_schemas.policy import agreements
from sluss_schemas.policy.answers import Receiver
from sluss_server.services import ending
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.recipients import given, keep_wraps, scene_of
from sluss_server.storage import directory, disclosure, feeds, ledger
from sluss_server.storage.feeds import BASE, GRANT, Live, NewEntry

_BATCH: Final = 500
_BATCHES: Final = 4
"""How many batches one look reads, so that a large store is gone through without others waiting."""
_START: Final = (b"", 0)
_NO_WRAPS: Final = encode(())


@dataclass(slots=True)
class _Round:
    """How far one look at everything has come, and for which state of packs and agreements it is made."""

    state: object = None
    at: tuple[bytes, int] | None = None
    agreements: tuple[Standing, ...] = ()
    heads: object = None

    def know(self, view: View) -> None:
        """Take in the agreements as the directories have them now."""
        if self.heads != view.state:
            # One that is suspended may be resumed, and what it gave is withheld meanwhile; its end takes that back.
            self.agreements, self.heads = standing(view.directories, suspended=True), view.state


@dataclass(slots=True)
class Reevaluating:
    """Goes through the feeds once for each change; the state that was gone through is kept in memory alone."""

    core: Core
    rounds: dict[bytes, _Round] = field(default_factory=dict)

    async def once(self, view: View, now: int) -> set[bytes]:
        """Go on where the last look ended; return the feeds that lost something."""
        found = self.rounds.setdefault(view.partnership, _Round())
        found.know(view)
        state = self._state(view, found.agreements, now)
        if found.state != state:
            found.state, found.at = state, _START
        touched = set[bytes]()
        for _ in range(_BATCHES):
            if found.at is None:
                break
            async with self.core.engine.read() as connection:
                rows = await feeds.live(connection, view.partnership, found.at, _BATCH)
            lost = [row for row in rows if self.left(view, row, now) is not None]
            if lost:
                taken: bool = await self.core.writer.submit(partial(self._take, view, lost, now))
                if not taken:
                    # The directories have moved; the next look begins with the new ones.
                    found.state = None
                    break
                touched |= {row.feed for row in lost}
            found.at = (rows[-1].feed, rows[-1].seq) if len(rows) == _BATCH else None
        return touched

    def _state(self, view: View, known: Sequence[Standing], now: int) -> object:
        """Return what decides what is open: each agency's pack in force, its parts in agreements, and their times.

        One that is over, and whether it has begun, is part of it: it may have been in force between two looks.
        """
        directories = sorted(view.directories.items())
        packs = [(agency, self.core.rules.now(one.packs, now)) for agency, one in directories]
        parts = [(agency, name, part.state) for agency, one in directories for name, part in one.agreements.items()]
        times = sorted((one.terms.agreement, one.begins <= now, now < one.ends) for one in known)
        return packs, parts, times

    def left(self, view: View, row: Live, now: int) -> bytes | None:
        """Return the wraps that stay of an entry that holds more than is open now; None where all of them stay."""
        owner = view.directories.get(row.agency)
        receiver = self._receiver(view, row, now)
        pack = None if owner is None else self.core.rules.now(owner.packs, now)
        if owner is None or receiver is None or pack is None or row.via not in {BASE, GRANT}:
            return None
        slots = self.core.rules.slots(pack, row.kind, owner.sector, receiver)
        open_ = slots.open | slots.held
        if row.via == GRANT:
            open_ = given(self.core.rules, pack, slots, receiver, row.gateway or "")
        kept = encode(keep_wraps(row.wraps, open_))
        return None if kept == row.wraps else kept

    def _receiver(self, view: View, row: Live, now: int) -> Receiver | None:
        receiver, found = view.as_receiver(row.recipient, row.agency), view.receiver(row.recipient)
        known = self.rounds[view.partnership].agreements
        if receiver is None or found is None or receiver.own or receiver.named or not known:
            return receiver
        scene = scene_of(row.tiers)
        cells = agreements.agreed(known, row.agency, found[0].agency, view.sectors, at=now, scene=scene)
        return replace(receiver, agreed=cells)

    async def _take(self, view: View, rows: Sequence[Live], now: int, connection: AsyncConnection) -> bool:
        """Take back what is not open any more; False where the directories have moved meanwhile."""
        partnership = view.partnership
        if view.moved(await directory.heads(connection, partnership)):
            return False
        digests = sorted({row.digest for row in rows})
        before = await feeds.held(connection, partnership, digests)
        still = {(one.feed, one.digest, one.via, one.grant_id) for one in before}
        lost = [row for row in rows if (row.feed, row.digest, row.via, row.grant_id) in still]
        await feeds.append(connection, partnership, [_drop(row) for row in lost], self.core.random)
        # After the drops: a drop ends every earlier put of its name, also one of the same transaction.
        await feeds.append(connection, partnership, self._again(view, lost, now), self.core.random)
        held = {one.grant_id for one in await feeds.held(connection, partnership, digests)}
        over = {(row.agency, row.grant_id) for row in lost if row.grant_id is not None and row.grant_id not in held}
        names = await disclosure.grants_named(
            connection, partnership, sorted({one[0] for one in over}), sorted({one[1] for one in over})
        )
        lapsed = [one for one in names if (one.agency, one.grant_id) in over]
        done = await ending.end_all(connection, partnership, lapsed, now, ending.EXPIRE)
        await ledger.append(connection, partnership, done.leaves, self.core.random)
        return True

    def _again(self, view: View, rows: Sequence[Live], now: int) -> list[NewEntry]:
        """Return the entries of which something stays."""
        found = list[NewEntry]()
        for row in rows:
            wraps = self.left(view, row, now)
            if wraps is not None and wraps != _NO_WRAPS:
                found.append(
                    NewEntry(
                        row.feed,
                        "put",
                        row.digest,
                        row.via,
                        row.recipient,
                        row.grant_id,
                        row.gateway,
                        row.not_after,
                        row.seal,
                        wraps,
                    )
                )
        return found


def _drop(row: Live) -> NewEntry:
    return NewEntry(row.feed, "drop", row.digest if row.grant_id is None else ended(row.digest, row.grant_id))
