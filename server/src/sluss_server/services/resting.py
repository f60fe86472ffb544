"""What is about a culled report and outlives it: decisions, consents and the other case records, until their own end.

All that hangs together goes together, when the last of it has been over for as long as the pack keeps decisions.
What is about a report that is here is never looked at.
Source: docs/secrecy-rules.md B8.

> INVARIANT: a record goes only after the report that it is about, and with everything that follows it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid
from sluss_schemas.ledger import Act
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.storage import culling, disclosure, feeds, ledger
from sluss_server.storage.culling import Filed, Stub
from sluss_server.storage.disclosure import RecordRow
from sluss_server.storage.feeds import NewEntry, device_feed
from sluss_server.storage.ledger import Leaf

_BATCH: Final = 25
_DAY_S: Final = 86_400


class Resting:
    """Goes through what is left of culled reports."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    def first(self, view: View, agency: bytes, now: int) -> int | None:
        """Return when what is about a report that is culled now is looked at first."""
        return None if self._kept_s(view, agency, now) is None else now

    def _kept_s(self, view: View, agency: bytes, now: int) -> int | None:
        owner, rules = view.directories.get(agency), self._core.rules
        digest = None if owner is None else rules.now(owner.packs, now)
        pack = None if digest is None else rules.pack(digest)
        days = None if pack is None else pack.parameters.retention_decisions_days
        return None if days is None else days * _DAY_S

    async def once(self, view: View, now: int, touched: set[bytes]) -> bool:
        """Look at some; tell whether there are more, and add the feeds that were told."""
        async with self._core.engine.read() as connection:
            due = await culling.rest(connection, view.partnership, now, _BATCH)
        if due:
            touched |= await self._core.writer.submit(partial(self._take, view, due, now))
        return len(due) == _BATCH

    async def _take(self, view: View, due: list[Stub], now: int, connection: AsyncConnection) -> set[bytes]:
        partnership, entries, leaves = view.partnership, list[NewEntry](), list[Leaf]()
        for stub in due:
            filed, kept = await self._hanging(connection, stub)
            kept_s = self._kept_s(view, stub.agency, now)
            ends = [*(one.ended_at or one.received_at for one in filed), *map(_end, kept)]
            last = max(ends, default=now)
            owner = view.directories.get(stub.agency)
            if owner is not None and self._core.rules.lacks(owner.packs, now):
                await culling.look_again(connection, partnership, [stub.digest], now + _DAY_S)
            elif kept_s is None or not ends:
                await culling.look_again(connection, partnership, [stub.digest], None)
            elif last + kept_s > now:
                await culling.look_again(connection, partnership, [stub.digest], last + kept_s)
            else:
                entries += await _told(view, connection, kept)
                leaves += [_leaf(stub, row, now) for row in kept]
                await culling.remove_rest(connection, partnership, filed, kept)
                await culling.look_again(connection, partnership, [stub.digest], None)
        await feeds.append(connection, partnership, entries, self._core.random)
        await ledger.append(connection, partnership, leaves, self._core.random)
        return {entry.feed for entry in entries}

    async def _hanging(self, connection: AsyncConnection, stub: Stub) -> tuple[list[Filed], list[RecordRow]]:
        """Return the grants of a version, the records about it, and everything that follows any of them."""
        filed = await culling.grants_about(connection, stub.partnership_id, [stub.digest])
        found = {
            (row.agency, row.record_id): row
            for row in await culling.records_about(connection, stub.partnership_id, [stub.digest])
        }
        new = {one.grant_id for one in filed} | {name for _, name in found}
        while new:
            following = await disclosure.records_following(connection, stub.partnership_id, sorted(new))
            rows = {(row.agency, row.record_id): row for row in following}
            new = {name for agency, name in rows if (agency, name) not in found}
            found |= rows
        return filed, list(found.values())


def _end(row: RecordRow) -> int:
    return max(row.received_at, row.until or 0)


async def _told(view: View, connection: AsyncConnection, rows: list[RecordRow]) -> list[NewEntry]:
    """Return the entries by which those who had records, and the devices that filed them, let go of them."""
    digests = {row.record_digest: row for row in rows if row.record_digest is not None}
    placed = await feeds.placed(connection, view.partnership, sorted(digests))
    places = {(one.feed, one.digest) for one in placed if one.op == "case"}
    for digest, row in digests.items():
        owner = view.directories.get(row.agency)
        device = None if owner is None else owner.devices.get(Kid(row.device))
        if device is not None and device.revoked_at is None:
            places.add((device_feed(device.kid), digest))
    return [NewEntry(feed, "erase", digest) for feed, digest in sorted(places)]


def _leaf(stub: Stub, row: RecordRow, now: int) -> Leaf:
    act = Act("cull", row.record_digest or stub.digest, b"", now, "retention", b"", row.record_id)
    return Leaf(row.agency, act.action, encode(act))
