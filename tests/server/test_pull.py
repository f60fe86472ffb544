"""What a device pulls: pages, cursors, closed feeds, held rows, and nothing that tells of what it may not have."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import func, select, update

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Open, SignedRecord, record_message
from sluss_server.storage import tables

from tests.server.sealer import SealedReport
from tests.server.town import NOW, Device, Town, amended, bits


async def filed(town: Town, count: int, **more: Any) -> list[SealedReport]:  # noqa: ANN401  # any field of a draft
    reports = [town.report("security", **more) for _ in range(count)]
    for at in range(0, count, 50):
        assert {one[0] for one in await town.outcomes(town.field("security"), *reports[at : at + 50])} == {"created"}
    return reports


async def paged(town: Town, device: Device, limit: int) -> tuple[list[int], list[bytes]]:
    """Pull to the end with a limit; return the pages' sizes and the digests, each page in the order of its feeds."""
    cursor, sizes, found = dict[bytes, sync.Position](), list[int](), list[bytes]()
    while True:
        answer = await town.pull(device, cursor.values(), limit=limit)
        cursor |= {one.position.feed: one.position for one in answer.pages}
        entries = [entry.digest for one in answer.pages for entry in one.entries]
        sizes.append(len(entries))
        found += entries
        if not any(one.more for one in answer.pages):
            return sizes, found


async def deliveries(town: Town) -> int:
    async with town.engine.read() as connection:
        at = tables.ledger_leaves.c
        found = await connection.execute(select(func.count()).where(at.action == "deliver"))
        return int(found.scalar_one())


class TestPages:
    @pytest.mark.parametrize(("limit", "sizes"), [(500, [9]), (4, [4, 4, 1]), (9, [9]), (1, [1] * 9), (3, [3, 3, 3])])
    async def test_hold_at_most_what_was_asked_for(self, town: Town, limit: int, sizes: list[int]) -> None:
        reports = [*await filed(town, 4, scene=2), *await filed(town, 5, scene=1)]

        found = await paged(town, town.field("police"), limit)

        # Each feed from its newest page to its oldest, the feeds in the order of their scenes.
        assert found[0] == sizes
        assert sorted(found[1]) == sorted(one.digest for one in reports)
        newest = [reports[-1].digest, reports[3].digest]
        first = min(limit, 5)
        assert found[1][first - 1] == newest[0]

    async def test_end_at_a_megabyte(self, town: Town) -> None:
        reports = await filed(
            town, 30, size=30_000, filled=(0, 2), readers={town.agencies["police"].key(): bits("SIT", "PLC")}
        )

        sizes, found = await paged(town, town.field("police"), 500)

        assert sizes == [16, 14]
        assert found == [one.digest for one in (*reports[14:], *reports[:14])]

    async def test_hold_at_least_one_entry_however_large(self, town: Town) -> None:
        [report] = await filed(
            town,
            1,
            size=sync.MAX_PAGE_BYTES - 10_000,
            filled=(0,),
            readers={town.agencies["police"].key(): bits("SIT")},
        )

        assert await paged(town, town.field("police"), 500) == ([1], [report.digest])

    async def test_go_on_after_a_restart(self, town: Town) -> None:
        reports = await filed(town, 5)
        first = await town.pull(town.field("police"), limit=2)
        await town.close()
        await town.open()

        answer = await town.pull(town.field("police"), [one.position for one in first.pages])

        assert [one.digest for page in answer.pages for one in page.entries] == [one.digest for one in reports[:3]]

    async def test_are_empty_when_nothing_is_new(self, town: Town) -> None:
        await filed(town, 2)
        first = await town.pull(town.field("police"))

        answer = await town.pull(town.field("police"), [one.position for one in first.pages])

        assert (answer.pages, answer.closed, answer.time) == ((), (), NOW)
        assert set(answer.heads) == set(town.heads())

    async def test_of_another_generation_begin_again(self, town: Town) -> None:
        reports = await filed(town, 3)
        first = await town.pull(town.field("police"))
        await town.writer.submit(lambda connection: connection.execute(update(tables.feed_heads).values(generation=2)))

        answer = await town.pull(town.field("police"), [one.position for one in first.pages])

        assert [one.digest for page in answer.pages for one in page.entries] == [one.digest for one in reports]
        assert {one.position.generation for one in answer.pages} == {2}

    async def test_leave_one_leaf_each_and_an_empty_one_none(self, town: Town) -> None:
        await filed(town, 5)

        await paged(town, town.field("police"), 2)
        await town.pull(town.supervisor("health"))

        assert await deliveries(town) == 3

    @pytest.mark.parametrize(("limit", "wait"), [(0, 0), (501, 0), (1, -1), (1, 26)])
    async def test_of_impossible_sizes_are_refused(self, town: Town, limit: int, wait: int) -> None:
        with pytest.raises(Invalid, match="out_of_range"):
            await town.pull(town.field("police"), limit=limit, wait=wait)


