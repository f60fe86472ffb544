"""What is over goes, what a legal hold keeps stays for the supervisors alone, and nothing younger is touched."""

from __future__ import annotations

import os
from random import Random
from typing import Any, Final

import pytest
from sqlalchemy import Select, func, select

from sluss_schemas.codec import encode
from sluss_schemas.disclosure import GrantItem
from sluss_schemas.ledger import Read, Reads, SignedRead, read_message
from sluss_schemas.policy.decide import Receiver
from sluss_schemas.records import CaseKind, Open, SignedRecord, record_message
from sluss_server.services.culling import LOOK_EVERY_S
from sluss_server.storage import culling, tables

from tests.server.cases import CREATED, DAY, HOUR, Feeds, case, digest, feeds, gained, send
from tests.server.granting import gives
from tests.server.sealer import SealedReport, make_grant, with_grants
from tests.server.test_ending import leaves
from tests.server.test_records import rows
from tests.server.town import NOW, PACK, Device, Town, amended

YEAR: Final = 365 * DAY
TO_POLICE: Final = gives("L14", 1, "security", Receiver("POL", "field", own=False))
GONE: Final = ("gone", "culled", None)
AT_ONCE: Final = 4 * 25
"""What one look culls at most."""


async def look(town: Town, at: int | None = None) -> None:
    """Let the server look, as if it had just started."""
    if at is not None:
        town.clock.now = at
    await town.new_services().sweeping.once()


async def told(town: Town) -> tuple[SealedReport, GrantItem]:
    """A report of the guards that tells the police a person as well."""
    report = town.report("security")
    item = make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW)
    assert await town.outcomes(town.field("security"), with_grants(report, item)) == [CREATED]
    return report, item


async def stored(town: Town) -> set[bytes]:
    return {row[0] for row in await rows(town, tables.reports.c.digest)}


def holders(before: Feeds, report: SealedReport) -> set[bytes]:
    """The devices whose feeds have a version."""
    return {kid for kid, has in before.items() if ("put", report.digest) in has.values()}


def secrets(report: SealedReport, item: GrantItem) -> list[bytes]:
    """Everything of a report that only its readers may have, and that a database has in its rows."""
    sealed = [*report.item.recipients, *item.recipients]
    return [
        *(one.section for one in report.item.sections),
        *(one.seal for one in sealed),
        *(wrap.wrap for one in sealed for wrap in one.wraps),
        report.item.signature,
        report.item.manifest,
    ]


