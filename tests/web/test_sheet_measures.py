"""Measures, objectives and duties in a browser, in a town whose social services did some of everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from sluss_client import forms
from sluss_client.cases.wording import Aim
from sluss_client.device import Device
from sluss_client.testing import Clock, Town

from tests.web.browser import Office, Seat

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEDNESDAY: Final = datetime(2026, 2, 4, 12, tzinfo=UTC)
MONDAY: Final = datetime(2026, 2, 9, 0, tzinfo=UTC)
WEEK: Final = "2026-W06"
SQUARE: Final = "central-square"
PARK: Final = "station-park"
CHILD: Final = forms.Person(name="Lo", role="child", age_min=13, age_max=14)
SHEETS: Final = ("/overview", "/overview/measures", "/overview/objectives")
CHARTS: Final = ("interventions", "mumin", "outreach", "defects", "meetings")


@dataclass(frozen=True, slots=True)
class Welfare:
    """Social services' supervisor at a browser, and the police's."""

    office: Office
    seat: Seat
    police: Device


async def fill(town: Town, worker: Device, officer: Device) -> None:
    """Write down a Wednesday of both agencies."""
    now = town.clock.now()
    for category in ("social_prevention", "social_prevention", "informal_control"):
        worker.file(forms.ActivityLog(scene=SQUARE, observed_at=now, category=category))
    for scene in (SQUARE, SQUARE, PARK):
        worker.file(forms.OutreachContact(scene=scene, observed_at=now, situation="A talk."))
    worker.file(forms.OverdoseEvent(scene=SQUARE, observed_at=now, naloxone_doses=3, outcome="survived"))
    for step in ("stopped", "stopped", "stopped", "clinic_visit"):
        worker.file(forms.MuminEpisode(observed_at=now, step=step))
    fixed = worker.file(forms.PlaceDefect(scene=SQUARE, observed_at=now - timedelta(days=3), defects=["lighting_out"]))
    worker.file(forms.PlaceDefect(scene=PARK, observed_at=now - timedelta(days=10)))
    worker.file(
        forms.MeetingRecord(
            scene=SQUARE,
            observed_at=now,
            meeting="daily_standup",
            present=["social_services", "police"],
            absent=["health"],
        )
    )
    worker.file(
        forms.MeetingRecord(scene=SQUARE, observed_at=now, meeting="steering_group", present=["social_services"])
    )
    for status in ("reported",) * 7 + ("accepted",) * 8:
        officer.file(forms.PlaceDefect(scene=SQUARE, observed_at=now, status=status))
    officer.file(forms.ReportOfConcern(scene=SQUARE, observed_at=now, subject=[CHILD]))
    await worker.sync()
    await officer.sync()
    town.clock.advance(days=2)
    await worker.amend(fixed.id, status="fixed")
    await worker.sync()
    # A task is made once its report has arrived.
    await officer.sync()


async def published(boss: Device) -> None:
    """Wait until the week is published."""
    for _ in range(100):
        if (await boss.counts(WEEK, WEEK)).others:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the week was not published")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def welfare(browser: Browser) -> AsyncIterator[Welfare]:
    clock = Clock(WEDNESDAY)
    async with Town(clock, agencies=("social_services", "police")) as town:
        worker, officer = await town.device("social_services"), await town.device("police")
        boss = await town.device("social_services", "supervisors")
        chief = await town.device("police", "supervisors")
        await fill(town, worker, officer)
        for title, measure, target in (
            ("Half of them to the clinic", "mumin_ratio", 50),
            ("More social work", "count:activity_log:category=social_prevention", 2),
            ("Lamps within a week", "days_to_fix", 7),
        ):
            boss.set_objective(
                Aim(
                    title=title,
                    measure=measure,
                    direction="at_most" if measure == "days_to_fix" else "at_least",
                    target=target,
                    since=date(2026, 1, 1),
                    until=date(2026, 6, 30),
                )
            )
        boss.count_stock(12, counted=date(2026, 1, 1), expires=date(2026, 12, 31))
        await boss.sync()
        clock.set(MONDAY)
        await published(boss)
        office = Office(town, boss, browser)
        async with office.seat() as seat:
            yield Welfare(office, seat, chief)


@pytest.mark.parametrize("path", SHEETS)
async def test_every_sheet_with_numbers_is_for_everybody(welfare: Welfare, path: str) -> None:
    page = await welfare.seat.visit(f"{path}?week={WEEK}")

    # Fails for a picture that cannot be drawn; those further down are fetched when they are looked at.
    await page.evaluate("Promise.all([...document.images].map(one => { one.loading = 'eager'; return one.decode() }))")
    await welfare.seat.check(page)
    await page.close()


async def test_measures_are_the_own_exactly_and_the_others_as_published(welfare: Welfare) -> None:
    page = await welfare.seat.visit(f"/overview/measures?week={WEEK}", lang="en")

    await expect(page.locator("#interventions table").first.locator("tbody tr").first.locator("td")).to_have_text(
        ["0", "1", "0", "2", "0", "3"]
    )
    await expect(page.locator("#outreach table").first.locator("tbody tr").first.locator("td")).to_have_text(
        ["3", "1", "3"]
    )
    # Twelve were counted, and three have been given since.
    await expect(page.locator("#outreach p.stock")).to_contain_text("Naloxone in stock: 9 doses.")
    await expect(page.locator("#mumin tbody tr").first.locator("td")).to_have_text(["3", "hidden"])
    await expect(page.locator("#mumin p").first).to_contain_text("The objective is 50%")
    times, states = page.locator("#defects table").first, page.locator("#defects table").last
    await expect(times.locator("tbody tr").nth(1).locator("td")).to_have_text(["1", "1"])
    # Seven that are reported would tell that there are none of the other states.
    await expect(states.locator("tbody tr").first.locator("td")).to_have_text(["1", "hidden"])
    await expect(states.locator("tbody tr").nth(1).locator("td")).to_have_text(["0", "≥ 10"])
    await expect(page.locator("#meetings li").first).to_contain_text("On the street: 1 meeting.")
    await expect(page.locator("#meetings table").first.locator("tbody tr")).to_have_count(3)
    assert await page.locator("img.chart").count() == len(CHARTS)
    assert all([await one.get_attribute("alt") for one in await page.locator("img.chart").all()])
    await page.close()


async def test_at_one_scene_only_totals_of_others_are_told(welfare: Welfare) -> None:
    page = await welfare.seat.visit(f"/overview/measures?week={WEEK}&scene={PARK}", lang="en")

    await expect(page.locator("#outreach table").first.locator("tbody tr").first.locator("td")).to_have_text(
        ["1", "0", "0"]
    )
    await expect(page.locator("#defects p").first).to_contain_text("waiting 1, fixed in the year before 0")
    await expect(page.locator("#defects p.small", has_text="choose all scenes")).to_have_count(1)
    await page.close()


async def test_objectives_say_whose_they_are_and_how_they_stand(welfare: Welfare) -> None:
    page = await welfare.seat.visit("/overview/objectives", lang="en")

    rows = {
        await row.locator("th").inner_text(): await row.locator("td").all_inner_texts()
        for row in await page.locator("#objectives tbody tr").all()
    }
    # The police's steps of MUMIN are few and hidden; of what is counted, two are enough whatever is hidden.
    assert {title: (row[3], row[6]) for title, row in rows.items()} == {
        "Half of them to the clinic": ("–", "cannot be told"),
        "More social work": ("2", "met"),
        "Lamps within a week": ("2 days", "on track"),
    }
    await page.close()


async def test_duties_are_the_own_agencys_by_their_ground(welfare: Welfare) -> None:
    async with welfare.office.seat(welfare.police) as seat:
        page = await seat.visit("/overview", lang="en")
        # Nobody answered a day and a night.
        await expect(page.locator("#duties tbody tr")).to_have_count(1)
        await expect(page.locator("#duties tbody th")).to_contain_text("L11")
        await expect(page.locator("#duties tbody td")).to_have_text(["1", "0", "0", "0"])
        await seat.check(page)
    page = await welfare.seat.visit("/overview", lang="en")
    await expect(page.locator("#duties tbody tr")).to_have_count(0)
    await page.close()


async def test_without_script_it_says_the_same(welfare: Welfare) -> None:
    async with welfare.office.seat(java_script_enabled=False) as seat:
        page = await seat.visit(f"/overview/measures?week={WEEK}", lang="en")
        await expect(page.locator("#mumin tbody tr").first.locator("td").first).to_have_text("3")
        seat.quiet()


async def test_it_fits_a_narrow_window(welfare: Welfare) -> None:
    async with welfare.office.seat(viewport={"width": 320, "height": 640}) as seat:
        for path in SHEETS:
            page = await seat.visit(f"{path}?week={WEEK}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320
            await seat.check(page)
