"""Real records, through a device, as the counts that a supervisor sees: held against sums of the CSV alone.

The police's events of a few days of two months by default, and every overdose of a month; `make soak` takes the whole
of both files, which is about ten minutes.
A type of event becomes a kind and a sub-kind; that table is written here once more, by hand.
"""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Final, cast
from zoneinfo import ZoneInfo

import pytest

from sluss_client import Device, importing, mappings
from sluss_client.counts import Figure
from sluss_client.testing import Clock, Town
from sluss_schemas.policy.pack import builtin
from sluss_server.aggregates.catalogue import dimensions
from sluss_server.aggregates.cells import GIVEN, SEVERAL, SUM, month_days, week_name, week_named
from sluss_server.services.core import Core
from sluss_server.services.cube import Cube
from sluss_server.storage.engine import open_engine

EVENTS: Final = "polisen_kompakt_2022-09_2026-03.csv"
OVERDOSES: Final = "odin_pa_2018-01_2019-08.csv"
PACK: Final = builtin()[-1]
AT_ONCE: Final = 60
"""Weeks of one question."""

Row = dict[str, str]
Name = tuple[str, str]
"""A kind, and what of it: empty for all, a scene, or a code."""

FINDS: Final = {"Anträffat gods", "Upphittat föremål"}
SUB_KINDS: Final = {
    "Bombhot": "threat",
    "Brand": "fire",
    "Bråk": "quarrel",
    "Fylleri/LOB": "intox_care",
    "Hemfridsbrott": "trespass",
    "Misshandel": "assault",
    "Misshandel, grov": "assault",
    "Mordbrand": "fire",
    "Ofredande/förargelse": "harassment",
    "Olaga hot": "threat",
    "Olaga intrång": "trespass",
    "Rån": "robbery",
    "Rån väpnat": "robbery",
    "Rån övrigt": "robbery",
    "Rån, försök": "robbery",
    "Skadegörelse": "damage",
}
"""Every other type is `other`."""
OPIOIDS: Final = {
    "CARFENTANIL",
    "FENTANYL",
    "FENTANYL ANALOG/OTHER SYNTHETIC OPIOID",
    "HEROIN",
    "METHADONE",
    "PHARMACEUTICAL OPIOID",
    "SUBOXONE",
}
AGES: Final = {
    "0 - 9": "0-17",
    "10 - 14": "0-17",
    "25 - 29": "21-34",
    "40 - 49": "35-49",
    "50 - 59": "50+",
    "60 - 69": "50+",
    "70 - 79": "50+",
    "80 - *": "50+",
}
"""Every other band of theirs lies in two groups of ours."""


@dataclass(frozen=True)
class Seen:
    """What a supervisor sees: numbers by week, and by month, of what; and what another agency's is published."""

    weeks: Counter[tuple[str, str, str, object]]
    months: Counter[tuple[str, str, str, object]]
    published: dict[tuple[str, str, str, object], int | None] = field(default_factory=dict)


def records(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def share_of(folder: Path, real_data: Path, name: str, wanted: Callable[[Row], bool]) -> list[Row]:
    """Write the wanted rows of a file, with the files of keys beside it, and return them."""
    for key in ("polisen_typer.csv", "polisen_platser.csv"):
        (folder / key).write_bytes((real_data / key).read_bytes())
    chosen = [row for row in records(real_data / name) if wanted(row)]
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(chosen[0]))
        writer.writeheader()
        writer.writerows(chosen)
    return chosen


async def seen(folder: Path, name: str, mapping: str, months: list[str], newest: date | None = None) -> Seen:
    """Import a file on a device of the police, sync, and return what a supervisor of theirs is told.

    With `newest`, the last day of the file, it is ten days later, and what the guards' supervisor is told is there too.
    """
    read = mappings.load(mapping)
    scenes = importing.scenes_of(importing.reader(folder / name, read))
    labels = [(slug, label, label) for slug, label in scenes.items()]
    clock = Clock() if newest is None else Clock(datetime.combine(newest, time(12), UTC) + timedelta(days=10))
    agencies = ("police",) if newest is None else ("police", "security")
    async with Town(clock, agencies=agencies, scenes=labels) as town:
        author = await town.device("police")
        boss = await town.device("police", "supervisors")

        summary = await importing.run(author, importing.reader(folder / name, read))
        assert (summary.bad, summary.skipped, summary.already) == (0, 0, 0)
        result = await author.sync()
        assert (result.waiting, result.quarantined) == (0, 0)

        told = await by_others(town, months, scenes, newest) if newest is not None else {}
        return Seen(await by_week(boss, months, scenes), await by_month(town, boss, months, scenes), told)


