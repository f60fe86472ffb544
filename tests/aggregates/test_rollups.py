"""Counts are those of the reports that are there, whatever happened to these; and of the weeks that were published."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, delete, event, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import decode
from sluss_schemas.counts import CountsAnswer, CountsAsk
from sluss_schemas.ids import AGENCY_SLUGS, kind_code
from sluss_schemas.problems import Invalid
from sluss_schemas.records import CaseKind
from sluss_server.aggregates.cells import GIVEN, SEVERAL, SUM, TOTAL, Cell, Family, week_named
from sluss_server.storage import tables

from tests.aggregates.attacker import Attacker, Publication, known_too_well
from tests.server.cases import case, send
from tests.server.sealer import SealedReport
from tests.server.town import NOW, PACK, Town

DAY: Final = 86_400
LAST_WEEK: Final = NOW - 3 * DAY
WEEK: Final = "2026-W38"
GROUPS: Final = (("police", "security"), ("security", "health"), tuple(AGENCY_SLUGS.values()))
"""Who looks at a screen together."""
OUTREACH: Final = 5
"""The kind that is published a week later than the others."""
DIMS: Final = {1: ("sub_kind", "severity"), 3: ("found_as", "substances"), 10: ("needles",), 12: ("severity",)}
OWNERS: Final = {1: ("security", "police"), 3: ("police",), 10: ("municipality",), 12: ("security",)}
Row = tuple[bytes, str, int, int, int, int]


@dataclass
class Life:
    """Reports as they are filed, amended, forked and moved to a protected place."""

    town: Town
    chance: random.Random
    versions: dict[bytes, list[tuple[str, SealedReport]]]

    def values(self, kind: int) -> tuple[int | tuple[int, ...] | None, ...]:
        pick = self.chance.choice
        return {
            1: (pick([1, 2, 3]), pick([None, 1, 2, 3])),
            3: (pick([1, 2]), pick([None, (), (3,), (1, 4)])),
            10: (pick([None, 0, 4, 17]),),
            12: (pick([1, 2]),),
        }[kind]

    def report(self, slug: str, kind: int, **more: Any) -> SealedReport:  # noqa: ANN401  # any field of a draft
        given = {
            "scene": self.chance.randint(1, 4),
            "values": self.values(kind),
            "time": NOW - self.chance.randint(0, 20) * DAY,
            "counts": self.chance.choice([None, None, False, True]),
        }
        return self.town.report(slug, kind, **{**given, **more})

    async def step(self) -> None:
        what = self.chance.random()
        if what < 0.5 or not self.versions:
            kind = self.chance.choice(list(DIMS))
            slug = self.chance.choice(OWNERS[kind])
            made = [self.report(slug, kind)]
        else:
            slug, parent = self.chance.choice(self.versions[self.chance.choice(list(self.versions))])
            if what > 0.9:
                by = self.town.field(slug)
                record = case(by, CaseKind.RECLASSIFY, NOW, digest=parent.digest, code="protected")
                assert (await send(self.town, by, record))[0][0] == "created"
                return
            first = parent.manifest
            following = {"report_id": first.report_id, "version": first.version + 1, "parents": (parent.digest,)}
            made = [self.report(slug, first.kind, **following)]
            if what > 0.8:
                again = {"version": first.version + 2, "parents": (made[0].digest,)}
                made.append(self.report(slug, first.kind, **{**following, **again}))
        outcomes = await self.town.outcomes(self.town.field(slug), *made)
        assert {one[0] for one in outcomes} <= {"created", "forked", "trimmed"}, outcomes
        for one in made:
            self.versions.setdefault(one.manifest.report_id, []).append((slug, one))


async def stored(town: Town, table: Any) -> list[Any]:  # noqa: ANN401  # any table, its rows
    async with town.engine.read() as connection:
        return list(await connection.execute(select(*table.c).order_by(*table.primary_key.columns)))


async def counts(town: Town) -> dict[Row, int]:
    rows = await stored(town, tables.rollups)
    return {(one.agency, one.dim, one.kind, one.day, one.scene, one.value): one.count for one in rows if one.count}


async def counts_for_others(town: Town) -> dict[Row, int]:
    rows = await stored(town, tables.rollups)
    found = {(one.agency, one.dim, one.kind, one.day, one.scene, one.value): one.count + one.kept for one in rows}
    return {key: number for key, number in found.items() if number}


async def counted_again(town: Town, *, elsewhere: bool = True) -> dict[Row, int]:
    """Count the facts that are stored, one report at a time; without those whose event counts `elsewhere`."""
    found = Counter[Row]()
    for one in await stored(town, tables.facts):
        if one.elsewhere and not elsewhere:
            continue
        local = datetime.fromtimestamp(one.time, UTC).astimezone(ZoneInfo("Europe/Stockholm")).date()
        day = local.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()

        def add(dim: str, value: int, more: int = 1, one: Any = one, day: int = day) -> None:  # noqa: ANN401  # a row
            found[one.agency, dim, one.kind, day, one.scene, value] += more

        add("", 0)
        values = decode(list[Any], one.coded, "coded")
        for dim, value in zip(DIMS[one.kind], values, strict=True):
            if dim == "needles":
                if value:
                    add(dim, GIVEN)
                    add(dim, SUM, value)
            elif isinstance(value, list):
                add(dim, SEVERAL if len(value) > 1 else value[0] if value else 0)
            else:
                add(dim, value or 0)
    return dict(found)


@pytest.mark.parametrize("seed", range(3))
async def test_counts_are_those_of_the_facts_whatever_happened(town: Town, seed: int) -> None:
    life = Life(town, random.Random(seed), {})
    for _ in range(60):
        await life.step()

    found = await counts(town)
    assert found == await counted_again(town)
    assert await counts_for_others(town) == await counted_again(town, elsewhere=False) != found
    assert len({key for key in found if not key[1]}) > 10
    # One row of facts for each report: an amendment takes its predecessor's place, and of a fork one counts.
    reports = {one.digest: one.report_id for one in await stored(town, tables.reports)}
    counting = [reports[one.digest] for one in await stored(town, tables.facts)]
    assert len(counting) == len(set(counting))


async def test_what_was_filed_before_there_were_counts_is_counted_once(town: Town) -> None:
    life = Life(town, random.Random(9), {})
    for _ in range(30):
        await life.step()
    before = await counts(town)

    async def lose(connection: AsyncConnection) -> None:
        await connection.execute(delete(tables.rollups))

    await town.writer.submit(lose)
    services = town.new_services()
    await services.sweeping.once()
    await services.sweeping.once()

    assert await counts(town) == before


# what was published


async def publish(town: Town) -> None:
    """Look as the server does, a quarter of an hour after it last did."""
    town.clock.now += 900
    await town.services.sweeping.once()


async def push(town: Town, slug: str, reports: Iterable[SealedReport], number: int = 0) -> None:
    outcomes = await town.outcomes(town.field(slug, number), *reports)
    assert {one[0] for one in outcomes} <= {"created", "trimmed"}, outcomes


def incidents(town: Town, number: int, scene: int, **more: Any) -> list[SealedReport]:  # noqa: ANN401  # of a draft
    given = {"scene": scene, "values": (1, 2), "time": LAST_WEEK}
    return [town.report("security", 1, **{**given, **more}) for _ in range(number)]


async def rows(town: Town) -> list[tuple[Any, ...]]:
    """Return every row that was published of the week and was due with it, with agencies by their names."""
    names = {one.id: slug for slug, one in town.agencies.items()}
    week = week_named(WEEK)
    found = [one for one in await stored(town, tables.published_cells) if one.week == week and one.kind != OUTREACH]
    return sorted((names[one.viewer], *one[2:7], -1 if one.figure is None else one.figure) for one in found)


async def protect(town: Town, report: SealedReport) -> None:
    by = town.field("security")
    record = case(by, CaseKind.RECLASSIFY, town.clock.now, digest=report.digest, code="protected")
    assert (await send(town, by, record))[0][0] == "created"


async def asked(town: Town, slug: str, *present: str, kind: int = 1) -> CountsAnswer:
    caller = await town.caller(town.supervisor(slug))
    agencies = tuple(town.agencies[one].id for one in present)
    return await town.services.cube.show(caller, CountsAsk(WEEK, WEEK, (kind,), agencies))


def figure(answer: CountsAnswer, dim: str = "", value: int = 0) -> int | None:
    [found] = [one.figure for one in answer.others if (one.dim, one.value) == (dim, value)]
    return found


async def test_what_is_never_counted_and_what_is_at_a_protected_place_is_in_no_published_row(town: Town) -> None:
    await push(town, "security", [*incidents(town, 14, 1), *incidents(town, 9, 2)])
    hidden = incidents(town, 8, 3)
    await push(town, "security", hidden)
    for one in hidden:
        await protect(town, one)
    # K06, K16 and K19 show as kind 0, which tells nothing of itself.
    await push(town, "health", [town.report("health", 0) for _ in range(12)])
    await publish(town)
    found = await rows(town)
    assert {one[1] for one in found if one[-1] > 0} == {1}
    assert not {kind_code(one[1]) for one in found} & {"K00", "K06", "K16", "K19"}
    assert {one[-1] for one in found if one[4:6] == ("scene", 3)} == {-1}

    await push(town, "health", [town.report("health", 0) for _ in range(12)])
    for one in hidden[:6]:
        again = {"report_id": one.manifest.report_id, "version": 2, "parents": (one.digest,)}
        await push(town, "security", [town.report("security", 1, scene=3, time=LAST_WEEK, **again)])
    # What comes after a publication, and lies at such a place from the first, was in none and comes into none.
    town.clock.now += 1
    late = incidents(town, 12, 1)
    await push(town, "security", late)
    for one in late:
        await protect(town, one)
    for days in (7, 28, 91):
        town.clock.now = NOW + days * DAY
        await publish(town)
    assert await rows(town) == found


async def test_a_correction_into_a_protected_place_leaves_no_notch(town: Town) -> None:
    reports = incidents(town, 20, 1)
    await push(town, "security", [*reports, *incidents(town, 9, 2)])
    await publish(town)
    before = await rows(town)

    for one in reports[:12]:
        await protect(town, one)
    town.clock.now = NOW + 7 * DAY
    await publish(town)

    assert await rows(town) == before
    assert figure(await asked(town, "police"), "scene", 1) == 20
    own = await asked(town, "security")
    assert [one.number for one in own.own if (one.dim, one.scene) == ("", 1)] == [8], "the owner counts what is left"


async def test_late_reports_appear_when_they_are_many_and_only_at_the_looks(town: Town) -> None:
    await push(town, "security", [*incidents(town, 20, 1), *incidents(town, 9, 2), *incidents(town, 7, 3)])
    await publish(town)
    await push(town, "security", [*incidents(town, 10, 1), *incidents(town, 1, 2), *incidents(town, 4, 3)])
    town.clock.now = NOW + 3 * DAY
    await publish(town)
    assert figure(await asked(town, "police"), "scene", 1) == 20

    town.clock.now = NOW + 7 * DAY
    await publish(town)

    assert figure(await asked(town, "police"), "scene", 1) == 30
    assert figure(await asked(town, "police"), "scene", 2) == 10
    assert figure(await asked(town, "police")) == 50
    assert figure(await asked(town, "police", "health")) == 50


async def test_a_screen_of_several_shows_the_total_of_all_where_each_of_them_is_shown_it(town: Town) -> None:
    await push(town, "security", [*incidents(town, 20, 1), *incidents(town, 9, 2)])
    police = {"values": (1, 2), "time": LAST_WEEK}
    await push(town, "police", [town.report("police", 1, scene=1, **police) for _ in range(11)])
    await push(town, "police", [town.report("police", 1, scene=3, **police) for _ in range(6)])
    await publish(town)

    assert figure(await asked(town, "health"), "scene", 1) == 30
    assert figure(await asked(town, "police"), "scene", 1) == 20
    assert figure(await asked(town, "police", "security"), "scene", 1) == 30
    # The guards see no more than eleven and six of the police, of which the smaller is hidden.
    assert figure(await asked(town, "health", "security"), "scene", 2) is None


async def test_an_event_that_two_agencies_write_down_counts_once_for_others_and_for_each_of_them(town: Town) -> None:
    await push(town, "security", incidents(town, 20, 1))
    more = {"scene": 1, "values": (1, 2), "time": LAST_WEEK}
    linked = [town.report("police", 1, counts=False, **more) for _ in range(10)]
    await push(town, "police", [*linked, *(town.report("police", 1, **more) for _ in range(10))])
    # What a colleague corrects who cannot see the link stays linked, also in the push that brings the first version.
    first = town.report("police", 1, counts=False, **more)

    def later(one: SealedReport, **said: Any) -> SealedReport:  # noqa: ANN401  # of a draft
        number = one.manifest.version + 1
        follows = {"report_id": one.manifest.report_id, "version": number, "parents": (one.digest,)}
        return town.report("police", 1, **more, **follows, **said)

    second = [later(one) for one in linked]
    await push(town, "police", [first, later(first), *second])
    await publish(town)

    assert figure(await asked(town, "health")) == 30
    assert figure(await asked(town, "security")) == 10
    assert figure(await asked(town, "police")) == 20
    assert figure(await asked(town, "police", "security")) == 30
    own = await asked(town, "police")
    assert [one.number for one in own.own if (one.dim, one.scene) == ("", 1)] == [21], "its own figures are exact"
    assert await _own(town) == (21, 11), "and of those eleven add nothing to what others count"

    # They were of other events after all.
    await push(town, "police", [later(one, counts=True) for one in second])
    town.clock.now = NOW + 7 * DAY
    await publish(town)
    assert figure(await asked(town, "health")) == 40
    assert await _own(town) == (21, 1)


async def test_whose_place_is_secret_stands_in_no_scene_of_others_and_in_every_total(town: Town) -> None:
    def needles(slug: str, number: int, scene: int) -> list[SealedReport]:
        return [town.report(slug, 10, scene=scene, values=(1,), time=LAST_WEEK) for _ in range(number)]

    await push(town, "municipality", [*needles("municipality", 7, 1), *needles("municipality", 9, 2)])
    await push(town, "health", [*needles("health", 12, 2), *needles("health", 2, 3)])
    await publish(town)

    found = await asked(town, "police", kind=10)
    # Of the second scene the nine of the municipality; the first goes with the scenes of which there is nothing.
    assert [figure(found, "scene", scene) for scene in (1, 2, 3)] == [None, 10, None]
    assert (figure(found, "scene", 0), figure(found)) == (15, 30)
    alone = await asked(town, "municipality", kind=10)
    assert {one.value for one in alone.others if one.dim == "scene" and one.figure is not None} <= {0}
    assert figure(await asked(town, "health", kind=10), "scene", 2) == 10
    own = await asked(town, "health", kind=10)
    assert {(one.scene, one.number) for one in own.own if not one.dim} == {(2, 12), (3, 2)}, "its own are exact"
    of_health = [one for one in await stored(town, tables.published_from) if one.agency == town.agencies["health"].id]
    assert {one.value for one in of_health if (one.kind, one.dim) == (10, "scene")} == {0}


async def test_one_persons_late_work_is_no_movement_until_others_are_in_it(town: Town) -> None:
    async def overdoses(number: int, *staff: bytes) -> None:
        made = [
            town.report("security", 4, scene=1, time=LAST_WEEK, contributor=8 * staff[each % len(staff)])
            for each in range(number)
        ]
        await push(town, "security", made)

    async def seen() -> list[int | None]:
        answer = await asked(town, "police", kind=4)
        return [figure(answer), figure(answer, "scene", 1)]

    await overdoses(30, b"a", b"b", b"c")
    await publish(town)
    first = await seen()
    assert 30 in first
    await overdoses(20, b"a")
    town.clock.now = NOW + 7 * DAY
    await publish(town)
    assert await seen() == first

    await overdoses(12, b"a", b"b")
    town.clock.now = NOW + 28 * DAY
    await publish(town)
    assert await seen() == [None if one is None else 60 for one in first]
    assert await stored(town, tables.published_staff)
    town.clock.now = NOW + 91 * DAY
    await publish(town)
    assert await stored(town, tables.published_staff) == await stored(town, tables.rollup_staff) == []


async def _own(town: Town) -> tuple[int, int]:
    """Return how many reports the police count at the scene, and how many of those another agency's report counts."""
    view, caller = await town.services._core.enter(await town.caller(town.supervisor("police")))
    weeks = (week_named(WEEK), week_named(WEEK) + 1)
    [found] = await town.services.cube.own_totals(view.partnership, caller.agency, [1], weeks)
    return found.number, found.elsewhere


