"""Only a supervisor's own device opens the overview, in one browser, for as long as it may; nothing is written down."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx2
import pytest
import pytest_asyncio

from sluss_client.device import Device
from sluss_client.errors import Refused
from sluss_client.testing import Town
from sluss_schemas.launching import Launch, LaunchAsk
from sluss_server.web import guard

pytestmark = pytest.mark.asyncio(loop_scope="session")

OURS: Final = {"sec-fetch-site": "same-origin"}
COOKIE: Final = re.compile(r"sluss_session=([\w-]{64}); Path=/overview; HttpOnly; SameSite=Strict")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town() -> AsyncIterator[Town]:
    async with Town(agencies=("police",)) as built:
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def boss(town: Town) -> Device:
    return await town.device("police", "supervisors")


@asynccontextmanager
async def window(town: Town) -> AsyncIterator[httpx2.AsyncClient]:
    """Open what keeps cookies as a browser does, and knows of no other."""
    async with httpx2.AsyncClient(base_url=town.url, headers={"accept-language": "en"}) as client:
        yield client


async def press(client: httpx2.AsyncClient, link: str, headers: dict[str, str] = OURS) -> httpx2.Response:
    """Press the button on a link's page."""
    return await client.post("/overview/enter", data={"token": link.rsplit("/", 1)[1]}, headers=headers)


def heading(answer: httpx2.Response) -> str:
    found = re.search("<h1>([^<]*)", answer.text)
    assert found is not None
    return found[1].strip()


async def test_a_link_signs_one_browser_in_once(town: Town, boss: Device) -> None:
    link = await boss.launch()
    async with window(town) as mine, window(town) as theirs:
        # A program that looks links up in advance uses nothing up.
        for _ in range(2):
            shown = await mine.get(link)
            assert shown.status_code == 200
            assert link.rsplit("/", 1)[1] in shown.text
            assert "set-cookie" not in shown.headers
        entered = await press(mine, link)
        assert entered.status_code == 303
        assert entered.headers["location"] == "/overview"
        assert COOKIE.fullmatch(entered.headers["set-cookie"])
        assert (await mine.get("/overview")).status_code == 200

        used = await press(theirs, link)
        assert (used.status_code, heading(used)) == (403, "This link is no longer good")
        assert "set-cookie" not in used.headers
        assert (await mine.get("/overview")).status_code == 200


@pytest.mark.parametrize("path", ["/overview", "/overview?week=2026-W05", "/overview?scene=central-square"])
@pytest.mark.parametrize(("lang", "title"), [("sv", "Du är inte inloggad"), ("en", "You are not signed in")])
async def test_an_address_that_somebody_sent_shows_a_stranger_nothing(
    town: Town, path: str, lang: str, title: str
) -> None:
    async with window(town) as client:
        answer = await client.get(path, headers={"accept-language": lang})

    assert (answer.status_code, heading(answer)) == (401, title)
    assert "Polisen" not in answer.text


async def test_a_link_is_good_for_a_minute(town: Town, boss: Device) -> None:
    links = [await boss.launch() for _ in range(2)]
    async with window(town) as client:
        town.clock.advance(seconds=50)
        assert (await press(client, links[0])).status_code == 303
        town.clock.advance(seconds=11)
        late = await press(client, links[1])

    assert (late.status_code, heading(late)) == (403, "This link is no longer good")


@pytest.mark.parametrize("token", ["", "x", "A" * 64, "é" * 64, "A" * 63 + "=", "A" * 900])
async def test_what_is_no_token_opens_nothing(town: Town, token: str) -> None:
    async with window(town) as client:
        answer = await client.post("/overview/enter", data={"token": token}, headers=OURS)
        # As a cookie it is none either.
        told = {"cookie": f"sluss_session={token}".encode("ascii", "replace").decode()}
        page = await client.get("/overview", headers=told)

    assert answer.status_code == 403
    assert page.status_code == 401


async def test_only_a_supervisors_device_gets_a_link(town: Town) -> None:
    officer = await town.device("police", "field")

    with pytest.raises(Refused) as refused:
        await officer.launch()
    assert refused.value.code == "supervisor_only"
    # The server says so as well, to a device that does not ask itself.
    with pytest.raises(Refused) as refused:
        await officer._transport.post("/v1/launch", LaunchAsk(), Launch)
    assert refused.value.code == "not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "null"},
        {"origin": "https://elsewhere.example"},
        {"sec-fetch-site": "cross-site", "origin": "SELF"},
    ],
)
async def test_what_our_own_page_did_not_send_changes_nothing(
    town: Town, boss: Device, headers: dict[str, str]
) -> None:
    sent = {name: value.replace("SELF", town.url) for name, value in headers.items()}
    link = await boss.launch()
    async with window(town) as client:
        for path in ("/overview/enter", "/overview/leave"):
            answer = await client.post(path, data={"token": link.rsplit("/", 1)[1]}, headers=sent)
            assert (answer.status_code, heading(answer)) == (403, "This was not sent from our own page")
        # The link is as good as before; a browser without Sec-Fetch-Site says Origin.
        assert (await press(client, link, {"origin": town.url})).status_code == 303
        await client.post("/overview/leave", headers=sent)
        assert (await client.get("/overview")).status_code == 200


