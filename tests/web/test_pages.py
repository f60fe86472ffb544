"""Every page of the overview, in a real browser, in a town of which little is known yet.

What is true of every panel with something in it stands in `test_every_panel.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final

import aiosqlite
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from sluss_server.web.panels import SHEETS

from tests.web.browser import THEMES, Office, Seat

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATHS: Final = [f"/overview{sheet.path}" for sheet in SHEETS]
"""Every sheet of the overview; a new one stands here by itself."""
ASKED: Final = "?week=2026-W05&scene=central-square"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seat(office: Office) -> AsyncIterator[Seat]:
    async with office.seat() as taken:
        yield taken


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def without_script(office: Office) -> AsyncIterator[Seat]:
    async with office.seat(java_script_enabled=False) as taken:
        yield taken


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_is_for_everybody_and_asks_nobody_else(seat: Seat, path: str) -> None:
    page = await seat.visit(path)

    await expect(page.locator("h1")).to_have_count(1)
    assert await page.locator("table").count() == await page.locator("table > caption").count()
    assert await page.locator("section.panel").count() > 0
    await seat.check(page)
    await page.close()


async def test_it_says_what_the_own_agency_filed_in_the_week_and_at_the_scene(seat: Seat) -> None:
    for query, total in (("", "3"), ("?scene=station-park", "1"), ("?week=2026-W05", "1"), (ASKED, "1")):
        page = await seat.visit(f"/overview{query}", lang="en")
        await expect(page.locator("#pulse tfoot td")).to_have_text(total)
        await page.close()


async def test_everything_can_be_used_without_script(without_script: Seat) -> None:
    page = await without_script.visit("/overview", lang="en")

    await page.select_option("#week", "2026-W05")
    await page.select_option("#scene", "central-square")
    await page.click("text=Show")
    await expect(page.locator("h1")).to_contain_text("week 5, from 26 Jan 2026, Central square")
    await page.click("text=Svenska")
    await expect(page.locator("h1")).to_contain_text("vecka 5, från 26 jan. 2026, Centrala torget")
    await page.click("text=Veckan efter")
    await expect(page.locator("#pulse tfoot td")).to_have_text("2")
    await page.click("text=Mörkt")
    await page.wait_for_load_state()
    assert await page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    await page.goto(f"{without_script.url}/overview")
    assert await page.get_attribute("html", "data-theme") == "dark"
    assert await page.get_attribute("html", "lang") == "sv"
    without_script.quiet()
    await page.close()


async def test_script_only_makes_it_quicker(seat: Seat) -> None:
    page = await seat.visit("/overview", lang="en")
    await page.evaluate("window.same = true")

    await page.select_option("#week", "2026-W05")
    await page.click("text=Show")
    await expect(page.locator("#pulse tfoot td")).to_have_text("1")

    assert await page.evaluate("window.same"), "the page was loaded anew"
    assert "week=2026-W05" in page.url
    assert "week 5" in await page.title()
    # Of what was shown nothing stays in the browser; htmx notes the address in the tab.
    assert await page.evaluate("Object.keys(localStorage)") == []
    assert await page.evaluate("Object.keys(sessionStorage)") == ["htmx-current-path-for-history"]
    await seat.check(page)
    await page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_without_a_wish_the_colours_are_the_browsers(office: Office, theme: str) -> None:
    async with office.seat(color_scheme=theme) as seat:
        page = await seat.context.new_page()
        await page.goto(f"{seat.url}/overview")

        assert await page.evaluate("getComputedStyle(document.body).colorScheme") == theme
        await seat.check(page)


@pytest.mark.parametrize(("locale", "lang"), [("en-US", "en"), ("sv-SE", "sv"), ("fi-FI", "sv")])
async def test_without_a_wish_the_language_is_the_browsers(office: Office, locale: str, lang: str) -> None:
    async with office.seat(locale=locale) as seat:
        page = await seat.context.new_page()
        await page.goto(f"{seat.url}/overview")

        assert await page.get_attribute("html", "lang") == lang


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(seat: Seat) -> None:
    page = await seat.visit("/overview", lang="en")
    reached = list[str]()
    for _ in range(80):
        await page.keyboard.press("Tab")
        name, outline = await page.evaluate(
            "() => { const at = document.activeElement; return [at.id || at.textContent.trim(), "
            "at === document.body ? '' : getComputedStyle(at).outlineStyle] }"
        )
        if not outline:
            break
        assert outline == "solid", name
        reached.append(name)

    first = ["Skip to the content", *(sheet.title for sheet in SHEETS), "Svenska", "English"]
    assert reached[: len(first)] == first
    asked = ["As the browser", "Light", "Dark", "Sign out", "week", "scene", "Show", "The week before"]
    assert reached[len(first) :][: len(asked)] == asked
    # A panel may be wider than a narrow window, and is then scrolled by keyboard.
    assert {panel.name for panel in SHEETS[0].panels} <= set(reached)
    await page.focus("a.skip")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "content"
    await page.close()


async def test_it_fits_a_narrow_window_and_a_large_letter(office: Office) -> None:
    # 320 CSS pixels are 1280 at 400 %, which is what WCAG 1.4.10 asks for.
    async with office.seat(viewport={"width": 320, "height": 640}) as seat:
        page = await seat.visit("/overview")

        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        # A chart is drawn for it, with letters as large as in a wide one.
        await page.evaluate("document.images[0].decode()")
        assert str(await page.evaluate("document.images[0].currentSrc")).endswith("&size=narrow")
        await seat.check(page)


async def test_paper_shows_the_numbers_and_nothing_to_press(seat: Seat) -> None:
    page = await seat.visit("/overview", theme="dark")
    await page.emulate_media(media="print")

    assert not await page.locator(".wishes, .asked, .sheets").filter(visible=True).count()
    assert await page.locator("#pulse table").is_visible()
    assert await page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    await page.close()


UNKNOWN: Final = [
    ("/overview/nowhere", 404, "Den sidan finns inte", "There is no such page"),
    ("/overview/nowhere/at/all", 404, "Den sidan finns inte", "There is no such page"),
    ("/overview/static/nothing.css", 404, "Den sidan finns inte", "There is no such page"),
    ("/overview?week=2026-W99", 404, "Den veckan finns inte", "There is no such week"),
    ("/overview?week=2026-W6", 404, "Den veckan finns inte", "There is no such week"),
    ("/overview?week=2026-W07", 404, "Den veckan finns inte", "There is no such week"),
    ("/overview?week=0000-W01", 404, "Den veckan finns inte", "There is no such week"),
    ("/overview?scene=nowhere", 404, "Den platsen finns inte", "There is no such scene"),
    ("/overview/scenes?kind=nothing", 404, "Det slaget finns inte", "There is no such kind"),
    ("/overview/enter", 405, "Det här kan inte visas", "This cannot be shown"),
]


@pytest.mark.parametrize(("path", "status", "swedish", "english"), UNKNOWN)
async def test_what_does_not_exist_is_a_clear_page(
    seat: Seat, path: str, status: int, swedish: str, english: str
) -> None:
    for lang, title in (("sv", swedish), ("en", english)):
        page = await seat.visit(path, lang)

        assert await page.evaluate("performance.getEntriesByType('navigation')[0].responseStatus") == status
        await expect(page.locator("h1")).to_have_text(title)
        assert await page.get_attribute("html", "lang") == lang
        seat.quiet(status=status)
        await page.close()


@pytest.mark.parametrize("theme", THEMES)
async def test_a_page_that_says_so_is_for_everybody_as_well(seat: Seat, theme: str) -> None:
    page = await seat.visit("/overview/nowhere", theme=theme)

    await seat.check(page, status=404)
    await page.close()


async def test_a_language_that_there_is_none_of_is_said_in_one_that_there_is(seat: Seat) -> None:
    await (await seat.visit(lang="en")).close()
    for query, title in (("lang=xx", "There is no such language"), ("theme=pink", "There are no such colours")):
        page = await seat.context.new_page()
        await page.goto(f"{seat.url}/overview?{query}")
        await expect(page.locator("h1")).to_have_text(title)
        seat.quiet(status=404)
        await page.close()


async def without_counts(office: Office, seat: Seat, path: str, lang: str = "en") -> tuple[int, Page]:
    """Visit a page while the server's table of counts is gone."""
    assert office.town.server is not None
    (file,) = office.town.server.data.glob("*.sqlite")
    async with aiosqlite.connect(file) as database:
        await database.execute("ALTER TABLE rollups RENAME TO elsewhere")
        await database.commit()
        try:
            page = await seat.visit(path, lang)
        finally:
            await database.execute("ALTER TABLE elsewhere RENAME TO rollups")
            await database.commit()
    status = await page.evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
    text = await page.content()
    for inside in ("rollups", "sqlite", "Traceback", ".py", "SELECT"):
        assert inside not in text
    return status, page