async def test_what_is_asked_of_the_cube_is_found_by_a_range_of_an_index(town: Town) -> None:
    if town.engine.dialect.name != "sqlite":
        pytest.skip("a plan of SQLite's")
    core = town.services._core
    view, caller = await core.enter(await town.caller(town.supervisor("police")))
    weeks, kinds = (week_named(WEEK) - 25, week_named(WEEK) + 1), [1, 3, 4]
    run = list[tuple[str, Any]]()

    def note(_c: object, _cursor: object, statement: str, given: Any, _context: object, _many: object) -> None:  # noqa: ANN401  # the driver's
        run.append((statement, given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        cube = town.services.cube
        await cube.others(view, caller.agency, kinds, weeks)
        await cube.others(view, caller.agency, kinds, weeks, dims=("", "scene"))
        await cube.own_totals(view.partnership, caller.agency, kinds, weeks)
        await cube.own_weeks(view.partnership, caller.agency, PACK, kinds, weeks)
        await cube.together(view, {caller.agency}, kinds, weeks)
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    tables_read = set[str]()
    async with town.engine.read() as connection:
        for statement, given in run:
            plan = [row[-1] for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
            found = [step for step in plan if "USING" in step and "INDEX" in step]
            assert found
            assert not any(step.startswith("SCAN") for step in plan), plan
            assert all("partnership_id=? AND" in step and ">? AND" in step for step in found), found
            tables_read |= {step.split()[1] for step in found}
    assert tables_read == {"published_cells", "published_from", "rollups"}


async def test_field_staff_are_refused(town: Town) -> None:
    caller = await town.caller(town.field("police"))
    with pytest.raises(Invalid) as refused:
        await town.services.cube.show(caller, CountsAsk(WEEK, WEEK))
    assert refused.value.code == "not_allowed"


@pytest.mark.parametrize("seed", range(2))
async def test_of_what_the_server_published_a_solver_finds_nothing_small(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    scenes, codes = [1, 2, 3, 4], [1, 2, 3, 4, 5]

    async def filed(slug: str, number: int) -> None:
        made = [
            town.report(
                slug,
                1,
                scene=chance.choices(scenes, [12, 7, 2, 1])[0],
                values=(chance.choices(codes, [9, 5, 3, 1, 1])[0], chance.randint(1, 3)),
                time=LAST_WEEK,
                # A report in six is of an event that counts by another one.
                counts=chance.choice([None, None, None, None, True, False]),
            )
            for _ in range(number)
        ]
        for first in range(0, number, 50):
            await push(town, slug, made[first : first + 50])

    told = dict[tuple[bytes, int], set[Cell]]()
    await filed("security", 60)
    await filed("police", 25)
    await publish(town)
    await look_together(town, told)
    for days in (7, 28):
        await filed("security", chance.choice([3, 30]))
        await filed("police", chance.choice([0, 1, 17]))
        town.clock.now = NOW + days * DAY
        await publish(town)
        await look_together(town, told)

    cells = [one for one in await stored(town, tables.published_cells) if one.week == week_named(WEEK)]
    made = [one for one in await stored(town, tables.published_from) if one.week == week_named(WEEK)]
    for viewer in town.agencies.values():
        mine = [one for one in cells if (one.viewer, one.kind) == (viewer.id, 1)]
        families = _families((one.dim, one.value) for one in mine if one.revision == 0)
        seen = list[Publication]()
        for revision in sorted({one.revision for one in mine}):
            exact = Counter[Cell]()
            for one in made:
                if (one.kind, one.revision) == (1, revision) and one.agency != viewer.id:
                    exact[one.dim, one.value] += one.count
            shown = {(one.dim, one.value) for one in mine if one.revision == revision and one.figure is not None}
            # Their own part is off the joint total.
            jointly = [(cell, exact[cell]) for cell in sorted(told.get((viewer.id, revision), ()))]
            seen.append(Publication(exact, shown, jointly))
        assert seen[0].shown
        attacker = Attacker(families, seen)
        small = [[cell for cell in attacker.cells if one.exact.get(cell, 0) < 5] for one in seen]
        assert known_too_well(attacker, small, 5) == []
    await no_joint_screen_tells_more(town, cells, made)


async def look_together(town: Town, told: dict[tuple[bytes, int], set[Cell]]) -> None:
    """Note what screens of several tell, by whoever looks and by publication."""
    for group in GROUPS:
        for one in (await asked(town, group[0], *group)).others:
            for slug in group:
                if one.figure is not None:
                    told.setdefault((town.agencies[slug].id, one.revision), set()).add((one.dim, one.value))


async def no_joint_screen_tells_more(town: Town, cells: Iterable[Any], made: Iterable[Any]) -> None:
    """Whoever takes their own part off a joint total has a figure of the same publication that they are shown alone."""
    figures = {(one.viewer, one.kind, one.revision, one.dim, one.value): one.figure for one in cells}
    totals = Counter[tuple[int, int, str, int]]()
    for row in made:
        totals[row.kind, row.revision, row.dim, row.value] += row.count
    seen = 0
    for group in GROUPS:
        for slug in group:
            for one in (await asked(town, slug, *group)).others:
                if one.figure is None:
                    continue
                seen += 1
                assert one.figure == 5 * ((2 * totals[one.kind, one.revision, one.dim, one.value] + 5) // 10)
                alone = {
                    figures.get((town.agencies[present].id, one.kind, one.revision, one.dim, one.value))
                    for present in group
                }
                assert None not in alone
    assert seen > 10


def _families(cells: Iterable[Cell]) -> list[Family]:
    """Return what adds up, by what stands in the published rows alone."""
    by_dim = dict[str, list[Cell]]()
    for cell in cells:
        by_dim.setdefault(cell[0], []).append(cell)
    return [Family(TOTAL, tuple(children)) for dim, children in by_dim.items() if dim]
