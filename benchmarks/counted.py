"""What P10's servers hold: facts and counts of made-up reports, an agency's stored reports, and its tasks.

Reports of a kind and an agency are counted together, by what a push calls when it stores facts (`Changes`, the rollups,
the facts), and written in the order of the keys, so that a million of them take two minutes.
Of the agency that looks, every report is stored as well that its pack has not culled yet: manifest, tiers of facts,
when each version came, and every version of a defect. So are its tasks, about those reports, most of them done.
Refuses to store what no page reads: of others' reports there are facts and counts, and a stored report's sections are
bytes without meaning, in a defect or a meeting as many as real ones have.

> INVARIANT: every row is one that the server could have written, but for signatures and ciphertexts, which are random.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from msgspec import msgpack
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import manifest, sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import SLOTS, Sector
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.pack import builtin
from sluss_schemas.records import Case, CaseKind, record_digest
from sluss_schemas.statements import DEFECT_KIND, MEETING_KIND
from sluss_server.aggregates.catalogue import Dimension, dimensions, is_counted
from sluss_server.aggregates.cells import NOT_GIVEN, SEVERAL
from sluss_server.services.counting import Changes
from sluss_server.services.rules import Rules
from sluss_server.storage import disclosure, facts, reports
from sluss_server.storage.disclosure import RecordRow
from sluss_server.storage.engine import open_engine
from sluss_server.storage.facts import FactsRow
from sluss_server.storage.reports import ReportRow

_AT_ONCE: Final = 20_000
_NOT_GIVEN_SHARE: Final = 0.2
_SEVERAL_SHARE: Final = 0.3
_STAFF: Final = 40
"""Colleagues of each agency, whose parts of sensitive counts are kept."""
_DAY_S: Final = 86_400
_WEEK_S: Final = 7 * _DAY_S
_LATEST_COMES_S: Final = 10 * _DAY_S
_WORDS: Final = 3
"""The most versions of a defect."""
_STATUS: Final = "status"
_LONGEST_REPAIR_S: Final = 60 * _DAY_S
_SECTIONS_BYTES: Final = 8_000
_READERS: Final = 6
_TASKS_A_WEEK: Final = 80
"""Some four thousand a year."""
_TASK_CODES: Final = ("L01", "L11", "L14", "L20", "bulk_open", "bulk_read")
_DONE_SHARE: Final = 0.9
_DUE_S: Final = 21 * _DAY_S
_SECTIONS: Final = random.Random(1).randbytes(_SECTIONS_BYTES)  # no secret
_NO_SECTIONS: Final = b"\x90"
_ROOM: Final = "PRAGMA cache_size = -400000"
"""In KiB: while it fills, nothing that is written is read again from the disk."""
_values: Final = msgpack.Decoder(tuple[int | tuple[int, ...] | None, ...])
Row = TypeVar("Row")
Value = int | tuple[int, ...] | None


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What to fill into a database: so many reports of some weeks, as a process of its own is told it.

    Attributes:
        database: the file.
        partnership: its id.
        owners: every agency with its sector.
        seat: the agency that looks, whose reports and tasks are stored.
        device: one of its devices.
        scenes: the registry's scenes.
        now: Unix seconds.
        count: how many reports.
        weeks: from how many weeks ago on, until before how many.

    """

    database: Path
    partnership: bytes
    owners: tuple[tuple[bytes, Sector], ...]
    seat: bytes
    device: bytes
    scenes: tuple[int, ...]
    now: int
    count: int
    weeks: tuple[int, int]


@dataclass(kw_only=True)
class _Made:
    """Rows that wait to be written in the order of their keys."""

    facts: list[FactsRow] = field(default_factory=list)
    reports: list[ReportRow] = field(default_factory=list)
    records: list[RecordRow] = field(default_factory=list)


def fill(filling: Filling) -> tuple[int, int, int]:
    """Fill a database that no server uses; return how many versions and tasks are stored, and facts written."""
    return asyncio.run(_fill(filling))


