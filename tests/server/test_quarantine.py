"""Quarantine: who looks into it, what a countersignature takes out of it, and how much a revoked device may put in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from msgspec import structs
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.codec import decode, encode
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Countersign, SignedRecord, record_message
from sluss_schemas.signing import RECEIPT_LABEL, verify
from sluss_server.storage import tables

from tests.server.sealer import SealedReport, make_grant, with_grants
from tests.server.town import INSTANCE, NOW, Device, Town, amended, bits, changed, slots

Answer = tuple[str, str | None, str | None]
SECURITY: Final = "security"
DAY: Final = 86_400
TO_POLICE: Final = bits("SIT", "PLC", "SUB")


def countersigned(town: Town, about: bytes, by: Device | None = None, **more: Any) -> bytes:  # noqa: ANN401  # any field of a record
    device = by or town.supervisor(SECURITY)
    made = structs.replace(Countersign(os.urandom(16), about, device.kid, town.clock.now), **more)
    data = encode(made)
    return encode(SignedRecord(data, device.sign.sign(record_message(data))))


async def sign(town: Town, *about: SealedReport, by: Device | None = None, **more: Any) -> list[Answer]:  # noqa: ANN401  # as above
    """Countersign, and return what became of the records."""
    device = by or town.supervisor(SECURITY)
    made = [countersigned(town, one.digest, device, **more) for one in about]
    answer = await town.push(device, records=made)
    return [(str(one.outcome), one.reason, one.field) for one in answer.records]


async def waiting(town: Town, by: Device | None = None) -> sync.QuarantineAnswer:
    return await town.services.quarantine(await town.caller(by or town.supervisor(SECURITY)))


async def held(town: Town, count: int = 1, **more: Any) -> list[SealedReport]:  # noqa: ANN401  # any field of a draft
    """Reports that a device pushes after it was revoked."""
    await revoke(town)
    reports = [town.report(SECURITY, **more) for _ in range(count)]
    assert {one[0] for one in await town.outcomes(town.field(SECURITY, 1), *reports)} == {"quarantined"}
    return reports


async def revoke(town: Town) -> None:
    agency, device = town.agencies[SECURITY], town.field(SECURITY, 1)
    await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "lost"), NOW)])


async def rows(town: Town, *columns: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  # any columns
    async with town.engine.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


async def leaves(town: Town) -> list[str]:
    at = tables.ledger_leaves.c
    return [str(one[0]) for one in await rows(town, at.action)]


class TestListed:
    async def test_are_the_items_as_they_came_oldest_first_with_their_reasons(self, town: Town) -> None:
        first = town.report(SECURITY, pack=bytes(32))
        await town.outcomes(town.field(SECURITY), first)
        town.clock.now += 60
        [second] = await held(town)

        answer = await waiting(town)

        assert answer == sync.QuarantineAnswer(
            (
                sync.Quarantined(first.raw, "unknown_pack", NOW),
                sync.Quarantined(second.raw, "not_allowed", NOW + 60),
            ),
            more=False,
        )

    async def test_are_the_own_agencys_alone(self, town: Town) -> None:
        await held(town)

        assert (await waiting(town, town.supervisor("police"))).waiting == ()

    @pytest.mark.parametrize("who", ["field", "former supervisor", "suspended"])
    async def test_are_shown_to_nobody_but_supervisors(self, town: Town, who: str) -> None:
        await held(town)
        agency, device = town.agencies[SECURITY], town.supervisor(SECURITY)
        if who == "former supervisor":
            await town.append(agency, [agency.entry(d.MemberRemove(agency.audience("supervisors"), device.kid), NOW)])
        if who == "suspended":
            await town.append(agency, [agency.entry(d.PersonSuspend(device.person), NOW)])

        with pytest.raises(Invalid, match="not_allowed"):
            await waiting(town, town.field(SECURITY) if who == "field" else device)

    async def test_are_not_shown_to_a_supervisors_revoked_device(self, town: Town) -> None:
        agency, device = town.agencies[SECURITY], town.supervisor(SECURITY)
        await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "stolen"), NOW)])

        with pytest.raises(Invalid, match="revoked_device"):
            await waiting(town, device)

    async def test_end_at_a_megabyte_and_go_on_when_those_are_dealt_with(self, town: Town) -> None:
        reports = await held(town, 30, size=30_000, filled=(0, 2))
        in_order = sorted(reports, key=lambda one: one.digest)

        first = await waiting(town)
        assert {one[0] for one in await sign(town, *in_order[: len(first.waiting)])} == {"created"}
        second = await waiting(town)

        assert [one.item for one in (*first.waiting, *second.waiting)] == [one.raw for one in in_order]
        assert (first.more, second.more) == (True, False)
        assert sync.MAX_PAGE_BYTES - 70_000 < sum(len(one.item) for one in first.waiting) <= sync.MAX_PAGE_BYTES

    async def test_hold_at_least_one_however_large(self, town: Town) -> None:
        await held(town, 1, size=sync.MAX_PUSH_BYTES - 20_000, filled=(0,))

        answer = await waiting(town)

        assert (len(answer.waiting), answer.more) == (1, False)

    async def test_leave_a_leaf_where_something_was_shown(self, town: Town) -> None:
        await waiting(town)
        before = await leaves(town)
        await held(town)
        await waiting(town)

        assert (before, await leaves(town)) == ([], ["quarantine", "deliver"])


async def _revoked(town: Town) -> SealedReport:
    return (await held(town))[0]


async def _suspended(town: Town) -> SealedReport:
    agency, device, report = town.agencies[SECURITY], town.field(SECURITY, 1), town.report(SECURITY)
    await town.append(agency, [agency.entry(d.PersonSuspend(device.person), NOW)])
    await town.outcomes(device, report)
    return report


async def _long_closed(town: Town) -> SealedReport:
    report = town.report(SECURITY)
    await town.open_epochs(town.agencies[SECURITY])
    town.clock.now += 15 * DAY
    await town.outcomes(town.field(SECURITY), report)
    return report


async def _for_a_closed_epoch(town: Town) -> SealedReport:
    [report] = await held(town)
    await town.open_epochs(town.agencies["police"])
    await town.open_epochs(town.agencies[SECURITY])
    return report


async def _ahead(town: Town) -> SealedReport:
    report = town.report(SECURITY, time=NOW + 2 * DAY)
    await town.outcomes(town.field(SECURITY), report)
    return report


async def _at_a_later_scene(town: Town) -> SealedReport:
    report = town.report(SECURITY, scene=9)
    await town.outcomes(town.field(SECURITY), report)
    registry = next(one for one in town.agencies.values() if one.directory.genesis and one.directory.genesis.registry)
    await town.append(registry, [registry.entry(d.Scene(9, "scene-9", "Scene", "Plats", None, "confirmed"))])
    return report


RELEASED: Final[list[tuple[str, Callable[[Town], Awaitable[SealedReport]]]]] = [
    ("a revoked device's", _revoked),
    ("a suspended person's", _suspended),
    ("one signed under an epoch that closed long ago", _long_closed),
    ("one sealed for epochs that closed since", _for_a_closed_epoch),
    ("one of two days ahead", _ahead),
    ("one at a scene that the registry has by now", _at_a_later_scene),
]


class TestCountersigned:
    @pytest.mark.parametrize("make", [row[1] for row in RELEASED], ids=[row[0] for row in RELEASED])
    async def test_is_stored_as_if_just_received(
        self, town: Town, make: Callable[[Town], Awaitable[SealedReport]]
    ) -> None:
        report = await make(town)
        assert (await waiting(town)).waiting
        assert await town.puts(town.field("police")) == {}

        assert await sign(town, report) == [("created", None, None)]

        assert (await waiting(town)).waiting == ()
        assert {slug: set(await town.puts(town.field(slug))) for slug in ("police", "health", SECURITY)} == {
            slug: {report.digest} for slug in ("police", "health", SECURITY)
        }
        at = tables.reports.c
        assert await rows(town, at.digest, at.head, at.quarantine, at.item) == [(report.digest, True, None, None)]
        assert await rows(town, tables.facts.c.digest) == [(report.digest,)]
        assert (await town.pull(town.field("police"))).used == (report.item.heads,)

    async def test_leaves_the_record_and_its_leaf(self, town: Town) -> None:
        [report] = await held(town)
        record = countersigned(town, report.digest)
        await town.push(town.supervisor(SECURITY), records=[record])

        at = tables.records.c
        signed = decode(SignedRecord, record)
        assert await rows(town, at.kind, at.digest, at.record, at.signature) == [
            ("countersign", report.digest, signed.record, signed.signature)
        ]
        assert await leaves(town) == ["quarantine", "countersign"]

    async def test_its_author_hears_that_it_is_stored(self, town: Town) -> None:
        [report] = await held(town)
        town.clock.now += 60
        await sign(town, report)

        [again] = (await town.push(town.field(SECURITY, 1), report)).items

        assert (str(again.outcome), again.reason, again.field) == ("duplicate", None, None)
        assert again.receipt is not None
        assert again.receipt_signature is not None
        verify(town.receipt_key.public_key().public_bytes_raw(), again.receipt_signature, RECEIPT_LABEL + again.receipt)
        told = sync.Receipt(1, report.digest, "created", INSTANCE, NOW + 60)
        assert decode(sync.Receipt, again.receipt) == told

    async def test_keeps_to_the_pack(self, town: Town) -> None:
        readers = {town.agencies["police"].key(): bits("SIT", "PLC", "SUB")}
        [report] = await held(town, readers=readers)

        await sign(town, report)

        assert slots((await town.puts(town.field("police")))[report.digest]) == {0, 2}
        [again] = (await town.push(town.field(SECURITY), report)).items
        assert again.receipt is not None
        assert decode(sync.Receipt, again.receipt).outcome == "trimmed"

    async def test_brings_its_grants(self, town: Town) -> None:
        await revoke(town)
        report = town.report(SECURITY)
        told = with_grants(report, make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))
        await town.outcomes(town.field(SECURITY, 1), told)

        await sign(town, told)

        assert await leaves(town) == ["quarantine", "disclose", "countersign"]
        given = [one.put for one in await town.entries(town.field("police")) if one.put]
        assert [slots(one) for one in given] == [{0, 2, 10, 13}, {0, 2, 4}]

    async def test_twice_is_stored_once(self, town: Town) -> None:
        [report] = await held(town)
        record, device = countersigned(town, report.digest), town.supervisor(SECURITY)

        answers = [(await town.push(device, records=[record])).records[0] for _ in range(2)]
        late = await sign(town, report)

        assert [str(one.outcome) for one in answers] == ["created", "duplicate"]
        assert late == [("refused", "not_found", "record.digest")]
        assert [str(one.op) for one in await town.entries(town.field("police"))] == ["put"]

    async def test_by_many_at_once_and_in_two_processes_is_stored_once(self, town: Town) -> None:
        [report] = await held(town)
        other = await Town(town.path).open()
        other.partnership, other.agencies, other.receipt_key = town.partnership, town.agencies, town.receipt_key
        other.services = other.new_services()

        answers = await asyncio.gather(*(sign(one, report) for _ in range(4) for one in (town, other)))
        await other.close()

        outcomes = sorted(one[0] for one in answers)
        assert outcomes == [("created", None, None), *[("refused", "not_found", "record.digest")] * 7]
        assert [str(one.op) for one in await town.entries(town.field("police"))] == ["put"]
        assert len(await rows(town, tables.records.c.record_id)) == 1

    async def test_wakes_those_who_wait(self, town: Town) -> None:
        [report] = await held(town)
        device = town.field("police")
        pulling = asyncio.create_task(town.pull(device, wait=25))
        while not town.services._core.wake._waiting:  # noqa: ASYNC110  # nothing tells when somebody begins to wait
            await asyncio.sleep(0)

        await sign(town, report)

        async with asyncio.timeout(2):
            answer = await pulling
        assert [one.digest for page in answer.pages for one in page.entries] == [report.digest]

    async def test_leaves_nothing_of_a_transaction_that_fails(self, town: Town) -> None:
        [report] = await held(town)
        row = {"partnership_id": town.partnership, "agency": town.agencies[SECURITY].id, "seq": 2}
        content = {"action": "x", "salt": b"", "content": b"", "leaf": b""}
        await town.writer.submit(lambda c: c.execute(insert(tables.ledger_leaves).values(**row, **content)))

        with pytest.raises(IntegrityError):
            await sign(town, report)
        left = [len(await rows(town, tables.metadata.tables[name])) for name in ("records", "facts", "feed_entries")]
        await town.writer.submit(
            lambda c: c.execute(delete(tables.ledger_leaves).where(tables.ledger_leaves.c.action == "x"))
        )

        assert left == [0, 0, 0]
        assert [one.item for one in (await waiting(town)).waiting] == [report.raw]
        assert await sign(town, report) == [("created", None, None)]


REFUSED: Final[list[tuple[str, dict[str, Any], Answer]]] = [
    ("an unknown pack", {"pack": bytes(32)}, ("refused", "unknown_pack", "manifest.pack")),
    ("a newer schema", {"schema": 99}, ("refused", "unknown_pack", "manifest.schema")),
    ("a kind of another sector", {"kind": 5}, ("refused", "not_an_owner", "manifest.kind")),
    ("a secret kind in clear", {"kind": 6}, ("refused", "unknown_kind", "manifest.kind")),
    ("a part that the form does not have", {"kind": 9, "filled": (0, 2, 6)}, ("refused", "not_collected", "K09.care")),
    ("a scene that the registry lacks", {"scene": 99}, ("refused", "unknown_scene", "tiers.0")),
]


class TestStillWrong:
    """What a second look finds wrong stays where it is, and the supervisor is told why."""

    @pytest.mark.parametrize(("more", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
    async def test_of(self, town: Town, more: dict[str, Any], expected: Answer) -> None:
        [report] = await held(town, **more)

        assert await sign(town, report) == [expected]

        assert [one.item for one in (await waiting(town)).waiting] == [report.raw]
        assert await town.puts(town.field("police")) == {}
        assert await rows(town, tables.records.c.record_id) == []

    async def test_heads_that_are_not_the_manifests(self, town: Town) -> None:
        await revoke(town)
        report = town.report(SECURITY)
        assert await town.outcomes(town.field(SECURITY, 1), changed(report, heads=())) == [
            ("quarantined", "not_allowed", "device")
        ]

        assert await sign(town, report) == [("refused", "malformed", "heads")]

    async def test_a_grant_that_opens_nothing(self, town: Town) -> None:
        await revoke(town)
        report = town.report(SECURITY)
        told = with_grants(report, make_grant(report, {town.agencies["police"].key(): bits("CAR")}, "L14", NOW))
        await town.outcomes(town.field(SECURITY, 1), told)

        assert await sign(town, report) == [("refused", "not_allowed", "grant.L14.receivers")]

    async def test_a_grant_whose_id_was_used_since(self, town: Town) -> None:
        await revoke(town)
        name, key = os.urandom(16), town.agencies["police"].key()
        rivals = [town.report(SECURITY) for _ in range(2)]
        first, second = (with_grants(r, make_grant(r, {key: TO_POLICE}, "L14", NOW, grant_id=name)) for r in rivals)
        await town.outcomes(town.field(SECURITY, 1), first)
        await town.outcomes(town.field(SECURITY), second)

        assert await sign(town, first) == [("refused", "id_conflict", "grants")]
        assert len((await waiting(town)).waiting) == 1


class TestNobodyElse:
    @pytest.mark.parametrize(
        ("more", "who", "expected"),
        [
            ({}, "field", ("refused", "not_allowed", "record.device")),
            ({}, "revoked", ("refused", "not_allowed", "record.device")),
            ({}, "another agency's", ("refused", "not_found", "record.digest")),
            ({"digest": bytes(32)}, "supervisor", ("refused", "not_found", "record.digest")),
            ({"device": bytes(16)}, "supervisor", ("refused", "malformed", "record.device")),
        ],
    )
    async def test_countersigns(self, town: Town, more: dict[str, Any], who: str, expected: Answer) -> None:
        [report] = await held(town)
        devices = {
            "field": town.field(SECURITY),
            "revoked": town.field(SECURITY, 1),
            "supervisor": town.supervisor(SECURITY),
            "another agency's": town.supervisor("police"),
        }

        assert await sign(town, report, by=devices[who], **more) == [expected]
        assert len((await waiting(town)).waiting) == 1

    async def test_forges_a_countersignature(self, town: Town) -> None:
        [report] = await held(town)
        forged = countersigned(town, report.digest)[:-64] + bytes(64)

        [outcome] = (await town.push(town.supervisor(SECURITY), records=[forged])).records

        assert (str(outcome.outcome), outcome.receipt) == ("bad_signature", None)
        assert len((await waiting(town)).waiting) == 1

    async def test_takes_out_what_is_not_in_quarantine(self, town: Town) -> None:
        report = town.report(SECURITY)
        await town.outcomes(town.field(SECURITY), report)

        assert await sign(town, report) == [("refused", "not_found", "record.digest")]


class TestVersions:
    async def test_parents_come_first(self, town: Town) -> None:
        await revoke(town)
        first = town.report(SECURITY, scene=1)
        second = amended(town, first, scene=2)
        await town.outcomes(town.field(SECURITY, 1), first, second)

        early = await sign(town, second)
        both = await sign(town, first, second)

        assert [one[0] for one in (*early, *both)] == ["retry", "created", "created"]
        assert early[0][2] == "manifest.parents"
        assert set(await town.puts(town.field("police"))) == {second.digest}
        assert [str(one.op) for one in await town.entries(town.field("police"))] == ["skip", "drop", "put"]

    async def test_an_amendment_of_a_live_report_takes_its_place(self, town: Town) -> None:
        first = town.report(SECURITY, scene=1)
        await town.outcomes(town.field(SECURITY), first)
        await revoke(town)
        second = amended(town, first, scene=2)
        await town.outcomes(town.field(SECURITY, 1), second)

        assert await sign(town, second) == [("created", None, None)]

        at = tables.reports.c
        assert dict(await rows(town, at.digest, at.head)) == {first.digest: False, second.digest: True}
        assert set(await town.puts(town.field("police"))) == {second.digest}

    async def test_one_that_was_overtaken_is_a_fork(self, town: Town) -> None:
        first = town.report(SECURITY)
        await town.outcomes(town.field(SECURITY), first)
        await revoke(town)
        held_back, quicker = amended(town, first), amended(town, first)
        await town.outcomes(town.field(SECURITY, 1), held_back)
        await town.outcomes(town.field(SECURITY), quicker)

        await sign(town, held_back)

        [again] = (await town.push(town.field(SECURITY), held_back)).items
        assert again.receipt is not None
        assert decode(sync.Receipt, again.receipt).outcome == "forked"
        assert {held_back.digest, quicker.digest} <= set(await town.puts(town.field("police")))

    async def test_a_grant_may_follow_in_the_next_push(self, town: Town) -> None:
        [report] = await held(town)
        grant = encode(make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))

        early = (await town.push(town.field(SECURITY), grants=[grant])).grants
        await sign(town, report)
        late = (await town.push(town.field(SECURITY), grants=[grant])).grants

        assert [str(one.outcome) for one in (*early, *late)] == ["retry", "created"]


class TestRation:
    """A revoked device may put a hundred things into quarantine at once, and a hundred an hour."""

    async def test_ends_and_comes_back_with_time(self, town: Town) -> None:
        await revoke(town)
        device, report = town.field(SECURITY, 1), town.report(SECURITY)
        for _ in range(2):
            await town.outcomes(device, *[report] * 50)

        with pytest.raises(Invalid, match="overloaded"):
            await town.outcomes(device, report)
        town.clock.now += 35
        with pytest.raises(Invalid, match="overloaded"):
            await town.outcomes(device, report)
        town.clock.now += 1
        assert (await town.outcomes(device, report))[0][0] == "quarantined"
        with pytest.raises(Invalid, match="overloaded"):
            await town.outcomes(device, report)

    async def test_never_grows_beyond_a_hundred(self, town: Town) -> None:
        await revoke(town)
        device, report = town.field(SECURITY, 1), town.report(SECURITY)
        await town.outcomes(device, report)
        town.clock.now += 40 * DAY
        for _ in range(2):
            await town.outcomes(device, *[report] * 50)

        with pytest.raises(Invalid, match="overloaded"):
            await town.outcomes(device, report)

    async def test_counts_empty_pushes_too(self, town: Town) -> None:
        await revoke(town)
        device = town.field(SECURITY, 1)
        for _ in range(100):
            await town.push(device)

        with pytest.raises(Invalid, match="overloaded"):
            await town.push(device)

    async def test_is_nobody_elses(self, town: Town) -> None:
        await revoke(town)
        report = town.report(SECURITY)
        for _ in range(2):
            await town.outcomes(town.field(SECURITY, 1), *[report] * 50)

        mine = town.report(SECURITY)
        for _ in range(3):
            assert (await town.outcomes(town.field(SECURITY), *[mine] * 50))[-1][0] == "duplicate"
