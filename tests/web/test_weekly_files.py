"""The week's files, on a real core: the panels' own numbers, the same suppression everywhere, the same bytes twice."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import pytest
import pytest_asyncio
from msgspec import structs

from sluss_server.aggregates.catalogue import rule_of
from sluss_server.aggregates.cells import SCENE, date_of, day_of, month_days, week_named
from sluss_server.services.sessions import Viewer
from sluss_server.web import asking
from sluss_server.web.asking import Ask
from sluss_server.web.panels import counts, objectives, pulse, zones
from sluss_server.web.weekly import codebook, contents, lines, pdf, rfc4180, tables
from sluss_server.web.weekly.naming import Names
from sluss_server.web.wording import words

from tests.server.cases import send
from tests.server.statements import objective_terms, statement
from tests.server.town import NOW, PACK, Town
from tests.web.reading import Pdf
from tests.web.served import ONLY_WARNS, Seen, files, pictures, seen, served, sheets, sign_in

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.filterwarnings(ONLY_WARNS)]

DAY: Final = 86_400
WEEK: Final = "2026-W38"
LAST_WEEK: Final = NOW - 3 * DAY
SQUARE: Final = '{"type":"Polygon","coordinates":[[[17.0,59.0],[17.1,59.0],[17.1,59.1],[17.0,59.0]]]}'
EXACT: Final = ("rollups", "rollup_staff", "published_from", "published_staff", "facts", "reports")
"""Tables of exact numbers, in which a row is one agency's."""
Line = dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Guards and police with incidents, the municipality with needles; the week before is published."""
    built = await (await Town(tmp_path_factory.mktemp("weekly") / "sluss.db").open()).build()
    filed: list[tuple[str, int, int, tuple[int, ...]]]
    filed = [("security", 1, scene, (1, 2)) for scene in (1, 1, 1, 2, 2, 2, 2)]
    filed += [("police", 1, scene, (2, 3)) for scene in (1,) * 14 + (2,) * 17 + (3,) * 3]
    filed += [("municipality", 10, 1, (needles,)) for needles in (4, 17, 3, 5, 6, 8, 9)]
    for slug, kind, scene, values in filed:
        report = built.report(slug, kind, scene=scene, values=values, time=LAST_WEEK)
        [outcome] = await built.outcomes(built.field(slug), report)
        assert outcome[0] in {"created", "trimmed"}
    by = built.supervisor("police")
    aim = objective_terms(title="Fewer *threats* #now", target=1234)
    assert (await send(built, by, statement(by, aim)))[0][0] == "created"
    built.clock.now += 900
    await built.services.sweeping.once()
    yield built
    await built.close()


async def viewer_of(town: Town, slug: str) -> Viewer:
    viewer = await town.services.sessions.viewer(await sign_in(town, slug))
    assert viewer is not None
    return viewer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewer(town: Town) -> Viewer:
    return await viewer_of(town, "security")


def asked(viewer: Viewer, week: str = WEEK) -> Ask:
    return asking.ask("/overview", {"week": week}, viewer)


async def csv_of(town: Town, viewer: Viewer) -> list[Line]:
    week = week_named(WEEK)
    body = rfc4180.written(tables.rows(viewer, await tables.load(town.services, viewer, week), week, "en"))
    assert body.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def numbers(page: str) -> set[int]:
    return {int(one.replace(",", "")) for one in re.findall(r"\d[\d,]*", page)}


@pytest.mark.parametrize("slug", ["security", "police", "health"])
async def test_what_is_hidden_is_hidden_in_every_file_and_every_other_number_is_a_published_one(
    town: Town, slug: str
) -> None:
    viewer = await viewer_of(town, slug)
    kinds = sorted(PACK.kinds)
    week = week_named(WEEK)
    published = await town.services.cube.others(viewer.view, viewer.agency, kinds, (week, week + 1))
    names = names_of(viewer)

    others = [line for line in await csv_of(town, viewer) if line["whose"] == "others"]

    assert len(others) == len(published) > 0
    assert [line for line in others if line["hidden"]]
    for one in published:
        cell = names.cell(one.kind, one.cell)
        kind = PACK.kinds[one.kind].name
        [line] = [line for line in others if (line["kind"], line["dimension"], line["value"]) == (kind, *cell[:2])]
        hidden = one.figure is None
        assert line["number"] == (f"<{rule_of(PACK, one.kind).least(one.cell)}" if hidden else str(one.figure))
        assert line["hidden"] == ("yes" if hidden else "")
    shown = {(one.kind, one.cell): one.figure for one in published}
    data = await zones.load(town.services, viewer, asked(viewer))
    by_slug = {scene.slug: number for number, scene in viewer.scenes.items()}
    for zone in data.zones:
        figures = [shown.get((kind, (SCENE, by_slug[zone.scene.slug]))) for kind in PACK.kinds]
        known = sum(figure for figure in figures if figure is not None)
        assert zone.others.value == (known if zone.others.state in {"shown", "part"} else 0)
    squares = {number: structs.replace(scene, zone=SQUARE) for number, scene in viewer.scenes.items()}
    found = await counts.load(town.services, viewer, asked(viewer), weeks=1)
    data = zones.Zones(zones=zones.zones(found, squares, week), kinds=(), kind=None)
    assert len(data.drawn) == 4
    for feature in cast("list[Any]", zones.geojson(data, words("en"))["features"]):
        [zone] = [one for one in data.zones if one.scene.slug == feature["properties"]["scene"]]
        hidden = zone.others.state not in {"shown", "part"}
        assert feature["properties"]["others"] == (None if hidden else zone.others.value)


async def copied(town: Town, folder: Path, slug: str, *, more: int = 0) -> Town:
    """A town of which nothing of others is left but what was published to one agency; `more` in every figure of it."""
    path = folder / f"{slug}-{more}.db"
    with closing(sqlite3.connect(cast("Path", town.path))) as there:
        there.execute("VACUUM INTO ?", (str(path),))
    mine = (town.agencies[slug].id,)
    with closing(sqlite3.connect(path)) as here, here:
        gone = [here.execute(f"DELETE FROM {table} WHERE agency <> ?", mine).rowcount for table in EXACT]  # noqa: S608  # names
        assert gone[0] > 0
        here.execute("DELETE FROM published_cells WHERE viewer <> ?", mine)
        here.execute("UPDATE published_cells SET figure = figure + ? WHERE figure IS NOT NULL", (more,))
    bare = Town(path)
    bare.clock, bare.partnership, bare.agencies = town.clock, town.partnership, town.agencies
    return await bare.open()


def everything() -> list[str]:
    return [*sheets(WEEK, "en"), *sheets(WEEK, "sv"), *pictures(WEEK, "lang=en"), *files(WEEK, "2026-09")]


async def told(town: Town, cookie: str, addresses: Iterable[str]) -> Seen:
    async with served(town) as client:
        return await seen(client, cookie, addresses)


@pytest.mark.parametrize("slug", ["security", "police"])
async def test_pages_pictures_and_files_say_nothing_of_others_but_what_is_published(
    town: Town, tmp_path: Path, slug: str
) -> None:
    cookie = await sign_in(town, slug)
    whole = await told(town, cookie, everything())

    # With every exact number of the others gone nobody notices: so none, hidden or not, stands anywhere.
    bare = await copied(town, tmp_path, slug)
    try:
        assert await told(bare, cookie, everything()) == whole
    finally:
        await bare.close()
    # What is published does stand there: with other figures these are others.
    some = [one for one in everything() if one.split("?")[0] in {"", f"/week/{WEEK}.csv", f"/week/{WEEK}.pdf"}]
    raised = await copied(town, tmp_path, slug, more=50)
    try:
        found = await told(raised, cookie, some)
    finally:
        await raised.close()
    assert {one for one in some if found[one] == whole[one]} == set()


async def test_a_page_says_of_each_hidden_figure_that_it_is_hidden(town: Town, viewer: Viewer) -> None:
    week = week_named(WEEK)
    found = await counts.load(town.services, viewer, asked(viewer), weeks=1)
    page = (await told(town, await sign_in(town, "security"), [f"/scenes?week={WEEK}&lang=en"])).popitem()[1].decode()
    [table] = re.findall(r'id="zones".*?</section>', page, re.DOTALL)

    for number, scene in viewer.scenes.items():
        others = found.others_of(found.theirs, week, number)
        [row] = re.findall(rf"<tr[^>]*>\s*<th[^>]*>[^<]*{words('en').label(scene)}.*?</tr>", table, re.DOTALL)
        said = re.sub(r"<[^>]+>|\s+", " ", row)
        assert ("hidden" in said) == (others.state == "hidden")


def names_of(viewer: Viewer) -> Names:
    return Names(viewer.pack, viewer.scenes)


async def test_own_counts_are_exact_and_add_up(town: Town, viewer: Viewer) -> None:
    own = [line for line in await csv_of(town, viewer) if line["whose"] == "own" and line["kind"] == "order_incident"]

    found = {(line["dimension"], line["value"]): line["number"] for line in own}
    assert found["total", ""] == "7"
    assert (found["scene", "scene-1"], found["scene", "scene-2"]) == ("3", "4")
    for dimension in {line["dimension"] for line in own}:
        assert sum(int(line["number"]) for line in own if line["dimension"] == dimension) == 7
    assert all(line["hidden"] == line["rounded_to"] == "" for line in own)


async def test_the_files_name_nothing_that_the_codebook_does_not(town: Town, viewer: Viewer) -> None:
    book = list(csv.DictReader(io.StringIO(rfc4180.written(codebook.rows(viewer)).decode("utf-8-sig"), newline="")))
    known = {part: {line["name"] for line in book if line["part"] == part} for part in ("kind", "dimension", "value")}

    assert all(line["en"] and line["sv"] for line in book)
    for line in await csv_of(town, viewer):
        assert line["kind"] in known["kind"]
        assert line["dimension"] in known["dimension"]
        assert line["value"] in known["value"] or line["value"].isdigit() or not line["value"]


@pytest.mark.parametrize("lang", ["sv", "en"])
async def test_the_document_is_tagged_has_two_pages_and_says_what_the_panels_say(
    town: Town, viewer: Viewer, lang: asking.Language
) -> None:
    found = await contents.load(town.services, viewer, asked(viewer))
    said = pdf.said(found, words(lang))

    body = pdf.typeset(said, found.ends)

    document = Pdf(body)
    for needed in (b"/StructTreeRoot", b"/MarkInfo<</Marked true", f"/Lang({lang})".encode(), b"pdfuaid:part"):
        assert needed in body
    assert b"/DisplayDocTitle true" in body
    assert b"/CreationDate" not in body
    first, second = document.texts()
    panel = await pulse.load(town.services, viewer, asked(viewer))
    [row] = [row for row in panel.rows if row.kind.name == "order_incident"]
    of_scenes = (await zones.load(town.services, viewer, asked(viewer))).zones
    label = words(lang).label(row.kind)
    # Each cell is set by itself; there is no week before this one.
    assert f"\n{label}\n7\n–\n–\n{pdf.figure(row.others, words(lang))}\n" in first.replace("\n\n", "\n")
    for zone in of_scenes:
        wanted = f"{words(lang).label(zone.scene)}\n{zone.own}\n{pdf.figure(zone.others, words(lang))}\n"
        assert wanted in second
    assert "<5" in first
    [aim] = (await objectives.load(town.services, viewer, asked(viewer))).aims
    value = "–" if aim.value.known is None else f"{'' if aim.value.whole else '≥ '}{aim.value.known}"
    wanted = f"Fewer *threats* #now\npolice\n≤ {words(lang).number(1234)}\n{value}\n{date_of(aim.terms.until)}\n"
    assert wanted in second
    # The police's exact counts are not known here.
    assert not {17, 34} & (numbers(first) | numbers(second))


async def test_the_same_week_is_the_same_bytes_also_in_another_process(town: Town, viewer: Viewer) -> None:
    found = await contents.load(town.services, viewer, asked(viewer))
    said = pdf.said(found, words("sv"))
    once = pdf.typeset(said, found.ends)

    again = pdf.typeset(pdf.said(await contents.load(town.services, viewer, asked(viewer)), words("sv")), found.ends)

    program = (
        "import sys, json; from sluss_server.web.weekly import pdf; "
        f"sys.stdout.buffer.write(pdf.typeset(json.load(sys.stdin), {found.ends}))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    other, _ = await process.communicate(json.dumps(said).encode())
    assert once == again == other

    cookie, addresses = await sign_in(town, "security"), files(WEEK, "2026-09")
    first = await told(town, cookie, addresses)
    assert await told(town, cookie, addresses) == first
    assert {address.partition("?")[0].rpartition(".")[2] for address in first} == {"pdf", "csv", "geojson", "jsonl"}
    assert all(first.values())


async def test_duties_are_those_of_the_day_and_an_older_week_stays_as_it_was(town: Town, viewer: Viewer) -> None:
    latest, older = [
        [
            pdf.said(await contents.load(town.services, seen, asked(seen, week)), words("en"))
            for seen in (viewer, replace(viewer, now=viewer.now + DAY))
        ]
        for week in (WEEK, "2026-W37")
    ]

    assert older[0] == older[1]
    assert older[0]["duties"]["body"] == []  # type: ignore[index]
    titles = [one["duties"]["title"] for one in latest]  # type: ignore[index]
    days = [words("en").date(day_of(viewer.now + later, viewer.pack.zone)) for later in (0, DAY)]
    assert titles == [f"Duties of the own agency on {day}" for day in days]


async def facts_of(town: Town, viewer: Viewer, year: int, month: int) -> list[dict[str, Any]]:
    pages = town.services.coded.between(viewer, month_days(year, month), page=3)
    text = b"".join([page async for page in lines.lines(viewer, pages)])
    return [json.loads(line) for line in text.splitlines()]


async def test_the_own_facts_are_the_own_agencys_and_lead_to_no_report(town: Town, viewer: Viewer) -> None:
    found = await facts_of(town, viewer, 2026, 9)

    assert len(found) == 7
    assert {tuple(sorted(line)) for line in found} == {("day", "facts", "kind", "scene")}
    assert {line["kind"] for line in found} == {"order_incident"}
    assert sorted(line["scene"] for line in found) == ["scene-1"] * 3 + ["scene-2"] * 4
    code = next(name for name, one in PACK.codes["sub_kind"].items() if one.n == 1)
    assert all(line["facts"] == {"sub_kind": code, "severity": 2} for line in found)
    assert len(await facts_of(town, await viewer_of(town, "police"), 2026, 9)) == 34
    assert await facts_of(town, await viewer_of(town, "health"), 2026, 9) == []
    assert await facts_of(town, viewer, 2026, 8) == []


async def test_a_sum_stands_by_its_own_name(town: Town) -> None:
    viewer = await viewer_of(town, "municipality")
    own = [line for line in await csv_of(town, viewer) if line["whose"] == "own" and line["dimension"] == "needles"]

    assert [(line["value"], line["number"]) for line in own] == [("sum", "52")]
