"""What every pack of a jurisdiction has to keep stands apart from the packs, and other laws have other bounds."""

from __future__ import annotations

import msgspec
import pytest

from sluss_schemas.policy import Pack, PackRefused, at, builtin, by_digest, duties_due, load, sketches, violations
from sluss_schemas.policy.jurisdiction import of
from sluss_schemas.policy.offences import reaches_threshold, weighs_enough
from sluss_schemas.policy.pack import shipped as file_named

from tests.policy.table import PACK_BYTES, edited, shipped, with_cells

AGENCIES = [
    ("police", "POL", ("field", "supervisors")),
    ("social_services", "SOC", ("field", "supervisors", "reception")),
    ("security", "SEC", ("field", "supervisors")),
    ("municipality", "MUN", ("field", "supervisors")),
]
GUARDS_SEE_MORE = {"K05.SOC.SIT.SEC": "R"}
BOUNDS = ["protected", "outside", "person", "counts_only", "within", "owned", "between"]


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_pack_cannot_say_anything_about_its_own_bounds(bound: str) -> None:
    empty = f"\n[{bound}]\n" if bound == "owned" else f"{bound} = []\n"
    data = PACK_BYTES + empty.encode() if bound == "owned" else empty.encode() + PACK_BYTES
    with pytest.raises(PackRefused) as refused:
        load(data)
    assert refused.value.field == "file"


def test_bounds_are_read_from_the_jurisdictions_file_and_hold_for_every_pack_of_it() -> None:
    assert {pack.bounds.id for pack in builtin()} == {"SE"}
    loose = msgspec.structs.replace(shipped().bounds, within=())
    mutant = with_cells(shipped(), GUARDS_SEE_MORE)
    assert {each.invariant for each in violations(mutant)} == {"I4"}
    assert list(violations(msgspec.structs.replace(mutant, bounds=loose))) == []


@pytest.mark.parametrize(
    ("cells", "bound", "invariant"),
    [
        ({"K16.HLT.SIT.MUN": "D"}, {"protected": ()}, "I1"),
        ({"K01.POL.SUB.EXT": "D"}, {"outside": ()}, "I2"),
        ({"K01.POL.SUB.SUPX": "R"}, {"counts_only": ()}, "I3"),
        ({"K05.SOC.SIT.SEC": "R"}, {"within": ()}, "I4"),
    ],
)
def test_each_bound_is_what_refuses(cells: dict[str, str], bound: dict[str, tuple[()]], invariant: str) -> None:
    mutant = with_cells(shipped(), cells)
    assert {each.invariant for each in violations(mutant)} == {invariant}
    freed = msgspec.structs.replace(shipped().bounds, **bound)
    assert list(violations(msgspec.structs.replace(mutant, bounds=freed))) == []


def test_a_protected_kind_that_a_pack_lacks_is_a_violation() -> None:
    bounds = shipped().bounds
    other = msgspec.structs.replace(bounds.protected[0], kind="K99")
    pack = msgspec.structs.replace(shipped(), bounds=msgspec.structs.replace(bounds, protected=(other,)))
    assert [(each.invariant, each.cell) for each in violations(pack)] == [("I1", "K99")]


@pytest.mark.parametrize("text", ['id = "NO"', "id = 1", "\xff", "id = "])
def test_a_damaged_jurisdiction_is_refused(text: str) -> None:
    for find in (lambda _: text.encode("latin-1"), lambda _: None):
        with pytest.raises(PackRefused) as refused:
            of("SE", find)
        assert refused.value.field == "jurisdiction"


# sketches of other laws


def test_a_sketch_holds_by_its_own_bounds_and_is_never_adopted() -> None:
    assert {pack.id for pack in sketches()} == {"GB-2024-01-01", "NO-2024-01-01"}
    for pack in sketches():
        assert list(violations(pack)) == []
        assert pack.bounds.id == pack.jurisdiction != "SE"
        assert pack not in builtin()
        assert by_digest(pack.digest) is None
        assert at([pack, shipped()], pack.valid_from) == shipped()
        with pytest.raises(PackRefused):
            at([pack], pack.valid_from)


def test_a_sketch_cannot_call_itself_another_laws_pack() -> None:
    name = "GB-2024-01-01.toml"
    data = (file_named(name) or b"").replace(b'jurisdiction = "GB"', b'jurisdiction = "SE"')
    with pytest.raises(PackRefused) as refused:
        load(data)
    assert refused.value.say.startswith("I")


def test_the_same_cell_is_refused_here_and_holds_there() -> None:
    for pack in sketches():
        assert list(violations(with_cells(pack, GUARDS_SEE_MORE))) == []
    with pytest.raises(PackRefused):
        load(edited(GUARDS_SEE_MORE))