async def _fill(filling: Filling) -> tuple[int, int, int]:
    engine = open_engine(f"sqlite:///{filling.database}")
    try:
        writer = await engine.writer_connection()
        try:
            await writer.exec_driver_sql(_ROOM)
            await writer.commit()
            made = await _count(filling, writer)
            async with writer.begin():
                for facts_rows in _parts(sorted(made.facts)):
                    await facts.insert(writer, facts_rows)
            async with writer.begin():
                for report_rows in _parts(sorted(made.reports)):
                    await reports.insert(writer, report_rows)
                for record_rows in _parts(sorted(made.records, key=lambda one: one.record_id)):
                    await disclosure.insert_records(writer, record_rows)
        finally:
            await writer.close()
    finally:
        await engine.close()
    return len(made.reports), len(made.records), len(made.facts)


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


async def _count(filling: Filling, writer: AsyncConnection) -> _Made:
    """Count the reports, kind by kind and agency by agency; return what is to be written besides."""
    pack, rules = builtin()[-1], Rules(builtin())
    chance = random.Random(filling.count)  # no secret
    owned = sorted(
        (agency, kind, sector)
        for agency, sector in filling.owners
        for kind in pack.kinds
        if is_counted(pack, kind) and sector in pack.kinds[kind].owners
    )
    numbers = Counter(chance.choices(range(len(owned)), k=filling.count))
    made = _Made()
    for place, (agency, kind, sector) in enumerate(owned):
        changes, values = Changes(rules), _Values(pack, kind, chance)
        days = pack.kept_days(kind, sector)
        # A server that culls while it is measured would be another one.
        kept = 0 if days is None else filling.now - (days - 2) * _DAY_S
        for _ in range(numbers[place]):
            row = _facts(filling, chance, agency, kind, values)
            if agency == filling.seat and row.time > kept:
                row = _stored(filling, chance, pack, values, row=row, into=made)
            changes.add(row, pack.digest)
            made.facts.append(row)
        async with writer.begin():
            await changes.write(writer)
    made.records.extend(_tasks(filling, chance, [one.digest for one in made.reports]))
    return made


def _facts(filling: Filling, chance: random.Random, agency: bytes, kind: int, values: _Values) -> FactsRow:
    first, after = (_WEEK_S * one for one in filling.weeks)
    at = filling.now - chance.randrange(first + 1, after)
    who = chance.randrange(_STAFF).to_bytes(8, "big")
    scene = chance.choice((0, *filling.scenes))
    coded = encode(values.one())
    return FactsRow(filling.partnership, chance.randbytes(32), agency, kind, scene, at, coded, who)


class _Values:
    """Makes coded values of a kind, in their order."""

    def __init__(self, pack: Pack, kind: int, chance: random.Random) -> None:
        self._chance = chance
        self._given = [(one, self._codes(one)) for one in dimensions(pack, kind)]
        self.status = next((at for at, (one, _) in enumerate(self._given) if one.name == _STATUS), None)

    @staticmethod
    def _codes(one: Dimension) -> list[int]:
        return [value for value in one.values if value not in {NOT_GIVEN, SEVERAL}]

    def one(self) -> tuple[Value, ...]:
        return tuple(self._value(one, codes) for one, codes in self._given)

    def _value(self, one: Dimension, codes: Sequence[int]) -> Value:
        chance = self._chance
        if chance.random() < _NOT_GIVEN_SHARE:
            return None
        if not codes:
            return chance.randrange(4)
        if SEVERAL not in one.values:
            return chance.choice(codes)
        number = 2 if len(codes) > 1 and chance.random() < _SEVERAL_SHARE else 1
        return tuple(sorted(chance.sample(codes, number)))


# what is stored of the agency that looks


