"""Rows under a mapping: what becomes of each, and what is said of those that are bad."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluss_client import importing, mappings
from sluss_client.mappings.rows import Skipped, ids_of
from sluss_schemas import forms
from sluss_schemas.problems import Invalid

from tests.importing.samples import EVENTS, HEADINGS, csv_file, made, mapping_file, read, refused

NEEDLES = """
kind = "litter_needles"
source = { prefix = "litter", columns = ["id"] }
observed_at = { column = "when", zone = "Europe/Stockholm" }
scene = { columns = ["where"] }
[fields]
needles = { column = "count" }
"place.lat" = { column = "lat", scale = "microdegrees" }
"place.lon" = { column = "lon", scale = "microdegrees" }
found_in = { column = "kind", codes = { P = "park", "?" = "" } }
"""
NEEDLES_HEADINGS = "id,when,where,count,lat,lon,kind"


def test_a_row_is_a_form_and_nothing_that_it_does_not_say(tmp_path: Path) -> None:
    rows = read(tmp_path, ['7,,2025-01-15T9:40,Fight,Centrala torget,,"Två bråkar, ""högt"""'])

    assert made(rows)[0].form == forms.OrderIncident(
        scene="centrala-torget",
        observed_at=datetime(2025, 1, 15, 8, 40, tzinfo=UTC),
        sub_kind="quarrel",
        situation='Två bråkar, "högt"',
    )


def test_a_value_of_the_column_sets_what_it_says_itself(tmp_path: Path) -> None:
    rows = read(tmp_path, ["1,,2025-01-15T9:40,Grave,Park,,x", "2,,2025-01-15T9:40,Fight,Park,,x"])

    assert [getattr(row.form, "severity", None) for row in made(rows)] == [2, None]


@pytest.mark.parametrize(("title", "place"), [("Park", "Square"), ("", "Park"), ("NULL", "Park"), (" Park ", "")])
def test_the_first_filled_column_names_the_scene(tmp_path: Path, title: str, place: str) -> None:
    rows = read(tmp_path, [f"1,,2025-01-15T9:40,Fight,{title},{place},x"])

    assert made(rows)[0].form.scene == "park"


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ("1,,2025-01-15T9:40,Feast,Park,,x", "unknown_kind", "kind"),
        ("1,,2025-01-15,Fight,Park,,x", "wrong_type", "observed_at"),
        ("1,,NULL,Fight,Park,,x", "missing_field", "observed_at"),
        (",,2025-01-15T9:40,Fight,Park,,x", "missing_field", "source"),
        ("NULL,,2025-01-15T9:40,Fight,Park,,x", "missing_field", "source"),
        ("1,,2025-01-15T9:40,Fight,???,,x", "wrong_type", "scene"),
        ("1,,2025-01-15T9:40,Fight,Park,x", "bad_row", ""),
        ("1,,2025-01-15T9:40,Fight,Park,,x,y", "bad_row", ""),
    ],
)
def test_a_bad_row_is_one_line_and_the_rest_goes_on(tmp_path: Path, row: str, code: str, field: str) -> None:
    rows = read(tmp_path, ["8,,2025-01-15T9:40,Fight,Park,,x", row, "9,,2025-01-15T9:40,Fight,Park,,x"])

    assert refused(rows) == [(3, code, field)]
    assert [one.source for one in made(rows)] == ["events:8", "events:9"]


def test_a_bad_row_is_never_repeated(tmp_path: Path) -> None:
    secret = "Agnes"
    rows = read(tmp_path, [f"1,,{secret},{secret},{secret},{secret},{secret}", f"2,,2025-01-15T9:40,{secret},,,"])

    assert len(refused(rows)) == 2
    assert not any(secret in str(row) for row in rows)


def test_a_row_that_is_no_utf_8_is_bad_alone(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["1,,2025-01-15T9:40,Fight,Park,,x", "2,,2025-01-15T9:40,Fight,Park,,y"])
    path.write_bytes(path.read_bytes().replace(b",x\n", ",å\n".encode("latin-1")))

    rows = list(importing.reader(path, mappings.load(mapping_file(tmp_path))))

    assert refused(rows) == [(2, "bad_row", "")]
    assert len(made(rows)) == 1


