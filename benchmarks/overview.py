"""P10: the supervisors' overview over a million reports.

Three servers: `few` has 10,000 reports in the last 60 weeks; `old` has the same, and 990,000 in the years before, so
that a question that grows with what is stored is a hundred times as long there; `even` has 1,000,000 evenly in five
years, thousands a week, which fills nearly every cell of the tables. What is filled in says `counted.py`; then the
servers publish the weeks themselves, as they do every day.
Measured: every page of the overview and the counts that a supervisor's device asks for, each for another week than the
time before; the week's files and a chart, which have no target; and the first page of a server that has just begun to
listen.
Not measured: sealing, pushing and storing the reports' sections (P1), TLS, a network, what a browser does with a page.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from sluss_client import Device, clock
from sluss_client.testing import Town
from sluss_schemas.codec import encode
from sluss_schemas.counts import CountsAsk
from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates.cells import day_of, week_name, week_of
from sluss_server.web.guard import ROOT, SESSION
from sluss_server.web.panels import SHEETS

from benchmarks import counted, raw_http, yardsticks
from benchmarks.counted import Filling
from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground
from benchmarks.servers import CLOCK, Server

_AGENCIES: Final = ("security", "police", "municipality", "social_services")
_LOOKS: Final = "municipality"
"""Whose supervisor looks: it files what a page follows report by report, defects and meetings."""
_LATEST: Final = 60
"""Weeks that the server publishes, and in which the few reports lie."""
_WEEKS: Final = 52 * 5
_LOOKED_AT: Final = 26
"""Weeks that are asked for in turn; with the half year before each, they are among the latest."""
_QUARTER: Final = 13
"""Weeks of one question to the counts."""
_P95_AIM_MS: Final = 150
_SAME: Final = 1.2
_COLD_AIM_MS: Final = 1_000
_CUBE: Final = "/v1/cube"
_FILES: Final = {
    "the week as PDF": "/week/{week}.pdf",
    "the week as CSV": "/week/{week}.csv",
    "the chart of a half year as SVG": "/chart/trend.svg?week={week}",
}
"""What is asked for by a click and not with each page."""
_FILES_SHARE: Final = 4
"""A file is asked for once where a page is asked for so often."""
_PATIENCE_S: Final = 900
_BODY: Final = 2_048


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Who asks: a supervisor's device, and the session of a browser that it signed in."""

    device: Device
    cookie: str

    def page(self, url: str, address: str) -> bytes:
        """Return the request for a page of the overview, or for one of its files."""
        lines = (
            f"GET {ROOT}{address} HTTP/1.1",
            f"host: {urlsplit(url).netloc}",
            "accept: */*",
            "accept-language: sv",
            f"cookie: {SESSION}={self.cookie}",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode()

    def counts(self, url: str, first: str, last: str) -> bytes:
        """Return the signed request for the counts of some weeks, of every kind."""
        return raw_http.signed(self.device.local.keys, url, _CUBE, encode(CountsAsk(first, last)))


async def p10(ground: Ground) -> list[Figure]:
    """Measure the overview over few and many reports."""
    sizes, bare = ground.sizes, await ground.bare()
    few, many = sizes.counted
    async with _held(ground) as (seat, servers):
        asked = {name: list(_requests(seat, server.url, _this_week())) for name, server in servers.items()}
        files = list(_files(seat, servers["even"].url, _this_week()))
        latencies: dict[tuple[str, str], list[list[float]]] = {}
        empty, cold, cold_few = list[float](), list[float](), list[float]()
        for number in range(sizes.rounds):
            ground.say(f"P10 round {number + 1} of {sizes.rounds}")
            one = await ground.call("load", _nothing, bare, sizes.looks)
            empty.append(yardsticks.ms(one, 0.5))
            for at in range(len(asked["few"])):
                for name, server in servers.items():
                    what, requests = asked[name][at]
                    taken = [requests[look % len(requests)] for look in range(sizes.looks)]
                    done = await ground.call("load", raw_http.run, server.url, taken, 1)
                    latencies.setdefault((name, what), []).append(done.latencies)
            for what, requests in files:
                taken = [requests[look % len(requests)] for look in range(-(-sizes.looks // _FILES_SHARE))]
                done = await ground.call("load", raw_http.run, servers["even"].url, taken, 1)
                latencies.setdefault(("even", what), []).append(done.latencies)
        for _ in range(sizes.rounds):
            cold_few.append(await _first_page(ground, seat, servers["few"]))
            cold.append(await _first_page(ground, seat, servers["even"]))
    no_op = Limit(name="bare Litestar POST of 2 KB, p50", unit="ms", rounds=tuple(empty))
    figures = list[Figure]()
    for what, _ in asked["few"]:
        p50s = {name: tuple(yardsticks.ms(one, 0.5) for one in latencies[name, what]) for name in servers}
        p95s = tuple(yardsticks.ms(one, 0.95) for one in latencies["even", what])
        work = f"{what}, {many:,} reports evenly in five years, p95 (p50 {median(p50s['even']):.1f} ms)"
        slow = Figure(workload="P10", work=work, unit="ms", rounds=p95s, limit=no_op)
        figures.append(slow.aimed(f"< {_P95_AIM_MS} ms", met=slow.median < _P95_AIM_MS))
        before = Limit(name=f"the same without the {many - few:,}, p50", unit="ms", rounds=p50s["few"])
        work = f"{what}, {few:,} reports in the weeks that are read and {many - few:,} before, p50"
        flat = Figure(workload="P10", work=work, unit="ms", rounds=p50s["old"], limit=before)
        figures.append(flat.aimed(f"ratio ≤ {_SAME}", met=flat.ratio <= _SAME))
    for what, _ in files:
        p50s_of = tuple(yardsticks.ms(one, 0.5) for one in latencies["even", what])
        work = f"{what}, {many:,} reports evenly in five years, p50"
        figures.append(Figure(workload="P10", work=work, unit="ms", rounds=p50s_of, limit=no_op))
    first = Figure(
        workload="P10",
        work=f"the first page of a server that began to listen, {many:,} reports",
        unit="ms",
        rounds=tuple(cold),
        limit=Limit(name=f"the same with {few:,}", unit="ms", rounds=tuple(cold_few)),
    )
    return [*figures, first.aimed(f"< {_COLD_AIM_MS:,} ms", met=max(cold) < _COLD_AIM_MS)]


def _requests(seat: Seat, url: str, this_week: int) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what is asked for, by name: one request for each week."""
    weeks = [week_name(this_week - before) for before in range(_LOOKED_AT)]
    for sheet in SHEETS:
        yield f"page {ROOT}{sheet.path}", [seat.page(url, f"{sheet.path}?week={week}") for week in weeks]
    quarters = [
        (week_name(this_week - before - _QUARTER + 1), week_name(this_week - before)) for before in range(_LOOKED_AT)
    ]
    yield f"counts of {_QUARTER} weeks, every kind", [seat.counts(url, *quarter) for quarter in quarters]


def _files(seat: Seat, url: str, this_week: int) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what takes a processor for a while, by name: one request for each week."""
    weeks = [week_name(this_week - before) for before in range(_LOOKED_AT)]
    for what, address in _FILES.items():
        yield what, [seat.page(url, address.format(week=week)) for week in weeks]


def _this_week() -> int:
    return week_of(day_of(clock.now(), builtin()[-1].zone))


def _nothing(url: str, count: int) -> list[float]:
    return raw_http.run(url, [raw_http.unsigned(url, "/v1/push", bytes(_BODY))] * count, 1).latencies


async def _first_page(ground: Ground, seat: Seat, server: Server) -> float:
    """Return the milliseconds of the first page after a server said that it listens, connecting included."""
    await ground.fresh(server)
    request = seat.page(server.url, f"?week={week_name(_this_week())}")
    return 1000 * await ground.call("load", _cold, server.url, request)


def _cold(url: str, request: bytes) -> float:
    started = time.perf_counter()
    raw_http.run(url, [request], 1)
    return time.perf_counter() - started


# what is asked


@asynccontextmanager
async def _held(ground: Ground) -> AsyncIterator[tuple[Seat, dict[str, Server]]]:
    """Give a supervisor's seat, and the servers by name, with their weeks published."""
    ground.say(f"P10: a town of {len(_AGENCIES)} agencies")
    before = os.environ.get(CLOCK)
    async with Town(agencies=_AGENCIES) as town:
        if town.server is None:
            message = "the town has no server of its own"
            raise RuntimeError(message)
        boss = await town.device(_LOOKS, "supervisors")
        seat = Seat(device=boss, cookie=_signed_in(await boss.launch()))
        own_clock = os.environ.pop(CLOCK)
        town.server.stop()
        servers = dict[str, Server]()
        few, many = ground.sizes.counted
        try:
            await _filled(ground, boss, (town.server.data, town.folder / "few"), few, (0, _LATEST))
            await asyncio.gather(
                _filled(ground, boss, (town.folder / "few", town.folder / "old"), many - few, (_LATEST, _WEEKS)),
                _filled(ground, boss, (town.server.data, town.folder / "even"), many, (0, _WEEKS)),
            )
            for name in ("few", "old", "even"):
                servers[name] = Server(town.folder / name, _free_port())
                await asyncio.to_thread(servers[name].start)
            for name, server in servers.items():
                figures = await _published(server.data, _this_week())
                ground.say(f"P10: {figures:,} figures published by `{name}`")
            yield seat, servers
        finally:
            for server in servers.values():
                await asyncio.to_thread(server.stop)
            os.environ[CLOCK] = own_clock
    if before is not None:
        os.environ[CLOCK] = before


def _signed_in(link: str) -> str:
    """Follow a launch link as a browser does when its button is pressed, and return the session's cookie."""
    parts = urlsplit(link)
    connection = HTTPConnection(parts.netloc)
    headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    connection.request("POST", f"{ROOT}/enter", f"token={parts.path.rsplit('/', 1)[1]}", headers)
    answer = connection.getresponse()
    found = answer.getheader("set-cookie", "").partition(";")[0].removeprefix(f"{SESSION}=")
    connection.close()
    if not found:
        message = f"the link was not taken: {answer.status}"
        raise ConnectionError(message)
    return found


async def _published(data: Path, this_week: int) -> int:
    """Wait until the server has published up to the last week, and return how many figures.

    Raises:
        TimeoutError: it did not.

    """
    until = time.monotonic() + _PATIENCE_S
    with closing(sqlite3.connect(_database(data))) as connection:
        while time.monotonic() < until:
            # The oldest first, so the last week says that all are there.
            (newest,) = connection.execute("SELECT max(week) FROM published_weeks").fetchone()
            if newest == this_week - 1:
                (figures,) = connection.execute("SELECT count(*) FROM published_cells").fetchone()
                return int(figures)
            await asyncio.sleep(1)
    message = "the server does not publish"
    raise TimeoutError(message)


def _database(data: Path) -> Path:
    (file,) = data.glob("*.sqlite")
    return file


async def _filled(ground: Ground, boss: Device, places: tuple[Path, Path], count: int, weeks: tuple[int, int]) -> None:
    """Fill so many reports of some weeks into a copy of a server's data, in a process of its own."""
    source, data = places
    await asyncio.to_thread(shutil.copytree, source, data)
    config, now = boss.local.config, clock.now()
    filling = Filling(
        database=_database(data),
        partnership=bytes(config.partnership),
        owners=tuple((bytes(one.agency), one.sector) for one in boss.local.trust.agencies(now)),
        seat=bytes(config.agency),
        device=bytes(boss.local.keys.kid),
        scenes=tuple(boss.local.trust.registry(now)),
        now=now,
        count=count,
        weeks=weeks,
    )
    versions, records, rows = await ground.call(f"filler {data.name}", counted.fill, filling)
    ground.say(f"P10: `{data.name}` has {rows:,} reports more, {versions:,} stored versions, {records:,} case records")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
