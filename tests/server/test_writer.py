"""The group commit: one transaction for many, a failure for one, and nothing of what was not committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.problems import Invalid
from sluss_server.storage import ledger, schema, tables
from sluss_server.storage.engine import Engine, open_engine
from sluss_server.storage.ledger import Leaf
from sluss_server.storage.writer import MAX_WEIGHT, Writer

HOUSE = b"p" * 16
AGENCY = b"a" * 16


class BrokenError(Exception):
    """A job that fails."""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = open_engine(f"sqlite:///{tmp_path}/writer.db")
    await schema.migrate(made)
    yield made
    await made.close()


@pytest.fixture
async def writer(engine: Engine) -> AsyncIterator[Writer]:
    made = Writer(engine)
    await made.start()
    yield made
    await made.close()


def zeros(size: int) -> bytes:
    return bytes(size)


async def leaf(connection: AsyncConnection, text: bytes) -> bytes:
    await ledger.append(connection, HOUSE, [Leaf(AGENCY, "test", text)], zeros)
    return text


async def written(engine: Engine) -> list[tuple[int, bytes]]:
    async with engine.read() as connection:
        at = tables.ledger_leaves.c
        return [(row.seq, row.content) for row in await connection.execute(select(at.seq, at.content).order_by(at.seq))]


async def test_many_jobs_are_one_transaction_and_each_gets_its_answer(writer: Writer, engine: Engine) -> None:
    seen = list[object]()

    async def job(connection: AsyncConnection, text: bytes) -> bytes:
        seen.append(connection.get_transaction())
        return await leaf(connection, text)

    texts = [bytes([number]) for number in range(32)]
    answers = await asyncio.gather(*(writer.submit(partial(job, text=text)) for text in texts))

    assert answers == texts
    assert await written(engine) == list(enumerate(texts, 1))
    assert len(set(map(id, seen))) < len(seen)


async def test_jobs_of_one_key_are_given_to_one_function_together(writer: Writer) -> None:
    calls = list[list[int]]()

    async def run(_connection: AsyncConnection, numbers: Sequence[int]) -> list[int]:
        calls.append(list(numbers))
        return [number * 2 for number in numbers]

    answers = await asyncio.gather(*(writer.merge(run, number, key="twice") for number in range(20)))

    assert answers == [number * 2 for number in range(20)]
    assert [number for call in calls for number in call] == list(range(20))
    assert len(calls) < 20


async def test_a_batch_is_bounded_by_its_weight(writer: Writer) -> None:
    calls = list[int]()

    async def run(_connection: AsyncConnection, payloads: Sequence[None]) -> list[None]:
        calls.append(len(payloads))
        return [None] * len(payloads)

    await asyncio.gather(*(writer.merge(run, None, key="heavy", weight=MAX_WEIGHT // 4) for _ in range(12)))

    assert sum(calls) == 12
    assert max(calls) <= 4


@pytest.mark.parametrize("error", [BrokenError(), Invalid("not_found", "x")], ids=["a fault", "a refusal"])
async def test_a_failing_job_takes_nobody_along(writer: Writer, engine: Engine, error: Exception) -> None:
    async def fails(connection: AsyncConnection) -> bytes:
        await leaf(connection, b"never")
        raise error

    good = [bytes([number]) for number in range(8)]
    answers = await asyncio.gather(
        *(writer.submit(partial(leaf, text=text)) for text in good[:4]),
        writer.submit(fails),
        *(writer.submit(partial(leaf, text=text)) for text in good[4:]),
        return_exceptions=True,
    )

    assert answers == [*good[:4], error, *good[4:]]
    assert await written(engine) == list(enumerate(good, 1))


async def test_a_failing_payload_of_many_that_were_merged_fails_alone(writer: Writer, engine: Engine) -> None:
    async def run(connection: AsyncConnection, texts: Sequence[bytes]) -> list[bytes]:
        found = [await leaf(connection, text) for text in texts]
        if b"bad" in texts:
            raise BrokenError
        return found

    texts = [b"one", b"bad", b"two"]
    answers = await asyncio.gather(*(writer.merge(run, text, key="k") for text in texts), return_exceptions=True)

    assert [type(answer) for answer in answers] == [bytes, BrokenError, bytes]
    assert [content for _, content in await written(engine)] == [b"one", b"two"]


async def test_a_job_that_stops_between_its_statements_leaves_nothing(writer: Writer, engine: Engine) -> None:
    async def job(connection: AsyncConnection) -> None:
        await leaf(connection, b"first")
        await connection.execute(insert(tables.partnerships).values(partnership_id=HOUSE, name="x"))

    with pytest.raises(IntegrityError):
        await writer.submit(job)

    assert await written(engine) == []
    assert await writer.submit(lambda connection: leaf(connection, b"after")) == b"after"


async def test_a_key_that_another_process_took_is_tried_again(writer: Writer, engine: Engine) -> None:
    tries = list[int]()

    async def job(connection: AsyncConnection) -> int:
        tries.append(len(tries))
        if len(tries) < 3:
            row = {"partnership_id": HOUSE, "agency": AGENCY, "seq": 1}
            await connection.execute(insert(tables.ledger_heads), [row, row])
        return len(tries)

    assert await writer.submit(job) == 3
    assert await written(engine) == []


async def test_one_who_gives_up_does_not_stop_the_others(writer: Writer, engine: Engine) -> None:
    gone = asyncio.create_task(writer.submit(lambda connection: leaf(connection, b"gone")))
    await asyncio.sleep(0)
    gone.cancel()

    assert await writer.submit(lambda connection: leaf(connection, b"there")) == b"there"
    assert [content for _, content in await written(engine)] == [b"gone", b"there"]


async def test_more_than_it_may_hold_is_refused(engine: Engine) -> None:
    writer = Writer(engine, max_waiting=4)
    await writer.start()

    jobs = (writer.submit(lambda connection: leaf(connection, b"x")) for _ in range(10))
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    await writer.close()

    assert [answer.code for answer in answers if isinstance(answer, Invalid)] == ["overloaded"] * 6
    assert len(await written(engine)) == 4


async def test_closing_finishes_what_waits_and_refuses_what_comes(engine: Engine) -> None:
    writer = Writer(engine)
    await writer.start()
    jobs = [asyncio.create_task(writer.submit(lambda c: leaf(c, b"x"))) for _ in range(20)]
    await asyncio.sleep(0)

    await writer.close()

    assert await asyncio.gather(*jobs) == [b"x"] * 20
    with pytest.raises(Invalid, match="overloaded"):
        await writer.submit(lambda connection: leaf(connection, b"late"))


async def test_a_reader_cannot_write(engine: Engine) -> None:
    async with engine.read() as connection:
        with pytest.raises(Exception, match="readonly"):
            await connection.execute(insert(tables.ledger_heads).values(partnership_id=HOUSE, agency=AGENCY, seq=1))


async def test_a_reader_who_is_stopped_leaves_a_usable_pool(engine: Engine) -> None:
    async def read() -> None:
        async with engine.read() as connection:
            for _ in range(1000):
                await connection.execute(select(tables.reports.c.digest))

    for _ in range(12):
        task = asyncio.create_task(read())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert await written(engine) == []


async def test_sqlite_is_durable_and_waits(engine: Engine) -> None:
    connection = await engine.writer_connection()
    found = {
        name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    await connection.close()

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_keys_are_bytes_in_every_table() -> None:
    assert {
        name: isinstance(next(iter(table.primary_key.columns)).type, LargeBinary)
        for name, table in tables.metadata.tables.items()
    } == dict.fromkeys(tables.metadata.tables, True)
