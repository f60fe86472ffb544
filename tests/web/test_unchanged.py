"""What never counts and what lies at a protected place changes no byte of any page, picture, file or answer.

One town's core is looked at by a supervisor of each agency: every sheet, chart and file of the overview in both
languages, and what devices are told of the counts. Then the secret is filed, with its duties left unanswered, and the
server looks; at the same instant another server process tells everybody the same bytes again.
Source: docs/secrecy-rules.md B7 13 and B8.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest
import pytest_asyncio
from msgspec import structs
from sqlalchemy import bindparam, func, select

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.counts import CountsAsk
from sluss_schemas.records import CaseKind
from sluss_server.aggregates.catalogue import is_counted
from sluss_server.services import counting, writing
from sluss_server.services.checking import Checked
from sluss_server.storage import tables, tasks

from tests.server.cases import case, send
from tests.server.sealer import SealedReport, seal_report
from tests.server.town import AGENCIES, NOW, PACK, Town
from tests.web.served import ONLY_WARNS, files, paths, pictures, seen, served, sheets, sign_in

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.filterwarnings(ONLY_WARNS)]

DAY: Final = 86_400
WEEKS: Final = ("2026-W38", "2026-W39")
"""The one that is published, and the running one."""
TIMES: Final = (NOW - 3 * DAY, NOW - 3600)
SLUGS: Final = tuple(slug for slug, _ in AGENCIES)
SECTORS: Final = dict(AGENCIES)
SHORT: Final = {sector: slug for slug, sector in AGENCIES}
SQUARE: Final = '{"type":"Polygon","coordinates":[[[17.0,59.0],[17.1,59.0],[17.1,59.1],[17.0,59.0]]]}'
FEW: Final = 4
"""So many show wherever they are counted exactly."""
MANY: Final = 12
"""So many show also where they are counted for others."""
SECRET: Final = {"K06": 6, "K16": 16, "K19": 19}
DUTY: Final = "L11"
MONTH: Final = "2026-09"
HELD: Final = (("police", 3), ("security", 3), ("municipality", 10), ("health", 10))
"""Who files what that stays with its owner where the place is a protected one; others file nothing there."""
LATER_DAYS: Final = (7, 28, 91)
"""When the server looks again at a week that it has published."""
Told = dict[tuple[str, str], bytes]
"""What each agency is told at each address."""


@dataclass
class World:
    """A town, and the cookies of its supervisors' browsers."""

    town: Town
    cookies: dict[str, str] = field(default_factory=dict)

    def report(self, slug: str, kind: int, **more: Any) -> SealedReport:  # noqa: ANN401  # any field of a draft
        return self.town.report(slug, kind, **more)

    def secret(self, slug: str, kind: int, time: int) -> SealedReport:
        """A report that shows no kind, sealed to whom its own kind lets read it."""
        owner = self.town.agencies[slug]
        return self.town.report(slug, 0, time=time, readers=self.town.readers(owner, kind))

    def held(self, slug: str, kind: int, time: int) -> SealedReport:
        """A report that its author's device holds back, because it lies at a protected place."""
        draft = self.town.draft(slug, kind, time=time)
        own = {epochs[-1].kem.public for epochs in self.town.agencies[slug].epochs.values()}
        return seal_report(replace(draft, readers={key: bits for key, bits in draft.readers.items() if key in own}))

    async def file(self, slug: str, reports: Sequence[SealedReport]) -> None:
        """Push reports; their device is heard of."""
        by = self.town.field(slug)
        assert {one[0] for one in await self.town.outcomes(by, *reports)} <= {"created", "trimmed"}
        await self.town.services.health.heard(await self.town.caller(by))

    async def duties(self, slug: str, reports: Sequence[SealedReport]) -> None:
        """File what is to be done about reports: overdue, soon, later, and done."""
        by, times = self.town.field(slug), (NOW - 1, NOW + DAY, NOW + 9 * DAY, NOW - DAY)
        made = [
            case(by, CaseKind.TASK, NOW - 5 * DAY, digest=one.digest, code=DUTY, until=until)
            for one in reports
            for until in times
        ]
        done = [case(by, CaseKind.DONE, NOW, follows=one.record, code="sent") for one in made if one.until == times[-1]]
        assert {one[0] for one in await send(self.town, by, *made, *done)} == {"created"}

    async def look(self, days: int = 0) -> None:
        """Let another server process look for what is due, so many days later."""
        self.town.clock.now = NOW + 1 + days * DAY
        await self.town.new_services().sweeping.once()

    async def told(self, slugs: Sequence[str] = SLUGS, *, few: bool = False) -> Told:
        """Fetch everything, from a server process of its own."""
        found = Told()
        async with served(self.town) as client:
            for slug in slugs:
                said = await seen(client, self.cookies[slug], addresses(few=few))
                found |= {(slug, address): body for address, body in said.items()}
                found[slug, "counts"] = await self.counts(slug)
        return found

    async def counts(self, slug: str) -> bytes:
        """What a supervisor's device is told, by itself and of a screen that others look at too."""
        town, asked = self.town, [CountsAsk("2026-W36", WEEKS[1], (), ())]
        asked.append(structs.replace(asked[0], present=(town.agencies["security"].id,)))
        caller = await town.caller(town.supervisor(slug))
        return b"".join([encode(await town.new_services().cube.show(caller, one)) for one in asked])

    async def figures(self) -> dict[tuple[str, int, str, str, int], int | None]:
        """What is published of the weeks that are over, by the agency that sees it."""
        asked, found = CountsAsk("2026-W36", WEEKS[0], (), ()), dict[tuple[str, int, str, str, int], int | None]()
        for slug in SLUGS:
            answer = await self.town.new_services().cube.show(await self.town.caller(self.town.supervisor(slug)), asked)
            found |= {(slug, one.kind, one.week, one.dim, one.value): one.figure for one in answer.others}
        return found


