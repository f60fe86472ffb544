"""Rows that fan out one event, numbers that another file explains, and times of day that nobody wrote down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from sluss_client import mappings
from sluss_client.errors import Invalid

from tests.importing.samples import csv_file, made, mapping_file, read, refused

FANNED: Final = """
kind = "overdose_event"
several = true
source = { prefix = "od", columns = ["event"] }
scene = { columns = ["county"] }
observed_at = { column = "day", time = "hour", order = "mdy", zone = "America/New_York", \
unknown = { time = "12:00", situation = "No time of day." } }
[fields]
naloxone_doses = { column = "doses", sum_over = ["given"] }
outcome = { column = "alive", codes = { Y = "survived", N = "fatal" } }
suspected_groups = { column = "drug", collect = true, codes = { H = "opioid", F = "opioid", C = "stimulant", X = "" } }
"""
HEADINGS: Final = "event,county,day,hour,drug,given,doses,alive"


def fanned(folder: Path, *rows: str) -> list[object]:
    return read(folder, rows, FANNED, HEADINGS)


def test_doses_are_added_up_over_administrations_and_not_over_rows(tmp_path: Path) -> None:
    # Three drugs times two administrations, in no order, and another event between them.
    rows = fanned(
        tmp_path,
        '"1,001",Bucks,01/04/2018,00:42:00,H,1,1,N',
        '"1,001",Bucks,01/04/2018,00:42:00,H,2,3,N',
        "7,York,01/05/2018,13:00:00,X,NULL,NULL,Y",
        '"1,001",Bucks,01/04/2018,00:42:00,F,"1",1,N',
        '"1,001",Bucks,01/04/2018,00:42:00,F,2,3,N',
        "1001,Bucks,01/04/2018,00:42:00,C,1,1,N",
        "1001,Bucks,01/04/2018,00:42:00,C,2,3,N",
    )

    first, second = (one.form for one in made(rows))
    assert (first.naloxone_doses, first.suspected_groups) == (4, ["opioid", "stimulant"])  # type: ignore[attr-defined]
    assert first.observed_at == datetime(2018, 1, 4, 5, 42, tzinfo=UTC)
    assert (second.naloxone_doses, second.suspected_groups) == (None, [])  # type: ignore[attr-defined]
    assert len(rows) == 2


def test_an_event_says_nothing_that_its_rows_do_not_agree_on(tmp_path: Path) -> None:
    rows = fanned(
        tmp_path,
        "1,Bucks,01/04/2018,00:42:00,H,1,1,N",
        "1,Bucks,01/04/2018,00:42:00,F,1,1,Y",
        "2,Bucks,01/04/2018,00:42:00,H,1,1,N",
        "2,Bucks,01/04/2018,00:42:00,F,1,2,N",
        "3,Bucks,01/04/2018,00:42:00,H,1,1,N",
        "3,York,01/04/2018,00:42:00,H,1,1,N",
        "4,Bucks,01/04/2018,00:42:00,H,1,some,N",
    )

    assert refused(rows) == [
        (2, "bad_row", "outcome"),
        (4, "bad_row", "naloxone_doses"),
        (6, "bad_row", "scene"),
        (8, "wrong_type", "naloxone_doses"),
    ]


def test_a_time_of_day_that_nobody_wrote_down_is_said_to_be_none(tmp_path: Path) -> None:
    (row,) = made(fanned(tmp_path, "1,Bucks,06/04/2018,NULL,H,1,1,N"))

    assert row.form.observed_at == datetime(2018, 6, 4, 16, tzinfo=UTC)
    assert row.form.situation == "No time of day."


def test_numbers_mean_what_the_file_beside_says(tmp_path: Path) -> None:
    csv_file(tmp_path, ["1,Fight", "2,Fire"], "no,word", "words.csv")
    text = """
source = { prefix = "e", columns = ["id"] }
observed_at = { column = "when", zone = "Europe/Stockholm" }
kind = { column = "type", table = { Fight = { kind = "order_incident", sub_kind = "quarrel" } } }
keys = { type = { column = "type_no", file = "words.csv", of = "no", value = "word" } }
"""

    rows = read(
        tmp_path, ["a,2026-02-01 10:00,1", "b,2026-02-01 10:00,2", "c,2026-02-01 10:00,3"], text, "id,when,type_no"
    )

    assert [row.source for row in made(rows)] == ["e:a"]
    assert refused(rows) == [(3, "unknown_kind", "kind"), (4, "unknown_code", "type")]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (FANNED.replace("several = true", ""), "fields.naloxone_doses"),
        (FANNED.replace("several = true", 'several = true\nversion = "version"'), "several"),
    ],
)
def test_a_mapping_puts_together_only_what_is_one_event(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(Invalid) as refusal:
        mappings.load(mapping_file(tmp_path, text))

    assert (refusal.value.code, refusal.value.field) == ("bad_mapping", where)