class TestOver:
    """A report whose time has run out."""

    async def test_goes_from_everybody_at_its_second(self, town: Town) -> None:
        report, item = await told(town)
        before = await feeds(town)
        assert town.field("police").kid in holders(before, report)

        await look(town, NOW + YEAR - 1)
        assert await gained(town, before) == {}
        assert await stored(town) == {report.digest}

        await look(town, NOW + YEAR)
        had, after = holders(before, report), await gained(town, before)
        assert {kid for kid, new in after.items() if ("erase", report.digest) in new} == had
        assert await stored(town) == set()
        assert await rows(town, func.count(tables.facts.c.digest)) == [(0,)]
        for agency in town.agencies.values():
            for device in agency.devices:
                assert not any(entry.put is not None for entry in await town.entries(device))
        [leaf] = await leaves(town, "cull")
        assert (leaf.what, leaf.about, leaf.code) == (report.digest, report.manifest.report_id, "retention")

        later = await feeds(town)
        await look(town, NOW + YEAR + DAY)
        assert await gained(town, later) == {}
        del item

    async def test_leaves_nothing_of_it_in_any_row(self, town: Town) -> None:
        report, item = await told(town)
        wanted = secrets(report, item)
        assert await lying(town, wanted) >= {part for part in wanted if len(part) > 48}

        await look(town, NOW + YEAR)

        assert await lying(town, wanted) == set()

    async def test_that_comes_again_is_gone(self, town: Town) -> None:
        report, _ = await told(town)
        by = town.field("security")
        before = await town.push(by, report)
        await look(town, NOW + YEAR)

        answer = await town.push(by, report)

        [one] = answer.items
        assert (str(one.outcome), one.reason, one.field) == GONE
        assert one.receipt == before.items[0].receipt is not None
        assert await stored(town) == set()

    async def test_takes_no_amendment_grant_or_record_any_more(self, town: Town) -> None:
        report, _ = await told(town)
        by = town.field("security")
        await look(town, NOW + YEAR)

        later = amended(town, report)
        assert await town.outcomes(by, later) == [("refused", "culled", "manifest.report_id")]
        again = make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW)
        [grant] = (await town.push(by, grants=[encoded(again)])).grants
        assert (grant.outcome, grant.reason) == ("refused", "culled")
        note = case(by, CaseKind.ORAL, town.clock.now, digest=report.digest, code="L17")
        assert await send(town, by, note) == [("refused", "culled", "record.digest")]
        assert await stored(town) == set()

    async def test_was_read_while_it_was_here(self, town: Town) -> None:
        report, _ = await told(town)
        officer = town.field("police")
        await look(town, NOW + YEAR)
        read = encode(Read(os.urandom(16), officer.kid, report.digest, 1, NOW + DAY))
        signed_read = SignedRead(read, officer.sign.sign(read_message(read)))

        await town.services.read(await town.caller(officer), Reads((signed_read,)))

        found = await rows(town, tables.ledger_leaves.c.agency)
        assert {row[0] for row in found} >= {town.agencies["police"].id, town.agencies["security"].id}
        actions = [row[0] for row in await rows(town, tables.ledger_leaves.c.action)]
        assert actions.count("read") == 2
        assert "deny" not in actions

    async def test_in_quarantine_goes_too(self, town: Town) -> None:
        report = town.report("security", 5)
        [(outcome, _, _)] = await town.outcomes(town.field("security"), report)
        assert outcome == "quarantined"
        await look(town, NOW + YEAR - 1)
        assert await stored(town) == {report.digest}

        await look(town, NOW + YEAR)

        assert await stored(town) == set()
        assert await town.outcomes(town.field("security"), report) == [GONE]

    async def test_is_as_old_as_its_latest_version(self, town: Town) -> None:
        report, _ = await told(town)
        town.clock.now = NOW + YEAR - DAY
        later = amended(town, report)
        assert await town.outcomes(town.field("security"), later) == [CREATED]

        await look(town, NOW + 2 * YEAR - DAY - 1)
        assert await stored(town) == {report.digest, later.digest}
        await look(town, NOW + 2 * YEAR - DAY)
        assert await stored(town) == set()


class TestNotOver:
    """What the pack keeps longer, or for as long as nobody says."""

    async def test_is_kept_to_the_second_by_owner_and_kind(self, town: Town) -> None:
        ends = dict[bytes, int | None]()
        for slug, agency in sorted(town.agencies.items()):
            for kind in (1, 4, 11, 0):
                sector = agency.directory.sector
                if kind and sector not in PACK.kinds[kind].owners:
                    continue
                if not kind and sector not in {"SOC", "HLT"}:
                    continue
                report = town.report(slug, kind)
                assert await town.outcomes(town.field(slug), report) == [CREATED]
                days = PACK.kept_days(kind, sector)
                ends[report.digest] = None if days is None else NOW + days * DAY
        assert {None, NOW + 93 * DAY, NOW + YEAR, NOW + 1826 * DAY} <= set(ends.values())

        for at in sorted({end + more for end in ends.values() if end is not None for more in (-1, 0)}):
            await look(town, at)
            assert await stored(town) == {one for one, end in ends.items() if end is None or end > at}

    async def test_is_never_culled_whatever_the_order_of_what_comes(self, town: Town) -> None:
        """Nothing that was acknowledged within its time is lost, and nothing stays that is over."""
        random, newest, versions = Random(7), dict[bytes, int](), dict[bytes, list[SealedReport]]()
        by, at = town.field("security"), NOW
        for _ in range(40):
            at += random.randrange(1, 60) * DAY
            town.clock.now = at
            alive = [name for name, time in newest.items() if time + YEAR > at]
            if alive and random.random() < 0.5:
                name = random.choice(alive)
                report = amended(town, versions[name][-1])
            else:
                report = town.report("security")
                name = report.manifest.report_id
            assert await town.outcomes(by, report) == [CREATED]
            newest[name] = at
            versions.setdefault(name, []).append(report)
            if random.random() < 0.7:
                await look(town)
                kept = {one.digest for name, time in newest.items() if time + YEAR > at for one in versions[name]}
                assert await stored(town) == kept


