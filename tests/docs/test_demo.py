"""The demo: it ends by telling the address of the overview, and whoever follows it finds the night there.

The page is looked at as a browser without script does it: a form, a cookie, links; and in the machine's Chromium.
"""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from tests.web.browser import Seat, chromium
from tests.web.reading import Pdf

LINK: Final = re.compile(r"(http://\S+/overview/enter/\S+)")
FORM: Final = "application/x-www-form-urlencoded"


class Page(HTMLParser):
    """What can be pressed on a page: its links, and its forms with their hidden fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and given.get("type") == "hidden":
            self.forms[-1][1][given["name"]] = given["value"]


class Browser:
    """A browser with a cookie and nothing else."""

    def __init__(self) -> None:
        self.at = ""
        self._cookies: dict[str, str] = {}

    def visit(self, address: str, form: dict[str, str] | None = None) -> tuple[HTTPResponse, bytes]:
        """Open a link, or send a form; an answer that points elsewhere is followed."""
        self.at = urljoin(self.at, address)
        parts = urlsplit(self.at)
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if form is not None:
            headers |= {"content-type": FORM, "sec-fetch-site": "same-origin"}
        connection = HTTPConnection(parts.netloc, timeout=30)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(
                "GET" if form is None else "POST", path, None if form is None else urlencode(form), headers
            )
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        for line in answer.msg.get_all("set-cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        if answer.status == 303:
            return self.visit(answer.headers["location"])
        return answer, body


@pytest.fixture(scope="module")
def link(repository: Path) -> Iterator[Callable[[], str]]:
    """Gives a link that the demo prints, the next one for a line at its terminal, while its server goes on."""
    command = [sys.executable, "-u", "examples/one_night_at_the_square.py"]
    environment = os.environ | {"COLUMNS": "200"}
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        command, cwd=repository, env=environment, stdin=terminal, stdout=subprocess.PIPE, text=True
    ) as story:
        told, given = list[str](), list[str]()

        def printed() -> str:
            assert story.stdout is not None
            for line in story.stdout:
                told.append(line)
                if found := LINK.search(line):
                    return found[1]
            pytest.fail("".join(told))

        def give() -> str:
            if given:
                os.write(keyboard, b"\n")
            given.append(printed())
            return given[-1]

        try:
            yield give
        finally:
            story.send_signal(signal.SIGINT)
            story.communicate()
            os.close(keyboard)
            os.close(terminal)
    assert story.returncode == 0


def test_the_link_of_the_demo_opens_an_overview_with_something_in_it(link: Callable[[], str]) -> None:
    browser, address = Browser(), link()
    answer, body = browser.visit(address)
    assert answer.status == 200
    ((action, fields),) = Page(body.decode()).forms

    answer, body = browser.visit(action, fields)

    assert answer.status == 200
    assert urlsplit(browser.at).path == "/overview"
    page = Page(body.decode())
    assert "/overview/leave" in [action for action, _ in page.forms]
    # Of this week there is the night at least: what the guard filed is a count above nought.
    assert re.search(r"<td[^>]*>\s*[1-9]\d*\s*</td>", body.decode())
    # Pressing the button was the first click, the PDF is the second.
    pdf = next(one for one in page.links if re.fullmatch(r"/overview/week/\d{4}-W\d{2}\.pdf", urlsplit(one).path))
    answer, body = browser.visit(pdf)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    assert body.startswith(b"%PDF-")
    # The link is used up.
    answer, _ = Browser().visit(urljoin(address, action), fields)
    assert answer.status in {401, 403, 404, 410}


def test_from_the_link_to_the_meetings_paper_it_is_three_clicks(link: Callable[[], str], tmp_path: Path) -> None:
    path = tmp_path / "week.pdf"
    week = asyncio.run(three_clicks(link(), path))
    assert week in Pdf(path.read_bytes()).texts()[0].replace("\xa0", " ")


async def three_clicks(address: str, path: Path) -> str:
    """Take the paper of the last whole week, on whatever day it is, and return what the page calls that week."""
    async with chromium() as browser:
        seat = await Seat.take(browser, "{0.scheme}://{0.netloc}".format(urlsplit(address)), locale="en-GB")
        page = await seat.context.new_page()
        # The first click is on the link itself.
        await page.goto(address)
        await page.click("button.main")
        await page.wait_for_url(f"{seat.url}/overview")
        papers = page.locator("#takeaway a[href*='.pdf']")
        # On a Monday the page is of the last whole week and has its paper alone.
        whole = papers.last
        week = str(await whole.text_content()).split(": ")[1]
        async with page.expect_download() as loading:
            await whole.click()
        await (await loading.value).save_as(path)
        shown = str(await page.locator("h1 .of").text_content())
        assert await papers.count() == (1 if shown == week else 2)
        await seat.check(page)
    return week
