"""The server's core on PostgreSQL: what holds on a file has to hold there, and what only a database server does to it.

The classes and functions that are imported here are run once more, on the `town` of this module.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_client import forms, testing
from sluss_server.storage import tables
from sluss_server.storage.engine import open_engine
from sluss_server.storage.writer import Writer

from tests.http.server import run
from tests.server.postgres import Databases
from tests.server.restored import faults
from tests.server.sealer import SealedReport
from tests.server.test_culling import TestHold, TestNotOver, TestOver, TestRest, TestWork
from tests.server.test_custody import TestRoster, TestShares
from tests.server.test_delivering import TestUsed
from tests.server.test_directory import TestAnothersNames, TestAppend, TestPull
from tests.server.test_ending import (
    test_at_midnight_is_not_a_second_later,
    test_by_a_recall_is_written_once_in_each_feed_and_nothing_follows,
)
from tests.server.test_grants import TestLater, test_a_grants_id_is_used_once
from tests.server.test_keys import TestWrapsThatADeviceGets
from tests.server.test_pull import TestPast, TestWaiting
from tests.server.test_push import (
    TestBrokenTransaction,
    TestDuplicates,
    TestQuarantine,
    TestTwoProcesses,
)
from tests.server.test_quarantine import TestCountersigned
from tests.server.test_records import TestConsent, TestFollowing, TestRecall, TestReclassified, book
from tests.server.test_sweeping import TestAnotherPack, TestRelease, TestShift
from tests.server.test_versions import (
    TestAnothersId,
    test_a_changed_scene_is_a_drop_and_a_put,
    test_of_rivals_at_once_one_is_created_and_the_others_fork,
)
from tests.server.town import AGENCIES, Town

__all__ = [
    "TestAnotherPack",
    "TestAnothersId",
    "TestAnothersNames",
    "TestAppend",
    "TestBrokenTransaction",
    "TestConsent",
    "TestCountersigned",
    "TestDuplicates",
    "TestFollowing",
    "TestHold",
    "TestLater",
    "TestNotOver",
    "TestOver",
    "TestPast",
    "TestPull",
    "TestQuarantine",
    "TestRecall",
    "TestReclassified",
    "TestRelease",
    "TestRest",
    "TestRoster",
    "TestShares",
    "TestShift",
    "TestTwoProcesses",
    "TestUsed",
    "TestWaiting",
    "TestWork",
    "TestWrapsThatADeviceGets",
    "book",
    "test_a_changed_scene_is_a_drop_and_a_put",
    "test_a_grants_id_is_used_once",
    "test_at_midnight_is_not_a_second_later",
    "test_by_a_recall_is_written_once_in_each_feed_and_nothing_follows",
    "test_of_rivals_at_once_one_is_created_and_the_others_fork",
]


@pytest.fixture(autouse=True)
def _no_clock_of_a_town(monkeypatch: pytest.MonkeyPatch) -> None:
    """A town of other tests may still be open, and its clock would be a finding of the doctor."""
    monkeypatch.delenv("SLUSS_TEST_CLOCK", raising=False)


@pytest.fixture
async def town(databases: Databases) -> AsyncIterator[Town]:
    """As the town on a file, on a database of its own."""
    built = await (await Town(await databases.migrated()).open()).build()
    yield built
    await built.close()


@pytest.fixture
async def small(databases: Databases) -> AsyncIterator[Town]:
    """Three agencies."""
    built = await (await Town(await databases.migrated()).open()).build(AGENCIES[:3])
    yield built
    await built.close()


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, tables.metadata))


async def test_the_migrations_build_what_the_tables_say(databases: Databases) -> None:
    town = await Town(databases.new()).open()
    async with town.engine.read() as connection:
        assert await connection.run_sync(_differences) == []
    await town.close()


async def test_a_reader_cannot_write(small: Town) -> None:
    async with small.engine.read() as connection:
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.execute(insert(tables.ledger_heads).values(partnership_id=b"p", agency=b"a", seq=1))


async def test_a_snapshot_sees_one_moment(small: Town) -> None:
    async with small.engine.snapshot() as connection:
        before = (await connection.execute(text("SELECT count(*) FROM reports"))).scalar_one()
        await small.push(small.field("security"), small.report("security"))
        assert (await connection.execute(text("SELECT count(*) FROM reports"))).scalar_one() == before
    async with small.engine.snapshot() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM reports"))).scalar_one() == before + 1


async def test_a_database_that_was_restarted_is_noticed_by_nobody(small: Town) -> None:
    police, guard = small.field("police"), small.field("security")
    await small.pull(police)

    # What a restart does to whoever is connected.
    other = open_engine(str(small.path))
    for report in (small.report("security"), small.report("security")):
        connection = await other.writer_connection()
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        await connection.close()
        assert [one[0] for one in await small.outcomes(guard, report)] == ["created"]

    assert len(await small.puts(police)) == 2
    await other.close()


async def test_of_two_that_wait_for_each_other_both_get_through(small: Town) -> None:
    other = open_engine(str(small.path))
    writers = (small.writer, Writer(other))
    await writers[1].start()
    heads = sorted(head.agency for head in small.heads())[:2]
    meeting, tries = asyncio.Barrier(2), list[int]()

    async def job(connection: AsyncConnection, order: list[bytes]) -> int:
        tries.append(1)
        for number, agency in enumerate(order):
            at = tables.directory_heads.c
            await connection.execute(update(tables.directory_heads).where(at.agency == agency).values(seq=at.seq + 0))
            if number == 0 and len(tries) <= 2:
                await meeting.wait()
        return len(order)

    answers = await asyncio.gather(
        writers[0].submit(lambda connection: job(connection, heads)),
        writers[1].submit(lambda connection: job(connection, heads[::-1])),
    )

    assert list(answers) == [2, 2]
    assert len(tries) == 3
    await writers[1].close()
    await other.close()


async def test_what_two_processes_take_at_once_is_whole(small: Town) -> None:
    other = await Town(small.path).open()
    guard = small.field("security")
    await other.services.identify(guard.kid)
    reports = [[small.report("security", scene=1 + number % 4) for number in range(6)] for _ in range(8)]

    async def push(number: int, batch: list[SealedReport]) -> list[str]:
        services = (small, other)[number % 2].services
        return [str(one.outcome) for one in (await small.push(guard, *batch, services=services)).items]

    first = await asyncio.gather(*(push(number, batch) for number, batch in enumerate(reports)))
    again = await asyncio.gather(*(push(number + 1, batch[::-1]) for number, batch in enumerate(reports)))

    assert {one for batch in first for one in batch} == {"created"}
    assert {one for batch in again for one in batch} == {"duplicate"}
    assert await faults(small.engine) == []
    assert len(await small.puts(small.field("police"))) == 48
    await other.close()


def test_the_doctor_looks_at_the_database_and_sees_that_a_power_cut_would_cost(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.new()
    founded = run("found", "Town", "--agency", "police", folder=tmp_path / "data", SLUSS_DATABASE_URL=url)

    done = run("doctor", "--json", folder=tmp_path / "data", SLUSS_DATABASE_URL=url)

    assert (founded.returncode, founded.stderr) == (0, "")
    failed = [one for one in json.loads(done.stdout)["checks"] if not one["ok"]]
    assert [(one["name"], one["say"]) for one in failed] == [
        ("durability", "Turn fsync on in the database's settings.")
    ]


async def test_devices_work_with_a_server_on_it(databases: Databases) -> None:
    async with testing.Town(database_url=databases.new(), agencies=("police", "security")) as real:
        guard, police = real.founders["security"], real.founders["police"]
        filed = guard.file(
            forms.OrderIncident(
                scene="central-square",
                observed_at=real.clock.now(),
                sub_kind="threat",
                severity=2,
                situation="A shop assistant was threatened.",
            )
        )
        result = await guard.sync()
        await police.sync()

        assert (result.sent, result.waiting) == (1, 0)
        assert police.get(filed.id).situation == filed.situation