class TestShown:
    """A warning is shown for some hours, and kept for the own supervisors for the rest of its time."""

    async def test_goes_from_everybody_but_the_own_supervisors_with_its_grants(self, town: Town) -> None:
        report, by = town.report("security", 11), town.supervisor("security")
        bits = gives("L14", 11, "security", Receiver("POL", "field", own=False))
        item = make_grant(report, {town.agencies["police"].key(): bits}, "L14", NOW)
        assert await town.outcomes(town.field("security"), with_grants(report, item)) == [CREATED]
        before = await feeds(town)
        assert {town.field("police").kid, town.field("security").kid} < holders(before, report)

        await look(town, NOW + 72 * HOUR - 1)
        assert await gained(town, before) == {}
        assert report.digest in await town.puts(town.field("police"))

        # Each delivery asks: from that second on it is in none, also before the server has looked what is over.
        town.clock.now = NOW + 72 * HOUR
        for outsider in (town.field("police"), town.field("security")):
            assert report.digest not in await town.puts(outsider)
        assert not (await town.puts(by))[report.digest].wraps
        await look(town, NOW + 72 * HOUR)
        after = await gained(town, before)
        assert after.keys() == holders(before, report) - {by.kid}
        puts = {device.kid: await town.puts(device) for one in town.agencies.values() for device in one.devices}
        assert {kid for kid, found in puts.items() if found} == {by.kid}
        assert not puts[by.kid][report.digest].wraps
        assert [(leaf.what, leaf.about) for leaf in await leaves(town, "narrow")] == [
            (report.digest, report.manifest.report_id)
        ]
        again = make_grant(report, {town.agencies["police"].key(): bits}, "L14", town.clock.now)
        [grant] = (await town.push(town.field("security"), grants=[encoded(again)])).grants
        assert (grant.outcome, grant.field) == ("refused", "grant.L14.hold")

        # Each time for a task or a reason; and what is written of it without a new observation is shown to nobody.
        record = Open(os.urandom(16), report.digest, by.kid, town.clock.now, os.urandom(16), None)
        [opened] = (await town.push(by, records=[opening(by, record)])).records
        assert opened.outcome == "created"
        assert any(put.wraps for put in [one.put for one in await town.entries(by)] if put is not None)
        later = amended(town, report, kind=11, time=report.manifest.time)
        assert await town.outcomes(town.field("security"), later) == [CREATED]
        await look(town, town.clock.now + HOUR)
        assert later.digest not in await town.puts(town.field("security"))

        await look(town, town.clock.now - HOUR + 93 * DAY - 1)
        assert await stored(town) == {report.digest, later.digest}
        await look(town, town.clock.now + 1)
        assert await stored(town) == set()
        assert await rows(town, tables.narrowed.c.report_id) == []

    async def test_is_shown_again_when_it_is_observed_again(self, town: Town) -> None:
        report = town.report("security", 11)
        assert await town.outcomes(town.field("security"), report) == [CREATED]
        await look(town, NOW + 73 * HOUR)
        again = amended(town, report, kind=11, time=town.clock.now)
        assert await town.outcomes(town.field("security"), again) == [CREATED]
        await look(town)
        assert again.digest in await town.puts(town.field("security"))
        assert await rows(town, tables.narrowed.c.report_id) == []


