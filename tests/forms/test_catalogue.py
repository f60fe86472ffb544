"""The documentation of the forms is the code's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluss_schemas.forms import FORMS, catalogue, form_type, kind_name, markdown
from sluss_schemas.ids import COMPARTMENT_CODES, KINDS

from tests.forms.samples import PACK


def test_the_page_of_the_forms_is_the_catalogue(repository: Path) -> None:
    page = repository / "docs" / "forms.md"

    assert page.read_text("utf-8") == markdown(), "write it again: forms.markdown()"


def test_there_is_a_form_for_every_kind_named_as_the_pack_names_it() -> None:
    assert list(FORMS) == list(KINDS)
    assert {kind: kind_name(form) for kind, form in FORMS.items()} == {
        kind: entry.name for kind, entry in PACK.kinds.items()
    }
    assert [form_type(kind_name(form)) for form in FORMS.values()] == list(FORMS.values())


def test_every_field_says_what_it_means_and_where_it_goes() -> None:
    rows = catalogue()

    assert [row for row in rows if not row.doc] == []
    assert {row.section for row in rows} <= set(COMPARTMENT_CODES)
    assert len({(row.kind, row.field) for row in rows}) == len(rows)


@pytest.mark.parametrize("kind", list(FORMS))
def test_every_kind_takes_a_scene_a_time_a_situation_a_place_and_safety_cues(kind: int) -> None:
    names = [row.field for row in catalogue() if row.kind == kind]

    assert names[:5] == ["scene", "observed_at", "situation", "place", "safety"]