NUMBERS = [-(2**63), -1, 0, 3, 4, 2**31, 2**63 - 1, 2**63, 2**64 - 1]


class TestCursor:
    """A device's numbers may be anything, after a fault of its own or out of malice."""

    @pytest.mark.parametrize("seq", NUMBERS)
    @pytest.mark.parametrize("below", NUMBERS)
    async def test_of_any_number_is_read_as_the_nearest_that_there_is(self, town: Town, seq: int, below: int) -> None:
        reports = [one.digest for one in await filed(town, 3)]
        [page] = (await town.pull(town.field("police"))).pages

        answer = await town.pull(town.field("police"), [structs.replace(page.position, seq=seq, below=below)])

        new, past = reports[min(max(seq, 0), 3) :], reports[: min(max(below - 1, 0), 3)]
        assert [entry.digest for one in answer.pages for entry in one.entries] == [*past, *new]
        assert {(one.position.seq, one.position.below, one.more) for one in answer.pages} <= {(3, 0, False)}

    async def test_beyond_the_head_is_set_right_so_that_nothing_new_is_missed(self, town: Town) -> None:
        await filed(town, 1)
        [page] = (await town.pull(town.field("police"))).pages
        beyond = structs.replace(page.position, seq=9)

        [told] = (await town.pull(town.field("police"), [beyond])).pages
        [fresh] = await filed(town, 1)
        answer = await town.pull(town.field("police"), [told.position])

        assert told == sync.FeedPage(page.position, (), more=False)
        assert [entry.digest for one in answer.pages for entry in one.entries] == [fresh.digest]

    @pytest.mark.parametrize("generation", NUMBERS)
    async def test_of_a_generation_that_never_was_begins_again(self, town: Town, generation: int) -> None:
        reports = await filed(town, 2)
        [page] = (await town.pull(town.field("police"))).pages

        answer = await town.pull(town.field("police"), [structs.replace(page.position, generation=generation)])

        assert [entry.digest for one in answer.pages for entry in one.entries] == [one.digest for one in reports]


class TestPast:
    async def test_comes_after_what_is_new_and_ends_at_the_first(self, town: Town) -> None:
        old = await filed(town, 5)
        caller = await town.caller(town.field("police"))
        first = await town.services.pull(caller, sync.Pull((), limit=2))
        fresh = await filed(town, 1)

        second = await town.services.pull(caller, sync.Pull(tuple(page.position for page in first.pages), limit=2))
        third = await town.services.pull(caller, sync.Pull(tuple(page.position for page in second.pages), limit=9))

        assert [[one.digest for one in page.past] for page in first.pages] == [[old[4].digest, old[3].digest]]
        assert [[one.digest for one in page.entries] for page in second.pages] == [[fresh[0].digest]]
        assert [[one.digest for one in page.past] for page in second.pages] == [[old[2].digest]]
        assert [[one.digest for one in page.past] for page in third.pages] == [[old[1].digest, old[0].digest]]
        assert [(page.position.seq, page.position.below, page.more) for page in third.pages] == [(6, 0, False)]

    async def test_holds_nothing_that_was_taken_back(self, town: Town) -> None:
        own = town.agencies["security"].key()
        [report] = await filed(town, 1)
        taken = amended(town, report, readers={own: bits("SIT", "PLC")})
        await town.outcomes(town.field("security"), taken)

        entries = [one for page in (await town.pull(town.field("police"))).pages for one in page.entries]

        assert [str(one.op) for one in entries] == ["skip", "drop"]
        assert all(one.put is None for one in entries)


