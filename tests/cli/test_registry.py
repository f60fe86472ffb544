"""Scenes, zones, surveys and objectives at the command line: what is bad is one line, and nothing is said twice."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluss_client import clock

from tests.cli.conftest import Partnership
from tests.cli.terminal import PASSPHRASE, Result, inside

SQUARE = [[18.06, 59.33], [18.07, 59.33], [18.07, 59.34], [18.06, 59.33]]
ZONE = {"type": "Polygon", "coordinates": [SQUARE]}
TODAY = datetime.fromtimestamp(clock.now(), UTC).date()


def founder(partnership: Partnership, *arguments: str | Path, agency: str = "police") -> Result:
    """Run a founder's command in this process."""
    return inside(partnership.folder / f"{agency}.sluss", PASSPHRASE, [str(one) for one in arguments])


def written(folder: Path, text: str) -> Path:
    path = folder / "zone.geojson"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_zone_is_set_once_and_taken_away(partnership: Partnership, tmp_path: Path) -> None:
    feature = {"type": "Feature", "properties": {"name": "Torget"}, "geometry": ZONE}
    path = written(tmp_path, json.dumps({"type": "FeatureCollection", "features": [feature]}, indent=1))
    for command, changed in (("square", True), ("square", False)):
        result = founder(partnership, "scenes", "zone", command, path, "--json")
        assert (result.code, result.json) == (0, {"slug": "square", "changed": changed}), result.err
    assert founder(partnership, "scenes", "zone", "square", "--none", "--json").json["changed"]
    other = founder(partnership, "scenes", "zone", "square", path, agency="security")
    assert (other.code, other.error) == (1, "not_allowed")
    assert founder(partnership, "scenes", "zone", "nowhere", path).error == "unknown_scene"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"type": "Polygon",\n "coordinates": [\n  [[1 2]]\n ]}', "line 3"),
        ("", "line 1"),
        ("a map of the square", "line 1"),
        ("[]", "line 1"),
        ('{\n"coordinates": [18, 59],\n"type": "Point"}', "line 3, type"),
        ('{\n"type": "FeatureCollection",\n\n"features": []}', "line 4, features"),
        (json.dumps({"type": "Feature", "geometry": None}), "line 1, geometry"),
        (json.dumps({"type": "Polygon", "coordinates": [[*SQUARE[:-1], [18.0, 59.0]]]}), "line 1, coordinates[0]"),
        (json.dumps({"type": "Polygon", "coordinates": [[*SQUARE[:2], [6580000.0, 674000.0], SQUARE[0]]]}), "[0][2]"),
        (
            json.dumps({"type": "MultiPolygon", "coordinates": [[SQUARE], [[*SQUARE[:2], ["x", 1], SQUARE[0]]]]}),
            "[1][0][2]",
        ),
        ('{"type": "Polygon",\n "coordinates": [[[NaN, 1]]]}', "line 2"),
        (b'{"type": "Polygon",\n "name": "T\xe4by"}', "line 2"),
    ],
)
def test_a_file_that_is_no_geojson_is_refused_with_its_line_or_its_coordinate(
    partnership: Partnership, tmp_path: Path, text: str | bytes, where: str
) -> None:
    path = tmp_path / "zone.geojson"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = founder(partnership, "scenes", "zone", "square", path)
    assert (result.code, result.error) == (1, "bad_zone")
    assert result.err.split(": ")[1].endswith(where)


def test_a_survey_of_real_places_is_registered_stated_once_and_shown(
    partnership: Partnership, real_data: Path, tmp_path: Path
) -> None:
    with (real_data / "stockholm_platser.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"].title() for row in csv.DictReader(file)][:48]
    path = tmp_path / "survey.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "state", "definition", "surroundings", "district", "municipality", "survey", "strategy"))
        rows.writerows(
            (name, "confirmed", "permanent_place;open_use", "transit_node school", name, "Stockholm", 2026, "reduce")
            for name in names
        )
    assert founder(partnership, "scenes", "import", path, "--label-column", "name").code == 0

    done = [founder(partnership, "scenes", "survey", path, "--slug-column", "name", "--json") for _ in range(2)]
    assert [(one.code, one.json["stated"], one.json["same"], one.json["bad"]) for one in done] == [
        (0, len(names), 0, 0),
        (0, 0, len(names), 0),
    ], done[0].json["bad_rows"]
    assert founder(partnership, "sync").code == 0

    seen = [
        one for one in founder(partnership, "scenes", "registry", "--json", agency="security").json if one["survey"]
    ]
    assert len(seen) == len(names)
    assert {(one["agency"], one["state"], one["strategy"], one["sent"]) for one in seen} == {
        ("police", "confirmed", "reduce", True)
    }
    assert seen[0]["surroundings"] == ["transit_node", "school"]