# All panels of the sheet are at fault; a file lacks nothing silently.
@pytest.mark.parametrize("path", ["/overview/data", "/overview/week/2026-W06.pdf", "/overview/week/2026-W06.csv"])
async def test_a_fault_of_the_server_is_a_clear_page_without_a_word_from_inside(
    office: Office, seat: Seat, path: str
) -> None:
    status, page = await without_counts(office, seat, path)

    assert status == 500
    await expect(page.locator("h1")).to_have_text("Something went wrong here")
    await seat.check(page, status=500)
    await page.close()


@pytest.mark.parametrize(
    ("lang", "says"), [("sv", "Den här delen kunde inte göras"), ("en", "This panel could not be made")]
)
async def test_a_panel_at_fault_says_so_and_takes_none_of_the_others_with_it(
    office: Office, seat: Seat, lang: str, says: str
) -> None:
    status, page = await without_counts(office, seat, "/overview", lang)

    assert status == 200
    assert [await page.locator(f"#{name} [role=alert]").count() for name in ("pulse", "duties", "trend")] == [1, 0, 1]
    await expect(page.locator("#pulse h2")).to_be_visible()
    await expect(page.locator("#pulse [role=alert]")).to_contain_text(says)
    # The running week is no whole one: what was the last stands beside it, in both languages.
    await expect(page.locator("#takeaway a[href*='.pdf']")).to_have_count(2)
    assert await page.get_attribute("#takeaway a[href*='.pdf'] >> nth=1", "href") == (
        f"/overview/week/2026-W05.pdf?lang={lang}"
    )
    number = str(await page.locator("#pulse [role=alert]").text_content()).rsplit(" ", 1)[1].strip(".\n ")
    assert office.town.server is not None
    log = [json.loads(line) for line in office.town.server.log.read_text().splitlines()]
    failed = [one for one in log if one["event"] == "panel_failed" and one["request_id"] == number]
    assert [one["panel"] for one in failed] == ["pulse", "trend"]
    await seat.check(page, broken=2)
    await page.close()


