"""The files' addresses: for whoever is signed in, named as files are, and pages that say what is wrong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import httpx2
import pytest
import pytest_asyncio

from sluss_client import forms
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
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town() -> AsyncIterator[Town]:
    async with Town(Clock(WEDNESDAY), agencies=("security", "police")) as built:
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(town: Town) -> AsyncIterator[httpx2.AsyncClient]:
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
    boss = await town.device("security", "supervisors")
    async with httpx2.AsyncClient(base_url=town.url, headers={"accept-language": "en"}) as found:
        token = (await boss.launch()).rsplit("/", 1)[1]
        answer = await found.post("/overview/enter", data={"token": token}, headers=OURS)
        assert answer.status_code == 303
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

    assert len(pdf.pages) == 2
    assert "filed 1 reports" in pdf.texts()[0].replace("\n", "")
    own = [row for row in csv.DictReader(io.StringIO(table, newline="")) if row["whose"] == "own"]
    assert [row["number"] for row in own if row["dimension"] == "scene"] == ["1"]
    assert [json.loads(line) for line in facts] == [
        {
            "kind": "order_incident",
            "scene": "central-square",
            "day": "2026-02-04",
            "facts": {"severity": 2, "sub_kind": "threat"},
        }
    ]


async def test_the_first_sheet_links_to_each_of_them(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/overview?week=2026-W06&lang=en")).text

    for address in FILES:
        assert f"/overview/{address.partition('?')[0]}" in page
