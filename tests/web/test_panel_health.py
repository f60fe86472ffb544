"""Health: what is silent, what is late and what is missing, without a word of whose it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from playwright.async_api import expect

from sluss_schemas.policy.pack import builtin
from sluss_server.services.health import Arrival
from sluss_server.web.panels import health

from tests.web.browser import Office
from tests.web.counted import K01, K09, scene, weekly

DAY_S: Final = 86_400
NOON: Final = 1_770_202_800
"""12:00 in Stockholm on 4 February 2026."""
ZONE: Final = "Europe/Stockholm"


def test_a_device_is_silent_after_a_week_and_from_the_start() -> None:
    found = health.devices({b"a" * 16: 0, b"b" * 16: 7, b"c" * 16: 8, b"d" * 16: None, b"e" * 16: 30})

    assert found.all == 5
    assert found.silent == (("64646464", None), ("65656565", 30), ("63636363", 8))


@pytest.mark.parametrize(
    ("late", "band"), [(0, 0), (11, 0), (13, 1), (35, 1), (37, 2), (83, 2), (85, 3), (179, 3), (181, 4), (9000, 4)]
)
def test_a_delay_is_counted_in_days_of_the_place(late: int, band: int) -> None:
    found = health.delays([Arrival(NOON, NOON + late * 3600)], ZONE)

    assert [number for number, count in enumerate(found) if count] == [band]


def test_a_device_whose_clock_runs_ahead_is_not_late() -> None:
    assert health.delays([Arrival(NOON + 2 * DAY_S, NOON)], ZONE)[0] == 1


@pytest.mark.parametrize(
    ("before", "last", "quiet"),
    [(3, (0, 0, 0, 0), True), (2, (0, 0, 0, 0), False), (3, (0, 0, 1, 0), False), (9, (0, 0, 0, 1), False)],
)
def test_four_weeks_without_what_there_usually_is_are_a_flag(
    before: int,
    last: tuple[int, ...],
    quiet: bool,  # noqa: FBT001
) -> None:
    numbers = weekly({(K01, 1): (before,) * 26 + last, (K01, 2): (1,) * 30, (K09, 1): (0,) * 30})
    found = health.quiet(numbers, builtin()[-1], {1: scene(1), 2: scene(2)})

    assert [(one.scene.number, one.kind.number, one.median) for one in found] == ([(1, K01, before)] if quiet else [])
    # Of three weeks nobody knows what is usual.
    young = replace(numbers, first=numbers.weeks[-health.QUIET_WEEKS - 3])
    assert health.quiet(young, builtin()[-1], {1: scene(1)}) == ()


@pytest.mark.asyncio(loop_scope="session")
async def test_the_sheet_says_how_soon_reports_came_and_who_is_silent(office: Office) -> None:
    async with office.seat(java_script_enabled=False) as seat:
        page = await seat.visit("/overview/data", "en")
        await expect(page.locator("#health")).to_contain_text("0 of 3 devices in use")
        rows = page.locator("#health table").first.locator("tbody td")
        await expect(rows).to_have_text(["3", "0", "0", "1", "0"])
        assert office.boss.person_id.hex() not in await page.content()
        await page.close()
        seat.quiet()
