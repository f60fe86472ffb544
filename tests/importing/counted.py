"""What a supervisor is told of an imported file, and how sums of the file alone are made to be held against it.

Weeks are what a supervisor's device is told, months what the overview's file of months says, and published figures what
the supervisor of another agency is told.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import httpx2

from sluss_client import Device, importing, mappings
from sluss_client.counts import Figure
from sluss_client.testing import Clock, Town
from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates.catalogue import dimensions
from sluss_server.aggregates.cells import GIVEN, SEVERAL, SUM, week_name, week_named

PACK: Final = builtin()[-1]
AT_ONCE: Final = 60
"""Weeks of one question."""
MONTHS_AT_ONCE: Final = 36
YEAR: Final = 52
"""Of so many weeks before the last one everything is published, and of some more."""

Row = dict[str, str]
Told = tuple[str, str, str, object]
"""When, a kind, a dimension, and which value of it."""

WORDS: Final = {"not_given": None, "several": SEVERAL, "sum": SUM, "given": GIVEN}
"""What the file of months calls the values that have no code."""


@dataclass(frozen=True)
class Seen:
    """What a supervisor sees: numbers by week, and by month, of what; and what another agency's is published."""

    weeks: Counter[Told]
    months: Counter[Told]
    published: dict[Told, int | None] = field(default_factory=dict)


