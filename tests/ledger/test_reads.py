"""Read records and denials: where they land, what they tell to whom, and what makes an alarm."""

from __future__ import annotations

import os

import pytest

from sluss_schemas.ledger import LOG_REVIEW, Act, Alarm, Reading, SignedRead
from sluss_schemas.problems import Invalid
from sluss_schemas.records import read_raised
from sluss_server.services.raising import REVIEW_S
from sluss_server.services.reviewing import NOBODY
from sluss_server.services.watching import BULK
from sluss_server.storage import disclosure

from tests.ledger.asking import hand_in, leaves, read_of
from tests.server.town import PACK, Device, Town

DAY_S = 86_400
SITUATION = 0b01
PLACE = 0b0100


async def filed(town: Town, slug: str = "security", kind: int = 1) -> bytes:
    report = town.report(slug, kind)
    assert await town.outcomes(town.field(slug), report) == [("created", None, None)]
    return report.digest


async def reads(town: Town, slug: str) -> list[Reading]:
    return [one for one in await leaves(town, slug, "read") if isinstance(one, Reading)]


async def test_of_the_own_agencys_report_it_says_who_and_what(town: Town) -> None:
    digest, reader = await filed(town), town.field("security", 1)
    signed = read_of(reader, digest, SITUATION | PLACE, b"r" * 16, town.clock.now - 7)
    await hand_in(town, reader, signed)

    [found] = await reads(town, "security")
    assert (found.digest, found.slots, found.time) == (digest, SITUATION | PLACE, town.clock.now - 7)
    assert (found.agency, found.person, found.record) == (reader.agency.id, reader.person, b"r" * 16)
    assert signed.read in found.signed


async def test_of_anothers_report_the_owner_learns_the_agency_alone(town: Town) -> None:
    digest, officer = await filed(town), town.field("police")
    await hand_in(town, officer, read_of(officer, digest, SITUATION, b"r" * 16, town.clock.now))

    [owners], [own] = await reads(town, "security"), await reads(town, "police")
    assert (owners.digest, owners.slots, owners.agency, owners.record) == (
        digest,
        SITUATION,
        officer.agency.id,
        b"r" * 16,
    )
    assert (owners.person, owners.signed) == (b"", b"")
    assert (own.record, own.person) == (owners.record, officer.person)
    everything = repr(await leaves(town, "security"))
    assert repr(officer.kid)[2:-1] not in everything
    assert repr(officer.person)[2:-1] not in everything


async def test_is_taken_once_whatever_is_handed_in_again(town: Town) -> None:
    digest, reader = await filed(town), town.field("security", 1)
    one, other = (read_of(reader, digest, SITUATION, name * 16, town.clock.now) for name in (b"r", b"s"))
    for some in ([one, one], [one, other], [other], []):
        await hand_in(town, reader, *some)

    assert [found.record for found in await reads(town, "security")] == [b"r" * 16, b"s" * 16]


async def test_of_what_was_never_delivered_there_it_is_a_denial(town: Town) -> None:
    digest, officer = await filed(town, "social_services", 5), town.field("police")
    before = await leaves(town, "social_services")
    for number, unknown in enumerate((digest, os.urandom(32))):
        await hand_in(town, officer, read_of(officer, unknown, SITUATION, bytes([number]) * 16, town.clock.now))

    assert await leaves(town, "social_services") == before
    denials = [one for one in await leaves(town, "police", "deny") if isinstance(one, Act)]
    assert [(one.code, one.who) for one in denials] == [("not_delivered", officer.person)] * 2
    assert await reads(town, "police") == []


async def test_a_clock_that_is_ahead_reads_nothing_in_the_future(town: Town) -> None:
    digest, reader = await filed(town), town.field("security", 1)
    await hand_in(town, reader, read_of(reader, digest, SITUATION, b"r" * 16, town.clock.now + 9999))

    [found] = await reads(town, "security")
    assert (found.time, found.received) == (town.clock.now, town.clock.now)


async def test_is_not_taken_from_another_device_nor_with_a_broken_signature(town: Town) -> None:
    digest, reader, other = await filed(town), town.field("security", 1), town.field("security")
    signed = read_of(reader, digest, SITUATION, b"r" * 16, town.clock.now)
    for device, one in (
        (other, signed),
        (reader, SignedRead(signed.read, bytes(64))),
        (reader, SignedRead(signed.read, other.sign.sign(b"sluss/read" + signed.read))),
    ):
        with pytest.raises(Invalid, match="bad_signature"):
            await hand_in(town, device, one)

    assert await reads(town, "security") == []


