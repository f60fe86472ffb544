"""An explanation says what holds, by which rule, and what could open it, in words for the person who asks."""

from __future__ import annotations

import pytest

from sluss_schemas.ids import Column, Compartment, Sector
from sluss_schemas.policy import PackRefused, cells
from sluss_schemas.policy.explain import explain

from tests.policy.table import shipped, stated

EXPLAINED: list[tuple[int, Sector, Compartment, Column, str, str]] = [
    (1, "SEC", "SIT", "POL", "The police may read the situation in full.", "Polisen läser läget i sin helhet."),
    (1, "SEC", "SIT", "HLT", "Health services may read the situation in short form.", "Vården läser läget i kortform."),
    (
        1,
        "SEC",
        "SUB",
        "POL",
        "The police may not read who it is about. There is a duty to tell: guard informs police.",
        "Polisen får inte läsa vem det gäller. Det finns en skyldighet att berätta: ordningsvakt underrättar polisen.",
    ),
    (1, "SEC", "SUB", "EXT", "Property owners and partners may never read", "Fastighetsägare och andra samverkande"),
    (5, "SOC", "SIT", "POL", "The police may see counts only", "Polisen ser bara siffror"),
    (5, "SOC", "SAF", "POL", "The police may not even know of such a report", "Polisen får inte ens veta"),
    (5, "SOC", "SUB", "SEC", "Guards may not read who it is about. A decision can open it: consent, emergency.",
     "Ordningsvakter får inte läsa vem det gäller. Ett beslut kan öppna: samtycke, nöd."),
    (7, "SEC", "SUB", "SEC", "The author and named case staff may read", "Skribenten och utsedda handläggare läser"),
    (12, "SEC", "SIT", "SEC", "Guards may read the situation in full.", "Ordningsvakter läser läget i sin helhet."),
    (9, "MUN", "SUB", "POL", "This kind of report does not hold who it is about.", "Den här sortens rapport har inte"),
    (9, "MUN", "SIT", "EXT", "Property owners and partners may get the situation only in a note", "Fastighetsägare"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "owner", "compartment", "column", "english", "swedish"), EXPLAINED)
def test_a_cell_is_explained_in_a_sentence(
    *, kind: int, owner: Sector, compartment: Compartment, column: Column, english: str, swedish: str
) -> None:
    cell = shipped().cell(kind, owner, compartment, column)
    en = explain(shipped(), kind, owner, compartment, column)
    sv = explain(shipped(), kind, owner, compartment, column, lang="sv")
    assert en.sentence.startswith(english)
    assert sv.sentence.startswith(swedish)
    assert en.sentence.endswith(cell.why)
    assert sv.sentence.endswith(cell.why_sv)
    assert (en.rule_id, en.code, en.law) == (cell.rule_id, cell.code, cell.law)
    assert [code for code, _ in en.gateways] == [*cell.duties, *cell.gateways]


def test_every_cell_can_be_explained_and_no_two_languages_agree() -> None:
    pack = shipped()
    for key in pack.cells:
        en, sv = explain(pack, *key), explain(pack, *key, lang="sv")
        assert "{" not in en.sentence + sv.sentence
        assert en.sentence != sv.sentence
        assert all(name != code for code, name in (*en.gateways, *sv.gateways))


def test_what_is_not_there_has_no_explanation() -> None:
    with pytest.raises(PackRefused):
        explain(shipped(), 5, "POL", "SIT", "POL")


def test_the_table_of_cells_is_complete_and_says_what_the_pack_says() -> None:
    rows = list(cells(shipped()))
    assert len(rows) == 4464
    assert rows[0]._fields == ("kind", "owner", "compartment", "audience", "code")
    assert {f"{row.kind}.{row.owner}.{row.compartment}.{row.audience}": row.code for row in rows} == stated()
