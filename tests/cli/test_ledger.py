"""The own agency's ledger at the command line: who did how much, and each act of a person or about a report."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from sluss_client.testing import PASSPHRASE, Town

from tests.cli.terminal import Result, inside
from tests.faults.samples import AGENCIES, incident

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_supervisor_sees_who_did_what_and_whose_word_it_is_where_the_time_begins() -> None:
    async with Town(agencies=AGENCIES) as town:
        guard, officer, boss = await town.device("security"), await town.device("police"), town.founders["police"]
        report = guard.file(incident(town.clock.now(), "who opened this"))
        for device in (guard, officer):
            await device.sync()
        assert officer.get(report.id).situation == "who opened this"
        await officer.sync()
        town.clock.advance(minutes=2)
        await boss.sync()
        town.clock.advance(days=1)
        new = await town.device("police", "supervisors")
        for device in (boss, new, new):
            await device.sync()
            town.clock.advance(minutes=2)
        day, aliases = town.clock.now().date(), (officer.alias, boss.alias)
        stores = {"boss": boss.path, "new": new.path, "officer": officer.path}
        for device in (boss, new, officer):
            await device.close()

        async def run(who: str, *arguments: str) -> Result:
            # A command has a loop of its own.
            return await asyncio.to_thread(inside, stores[who], PASSPHRASE, ["log", *arguments])

        counted = (await run("boss")).out.splitlines()
        assert counted[0].startswith("Proven from ")
        assert f"{aliases[0]:<28} {'read':<16} {1:>7}" in counted
        [line] = [one for one in (await run("boss", "--report", report.id.hex())).out.splitlines() if " read " in one]
        assert line.endswith(f"order_incident {report.id.hex()} situation")
        assert aliases[0] in line
        each = (await run("boss", "--person", aliases[0])).out.splitlines()
        assert len(each) > 1
        assert all(aliases[0] in one for one in each[1:])
        document = (await run("boss", "--json")).json
        assert document["witnessed"] is True
        assert [one["report_id"] for one in document["entries"] if one["action"] == "read"] == [report.id.hex()]
        # A device that had not had the ledger by then says so.
        late = await run("new", "--since", day.isoformat())
        assert "the server's word" in late.out
        for options, code in (
            (("--since", (day + timedelta(days=2)).isoformat()), "out_of_range"),
            (("--since", "1950-01-01"), "out_of_range"),
            (("--person", "nobody"), "unknown_person"),
        ):
            assert (await run("boss", *options)).error == code
        assert (await run("officer")).error == "supervisor_only"