async def test_a_used_link_and_a_copied_address_open_nothing_in_another_browser(office: Office) -> None:
    link = await office.boss.launch()
    referers = set[str | None]()
    async with office.stranger(locale="sv-SE") as mine, office.stranger(locale="sv-SE") as theirs:
        mine.context.on("request", lambda request: referers.add(request.headers.get("referer")))
        page = await mine.context.new_page()
        await page.goto(link)
        await mine.check(page)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{mine.url}/overview")
        address = (await mine.visit("/overview?week=2026-W05")).url
        assert referers == {None}

        page = await theirs.context.new_page()
        await page.goto(address)
        await expect(page.locator("h1")).to_have_text("Du är inte inloggad")
        await theirs.check(page, status=401)
        await page.goto(link)
        await page.click("button.main")
        await expect(page.locator("h1")).to_have_text("Länken gäller inte längre")
        await theirs.check(page, status=403)
        await page.goto(f"{theirs.url}/overview")
        await expect(page.locator("h1")).to_have_text("Du är inte inloggad")


async def test_signing_in_and_out_needs_no_script(office: Office) -> None:
    async with office.seat(java_script_enabled=False, locale="en-GB") as seat:
        page = await seat.visit(lang="en")
        await page.click("text=Sign out")
        await expect(page.locator("h1")).to_have_text("You have signed out")
        await page.goto(f"{seat.url}/overview")
        await expect(page.locator("h1")).to_have_text("You are not signed in")
