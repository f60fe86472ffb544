"""The files' addresses: for whoever is signed in, named as files are, and pages that say what is wrong."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import httpx2
import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.testing import Clock, Town

from tests.web.reading import Pdf

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEDNESDAY: Final = datetime(2026, 2, 4, 12, tzinfo=UTC)
OURS: Final = {"sec-fetch-site": "same-origin"}
CSV: Final = "text/csv; header=present; charset=utf-8"
FILES: Final = {
    "week/2026-W06.pdf?lang=sv": ("application/pdf", "sluss-2026-W06-sv.pdf"),
    "week/2026-W06.csv?lang=en": (CSV, "sluss-2026-W06-en.csv"),
    "week/2026-W06.geojson": ("application/geo+json", "sluss-2026-W06.geojson"),
    "codebook.csv": (CSV, "sluss-codebook.csv"),
    "facts.jsonl?month=2026-02": ("application/x-ndjson", "sluss-facts-2026-02.jsonl"),
    "months.csv?month=2026-02&lang=sv": (CSV, "sluss-months-2025-02-2026-02-sv.csv"),
    "months.csv?months=36&lang=en": (CSV, "sluss-months-2023-03-2026-02-en.csv"),
}


@asynccontextmanager
async def signed_in(town: Town, device: Device) -> AsyncIterator[httpx2.AsyncClient]:
    """Sit down at a browser."""
    async with httpx2.AsyncClient(base_url=town.url, headers={"accept-language": "en"}) as found:
        token = (await device.launch()).rsplit("/", 1)[1]
        answer = await found.post("/overview/enter", data={"token": token}, headers=OURS)
        assert answer.status_code == 303
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town() -> AsyncIterator[Town]:
    async with Town(Clock(WEDNESDAY), agencies=("security", "police")) as built:
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def boss(town: Town) -> Device:
    return await town.device("security", "supervisors")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(town: Town, boss: Device) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of the guards' supervisor, signed in; a guard has filed a report."""
    guard = await town.device("security")
    guard.file(
        forms.OrderIncident(
            scene="central-square",
            observed_at=town.clock.now(),
            sub_kind="threat",
            severity=2,
            situation="Somebody threatened a shop assistant.",
        )
    )
    await guard.sync()
    async with signed_in(town, boss) as found:
        yield found


@pytest.mark.parametrize("address", FILES)
async def test_each_address_gives_a_file_by_its_name(client: httpx2.AsyncClient, address: str) -> None:
    media, name = FILES[address]

    answer = await client.get(f"/overview/{address}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == media
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["cache-control"] == "no-store"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("address", FILES)
async def test_nobody_gets_a_file_without_a_session(town: Town, address: str) -> None:
    async with httpx2.AsyncClient(base_url=town.url) as stranger:
        answer = await stranger.get(f"/overview/{address}")

    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("week/2026-W99.pdf", "There is no such week"),
        ("week/2026-W6.csv", "There is no such week"),
        ("week/2027-W06.pdf", "There is no such week"),
        ("week/.pdf", "There is no such week"),
        ("week/2026-W06.exe", "There is no such page"),
        ("week/2026-W06", "There is no such page"),
        ("facts.jsonl?month=2026-13", "There is no such month"),
        ("facts.jsonl?month=2026-03", "There is no such month"),
        ("facts.jsonl?month=../x", "There is no such month"),
        ("months.csv?month=2026-13", "There is no such month"),
        ("months.csv?month=2026-03", "There is no such month"),
        ("months.csv?month=9999-12", "There is no such month"),
        ("months.csv?months=0", "There are not so many months"),
        ("months.csv?months=37", "There are not so many months"),
        ("months.csv?months=-1", "There are not so many months"),
        ("months.csv?months=\N{ARABIC-INDIC DIGIT THREE}", "There are not so many months"),
    ],
)
async def test_what_is_none_is_a_page_that_says_so(client: httpx2.AsyncClient, address: str, title: str) -> None:
    answer = await client.get(f"/overview/{address}{'&' if '?' in address else '?'}lang=en")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<h1>{title}</h1>" in answer.text


async def test_the_files_say_what_was_filed(client: httpx2.AsyncClient) -> None:
    pdf = Pdf((await client.get("/overview/week/2026-W06.pdf?lang=en")).content)
    table = (await client.get("/overview/week/2026-W06.csv")).content.decode("utf-8-sig")
    facts = (await client.get("/overview/facts.jsonl?month=2026-02")).text.splitlines()
    months = (await client.get("/overview/months.csv?lang=en")).content

    assert len(pdf.pages) == 2
    assert "Reports of Security: 1." in pdf.texts()[0].replace("\n", "")
    own = [row for row in csv.DictReader(io.StringIO(table, newline="")) if row["whose"] == "own"]
    assert [row["number"] for row in own if row["dimension"] == "scene"] == ["1"]
    assert months.startswith(b"\xef\xbb\xbfmonth,scene,")
    found = list(csv.DictReader(io.StringIO(months.decode("utf-8-sig"), newline="")))
    assert {(row["month"], row["scene"], row["kind"], row["number"]) for row in found} == {
        ("2026-02", "central-square", "order_incident", "1")
    }
    assert [(row["dimension"], row["value"], row["value_label"]) for row in found] == [
        ("total", "", ""),
        ("severity", "2", ""),
        ("sub_kind", "threat", "threat"),
    ]
    assert [json.loads(line) for line in facts] == [
        {
            "kind": "order_incident",
            "scene": "central-square",
            "day": "2026-02-04",
            "facts": {"severity": 2, "sub_kind": "threat"},
        }
    ]


