"""Every panel with something in it: accessible, by keyboard and without script, in both languages and colours.

One town of social services and police, whose supervisor at the browser has eight weeks behind her: a scene that fell
while the one beside it rose, a kind that fell silent, a telephone nobody hears of, a duty, an objective, figures of the
others. The police's supervisor sees how soon reports come, which those of social services do not tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from sluss_client import forms
from sluss_client.cases.wording import Aim, SceneWords
from sluss_client.device import Device
from sluss_client.testing import Clock, Town
from sluss_server.web.panels import SHEETS

from tests.web.browser import LANGUAGES, THEMES, Office, Seat
from tests.web.counted import square

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOUNDED: Final = datetime(2026, 1, 26, 12, tzinfo=UTC)
FRIDAY: Final = datetime(2026, 2, 6, 12, tzinfo=UTC)
MONDAY: Final = datetime(2026, 2, 9, 0, tzinfo=UTC)
WEEK: Final = "2026-W06"
SQUARE: Final = "central-square"
PARK: Final = "station-park"
CHILD: Final = forms.Person(name="Lo", role="child", age_min=13, age_max=14)
TESTS: Final = ("met_by_staff", "may_be_under_18", "imminent_risk_or_caught", "needed_for_intervention")
PLACES: Final = {SQUARE: square(18.06, 59.33), PARK: square(18.07, 59.33)}
PATHS: Final = [f"/overview{sheet.path}" for sheet in SHEETS]
CONTENT: Final = {
    "pulse": ("table tbody tr", "tr.unusual", "img.chart"),
    "duties": ("table tbody tr",),
    "trend": ("table tbody tr", "img.chart"),
    "takeaway": ("a[href*='2026-W06.pdf']",),
    "zones": ("svg.zones path.class-2", "td:has-text('≥')", "tbody td:nth-child(7):has-text('2026')"),
    "displacement": ("ul li", "td:has-text('40')"),
    "interventions": ("table", "img.chart"),
    "mumin": ("table", "img.chart"),
    "outreach": ("table", "img.chart", "p.stock"),
    "defects": ("table", "img.chart"),
    "meetings": ("table", "img.chart"),
    "objectives": ("table tbody tr", ".standing"),
    "health": ("table code", "table tbody tr"),
}
"""What each panel has when it has something to say."""


@dataclass(frozen=True, slots=True)
class Welfare(Office):
    """The supervisor of social services at a browser, and the one of the police."""

    chief: Device


def told(weeks_ago: int) -> datetime:
    """Return a moment in an earlier week."""
    return FRIDAY - timedelta(weeks=weeks_ago, hours=2)


def fill(worker: Device, officer: Device) -> None:
    """Write down eight weeks of both agencies."""
    with worker.batch():
        for week in range(5):
            for scene, number in ((SQUARE, 1 if week == 0 else 4), (PARK, 5 if week == 0 else 1)):
                for _ in range(number):
                    worker.file(forms.OutreachContact(scene=scene, observed_at=told(week)))
        for week in range(4, 8):
            for _ in range(3):
                worker.file(forms.OverdoseEvent(scene=SQUARE, observed_at=told(week)))
        now = told(0)
        for category in ("social_prevention", "informal_control"):
            worker.file(forms.ActivityLog(scene=PARK, observed_at=now, category=category))
        worker.file(forms.OverdoseEvent(scene=PARK, observed_at=now, naloxone_doses=3, outcome="survived"))
        for step in ("stopped", "stopped", "clinic_visit"):
            worker.file(forms.MuminEpisode(observed_at=now, step=step))
        worker.file(forms.PlaceDefect(scene=PARK, observed_at=now - timedelta(days=3), defects=["lighting_out"]))
        worker.file(forms.MeetingRecord(scene=PARK, observed_at=now, meeting="daily_standup", present=["police"]))
    with officer.batch():
        for week in range(2):
            for scene, number in ((SQUARE, 12), (PARK, 7)):
                for _ in range(number):
                    officer.file(
                        forms.OrderIncident(scene=scene, observed_at=told(week), sub_kind="threat", severity=1)
                    )


def state(boss: Device) -> None:
    """State what the scenes are, who is there, what is aimed at and what there is."""
    for scene, strategy in ((SQUARE, "reduce"), (PARK, "")):
        boss.describe_scene(scene, SceneWords(strategy=strategy, under_reported=scene == PARK))
        for week in range(5):
            boss.state_staffing(scene, told(week).date(), 40)
    boss.set_objective(
        Aim(
            title="Half of them to the clinic",
            measure="mumin_ratio",
            direction="at_least",
            target=50,
            since=date(2026, 1, 1),
            until=date(2026, 6, 30),
        )
    )
    boss.count_stock(12, counted=date(2026, 1, 30), expires=date(2026, 12, 31))


async def help_at_once(worker: Device, officer: Device) -> None:
    """Disclose by the ground whose decision a supervisor has to look at within a day, which is a duty."""
    seen = worker.file(
        forms.OutreachContact(scene=PARK, observed_at=told(0), situation="A girl gets into a car.", subject=[CHILD]),
        confirm_text=True,
    )
    await worker.disclose(
        seen.id,
        "L04",
        to=[officer.alias],
        compartments=["subject"],
        tests=dict.fromkeys(TESTS, True),
        reasons={"imminent_risk_or_caught": "She was afraid."},
    )


async def published(boss: Device) -> None:
    """Wait until the week is published."""
    for _ in range(100):
        if (await boss.counts(WEEK, WEEK)).others:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the week was not published")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(browser: Browser) -> AsyncIterator[Welfare]:
    clock = Clock(FOUNDED)
    async with Town(clock, agencies=("social_services", "police")) as town:
        registrar = town.founders["social_services"]
        for slug, zone in PLACES.items():
            await registrar.registrar.set_zone(slug, zone)
        await registrar.sync()
        await town.device("social_services")
        # Of that telephone nobody hears from now on.
        clock.set(FRIDAY)
        worker, officer = await town.device("social_services"), await town.device("police")
        boss = await town.device("social_services", "supervisors")
        chief = await town.device("police", "supervisors")
        fill(worker, officer)
        state(boss)
        await officer.sync()
        await worker.sync()
        await help_at_once(worker, officer)
        for device in (worker, boss, officer):
            await device.sync()
        clock.set(MONDAY)
        await published(boss)
        yield Welfare(town, boss, browser, chief)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seat(office: Welfare) -> AsyncIterator[Seat]:
    async with office.seat() as taken:
        yield taken


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def without_script(office: Welfare) -> AsyncIterator[Seat]:
    async with office.seat(java_script_enabled=False) as taken:
        yield taken


async def whole(page: Page) -> None:
    """Open what can be opened, and wait for every picture; fails for one that cannot be drawn."""
    await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    await page.evaluate("Promise.all([...document.images].map(one => { one.loading = 'eager'; return one.decode() }))")


async def filled(page: Page, path: str) -> None:
    """Fail unless every panel of a sheet has something in it."""
    (sheet,) = [one for one in SHEETS if f"/overview{one.path}" == path]
    for panel in sheet.panels:
        for wanted in CONTENT[panel.name]:
            assert await page.locator(f"#{panel.name} {wanted}").count(), (panel.name, wanted)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("theme", THEMES)
async def test_every_panel_with_something_in_it_is_for_everybody(seat: Seat, path: str, lang: str, theme: str) -> None:
    page = await seat.visit(path, lang, theme)

    assert await page.get_attribute("html", "lang") == lang
    assert await page.locator("table").count() == await page.locator("table > caption").count()
    await drawn(page)
    await whole(page)
    await filled(page, path)
    await seat.check(page)
    await page.close()


async def test_how_soon_reports_come_is_for_everybody(office: Welfare) -> None:
    async with office.seat(office.chief) as chief:
        for lang, theme in zip(LANGUAGES, THEMES, strict=True):
            page = await chief.visit("/overview/data", lang, theme)
            await expect(page.locator("#health table tbody tr").first.locator("td")).to_have_text("19")
            await chief.check(page)
            await page.close()


async def test_the_whole_table_of_each_scene_stands_beneath_its_pictures(seat: Seat) -> None:
    page = await seat.visit("/overview/scenes", "en")

    own, others = page.locator("#each-scene table").first, page.locator("#each-scene table").last
    await expect(own.locator("thead th")).to_have_text(["Week", "Central square", "Suburban square", "Station park"])
    await expect(own.locator("tbody tr")).to_have_count(8)
    await expect(own).to_be_hidden()
    await page.click("#each-scene summary")
    await expect(own.locator("tbody tr").nth(1).locator("td")).to_have_text(["4", "0", "1"])
    await expect(others.locator("tbody tr").first.locator("td").first).to_have_text("≥ 10")
    # What the scene is and what is wanted of it, beside its numbers on the map.
    stated = page.locator("#zones tbody tr").first.locator("td")
    await expect(stated.nth(4)).to_have_text("confirmed, 6 Feb 2026")
    await expect(stated.nth(5)).to_have_text("reduce, 6 Feb 2026")
    await expect(page.locator("#zones tbody tr").nth(1).locator("td").nth(5)).to_have_text("not stated")
    await page.close()


FOCUSED: Final = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    const number = [...document.querySelectorAll('*')].indexOf(at);
    return at === document.body ? null : [number, style.outlineStyle, at.outerHTML];
}"""
CAN_BE: Final = """() => [...document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]')]
    .filter(one => one.type !== 'hidden' && one.checkVisibility())
    .map(one => [...document.querySelectorAll('*')].indexOf(one))"""


