"""Every invariant has a pack that breaks just it, and that pack is refused by the name of its cell."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from sluss_schemas.policy import Pack, PackRefused, check_against_floor, load, violations
from sluss_schemas.policy.model import Gateway, Kind

from tests.policy.table import edited, shipped, with_cells

HEALTH_GROUNDS = "B:L01,L03,L05,L07,L16,L17"
# invariant, the cell named, cells changed, text replaced in the file (the same change as the two that follow it)
MUTANTS = [
    ("I1", "K16.HLT.SIT.MUN", {"K16.HLT.SIT.MUN": "D"}, []),
    ("I1", "K16.HLT.AUT.POL", {"K16.HLT.AUT.POL": "P"}, []),
    ("I2", "K01.POL.SUB.EXT", {"K01.POL.SUB.EXT": "D"}, []),
    ("I2", "K05.SOC.CAR.PUB", {"K05.SOC.CAR.PUB": "G"}, []),
    ("I3", "K01.POL.SUB.SUPX", {"K01.POL.SUB.SUPX": "R"}, []),
    ("I4", "K05.SOC.SIT.SEC", {"K05.SOC.SIT.SEC": "R"}, []),
    ("I4", "K04.HLT.CAR.SEC", {"K04.HLT.CAR.SEC": "B:L01,L17"}, []),
    (
        "I5",
        "K04.HLT.SUB.POL",
        {"K04.HLT.SUB.POL": HEALTH_GROUNDS},
        [('en = "prevention, under 21"', "L03", ["SOC"], ["SOC", "HLT"])],
    ),
    (
        "I6",
        "K01.SEC.ENF.POL",
        {"K01.SEC.ENF.POL": "T:L14 / B:L08"},
        [('en = "committed crime, other secrecy"', "L08", ["MUN"], ["MUN", "SEC"])],
    ),
    ("I7", "K01.POL.SIT.SEC", {"K01.POL.SIT.SEC": "P"}, []),
    ("I7", "K01.POL.SIT.SOC", {"K01.POL.SIT.SOC": "O"}, []),
    ("ground", "K01.SEC.SUB.HLT", {"K01.SEC.SUB.HLT": "B:L15,L17"}, []),
    ("ground", "K01.SEC.SUB.MUN", {"K01.SEC.SUB.MUN": "B:L14"}, []),
    ("ground", "K01.SEC.SUB.SOC", {"K01.SEC.SUB.SOC": "T:L11,L17 / B:L01"}, []),
    ("ground", "K01.POL.SUB.SUP", {"K01.POL.SUB.SUP": "B:L01"}, []),
    ("ground", "K01.POL.SUB.MUN", {"K01.POL.SUB.MUN": "B:L22"}, []),
]


def test_the_shipped_pack_breaks_nothing() -> None:
    assert list(violations(shipped(), floor=shipped())) == []


@pytest.mark.parametrize(("invariant", "cell", "cells", "grounds"), MUTANTS)
def test_a_pack_that_breaks_one_invariant_breaks_just_that_one(
    invariant: str,
    cell: str,
    cells: Mapping[str, str],
    grounds: list[tuple[str, str, list[str], list[str]]],
) -> None:
    gateways = dict(shipped().gateways)
    for _, code, _, owners in grounds:
        gateways[code] = msgspec.structs.replace(gateways[code], owners=tuple(owners))
    mutant = msgspec.structs.replace(with_cells(shipped(), cells), gateways=gateways)
    broken = list(violations(mutant))
    assert {each.invariant for each in broken} == {invariant}
    assert {each.cell for each in broken} == {cell}


@pytest.mark.parametrize(("invariant", "cell", "cells", "grounds"), MUTANTS)
def test_a_file_that_breaks_an_invariant_is_refused_by_its_cell(
    invariant: str,
    cell: str,
    cells: Mapping[str, str],
    grounds: list[tuple[str, str, list[str], list[str]]],
) -> None:
    data = edited(cells)
    for name, _, old, new in grounds:
        start = data.index(name.encode())
        data = data[:start] + data[start:].replace(_listed(old), _listed(new), 1)
    with pytest.raises(PackRefused) as refused:
        load(data)
    assert (refused.value.code, refused.value.field) == ("pack_refused", cell)
    assert refused.value.say.startswith(f"{invariant}: ")


def test_i7_a_cell_without_a_code_is_refused_by_name() -> None:
    whole = 'HLT = "R", SUP = "G / B:L22", SUPX = "G", EXT = "G", PUB = "G" }'
    with pytest.raises(PackRefused) as refused:
        load(edited(texts=[(whole, whole.replace(', PUB = "G"', ""))]))
    assert refused.value.field == "SOC.SIT.PUB"


def test_i7_a_cell_missing_or_too_much_in_a_pack_is_a_violation() -> None:
    pack = shipped()
    key = (1, "SEC", "SIT", "POL")
    less = {each: cell for each, cell in pack.cells.items() if each != key}
    broken = list(violations(msgspec.structs.replace(pack, cells=less)))
    assert [(each.invariant, each.cell) for each in broken] == [("I7", "K01.SEC.SIT.POL")]


def test_i7_a_code_that_says_something_else_than_its_parts_is_a_violation() -> None:
    pack = shipped()
    cell = pack.cell(1, "SEC", "SUB", "MUN")
    lying = {**pack.cells, (1, "SEC", "SUB", "MUN"): msgspec.structs.replace(cell, automatic="A")}
    broken = list(violations(msgspec.structs.replace(pack, cells=lying)))
    assert ("I7", "K01.SEC.SUB.MUN") in [(each.invariant, each.cell) for each in broken]


def test_i9_own_staff_who_get_no_situation_get_nothing() -> None:
    with pytest.raises(PackRefused) as refused:
        load(edited(texts=[('whole_field = ["SIT", "SAF"]', 'whole_field = ["SAF"]')]))
    assert refused.value.field == "K12.SEC.SIT.SEC"
    assert refused.value.say.startswith("I9: ")
    kind = msgspec.structs.replace(shipped().kinds[12], whole_field=("SAF",))
    broken = list(violations(_with_kind(shipped(), kind)))
    assert {each.invariant for each in broken} == {"I9"}
    assert {each.cell for each in broken} == {f"K12.{owner}.SIT.{owner}" for owner in kind.owners}


def test_i10_an_authors_name_goes_to_no_other_agency_by_itself() -> None:
    with pytest.raises(PackRefused) as refused:
        load(edited({"K01.SEC.AUT.POL": "A"}))
    assert (refused.value.field, refused.value.say[:5]) == ("K01.SEC.AUT.POL", "I10: ")
    # Where the situation opens by a duty alone, the name comes with what answers it.
    assert shipped().cells[7, "SEC", "AUT", "SOC"].code == "A"
    broken = list(violations(with_cells(shipped(), {"K07.SEC.SIT.SOC": "A"})))
    assert [(each.invariant, each.cell) for each in broken] == [("I10", "K07.SEC.AUT.SOC")]


# an agency's own pack over the statutory one: what it changes, and whether it may
NARROWER = [
    {"K01.SEC.SIT.SOC": "R"},
    {"K01.SEC.SIT.SOC": "D"},
    {"K05.SOC.SUB.SEC": "B:L17"},
    {"K05.SOC.SUB.SEC": "X"},
    {"K05.SOC.SAF.POL": "G", "K05.SOC.SAF.SEC": "G"},
]
# closed by policy, so an agreement may open it as far as the base row, or to `A` where that is closed too
OPENED = [
    {"K02.POL.PLC.EXT": "R"},
    {"K01.SEC.ENF.HLT": "R"},
    {"K01.MUN.ENF.SOC": "A"},
]
WIDER = [
    {"K05.SOC.SIT.POL": "R"},
    {"K01.SOC.SUB.MUN": "B:L01,L17"},
    {"K02.POL.PLC.EXT": "A"},
    {"K02.POL.SUB.MUN": "A"},
    {"K01.SEC.ENF.HLT": "B:L17"},
    {"K12.SEC.CAR.POL": "A"},
    {"K07.SEC.SUB.POL": "A"},
]


@pytest.mark.parametrize("cells", [*NARROWER, *OPENED])
def test_i8_an_agency_may_narrow_and_may_open_what_only_policy_closed(cells: dict[str, str]) -> None:
    assert load(edited(cells), floor=shipped()).cells != shipped().cells


@pytest.mark.parametrize("cells", WIDER)
def test_i8_an_agency_may_not_go_beyond_the_statute(cells: dict[str, str]) -> None:
    with pytest.raises(PackRefused) as refused:
        load(edited(cells), floor=shipped())
    assert refused.value.field in cells
    assert refused.value.say.startswith("I8: ")


def test_i8_an_agreement_that_guards_may_get_outreach_names_cannot_be_activated() -> None:
    broken = list(violations(with_cells(shipped(), {"K05.SOC.SUB.SEC": "A"}), floor=shipped()))
    assert ("I8", "K05.SOC.SUB.SEC") in [(each.invariant, each.cell) for each in broken]


def test_an_agency_may_not_drop_a_duty() -> None:
    with pytest.raises(PackRefused) as refused:
        load(edited({"K07.SEC.SUB.SOC": "D"}), floor=shipped())
    assert refused.value.field == "K07.SEC.SUB.SOC"
    assert refused.value.say.startswith("duty: ")


def test_i8_no_cell_may_be_made_automatic_unless_it_was_or_only_policy_closed_it() -> None:
    floor = shipped()
    everything = with_cells(floor, {cell.rule_id: "A" for cell in floor.cells.values()})
    refused = {each.cell for each in check_against_floor(everything, floor)}
    for (_, *row), cell in floor.cells.items():
        base = floor.base[tuple(row)]  # type: ignore[index]
        may = cell.code in {"A", "O"} or (cell.code == "D" and base.code in {"A", "D", "O"})
        assert (cell.rule_id in refused) is not may


def test_grounds_stand_apart_from_the_file_so_that_an_edit_of_both_is_refused() -> None:
    pack = shipped()
    gateways: dict[str, Gateway] = dict(pack.gateways)
    gateways["L14"] = msgspec.structs.replace(gateways["L14"], owners=("SEC", "MUN"))
    mutant = msgspec.structs.replace(with_cells(pack, {"K01.MUN.SUB.POL": "T:L12,L14"}), gateways=gateways)
    assert {each.invariant for each in violations(mutant)} == {"I5"}


def _listed(owners: list[str]) -> bytes:
    return ("owners = [" + ", ".join(f'"{owner}"' for owner in owners) + "]").encode()


def _with_kind(pack: Pack, kind: Kind) -> Pack:
    return msgspec.structs.replace(pack, kinds={**pack.kinds, kind.number: kind})
