"""Culling: reports go when the time has run out for which the pack keeps them, and a legal hold keeps them beyond it.

A report is as old as its latest version, by the server's own time of receipt; how long it is kept says the pack that is
in force now for its owner. What the pack names no time for is never culled.
Some kinds are shown for a few hours of that time; then nobody but the own supervisors has them.
Its ciphertexts, seals, wraps, excerpts and facts go, every feed that held it gets an `erase`, and a stub stays, so that
whoever brings it again is told that it is gone.
Under a hold nothing of it goes, and nobody but the own supervisors has it any more, each time for a reason; so it is
with what is shown no longer, until it goes.
The grants and case records about it go later, when the last of them has been over for as long as the pack keeps those.
Source: docs/secrecy-rules.md B7 30 and B8; docs/protocol.md section 6.

> INVARIANT: nothing is culled that is younger than the pack says, or that a hold is on, at the moment of the commit.
> INVARIANT: what is narrowed opens by a supervisor's record alone, and no grant of it is in force.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.ids import NO_SCENE
from sluss_schemas.ledger import Act
from sluss_schemas.manifest import read_manifest
from sluss_schemas.policy import visible
from sluss_schemas.policy.model import Pack
from sluss_server.services import ending, holding
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.resting import Resting
from sluss_server.storage import culling, directory, facts, feeds, ledger, reports
from sluss_server.storage.culling import Age, Report, Stub
from sluss_server.storage.feeds import NewEntry, audience_feed
from sluss_server.storage.ledger import Leaf

LOOK_EVERY_S: Final = 3_600
"""Times are in days, and devices keep to those in hours by themselves, so a look in an hour is often enough."""
DAY_S: Final = 86_400
_BATCH: Final = 25
"""Reports of one transaction: each has a few versions in a few feeds, so that others wait for some ten milliseconds."""
_BATCHES: Final = 4
_AT_ONCE: Final = 500
"""Reports that one question to the database names."""
RETENTION: Final = "retention"


@dataclass(slots=True)
class _Done:
    """What a transaction did and when, to be written last."""

    at: int
    entries: list[NewEntry] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _State:
    """What is to become of a report: whether its time has run out, what holds it, and whether it is shown no longer."""

    versions: Sequence[Age]
    over: bool
    hold: bytes | None
    hidden: bool

    @property
    def gone(self) -> bool:
        """Whether it goes."""
        return self.over and self.hold is None

    @property
    def narrow(self) -> bool:
        """Whether it stays for the own supervisors alone."""
        return not self.gone and (self.over or self.hidden)

    def moves(self, narrowed_at: int | None) -> bool:
        """Tell whether anything has to be done, when it was narrowed then or is not.

        A later version went to everybody whom it was sealed to, also where it is shown no longer.
        """
        if narrowed_at is None or not self.narrow:
            return True
        return max(one.received_at for one in self.versions) >= narrowed_at


class Culling:
    """Goes through what is over, a bounded part at a time."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._resting: Final = Resting(core)
        self._looked: Final[dict[bytes, int]] = {}
        self._lies = False

    async def once(self, view: View, now: int) -> set[bytes]:
        """Cull what is over, as far as it is time to look; return the feeds that were told."""
        if self._lies:
            self._lies = not await self._core.engine.settle()
        partnership = view.partnership
        last = self._looked.get(partnership)
        if last is not None and last <= now < last + LOOK_EVERY_S:
            return set()
        touched, more, changed = set[bytes](), True, False
        for _ in range(_BATCHES):
            found = await self._found(view, now)
            if not found:
                more = False
                break
            told = await self._core.writer.submit(partial(self._take, view, found, now))
            if told is None:
                # The directories have moved; the next look has the new ones.
                return touched
            touched, changed = touched | told, True
        more = await self._resting.once(view, now, touched) or more
        # What was in quarantine alone was in no feed.
        if touched or changed:
            self._lies = not await self._core.engine.settle()
        if not more:
            self._looked[partnership] = now
        return touched

    async def _found(self, view: View, now: int) -> list[Report]:
        """Return some reports that are over, or that a hold kept and keeps no longer."""
        found = list[Report]()
        async with self._core.engine.read() as connection:
            for agency, before, kinds in self._terms(view, now):
                left = _BATCH - len(found)
                if left <= 0:
                    return found
                over = await culling.over(connection, view.partnership, agency, kinds, before, limit=left)
                found += [(agency, report_id) for report_id in over]
            shut = {one.report: one.narrowed_at for one in await culling.all_narrowed(connection, view.partnership)}
            shown = [
                (agency, report_id)
                for agency, kinds in self._shown_kinds(view, now)
                for report_id in await culling.shown(connection, view.partnership, agency, kinds)
            ]
            every = [*sorted(shut), *shown]
            for start in range(0, len(every), _AT_ONCE):
                states = await self._states(view, connection, set(every[start : start + _AT_ONCE]), now)
                found += [
                    report
                    for report, state in states.items()
                    if (state.moves(shut[report]) if report in shut else state.narrow)
                ]
        return list(dict.fromkeys(found))[:_BATCH]

    async def _states(
        self, view: View, connection: AsyncConnection, wanted: Collection[Report], now: int
    ) -> dict[Report, _State]:
        """Return what is to become of reports."""
        versions = dict[Report, list[Age]]()
        for one in await culling.ages(connection, view.partnership, wanted):
            versions.setdefault((one.agency, one.report_id), []).append(one)
        every = [one for some in versions.values() for one in some]
        kept = await holding.held(connection, view.partnership, every, now)
        return {
            report: _State(
                some,
                over=self._is_over(view, some, now),
                hold=kept.get(report),
                hidden=self._is_hidden(view, some, now),
            )
            for report, some in versions.items()
        }

    def _shown_kinds(self, view: View, now: int) -> Iterable[tuple[bytes, list[int]]]:
        """Yield for each agency the clear kinds that are shown for some hours only."""
        for agency in sorted(view.directories):
            pack = self._pack(view, agency, now)
            kinds = {} if pack is None else pack.kinds
            hours = {number: one.retention.visible_hours for number, one in kinds.items() if one.retention is not None}
            if found := sorted(number for number, some in hours.items() if some is not None):
                yield agency, found

    def _is_hidden(self, view: View, versions: Sequence[Age], now: int) -> bool:
        """Tell whether the time is over for which a report is shown to more than the own supervisors."""
        newest = max(versions, key=lambda one: one.received_at)
        owner, pack = view.directories.get(newest.agency), self._pack(view, newest.agency, now)
        if owner is None or pack is None or newest.kind not in pack.kinds:
            return False
        observed = read_manifest(newest.manifest).time
        end = visible.until(pack, newest.kind, owner.sector, observed=observed, received_at=newest.received_at)
        return end is not None and end <= now

    def _terms(self, view: View, now: int) -> Iterable[tuple[bytes, int, list[int]]]:
        """Yield for each agency up to when it has to be older, and the clear kinds for which that holds."""
        for agency, one in sorted(view.directories.items()):
            pack = self._pack(view, agency, now)
            by_days = dict[int, set[int]]()
            for kind in {} if pack is None else {pack.clear_kind(number) for number in pack.kinds}:
                days = None if pack is None else pack.kept_days(kind, one.sector)
                if days is not None:
                    by_days.setdefault(days, set()).add(kind)
            for days, kinds in sorted(by_days.items()):
                yield agency, now - days * DAY_S, sorted(kinds)

    def _pack(self, view: View, agency: bytes, now: int) -> Pack | None:
        owner, rules = view.directories.get(agency), self._core.rules
        digest = None if owner is None else rules.now(owner.packs, now)
        return None if digest is None else rules.pack(digest)

    def _is_over(self, view: View, versions: Sequence[Age], now: int) -> bool:
        """Tell whether the time of a report has run out; never where nobody says how long it is."""
        if not versions:
            return False
        newest = max(versions, key=lambda one: one.received_at)
        owner, pack = view.directories.get(newest.agency), self._pack(view, newest.agency, now)
        days = None if owner is None or pack is None else pack.kept_days(newest.kind, owner.sector)
        return days is not None and newest.received_at + days * DAY_S <= now

    async def _take(
        self, view: View, wanted: Collection[Report], now: int, connection: AsyncConnection
    ) -> set[bytes] | None:
        """Cull or narrow these reports, each decided again; None where the directories have moved."""
        partnership = view.partnership
        if view.moved(await directory.heads(connection, partnership)):
            return None
        seen = await culling.ages(connection, partnership, set(wanted))
        # Whoever amends a report, gives anything of it or lays a hold on it takes the same lock.
        await reports.lock(connection, partnership, sorted(one.digest for one in seen))
        states = await self._states(view, connection, wanted, now)
        shut = {one.report: one.narrowed_at for one in await culling.all_narrowed(connection, partnership)}
        done = _Done(now)
        closing = {report for report, state in states.items() if state.narrow and state.moves(shut.get(report))}
        for report in sorted(closing):
            await self._narrow(view, connection, states[report], done)
        gone = {report for report, state in states.items() if state.gone}
        await self._cull(view, connection, [one for report in sorted(gone) for one in states[report].versions], done)
        # What was amended since is as young as its amendment.
        opened = {report for report, state in states.items() if not state.narrow and report in shut}
        await culling.widen(connection, partnership, gone | opened | (closing & shut.keys()))
        await culling.narrow(connection, partnership, closing, now)
        await feeds.append(connection, partnership, done.entries, self._core.random)
        await ledger.append(connection, partnership, done.leaves, self._core.random)
        return {entry.feed for entry in done.entries}

    async def _narrow(self, view: View, connection: AsyncConnection, state: _State, done: _Done) -> None:
        """Take a report from everybody but the own supervisors, for whom it is held back as ever."""
        versions = state.versions
        partnership, agency = view.partnership, versions[0].agency
        digests = sorted(one.digest for one in versions)
        filed = await culling.grants_about(connection, partnership, digests)
        ended = await ending.end_all(connection, partnership, [one.named() for one in filed], done.at, ending.EXPIRE)
        done.entries += ended.entries
        done.leaves += ended.leaves
        supervisors = view.directories[agency].audience_for("supervisors")
        row = b"" if supervisors is None else audience_feed(supervisors.audience, NO_SCENE)
        held = await feeds.held(connection, partnership, digests)
        for feed, digest in sorted({(one.feed, one.digest) for one in held if one.via != feeds.GRANT}):
            if feed != row:
                done.entries.append(NewEntry(feed, "drop", digest))
                await culling.end(connection, partnership, feed, digest)
        done.leaves += [_leaf(one, "narrow", done.at, about=state.hold or one.report_id) for one in versions]

    async def _cull(self, view: View, connection: AsyncConnection, versions: Sequence[Age], done: _Done) -> None:
        """Remove versions with everything that opens them, and tell every feed that holds one."""
        partnership, digests = view.partnership, sorted(one.digest for one in versions)
        filed = await culling.grants_about(connection, partnership, digests)
        ended = await ending.end_all(connection, partnership, [one.named() for one in filed], done.at, ending.EXPIRE)
        held = await feeds.held(connection, partnership, digests)
        done.entries += [
            NewEntry(feed, "erase", digest) for feed, digest in sorted({(one.feed, one.digest) for one in held})
        ]
        # Counts are permanent: what was counted of these rows stays counted, and nothing is taken off when they go.
        await facts.forget(connection, partnership, digests)
        stubs = [
            Stub(
                partnership,
                one.digest,
                one.agency,
                one.report_id,
                done.at,
                self._resting.first(view, one.agency, done.at),
            )
            for one in versions
        ]
        await culling.remove(connection, stubs)
        done.leaves += ended.leaves
        done.leaves += [_leaf(one, "cull", done.at, about=one.report_id) for one in versions]


def _leaf(one: Age, action: str, now: int, *, about: bytes) -> Leaf:
    return Leaf(one.agency, action, encode(Act(action, one.digest, b"", now, RETENTION, b"", about)))
