"""P10: the supervisors' overview over a million reports.

Counted: reports of all agencies that own a kind, each through what a push calls when it stores facts (`Changes`, the
rollups, the facts), in transactions of 2,000; then the server itself publishes the weeks, as it does every day.
Three servers: `few` has 10,000 reports in the last 60 weeks; `old` has the same, and 990,000 in the years before, so
that a question that grows with what is stored is a hundred times as long there; `even` has 1,000,000 evenly in five
years, thousands a week, which fills nearly every cell of the tables.
Measured: every page of the overview and the counts that a supervisor's device asks for, each for another week than the
time before; and the first page of a server that has just begun to listen.
Not measured: sealing, pushing and storing the reports' sections (P1), TLS, a network, what a browser does with a page.
"""

from __future__ import annotations

import asyncio
import os
import random
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
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates.catalogue import Dimension, dimensions, is_counted
from sluss_server.aggregates.cells import NOT_GIVEN, SEVERAL, day_of, week_name, week_of
from sluss_server.services.counting import Changes
from sluss_server.services.rules import Rules
from sluss_server.storage import facts
from sluss_server.storage.engine import open_engine
from sluss_server.storage.facts import FactsRow
from sluss_server.web.guard import ROOT, SESSION
from sluss_server.web.panels import SHEETS

from benchmarks import raw_http, yardsticks
from benchmarks.figures import Figure, Limit
from benchmarks.ground import Ground
from benchmarks.servers import CLOCK, Server

_AGENCIES: Final = ("security", "police", "municipality", "social_services")
_LATEST: Final = 60
"""Weeks that the server publishes, and in which the few reports lie."""
_WEEKS: Final = 52 * 5
_LOOKED_AT: Final = 26
"""Weeks that are asked for in turn; with the half year before each, they are among the latest."""
_QUARTER: Final = 13
"""Weeks of one question to the counts."""
_AT_ONCE: Final = 2_000
_NOT_GIVEN_SHARE: Final = 0.2
_DAY_S: Final = 86_400
_STAFF: Final = 40
"""Colleagues of each agency, whose parts of sensitive counts are kept."""
_P95_AIM_MS: Final = 150
_SAME: Final = 1.2
_COLD_AIM_MS: Final = 1_000
_CUBE: Final = "/v1/cube"
_PATIENCE_S: Final = 900
_BODY: Final = 2_048


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Who asks: a supervisor's device, and the session of a browser that it signed in."""

    device: Device
    cookie: str

    def page(self, url: str, path: str, week: str) -> bytes:
        """Return the request for a page of the overview."""
        lines = (
            f"GET {ROOT}{path}?week={week} HTTP/1.1",
            f"host: {urlsplit(url).netloc}",
            "accept: text/html",
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
        yield f"page {ROOT}{sheet.path}", [seat.page(url, sheet.path, week) for week in weeks]
    quarters = [
        (week_name(this_week - before - _QUARTER + 1), week_name(this_week - before)) for before in range(_LOOKED_AT)
    ]
    yield f"counts of {_QUARTER} weeks, every kind", [seat.counts(url, *quarter) for quarter in quarters]


def _this_week() -> int:
    return week_of(day_of(clock.now(), builtin()[-1].zone))


def _nothing(url: str, count: int) -> list[float]:
    return raw_http.run(url, [raw_http.unsigned(url, "/v1/push", bytes(_BODY))] * count, 1).latencies


async def _first_page(ground: Ground, seat: Seat, server: Server) -> float:
    """Return the milliseconds of the first page after a server said that it listens, connecting included."""
    await ground.fresh(server)
    request = seat.page(server.url, "", week_name(_this_week()))
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
        boss = await town.device(_AGENCIES[0], "supervisors")
        seat = Seat(device=boss, cookie=_signed_in(await boss.launch()))
        own_clock = os.environ.pop(CLOCK)
        town.server.stop()
        servers = dict[str, Server]()
        few, many = ground.sizes.counted
        try:
            for name, source, count, weeks in (
                ("few", town.server.data, few, (0, _LATEST)),
                ("old", town.folder / "few", many - few, (_LATEST, _WEEKS)),
                ("even", town.server.data, many, (0, _WEEKS)),
            ):
                ground.say(f"P10: the reports of `{name}`")
                data = town.folder / name
                await asyncio.to_thread(shutil.copytree, source, data)
                await _count(ground, boss, data, count, weeks)
                servers[name] = Server(data, _free_port())
            for name, server in servers.items():
                await asyncio.to_thread(server.start)
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


# what is counted


async def _count(ground: Ground, boss: Device, data: Path, count: int, weeks: tuple[int, int]) -> None:
    """Count so many reports of some weeks (from how many ago, until before how many), as pushes do it."""
    pack, rules = builtin()[-1], Rules(builtin())
    made = _reports(pack, boss, count, weeks)
    engine = open_engine(f"sqlite:///{_database(data)}")
    try:
        writer = await engine.writer_connection()
        try:
            for start in range(0, count, _AT_ONCE):
                rows = [next(made) for _ in range(min(_AT_ONCE, count - start))]
                changes = Changes(rules)
                for row in rows:
                    changes.add(row, pack.digest)
                async with writer.begin():
                    await facts.insert(writer, rows)
                    await changes.write(writer)
                if start % (100 * _AT_ONCE) == 0:
                    ground.say(f"  {start + len(rows):,} of {count:,} reports counted")
        finally:
            await writer.close()
    finally:
        await engine.close()


def _reports(pack: Pack, boss: Device, count: int, weeks: tuple[int, int]) -> Iterator[FactsRow]:
    """Yield the facts of made-up reports, the same in every run but for the agencies' ids."""
    chance = random.Random(count)  # no secret
    config, now = boss.local.config, clock.now()
    owners = [(bytes(one.agency), one.sector) for one in boss.local.trust.agencies(now)]
    scenes = [0, *boss.local.trust.registry(now)]
    kinds = [
        (kind, agency, dimensions(pack, kind))
        for kind in sorted(pack.kinds)
        if is_counted(pack, kind)
        for agency, sector in owners
        if sector in pack.kinds[kind].owners
    ]
    first, after = (7 * _DAY_S * one for one in weeks)
    for _ in range(count):
        kind, agency, dims = chance.choice(kinds)
        at = now - chance.randrange(first + 1, after)
        values = tuple(_value(chance, one) for one in dims)
        who = chance.randrange(_STAFF).to_bytes(16, "big")
        scene = chance.choice(scenes)
        yield FactsRow(config.partnership, chance.randbytes(32), agency, kind, scene, at, encode(values), who)


def _value(chance: random.Random, one: Dimension) -> int | None:
    given = [value for value in one.values if value not in {NOT_GIVEN, SEVERAL}]
    if chance.random() < _NOT_GIVEN_SHARE:
        return None
    return chance.choice(given) if given else chance.randrange(4)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