def test_a_mark_at_the_beginning_and_empty_lines_are_no_rows(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["", "1,,2025-01-15T9:40,Fight,Park,,x", ""])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    rows = list(importing.reader(path, mappings.load(mapping_file(tmp_path))))

    assert [(row.row, row.source) for row in made(rows)] == [(3, "events:1")]


def test_one_id_has_one_source_however_it_is_written(tmp_path: Path) -> None:
    rows = read(tmp_path, ['"1,001",,2025-01-15T9:40,Fight,Park,,x', "1001,,2025-01-15T9:40,Fight,Park,,x"])

    assert {row.source for row in made(rows)} == {"events:1001"}


def test_columns_of_a_source_do_not_run_together(tmp_path: Path) -> None:
    text = EVENTS.replace('["id"]', '["id", "place"]')
    rows = read(tmp_path, ["a/b,,2025-01-15T9:40,Fight,P,c,x", "a,,2025-01-15T9:40,Fight,P,b/c,x"], text)

    assert len({row.source for row in made(rows)}) == 2


def test_rows_are_left_out_by_kind_by_value_and_by_id(tmp_path: Path) -> None:
    other = csv_file(tmp_path, ['"3,000"', "4"], "number", "other.csv")
    text = EVENTS + 'skip = [{ column = "place", equals = ["test"] }]\n'
    path = csv_file(
        tmp_path,
        [
            "1,,2025-01-15T9:40,Sum,Park,,x",
            "2,,2025-01-15T9:40,Fight,Park,test,x",
            "3000,,2025-01-15T9:40,Fight,Park,,x",
            "5,,2025-01-15T9:40,Fight,Park,,x",
        ],
    )

    rows = list(importing.reader(path, mappings.load(mapping_file(tmp_path, text)), (other, "number")))

    assert [row.row for row in rows if isinstance(row, Skipped)] == [2, 3, 4]
    assert [row.source for row in made(rows)] == ["events:5"]
    assert ids_of(other, "number") == {"3000", "4"}


@pytest.mark.parametrize(("beside", "left"), [(True, ["events:2"]), (False, ["events:1", "events:2"])])
def test_the_mappings_own_file_is_looked_for_beside_the_csv(tmp_path: Path, beside: bool, left: list[str]) -> None:  # noqa: FBT001
    text = EVENTS + 'skip_ids_from = { file = "corrected.csv", column = "id" }\n'
    if beside:
        csv_file(tmp_path, ["1"], "id", "corrected.csv")

    rows = read(tmp_path, [f"{n},,2025-01-15T9:40,Fight,Park,,x" for n in (1, 2)], text)

    assert [row.source for row in made(rows)] == left