class TestHold:
    """A legal hold keeps a report beyond its time, for the own supervisors alone."""

    def placed(self, town: Town, report: SealedReport, **more: Any) -> tuple[Device, Any]:  # noqa: ANN401  # a case
        by = town.supervisor("security")
        given = {"digest": report.digest, "code": "placed", "to": [town.agencies["security"].key("supervisors")]}
        return by, case(by, CaseKind.HOLD, town.clock.now, **{**given, **more})

    def lifted(self, town: Town, hold: Any) -> tuple[Device, Any]:  # noqa: ANN401  # a case
        by = town.supervisor("security")
        return by, case(by, CaseKind.HOLD, town.clock.now, digest=hold.digest, code="lifted", follows=hold.record)

    async def held(self, town: Town, **more: Any) -> tuple[SealedReport, Any]:  # noqa: ANN401  # any field of a record
        report, _ = await told(town)
        by, hold = self.placed(town, report, **more)
        assert await send(town, by, hold) == [CREATED]
        return report, hold

    async def test_changes_nothing_before_the_time_has_run_out(self, town: Town) -> None:
        _, _ = await self.held(town)
        before = await feeds(town)
        await look(town, NOW + YEAR - 1)
        assert await gained(town, before) == {}

    async def test_takes_it_then_from_everybody_but_the_own_supervisors(self, town: Town) -> None:
        report, _ = await self.held(town)
        before = await feeds(town)
        supervisor = town.supervisor("security")

        await look(town, NOW + YEAR)

        after = await gained(town, before)
        assert await stored(town) == {report.digest}
        assert after.keys() == holders(before, report) - {supervisor.kid}
        assert {op for new in after.values() for op, _ in new} == {"drop"}
        for agency in town.agencies.values():
            for device in agency.devices:
                puts = await town.puts(device)
                assert set(puts) == ({report.digest} if device is supervisor else set())
                assert not any(one.sections or one.wraps for one in puts.values())
        [leaf] = await leaves(town, "narrow")
        assert leaf.what == report.digest
        later = await feeds(town)
        await look(town, NOW + YEAR + DAY)
        assert await gained(town, later) == {}

    async def test_opens_for_a_supervisors_record_and_nobody_is_given_it(self, town: Town) -> None:
        report, _ = await self.held(town)
        by = town.supervisor("security")
        await look(town, NOW + YEAR)

        again = make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", town.clock.now)
        [grant] = (await town.push(town.field("security"), grants=[encoded(again)])).grants
        assert (grant.outcome, grant.reason, grant.field) == ("refused", "not_allowed", "grant.L14.hold")

        record = Open(os.urandom(16), report.digest, by.kid, town.clock.now, os.urandom(16), None)
        [opened] = (await town.push(by, records=[opening(by, record)])).records
        assert opened.outcome == "created"
        puts = [entry.put for entry in await town.entries(by) if entry.put is not None]
        assert [bool(put.sections) and bool(put.wraps) for put in puts] == [True, False]

    async def test_takes_back_what_a_supervisor_had_opened_before(self, town: Town) -> None:
        report, _ = await self.held(town)
        by = town.supervisor("security")
        record = Open(os.urandom(16), report.digest, by.kid, NOW, os.urandom(16), None)
        assert [str(one.outcome) for one in (await town.push(by, records=[opening(by, record)])).records] == ["created"]
        before = await feeds(town)

        await look(town, NOW + YEAR)

        assert (await gained(town, before))[by.kid] == [("drop", report.digest)]
        assert not any(entry.put is not None and entry.put.wraps for entry in await town.entries(by))

    async def test_that_is_lifted_or_over_lets_it_go_at_the_next_look(self, town: Town) -> None:
        report, hold = await self.held(town)
        other, _ = await self.held(town, until=NOW + YEAR + 10 * DAY)
        await look(town, NOW + YEAR)
        assert await stored(town) == {report.digest, other.digest}
        assert len(await rows(town, tables.narrowed.c.report_id)) == 2

        by, end = self.lifted(town, hold)
        assert await send(town, by, end) == [CREATED]
        before = await feeds(town)
        await look(town)
        assert await stored(town) == {other.digest}
        assert await gained(town, before) == {by.kid: [("erase", report.digest)]}

        await look(town, NOW + YEAR + 10 * DAY - 1)
        assert await stored(town) == {other.digest}
        await look(town, NOW + YEAR + 10 * DAY)
        assert await stored(town) == set()
        assert await rows(town, tables.narrowed.c.report_id) == []

    async def test_keeps_it_while_another_stands(self, town: Town) -> None:
        report, hold = await self.held(town)
        by, second = self.placed(town, report)
        assert await send(town, by, second) == [CREATED]
        await look(town, NOW + YEAR)
        assert await send(town, *(self.lifted(town, hold))) == [CREATED]
        await look(town)
        assert await stored(town) == {report.digest}

        assert await send(town, *(self.lifted(town, second))) == [CREATED]
        await look(town)
        assert await stored(town) == set()

    async def test_is_about_the_report_whichever_version_it_names(self, town: Town) -> None:
        report, _ = await self.held(town)
        town.clock.now = NOW + DAY
        later = amended(town, report)
        assert await town.outcomes(town.field("security"), later) == [CREATED]
        await look(town, NOW + 2 * YEAR)
        assert await stored(town) == {report.digest, later.digest}

    async def test_on_what_is_amended_afterwards_lets_the_new_version_out(self, town: Town) -> None:
        report, _ = await self.held(town)
        await look(town, NOW + YEAR)
        later = amended(town, report)
        assert await town.outcomes(town.field("security"), later) == [CREATED]

        await look(town)

        assert await rows(town, tables.narrowed.c.report_id) == []
        assert set(await town.puts(town.field("security"))) == {later.digest}
        await look(town, NOW + 2 * YEAR)
        assert await stored(town) == {report.digest, later.digest}
        assert set(await town.puts(town.field("security"))) == set()

    async def test_is_a_supervisors_alone_and_says_what_it_is(self, town: Town) -> None:
        report, hold = await self.held(town)
        guard = town.field("security")
        mine = case(guard, CaseKind.HOLD, NOW, digest=report.digest, code="placed")
        assert await send(town, guard, mine) == [("refused", "not_allowed", "record.device")]
        police = town.supervisor("police")
        theirs = case(police, CaseKind.HOLD, NOW, digest=report.digest, code="placed")
        assert await send(town, police, theirs) == [("retry", "not_found", "record.digest")]
        by, bare = self.placed(town, report, code="lifted")
        assert await send(town, by, bare) == [("refused", "malformed", "record.follows")]
        _, second = self.placed(town, report, follows=hold.record)
        assert await send(town, by, second) == [("refused", "malformed", "record.follows")]


