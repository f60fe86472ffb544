"""A browser keeps the files that pages load until they change; a page allows nothing else, and is there at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from time import monotonic

import httpx2
import pytest
import pytest_asyncio

from sluss_client.testing import Town
from sluss_server.web import guard, static

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town() -> AsyncIterator[Town]:
    async with Town(agencies=("police",)) as built:
        yield built


async def test_a_file_is_kept_by_its_hash_and_asked_about_without(town: Town) -> None:
    async with httpx2.AsyncClient(base_url=town.url) as client:
        for name in static.names():
            answer = await client.get(static.address(name))
            etag = f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
            assert (answer.status_code, answer.headers["etag"]) == (200, etag)
            assert answer.headers["cache-control"] == static.KEPT
            # A worker goes by the policy of its own file.
            assert answer.headers["content-security-policy"] == guard.POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"

            bare = static.address(name).partition("?")[0]
            same = await client.get(bare, headers={"if-none-match": etag})
            assert (same.status_code, same.content, same.headers["cache-control"]) == (304, b"", static.ASKED)
            assert (await client.get(bare, headers={"if-none-match": '"other"'})).status_code == 200


@pytest.mark.parametrize(
    "name", ["nothing.css", "vendor/README.md", "../routes.py", "..%2Froutes.py", "%2Fetc%2Fpasswd", "vendor", ""]
)
async def test_no_other_file_is_given(town: Town, name: str) -> None:
    async with httpx2.AsyncClient(base_url=town.url) as client:
        answer = await client.get(f"/overview/static/{name}")

    assert answer.status_code == 404


async def test_a_page_allows_nothing_inline_and_nothing_from_elsewhere(town: Town) -> None:
    boss = await town.device("police", "supervisors")
    link = await boss.launch()
    async with httpx2.AsyncClient(base_url=town.url) as client:
        headers = {"sec-fetch-site": "same-origin"}
        await client.post("/overview/enter", data={"token": link.rsplit("/", 1)[1]}, headers=headers)
        for path in ("/overview", link, "/overview/nowhere"):
            answer = await client.get(path)
            assert answer.headers["content-security-policy"] == guard.POLICY
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert not re.search(r"<style|<script(?! src)|\sstyle=|\son\w+=|hx-on|https?://", answer.text)
    for unsafe in ("unsafe", "http", "*", "blob"):
        assert unsafe not in guard.POLICY


async def test_the_first_page_of_a_server_that_just_started_takes_less_than_a_second(town: Town) -> None:
    assert town.server is not None
    boss = await town.device("police", "supervisors")
    link = await boss.launch()
    town.server.stop()
    town.server.start()
    async with httpx2.AsyncClient(base_url=town.url) as client:
        headers = {"sec-fetch-site": "same-origin"}
        await client.post("/overview/enter", data={"token": link.rsplit("/", 1)[1]}, headers=headers)
        started = monotonic()
        answer = await client.get("/overview")
        took = monotonic() - started

    assert answer.status_code == 200
    assert took < 1
