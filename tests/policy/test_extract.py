"""What is told to a person who asks, by the pack's own table, and that a pack without one tells nothing."""

from __future__ import annotations

import msgspec
import pytest

from sluss_schemas.ids import COMPARTMENTS, kind_code
from sluss_schemas.policy import PackRefused, builtin, load
from sluss_schemas.policy.extract import Divided, ExtractRules, divide
from sluss_schemas.policy.pack import sketches

from tests.policy.table import PACK_BYTES, shipped

_FOUND = shipped().extract
assert _FOUND is not None
RULES: ExtractRules = _FOUND


def parted(kind: str = "K05", owner: str = "SOC", **holds: object) -> Divided:
    values: dict[str, object] = {"embargo": False, "others": False, "named": ()}
    return divide(RULES, kind, owner, **(values | holds))  # type: ignore[arg-type]  # the facts of one report


def codes(found: Divided) -> dict[str, str]:
    return {one.part: one.code for one in found.left_out}


def test_who_told_and_who_wrote_is_never_told_and_an_informant_by_another_statute() -> None:
    for pack in builtin():
        assert pack.extract is not None
        for kind in pack.kinds.values():
            for owner in kind.owners:
                found = divide(pack.extract, kind_code(kind.number), owner, embargo=False, others=False, named=())
                assert not {"AUT", "ATT"} & set(found.told)
                informant = codes(found)["AUT"] == "informant"
                assert informant == (kind_code(kind.number) in {"K06", "K07", "K15"})
    assert {one.law for one in parted("K06").left_out if one.part == "AUT"} == {("OSL 26:5",)}
    assert codes(parted("K15", "POL")) == dict.fromkeys(("SIT", "PLC", "ENF", "AUT"), "informant") | {
        "ATT": "attachment"
    }


def test_of_which_kinds_only_the_day_is_told_the_pack_says_and_it_has_to_have_them() -> None:
    assert RULES.day_only == ("K12",)
    with pytest.raises(PackRefused) as refused:
        load(PACK_BYTES.replace(b'day_only = ["K12"]', b'day_only = ["K99"]'))
    assert refused.value.field == "extract.day_only"


def test_what_is_about_others_or_names_them_or_is_kept_back_is_left_out_with_its_statute() -> None:
    assert parted().told == ("SIT", "PLC", "SUB", "CAR", "ENF", "SAF")
    crowd = parted(others=True)
    assert crowd.told == ("SIT", "PLC", "SUB")
    assert codes(crowd) | {"SUB": "other_person", "CAR": "other_person"} == codes(crowd)
    named = parted(named={"SIT", "SUB"})
    assert named.told == ("PLC", "SUB", "CAR", "ENF", "SAF"), "the own entry is theirs in any case"
    assert codes(named) == {"SIT": "review", "SUB": "review", "AUT": "author_at_risk", "ATT": "attachment"}
    kept = parted(embargo=True, others=True)
    assert kept.told == ()
    assert codes(kept) == dict.fromkeys(COMPARTMENTS, "embargo") | {"AUT": "author_at_risk"}
    assert {one.law for one in kept.left_out if one.part == "SUB"} == {("OSL 18:1",)}
    assert codes(parted("K01", "POL"))["ENF"] == "enforcement"
    assert codes(parted("K01", "SOC")).get("ENF") is None
    assert all(one.law and one.en and one.sv for one in (*kept.left_out, *crowd.left_out, *named.left_out))


def test_a_part_that_the_table_does_not_tell_stays_closed() -> None:
    narrow = msgspec.structs.replace(RULES, tells=("SIT",), withhold=())
    found = divide(narrow, "K05", "SOC", embargo=False, others=False, named=())
    assert found.told == ("SIT",)
    assert {one.code for one in found.left_out} == {"closed"}
    assert {one.law for one in found.left_out} == {("OSL 12:1",)}


def test_earlier_packs_have_the_table_and_sketches_cite_their_own_law() -> None:
    for pack in builtin():
        assert pack.extract == RULES
    for sketch in sketches():
        assert sketch.extract is not None
        assert not any("OSL" in law for one in sketch.extract.withhold for law in (*one.law, *sketch.extract.law))


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ('kinds = ["K06", "K07"]', 'kinds = ["K06", "K77"]'),
        ('law = ["OSL 26:5"]', "law = []"),
        ('when = "embargo"', 'when = "sometimes"'),
        ('parts = ["ATT"]', 'parts = ["NAM"]'),
    ],
)
def test_a_reason_without_a_kind_a_statute_or_a_known_part_is_refused(there: str, instead: str) -> None:
    text = PACK_BYTES.decode()
    start = text.index("[extract]")
    assert there in text[start:]
    with pytest.raises(PackRefused):
        load((text[:start] + text[start:].replace(there, instead, 1)).encode())
