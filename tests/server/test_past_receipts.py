"""After a restore: what an earlier instance gave a receipt for comes back as it was, and nothing else does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Raw, structs
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.codec import decode, encode
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Countersign, Open, SignedRecord, record_message
from sluss_schemas.signing import RECEIPT_LABEL, verify
from sluss_server.services import Services
from sluss_server.storage import tables

from tests.server.sealer import SealedReport, make_grant, with_grants
from tests.server.town import NOW, PACK, Device, Town, amended, bits, changed, slots

Answer = tuple[str, str | None, str | None]
SECOND: Final = b"j" * 16
"""The instance after the restore."""
DAY: Final = 86_400
CREATED: Final[Answer] = ("created", None, None)


@dataclass
class Restore:
    """A server with a backup of its first morning, and what becomes of it when that is restored."""

    town: Town
    backup: Path
    lost: Path = Path()

    async def burn(self, *, directories: bool = True, instance: bytes = SECOND) -> Town:
        """Restore the backup as a new instance; `directories` says whether devices gave the chains back already."""
        self.lost = self.backup.with_name("lost.db")
        await self.town.close()
        shutil.move(self.town.path, self.lost)
        shutil.copy(self.backup, self.town.path)
        await self.town.open()
        self.town.services = Services(
            engine=self.town.engine,
            writer=self.town.writer,
            clock=self.town.clock,
            receipt_key=self.town.receipt_key,
            packs=(PACK,),
            instance=instance,
        )
        if directories:
            await self.give_back()
        return self.town

    async def give_back(self) -> None:
        """Let the chains be as they were before the fire."""
        lost = await Town(self.lost).open()
        found = dict[Table, list[dict[str, Any]]]()
        for table in (tables.directory_entries, tables.directory_heads):
            async with lost.engine.read() as connection:
                found[table] = [dict(row._mapping) for row in await connection.execute(select(table))]
        await lost.close()

        async def job(connection: AsyncConnection) -> None:
            for table, rows in found.items():
                await connection.execute(delete(table))
                await connection.execute(insert(table), rows)

        await self.town.writer.submit(job)


@pytest.fixture
async def restore(town: Town, tmp_path: Path) -> Restore:
    backup = tmp_path / "backup.db"
    await town.close()
    shutil.copy(town.path, backup)
    await town.open()
    return Restore(town, backup)


async def push(
    town: Town,
    device: Device,
    *reports: SealedReport | bytes,
    past: Sequence[sync.Outcome | sync.PastReceipt] = (),
    grants: Sequence[bytes] = (),
    records: Sequence[bytes] = (),
) -> sync.PushAnswer:
    """Push with the receipts of outcomes that were answered before the fire."""
    items = tuple(Raw(one if isinstance(one, bytes) else one.raw) for one in reports)
    receipts = tuple(one if isinstance(one, sync.PastReceipt) else receipt(one) for one in past)
    given = sync.Push(items, tuple(Raw(one) for one in grants), tuple(Raw(one) for one in records), receipts)
    return await town.services.push(await town.caller(device), given)


def receipt(outcome: sync.Outcome) -> sync.PastReceipt:
    assert outcome.receipt is not None
    assert outcome.receipt_signature is not None
    return sync.PastReceipt(outcome.receipt, outcome.receipt_signature)


def said(outcomes: Sequence[sync.Outcome]) -> list[Answer]:
    return [(str(one.outcome), one.reason, one.field) for one in outcomes]


def record(by: Device, about: bytes, kind: type[Open | Countersign]) -> bytes:
    made: Open | Countersign = (
        Open(os.urandom(16), about, by.kid, NOW, None, b"sealed reason")
        if kind is Open
        else Countersign(os.urandom(16), about, by.kid, NOW)
    )
    data = encode(made)
    return encode(SignedRecord(data, by.sign.sign(record_message(data))))


async def feed(town: Town, device: Device) -> list[tuple[str, bytes]]:
    return [(str(one.op), one.digest) for one in await town.entries(device)]


async def rows(town: Town, *columns: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  # any columns
    async with town.engine.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


async def _nothing(_: Town) -> None:
    pass


async def _revoked(town: Town) -> None:
    agency = town.agencies["security"]
    await town.append(agency, [agency.entry(d.DeviceRevoke(town.field("security", 1).kid, "lost"), NOW)])


async def _suspended(town: Town) -> None:
    agency = town.agencies["security"]
    await town.append(agency, [agency.entry(d.PersonSuspend(town.field("security", 1).person), NOW)])


async def _signer_closed(town: Town) -> None:
    await town.open_epochs(town.agencies["security"], ("field",))


async def _signer_long_closed(town: Town) -> None:
    await _signer_closed(town)
    town.clock.now += 20 * DAY


async def _recipient_closed(town: Town) -> None:
    await town.open_epochs(town.agencies["police"])


async def _clock_behind(town: Town) -> None:
    town.clock.now -= 3 * DAY


CHANGES: Final[list[tuple[str, Callable[[Town], Awaitable[None]], Answer]]] = [
    ("nothing changed", _nothing, CREATED),
    ("the device was revoked", _revoked, ("quarantined", "not_allowed", "device")),
    ("the person was suspended", _suspended, ("quarantined", "not_allowed", "device")),
    (
        "the signer's epoch closed",
        _signer_closed,
        ("stale_directory", "stale_directory", "manifest.signer_kid"),
    ),
    (
        "the signer's epoch closed long ago",
        _signer_long_closed,
        ("quarantined", "stale_directory", "manifest.signer_kid"),
    ),
    ("a recipient's epochs closed", _recipient_closed, ("stale_directory", "stale_directory", "recipients")),
    ("the new server's clock is behind", _clock_behind, ("quarantined", "future_time", "manifest.time")),
]


@pytest.mark.parametrize(("change", "without"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
async def test_a_report_with_its_receipt_comes_back_although(
    restore: Restore, change: Callable[[Town], Awaitable[None]], without: Answer
) -> None:
    town, device = restore.town, restore.town.field("security", 1)
    report, control = town.report("security"), town.report("security")
    [outcome, _] = (await push(town, device, report, control)).items
    await change(town)
    await restore.burn()

    answer = await push(town, device, report, control, past=[outcome])

    assert said(answer.items) == [CREATED, without]
    assert slots((await town.puts(town.field("health")))[report.digest])
    assert set(await town.puts(town.field("security"))) >= {report.digest}


async def test_what_a_closed_epoch_was_sealed_is_delivered_again(restore: Restore) -> None:
    town, report = restore.town, restore.town.report("security")
    [outcome] = (await push(town, town.field("security"), report)).items
    before = await town.puts(town.field("police"))
    await _recipient_closed(town)
    await restore.burn()

    await push(town, town.field("security"), report, past=[outcome])

    assert await town.puts(town.field("police")) == before


async def test_a_named_device_that_was_revoked_since_is_no_reason_to_trim(restore: Restore) -> None:
    town, slug = restore.town, "social_services"
    agency, colleague = town.agencies[slug], town.field(slug, 1)
    given: dict[str, Any] = {"kind": 0, "scene": None, "values": None, "filled": (0, 4)}
    report = town.report(slug, readers={colleague.kem.public: bits("SIT", "SUB")}, **given)
    [outcome] = (await push(town, town.field(slug), report)).items
    await town.append(agency, [agency.entry(d.DeviceRevoke(colleague.kid, "lost"), NOW)])
    await restore.burn()

    again = (await push(town, town.field(slug), report, past=[outcome])).items

    assert said(again) == said([outcome]) == [CREATED]


async def test_its_time_is_that_of_the_receipt_and_its_receipt_a_new_one(restore: Restore) -> None:
    town, report = restore.town, restore.town.report("security")
    [outcome] = (await push(town, town.field("security"), report)).items
    town.clock.now += 5 * DAY
    await restore.burn()

    [again] = (await push(town, town.field("security"), report, past=[outcome])).items

    assert await rows(town, tables.reports.c.digest, tables.reports.c.received_at) == [(report.digest, NOW)]
    new = receipt(again)
    verify(town.receipt_key.public_key().public_bytes_raw(), new.signature, RECEIPT_LABEL + new.receipt)
    assert decode(sync.Receipt, new.receipt) == sync.Receipt(1, report.digest, "created", SECOND, NOW)


async def test_pushed_again_twice_it_is_there_once(restore: Restore) -> None:
    town, report = restore.town, restore.town.report("security")
    [outcome] = (await push(town, town.field("security"), report)).items
    await restore.burn()

    answers = [(await push(town, town.field("security"), report, past=[outcome])).items for _ in range(2)]

    assert [said(one)[0][0] for one in answers] == ["created", "duplicate"]
    assert await feed(town, town.field("police")) == [("put", report.digest)]


async def test_after_a_second_fire_the_second_receipt_serves(restore: Restore) -> None:
    town, report = restore.town, restore.town.report("security")
    [first] = (await push(town, town.field("security"), report)).items
    await restore.burn()
    [second] = (await push(town, town.field("security"), report, past=[first])).items
    await _signer_closed(town)
    await restore.burn(instance=b"k" * 16)

    [third] = (await push(town, town.field("security"), report, past=[second])).items

    assert said([third]) == [CREATED]
    assert await rows(town, tables.reports.c.received_at) == [(NOW,)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"readers": "police: too much"}, ("trimmed", "not_allowed", "recipients")),
        ({"pack": bytes(32)}, ("quarantined", "unknown_pack", "manifest.pack")),
        ({"scene": 99}, ("quarantined", "unknown_scene", "tiers.0")),
        ({"time": NOW + 2 * DAY}, ("quarantined", "future_time", "manifest.time")),
    ],
)
async def test_its_former_outcome_is_its_outcome(restore: Restore, more: dict[str, Any], expected: Answer) -> None:
    town = restore.town
    if "readers" in more:
        more = {"readers": {town.agencies["police"].key(): bits("SIT", "PLC", "SUB")}}
    report = town.report("security", **more)
    first = (await push(town, town.field("security"), report)).items
    await restore.burn()

    again = (await push(town, town.field("security"), report, past=first)).items

    assert said(first) == said(again) == [expected]


async def test_what_was_in_quarantine_goes_there_again_though_its_reason_is_gone(restore: Restore) -> None:
    town, device = restore.town, restore.town.field("security", 1)
    report = town.report("security")
    await _revoked(town)
    [outcome] = (await push(town, device, report)).items
    await restore.burn(directories=False)

    # This server does not know of the revocation yet.
    again = (await push(town, device, report, past=[outcome])).items

    assert said(again) == said([outcome]) == [("quarantined", "not_allowed", "device")]
    assert await feed(town, town.field("police")) == []


class TestNoReceipt:
    """What looks like a receipt of an earlier instance and is none changes nothing."""

    async def stale(self, restore: Restore) -> tuple[Town, SealedReport, sync.PastReceipt]:
        town, report = restore.town, restore.town.report("security")
        [outcome] = (await push(town, town.field("security"), report)).items
        await _signer_closed(town)
        await restore.burn()
        return town, report, receipt(outcome)

    @pytest.mark.parametrize(
        "wrong",
        ["a forged signature", "another key", "this instance", "another report", "a refusal", "a word", "nothing"],
    )
    async def test_is(self, restore: Restore, wrong: str) -> None:
        town, report, good = await self.stale(restore)
        told, own = decode(sync.Receipt, good.receipt), town.receipt_key
        fields: dict[str, dict[str, Any]] = {
            "this instance": {"instance": SECOND},
            "another report": {"digest": bytes(32)},
            "a refusal": {"outcome": "refused"},
            "a word": {"outcome": "yes"},
        }
        if wrong in fields:
            data = encode(structs.replace(told, **fields[wrong]))
            past = [sync.PastReceipt(data, own.sign(RECEIPT_LABEL + data))]
        else:
            key = Ed25519PrivateKey.generate()
            past = {
                "a forged signature": [sync.PastReceipt(good.receipt, bytes(64))],
                "another key": [sync.PastReceipt(good.receipt, key.sign(RECEIPT_LABEL + good.receipt))],
                "nothing": [],
            }[wrong]

        found = (await push(town, town.field("security"), report, past=past)).items

        assert said(found) == [("stale_directory", "stale_directory", "manifest.signer_kid")]

    async def test_of_another_agencys_report_serves(self, restore: Restore) -> None:
        town, report, good = await self.stale(restore)

        found = (await push(town, town.field("police"), report, past=[good])).items

        assert said(found) == [("refused", "not_allowed", "manifest.agency")]

    async def test_makes_up_for_what_the_report_itself_lacks(self, restore: Restore) -> None:
        town, report, good = await self.stale(restore)
        first, second, *rest = report.item.sections
        swapped = (sync.Section(first.slot, second.section), sync.Section(second.slot, first.section), *rest)

        found = (
            await push(
                town,
                town.field("security"),
                changed(report, sections=swapped),
                changed(report, signature=bytes(64)),
                changed(report, heads=report.item.heads[:-1]),
                changed(report, recipients=(*report.item.recipients, report.item.recipients[0])),
                past=[good],
            )
        ).items

        assert said(found) == [
            ("refused", "malformed", "sections.0"),
            ("bad_signature", "bad_signature", "signature"),
            ("refused", "malformed", "heads"),
            ("refused", "malformed", "recipients"),
        ]
        assert await rows(town, tables.reports.c.digest) == []

    async def test_comes_in_more_than_fifty(self, restore: Restore) -> None:
        town, report, good = await self.stale(restore)

        with pytest.raises(Invalid, match="body_too_large"):
            await push(town, town.field("security"), report, past=[good] * 51)


class TestDirectoriesBehind:
    """Devices of other agencies have not given their chains back yet."""

    async def test_a_report_for_an_epoch_that_is_lost_waits_for_it(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security")
        await _recipient_closed(town)
        report = town.report("security")
        [outcome] = (await push(town, device, report)).items
        before = await town.puts(town.field("police"))
        await restore.burn(directories=False)

        early = (await push(town, device, report, past=[outcome])).items
        await restore.give_back()
        late = (await push(town, device, report, past=[outcome])).items

        assert said(early) == [("retry", "stale_directory", "heads")]
        assert said(late) == [CREATED]
        assert await town.puts(town.field("police")) == before

    async def test_so_does_one_whose_signer_is_lost(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security")
        await _signer_closed(town)
        report = town.report("security")
        [outcome] = (await push(town, device, report)).items
        await restore.burn(directories=False)

        assert said((await push(town, device, report)).items)[0][0] == "bad_signature"
        assert said((await push(town, device, report, past=[outcome])).items) == [("retry", "stale_directory", "heads")]

    async def test_and_one_at_a_scene_that_is_lost(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security")
        registry = next(
            one for one in town.agencies.values() if one.directory.genesis and one.directory.genesis.registry
        )
        scene = d.Scene(9, "scene-9", "Scene", "Plats", None, "confirmed")
        await town.append(registry, [registry.entry(scene)])
        report = town.report("security", scene=9)
        [outcome] = (await push(town, device, report)).items
        await restore.burn(directories=False)

        assert said((await push(town, device, report, past=[outcome])).items) == [("retry", "stale_directory", "heads")]

    async def test_one_that_needs_nothing_of_what_is_lost_comes_back_with_its_heads(self, restore: Restore) -> None:
        town, device, police = restore.town, restore.town.field("security"), restore.town.agencies["police"]
        await town.append(police, [police.entry(d.PersonAdd(os.urandom(16), "N", (), None, None))])
        report = town.report("security")
        [outcome] = (await push(town, device, report)).items
        await restore.burn(directories=False)

        assert said((await push(town, device, report)).items) == [("stale_directory", "stale_directory", "heads")]
        assert said((await push(town, device, report, past=[outcome])).items) == [CREATED]
        assert (await town.pull(town.field("health"))).used == (report.item.heads,)


class TestAmendments:
    async def test_come_back_in_order_and_take_back_what_they_took_back(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security")
        own = town.agencies["security"].key()
        first = town.report("security", scene=1)
        second = amended(town, first, scene=2)
        third = amended(town, second, readers={own: bits("SIT", "PLC")})
        outcomes = (await push(town, device, first, second, third)).items
        readers = [town.field(slug) for slug in ("police", "security", "health")]
        before = [await feed(town, one) for one in readers]
        await _signer_closed(town)
        await restore.burn()

        early = (await push(town, device, third, second, past=outcomes)).items
        rest = [(await push(town, device, one, past=outcomes)).items for one in (first, second, third)]

        assert [one[0] for one in said(early)] == ["retry", "retry"]
        assert [said(one) for one in rest] == [[CREATED]] * 3
        # A skip's commitment has a salt of its own.
        after = [await feed(town, one) for one in readers]
        plain = [[[one if one[0] != "skip" else "skip" for one in each] for each in both] for both in (before, after)]
        assert plain[0] == plain[1]
        assert {op for each in after for op, _ in each} == {"put", "drop", "skip"}

    async def test_a_fork_comes_back_as_a_fork(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security")
        first = town.report("security")
        left, right = amended(town, first), amended(town, first)
        outcomes = (await push(town, device, first, left, right)).items
        await restore.burn()

        again = (await push(town, device, first, left, right, past=outcomes)).items

        assert [one[0] for one in said(again)] == [one[0] for one in said(outcomes)] == ["created", "created", "forked"]


class TestGrants:
    async def test_come_back_with_their_report(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security")
        report = town.report("security")
        key = town.agencies["police"].key()
        told = with_grants(report, make_grant(report, {key: bits("SIT", "PLC", "SUB")}, "L14", NOW))
        [outcome] = (await push(town, device, told)).items
        await _recipient_closed(town)
        await _signer_closed(town)
        await restore.burn()

        assert said((await push(town, device, told, past=[outcome])).items) == [CREATED]
        given = [one.put for one in await town.entries(town.field("police")) if one.put]
        assert [slots(one) for one in given] == [{0, 2, 10, 13}, {0, 2, 4}]

    async def test_that_came_later_come_back_later(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security", 1)
        report = town.report("security")
        [stored] = (await push(town, device, report)).items
        await _signer_closed(town)
        # Signed under the epoch after the report's, which has closed since as well.
        later = signed_now(report, town)
        grant = encode(make_grant(later, {town.agencies["police"].key(): bits("SIT", "PLC", "SUB")}, "L14", NOW))
        [given] = (await push(town, device, grants=[grant])).grants
        before = await feed(town, town.field("police"))
        await _signer_closed(town)
        await _recipient_closed(town)
        await _revoked(town)
        town.clock.now += DAY
        await restore.burn()

        early = (await push(town, device, grants=[grant], past=[given])).grants
        without = (await push(town, device, report, grants=[grant], past=[stored])).grants
        late = (await push(town, device, grants=[grant], past=[given])).grants

        assert [one[0] for one in said([*early, *without, *late])] == ["retry", "refused", "created"]
        assert await feed(town, town.field("police")) == before
        assert await rows(town, tables.grants.c.received_at) == [(NOW,)]

    async def test_for_an_epoch_that_is_lost_wait_for_it(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.field("security")
        report = town.report("security")
        [stored] = (await push(town, device, report)).items
        await _recipient_closed(town)
        grant = encode(make_grant(report, {town.agencies["police"].key(): bits("SIT", "PLC", "SUB")}, "L14", NOW))
        [given] = (await push(town, device, grants=[grant])).grants
        await restore.burn(directories=False)

        early = (await push(town, device, report, grants=[grant], past=[stored, given])).grants
        await restore.give_back()
        late = (await push(town, device, grants=[grant], past=[given])).grants

        assert said([*early, *late]) == [("retry", "stale_directory", "grant"), CREATED]


def signed_now(report: SealedReport, town: Town) -> SealedReport:
    """The report, as one signs for it who has the group's key of now."""
    return replace(report, draft=replace(report.draft, group=town.agencies["security"].group()))