def addresses(*, few: bool = False) -> list[str]:
    """Every address that says a number; `few` of them where it is enough that something differs."""
    over, running = WEEKS
    if few:
        return [*sheets(over, "en"), f"/facts.jsonl?month={MONTH}", f"/week/{over}.csv?lang=en"]
    found = [*sheets(over, "en"), *sheets(over, "sv"), *sheets(running, "en")]
    found += [f"{path}?week={over}&lang=en&scene=scene-1" for path in ("", "/scenes")]
    found += pictures(over, "lang=en") + pictures(running, "lang=sv&theme=dark&size=narrow")
    return [*found, *files(over, MONTH), f"/week/{running}.csv?lang=en", f"/week/{running}.geojson?lang=en"]


async def populate(world: World) -> None:
    """Reports of every kind that counts, by each that files it, in three weeks; enough of some to be shown."""
    for kind, one in sorted(PACK.kinds.items()):
        for slug in sorted(SHORT[sector] for sector in one.owners):
            if is_counted(PACK, kind):
                times = (*TIMES, NOW - 10 * DAY)
                await world.file(slug, [world.report(slug, kind, time=time) for time in times])
    for slug, kind, number in (("police", 1, 14), ("municipality", 10, 13), ("security", 12, 11)):
        await world.file(slug, [world.report(slug, kind, time=TIMES[0], scene=2) for _ in range(number)])
    for slug in ("health", "social_services"):
        kind = next(number for number, one in PACK.kinds.items() if one.clear and SECTORS[slug] in one.owners)
        report = world.report(slug, kind, time=TIMES[0])
        await world.file(slug, [report])
        await world.duties(slug, [report])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Five agencies with three weeks of reports, of which two are published."""
    town = await (await Town(tmp_path_factory.mktemp("unchanged") / "sluss.db").open()).build()
    registry = next(one for one in town.agencies.values() if one.code.founding and one.code.founding[2])
    await town.append(registry, [registry.entry(d.Scene(5, "square", "Square", "Torg", SQUARE, "confirmed"))])
    built = World(town)
    await populate(built)
    await built.town.services.sweeping.once()
    # What comes in the second of a publication may be in it.
    town.clock.now += 1
    built.cookies = {slug: await sign_in(town, slug) for slug in SLUGS}
    yield built
    await town.close()


async def file_secrets(world: World, times: Sequence[int] = TIMES) -> None:
    """File what nobody may see a trace of, and leave its duties open."""
    for kind in SECRET.values():
        for slug in sorted(SHORT[sector] for sector in PACK.kinds[kind].owners):
            reports = [world.secret(slug, kind, time) for time in times for _ in range(FEW)]
            await world.file(slug, reports)
            await world.duties(slug, reports[:2])


async def file_protected(world: World, times: Sequence[int] = TIMES) -> None:
    """File what lies at a protected place, and then say so, as a device that knows the list does."""
    for slug, kind in HELD:
        reports = [world.held(slug, kind, time) for time in times for _ in range(MANY)]
        await world.file(slug, reports)
        by = world.town.field(slug)
        said = [case(by, CaseKind.RECLASSIFY, NOW, digest=one.digest, code="protected") for one in reports]
        assert {one[0] for one in await send(world.town, by, *said)} == {"created"}
        await world.duties(slug, reports[:2])


def differing(before: Told, after: Told) -> set[tuple[str, str]]:
    assert before.keys() == after.keys()
    return {name for name, body in before.items() if after[name] != body}


async def test_every_address_of_the_overview_is_looked_at(world: World) -> None:
    asked = {address.partition("?")[0] for address in addresses()}

    for path in paths(world.town):
        like = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))
        assert any(re.fullmatch(like, one) for one in asked), path


async def test_nothing_that_is_secret_changes_a_byte_or_a_later_publication(world: World) -> None:
    before, figures = await world.told(), await world.figures()
    # One duty of each state is about what counts, and is told of.
    for slug in ("health", "social_services"):
        assert f"{DUTY} ".encode() in before[slug, addresses()[0]]

    await file_secrets(world)
    await file_protected(world)
    await world.look()

    assert differing(before, await world.told()) == set()
    for days in LATER_DAYS:
        await world.look(days)
        later = await world.figures()
        assert {name: later[name] for name in figures} == figures
    await world.look()


# That it is seen when a server does tell.


def counts_what_shows_no_kind(patch: pytest.MonkeyPatch) -> None:
    """Have a report that shows no kind counted as if it were an activity."""
    live = writing.Writes._live

    def counted(self: writing.Writes, one: Checked) -> None:
        if one.facts is None and one.manifest.kind == 0:
            facts = sync.Tier1(one.manifest.time, (1, 2), bytes(16))
            one = replace(one, facts=facts, manifest=structs.replace(one.manifest, kind=13))
        live(self, one)

    patch.setattr(writing.Writes, "_live", counted)


def counts_what_is_protected(patch: pytest.MonkeyPatch) -> None:
    """Have what became a protected place's stay in the counts."""
    write = counting.write

    async def kept(*given: Any, **named: Any) -> None:  # noqa: ANN401  # as it is called
        await write(*given, **{**named, "closed": ()})

    patch.setattr(counting, "write", kept)