# What can be used differs by language in its words alone, and the map brings its own.
@pytest.mark.parametrize(("path", "lang"), [*((path, "sv") for path in PATHS), ("/overview/scenes", "en")])
async def test_the_keyboard_reaches_whatever_can_be_used_in_its_order(seat: Seat, path: str, lang: str) -> None:
    page = await seat.visit(path, lang)
    await drawn(page)
    wanted, reached = await page.evaluate(CAN_BE), list[int]()

    for _ in range(len(wanted) + 5):
        await page.keyboard.press("Tab")
        found = await page.evaluate(FOCUSED)
        if found is None:
            break
        number, outline, html = found
        assert outline == "solid", html
        reached.append(number)

    assert reached == wanted
    await page.close()


async def drawn(page: Page) -> None:
    """Wait for the map of a sheet that has one; a machine that cannot draw maps shows the picture alone."""
    if await page.locator("#map").count():
        await page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_the_keyboard_alone_opens_tables_chooses_kinds_and_moves_the_map(seat: Seat, lang: str) -> None:
    page = await seat.visit("/overview/scenes", lang)
    await drawn(page)
    await page.focus("#each-scene summary")
    await page.keyboard.press("Enter")
    await expect(page.locator("#each-scene table").first).to_be_visible()
    if await page.locator("#map").is_visible():
        before = await page.evaluate("document.querySelector('#map .zone-name').getBoundingClientRect().x")
        await page.focus("#map button")
        await page.keyboard.press("Enter")
        await page.wait_for_function(
            "x => document.querySelector('#map .zone-name').getBoundingClientRect().x !== x", arg=before
        )

    await page.focus("#zones-kind")
    for _ in range(await page.evaluate("document.querySelector('[value=overdose_event]').index")):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**kind=overdose_event**")
    await expect(page.locator("#zones tbody tr").last.locator("td").first).to_have_text("1")
    seat.quiet()
    await page.close()


@pytest.mark.parametrize("path", PATHS)
async def test_every_sheet_can_be_used_without_script(without_script: Seat, path: str) -> None:
    page = await without_script.visit(path, "en")

    await filled(page, path)
    assert await page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth)")
    for summary in await page.locator("details:not([open]) > summary").all():
        await summary.click()
    assert await page.locator("details:not([open])").count() == 0
    for picker in await page.locator(".panel form.pick").all():
        await expect(picker.locator("button")).to_be_visible()
    if await page.locator("#zones-kind").count():
        await page.select_option("#zones-kind", "overdose_event")
        await page.click("#zones .pick button")
        await expect(page.locator("#zones tbody tr").last.locator("td").first).to_have_text("1")
    await page.select_option("#week", "2026-W05")
    await page.select_option("#scene", SQUARE)
    await page.click("text=Show >> nth=0")
    await expect(page.locator("h1")).to_contain_text("week 5, from 26 Jan 2026, Central square")
    await page.click("text=Svenska")
    await expect(page.locator("h1")).to_contain_text("vecka 5, från 26 jan. 2026, Centrala torget")
    assert await page.locator(".broken").count() == 0
    without_script.quiet()
    await page.close()
