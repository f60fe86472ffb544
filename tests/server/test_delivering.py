"""What is delivered by whose history, and the directory heads that go with it."""

from __future__ import annotations

import asyncio
import os

import pytest
from sqlalchemy import delete, event, insert, select, update
from sqlalchemy.exc import IntegrityError

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import Function
from sluss_schemas.manifest import Head, directories_digest
from sluss_schemas.records import Open, SignedRecord, record_message
from sluss_server.storage import tables

from tests.server.sealer import make_grant, with_grants
from tests.server.test_pull import filed
from tests.server.town import NOW, Device, Town, bits


async def newcomer(town: Town, slug: str, function: Function) -> Device:
    """A person's first device, with history from the epoch on that opens with it."""
    agency = town.agencies[slug]
    audience = agency.audience(function)
    entries = town.device_entries(agency, "N", (function,))
    device, first = agency.devices[-1], len(agency.epochs[function]) + 1
    entries += [
        agency.entry(d.MemberRemove(audience, device.kid)),
        agency.entry(d.MemberAdd(audience, device.kid, first)),
    ]
    await town.append(agency, entries)
    await town.open_epochs(agency, (function,))
    return device


class TestHistory:
    """What was sealed before a person joined is not delivered to them; its entry keeps its number."""

    async def test_of_a_newcomer_begins_with_their_first_epoch(self, town: Town) -> None:
        [old] = await filed(town, 1)
        device = await newcomer(town, "police", "field")
        [new] = await filed(town, 1)

        entries = await town.entries(device)

        assert [(str(one.op), one.seq) for one in entries] == [("skip", 1), ("put", 2)]
        assert (entries[0].put, entries[1].digest) == (None, new.digest)
        assert old.digest not in encode(entries[0])
        assert set(await town.puts(town.field("police"))) == {old.digest, new.digest}

    async def test_is_skipped_in_new_entries_as_in_past_ones(self, town: Town) -> None:
        device = await newcomer(town, "police", "field")
        caller = await town.caller(device)
        await filed(town, 1)
        [page] = (await town.services.pull(caller, sync.Pull())).pages
        # Sealed by somebody who has not heard of the new epoch, and kept until a supervisor countersigned it.
        await filed(town, 1)
        await town.writer.submit(
            lambda c: c.execute(
                update(tables.feed_entries)
                .where(tables.feed_entries.c.seq == 2)
                .values(recipient=town.agencies["police"].epochs["field"][0].kem.kid)
            )
        )

        [after] = (await town.services.pull(caller, sync.Pull((page.position,)))).pages

        assert [str(one.op) for one in after.entries] == ["skip"]

    async def test_of_a_supervisor_holds_no_older_row_and_opens_none(self, town: Town) -> None:
        [old] = await filed(town, 1)
        device = await newcomer(town, "security", "supervisors")
        [new] = await filed(town, 1)

        held = await town.puts(device)
        made = [Open(os.urandom(16), one.digest, device.kid, town.clock.now, None, b"reason") for one in (old, new)]
        signed = [encode(SignedRecord(data := encode(one), device.sign.sign(record_message(data)))) for one in made]
        outcomes = (await town.push(device, records=signed)).records

        assert set(held) == {new.digest}
        assert [(str(one.outcome), one.reason) for one in outcomes] == [("refused", "not_found"), ("created", None)]
        assert set(await town.puts(town.supervisor("security"))) == {old.digest, new.digest}

    async def test_of_a_grant_is_as_that_of_its_report(self, town: Town) -> None:
        report = town.report("security")
        told = make_grant(report, {town.agencies["police"].key(): bits("SIT", "PLC", "SUB")}, "L14", NOW)
        await town.outcomes(town.field("security"), with_grants(report, told))
        device = await newcomer(town, "police", "field")

        assert [str(one.op) for one in await town.entries(device)] == ["skip", "skip"]


