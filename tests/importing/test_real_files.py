"""The real public records, every row of them, as forms; no network, and nothing of them in this repository.

The counts that they are held against are made here from the CSV alone.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from sluss_client import clock, importing, mappings
from sluss_client.mappings.rows import Made, Skipped
from sluss_client.mappings.values import slug_of
from sluss_schemas import forms
from sluss_schemas.ids import AGENCY_SECTORS
from sluss_schemas.policy.pack import builtin

from tests.importing.samples import made, refused

SCENE_FILE: Final = "polisen_scen_2023-04_2025-12.csv"
REVISIONS: Final = "polisen_revisioner.csv"
NEEDLES: Final = "boston_needle_2015.csv"
FILES: Final = {"polisen_scen": SCENE_FILE, "polisen_revisioner": REVISIONS, "boston_needles": NEEDLES}

# What each type of the scene file may say, and no more; the tables of the mappings are compared with this one.
TYPES: Final = {
    "Alkohollagen": ("order_incident", "other", None),
    "Anträffat gods": ("seizure_or_find", "find", None),
    "Bråk": ("order_incident", "quarrel", None),
    "Farligt föremål, misstänkt": ("order_incident", "other", None),
    "Fylleri/LOB": ("order_incident", "intox_care", None),
    "Häleri": ("order_incident", "other", None),
    "Knivlagen": ("order_incident", "other", "weapon"),
    "Kontroll": ("order_incident", "other", None),
    "Kontroll person/fordon": ("order_incident", "other", None),
    "Larm Överfall": ("order_incident", "other", None),
    "Misshandel": ("order_incident", "assault", None),
    "Misshandel, grov": ("order_incident", "assault", None),
    "Narkotikabrott": ("order_incident", "other", "drugs"),
    "Ofredande/förargelse": ("order_incident", "harassment", None),
    "Olaga hot": ("order_incident", "threat", None),
    "Olaga intrång": ("order_incident", "trespass", None),
    "Ordningslagen": ("order_incident", "other", "public_order"),
    "Rån": ("order_incident", "robbery", None),
    "Rån väpnat": ("order_incident", "robbery", None),
    "Rån övrigt": ("order_incident", "robbery", None),
    "Rån, försök": ("order_incident", "robbery", None),
    "Sabotage mot blåljusverksamhet": ("order_incident", "other", None),
    "Sedlighetsbrott": ("order_incident", "other", None),
    "Sjukdom/olycksfall": ("order_incident", "other", None),
    "Skadegörelse": ("order_incident", "damage", None),
    "Vapenlagen": ("order_incident", "other", "weapon"),
    "Våld/hot mot tjänsteman": ("order_incident", "other", "violence"),
}


def records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def signature(form: forms.Form) -> tuple[str, object, object]:
    sub_kind = getattr(form, "sub_kind", None) or getattr(form, "found_as", None)
    return forms.kind_name(type(form)), sub_kind, getattr(form, "enforcement_category", None)


def month_of(form: forms.Form, zone: str) -> str:
    return form.observed_at.astimezone(ZoneInfo(zone)).strftime("%Y-%m")


@pytest.mark.parametrize("mapping", FILES)
def test_every_row_is_a_form_that_its_owner_may_file(real_data: Path, mapping: str) -> None:
    reader = importing.reader(real_data / FILES[mapping], mappings.load(mapping))
    rows = list(reader)
    pack, now = builtin()[-1], datetime.fromtimestamp(clock.real(), ZoneInfo("UTC"))
    owner = AGENCY_SECTORS[str(reader.mapping.owner)]
    scenes = set(importing.scenes_of(reader))

    for row in made(rows):
        forms.check(row.form, owner=owner, now=now, scenes=scenes, pack=pack)

    assert refused(rows) == []
    assert len(rows) == len(records(real_data / FILES[mapping]))


def test_the_scene_file_leaves_to_the_revisions_what_is_theirs(real_data: Path) -> None:
    revised = {record["id"] for record in records(real_data / REVISIONS)}
    expected = [number for number, one in enumerate(records(real_data / SCENE_FILE), 2) if one["id"] in revised]

    rows = importing.reader(real_data / SCENE_FILE, mappings.load("polisen_scen"))

    assert [row.row for row in rows if isinstance(row, Skipped)] == expected
    assert len(expected) == 212


def test_counts_by_month_and_type_are_the_scene_files(real_data: Path, tmp_path: Path) -> None:
    # All rows, hence a copy without the file of revisions beside it.
    alone = tmp_path / SCENE_FILE
    alone.write_bytes((real_data / SCENE_FILE).read_bytes())
    given = records(alone)

    rows = made(list(importing.reader(alone, mappings.load("polisen_scen"))))

    assert len(rows) == len(given) == 12331
    types = {f"polisen:{record['id']}": record["type"] for record in given}
    found = Counter((month_of(row.form, "Europe/Stockholm"), types[row.source]) for row in rows)
    assert found == Counter((record["occurred_local"][:7], record["type"]) for record in given)
    assert {(types[row.source], *signature(row.form)) for row in rows} == {(type_, *to) for type_, to in TYPES.items()}


def test_revisions_are_versions_of_their_events_in_order(real_data: Path) -> None:
    given = records(real_data / REVISIONS)

    rows = made(list(importing.reader(real_data / REVISIONS, mappings.load("polisen_revisioner"))))

    assert (len(rows), len({row.source for row in rows})) == (1948, 949)
    assert [(row.source, row.version) for row in rows] == [
        (f"polisen:{one['id']}", int(one["version"])) for one in given
    ]
    found = Counter((month_of(row.form, "Europe/Stockholm"), row.form.situation) for row in rows)
    assert found == Counter((one["occurred_local"][:7], one["summary"].strip()) for one in given)


def test_every_type_that_the_police_ever_used_is_known(real_data: Path) -> None:
    # A new type is a bad row; these are all that the archive has seen.
    kinds = mappings.load("polisen").kind
    assert isinstance(kinds, mappings.Kinds)

    assert set(kinds.table) == {record["type"].strip() for record in records(real_data / "polisen_typer.csv")}


def test_no_event_ever_changes_its_kind(real_data: Path) -> None:
    rows = made(list(importing.reader(real_data / REVISIONS, mappings.load("polisen_revisioner"))))

    assert _several(rows) == []


def _several(rows: Iterable[Made]) -> list[str]:
    kinds: dict[str, set[int]] = {}
    for row in rows:
        kinds.setdefault(row.source, set()).add(row.form.KIND)
    return [source for source, found in kinds.items() if len(found) > 1]


def test_two_municipalities_whose_names_differ_in_a_ring_stay_two(real_data: Path) -> None:
    names = [record["municipality_name"] for record in records(real_data / "svenska_kommuner.csv")]

    assert len({slug_of(name) for name in names}) == len(names) == 290
    assert {"Håbo", "Habo"} <= set(names)


def test_needles_count_only_where_the_file_has_a_count(real_data: Path) -> None:
    given = records(real_data / NEEDLES)

    rows = made(list(importing.reader(real_data / NEEDLES, mappings.load("boston_needles"))))

    found = [row.form for row in rows if isinstance(row.form, forms.LitterNeedles)]
    counts = [one["needles_found_regex"] for one in given]
    assert [form.needles for form in found] == [int(count) if count else None for count in counts]
    assert sum(form.needles is None for form in found) == 249
    assert {(form.action, form.found_in, form.situation, tuple(form.items)) for form in found} == {
        (None, None, None, ())
    }


def test_needles_lie_where_and_when_the_file_says(real_data: Path) -> None:
    given = records(real_data / NEEDLES)

    rows = made(list(importing.reader(real_data / NEEDLES, mappings.load("boston_needles"))))

    places = [forms.place_of(row.form) for row in rows]
    assert [(place.lat, place.lon) for place in places if place is not None] == [
        (int(Decimal(one["lat"]) * 10**6), int(Decimal(one["lon"]) * 10**6)) for one in given
    ]
    found = Counter((row.scene_name, month_of(row.form, "America/New_York")) for row in rows)
    assert found == Counter((one["neighbourhood"], one["opened_local"][:7]) for one in given)