class TestRecords:
    async def test_what_a_supervisor_opened_is_open_again(self, restore: Restore) -> None:
        town, device = restore.town, restore.town.supervisor("security")
        report = town.report("security")
        [stored] = (await push(town, town.field("security"), report)).items
        opened = record(device, report.digest, Open)
        [given] = (await push(town, device, records=[opened])).records
        before = [one.put for one in await town.entries(device)]
        await restore.burn()

        early = (await push(town, device, records=[opened], past=[given])).records
        await push(town, town.field("security"), report, past=[stored])
        late = (await push(town, device, records=[opened], past=[given])).records

        assert said([*early, *late]) == [("retry", "not_found", "record.digest"), CREATED]
        assert [one.put for one in await town.entries(device)] == before
        assert [len(one.wraps) for one in before if one] == [7, 0]

    async def test_a_record_comes_back_from_one_who_is_no_supervisor_any_more(self, restore: Restore) -> None:
        town, device, agency = restore.town, restore.town.supervisor("security"), restore.town.agencies["security"]
        report = town.report("security")
        [stored] = (await push(town, town.field("security"), report)).items
        opened, other = record(device, report.digest, Open), record(device, report.digest, Open)
        [given] = (await push(town, device, records=[opened])).records
        await town.append(agency, [agency.entry(d.MemberRemove(agency.audience("supervisors"), device.kid), NOW)])
        await restore.burn()
        await push(town, town.field("security"), report, past=[stored])

        again = (await push(town, device, records=[opened, other], past=[given])).records

        assert said(again) == [CREATED, ("refused", "not_allowed", "record.device")]
        # The record is back; what it opened is not theirs any more.
        assert set(await town.puts(device)) == set()

    @pytest.mark.parametrize("told", ["quarantined", "duplicate"])
    async def test_what_was_countersigned_is_out_of_quarantine_again(self, restore: Restore, told: str) -> None:
        town, device, supervisor = restore.town, restore.town.field("security", 1), restore.town.supervisor("security")
        report = town.report("security")
        await _revoked(town)
        [stored] = (await push(town, device, report)).items
        signed = record(supervisor, report.digest, Countersign)
        [given] = (await push(town, supervisor, records=[signed])).records
        if told == "duplicate":
            [stored] = (await push(town, device, report)).items
        await restore.burn()

        early = (await push(town, supervisor, records=[signed], past=[given])).records
        back = (await push(town, device, report, past=[stored])).items
        late = (await push(town, supervisor, records=[signed], past=[given])).records

        assert str(stored.outcome) == told
        assert [one[0] for one in said([*early, *back, *late])] == [
            "retry",
            {"quarantined": "quarantined", "duplicate": "created"}[told],
            "created",
        ]
        assert await feed(town, town.field("police")) == [("put", report.digest)]
        assert await rows(town, tables.records.c.kind) == [("countersign",)]

    async def test_what_is_countersigned_waits_for_the_epochs_that_it_was_sealed_for(self, restore: Restore) -> None:
        town, device, supervisor = restore.town, restore.town.field("security", 1), restore.town.supervisor("security")
        await _recipient_closed(town)
        report = town.report("security")
        await _revoked(town)
        [stored] = (await push(town, device, report)).items
        signed = record(supervisor, report.digest, Countersign)
        [given] = (await push(town, supervisor, records=[signed])).records
        await restore.burn(directories=False)
        await push(town, device, report, past=[stored])

        early = (await push(town, supervisor, records=[signed], past=[given])).records
        await restore.give_back()
        late = (await push(town, supervisor, records=[signed], past=[given])).records

        assert said([*early, *late]) == [("retry", "stale_directory", "heads"), CREATED]
        assert await feed(town, town.field("police")) == [("put", report.digest)]
