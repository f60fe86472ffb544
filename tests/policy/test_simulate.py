"""What a pack or an agreement would change is told cell by cell, and nothing that stays is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluss_schemas.ids import SECTORS
from sluss_schemas.policy import PackRefused
from sluss_schemas.policy.model import CellKey
from sluss_schemas.policy.simulate import overlaid, simulate

from tests.policy.table import shipped

KEYS: list[CellKey] = [key for key in shipped().cells if key[3] in SECTORS]
CODES = ["A", "R", "P", "G", "D", "X", "N", "T:L11", "B:L01,L17", "T:L11 / B:L01", "R / B:L17"]


def test_a_pack_changes_nothing_against_itself() -> None:
    assert simulate(shipped(), shipped()) == []


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(CODES), max_size=6))
def test_exactly_the_changed_cells_are_told_and_the_way_back_is_the_opposite(codes: dict[CellKey, str]) -> None:
    pack = shipped()
    there, back = simulate(pack, codes), simulate(overlaid(pack, codes), pack)
    expected = {key for key, code in codes.items() if code != pack.cells[key].code}
    told = {(int(one.kind[1:]), one.owner, one.compartment, one.audience) for one in there}
    # Two ways of writing the same cell are no change.
    assert told <= expected
    assert [one.after for one in there] == [one.before for one in back]
    opposite = {"wider": "narrower", "narrower": "wider", "other": "other"}
    assert [opposite[one.direction] for one in there] == [one.direction for one in back]
    assert all(one.en and one.sv and "{" not in one.en + one.sv for one in there)


@pytest.mark.parametrize(
    ("key", "code", "direction", "english", "swedish"),
    [
        ((1, "SEC", "SIT", "HLT"), "A", "wider", "in short form, then in full", "i kortform, sedan i sin helhet"),
        ((1, "SEC", "SIT", "POL"), "D", "narrower", "in full, then nothing", "i sin helhet, sedan inget"),
        ((1, "SEC", "SUB", "SEC"), "D", "narrower", "Guards, who it is about", "Ordningsvakter, vem det gäller"),
        ((5, "SOC", "SUB", "SEC"), "B:L01", "narrower", "any more: L17 (emergency)", "längre: L17 (nöd)"),
        ((5, "SOC", "SUB", "SEC"), "B:L01,L15", "other", "could open it: L15", "kan öppna: L15"),
        ((1, "SEC", "SUB", "MUN"), "T:L11", "wider", "a new duty to tell: L11", "ny skyldighet att berätta: L11"),
    ],
)  # fmt: skip
def test_a_change_is_said_in_words(*, key: CellKey, code: str, direction: str, english: str, swedish: str) -> None:
    (change,) = simulate(shipped(), {key: code})
    assert (change.before, change.after) == (shipped().cells[key].code, code)
    assert change.direction == direction
    assert english in change.en
    assert swedish in change.sv


def test_a_kind_that_only_one_pack_has_is_told() -> None:
    pack = shipped()
    without = msgspec.structs.replace(pack, cells={key: cell for key, cell in pack.cells.items() if key[0] != 18})
    gained = simulate(without, pack)
    assert {one.kind for one in gained} == {"K18"}
    assert {one.direction for one in gained if one.after == "R"} == {"wider"}
    assert all("no such report before" in one.en for one in gained)
    assert {one.direction for one in simulate(pack, without) if one.before == "R"} == {"narrower"}


def test_an_overlay_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(PackRefused):
        simulate(shipped(), {(16, "POL", "SIT", "SOC"): "A"})
    with pytest.raises(PackRefused):
        simulate(shipped(), {(1, "SEC", "SIT", "POL"): "Z"})