def numbers_every_task(patch: pytest.MonkeyPatch) -> None:
    """Have the number of all tasks told."""
    records, state = tables.records, tasks._state.label("state")
    due = select(records.c.code, state, func.count().label("number"))
    due = due.where(records.c.partnership_id == bindparam("partnership"), records.c.agency == bindparam("agency"))
    due = due.where(records.c.kind == "task", records.c.until >= bindparam("since"))
    patch.setattr(tasks, "_due", due.group_by(records.c.code, "state"))


MUTANTS: Final = {
    "what shows no kind counts": (counts_what_shows_no_kind, file_secrets, "social_services"),
    "what is protected counts": (counts_what_is_protected, file_protected, "municipality"),
    "every task is numbered": (numbers_every_task, file_secrets, "social_services"),
}


@pytest.mark.parametrize("wrong", MUTANTS)
async def test_a_server_that_tells_is_found_out(world: World, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate, file, slug = MUTANTS[wrong]
    mutate(monkeypatch)
    before = await world.told((slug,), few=True)

    await file(world, TIMES[:1])

    changed = {path for _, path in differing(before, await world.told((slug,), few=True))}
    numbered = {f"?week={WEEKS[0]}&lang=en"}
    assert changed == numbered if mutate is numbers_every_task else changed > numbered
