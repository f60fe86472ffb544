"""What the writer does with pushed reports, grants and records: the part that depends on what is stored.

Many pushes come at once and are applied in their order, as if they were one; everything that an earlier check relied
on (the directories' heads, an unused report id, the heads of a report) is read again here, inside the transaction.
Source: docs/protocol.md section 6.

> INVARIANT: an outcome, its receipt and its effect are in one transaction, and the feeds' and ledgers' numbers are
> taken by its last statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.records import Case, CaseKind
from sluss_schemas.sync import Outcome, OutcomeCode, PushAnswer
from sluss_server.services import reclassifying
from sluss_server.services.checking import Checked, Unusable
from sluss_server.services.core import Core
from sluss_server.services.grants import CheckedGrant
from sluss_server.services.opening import CheckedRecord
from sluss_server.services.reclassifying import Report
from sluss_server.services.versions import Place, Versions
from sluss_server.services.writing import Writes
from sluss_server.storage import culling, directory, disclosure, feeds, reports
from sluss_server.storage.feeds import NewEntry
from sluss_server.storage.pending import Pending
from sluss_server.storage.reports import OutcomeRow

LIVE: Final = frozenset({OutcomeCode.CREATED, OutcomeCode.FORKED, OutcomeCode.TRIMMED})
"""Outcomes of what is in the feeds."""


@dataclass(slots=True, kw_only=True)
class Prepared:
    """One device's push after the checks, and the directory heads that they were made against."""

    seen: tuple[directory.ChainHead, ...]
    items: list[Checked | Unusable]
    grants: list[CheckedGrant | Unusable]
    records: list[CheckedRecord | Unusable]
    now: int


@dataclass(slots=True)
class _State:
    """What is stored already, and what earlier items of this transaction added to it."""

    outcomes: dict[bytes, OutcomeRow]
    versions: Versions
    grants: set[tuple[bytes, bytes]]
    records: set[tuple[bytes, bytes]]
    reports: dict[bytes, Report]
    protected: set[Report]
    culled: set[bytes]
    over: set[Report]
    narrowed: set[Report]


CULLED: Final = "culled"


