"""The rows of one transaction, gathered while pushes are applied and written together.

Decides nothing; it turns decisions into rows, receipts and leaves.

> INVARIANT: the feeds' and the ledgers' numbers are taken last, so that no other writer waits for them long.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.ids import NO_SCENE, Kid
from sluss_schemas.ledger import Act
from sluss_schemas.records import Case, Open
from sluss_schemas.sync import Outcome, OutcomeCode
from sluss_server.services import counting
from sluss_server.services.checking import Checked, Unusable
from sluss_server.services.core import Core
from sluss_server.services.counting import Counted
from sluss_server.services.grants import CheckedGrant
from sluss_server.services.headsets import Heads
from sluss_server.services.opening import CheckedRecord
from sluss_server.services.settling import Acted, settle
from sluss_server.services.statements import rows as stated
from sluss_server.services.versions import Place
from sluss_server.storage import disclosure, feeds, ledger, pending, reports, statements
from sluss_server.storage.disclosure import GrantRow, RecordRow
from sluss_server.storage.facts import FactsRow
from sluss_server.storage.feeds import NewEntry
from sluss_server.storage.ledger import Leaf
from sluss_server.storage.pending import Pending
from sluss_server.storage.reports import OutcomeRow, Release, ReportRow

Pushed = Checked | CheckedGrant | CheckedRecord
Why = tuple[str | None, str | None]
"""A problem code and the field that it is about."""

_TRIMMED: Final[Why] = ("not_allowed", "recipients")
_NO_REASON: Final[Why] = (None, None)
_NO_TIERS: Final = encode((None, None))
_NO_SECTIONS: Final = encode(())


class Writes:
    """What a transaction will write."""

    def __init__(self, core: Core, partnership: bytes) -> None:
        """Gather for this partnership."""
        self._core: Final = core
        self._partnership: Final = partnership
        self._reports: Final = list[ReportRow]()
        self._outcomes: Final = list[OutcomeRow]()
        self._facts: Final[dict[bytes, Counted]] = {}
        self._grants: Final = list[GrantRow]()
        self._pending: Final = list[tuple[bytes, Pending]]()
        self._records: Final = list[RecordRow]()
        self._acted: Final = list[Acted]()
        self._leaves: Final = list[Leaf]()
        self._released: Final = list[Release]()
        self._settled: Final = list[OutcomeRow]()
        self._heads: Final[dict[bytes, Heads]] = {}
        self.entries = list[NewEntry]()
        self.ended: list[bytes] = []

    def report(
        self, one: Checked, place: Place, outcome: OutcomeCode, quarantine: tuple[str, str] | None
    ) -> OutcomeRow:
        """Gather a report version and return its outcome."""
        manifest, live, now = one.manifest, quarantine is None, one.at
        self._reports.append(
            ReportRow(
                self._partnership,
                one.digest,
                one.agency,
                manifest.report_id,
                manifest.version,
                place.fork,
                manifest.kind,
                live,
                None if quarantine is None else quarantine[0],
                b"".join(manifest.parents),
                now,
                one.manifest_bytes,
                one.item.signature,
                encode(one.item.tiers) if live else _NO_TIERS,
                encode(one.item.sections) if live else _NO_SECTIONS,
                None if live else one.raw,
            )
        )
        if quarantine is not None:
            self._filed(one, "quarantine", quarantine[0])
            return self._outcome(one, outcome, quarantine, now)
        self._filed(one, "amend" if manifest.parents else "collect")
        self._live(one)
        return self._outcome(one, outcome, _TRIMMED if one.trimmed else _NO_REASON, now)

    def release(self, one: Checked, outcome: OutcomeCode, now: int) -> OutcomeRow:
        """Gather that a version leaves quarantine, and return its new outcome."""
        self._released.append(
            Release(
                head=True,
                quarantine=None,
                tiers=encode(one.item.tiers),
                sections=encode(one.item.sections),
                item=None,
                partnership_id=self._partnership,
                digest=one.digest,
            )
        )
        self._live(one)
        row = self._row(one, outcome, _TRIMMED if one.trimmed else _NO_REASON, now)
        self._settled.append(row)
        return row

    def _live(self, one: Checked) -> None:
        """Gather what goes with a version that is in the feeds."""
        self.entries += one.entries
        self._heads[one.manifest.directories] = one.item.heads
        if one.facts is not None:
            row = FactsRow(
                self._partnership,
                one.digest,
                one.agency,
                one.manifest.kind,
                one.scene or NO_SCENE,
                one.facts.time,
                encode(one.facts.values),
                one.facts.contributor,
            )
            report = (one.agency, one.manifest.report_id)
            amends, counts = bool(one.manifest.parents), one.item.counts
            self._facts[one.digest] = Counted(row, report, one.manifest.pack, amends, counts)

    def grant(self, one: CheckedGrant) -> OutcomeRow:
        """Gather a grant, without its feed entries, and return its outcome."""
        self._pending.extend((one.agency, each) for each in one.pending)
        self._grants.append(
            GrantRow(
                self._partnership,
                one.agency,
                one.grant.grant_id,
                one.grant.digest,
                one.grant.gateway,
                one.at,
                one.item.grant,
                one.item.signature,
                one.item.decider,
                one.item.reasons,
                one.grant.not_before,
                one.grant.not_after,
                one.grant.basis,
                encode(one.item.excerpts) if one.item.excerpts else None,
            )
        )
        self._leaf(
            one.agency,
            "disclose",
            one.grant.digest,
            one.grant.grant_id,
            one.at,
            who=hashlib.sha256(one.item.decider).digest(),
            code=one.grant.gateway,
            pack=one.grant.pack,
            slots=sum(1 << slot for slot in set(one.grant.slots)),
        )
        if one.trimmed:
            return self._outcome(one, OutcomeCode.TRIMMED, _TRIMMED, one.at)
        return self._outcome(one, OutcomeCode.CREATED, _NO_REASON, one.at)

    def record(self, one: CheckedRecord) -> OutcomeRow:
        """Gather a record with what it opens or where it goes, and return its outcome."""
        record = one.record
        case = record if isinstance(record, Case) else None
        kind = str(case.kind) if case is not None else "open" if isinstance(record, Open) else "countersign"
        self._records.append(
            RecordRow(
                self._partnership,
                one.agency,
                record.record,
                kind,
                record.digest or b"",
                record.device,
                one.at,
                one.signed.record,
                one.signed.signature,
                one.digest,
                *((case.follows, case.code, case.until) if case is not None else ()),
            )
        )
        if case is not None:
            self._acted.append(Acted(agency=one.agency, case=case, at=one.at))
        who, code = self._person(one.agency, record.device), "" if case is None else case.code
        what = record.digest or (case.follows if case is not None else None) or one.digest
        self._leaf(one.agency, kind, what, record.record, one.at, who=who, code=code)
        self.entries += one.entries
        return self._outcome(one, OutcomeCode.CREATED, _NO_REASON, one.at)

    def unusable(self, one: Unusable, now: int) -> Outcome:
        """Gather the leaf of a denial, if there is to be one, and return the outcome that stores nothing else."""
        if one.record:
            self._leaf(one.agency, "deny", one.digest, b"", now, code=one.reason)
        return Outcome(one.digest, one.outcome, one.reason, one.field or None)

    async def flush(self, connection: AsyncConnection) -> None:
        """Write everything."""
        await reports.insert(connection, self._reports)
        await reports.release(connection, self._released)
        await reports.end_heads(connection, self._partnership, self.ended)
        await reports.insert_outcomes(connection, self._outcomes)
        await reports.settle(connection, self._settled)
        await self._core.head_sets.write(connection, self._partnership, self._heads)
        await disclosure.insert_grants(connection, self._grants)
        await pending.insert(connection, self._partnership, self._pending)
        await disclosure.insert_records(connection, self._records)
        await statements.insert(connection, stated(self._records))
        await feeds.append(connection, self._partnership, self.entries, self._core.random)
        closed = list[bytes]()
        if self._acted or any(one.basis is not None for one in self._grants):
            view = self._core.directories.known(self._partnership)
            ended = await settle(self._core, view, connection, self._acted, self._grants)
            self._leaves.extend(ended.leaves)
            closed = ended.closed
            await feeds.append(connection, self._partnership, ended.entries, self._core.random)
        rules, partnership = self._core.rules, self._partnership
        await counting.write(rules, connection, partnership, new=self._facts, ended=self.ended, closed=closed)
        await ledger.append(connection, self._partnership, self._leaves, self._core.random)

    def _outcome(self, one: Pushed, outcome: OutcomeCode, why: Why, now: int) -> OutcomeRow:
        row = self._row(one, outcome, why, now)
        self._outcomes.append(row)
        return row

    def _row(self, one: Pushed, outcome: OutcomeCode, why: Why, now: int) -> OutcomeRow:
        receipt, signature = self._core.receipts.sign(one.digest, outcome, now)
        return OutcomeRow(self._partnership, one.digest, one.agency, str(outcome), *why, receipt, signature)

    def _filed(self, one: Checked, action: str, code: str = "") -> None:
        manifest, filled = one.manifest, sum({1 << section.slot for section in one.item.sections})
        self._leaf(
            one.agency,
            action,
            one.digest,
            manifest.report_id,
            one.at,
            who=manifest.author_ref,
            code=code,
            pack=manifest.pack,
            slots=filled,
        )

    def _person(self, agency: bytes, device: bytes) -> bytes:
        """Return whose device this is: a leaf names a person, and no key that can be seen on the wire."""
        directory = self._core.directories.known(self._partnership).directories.get(agency)
        known = None if directory is None else directory.devices.get(Kid(device))
        return b"" if known is None else known.person

    def _leaf(  # an act has as many parts
        self,
        agency: bytes,
        action: str,
        digest: bytes,
        about: bytes,
        now: int,
        *,
        who: bytes = b"",
        code: str = "",
        pack: bytes = b"",
        slots: int = 0,
    ) -> None:
        act = Act(action, digest, who, now, code, pack, about, slots)
        self._leaves.append(Leaf(agency, action, encode(act)))