def records(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def share_of(folder: Path, real_data: Path, name: str, wanted: Callable[[Row], bool]) -> list[Row]:
    """Return the wanted rows of a file, and put the files of keys into a folder."""
    for key in ("polisen_typer.csv", "polisen_platser.csv"):
        (folder / key).write_bytes((real_data / key).read_bytes())
    return [row for row in records(real_data / name) if wanted(row)]


def written(folder: Path, name: str, parts: Sequence[Sequence[Row]]) -> list[Path]:
    """Write rows as a file for each of the staff who files a part of them."""
    found = [folder / name, *(folder / f"{number}-{name}" for number in range(1, len(parts)))]
    for path, rows in zip(found, parts, strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return found


async def seen(files: Sequence[Path], mapping: str, kind: str, months: list[str], newest: date) -> Seen:
    """Import each file on a device of one of the police, sync, and return what supervisors are told.

    It is ten days after `newest`, the last day of the files. Theirs is told everything exactly, and the guards' one
    what is published of a kind.
    """
    read = mappings.load(mapping)
    scenes = dict[str, str]()
    for path in files:
        scenes |= importing.scenes_of(importing.reader(path, read))
    labels = [(slug, label, label) for slug, label in sorted(scenes.items())]
    clock = Clock(datetime.combine(newest, time(12), UTC) + timedelta(days=10))
    async with Town(clock, agencies=("police", "security"), scenes=labels) as town:
        authors = [await town.device("police") for _ in files]
        boss = await town.device("police", "supervisors")

        for author, path in zip(authors, files, strict=True):
            summary = await importing.run(author, importing.reader(path, read))
            assert (summary.bad, summary.skipped, summary.already) == (0, 0, 0)
            result = await author.sync()
            assert (result.waiting, result.quarantined) == (0, 0)

        told = await by_others(town, kind, months, scenes, newest)
        return Seen(await by_week(boss, months, scenes), await by_month(town, boss, months, scenes), told)


def weeks_of(months: list[str]) -> tuple[int, int]:
    """Return the first and the last week of some months."""
    # The first of the last month is at most five weeks before its end.
    first, last = (date.fromisoformat(f"{month}-01") for month in (months[0], months[-1]))
    return week_named(iso_week(first)), week_named(iso_week(last)) + 5


async def by_others(
    town: Town, kind: str, months: list[str], scenes: dict[str, str], newest: date
) -> dict[Told, int | None]:
    """Return what of a kind is published to the guards' supervisor, once the last week is."""
    # The server looks every quarter of an hour whether something is due, and then a few weeks every second.
    town.clock.advance(minutes=15)
    first, last = weeks_of(months)
    first = max(first, last - AT_ONCE + 1)
    others: tuple[Figure, ...] = ()
    async with asyncio.timeout(120):
        while iso_week(newest) not in {one.week for one in others}:
            await asyncio.sleep(0.5)
            asked = (week_name(first), week_name(last), [kind])
            others = (await town.founders["security"].counts(*asked)).others
    return {
        (one.week, one.kind, one.dim, scenes[one.scene] if one.scene else code_of(one.kind, one.dim, one.value)): (
            one.figure
        )
        for one in others
        if one.dim != "scene" or one.scene
    }


async def by_week(boss: Device, months: list[str], scenes: dict[str, str]) -> Counter[Told]:
    """Return what the server answers a supervisor's device."""
    first, last = weeks_of(months)
    found = Counter[Told]()
    for start in range(first, last + 1, AT_ONCE):
        answer = await boss.counts(week_name(start), week_name(min(start + AT_ONCE - 1, last)))
        for one in answer.own:
            if not one.dim:
                found[one.week, one.kind, "", ""] += one.number
                found[one.week, one.kind, "scene", scenes[one.scene]] += one.number
            else:
                found[one.week, one.kind, one.dim, code_of(one.kind, one.dim, one.value)] += one.number
    return found


async def by_month(town: Town, boss: Device, months: list[str], scenes: dict[str, str]) -> Counter[Told]:
    """Return what the overview's file of months says to a supervisor who signs in."""
    found = Counter[Told]()
    async with signed_in(town, boss) as browser:
        for start in range(0, len(months), MONTHS_AT_ONCE):
            part = months[start : start + MONTHS_AT_ONCE]
            first, last = (date.fromisoformat(f"{month}-01") for month in (part[0], part[-1]))
            many = (last.year - first.year) * 12 + last.month - first.month + 1
            answer = await browser.get(f"/overview/months.csv?month={part[-1]}&months={many}")
            assert answer.status_code == 200
            for line in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")):
                month, kind, dim, number = line["month"], line["kind"], line["dimension"], int(line["number"])
                if dim == "total":
                    found[month, kind, "", ""] += number
                    found[month, kind, "scene", scenes[line["scene"]]] += number
                else:
                    found[month, kind, dim, WORDS.get(line["value"], line["value"])] += number
    async with signed_in(town, town.founders["security"]) as browser:
        theirs = await browser.get(f"/overview/months.csv?month={months[-1]}")
    assert theirs.status_code == 200
    assert len(theirs.content.splitlines()) == 1
    return found


@asynccontextmanager
async def signed_in(town: Town, device: Device) -> AsyncIterator[httpx2.AsyncClient]:
    """Sit down at a browser."""
    async with httpx2.AsyncClient(base_url=town.url, timeout=60) as found:
        token = (await device.launch()).rsplit("/", 1)[1]
        entered = await found.post("/overview/enter", data={"token": token}, headers={"sec-fetch-site": "same-origin"})
        assert entered.status_code == 303
        yield found


def code_of(kind: str, dim: str, value: int) -> object:
    """Return the name of a coded value; None for what was not given, and the number where there is no name."""
    found = PACK.kind_named(kind)
    assert found is not None
    if not dim:
        return ""
    codes = next(one.codes for one in dimensions(PACK, found.number) if one.name == dim)
    named = {code.n: name for name, code in PACK.codes.get(codes, {}).items()}
    return named.get(value, value) if value else None


def iso_week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def added_up(facts: Iterator[tuple[date, str, str, object, int]]) -> Seen:
    """Add up by week and by month."""
    weeks, months = Counter[Told](), Counter[Told]()
    for day, kind, dim, value, number in facts:
        weeks[iso_week(day), kind, dim, value] += number
        months[f"{day:%Y-%m}", kind, dim, value] += number
    return Seen(weeks, months)


def of_published(found: Seen, expected: Seen) -> dict[Told, int]:
    """Return the figures that are shown to others: the same sums, to the nearest five."""
    weeks, filed = ({name[0] for name in names} for names in (found.published, expected.weeks))
    assert {week for week in filed if week >= min(weeks)} <= weeks
    assert len(weeks) >= min(YEAR, len(filed))
    shown = {name: figure for name, figure in found.published.items() if figure is not None}
    assert shown == {name: 5 * round(expected.weeks[name] / 5) for name in shown}
    return shown