class Applying:
    """Applies prepared pushes of one partnership."""

    def __init__(self, core: Core, partnership: bytes) -> None:
        """Apply to this partnership."""
        self._core: Final = core
        self._partnership: Final = partnership

    async def run(self, connection: AsyncConnection, pushes: Sequence[Prepared]) -> list[PushAnswer | None]:
        """Apply pushes in their order; None for one whose checks were made against directories that have moved."""
        heads = tuple(await directory.heads(connection, self._partnership))
        current = [push for push in pushes if push.seen == heads]
        state = await self._read(connection, current)
        writes = Writes(self._core, self._partnership)
        answers = [self._apply(push, state, writes) if push.seen == heads else None for push in pushes]
        writes.ended = state.versions.ended
        await writes.flush(connection)
        return answers

    async def _read(self, connection: AsyncConnection, pushes: Sequence[Prepared]) -> _State:
        held = [
            record.release
            for push in pushes
            for record in push.records
            if isinstance(record, CheckedRecord) and record.release is not None
        ]
        await reports.lock(connection, self._partnership, sorted({one.digest for one in held}))
        items = [item for push in pushes for item in push.items if isinstance(item, Checked)] + held
        loose = [grant for push in pushes for grant in push.grants if isinstance(grant, CheckedGrant)]
        opened = [record for push in pushes for record in push.records if isinstance(record, CheckedRecord)]
        # Also of those that were refused: what is stored answers for them.
        everything = [one.digest for push in pushes for one in (*push.items, *push.grants, *push.records)]
        everything += [one.grant.digest for one in loose] + [one.digest for one in held]
        granted = [*loose, *(grant for item in items for grant in item.grants)]
        ids = sorted({item.manifest.report_id for item in items})
        known = await reports.versions_of(connection, self._partnership, ids)
        # An amendment takes back from the feeds that hold its parents; a first version may meet another agency's.
        later = {item.manifest.report_id for item in items if item.manifest.version > 1}
        firsts: dict[bytes, set[bytes]] = {}
        for item in items:
            if item.manifest.version == 1:
                firsts.setdefault(item.manifest.report_id, set()).add(item.agency)
        wanted = [
            one.digest for one in known if one.report_id in later or firsts.get(one.report_id, set()) - {one.agency}
        ]
        placed = await feeds.placed(connection, self._partnership, wanted)
        view = self._core.directories.known(self._partnership)
        about = {one.grant.digest for one in loose}
        about |= {one.record.digest for one in opened if _locks(one) and one.record.digest is not None}
        named = await reports.names_of(connection, self._partnership, sorted(about))
        asked = {*named.values(), *((one.agency, one.report_id) for one in known)}
        protected = await reclassifying.protected(connection, self._partnership, asked, lock=True)
        # After the lock, because what is culled meanwhile is not there any more.
        everything += [one.record.digest for one in opened if one.record.digest is not None]
        stubs = await culling.stubs(connection, self._partnership, sorted(set(everything)), ids)
        return _State(
            await reports.outcomes_of(connection, self._partnership, sorted(set(everything))),
            Versions(known, placed, view.has_feed),
            await disclosure.known_grants(
                connection, self._partnership, sorted({one.grant.grant_id for one in granted})
            ),
            await disclosure.known_records(
                connection,
                self._partnership,
                [(one.agency, name) for one in opened for name in (one.record.record, one.needs) if name is not None],
            ),
            named,
            protected,
            {one.digest for one in stubs},
            {(one.agency, one.report_id) for one in stubs},
            {one.report for one in await culling.all_narrowed(connection, self._partnership)} if loose else set(),
        )

    def _apply(self, push: Prepared, state: _State, writes: Writes) -> PushAnswer:
        return PushAnswer(
            tuple(self._item(one, push.now, state, writes) for one in push.items),
            tuple(self._grant(one, push.now, state, writes) for one in push.grants),
            tuple(self._record(one, push.now, state, writes) for one in push.records),
        )

    def _item(self, one: Checked | Unusable, now: int, state: _State, writes: Writes) -> Outcome:
        if (known := _known(one, state)) is not None:
            return known
        if isinstance(one, Unusable):
            return writes.unusable(one, now)
        if (one.agency, one.manifest.report_id) in state.over:
            return Outcome(one.digest, OutcomeCode.REFUSED, CULLED, "manifest.report_id")
        place = state.versions.place(one)
        if isinstance(place, Outcome):
            return place
        if _grants_taken(one, state):
            return Outcome(one.digest, OutcomeCode.ID_CONFLICT, "id_conflict", "grants")
        self._protect(one, state)
        quarantine = one.quarantine or place.quarantine
        outcome = _live_outcome(one, place) if quarantine is None else OutcomeCode.QUARANTINED
        row = writes.report(one, place, outcome, quarantine)
        state.outcomes[one.digest] = row
        state.versions.add(one, place, live=quarantine is None)
        if quarantine is None:
            self._follow(one, state, writes)
        return _answer(row)

    def _protect(self, one: Checked, state: _State) -> None:
        """Leave out what others would get of a report at a protected place."""
        if (one.agency, one.manifest.report_id) in state.protected:
            kept = self._narrowed(one.agency, one.entries, one.at)
            one.entries, one.trimmed, one.facts = kept, one.trimmed or kept != one.entries, None
            for grant in one.grants:
                grant.pending = self._still(one.agency, grant.pending, one.at)

    def _still(self, owner: bytes, waiting: list[Pending], at: int) -> list[Pending]:
        """Return what stays of what a grant has yet to give of a report at a protected place."""
        return [one._replace(entry=entry) for one in waiting for entry in self._narrowed(owner, [one.entry], at)]

    def _narrowed(self, owner: bytes, entries: list[NewEntry], at: int) -> list[NewEntry]:
        view = self._core.directories.known(self._partnership)
        return reclassifying.narrow(self._core, view, owner, entries, at)

    def _follow(self, one: Checked, state: _State, writes: Writes) -> None:
        """Do what follows from a version that is now in the feeds: its grants, and what it takes back."""
        for grant in one.grants:
            state.grants.add((grant.agency, grant.grant.grant_id))
            state.outcomes[grant.digest] = writes.grant(grant)
        state.versions.give(one.entries)
        writes.entries += state.versions.drops(one)

    def _grant(self, one: CheckedGrant | Unusable, now: int, state: _State, writes: Writes) -> Outcome:
        if (known := _known(one, state)) is not None:
            return known
        if isinstance(one, Unusable):
            return writes.unusable(one, now)
        if one.grant.digest in state.culled:
            return Outcome(one.digest, OutcomeCode.REFUSED, CULLED, "grant.digest")
        if state.reports.get(one.grant.digest) in state.narrowed:
            return Outcome(one.digest, OutcomeCode.REFUSED, "not_allowed", f"grant.{one.grant.gateway}.hold")
        target = state.outcomes.get(one.grant.digest)
        if target is None or OutcomeCode(target.outcome) not in LIVE:
            # It was to come in the same push, and did not.
            return Outcome(one.digest, OutcomeCode.RETRY, "not_found", "grant.digest")
        name = (one.agency, one.grant.grant_id)
        if name in state.grants:
            return Outcome(one.digest, OutcomeCode.ID_CONFLICT, "id_conflict", "grant.grant_id")
        if state.reports.get(one.grant.digest) in state.protected:
            kept = self._narrowed(one.agency, one.entries, one.at)
            waits = self._still(one.agency, one.pending, one.at)
            one.trimmed = one.trimmed or kept != one.entries or waits != one.pending
            one.entries, one.pending = kept, waits
            if not kept and not waits:
                return Outcome(one.digest, OutcomeCode.REFUSED, "not_allowed", f"grant.{one.grant.gateway}.receivers")
        state.grants.add(name)
        row = writes.grant(one)
        writes.entries += one.entries
        state.versions.give(one.entries)
        state.outcomes[one.digest] = row
        return _answer(row)

    def _record(self, one: CheckedRecord | Unusable, now: int, state: _State, writes: Writes) -> Outcome:
        if (known := _known(one, state)) is not None:
            return known
        if isinstance(one, Unusable):
            return writes.unusable(one, now)
        if one.record.digest in state.culled:
            return Outcome(one.digest, OutcomeCode.REFUSED, CULLED, "record.digest")
        name = (one.agency, one.record.record)
        if name in state.records:
            return Outcome(one.digest, OutcomeCode.ID_CONFLICT, "id_conflict", "record.record")
        if one.needs is not None and (one.agency, one.needs) not in state.records:
            # It was to come in the same push, and did not.
            return Outcome(one.digest, OutcomeCode.RETRY, "not_found", "record.follows")
        if one.release is not None and (refused := self._release(one.release, now, state, writes)) is not None:
            return Outcome(one.digest, refused.outcome, refused.reason, refused.field)
        state.records.add(name)
        row = writes.record(one)
        state.outcomes[one.digest] = row
        return _answer(row)

    def _release(self, one: Checked, now: int, state: _State, writes: Writes) -> Outcome | None:
        """Take a version out of quarantine, or return why it stays there."""
        place = state.versions.release(one)
        if isinstance(place, Outcome):
            return place
        self._protect(one, state)
        if _grants_taken(one, state):
            return Outcome(one.digest, OutcomeCode.REFUSED, "id_conflict", "grants")
        state.outcomes[one.digest] = writes.release(one, _live_outcome(one, place), now)
        state.versions.add(one, place, live=True)
        self._follow(one, state, writes)
        return None