def weeks_of(months: list[str]) -> tuple[int, int]:
    """Return the first and the last week of some months."""
    # The first of the last month is at most five weeks before its end.
    first, last = (date.fromisoformat(f"{month}-01") for month in (months[0], months[-1]))
    return week_named(iso_week(first)), week_named(iso_week(last)) + 5


async def by_others(
    town: Town, months: list[str], scenes: dict[str, str], newest: date
) -> dict[tuple[str, str, str, object], int | None]:
    """Return what is published to the guards' supervisor, once the last week is."""
    # The server looks every quarter of an hour whether something is due, and then a few weeks every second.
    town.clock.advance(minutes=15)
    first, last = weeks_of(months)
    first = max(first, last - AT_ONCE + 1)
    others: tuple[Figure, ...] = ()
    async with asyncio.timeout(120):
        while iso_week(newest) not in {one.week for one in others}:
            await asyncio.sleep(0.5)
            asked = (week_name(first), week_name(last), ["order_incident"])
            others = (await town.founders["security"].counts(*asked)).others
    return {
        (one.week, one.kind, one.dim, scenes[one.scene] if one.scene else code_of(one.kind, one.dim, one.value)): (
            one.figure
        )
        for one in others
        if one.dim != "scene" or one.scene
    }


async def by_week(boss: Device, months: list[str], scenes: dict[str, str]) -> Counter[tuple[str, str, str, object]]:
    """Return what the server answers a supervisor's device."""
    first, last = weeks_of(months)
    found = Counter[tuple[str, str, str, object]]()
    for start in range(first, last + 1, AT_ONCE):
        answer = await boss.counts(week_name(start), week_name(min(start + AT_ONCE - 1, last)))
        for one in answer.own:
            if not one.dim:
                found[one.week, one.kind, "", ""] += one.number
                found[one.week, one.kind, "scene", scenes[one.scene]] += one.number
            else:
                found[one.week, one.kind, one.dim, code_of(one.kind, one.dim, one.value)] += one.number
    return found


async def by_month(
    town: Town, boss: Device, months: list[str], scenes: dict[str, str]
) -> Counter[tuple[str, str, str, object]]:
    """Return what the overview reads for a month."""
    assert town.server is not None
    (file,) = town.server.data.glob("*.sqlite")
    engine = open_engine(f"sqlite:///{file}")
    cube = Cube(cast("Core", SimpleNamespace(engine=engine)))
    config, registry = boss.local.config, boss.local.trust.registry(boss.now())
    found = Counter[tuple[str, str, str, object]]()
    try:
        for month in months:
            days = month_days(int(month[:4]), int(month[5:]))
            for one in await cube.own_days(config.partnership, config.agency, PACK, sorted(PACK.kinds), days):
                kind = PACK.kinds[one.kind].name
                if not one.dim:
                    found[month, kind, "", ""] += one.number
                    found[month, kind, "scene", scenes[registry[one.scene].slug]] += one.number
                else:
                    found[month, kind, one.dim, code_of(kind, one.dim, one.value)] += one.number
    finally:
        await engine.close()
    return found


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
    weeks, months = Counter[tuple[str, str, str, object]](), Counter[tuple[str, str, str, object]]()
    for day, kind, dim, value, number in facts:
        weeks[iso_week(day), kind, dim, value] += number
        months[f"{day:%Y-%m}", kind, dim, value] += number
    return Seen(weeks, months)


# the police's events


def events(folder: Path, rows: list[Row]) -> Iterator[tuple[date, str, str, object, int]]:
    types = {row["type_no"]: row["type"] for row in records(folder / "polisen_typer.csv")}
    places = {row["place_no"]: row["name"] for row in records(folder / "polisen_platser.csv")}
    for row in rows:
        day, type_ = date.fromisoformat(row["published"][:10]), types[row["type_no"]]
        kind = "seizure_or_find" if type_ in FINDS else "order_incident"
        yield day, kind, "", "", 1
        yield day, kind, "scene", places[row["place_no"]], 1
        if type_ in FINDS:
            yield day, kind, "found_as", "find", 1
            yield day, kind, "substances", None, 1
        else:
            yield day, kind, "sub_kind", SUB_KINDS.get(type_, "other"), 1
            yield day, kind, "severity", None, 1


async def check_events(real_data: Path, folder: Path, wanted: Callable[[Row], bool]) -> int:
    rows = share_of(folder, real_data, EVENTS, wanted)
    expected = added_up(events(folder, rows))

    days = sorted({row["published"][:10] for row in rows})
    months = sorted({day[:7] for day in days})
    found = await seen(folder, EVENTS, "polisen_kompakt", months, date.fromisoformat(days[-1]))

    assert found.weeks == expected.weeks
    assert found.months == expected.months
    assert sum(number for (_, _, dim, _), number in found.months.items() if not dim) == len(rows)
    # To others the same sums, to the nearest five, and none that is small.
    shown = {name: figure for name, figure in found.published.items() if figure is not None}
    assert shown == {name: 5 * round(expected.weeks[name] / 5) for name in shown}
    assert min(expected.weeks[name] for name in shown) >= PACK.parameters.k
    assert {dim for _, _, dim, _ in shown} >= {"", "scene", "sub_kind"}
    return len(rows)


