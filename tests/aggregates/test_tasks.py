"""How many tasks are open, overdue and done, and what is asked of reports, on each engine."""

from __future__ import annotations

from typing import Final

from sluss_schemas.records import CaseKind
from sluss_server.storage import courses, disclosure, tasks
from sluss_server.storage.disclosure import RecordRow
from sluss_server.storage.tasks import TaskCount, Times

from tests.server.cases import case, send
from tests.server.town import NOW, Town

OURS: Final = bytes(15) + b"\x01"
THEIRS: Final = bytes(15) + b"\x02"
TIMES: Final = Times(since=1000, lately=1900, now=2000, soon=2100)
PARTNERSHIP: Final = bytes(16)


def record(number: int, kind: str, *, until: int | None, code: str = "L11", **other: bytes) -> RecordRow:
    return RecordRow(
        PARTNERSHIP,
        other.get("agency", OURS),
        number.to_bytes(16, "big"),
        kind,
        b"",
        OURS,
        900,
        b"record",
        b"signature",
        None,
        other.get("follows"),
        code,
        until,
    )


ROWS: Final = [
    record(1, "task", until=1500),
    record(2, "task", until=2000),
    record(3, "task", until=2001),
    record(4, "task", until=2100, code="L14"),
    record(5, "task", until=2101),
    # Done in time and done long ago.
    record(6, "task", until=1950),
    record(7, "done", until=None, code="sent", follows=(6).to_bytes(16, "big")),
    record(8, "task", until=1200),
    record(9, "done", until=None, code="no", follows=(8).to_bytes(16, "big")),
    # What follows without ending, what is older than is looked at, and another agency's.
    record(10, "review", until=None, follows=(1).to_bytes(16, "big")),
    record(11, "task", until=999),
    record(12, "task", until=1500, agency=THEIRS),
]


async def test_tasks_are_counted_by_code_and_state(town: Town) -> None:
    await town.writer.submit(lambda connection: disclosure.insert_records(connection, ROWS))
    async with town.engine.read() as connection:
        found = await tasks.due(connection, PARTNERSHIP, OURS, TIMES)
        theirs = await tasks.due(connection, PARTNERSHIP, THEIRS, TIMES)

    assert found == [
        TaskCount("L11", "done", 1),
        TaskCount("L11", "later", 1),
        TaskCount("L11", "overdue", 2),
        TaskCount("L11", "soon", 1),
        TaskCount("L14", "soon", 1),
    ]
    assert theirs == [TaskCount("L11", "overdue", 1)]


async def test_a_task_about_what_is_in_no_count_is_in_no_number(town: Town) -> None:
    by, agency = town.field("municipality"), town.agencies["municipality"].id
    counted, protected = town.report("municipality", 10), town.report("municipality", 10)
    secret = town.report("health", 0)
    assert {one[0] for one in await town.outcomes(by, counted, protected)} == {"created"}
    assert {one[0] for one in await town.outcomes(town.field("health"), secret)} == {"created"}
    closed = case(by, CaseKind.RECLASSIFY, NOW, digest=protected.digest, code="protected")
    # A task stays in the numbers when its report has a later version.
    later = town.report("municipality", 10, report_id=counted.manifest.report_id, version=2, parents=(counted.digest,))
    made = [case(by, CaseKind.TASK, NOW, digest=one.digest, code="L11", until=NOW + 99) for one in (counted, protected)]
    assert {one[0] for one in await send(town, by, closed, *made)} == {"created"}
    assert {one[0] for one in await town.outcomes(by, later)} == {"created"}
    nurse = town.field("health")
    task = case(nurse, CaseKind.TASK, NOW, digest=secret.digest, code="L11", until=NOW + 99)
    assert {one[0] for one in await send(town, nurse, task)} == {"created"}

    times = Times(since=NOW - 100, lately=NOW - 50, now=NOW, soon=NOW + 100)
    async with town.engine.read() as connection:
        ours = await tasks.due(connection, town.partnership, agency, times)
        theirs = await tasks.due(connection, town.partnership, town.agencies["health"].id, times)

    assert (ours, theirs) == ([TaskCount("L11", "soon", 1)], [])


async def test_courses_are_asked_for_on_each_engine(town: Town) -> None:
    async with town.engine.read() as connection:
        found = await courses.counted(connection, town.partnership, OURS, 9, since=0, limit=10)
        words = await courses.words(connection, town.partnership, OURS, [bytes(16), OURS])

    assert (found, words) == ([], [])
