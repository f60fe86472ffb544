"""The README's pictures: the demo's town, looked at as its supervisor does.

    make pictures

They are of the week that has ended, as the Monday meeting has it.
Refuses to draw anything by hand: what is in the pictures is what the pages show.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from examples import one_night_at_the_square as demo
from sluss_client.testing import Town
from sluss_server.aggregates.cells import day_of, week_name, week_of

from tests.web.browser import Seat, chromium

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
PICTURES: Final = (
    ("this-week", "/overview", "en", "light"),
    ("scenes", "/overview/scenes", "sv", "dark"),
)
_PUBLISHED_AFTER_S: Final = 10
_ZONE: Final = "Europe/Stockholm"
_SIZE: Final = {"width": 1180, "height": 1000}


async def main() -> None:
    """Tell the demo's weeks, and take the pictures."""
    FOLDER.mkdir(exist_ok=True)
    async with Town() as town, chromium() as browser:
        await demo.weeks(town)
        await asyncio.sleep(_PUBLISHED_AFTER_S)
        week = week_name(week_of(day_of(int(town.clock.now().timestamp()), _ZONE)) - 1)
        seat = await Seat.take(browser, town.url, viewport=_SIZE)
        await (await seat.sign_in(town.founders["security"])).close()
        for name, path, lang, theme in PICTURES:
            page = await seat.visit(f"{path}?week={week}", lang, theme)
            await page.wait_for_load_state("networkidle")
            await page.screenshot(path=FOLDER / f"{name}.png")
        await seat.leave()


if __name__ == "__main__":
    asyncio.run(main())