def test_one_event_has_another_threshold_age_duty_holder_count_and_day_by_law() -> None:
    se, gb, no = shipped(), _sketch("GB"), _sketch("NO")
    old = builtin()[0]
    # threshold: months, none ("necessary or expedient"), a list; and another number of months before April 2025
    assert [pack.parameters.crime_threshold for pack in (se, gb, no)] == ["months", "none", "listed"]
    assert reaches_threshold(se, "narcotics_sale")
    assert not reaches_threshold(old, "narcotics_sale")
    assert reaches_threshold(gb, "supply")
    assert reaches_threshold(gb, "possession")
    assert not reaches_threshold(no, "narcotics")
    assert reaches_threshold(no, "abuse_close")
    # age
    assert [pack.parameters.under21_age for pack in (se, gb, no)] == [21, None, None]
    assert [pack.parameters.criminal_age for pack in (se, gb, no)] == [15, 10, 15]
    # duty holder: of a guard's, and of a municipality's, report about somebody
    assert [_due(pack, "SEC") for pack in (se, gb, no)] == [["L11", "L14"], [], []]
    assert [_due(pack, "MUN") for pack in (se, gb, no)] == [["L11"], [], ["L41"]]
    assert {code for code, each in no.gateways.items() if each.duty} == {"L40", "L41"}
    # aggregation: a count for others here, incident points by duty every quarter there
    assert [pack.cell(1, "SOC", "PLC", "POL").code for pack in (se, gb, no)] == ["G", "T:L34", "G"]
    assert gb.gateways["L34"].task_hours == 90 * 24
    # date of entry into force
    days = [each.valid_from.isoformat() for each in builtin()]
    assert days == ["2024-01-01", "2025-04-01", "2025-07-01", "2025-12-01", "2026-01-15"]
    assert [pack.valid_from.isoformat() for pack in (gb, no)] == ["2024-01-01"] * 2


# offences


@pytest.mark.parametrize(
    ("offence", "completed", "attempt"),
    [
        ("narcotics_own_use", (False, False), (False, False)),
        ("narcotics_sale", (False, True), (False, False)),
        ("narcotics_gross", (True, True), (True, True)),
        ("assault_gross", (True, True), (False, True)),
        ("nothing_that_is_listed", (False, False), (False, False)),
    ],
)
def test_an_offence_reaches_the_threshold_of_its_time(
    offence: str, completed: tuple[bool, bool], attempt: tuple[bool, bool]
) -> None:
    packs = (builtin()[0], shipped())
    assert tuple(reaches_threshold(pack, offence) for pack in packs) == completed
    assert tuple(reaches_threshold(pack, offence, attempt=True) for pack in packs) == attempt


def test_a_ground_asks_for_its_own_weight_of_crime() -> None:
    pack = shipped()
    heavy, any_prison, none = (pack.gateways[code] for code in ("L07", "L08", "L10"))
    assert [weighs_enough(pack, each, "narcotics_own_use") for each in (heavy, any_prison, none)] == [False, True, True]
    assert [weighs_enough(pack, each, "unknown") for each in (heavy, any_prison, none)] == [False, False, True]


def test_a_ground_about_chapters_opens_for_their_offences_alone() -> None:
    """Crimes against a child of any weight; serious violence only where no penalty is lighter than a year."""
    pack, before = shipped(), next(one for one in builtin() if one.id == "SE-2025-07-01")
    child, close = (
        {code for code in pack.offences if weighs_enough(pack, pack.gateways[ground], code)}
        for ground in ("L05", "L16")
    )
    assert close == {
        *("murder", "manslaughter", "assault_gross", "violation_gross", "deprivation_of_liberty", "trafficking"),
        *("rape", "rape_child"),
    }
    assert child - close == {"assault", "threat", "threat_gross", "genital_mutilation", "virginity_check"}
    assert weighs_enough(pack, pack.gateways["L05"], "assault", attempt=True)
    assert not weighs_enough(pack, pack.gateways["L16"], "murder", attempt=True)
    assert not weighs_enough(before, before.gateways["L05"], "virginity_check")
    assert weighs_enough(before, before.gateways["L05"], "genital_mutilation")


@pytest.mark.parametrize(
    "change",
    [
        ('chapters = ["BrB 3", "BrB 4", "BrB 6"]', 'chapters = ["BrB 33"]'),
        ('chapters = ["BrB 3", "BrB 4", "BrB 6"]', "chapters = []"),
        ('least = "min_penalty_months_close"', 'least = "notice"'),
        ('offence = "prison"', 'offence = "prison"\nleast = "min_penalty_months_close"'),
    ],
)
def test_a_ground_about_offences_that_stand_nowhere_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(PackRefused) as refused:
        load(edited(texts=[change]))
    assert refused.value.field in {"gateway.L16", "gateway.L08"}


def test_the_table_has_the_scales_of_the_act_on_narcotics() -> None:
    scales = {code: (each.min_months, each.max_months) for code, each in shipped().offences.items()}
    assert scales["narcotics_own_use"] == (0, 36)
    assert scales["narcotics_sale"] == (6, 36)
    assert scales["narcotics_gross"] == (24, 84)


def _sketch(jurisdiction: str) -> Pack:
    return next(pack for pack in sketches() if pack.jurisdiction == jurisdiction)


def _due(pack: Pack, owner: str) -> list[str]:
    return duties_due(pack, 1, owner, pack.valid_from)  # type: ignore[arg-type]
