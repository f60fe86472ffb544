"""No page, no chart and no file of the overview asks a question that takes longer the more reports are stored.

Every statement is taken with its parameters as it runs, and the engine is asked how it would find the rows: by a range
of an index whose length some days, weeks or named reports bound, however many others lie beside it. The plans are those
of SQLite, which here keeps no statistics and so decides alike for ten rows and for ten million.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import pytest_asyncio
from sqlalchemy import Engine, event

from sluss_schemas.counts import CountsAsk
from sluss_schemas.statements import DEFECT_KIND, MEETING_KIND, Measure, Terms
from sluss_server.aggregates.cells import month_days, week_named
from sluss_server.services.sessions import Viewer
from sluss_server.storage.tables import metadata
from sluss_server.web import asking
from sluss_server.web.panels import CHARTS, SHEETS
from sluss_server.web.weekly import contents, months, tables

from tests.server.cases import send
from tests.server.statements import objective_terms, scene_terms, staffing_terms, statement, stock_terms
from tests.server.town import NOW, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEEK: Final = "2026-W38"
LAST_WEEK: Final = NOW - 3 * 86_400
OWNER: Final = "police"

BOUNDED_BY: Final[dict[str, frozenset[str]]] = {
    "reports": frozenset({"received_at", "digest", "report_id"}),
    "facts": frozenset({"digest"}),
    "rollups": frozenset({"day"}),
    "published_from": frozenset({"week"}),
    "published_cells": frozenset({"week"}),
    "records": frozenset({"until", "follows", "record_id", "digest"}),
}
"""Tables that grow with the reports, and the columns of which each search in one has to name one."""
GROWS_OTHERWISE: Final[dict[str, str]] = {
    "partnerships": "one row for each partnership",
    "directory_heads": "agencies",
    "sessions": "browsers that are signed in",
    "launches": "browsers that sign in",
    "contacts": "devices",
    "statements": "what agencies state of scenes, objectives, hours and stocks; no report writes one",
}
"""Tables that are read and do not grow with the reports, each with what it grows with."""
_STEP: Final = re.compile(r"(?P<how>SCAN|SEARCH) (?P<name>\w+)(?: USING (?P<by>.*?))?(?: \((?P<named>.*)\))?")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """The police with a defect that was repaired, a meeting, incidents, and a statement of every sort."""
    built = await (await Town(tmp_path_factory.mktemp("queries") / "sluss.db").open()).build()
    defect = built.report(OWNER, DEFECT_KIND, time=LAST_WEEK)
    fixed = {"report_id": defect.manifest.report_id, "version": 2, "parents": (defect.digest,), "time": LAST_WEEK}
    reports = [defect, built.report(OWNER, DEFECT_KIND, **fixed), built.report(OWNER, MEETING_KIND, time=LAST_WEEK)]
    reports += [built.report(OWNER, 1, time=LAST_WEEK) for _ in range(6)]
    for outcome in await built.outcomes(built.field(OWNER), *reports):
        assert outcome[0] in {"created", "trimmed"}, outcome
    by = built.supervisor(OWNER)
    measures = (
        Measure("count", 1, "", None),
        Measure("sum", 10, "needles", None),
        Measure("mumin_ratio", None, "", None),
        Measure("attendance", None, "", None),
        Measure("days_to_fix", None, "", None),
    )
    said: list[Terms] = [
        scene_terms(),
        staffing_terms(),
        stock_terms(),
        *(objective_terms(measure=one, scene=None) for one in measures),
    ]
    for terms in said:
        answers = await send(built, by, statement(by, terms))
        assert answers[0][0] == "created", (terms, answers)
    built.clock.now += 900
    await built.services.sweeping.once()
    yield built
    await built.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewer(town: Town) -> Viewer:
    launch = await town.services.sessions.launch(await town.caller(town.supervisor(OWNER)))
    cookie = await town.services.sessions.begin(launch.token)
    assert cookie is not None
    found = await town.services.sessions.viewer(cookie)
    assert found is not None
    return found


@contextmanager
def listened() -> Iterator[list[tuple[str, Any]]]:
    """Take every statement that runs, with its parameters."""
    run = list[tuple[str, Any]]()

    def note(_c: object, _cursor: object, statement: str, given: Any, _context: object, _many: object) -> None:  # noqa: ANN401  # the driver's
        run.append((statement, given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield run
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def at_fault(statement: str, plan: list[str]) -> list[str]:
    """Return the steps of a plan that take longer the more reports there are."""
    names = {one.name: one.name for one in metadata.sorted_tables}
    names |= {alias: name for name, alias in re.findall(r"(\w+) AS (\w+)", statement) if name in names}
    found = list[str]()
    for step in plan:
        matched = _STEP.fullmatch(step)
        if matched is None or matched["name"] not in names:
            # Sorting what was found, and the parts of a question that is asked again for each row.
            continue
        name = names[matched["name"]]
        if name in GROWS_OTHERWISE:
            continue
        asked = set(re.findall(r"(\w+)[=<>]", matched["named"] or ""))
        automatic = "AUTOMATIC" in (matched["by"] or "")
        if matched["how"] == "SCAN" or automatic or not asked & BOUNDED_BY.get(name, frozenset()):
            found.append(step)
    return found


async def test_no_question_of_the_overview_grows_with_the_reports(town: Town, viewer: Viewer) -> None:
    services, run = town.services, dict[str, list[tuple[str, Any]]]()
    for query in ({"week": WEEK}, {"week": WEEK, "scene": "scene-1"}):
        ask = asking.ask("/overview", query, viewer)
        loads = {f"panel {panel.name}": panel.load for sheet in SHEETS for panel in sheet.panels}
        loads |= {f"chart {chart.name}": chart.load for chart in CHARTS}
        loads["the week as PDF"] = contents.load
        for name, load in loads.items():
            with listened() as statements:
                await load(services, viewer, ask)
            run.setdefault(name, []).extend(statements)
    week = week_named(WEEK)
    with listened() as run["the week as CSV"]:
        await tables.load(services, viewer, week)
    with listened() as run["a month's facts"]:
        assert [row async for page in services.coded.between(viewer, month_days(2026, 9), page=1) for row in page]
    with listened() as run["a month's counts"]:
        await months.load(services, viewer, (2026, 9))
    with listened() as run["counts for a device"]:
        caller = await town.caller(town.supervisor(OWNER))
        for present in ((), tuple(one.id for one in town.agencies.values())):
            await services.cube.show(caller, CountsAsk(WEEK, WEEK, (), present))
    with listened() as run["who looks"]:
        launch = await services.sessions.launch(await town.caller(town.supervisor(OWNER)))
        assert await services.sessions.viewer(await services.sessions.begin(launch.token) or "")

    searched, faults = set[str](), dict[str, set[str]]()
    async with town.engine.read() as connection:
        for name, statements in run.items():
            # Whoever takes the week along is told where it is; nothing is asked for that.
            assert statements or name == "panel takeaway", name
            for statement, given in statements:
                if statement.split()[0] not in {"SELECT", "UPDATE", "DELETE"}:
                    continue
                rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
                plan = [str(row[-1]) for row in rows]
                searched |= {matched["name"] for step in plan if (matched := _STEP.fullmatch(step))}
                for step in at_fault(statement, plan):
                    faults.setdefault(f"{name}: {step}", set()).add(statement)
    assert not faults, "\n".join(sorted(faults))
    # What makes the test worth its time: these were asked, each for what lies in it.
    assert {"reports", "facts", "records", "rollups", "published_cells", "published_from"} <= searched


async def test_a_question_that_grows_is_found_out(town: Town) -> None:
    growing = (
        "SELECT * FROM reports",
        "SELECT * FROM reports WHERE partnership_id = x'00' AND agency = x'00' AND kind = 9",
        "SELECT count(*) FROM facts WHERE partnership_id = x'00' AND time > 5",
        "SELECT min(day) FROM rollups WHERE partnership_id = x'00' AND dim = ''",
        "SELECT * FROM records AS ends WHERE partnership_id = x'00' AND agency = x'00' AND kind = 'done'",
        "SELECT * FROM facts JOIN reports USING (agency) WHERE facts.partnership_id = x'00' AND facts.digest = x'00'",
    )
    bounded = "SELECT * FROM reports WHERE partnership_id = x'00' AND agency = x'00' AND kind = 9 AND received_at > 5"
    async with town.engine.read() as connection:
        for statement in (*growing, bounded):
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
            assert bool(at_fault(statement, [str(row[-1]) for row in rows])) is (statement in growing), statement


async def test_every_table_that_may_be_asked_is_known_to_grow_or_not_to() -> None:
    assert not BOUNDED_BY.keys() & GROWS_OTHERWISE.keys()
    assert BOUNDED_BY.keys() | GROWS_OTHERWISE.keys() <= {one.name for one in metadata.sorted_tables}