def test_unknown_stays_empty_and_nought_is_known(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        [
            "1,2025-01-15T9:40,Park,,59.33,18.06,P",
            "2,2025-01-15T9:40,Park,NULL,59.33,18.06,?",
            "3,2025-01-15T9:40,Park,0,,,",
            '4,2025-01-15T9:40,Park,"1,200",59.33,18.06,P',
        ],
        NEEDLES,
        NEEDLES_HEADINGS,
    )
    found = [row.form for row in made(rows)]

    assert [(form.needles, form.found_in) for form in found if isinstance(form, forms.LitterNeedles)] == [
        (None, "park"),
        (None, None),
        (0, None),
        (1200, "park"),
    ]
    assert [form.place for form in found] == [
        forms.Place(lat=59330000, lon=18060000),
        forms.Place(lat=59330000, lon=18060000),
        None,
        forms.Place(lat=59330000, lon=18060000),
    ]


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ("1,2025-01-15T9:40,Park,many,59.33,18.06,P", "wrong_type", "needles"),
        ("1,2025-01-15T9:40,Park,2.5,59.33,18.06,P", "wrong_type", "needles"),
        ("1,2025-01-15T9:40,Park,2,north,18.06,P", "wrong_type", "place.lat"),
        ("1,2025-01-15T9:40,Park,2,59.33,18.06,Q", "unknown_code", "found_in"),
    ],
)
def test_a_value_that_would_have_to_be_guessed_is_refused(tmp_path: Path, row: str, code: str, field: str) -> None:
    assert refused(read(tmp_path, [row], NEEDLES, NEEDLES_HEADINGS)) == [(2, code, field)]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("# mine\nkind = = 3", "line 2, column 8"),
        (EVENTS.replace("quarrel", "quarel"), "kind.table.Fight.sub_kind"),
        (EVENTS.replace("quarrel", "lookout"), "kind.table.Fight.sub_kind"),
        (NEEDLES.replace('"park"', '"parc"'), "fields.found_in.codes.P"),
        (EVENTS + "colour = 3", "mapping"),
        (EVENTS.replace("quarrel", "q").replace("observed_at", "observed"), "mapping"),
        (EVENTS.replace("order_incident", "fight"), "kind.table.Fight"),
        (EVENTS.replace('sub_kind = "quarrel"', 'colour = "red"'), "kind.table.Fight.colour"),
        (EVENTS.replace("situation =", "needles ="), "fields.needles"),
        (EVENTS.replace("situation =", '"place.colour" ='), "fields.place.colour"),
        (EVENTS.replace("situation =", '"subject.hair" ='), "fields.subject.hair"),
        (EVENTS.replace("situation =", "observed_at ="), "fields.observed_at"),
        (EVENTS.replace("Europe/Stockholm", "Europe/Nowhere"), "observed_at.zone"),
        (EVENTS.replace("Europe/Stockholm", "../etc"), "observed_at.zone"),
        (EVENTS.replace('["id"]', "[]"), "source.columns"),
        (EVENTS.replace('["id"]', "3"), "source.columns"),
        (EVENTS + 'owner = "army"', "owner"),
        (EVENTS + 'delimiter = "tab"', "delimiter"),
        ('extends = "polisen_scen"', "extends"),
        ('extends = "nowhere"', "mapping"),
    ],
)
def test_a_mapping_that_means_nothing_is_refused_at_its_place(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(Invalid) as wrong:
        mappings.load(mapping_file(tmp_path, text))

    assert (wrong.value.code, wrong.value.field) == ("bad_mapping", field)


@pytest.mark.parametrize("name", ["nothing_shipped", "no/such/file.toml"])
def test_a_mapping_that_is_not_there_names_those_that_are(name: str) -> None:
    with pytest.raises(Invalid) as wrong:
        mappings.load(name)

    assert wrong.value.code == "bad_mapping"
    assert "polisen_scen" in wrong.value.say


def test_a_mapping_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(Invalid, match="bad_mapping"):
        mappings.load(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("missing", ["id", "type", "when", "title", "text"])
def test_a_column_that_the_file_lacks_is_said_once(tmp_path: Path, missing: str) -> None:
    with pytest.raises(Invalid) as wrong:
        read(tmp_path, ["1,,2025-01-15T9:40,Fight,Park,,x"], headings=HEADINGS.replace(missing, "other"))

    assert wrong.value.code == "bad_mapping"


@pytest.mark.parametrize("content", [None, ""])
def test_a_file_that_is_not_there_or_empty_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "events.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(Invalid, match="bad_row"):
        importing.reader(path, mappings.load(mapping_file(tmp_path)))


def test_a_mapping_extends_a_shipped_one_and_adds_its_own(tmp_path: Path) -> None:
    path = mapping_file(tmp_path, 'extends = "polisen"\ndelimiter = ";"\n')

    mapping = mappings.load(path)

    assert (mapping.owner, mapping.delimiter, mapping.skip_ids_from) == ("police", ";", None)


def test_the_file_of_scenes_has_each_once(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [f"{n},,2025-01-15T9:40,Fight,{name},,x" for n, name in enumerate(("Å", "B", "Å"))])
    found = importing.scenes_of(importing.reader(path, mappings.load(mapping_file(tmp_path))))

    importing.write_scenes(tmp_path / "scenes.csv", found)

    assert (tmp_path / "scenes.csv").read_text(encoding="utf-8") == "slug,label_en,label_sv\na,Å,Å\nb,B,B\n"