def _locks(one: CheckedRecord) -> bool:
    """Tell whether a record decides what becomes of a report, so that nobody may meanwhile decide otherwise."""
    return isinstance(one.record, Case) and one.record.kind in {CaseKind.RECLASSIFY, CaseKind.HOLD}


def _live_outcome(one: Checked, place: Place) -> OutcomeCode:
    if place.forked:
        return OutcomeCode.FORKED
    return OutcomeCode.TRIMMED if one.trimmed else OutcomeCode.CREATED


def _grants_taken(one: Checked, state: _State) -> bool:
    """Tell whether the id of a grant that travels with a version is used, or is used twice in it."""
    taken = {(grant.agency, grant.grant.grant_id) for grant in one.grants}
    return len(taken) != len(one.grants) or not taken.isdisjoint(state.grants)


def _known(one: Checked | Unusable | CheckedGrant | CheckedRecord, state: _State) -> Outcome | None:
    """Return the outcome of something that was pushed before, by its own agency."""
    row = state.outcomes.get(one.digest)
    if row is None or row.agency != one.agency:
        return None
    answer = _answer(row)
    if row.digest in state.culled:
        return Outcome(row.digest, OutcomeCode.GONE, CULLED, None, row.receipt, row.receipt_signature)
    if answer.outcome in LIVE:
        return Outcome(row.digest, OutcomeCode.DUPLICATE, None, None, row.receipt, row.receipt_signature)
    return answer


def _answer(row: OutcomeRow) -> Outcome:
    return Outcome(row.digest, OutcomeCode(row.outcome), row.reason, row.field, row.receipt, row.receipt_signature)