class TestFeeds:
    async def test_are_those_of_the_persons_scenes(self, town: Town) -> None:
        agency = town.agencies["police"]
        await town.append(agency, town.device_entries(agency, "C", ("field",), scenes=(2,)))
        await town.open_epochs(agency, ("field",))
        [here] = await filed(town, 1, scene=2)
        await filed(town, 1, scene=1)

        assert set(await town.puts(agency.devices[-1])) == {here.digest}

    async def test_that_a_device_lost_are_closed(self, town: Town) -> None:
        agency = town.agencies["police"]
        await filed(town, 1, scene=1)
        [one] = (await town.pull(town.field("police"))).pages
        person = town.field("police").person
        await town.append(agency, [agency.entry(d.PersonAdd(person, "A", ("field",), (2,), None), NOW)])

        answer = await town.pull(town.field("police"), [one.position])

        assert answer.closed == (one.position.feed,)
        assert answer.pages == ()

    async def test_of_other_agencies_are_closed_and_never_read(self, town: Town) -> None:
        await filed(town, 1)
        [theirs] = (await town.pull(town.field("police"))).pages

        answer = await town.pull(town.field("health"), [sync.Position(theirs.position.feed, 1, 0)])

        assert answer.closed == (theirs.position.feed,)
        assert theirs.position.feed not in {one.position.feed for one in answer.pages}

    async def test_without_a_gap_under_sixteen_writers(self, town: Town) -> None:
        reports = [town.report("security", scene=1 + number % 2) for number in range(96)]
        queue = iter(reports)

        async def write() -> None:
            for one in queue:
                assert await town.outcomes(town.field("security"), one) == [("created", None, None)]

        await asyncio.gather(*(write() for _ in range(16)))

        numbers = dict[bytes, list[int]]()
        async with town.engine.read() as connection:
            at = tables.feed_entries.c
            for row in await connection.execute(select(at.feed, at.seq).order_by(at.feed, at.seq)):
                numbers.setdefault(row.feed, []).append(row.seq)
            heads = {row.feed: row.seq for row in await connection.execute(select(tables.feed_heads))}
        assert {feed: list(range(1, heads[feed] + 1)) for feed in heads} == numbers
        assert sum(heads.values()) == 6 * len(reports)
        assert set(await town.puts(town.field("police"))) == {one.digest for one in reports}

    async def test_ledgers_have_no_gap_either(self, town: Town) -> None:
        reports = [town.report("security") for _ in range(40)]

        await asyncio.gather(
            *(town.outcomes(town.field("security"), one) for one in reports),
            *(town.entries(town.field(slug)) for slug in ("police", "security", "health")),
        )

        async with town.engine.read() as connection:
            at = tables.ledger_leaves.c
            rows = (await connection.execute(select(at.agency, at.seq).order_by(at.agency, at.seq))).all()
        numbers = dict[bytes, list[int]]()
        for row in rows:
            numbers.setdefault(row.agency, []).append(row.seq)
        assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
        assert len(numbers[town.agencies["security"].id]) >= len(reports)