async def test_months_are_exact_by_the_day_and_a_kind_told_by_the_week_stands_at_its_monday(
    town: Town, client: httpx2.AsyncClient
) -> None:
    officer = town.founders["police"]
    await town.founders["security"].registrar.add_scenes([("sum", "=SUM(A1)", "=SUMMA(A1)")])
    await officer.sync()
    # A Saturday and the Sunday after it: two months, and one week, whose Monday is the 26th of January.
    for day in (datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 2, 1, 12, tzinfo=UTC)):
        officer.file(forms.OrderIncident(scene="sum", observed_at=day, sub_kind="threat", severity=2))
        officer.file(forms.MuminEpisode(observed_at=day, step="stopped"))
    await officer.sync()

    async with signed_in(town, officer) as browser:
        text = (await browser.get("/overview/months.csv?months=2&lang=en")).content.decode("utf-8-sig")
        book = (await browser.get("/overview/codebook.csv")).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    totals = {(row["month"], row["kind"], row["scene"], row["number"]) for row in rows if row["dimension"] == "total"}
    assert totals == {
        ("2026-01", "order_incident", "sum", "1"),
        ("2026-02", "order_incident", "sum", "1"),
        ("2026-01", "mumin_episode", "no_scene", "2"),
    }
    assert {row["scene_label"] for row in rows} == {"'=SUM(A1)", ""}
    known = {(row["part"], row["name"]) for row in csv.DictReader(io.StringIO(book, newline=""))}
    assert {("column", name) for name in rows[0]} <= known
    assert {(part, row[part]) for row in rows for part in ("kind", "dimension")} <= known
    assert {("value", row["scene"]) for row in rows} <= known
    # Every agency has its own, and no other's.
    assert ",sum," not in (await client.get("/overview/months.csv?lang=en")).text


async def test_who_takes_the_facts_along_stands_in_the_agencys_ledger(
    town: Town, boss: Device, client: httpx2.AsyncClient
) -> None:
    async def told() -> list[tuple[str, str, int]]:
        for month in ("2026-01", "2026-01", "2026-02"):
            assert (await client.get(f"/overview/facts.jsonl?month={month}")).status_code == 200
        assert town.server is not None
        done = town.server.run("ledger", "review", "security", "--json")
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)["rows"]
        return [(one["day"], one["person"], one["count"]) for one in rows if one["action"] == "export"]

    person = boss.person_id.hex()
    # Once an hour for each month, however often.
    assert await told() == [("2026-02-04", person, 2)]
    town.clock.advance(minutes=29)
    assert (await client.get("/overview")).status_code == 200
    town.clock.advance(minutes=29)
    assert await told() == [("2026-02-04", person, 2)]
    town.clock.advance(minutes=2)
    assert await told() == [("2026-02-04", person, 4)]


async def test_the_first_sheet_links_to_each_of_them(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/overview?week=2026-W06&lang=en")).text

    for address in FILES:
        assert f"/overview/{address.partition('?')[0]}" in page


async def test_on_a_monday_the_pages_open_with_the_week_that_has_ended(town: Town, boss: Device) -> None:
    # The Sunday's last minute in Stockholm, the Monday's first and last, and the Tuesday's first.
    for time, shown, other in (
        (datetime(2026, 2, 8, 22, 59, tzinfo=UTC), "6", "The last whole week: week 5"),
        (datetime(2026, 2, 8, 23, 0, tzinfo=UTC), "6", "The running week: week 7"),
        (datetime(2026, 2, 9, 22, 59, tzinfo=UTC), "6", "The running week: week 7"),
        (datetime(2026, 2, 9, 23, 0, tzinfo=UTC), "7", "The last whole week: week 6"),
    ):
        town.clock.set(time)
        async with signed_in(town, boss) as later:
            page = (await later.get("/overview/data")).text
        heading, _, rest = page.partition("<h1>")[2].partition("</h1>")
        assert f"week {shown}, " in heading
        says = re.sub(r"<[^>]+>|\s+", " ", rest.partition('<p class="when">')[2].partition("</p>")[0])
        assert ("is not over" in says) == other.startswith("The last whole week")
        assert other in says
        # What a page links to names its week, so that it is the same tomorrow.
        assert f'href="/overview/scenes?week=2026-W0{shown}"' in page