async def test_nothing_that_changes_something_answers_to_get(town: Town, boss: Device) -> None:
    link = await boss.launch()
    async with window(town) as client:
        await press(client, link)
        for path in ("/overview/leave", f"/overview/enter?token={link.rsplit('/', 1)[1]}"):
            assert (await client.get(path)).status_code == 405
        assert (await client.get("/overview")).status_code == 200


async def test_signing_out_ends_the_session_and_not_only_the_cookie(town: Town, boss: Device) -> None:
    async with window(town) as client:
        kept = COOKIE.fullmatch((await press(client, await boss.launch())).headers["set-cookie"])
        assert kept is not None
        left = await client.post("/overview/leave", headers=OURS)
        assert (left.status_code, heading(left)) == (200, "You have signed out")
        assert "Max-Age=0" in left.headers["set-cookie"]
        assert heading(await client.get("/overview")) == "You are not signed in"
        again = await client.get("/overview", headers={"cookie": f"sluss_session={kept[1]}"})

    assert (again.status_code, heading(again)) == (401, "Your session has ended")
    assert "Max-Age=0" in again.headers["set-cookie"]


async def revoked(town: Town, device: Device) -> None:
    await town.founders["police"].registrar.revoke(device.alias, "lost")


async def suspended(town: Town, device: Device) -> None:
    await town.founders["police"].registrar.suspend(device.alias)


async def no_supervisor_any_more(town: Town, device: Device) -> None:
    await town.founders["police"].registrar.change(device.alias, functions=("field",))


async def not_in_service_any_more(town: Town, device: Device) -> None:
    soon = int(town.clock.now().timestamp()) + 60
    await town.founders["police"].registrar.change(device.alias, valid_until=soon)
    town.clock.advance(seconds=61)


@pytest.mark.parametrize("ends", [revoked, suspended, no_supervisor_any_more, not_in_service_any_more])
async def test_the_session_ends_with_the_right_and_does_not_come_back(
    town: Town, ends: Callable[[Town, Device], Awaitable[None]]
) -> None:
    device = await town.device("police", "supervisors")
    async with window(town) as client:
        await press(client, await device.launch())
        waiting = await device.launch()
        assert (await client.get("/overview")).status_code == 200

        await ends(town, device)
        await town.founders["police"].sync()

        over = await client.get("/overview")
        assert (over.status_code, heading(over)) == (401, "Your session has ended")
        # A link that was asked for before opens nothing either.
        await press(client, waiting)
        assert (await client.get("/overview")).status_code == 401


async def test_a_suspended_persons_session_stays_over_when_they_come_back(town: Town) -> None:
    device = await town.device("police", "supervisors")
    async with window(town) as client:
        cookie = (await press(client, await device.launch())).headers["set-cookie"].partition(";")[0]
        await suspended(town, device)
        assert (await client.get("/overview", headers={"cookie": cookie})).status_code == 401
        await town.founders["police"].registrar.resume(device.alias)
        assert (await client.get("/overview", headers={"cookie": cookie})).status_code == 401
        await press(client, await device.launch())
        assert (await client.get("/overview")).status_code == 200


async def test_a_session_ends_after_half_an_hour_without_use_and_after_ten_hours_with(town: Town) -> None:
    boss = await town.device("police", "supervisors")
    async with window(town) as client:
        await press(client, await boss.launch())
        for _ in range(20):
            town.clock.advance(minutes=29)
            assert (await client.get("/overview")).status_code == 200
        town.clock.advance(minutes=21)
        assert heading(await client.get("/overview")) == "Your session has ended"

        await press(client, await boss.launch())
        town.clock.advance(minutes=31)
        assert heading(await client.get("/overview")) == "Your session has ended"


async def test_neither_token_nor_cookie_is_written_down_anywhere(town: Town) -> None:
    assert town.server is not None
    boss = await town.device("police", "supervisors")
    link = await boss.launch()
    async with window(town) as client:
        await client.get(link)
        entered = await press(client, link)
        await press(client, link)
        await client.get("/overview")
    cookie = COOKIE.fullmatch(entered.headers["set-cookie"])
    assert cookie is not None
    secrets = [secret.encode() for secret in (link.rsplit("/", 1)[1], cookie[1])]

    log = town.server.log.read_text(encoding="utf-8")
    assert '"route":"/overview/enter/{token}"' in log
    for path in (town.server.log, *town.server.data.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            # Not even the part that does not name the partnership.
            assert not any(secret[24:] in data for secret in secrets), path.name


async def test_behind_https_the_cookies_say_so() -> None:
    scope = {"type": "http", "scheme": "http", "headers": [(b"host", b"127.0.0.1:8000")]}

    assert guard.is_secure(scope, "https://sluss.example")  # type: ignore[arg-type]  # as much of a scope as is asked for
    assert not guard.is_secure(scope, "")  # type: ignore[arg-type]  # as above
    for made in (guard.sign_in("x", secure=True), guard.sign_out(secure=True), guard.remember("a", "b", secure=True)):
        assert made.endswith("; Path=/overview; HttpOnly; SameSite=Strict; Secure")
