"""A real browser before the overview: signs in as a supervisor, visits pages, and complains.

`Seat.visit(path, lang, theme)` opens a page, `Seat.check(page)` holds it against what is true of every page: axe-core
finds nothing, nothing was said on the console, nothing was asked of another host.

> INVARIANT: no request of these tests leaves this machine; one that tries is stopped and fails the test.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Route, async_playwright

from sluss_client.device import Device
from sluss_client.testing import Town

AXE: Final = Path(__file__).parent / "vendor" / "axe.min.js"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
LANGUAGES: Final = ("sv", "en")
THEMES: Final = ("light", "dark")
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the machine's Chromium; a machine without one skips the tests, and says what to install."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: `make browser` installs it, or says how")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(QUIET))
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Seat:
    """One browser's session; `complaints` is what went wrong in it since the last check."""

    context: BrowserContext
    url: str
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def take(cls, browser: Browser, url: str, **options: Any) -> Seat:  # noqa: ANN401  # Playwright's own options
        """Open a browser's window that is signed in nowhere; options are Playwright's for a context."""
        seat = cls(await browser.new_context(**options), url)
        await seat.context.route("**/*", seat._only_here)
        if options.get("java_script_enabled", True):
            # As the browser's own, because the pages' policy lets no script in that is not theirs.
            await seat.context.add_init_script(path=AXE)
        seat.context.on("page", seat._watch)
        return seat

    async def sign_in(self, device: Device) -> Page:
        """Go the whole way: the device's link, its page, its button."""
        page = await self.context.new_page()
        await page.goto(await device.launch())
        await page.click("button.main")
        await page.wait_for_url(f"{self.url}/overview")
        return page

    async def visit(self, path: str = "/overview", lang: str = "sv", theme: str = "light") -> Page:
        """Open a page of the overview in a language and in colours."""
        page = await self.context.new_page()
        await page.goto(f"{self.url}{path}{'&' if '?' in path else '?'}lang={lang}&theme={theme}")
        return page

    async def check(self, page: Page, *, status: int = 200, broken: int = 0) -> None:
        """Fail unless a page is accessible, silent, and content with this server; one of 400 upwards may say so.

        No panel of it is at fault, but for so many that are said to be `broken`.
        """
        assert await page.locator(".broken").count() == broken
        found = await page.evaluate(
            "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})"
            ".then(done => done.violations.map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' | ')}`))",
            _RULES,
        )
        assert found == [], "\n".join((page.url, *found))
        self.quiet(status=status)

    def quiet(self, *, status: int = 200) -> None:
        """Fail if something went wrong since the last check; the status of the page itself is no complaint."""
        found = [one for one in self.complaints if not re.search(rf"status of {status}\b", one)]
        self.complaints.clear()
        assert found == []

    async def leave(self) -> None:
        """Close the window."""
        await self.context.close()

    async def _only_here(self, route: Route) -> None:
        asked = urlsplit(route.request.url)
        if asked.scheme in {"data", "blob"} or asked.netloc == urlsplit(self.url).netloc:
            await route.continue_()
        else:
            self.complaints.append(f"asked another host: {asked.netloc}")
            await route.abort()

    def _watch(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        # A machine without a graphics card says how slow its drawing of maps is.
        if message.type in {"error", "warning"} and "GL Driver Message" not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")


@dataclass(frozen=True, slots=True)
class Office:
    """A town with a supervisor at a browser."""

    town: Town
    boss: Device
    browser: Browser

    @asynccontextmanager
    async def seat(self, device: Device | None = None, **options: Any) -> AsyncIterator[Seat]:  # noqa: ANN401  # as above
        """Sit down, signed in as the supervisor or as the person of another device."""
        seat = await Seat.take(self.browser, self.town.url, **options)
        try:
            await (await seat.sign_in(device or self.boss)).close()
            yield seat
        finally:
            await seat.leave()

    @asynccontextmanager
    async def stranger(self, **options: Any) -> AsyncIterator[Seat]:  # noqa: ANN401  # as above
        """Sit down without being signed in."""
        seat = await Seat.take(self.browser, self.town.url, **options)
        try:
            yield seat
        finally:
            await seat.leave()