def _stored(
    filling: Filling, chance: random.Random, pack: Pack, values: _Values, *, row: FactsRow, into: _Made
) -> FactsRow:
    """Store a report's versions, and return the facts of the last one."""
    report_id, came, parents = chance.randbytes(16), row.time, tuple[bytes, ...]()
    came = min(came + int(_LATEST_COMES_S * chance.random() ** 4), filling.now)
    words = [(came, row.coded)]
    if row.kind == DEFECT_KIND and values.status is not None:
        words = [(came, _at_status(values, 1))]
        for status in range(2, 2 + chance.randrange(_WORDS)):
            came += chance.randrange(1, _LONGEST_REPAIR_S // _WORDS)
            if came < filling.now:
                words.append((came, _at_status(values, status + 1)))
    for version, (at, coded) in enumerate(words, 1):
        row = row._replace(coded=coded)
        data, tiers = _signed(filling, chance, pack, row, (report_id, version, parents))
        digest = manifest.digest_of(data)
        into.reports.append(
            ReportRow(
                partnership_id=row.partnership_id,
                digest=digest,
                agency=row.agency,
                report_id=report_id,
                version=version,
                fork=0,
                kind=row.kind,
                head=version == len(words),
                quarantine=None,
                parents=b"".join(parents),
                received_at=at,
                manifest=data,
                signature=chance.randbytes(64),
                tiers=tiers,
                sections=_SECTIONS if row.kind in {DEFECT_KIND, MEETING_KIND} else _NO_SECTIONS,
                item=None,
            )
        )
        row, parents = row._replace(digest=digest), (digest,)
    return row


def _at_status(values: _Values, status: int) -> bytes:
    one = list(values.one())
    one[values.status or 0] = status
    return encode(tuple(one))


def _signed(
    filling: Filling,
    chance: random.Random,
    pack: Pack,
    row: FactsRow,
    which: tuple[bytes, int, tuple[bytes, ...]],
) -> tuple[bytes, bytes]:
    """Return the manifest and the tiers of facts of a version: `which` is its report, its number and its parents."""
    known = sync.Tier1(row.time, _values.decode(row.coded), row.contributor)
    tiers = [sync.Tier(chance.randbytes(32), one) for one in (encode((row.scene,)), encode(known))]
    report_id, version, parents = which
    made = manifest.Manifest(
        manifest.FORMAT,
        manifest.SUITE,
        row.kind,
        row.agency,
        report_id,
        version,
        parents,
        manifest.SCHEMA,
        pack.digest,
        bytes(32),
        filling.device,
        chance.randbytes(16),
        row.time,
        tuple(manifest.Recipient(bytes([number]) * 16, chance.randbytes(32)) for number in range(_READERS)),
        tuple(chance.randbytes(32) for _ in range(SLOTS)),
        (manifest.tier_digest(tiers[0].salt, tiers[0].tier), manifest.tier_digest(tiers[1].salt, tiers[1].tier)),
    )
    return encode(made), encode((tiers[0] if row.scene else None, tiers[1]))


def _tasks(filling: Filling, chance: random.Random, about: Sequence[bytes]) -> Iterator[RecordRow]:
    """Yield tasks about stored reports, and the records by which most of them are done."""
    first, after = filling.weeks
    for _ in range(_TASKS_A_WEEK * (after - first) if about else 0):
        made_at = filling.now - chance.randrange(first * _WEEK_S + 1, after * _WEEK_S)
        due, name = made_at + chance.randrange(_DUE_S), chance.randbytes(16)
        code, digest = chance.choice(_TASK_CODES), chance.choice(about)
        yield _record(filling, _case(filling, CaseKind.TASK, name, made_at, digest=digest, code=code, until=due))
        if due < filling.now and chance.random() < _DONE_SHARE:
            done = _case(filling, CaseKind.DONE, chance.randbytes(16), due, follows=name, code="sent")
            yield _record(filling, done)


def _case(
    filling: Filling,
    kind: CaseKind,
    name: bytes,
    at: int,
    *,
    digest: bytes | None = None,
    follows: bytes | None = None,
    code: str,
    until: int | None = None,
) -> Case:
    return Case(
        record=name,
        kind=kind,
        device=filling.device,
        time=at,
        digest=digest,
        follows=follows,
        code=code,
        until=until,
        terms=b"",
        seals=(),
        body=b"",
    )


def _record(filling: Filling, case: Case) -> RecordRow:
    data = encode(case)
    return RecordRow(
        partnership_id=filling.partnership,
        agency=filling.seat,
        record_id=case.record,
        kind=str(case.kind),
        digest=case.digest or b"",
        device=case.device,
        received_at=case.time,
        record=data,
        signature=os.urandom(64),
        record_digest=record_digest(data),
        follows=case.follows,
        code=case.code,
        until=case.until,
    )
