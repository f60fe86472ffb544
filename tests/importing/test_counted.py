"""Real records, through a device, as the counts that a supervisor sees: held against sums of the CSV alone.

The police's events of a few days of two months by default, and the overdoses of a few counties in a month; `make soak`
takes the whole of both files, which is about ten minutes.
A type of event becomes a kind and a sub-kind; that table is written here once more, by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from sluss_server.aggregates.cells import GIVEN, SEVERAL, SUM

from tests.importing.counted import (
    PACK,
    Row,
    Seen,
    Told,
    added_up,
    iso_week,
    of_published,
    records,
    seen,
    share_of,
    written,
)

EVENTS: Final = "polisen_kompakt_2022-09_2026-03.csv"
OVERDOSES: Final = "odin_pa_2018-01_2019-08.csv"

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
    files = written(folder, EVENTS, [rows])

    days = sorted({row["published"][:10] for row in rows})
    months = sorted({day[:7] for day in days})
    found = await seen(files, "polisen_kompakt", "order_incident", months, date.fromisoformat(days[-1]))

    assert found.weeks == expected.weeks
    assert found.months == expected.months
    assert sum(number for (_, _, dim, _), number in found.months.items() if not dim) == len(rows)
    shown = of_published(found, expected)
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
    """Let two of the staff file; return victims, doses over administrations, and what adding up rows would give."""
    rows = share_of(folder, real_data, OVERDOSES, wanted)
    parts = [[row for row in rows if int(row["Incident ID"].replace(",", "")) % 2 == side] for side in (0, 1)]
    expected, of_each = added_up(overdoses(rows)), [added_up(overdoses(part)) for part in parts]

    days = sorted({stockholm_day(row) for row in rows})
    months = sorted({f"{day:%Y-%m}" for day in days})
    files = written(folder, OVERDOSES, parts)
    found = await seen(files, "odin_pa", "overdose_event", months, days[-1])

    assert found.weeks == expected.weeks
    assert found.months == expected.months
    check_published_overdoses(found, expected, of_each, over_rows(rows))
    victims = sum(number for (_, _, dim, _), number in found.months.items() if not dim)
    doses = sum(number for (*_, value), number in found.months.items() if value == SUM)
    return victims, doses, sum(over_rows(rows).values())


def over_rows(rows: list[Row]) -> Counter[str]:
    """Return by week what adding up the doses of rows gives, which repeat an administration for every drug."""
    found = Counter[str]()
    for row in rows:
        found[iso_week(stockholm_day(row))] += int(row["Dose Count"].replace("NULL", "0"))
    return found


def check_published_overdoses(
    found: Seen, expected: Seen, of_each: Sequence[Seen], repeated: Mapping[str, int]
) -> None:
    """Hold what others are shown of a sensitive kind: from ten on, of two of the staff, and of doses even sums."""

    def is_open(name: Told) -> bool:
        return expected.weeks[name] >= 10 and all(one.weeks[name] for one in of_each)

    shown = of_published(found, expected)
    sums = {name for name in found.published if name[3] == SUM}
    assert {dim for _, _, dim, _ in shown} >= {"", "scene", "outcome", "suspected_groups", "age_groups"}
    assert all(is_open(name) for name in shown if name not in sums)
    for week, kind, dim, _ in sums:
        given = (week, kind, dim, GIVEN)
        # Where ten gave something, what eight of them gave tells no one's number to within a tenth of twenty.
        assert ((week, kind, dim, SUM) in shown) == ((week, kind, "", "") in shown and is_open(given))
    told = {week: shown[week, kind, dim, value] for week, kind, dim, value in sums if (week, kind, dim, value) in shown}
    assert any(5 * round(repeated[week] / 5) != doses for week, doses in told.items())


async def test_doses_of_a_month_are_added_up_over_administrations(real_data: Path, tmp_path: Path) -> None:
    def wanted(row: Row) -> bool:
        month = row["Incident Date"].startswith("06/") and row["Incident Date"].endswith("2018")
        return month and row["Incident County Name"] in {"Allegheny", "Bucks", "York"}

    victims, doses, repeated = await check_overdoses(real_data, tmp_path, wanted)

    assert 0 < doses < repeated
    assert victims > 100


@pytest.mark.soak
async def test_the_whole_record_of_overdoses_is_the_files(real_data: Path, tmp_path: Path) -> None:
    victims, doses, repeated = await check_overdoses(real_data, tmp_path, lambda _row: True)

    assert victims == 8_525
    assert doses < repeated
