"""The facts of reports and the counts that are made of them, in the transaction that stores the reports.

A report counts once, whatever its versions: an amendment takes out what its predecessor told, and of two versions that
stand side by side the one counts that came first.
What leaves because its place became a protected one is taken out of the owner's counts and of all that is published
later; where a publication has counted it, it stays counted for publications, so that no later revision shows a notch.
What no publication has counted yet, because it came after the last one of its week, is in no later one either.
Where an author has said that what happened counts by another report, this one is in its own agency's counts and not in
what is published; that a link lies in the sealed sections of both is all that is known here, and not which reports.
Source: docs/secrecy-rules.md B7 13 and B8.

> INVARIANT: the counts are those of the facts that are stored and of those that were culled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import msgpack
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.manifest import read_manifest
from sluss_server.aggregates.catalogue import Fact, is_counted, tally
from sluss_server.aggregates.cells import SUM, day_of, week_of
from sluss_server.services.rules import Rules
from sluss_server.storage import facts, published, rollups
from sluss_server.storage.facts import FactsRow
from sluss_server.storage.rollups import CountKey, StaffKey

_values: Final = msgpack.Decoder(tuple[int | tuple[int, ...] | None, ...])
_BATCH: Final = 500
Report = tuple[bytes, bytes]
"""An agency and a report id."""


class Counted(NamedTuple):
    """A version's facts, the report that it is of, the pack that it was filed under, and whether it amends.

    `counts` is whether what happened counts by it, for others; None is as the version before.
    """

    row: FactsRow
    report: Report
    pack: bytes
    amends: bool
    counts: bool | None = None


class Changes:
    """What a transaction changes in the counts."""

    def __init__(self, rules: Rules) -> None:
        """Begin with nothing."""
        self._rules: Final = rules
        self._counts: Final[dict[CountKey, tuple[int, int]]] = {}
        self._staff: Final[dict[StaffKey, int]] = {}

    def add(self, row: FactsRow, pack: bytes, sign: int = 1, *, keep: bool = False) -> None:
        """Add the counts of a report, or take them out (`sign` -1); with `keep` not from publications."""
        known = self._rules.pack(pack)
        if known is None or not is_counted(known, row.kind):
            return
        day = day_of(row.time, known.zone)
        values: tuple[Fact, ...] = _values.decode(row.coded)
        staff = known.kinds[row.kind].contributors > 1
        for (dim, value), number in tally(known, row.kind, values):
            key = CountKey(row.partnership_id, row.agency, dim, row.kind, day, row.scene, value)
            count, kept = self._counts.get(key, (0, 0))
            self._counts[key] = (count + sign * number, kept - sign * number if keep or row.elsewhere else kept)
            if staff and value != SUM and not keep and not row.elsewhere:
                who = StaffKey(
                    row.partnership_id, row.kind, week_of(day), row.agency, dim, value, row.scene, row.contributor
                )
                self._staff[who] = self._staff.get(who, 0) + sign

    def week(self, row: FactsRow, pack: bytes) -> int:
        """Return the week that a report counts in; of a pack that is not known, none."""
        known = self._rules.pack(pack)
        return -1 if known is None else week_of(day_of(row.time, known.zone))

    async def write(self, connection: AsyncConnection) -> None:
        """Write them."""
        await rollups.add(connection, self._counts, self._staff)


async def write(
    rules: Rules,
    connection: AsyncConnection,
    partnership: bytes,
    *,
    new: Mapping[bytes, Counted],
    ended: Sequence[bytes],
    closed: Sequence[bytes] = (),
) -> None:
    """Write the facts of new versions, take out those that they follow, and those whose place is protected now."""
    pending, changes = await _settled(connection, partnership, new, ended), Changes(rules)
    gone = [digest for digest in ended if pending.pop(digest, None) is None]
    for digest in closed:
        pending.pop(digest, None)
    await _take_out(connection, partnership, gone, changes)
    await _take_out(connection, partnership, [one for one in closed if one not in gone], changes, keep=True)
    counted = await _counted_once(connection, partnership, pending)
    for one in counted:
        changes.add(one.row, one.pack)
    await facts.insert(connection, [one.row for one in counted])
    await changes.write(connection)


async def recount(rules: Rules, connection: AsyncConnection, partnership: bytes) -> None:
    """Count what was filed before there were counts, and forget the facts that do not count."""
    changes, seen, spare = Changes(rules), set[Report](), list[bytes]()
    async for row, manifest_bytes, head in facts.everything(connection, partnership):
        manifest = read_manifest(manifest_bytes)
        report = (manifest.agency, manifest.report_id)
        if head and report not in seen:
            seen.add(report)
            changes.add(row, manifest.pack)
        else:
            spare.append(row.digest)
    for first in range(0, len(spare), _BATCH):
        await facts.forget(connection, partnership, spare[first : first + _BATCH])
    await changes.write(connection)


async def _settled(
    connection: AsyncConnection, partnership: bytes, new: Mapping[bytes, Counted], ended: Sequence[bytes]
) -> dict[bytes, Counted]:
    """Return new versions with what is true of each: what it does not say is as the version before had it."""
    before = dict[Report, bool]()
    if any(one.amends and one.counts is None for one in new.values()):
        stored = await facts.stored(connection, partnership, [digest for digest in ended if digest not in new])
        for row, manifest_bytes in stored:
            before[row.agency, read_manifest(manifest_bytes).report_id] = row.elsewhere
    found = dict[bytes, Counted]()
    for digest, one in new.items():
        elsewhere = before.get(one.report, False) if one.counts is None else not one.counts
        before[one.report] = elsewhere
        found[digest] = one._replace(row=one.row._replace(elsewhere=elsewhere))
    return found


async def _counted_once(
    connection: AsyncConnection, partnership: bytes, pending: Mapping[bytes, Counted]
) -> list[Counted]:
    """Return of new versions those whose report has no other that counts."""
    amended = {one.report for one in pending.values() if one.amends}
    counting = await facts.reports_with(connection, partnership, sorted(amended)) if amended else set[Report]()
    found = list[Counted]()
    for one in pending.values():
        if one.report not in counting:
            counting.add(one.report)
            found.append(one)
    return found


async def _take_out(
    connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes], changes: Changes, *, keep: bool = False
) -> None:
    """Take the facts of versions out of what is counted."""
    stored = [
        (row, read_manifest(manifest_bytes).pack)
        for row, manifest_bytes in await facts.stored(connection, partnership, digests)
    ]
    last, arrived = dict[tuple[int, int], int](), dict[bytes, int]()
    if keep and stored:
        kinds, weeks = {row.kind for row, _ in stored}, {changes.week(row, pack) for row, pack in stored}
        last = await published.last(connection, partnership, kinds, weeks)
        arrived = await facts.arrived(connection, partnership, [row.digest for row, _ in stored])
    for row, pack in stored:
        then = last.get((row.kind, changes.week(row, pack)))
        changes.add(row, pack, -1, keep=then is not None and arrived[row.digest] <= then)
    await facts.forget(connection, partnership, [row.digest for row, _ in stored])