class TestBulk:
    async def read(self, town: Town, device: Device, digests: list[bytes]) -> None:
        for start in range(0, len(digests), 50):
            some = digests[start : start + 50]
            await hand_in(
                town, device, *(read_of(device, one, SITUATION, os.urandom(16), town.clock.now) for one in some)
            )

    async def test_more_than_anybody_reads_in_an_hour_is_an_alarm_once(self, town: Town) -> None:
        code, most = BULK["read"]
        pushed = [town.report("security") for _ in range(most + 1)]
        for start in range(0, len(pushed), 50):
            await town.push(town.field("security"), *pushed[start : start + 50])
        officer = town.field("police")
        digests = [one.digest for one in pushed]
        # Again and again the same is one opening.
        await self.read(town, officer, [*digests[:most], *digests[:most]])
        await town.services.ledgers.once()
        assert await leaves(town, "police", "alarm") == []

        await self.read(town, officer, digests[most:])
        await town.services.ledgers.once()
        await town.services.ledgers.once()
        await town.new_services().ledgers.once()

        [alarm] = await leaves(town, "police", "alarm")
        assert isinstance(alarm, Alarm)
        assert (alarm.code, alarm.person, alarm.count) == (code, officer.person, most + 1)
        assert await leaves(town, "security", "alarm") == []
        # And one task of the supervisors, whoever looked when.
        agency = town.agencies["police"].id
        async with town.engine.read() as connection:
            tasks = await disclosure.records_of_kind(connection, town.partnership, [agency], "task")
        [task] = [read_raised(row.record) for row in tasks]
        assert task is not None
        assert (task.person, task.count, task.until) == (officer.person, most + 1, alarm.time + REVIEW_S)


async def test_who_opened_what_is_to_be_looked_through_once_in_every_period_of_the_pack(town: Town) -> None:
    reader, agency = town.field("security", 1), town.agencies["security"].id
    days, within = PACK.parameters.log_review_days, PACK.parameters.log_review_within_days
    assert days is not None
    start = town.clock.now
    digest = await filed(town)
    await town.services.ledgers.once()
    await hand_in(town, reader, read_of(reader, digest, SITUATION, b"r" * 16, town.clock.now))

    async def looks(number: int) -> list[tuple[int, int, int, int]]:
        """Let an hour's watching by two processes pass, some periods after the founding; return what is to be done."""
        town.clock.now = start + number * days * DAY_S
        for services in (town.services, town.new_services(), town.services):
            await services.ledgers.once()
        async with town.engine.read() as connection:
            rows = await disclosure.records_of_kind(connection, town.partnership, [agency], "task")
        found = [one for row in rows if (one := read_raised(row.record)) is not None]
        assert all((one.code, one.person) == (LOG_REVIEW, NOBODY) for one in found)
        return [
            ((one.since - start) // DAY_S, (one.time - start) // DAY_S, (one.until - start) // DAY_S, one.count)
            for one in found
        ]

    town.clock.now += 60
    await town.services.ledgers.once()
    assert await looks(0) == []
    first = (0, days, days + within, 1)
    assert await looks(1) == [first]
    assert await looks(1) == [first]
    # Nobody had the server run for four periods: one task, and no pile.
    assert await looks(6) == [first, (5 * days, 6 * days, 6 * days + within, 0)]


class TestDenials:
    async def test_a_refused_right_is_recorded_once_an_hour(self, town: Town) -> None:
        guard = town.field("security")
        caller = await town.caller(guard)
        for code in ("not_allowed", "not_allowed", "out_of_range", "revoked_device"):
            await town.services.denied(caller, code, "/v1/quarantine")
        town.clock.now += 3600
        await town.services.denied(caller, "not_allowed", "/v1/quarantine")

        found = [one for one in await leaves(town, "security", "deny") if isinstance(one, Act)]
        assert [one.code for one in found] == ["not_allowed", "revoked_device", "not_allowed"]
        assert {(one.who, one.about) for one in found} == {(guard.person, b"/v1/quarantine")}


async def test_an_epoch_that_takes_the_place_of_another_is_recorded(town: Town) -> None:
    agency = town.agencies["security"]
    assert await leaves(town, "security", "rotate") == []
    town.clock.now += 86_400
    await town.open_epochs(agency, ("field",))

    [found] = await leaves(town, "security", "rotate")
    assert isinstance(found, Act)
    assert (found.code, found.about, found.time) == ("field", agency.audience("field"), town.clock.now)