async def test_months_places_and_types_of_the_police_are_the_files(real_data: Path, tmp_path: Path) -> None:
    days = {"2025-12-29", "2025-12-30", "2025-12-31", "2026-01-01", "2026-01-02", "2026-01-31"}

    assert await check_events(real_data, tmp_path, lambda row: row["published"][:10] in days) > 200


@pytest.mark.soak
async def test_the_whole_record_of_the_police_is_the_files(real_data: Path, tmp_path: Path) -> None:
    assert await check_events(real_data, tmp_path, lambda _row: True) == 76_003


# the overdoses


def overdoses(rows: list[Row]) -> Iterator[tuple[date, str, str, object, int]]:
    kind = "overdose_event"
    victims = dict[str, list[Row]]()
    for row in rows:
        victims.setdefault(row["Victim ID"], []).append(row)
    for mine in victims.values():
        victim, day = mine[0], stockholm_day(mine[0])
        yield day, kind, "", "", 1
        yield day, kind, "scene", victim["Incident County Name"], 1
        yield day, kind, "outcome", {"Y": "survived", "N": "fatal", "U": "unknown"}[victim["Survive"]], 1
        # By administration, whatever number of drugs repeats it.
        given = {row["Administration ID"]: row["Dose Count"] for row in mine}
        doses = sum(int(count) for count in given.values() if count != "NULL")
        if doses:
            yield day, kind, "naloxone_doses", SUM, doses
            yield day, kind, "naloxone_doses", GIVEN, 1
        drugs = {row["Susp OD Drug Desc"] for row in mine}
        groups = {group for drug in drugs if (group := group_of(drug))}
        yield day, kind, "suspected_groups", SEVERAL if len(groups) > 1 else min(groups, default=None), 1
        yield day, kind, "age_groups", AGES.get(victim["Age Range"], "unknown"), 1


def stockholm_day(row: Row) -> date:
    """Return the day on which it was counted, where the partnership is."""
    clock = row["Incident Time"].replace("NULL", "12:00:00")
    there = datetime.strptime(f"{row['Incident Date']} {clock}", "%m/%d/%Y %H:%M:%S")  # noqa: DTZ007  # zoned below
    return there.replace(tzinfo=ZoneInfo("America/New_York")).astimezone(ZoneInfo("Europe/Stockholm")).date()


def group_of(drug: str) -> str:
    if drug in OPIOIDS:
        return "opioid"
    if drug in {"BATH SALTS", "COCAINE/CRACK", "METHAMPHETAMINE", "PHARMACEUTICAL STIMULANT"}:
        return "stimulant"
    named = {"ALCOHOL": "alcohol", "UNKNOWN": "unknown"}
    return "benzo_ghb" if drug.startswith("BENZODIAZEPINES") else named.get(drug, "")


async def check_overdoses(real_data: Path, folder: Path, wanted: Callable[[Row], bool]) -> tuple[int, int, int]:
    """Return victims, doses over administrations, and what adding up rows would give."""
    rows = share_of(folder, real_data, OVERDOSES, wanted)
    expected = added_up(overdoses(rows))

    found = await seen(folder, OVERDOSES, "odin_pa", sorted({stockholm_day(row).strftime("%Y-%m") for row in rows}))

    assert found.weeks == expected.weeks
    assert found.months == expected.months
    victims = sum(number for (_, _, dim, _), number in found.months.items() if not dim)
    doses = sum(number for (*_, value), number in found.months.items() if value == SUM)
    return victims, doses, sum(int(row["Dose Count"]) for row in rows if row["Dose Count"] != "NULL")


async def test_doses_of_a_month_are_added_up_over_administrations(real_data: Path, tmp_path: Path) -> None:
    def wanted(row: Row) -> bool:
        return row["Incident Date"].startswith("03/") and row["Incident County Name"] in {"Bucks", "York", "Dauphin"}

    victims, doses, over_rows = await check_overdoses(real_data, tmp_path, wanted)

    assert 0 < doses < over_rows
    assert victims > 100


@pytest.mark.soak
async def test_the_whole_record_of_overdoses_is_the_files(real_data: Path, tmp_path: Path) -> None:
    victims, doses, over_rows = await check_overdoses(real_data, tmp_path, lambda _row: True)

    assert victims == 8_525
    assert doses < over_rows
