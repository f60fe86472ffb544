"""A pack that is built on another says only what differs, and names what it lies on by its hash."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from sluss_schemas.policy import Pack, PackRefused, load
from sluss_schemas.policy.pack import shipped as file_named

from tests.policy.table import PACK_BYTES, shipped

HASH = hashlib.sha256(PACK_BYTES).hexdigest()
HEAD = f"""
id = "SE-2027-01-01"
extends = "SE-2026-01-15"
extends_digest = "{HASH}"
valid_from = 2027-01-01
"""


def test_what_is_not_said_is_as_in_the_pack_below() -> None:
    pack = load(HEAD.encode())
    assert (pack.id, pack.extends, pack.valid_from.year) == ("SE-2027-01-01", "SE-2026-01-15", 2027)
    assert pack.digest == hashlib.sha256(HEAD.encode()).digest()
    same = {name: getattr(shipped(), name) for name in ("id", "extends", "valid_from", "digest")}
    assert msgspec.structs.replace(pack, **same) == shipped()


def test_parameters_grounds_rows_kinds_and_cells_are_laid_over_the_pack_below() -> None:
    pack = _on("""
        [parameters]
        min_penalty_months = 3
        [gateway.L17]
        max_hours = 6
        [kind.K09]
        en = "Something broken"
        [owner.POL.SIT]
        cells = { HLT = "G" }
        [[override]]
        kind = "K10"
        owners = ["HLT"]
        compartments = ["SIT"]
        cells = { PUB = "D" }
        law = ["OSL 25:1"]
        en = "a"
        sv = "b"
        """)
    old = shipped()
    assert (pack.parameters.min_penalty_months, old.parameters.min_penalty_months) == (3, 6)
    assert (pack.gateways["L17"].max_hours, pack.gateways["L17"].tests) == (6, old.gateways["L17"].tests)
    assert (pack.kinds[9].en, pack.kinds[9].owners) == ("Something broken", old.kinds[9].owners)
    assert pack.base["POL", "SIT", "HLT"].code == "G"
    assert pack.base["POL", "SIT", "SOC"] == old.base["POL", "SIT", "SOC"]
    assert (pack.cell(10, "HLT", "SIT", "PUB").code, pack.cell(10, "HLT", "SIT", "PUB").why) == ("D", "a")
    # A row below is still overridden by the lines below: they are laid on first.
    assert pack.cell(3, "POL", "SIT", "HLT") == old.cell(3, "POL", "SIT", "HLT")


def test_a_ground_gives_way_to_another_in_the_cells_of_its_owners_with_reasons_of_its_own() -> None:
    pack = _on(_reground("L08", "L10", "MUN"))
    changed = {key for key, cell in pack.cells.items() if cell.code != shipped().cells[key].code}
    assert {key[1:] for key in changed} == {("MUN", "ENF", "POL")}
    cell = pack.cell(1, "MUN", "ENF", "POL")
    assert (cell.code, cell.why, cell.law) == ("T:L12 / B:L10", "new", ("OSL 1:1",))
    assert pack.cell(1, "MUN", "ENF", "SOC") == shipped().cell(1, "MUN", "ENF", "SOC")


def test_a_duty_that_gives_way_to_no_duty_is_for_somebody_to_decide() -> None:
    pack = _on(_reground("L14", "L17", "SEC"))
    assert (pack.cell(1, "SEC", "SUB", "POL").code, pack.cell(1, "SEC", "SUB", "POL").duties) == ("B:L17", ())
    assert pack.cell(4, "SEC", "AUT", "POL").code == "P / B:L17"


def test_a_cell_from_which_the_last_ground_goes_is_closed() -> None:
    assert _on(_reground("L14", "", "SEC")).cell(3, "SEC", "SIT", "POL").code == "D"


def test_an_owner_who_is_not_named_keeps_the_ground_in_the_same_line() -> None:
    pack = _on(_reground("L11", "", "SEC"))
    assert (pack.cell(7, "SEC", "SIT", "SOC").code, pack.cell(7, "MUN", "SIT", "SOC").code) == ("D", "T:L11")


def test_citations_are_put_in_the_words_of_the_law_of_then() -> None:
    pack = _on('[cited]\n"SoL 19:1" = "SoL 14:1"\n"LOV 17 §" = ""')
    assert pack.gateways["L11"].law == ("SoL 14:1", "OSL 10:28")
    assert pack.base["SEC", "CAR", "SOC"].law == ("SoL 14:1",)
    assert not {law for cell in pack.cells.values() for law in cell.law} & {"SoL 19:1", "LOV 17 §"}


def test_packs_lie_on_packs_that_lie_on_packs() -> None:
    below = HEAD.encode()
    digest = hashlib.sha256(below).hexdigest()
    text = HEAD.replace("2027", "2028").replace("SE-2026-01-15", "SE-2027-01-01").replace(HASH, digest)
    files = {"SE-2027-01-01.toml": below}
    pack = load(text.encode(), find=lambda name: files.get(name) or file_named(name))
    assert (pack.id, pack.extends, pack.cells) == ("SE-2028-01-01", "SE-2027-01-01", shipped().cells)


BROKEN = [
    ("extends_digest", HEAD.replace(HASH, "00" * 32)),
    ("extends_digest", HEAD.replace(HASH, HASH.upper())),
    ("extends", HEAD.replace('"SE-2026-01-15"', '"SE-1999-01-01"')),
    ("extends", HEAD.replace('"SE-2026-01-15"', '"../packs/SE-2026-01-15"').replace(HASH, HASH)),
    ("id", HEAD.replace("SE-2027-01-01", "SE-2026-01-15")),
    ("file", HEAD.replace('id = "SE-2027-01-01"', "")),
    ("file", HEAD.replace("extends_digest", "digest")),
    ("file", HEAD + "[parameters]\nnothing = 1"),
    ("file", HEAD + '[gateway.L99]\nen = "half of one"'),
    ("remove.gateway", HEAD + '[remove]\ngateway = ["L99"]'),
    ("remove.nothing", HEAD + '[remove]\nnothing = ["L01"]'),
    ("K01.POL.SUB.SOC", HEAD + '[remove]\ngateway = ["L09"]'),
    ("cited", HEAD + '[cited]\n"OSL 99:1" = ""'),
    ("file", HEAD + "[[reground]]\nground = 'L09'"),
]


@pytest.mark.parametrize(("field", "text"), BROKEN)
def test_a_layer_that_does_not_fit_is_refused_at_the_place_that_is_wrong(field: str, text: str) -> None:
    with pytest.raises(PackRefused) as refused:
        load(text.encode())
    assert refused.value.field == field


def test_a_change_that_changes_nothing_is_refused() -> None:
    with pytest.raises(PackRefused) as refused:
        _on(_reground("L14", "L01", "HLT"))
    assert refused.value.field == "reground"


def test_a_layer_is_held_to_every_invariant_and_to_the_floor() -> None:
    wider = '[owner.SOC.PLC]\ncells = { SEC = "R" }'
    with pytest.raises(PackRefused) as refused:
        _on(wider)
    assert (refused.value.field, refused.value.say[:2]) == ("K01.SOC.PLC.SEC", "I4")
    with pytest.raises(PackRefused) as refused:
        load((HEAD + '[owner.SOC.PLC]\ncells = { POL = "R" }').encode(), floor=shipped())
    assert refused.value.say.startswith("I8")


def _on(text: str) -> Pack:
    return load((HEAD + text).encode())


def _reground(ground: str, by: str, owner: str) -> str:
    return (
        f'[[reground]]\nowners = ["{owner}"]\nground = "{ground}"\nby = "{by}"\n'
        'law = ["OSL 1:1"]\nen = "new"\nsv = "ny"\n'
    )