class TestRest:
    """Decisions and records about it go later, each after its own end."""

    async def test_goes_with_everything_that_hangs_on_it_and_not_before(self, town: Town) -> None:
        report, item = await told(town)
        guard, supervisor = town.field("security"), town.supervisor("security")
        to = [town.agencies["security"].key("supervisors")]
        task = case(guard, CaseKind.TASK, NOW, to, digest=report.digest, until=NOW + 100 * DAY, code="L14")
        done = case(guard, CaseKind.DONE, NOW, to, follows=task.record, code="sent")
        assert await send(town, guard, task, done) == [CREATED, CREATED]
        other = case(guard, CaseKind.REQUEST, NOW, to)
        assert await send(town, guard, other) == [CREATED]
        await look(town, NOW + YEAR)
        kept = PACK.parameters.retention_decisions_days
        assert kept is not None
        ended = NOW + YEAR
        before = await feeds(town)

        await look(town, ended + kept * DAY - 1)
        assert len(await rows(town, tables.records.c.record_id)) == 3
        assert await rows(town, tables.grants.c.excerpts) == [(None,)]
        await look(town, ended + kept * DAY)

        assert await rows(town, tables.records.c.record_id) == [(other.record,)]
        assert await rows(town, tables.grants.c.grant_id) == []
        erased = {("erase", digest(task)), ("erase", digest(done))}
        assert {kid: set(new) for kid, new in (await gained(town, before)).items()} == {
            guard.kid: erased,
            supervisor.kid: erased,
        }
        assert await rows(town, tables.culled.c.digest, tables.culled.c.rest_due) == [(report.digest, None)]
        assert await town.outcomes(guard, with_grants(report, item)) == [GONE]

    async def test_about_a_report_that_is_here_stays(self, town: Town) -> None:
        report = town.report("municipality", 1)
        by = town.field("municipality")
        assert await town.outcomes(by, report) == [CREATED]
        task = case(by, CaseKind.TASK, NOW, digest=report.digest, until=NOW + DAY, code="L12")
        assert await send(town, by, task) == [CREATED]
        at = NOW
        for _ in range(8):
            at += 1000 * DAY
            town.clock.now = at
            report = amended_by(town, "municipality", report)
            assert await town.outcomes(by, report) == [CREATED]
            await look(town)
        assert await rows(town, tables.records.c.record_id) == [(task.record,)]


