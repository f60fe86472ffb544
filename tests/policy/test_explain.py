"""An explanation says what holds, by which rule, and what could open it, in words for the person who asks."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluss_schemas.ids import SECTORS, Column, Compartment, Function, Sector
from sluss_schemas.policy import PackRefused, Receiver, at, builtin, cells
from sluss_schemas.policy.explain import Way, explain, told
from sluss_schemas.policy.readers import Language

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


LANGUAGES: tuple[Language, ...] = ("en", "sv")
POLICE = Receiver("POL", "field", own=False)
END = 1_770_152_400
"""Ten in the evening of 3 February 2026 in Stockholm."""


def test_what_is_open_by_itself_names_its_rule_its_pack_and_the_first_day_of_it() -> None:
    en, sv = (told(shipped(), 1, "SEC", POLICE, "SIT", lang=lang) for lang in LANGUAGES)
    assert (en.form, en.ground, en.chain, en.ends) == ("full", "automatic", (), None)
    assert en.sentences[0].startswith("The police may read the situation in full.")
    assert en.sentences[1] == (
        f"Rule K01.SEC.SIT.POL of the pack SE-2026-01-15, in force from 2026-01-15 ({'; '.join(en.law)})."
    )
    assert sv.sentences[1].startswith("Regel K01.SEC.SIT.POL i paketet SE-2026-01-15, som gäller från 2026-01-15 (")
    assert len(en.sentences) == len(sv.sentences) == 2


def test_what_a_grant_opened_names_the_ground_its_statute_and_its_end() -> None:
    everything = (1 << 16) - 1
    ways = [Way("L14", everything, END)]
    before, after = (told(shipped(), 1, "SEC", POLICE, "SUB", ways=some) for some in ([], ways))
    assert (before.form, before.ground) == (None, "default_deny")
    assert "There is a duty to tell: guard informs police." in before.sentences[0]
    assert (after.form, after.ground, after.ends) == ("full", "duty", END)
    assert after.sentences[0] == (
        "The police may read who it is about in full, because the duty was answered: "
        "guard informs police (LOV 14 §; LOV 13 §)."
    )
    assert after.sentences[-1] == "It ends 2026-02-03 22:00 at the latest."
    assert [(link.code, link.law) for link in after.chain] == [("L14", ("LOV 14 §", "LOV 13 §"))]
    assert told(shipped(), 1, "SEC", POLICE, "SUB", ways=[Way("L14", everything), *ways]).ends is None


def test_an_embargo_and_a_row_that_is_held_back_say_so() -> None:
    held = told(shipped(), 1, "SEC", Receiver("SEC", "supervisors", own=True), "SUB")
    assert held.sentences[0].startswith("The own supervisors may open who it is about for a task or a stated reason")
    kept = told(shipped(), 1, "SEC", POLICE, "SIT", embargo=True)
    assert (kept.form, kept.sentences[0]) == (
        None,
        "Until the report is released nobody outside the own agency reads the situation.",
    )


def test_a_day_before_has_the_law_of_that_day() -> None:
    older = at(builtin(), date(2026, 1, 10))
    found = told(older, 7, "SEC", Receiver("SOC", "reception", own=False), "SUB")
    assert (found.pack, found.valid_from) == ("SE-2025-12-01", "2025-12-01")
    assert "There is a duty" not in found.sentences[0]


def test_a_statute_is_told_with_the_day_since_which_it_reads_so_and_never_a_later_one() -> None:
    guard = {"kind": 7, "owner": "SEC", "receiver": Receiver("SOC", "reception", own=False), "compartment": "SUB"}
    now, then = (told(at(builtin(), day), **guard) for day in (date(2026, 1, 20), date(2025, 12, 20)))  # type: ignore[arg-type]  # the four
    assert "(SoL 19:1 (wording since 2026-01-15); OSL 10:28)" in now.sentences[1]
    assert "SoL 19:4 (wording since 2025-07-01)" in then.sentences[1]
    assert "lydelse sedan 2026-01-15" in told(shipped(), **guard, lang="sv").sentences[1]  # type: ignore[arg-type]  # the same
    for pack in builtin():
        assert all(one.since <= pack.valid_from for one in pack.law.values()), pack.id
    assert next(pack.id for pack in builtin() if "OSL 10:18a" in pack.law) == "SE-2025-04-01"
    cited = {law for cell in shipped().cells.values() for law in cell.law}
    cited |= {law for ground in shipped().gateways.values() for law in ground.law}
    assert shipped().law.keys() - cited <= {"SoL 18:2", "SoL 18:6", "SoL 15:6", "SoL 19:6", "lag 2025:170 4 §"}


@settings(max_examples=80)
@given(st.sampled_from(sorted(shipped().cells)), st.integers(0, 0xFFFF), st.sampled_from(LANGUAGES))
def test_every_part_of_every_report_can_be_told_to_everybody(
    key: tuple[int, Sector, Compartment, Column], slots: int, lang: Language
) -> None:
    kind, owner, compartment, column = key
    sector: Sector = column if column in SECTORS else owner
    function: Function = "supervisors" if column in {"SUP", "SUPX"} else "field"
    receiver = Receiver(sector, function, own=sector == owner)
    ways = [Way(code, slots) for code in shipped().gateways]
    found = told(shipped(), kind, owner, receiver, compartment, ways=ways, lang=lang)
    assert (found.form is None) == (found.ground in {"not_collected", "hard_deny", "held", "default_deny"})
    assert all("{" not in sentence for sentence in found.sentences)
    assert all(link.code in found.sentences[0] or link.name in found.sentences[0] for link in found.chain[:1])