class TestUsed:
    """The directory heads that versions were sealed with."""

    async def used(self, town: Town, device: Device, *cursor: sync.Position) -> list[tuple[Head, ...]]:
        return list((await town.pull(device, cursor)).used)

    async def test_are_listed_once_each_with_what_is_delivered(self, town: Town) -> None:
        before = town.heads()
        await filed(town, 3)
        await town.open_epochs(town.agencies["health"])
        between = town.heads()
        await filed(town, 2)
        [page] = (await town.pull(town.field("police"))).pages
        await filed(town, 1, heads=before)

        everything = await self.used(town, town.field("police"))
        rest = await self.used(town, town.field("police"), page.position)

        assert set(everything) == {before, between}
        assert rest == [before]
        # In an order that tells nothing of the order in which they came.
        assert [directories_digest(one) for one in everything] == sorted(map(directories_digest, everything))

    async def test_are_not_those_of_what_is_not_delivered(self, town: Town) -> None:
        [report] = await filed(town, 1)
        before = town.heads()
        device = await newcomer(town, "police", "field")
        await filed(town, 1, scene=1)

        assert await self.used(town, device) == [town.heads()]
        assert before in await self.used(town, town.field("police"))
        assert await self.used(town, town.supervisor("health")) == []
        assert report.item.heads == before

    async def test_of_a_held_row_are_listed_too(self, town: Town) -> None:
        await filed(town, 1)

        assert await self.used(town, town.supervisor("security")) == [town.heads()]

    async def test_are_the_same_after_a_restart_and_in_another_process(self, town: Town) -> None:
        await filed(town, 1)
        await town.close()
        await town.open()
        other = await Town(town.path).open()
        other.partnership, other.agencies, other.receipt_key = town.partnership, town.agencies, town.receipt_key
        other.services = other.new_services()

        # Neither has the list in memory, and it is stored: the first push asks, and stores it no second time.
        again = await asyncio.gather(
            *(one.outcomes(one.field("security"), one.report("security")) for one in (town, other))
        )
        found = [await self.used(one, one.field("police")) for one in (town, other)]
        await other.close()

        assert [one[0][0] for one in again] == ["created", "created"]
        assert found == [[town.heads()]] * 2

    async def test_are_stored_once_by_two_processes_at_once(self, town: Town) -> None:
        other = await Town(town.path).open()
        other.partnership, other.agencies, other.receipt_key = town.partnership, town.agencies, town.receipt_key
        other.services = other.new_services()

        answers = await asyncio.gather(
            *(one.outcomes(one.field("security"), one.report("security")) for _ in range(4) for one in (town, other))
        )
        await other.close()

        assert {one[0][0] for one in answers} == {"created"}
        async with town.engine.read() as connection:
            rows = (await connection.execute(select(tables.head_sets.c.digest))).all()
        assert [row.digest for row in rows] == [directories_digest(town.heads())]

    async def test_are_not_remembered_of_a_transaction_that_failed(self, town: Town) -> None:
        row = {"partnership_id": town.partnership, "agency": town.agencies["security"].id, "seq": 1}
        content = {"action": "x", "salt": b"", "content": b"", "leaf": b""}
        await town.writer.submit(lambda c: c.execute(insert(tables.ledger_leaves).values(**row, **content)))
        with pytest.raises(IntegrityError):
            await filed(town, 1)
        await town.writer.submit(lambda c: c.execute(delete(tables.ledger_leaves)))

        await filed(town, 1)

        assert await self.used(town, town.field("police")) == [town.heads()]

    async def test_are_of_what_was_stored_before_there_was_a_table_not_listed(self, town: Town) -> None:
        await filed(town, 1)
        await town.close()
        await town.open()
        await town.writer.submit(lambda c: c.execute(delete(tables.head_sets)))

        assert await self.used(town, town.field("police")) == []
        await filed(town, 1)
        assert await self.used(town, town.field("police")) == [town.heads()]

    async def test_cost_an_ordinary_push_no_statement(self, town: Town) -> None:
        await filed(town, 1)
        seen = list[str]()

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        event.listen(town.engine._write.sync_engine, "before_cursor_execute", note)
        await filed(town, 1)
        event.remove(town.engine._write.sync_engine, "before_cursor_execute", note)

        assert len(seen) > 5
        assert not [one for one in seen if "head_sets" in one]