class TestRights:
    async def test_a_revoked_device_pulls_nothing_from_the_next_request_on(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police", 1)
        caller = await town.caller(device)
        await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "stolen"), NOW)])

        with pytest.raises(Invalid, match="revoked_device"):
            await town.services.pull(caller, sync.Pull())

    async def test_also_when_another_process_wrote_it(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police", 1)
        caller = await town.caller(device)
        other = await Town(town.path).open()
        other.partnership, other.agencies = town.partnership, town.agencies
        await other.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "stolen"), NOW)])
        await other.close()

        with pytest.raises(Invalid, match="revoked_device"):
            await town.services.pull(caller, sync.Pull())

    async def test_a_person_out_of_service_pulls_nothing(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police", 1)
        await town.append(agency, [agency.entry(d.PersonSuspend(device.person), NOW)])

        with pytest.raises(Invalid, match="not_allowed"):
            await town.pull(device)

    async def test_tier_one_stays_in_the_agency(self, town: Town) -> None:
        await filed(town, 1)

        tiers = {
            slug: [
                tuple(tier is not None for tier in put.tiers) for put in (await town.puts(town.field(slug))).values()
            ]
            for slug in ("security", "police", "health")
        }

        assert tiers == {"security": [(True, True)], "police": [(True, False)], "health": [(True, False)]}


class TestSupervisors:
    """What is held back until a record says why it is opened."""

    def record(self, town: Town, about: bytes, by: Device, **more: Any) -> bytes:  # noqa: ANN401  # any field of a record
        made = structs.replace(Open(os.urandom(16), about, by.kid, town.clock.now, None, b"sealed reason"), **more)
        data = encode(made)
        return encode(SignedRecord(data, by.sign.sign(record_message(data))))

    async def test_get_the_row_without_seal_or_section(self, town: Town) -> None:
        [report] = await filed(town, 1)

        [put] = (await town.puts(town.supervisor("security"))).values()

        assert (put.sections, put.seal, put.wraps) == ((), None, ())
        assert put.manifest == report.item.manifest
        assert put.tiers == report.item.tiers

    async def test_open_it_with_a_record(self, town: Town) -> None:
        [report] = await filed(town, 1)
        device = town.supervisor("security")
        record = self.record(town, report.digest, device)

        answers = [(await town.push(device, records=[record])).records[0] for _ in range(2)]

        assert [str(one.outcome) for one in answers] == ["created", "duplicate"]
        entries = [one.put for one in await town.entries(device) if one.put]
        assert sorted(len(one.wraps) for one in entries) == [0, 7]
        assert {one.seal for one in entries} - {None} <= {one.seal for one in report.item.recipients}

    async def test_only_for_the_device_that_opened(self, town: Town) -> None:
        agency = town.agencies["security"]
        await town.append(agency, town.device_entries(agency, "T", ("supervisors",)))
        await town.open_epochs(agency, ("supervisors",))
        [report] = await filed(town, 1)
        await town.push(
            town.supervisor("security"), records=[self.record(town, report.digest, town.supervisor("security"))]
        )

        [put] = (await town.puts(agency.devices[-1])).values()

        assert put.seal is None

    async def test_and_only_as_long_as_it_is_theirs(self, town: Town) -> None:
        agency, device = town.agencies["security"], town.supervisor("security")
        await town.append(agency, town.device_entries(agency, "T", ("supervisors",)))
        await town.open_epochs(agency, ("supervisors",))
        [report] = await filed(town, 1)
        await town.push(device, records=[self.record(town, report.digest, device)])
        await town.append(agency, [agency.entry(d.MemberRemove(agency.audience("supervisors"), device.kid), NOW)])

        assert [str(one.op) for one in await town.entries(device)] == ["skip"]

    @pytest.mark.parametrize(
        ("more", "who", "expected"),
        [
            ({}, "field", ("refused", "not_allowed", "record.device")),
            ({"digest": bytes(32)}, "supervisor", ("refused", "not_found", "record.digest")),
            ({"reason": None}, "supervisor", ("refused", "malformed", "record.reason")),
            ({"task": bytes(16)}, "supervisor", ("refused", "malformed", "record.reason")),
            ({"device": bytes(16)}, "supervisor", ("refused", "malformed", "record.device")),
            ({}, "another agency's", ("refused", "not_found", "record.digest")),
        ],
    )
    async def test_nobody_else_does(
        self, town: Town, more: dict[str, Any], who: str, expected: tuple[str, str, str]
    ) -> None:
        [report] = await filed(town, 1)
        devices = {
            "field": town.field("security"),
            "supervisor": town.supervisor("security"),
            "another agency's": town.supervisor("police"),
        }
        record = self.record(town, report.digest, devices[who], **more)

        [outcome] = (await town.push(devices[who], records=[record])).records

        assert (str(outcome.outcome), outcome.reason, outcome.field) == expected

    async def test_a_forged_record_opens_nothing(self, town: Town) -> None:
        [report] = await filed(town, 1)
        device = town.supervisor("security")
        signed = self.record(town, report.digest, device)[:-64] + bytes(64)

        [outcome] = (await town.push(device, records=[signed])).records

        assert (str(outcome.outcome), outcome.receipt) == ("bad_signature", None)
        assert len(await town.entries(device)) == 1


async def until_waiting(town: Town) -> None:
    """Return when a device waits; it got there by itself, so a turn of the loop is all that it needs."""
    while not town.services._core.wake._waiting:  # noqa: ASYNC110  # nothing tells when somebody begins to wait
        await asyncio.sleep(0)


class TestWaiting:
    async def test_a_push_ends_the_wait(self, town: Town) -> None:
        waiting = asyncio.create_task(town.pull(town.field("police"), wait=25))
        report = town.report("security")
        await until_waiting(town)

        await town.outcomes(town.field("security"), report)

        async with asyncio.timeout(2):
            answer = await waiting
        assert [one.digest for page in answer.pages for one in page.entries] == [report.digest]

    async def test_what_is_there_is_not_waited_for(self, town: Town) -> None:
        await filed(town, 1)

        async with asyncio.timeout(2):
            assert (await town.pull(town.field("police"), wait=25)).pages

    async def test_one_who_gives_up_leaves_nothing_behind(self, town: Town) -> None:
        waiting = asyncio.create_task(town.pull(town.field("police"), wait=25))
        await until_waiting(town)

        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        assert town.services._core.wake._waiting == {}


class TestCarrierRule:
    """Two copies of one server; one of them also gets what the police may not know to exist."""

    @pytest.fixture
    async def other(self, town: Town, tmp_path: Path) -> AsyncIterator[Town]:
        await town.close()
        shutil.copy(town.path, tmp_path / "other.db")
        other = Town(tmp_path / "other.db")
        other.partnership, other.agencies, other.receipt_key = town.partnership, town.agencies, town.receipt_key
        await town.open()
        await other.open()
        yield other
        await other.close()

    async def test_what_the_police_pull_is_the_same_byte_for_byte(self, town: Town, other: Town) -> None:
        guard, police = town.field("security"), town.field("police")
        shared = [town.report("security", scene=1 + number % 3) for number in range(12)]
        own = [town.report("police", scene=1 + number % 3) for number in range(6)]
        secret = [
            *(town.report("social_services", kind=5) for _ in range(10)),
            *(town.report("social_services", kind=0) for _ in range(10)),
            *(town.report("health", kind=0) for _ in range(10)),
        ]

        for number in range(6):
            for one in (town, other):
                await one.outcomes(guard, *shared[2 * number : 2 * number + 2])
                await one.outcomes(police, own[number])
            for report in secret[5 * number : 5 * number + 5]:
                slug = "health" if report.manifest.agency == town.agencies["health"].id else "social_services"
                assert (await other.outcomes(other.field(slug), report))[0][0] == "created"

        for device in (police, town.supervisor("police"), guard, town.supervisor("security")):
            for limit in (3, 500):
                assert await self.everything(town, device, limit) == await self.everything(other, device, limit)
        assert len(await other.puts(other.field("social_services"))) > len(
            await town.puts(town.field("social_services"))
        )

    async def test_how_they_are_answered_is_the_same_too(self, town: Town, other: Town) -> None:
        name = os.urandom(16)
        secret = town.report("social_services", kind=0, report_id=name)
        assert (await other.outcomes(other.field("social_services"), secret))[0][0] == "created"
        guess = town.report("police", report_id=name)
        follows = town.report("police", report_id=name, version=2, parents=(secret.digest,))

        answers = [await one.push(one.field("police"), secret, follows, guess, guess) for one in (town, other)]

        assert encode(answers[0]) == encode(answers[1])
        assert [str(one.outcome) for one in answers[0].items] == ["refused", "retry", "created", "duplicate"]

    async def everything(self, town: Town, device: Device, limit: int) -> list[bytes]:
        cursor, found, more = dict[bytes, sync.Position](), list[bytes](), True
        while more:
            answer = await town.pull(device, cursor.values(), limit=limit)
            cursor |= {one.position.feed: one.position for one in answer.pages}
            found.append(encode(answer))
            more = any(one.more for one in answer.pages)
        return found