def test_a_surveys_bad_rows_are_one_line_each_and_leave_no_words(partnership: Partnership, tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(
        "slug,state,district\nsquare,dormant,Centrum\npark,hopeless,\nnowhere,closed,\npark,dormant,Anders Johansson\n",
        encoding="utf-8",
    )
    result = founder(partnership, "scenes", "survey", path)
    assert result.code == 1
    assert [line.split(": ")[:3] for line in result.err.splitlines()] == [
        ["row 3", "unknown_code", "state"],
        ["row 4", "unknown_scene", "scene"],
        ["row 5", "bad_row", "slug"],
    ]
    assert "Anders" not in result.err
    path.write_text("name,state\nsquare,dormant\n", encoding="utf-8")
    assert founder(partnership, "scenes", "survey", path).error == "bad_row"


def test_naloxone_is_counted_and_shown_to_its_own_agency(partnership: Partnership) -> None:
    assert founder(partnership, "stock", "show").error == "unknown_report"
    counted = TODAY - timedelta(days=1)
    given = ("stock", "set", "40", "--counted", counted.isoformat(), "--json")
    assert founder(partnership, *given).json["id"] is not None
    assert founder(partnership, *given).json == {"id": None}
    founder(partnership, "sync")

    assert founder(partnership, "stock", "show", "--json").json == {
        "left": 40, "doses": 40, "counted": counted.isoformat(), "used": 0, "expires": None, "sent": True,
    }  # fmt: skip
    assert founder(partnership, "stock", "show", agency="security").error == "unknown_report"


def test_an_objective_is_set_shown_to_others_changed_and_ended(partnership: Partnership) -> None:
    days = ("--from", TODAY.isoformat(), "--until", (TODAY + timedelta(days=60)).isoformat())
    given = ("--measure", "count:activity_log:category=social_prevention", "--at-least", "30", "--scene", "square")
    made = founder(partnership, "objectives", "set", "More talks", *given, *days, "--json")
    assert made.code == 0, made.err
    name = made.json["id"]
    # What is not sent yet is shown to its own agency.
    [own] = founder(partnership, "objectives", "list", "--json").json
    assert (own["id"], own["sent"]) == (name, False)
    ratio = ("objectives", "set", "MUMIN", "--measure", "mumin_ratio", "--at-least", "60", *days, "--json")
    assert founder(partnership, *ratio).code == 0
    founder(partnership, "objectives", "set", "Many talks", *given, *days, "--change", name)
    founder(partnership, "sync")

    found = founder(partnership, "objectives", "list", "--json", agency="security").json

    assert [(one["agency"], one["title"], one["measure"], one["scene"], one["target"]) for one in found] == sorted(
        [
            ("police", "Many talks", "count:activity_log:category=social_prevention", "square", 30),
            ("police", "MUMIN", "mumin_ratio", None, 60),
        ],
        key=lambda one: one[1] != next(row["title"] for row in found),
    )
    assert founder(partnership, "objectives", "end", name, agency="security").error == "unknown_report"
    assert founder(partnership, "objectives", "end", name).code == 0
    founder(partnership, "sync")
    listed = founder(partnership, "objectives", "list", "--json", agency="security").json
    every = founder(partnership, "objectives", "list", "--all", "--json", agency="security").json
    assert ([one["title"] for one in listed], {one["ended"] for one in every}) == (["MUMIN"], {True, False})
    assert "MUMIN" in founder(partnership, "objectives", "list", agency="security").out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("Talks with Anders Johansson", "--measure", "mumin_ratio", "--at-least", "60"), "names_person"),
        (("Talks", "--measure", "smiles", "--at-least", "60"), "unknown_code"),
        (("Talks", "--measure", "mumin_ratio", "--at-least", "60", "--scene", "square"), "out_of_range"),
        (("Talks", "--measure", "mumin_ratio"), "usage"),
        (("Talks", "--measure", "mumin_ratio", "--at-least", "60", "--change", "xyz"), "wrong_type"),
        (("Talks", "--measure", "mumin_ratio", "--at-least", "60", "--change", "00" * 16), "unknown_report"),
    ],
)
def test_an_objective_that_is_none_is_refused(partnership: Partnership, arguments: tuple[str, ...], error: str) -> None:
    days = ("--from", TODAY.isoformat(), "--until", TODAY.isoformat())
    result = founder(partnership, "objectives", "set", *arguments, *days)
    assert (result.code, result.error) == (2 if error == "usage" else 1, error)


def test_hours_are_stated_for_the_week_of_a_day(partnership: Partnership) -> None:
    day = (TODAY - timedelta(days=7)).isoformat()
    assert founder(partnership, "scenes", "staffing", "square", day, "120", "--json").json["id"]
    assert founder(partnership, "scenes", "staffing", "square", day, "120", "--json").json == {"id": None}
    assert founder(partnership, "scenes", "staffing", "square", day, "-1").code == 2
    assert founder(partnership, "scenes", "staffing", "nowhere", day, "12").error == "unknown_scene"