class TestWork:
    """How much one look does."""

    async def test_is_bounded_and_goes_on_at_the_next(self, town: Town) -> None:
        by = town.field("security")
        many = [town.report("security", 9) for _ in range(AT_ONCE + 10)]
        for start in range(0, len(many), 40):
            await town.outcomes(by, *many[start : start + 40])
        town.clock.now = NOW + 3 * YEAR
        services = town.new_services()

        await services.sweeping.once()
        assert len(await stored(town)) == 10
        await services.sweeping.once()
        assert await stored(town) == set()

    async def test_is_once_an_hour(self, town: Town) -> None:
        report, _ = await told(town)
        services = town.new_services()
        town.clock.now = NOW + YEAR - 1
        await services.sweeping.once()
        town.clock.now += LOOK_EVERY_S - 1
        await services.sweeping.once()
        assert await stored(town) == {report.digest}
        town.clock.now += 1
        await services.sweeping.once()
        assert await stored(town) == set()

    async def test_of_two_processes_is_done_once(self, town: Town) -> None:
        report, _ = await told(town)
        before = await feeds(town)
        town.clock.now = NOW + YEAR
        for services in (town.new_services(), town.new_services()):
            await services.sweeping.once()
        after = await gained(town, before)
        assert all(new.count(("erase", report.digest)) == 1 for new in after.values())
        assert len(await leaves(town, "cull")) == 1

    async def test_asks_by_an_index(self, town: Town) -> None:
        if not is_file(town):
            pytest.skip("the plan is asked of SQLite")
        lists = {"kinds": [1, 2], "digests": [b"d"], "report_ids": [b"r"]}
        single = {"partnership": b"p", "agency": b"a", "before": 5, "now": 5, "limit": 25}
        for statement in (culling._over, culling._rest, culling._stubs, culling._grants, culling._about):
            given = {name: values for name, values in {**single, **lists}.items() if name in statement.compile().params}
            plan = await plan_of(town, statement, given)
            assert plan
            assert not any("SCAN" in line for line in plan), plan


class TestFile:
    """What lies in the database's files."""

    async def test_has_nothing_of_it_any_more(self, town: Town) -> None:
        if not is_file(town):
            pytest.skip("PostgreSQL cleans its own house")
        report, item = await told(town)
        await town.outcomes(town.field("security"), town.report("security"), town.report("security"))
        wanted = secrets(report, item)
        await town.engine.settle()
        assert all(part in whole(town) for part in wanted)

        town.clock.now = NOW + YEAR
        await town.services.sweeping.once()

        data = whole(town)
        assert [part for part in wanted if part in data] == []
        assert report.digest in data


async def plan_of(town: Town, statement: Select[Any], given: dict[str, object]) -> list[str]:
    """How SQLite will find what a statement asks for."""
    async with town.engine.read() as connection:
        asked = str(
            statement.params(given).compile(dialect=town.engine.dialect, compile_kwargs={"render_postcompile": True})
        )
        rows = await connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {asked}", tuple(0 for _ in range(asked.count("?")))
        )
        return [str(tuple(row)[-1]) for row in rows]


def opening(by: Device, record: Open) -> bytes:
    """Sign a record that opens a row, as a push has it."""
    data = encode(record)
    return encode(SignedRecord(data, by.sign.sign(record_message(data))))


def encoded(item: GrantItem) -> bytes:
    """The bytes of a grant's item."""
    return encode(item)


def amended_by(town: Town, slug: str, *parents: SealedReport) -> SealedReport:
    """The next version of another agency's report."""
    first = parents[0].manifest
    more = {"report_id": first.report_id, "version": first.version + 1, "parents": (parents[0].digest,)}
    return town.report(slug, 1, **more)


def is_file(town: Town) -> bool:
    return not isinstance(town.path, str)


def whole(town: Town) -> bytes:
    """The database with its log of writes."""
    assert not isinstance(town.path, str)
    names = (town.path, town.path.with_name(f"{town.path.name}-wal"))
    return b"".join(name.read_bytes() for name in names if name.exists())


async def lying(town: Town, wanted: list[bytes]) -> set[bytes]:
    """Which of these stand in any row of any table, alone or within something longer."""
    found = set[bytes]()
    async with town.engine.read() as connection:
        for table in tables.metadata.sorted_tables:
            for row in await connection.execute(select(table)):
                values = b"|".join(value for value in row if isinstance(value, bytes))
                found |= {part for part in wanted if part in values}
    return found
