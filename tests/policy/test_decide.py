"""Who holds which slots, for the kinds and stories that show each rule at work.

Bitmaps are written as compartments: `SIT` the full section, `sit` the brief alone.
"""

from __future__ import annotations

import ast
import inspect
import re
from types import ModuleType
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas.ids import COMPARTMENTS, FUNCTIONS, SECTORS, Compartment, Function, Sector, bit
from sluss_schemas.policy import (
    Decision,
    Receiver,
    Slots,
    allowed,
    answers,
    collected,
    decide,
    load,
    open_to,
    readers,
    slots,
)
from sluss_schemas.policy.answers import AgreedCell, Ground

from tests.policy.table import PACK_BYTES, edited, shipped, with_cells

ALL = "SIT PLC SUB CAR ENF SAF AUT ATT"
EVERYBODY = [
    Receiver(sector, function, own, named)
    for sector in SECTORS
    for function in FUNCTIONS
    for own in (False, True)
    for named in (False, True)
]


def shown(bits: int) -> str:
    words = (c if bits & bit(c) else c.lower() if bits & bit(c, brief=True) else "" for c in COMPARTMENTS)
    return " ".join(word for word in words if word)


def field(sector: Sector) -> Receiver:
    return Receiver(sector, "field", own=False)


OPEN = [
    # the issue of a guard's incident: everybody the situation, nobody the person
    ("K01", "SEC", "POL", "SIT PLC SAF aut"),
    ("K01", "SEC", "SOC", "SIT PLC enf SAF aut"),
    ("K01", "SEC", "MUN", "SIT PLC enf saf aut"),
    ("K01", "SEC", "HLT", "sit plc saf aut"),
    ("K01", "SEC", "SEC", ""),  # another company of guards is not the own agency
    # S01 a find: to the police by duty alone, to the others the note
    ("K03", "SEC", "POL", ""),
    ("K03", "SEC", "SOC", "sit plc enf SAF aut"),
    ("K03", "SEC", "MUN", "SIT enf saf aut"),
    ("K03", "SEC", "HLT", "sit plc saf aut"),
    # S02 a seizure by the police
    ("K03", "POL", "SOC", "sit plc enf SAF aut"),
    ("K03", "POL", "SEC", "sit plc enf SAF aut"),
    ("K03", "POL", "MUN", "sit enf saf aut"),
    ("K03", "POL", "HLT", "sit plc enf saf aut"),
    # S03 an outreach contact is for nobody else, though its caution and alias would be automatic
    ("K05", "SOC", "POL", ""),
    ("K05", "SOC", "SEC", ""),
    ("K05", "SOC", "MUN", ""),
    ("K05", "SOC", "HLT", ""),
    # S06 a report of concern: nothing by itself, not even to social services
    ("K07", "SEC", "POL", ""),
    ("K07", "SEC", "SOC", ""),
    ("K07", "SEC", "MUN", ""),
    ("K07", "SEC", "HLT", ""),
    ("K07", "POL", "SEC", ""),
    # S09 needles: the point to those who clean and care
    ("K10", "MUN", "POL", "SIT SAF aut att"),
    ("K10", "MUN", "SEC", "SIT SAF aut att"),
    ("K10", "MUN", "SOC", "SIT PLC SAF aut"),
    ("K10", "MUN", "HLT", "sit PLC saf aut"),
    # S10 a protected service
    *(("K16", "HLT", sector, "") for sector in SECTORS),
    # S11 an overdose
    ("K04", "SEC", "POL", "SIT PLC SAF aut"),
    ("K04", "SEC", "SOC", "SIT PLC enf SAF aut"),
    ("K04", "SEC", "MUN", "SIT PLC enf saf aut"),
    ("K04", "SEC", "HLT", "SIT PLC saf aut"),
    # S12 somebody is missing
    *(("K06", "SOC", sector, "") for sector in SECTORS),
    # S17 a threat against a guard
    ("K12", "SEC", "POL", "SIT PLC SAF aut"),
    ("K12", "SEC", "SOC", "SIT PLC enf SAF aut"),
    ("K12", "SEC", "HLT", "sit plc saf aut"),
    # S22 a planned operation of the police
    *(("K13", "POL", sector, "") for sector in SECTORS),
    # a handover and a referral
    *(("K17", "SEC", sector, "") for sector in SECTORS),
    *(("K19", "HLT", sector, "") for sector in SECTORS),
    # a tip: in reduced form, and to the police from the municipality by duty
    ("K15", "POL", "SEC", "sit plc enf SAF"),
    ("K15", "MUN", "POL", ""),
]


@pytest.mark.parametrize(("kind", "owner", "sector", "expected"), OPEN)
def test_another_agencys_field_holds_what_is_automatic_and_carried(
    kind: str, owner: Sector, sector: Sector, expected: str
) -> None:
    found = slots(shipped(), int(kind[1:]), owner, field(sector))
    assert shown(found.open) == expected
    assert found.held == 0


DUTIES = [
    ("K01", "SEC", Receiver("POL", "field", own=False), {"L14": "SIT PLC SUB ENF SAF aut"}),
    ("K01", "SEC", Receiver("SOC", "reception", own=False), {"L11": "SIT PLC SUB CAR enf SAF aut"}),
    ("K01", "SEC", Receiver("SOC", "supervisors", own=False), {"L11": "SIT PLC SUB CAR enf SAF aut"}),
    ("K01", "SEC", Receiver("SOC", "field", own=False), {}),
    ("K01", "SEC", Receiver("POL", "supervisors", own=False), {}),
    ("K03", "SEC", Receiver("POL", "field", own=False), {"L14": "SIT PLC SUB ENF SAF aut ATT"}),
    ("K03", "MUN", Receiver("POL", "field", own=False), {"L12": "SIT PLC SUB ENF SAF aut ATT"}),
    ("K03", "POL", Receiver("SOC", "field", own=False), {"L13": "sit plc SUB CAR enf SAF aut"}),
    ("K03", "POL", Receiver("SOC", "reception", own=False), {"L11": "SIT PLC SUB CAR enf SAF aut"}),
    ("K04", "SEC", Receiver("POL", "field", own=False), {"L14": "SIT PLC ENF SAF aut"}),
    ("K07", "SEC", Receiver("SOC", "reception", own=False), {"L11": ALL}),
    ("K07", "SOC", Receiver("POL", "field", own=False), {}),
    ("K15", "MUN", Receiver("POL", "field", own=False), {"L12": "SIT PLC SUB ENF SAF att"}),
    ("K16", "HLT", Receiver("SOC", "reception", own=False), {"L11": "SUB CAR"}),
    ("K16", "HLT", Receiver("POL", "field", own=False), {}),
]


@pytest.mark.parametrize(("kind", "owner", "receiver", "expected"), DUTIES)
def test_a_duty_that_was_sent_gives_its_cells_what_is_automatic_and_where_it_was(
    kind: str, owner: Sector, receiver: Receiver, expected: dict[str, str]
) -> None:
    found = slots(shipped(), int(kind[1:]), owner, receiver)
    assert {code: shown(bits) for code, bits in found.duties.items()} == expected


GATEWAYS = [
    # S03: prevention gives the name and the plan, never the care talk, and no place
    ("K05", "SOC", "POL", "L03", "SUB ENF saf aut ATT"),
    ("K05", "SOC", "POL", "L01", "SUB CAR ENF saf aut ATT"),
    # S05: an immediate intervention needs to know where
    ("K05", "SOC", "POL", "L04", "SIT PLC SUB ENF saf aut ATT"),
    ("K05", "SOC", "SEC", "L17", "SIT PLC SUB CAR saf aut"),
    ("K05", "SOC", "SEC", "L03", ""),
    # S11: the guards' supervisor decides whether the police must know who
    ("K04", "SEC", "POL", "L14", "SIT PLC SUB SAF AUT ATT"),
    ("K04", "SEC", "POL", "L17", "SIT PLC CAR SAF aut"),
    # S12
    ("K06", "SOC", "POL", "L17", "SIT PLC SUB CAR aut ATT"),
    ("K06", "SOC", "HLT", "L15", "SIT PLC SUB CAR SAF aut ATT"),
    ("K11", "POL", "SEC", "L02", "SIT PLC SUB SAF aut ATT"),
    ("K16", "HLT", "SOC", "L15", "SUB CAR"),
    ("K16", "HLT", "POL", "L17", ""),
]


@pytest.mark.parametrize(("kind", "owner", "sector", "code", "expected"), GATEWAYS)
def test_a_gateway_gives_its_cells_and_lifts_the_place_as_far_as_it_needs(
    kind: str, owner: Sector, sector: Sector, code: str, expected: str
) -> None:
    assert shown(slots(shipped(), int(kind[1:]), owner, field(sector)).gateways.get(code, 0)) == expected


OWN = [
    ("K01", "SEC", "field", False, ALL),
    ("K01", "SEC", "field", True, ALL),
    ("K05", "SOC", "field", False, ALL),
    ("K05", "SOC", "reception", False, ""),
    ("K06", "SOC", "field", False, ""),
    ("K06", "SOC", "field", True, ALL),
    ("K07", "SEC", "field", False, ""),
    ("K07", "SEC", "field", True, ALL),
    ("K12", "SEC", "field", False, "SIT SAF"),
    ("K12", "SEC", "field", True, ALL),
    ("K19", "HLT", "field", False, ""),
    ("K19", "HLT", "field", True, ALL),
    ("K16", "HLT", "field", False, ALL),
    ("K09", "MUN", "field", False, "SIT PLC SAF AUT ATT"),
    ("K15", "POL", "field", False, "SIT PLC SUB CAR ENF SAF ATT"),
    ("K17", "SEC", "field", False, ALL),
]


@pytest.mark.parametrize(("kind", "owner", "function", "named", "expected"), OWN)
def test_own_staff_hold_everything_and_where_it_is_a_case_only_the_named_do(
    kind: str, owner: Sector, function: Function, *, named: bool, expected: str
) -> None:
    found = slots(shipped(), int(kind[1:]), owner, Receiver(owner, function, own=True, named=named))
    assert shown(found.open) == expected
    assert (found.held, found.duties, found.gateways) == (0, {}, {})


HELD = [
    ("K01", "SEC", ALL),
    ("K06", "SOC", ALL),
    ("K09", "MUN", "SIT PLC SAF AUT ATT"),
    ("K15", "POL", ALL),  # the staff member who took the tip, by a field of the pack
    ("K16", "HLT", ALL),
    ("K18", "SOC", "SIT PLC SAF AUT ATT"),
]


@pytest.mark.parametrize(("kind", "owner", "expected"), HELD)
def test_own_supervisors_hold_what_the_server_keeps_back_and_read_nothing_by_themselves(
    kind: str, owner: Sector, expected: str
) -> None:
    receiver = Receiver(owner, "supervisors", own=True)
    found = slots(shipped(), int(kind[1:]), owner, receiver)
    assert (found.open, shown(found.held), shown(found.gateways["L22"])) == (0, expected, expected)
    assert allowed(shipped(), int(kind[1:]), owner, receiver) == found.held
    for compartment in COMPARTMENTS:
        decision = open_to(shipped(), int(kind[1:]), owner, receiver, compartment)
        opened = open_to(shipped(), int(kind[1:]), owner, receiver, compartment, grants={"L22": found.held})
        assert decision.form is None
        assert (opened.form == "full") == (compartment in expected.split())


def test_nobody_else_holds_the_author_of_a_tip() -> None:
    for receiver in EVERYBODY:
        if not (receiver.own and receiver.function == "supervisors" and not receiver.named):
            assert not allowed(shipped(), 15, "POL", receiver) & (bit("AUT") | bit("AUT", brief=True))


def test_other_agencies_supervisors_hold_nothing_without_a_duty() -> None:
    for kind, owner, _, _ in shipped().cells:
        for sector in SECTORS:
            assert allowed(shipped(), kind, owner, Receiver(sector, "supervisors", own=False)) == 0


def test_a_secret_kind_is_allowed_what_any_secret_kind_of_the_owner_is() -> None:
    named = Receiver("SOC", "field", own=True, named=True)
    assert shown(allowed(shipped(), 0, "SOC", named)) == ALL
    assert allowed(shipped(), 0, "SOC", Receiver("SOC", "field", own=True)) == 0
    assert shown(allowed(shipped(), 0, "HLT", Receiver("HLT", "field", own=True))) == ALL
    assert slots(shipped(), 0, "SEC", Receiver("SEC", "field", own=True, named=True)) == Slots()
    union = slots(shipped(), 0, "HLT", field("SOC"))
    for kind in (6, 16, 19):
        for code, bits in slots(shipped(), kind, "HLT", field("SOC")).gateways.items():
            assert union.gateways[code] & bits == bits


COLLECTED = [
    ("K01", "SEC", ALL),
    ("K09", "MUN", "SIT PLC SAF AUT ATT"),
    ("K10", "HLT", "SIT PLC SAF AUT ATT"),
    ("K14", "POL", "SIT PLC ENF SAF AUT ATT"),
    ("K15", "POL", ALL),
    ("K18", "HLT", "SIT PLC SAF AUT ATT"),
    ("K00", "SOC", ALL),
    ("K05", "POL", ""),
]


@pytest.mark.parametrize(("kind", "owner", "expected"), COLLECTED)
def test_what_a_kind_does_not_collect_is_known_from_the_owners_column(kind: str, owner: Sector, expected: str) -> None:
    assert collected(shipped(), int(kind[1:]), owner) == frozenset(expected.split())


# one row for each step of the order, and for each step that beats the next
ORDER = [
    ("K09", "MUN", "POL", "SUB", {"L12": ALL}, "", "not_collected", None),
    ("K16", "HLT", "POL", "SIT", {"L17": ALL, "L01": ALL}, "", "hard_deny", None),
    ("K05", "SOC", "POL", "SUB", {"L12": ALL}, "", "default_deny", None),  # exempt: another owner's ground
    ("K01", "SEC", "POL", "SIT", {}, "embargo", "default_deny", None),
    ("K01", "SEC", "POL", "SUB", {"L14": "SUB"}, "embargo", "duty", "full"),
    ("K01", "SEC", "POL", "SUB", {"L14": "SUB"}, "denied", "duty", "full"),
    ("K01", "SEC", "POL", "SUB", {"L14": ""}, "", "default_deny", None),
    ("K01", "SEC", "POL", "SIT", {}, "denied", "explicit_deny", None),
    ("K05", "SOC", "POL", "SUB", {"L03": "SUB"}, "denied", "explicit_deny", None),
    ("K05", "SOC", "POL", "SUB", {"L03": "SUB"}, "", "gateway", "full"),
    ("K05", "SOC", "POL", "CAR", {"L03": "SUB CAR"}, "", "default_deny", None),
    ("K05", "SOC", "POL", "SUB", {"L99": ALL}, "", "default_deny", None),
    ("K01", "SEC", "POL", "SIT", {}, "", "automatic", "full"),
    ("K01", "SEC", "HLT", "SIT", {}, "", "automatic", "brief"),
    ("K01", "SEC", "POL", "AUT", {}, "", "automatic", "brief"),
    ("K01", "SEC", "POL", "AUT", {"L14": "AUT"}, "", "gateway", "full"),
    ("K05", "SOC", "POL", "AUT", {}, "", "default_deny", None),  # the carrier rule
    ("K05", "POL", "SOC", "SIT", {}, "", "default_deny", None),  # no such rule
    ("K99", "SEC", "POL", "SIT", {}, "", "default_deny", None),
]


@pytest.mark.parametrize(("kind", "owner", "sector", "compartment", "grants", "flag", "ground", "form"), ORDER)
def test_the_steps_are_taken_in_order(
    *,
    kind: str,
    owner: Sector,
    sector: Sector,
    compartment: Compartment,
    grants: dict[str, str],
    flag: str,
    ground: str,
    form: str | None,
) -> None:
    given_ = {code: sum(bit(c) for c in COMPARTMENTS if c in text.split()) for code, text in grants.items()}
    decision = open_to(
        shipped(),
        int(kind[1:]),
        owner,
        field(sector),
        compartment,
        grants=given_,
        embargo=flag == "embargo",
        denied=flag == "denied",
    )
    assert (decision.ground, decision.form) == (ground, form)
    assert decision.rule_id == f"{kind}.{owner}.{compartment}.{sector}"


def test_every_ground_of_a_decision_has_a_row_above_or_a_case_of_its_own() -> None:
    reached = {row[6] for row in ORDER} | {"own", "held", "agreement"}
    assert reached == set(get_args(Ground))
    agreed = Receiver("SOC", "field", own=False, agreed=(AgreedCell(13, "SIT", "SOC", "R"),))
    assert open_to(shipped(), 13, "POL", agreed, "SIT").ground == "agreement"
    own = open_to(shipped(), 1, "SEC", Receiver("SEC", "field", own=True), "SUB")
    held = open_to(shipped(), 1, "SEC", Receiver("SEC", "supervisors", own=True), "SUB")
    assert (own.ground, held.ground) == ("own", "held")


def test_an_x_is_never_lifted_by_a_grant_about_the_person() -> None:
    found = slots(shipped(), 16, "HLT", Receiver("SOC", "reception", own=False))
    assert shown(found.duties["L11"]) == "SUB CAR"


# how a ground may be narrowed, and whom it then still reaches of guards' duty to inform the police
NARROWED = [
    ({}, {"L14"}),
    ({"owners": ("MUN",)}, set()),
    ({"receivers": ("SOC",)}, set()),
    ({"receiver_function": "reception"}, set()),
    ({"receiver_authority": True}, {"L14"}),
]


@pytest.mark.parametrize(("narrower", "expected"), NARROWED)
def test_a_ground_is_offered_only_as_the_statute_offers_it(narrower: dict[str, object], expected: set[str]) -> None:
    pack = shipped()
    ground = msgspec.structs.replace(pack.gateways["L14"], **narrower)
    changed = msgspec.structs.replace(pack, gateways={**pack.gateways, "L14": ground})
    assert set(slots(changed, 1, "SEC", field("POL")).duties) == expected


def test_a_ground_between_authorities_reaches_no_sector_that_is_none() -> None:
    pack = shipped()
    no_authority = msgspec.structs.replace(pack, authorities=("SOC", "MUN", "HLT"))
    assert slots(no_authority, 1, "SEC", field("POL")).duties == {}
    assert "L17" in slots(no_authority, 1, "SEC", field("POL")).gateways


def test_a_pack_without_a_ground_offers_it_to_nobody() -> None:
    pack = shipped()
    gateways = {code: each for code, each in pack.gateways.items() if code != "L14"}
    assert slots(msgspec.structs.replace(pack, gateways=gateways), 1, "SEC", field("POL")).duties == {}


def test_a_grant_that_is_not_about_a_person_lifts_no_place() -> None:
    pack = with_cells(shipped(), {"K01.SEC.PLC.POL": "D"})
    assert shown(slots(pack, 1, "SEC", field("POL")).gateways["L14"]) == "SIT SAF AUT ATT"


def test_a_duty_reaches_an_audience_and_no_person_by_name() -> None:
    named = Receiver("POL", "field", own=False, named=True)
    found = slots(shipped(), 1, "SEC", named)
    assert (found.open, found.duties) == (0, {})
    assert set(found.gateways) == {"L14", "L17"}


def test_supervisors_who_stand_in_for_a_reception_read_what_the_duty_gave_them() -> None:
    receiver = Receiver("SOC", "supervisors", own=False)
    sent = slots(shipped(), 7, "SEC", receiver).duties
    told = open_to(shipped(), 7, "SEC", receiver, "SUB", grants=sent)
    assert (told.ground, told.form, told.rule_id, told.gateway) == ("duty", "full", "K07.SEC.SUB.SOC", "L11")
    before = open_to(shipped(), 7, "SEC", receiver, "SUB")
    assert (before.form, before.rule_id) == (None, "K07.SEC.SUB.SUPX")


def test_an_own_receiver_of_another_sector_is_nobody() -> None:
    assert slots(shipped(), 1, "SEC", Receiver("POL", "field", own=True)) == Slots()
    assert slots(shipped(), 1, "SEC", Receiver("POL", "supervisors", own=True)) == Slots()


KINDS = st.sampled_from(sorted({(kind, owner) for kind, owner, _, _ in shipped().cells}))
RECEIVERS = st.sampled_from(EVERYBODY)
BITS = st.integers(0, 0xFFFF)
CODES = st.sampled_from([*sorted(shipped().gateways), "L99"])
GRANTS = st.dictionaries(CODES, BITS, max_size=4)


def _row_of(kind: int, owner: Sector, receiver: Receiver) -> dict[Compartment, str]:
    where = decide.column(owner, receiver)
    return {c: shipped().cell(kind, owner, c, where).code for c in COMPARTMENTS}


def _form(bits: int, compartment: Compartment) -> str | None:
    return "full" if bits & bit(compartment) else "brief" if bits & bit(compartment, brief=True) else None


@given(of=KINDS, receiver=RECEIVERS, embargo=st.booleans())
def test_nobody_has_open_what_a_cell_does_not_give_without_a_decision(
    of: tuple[int, Sector], receiver: Receiver, *, embargo: bool
) -> None:
    kind, owner = of
    found = slots(shipped(), kind, owner, receiver, embargo=embargo)
    for compartment, code in _row_of(kind, owner, receiver).items():
        first = code.split(" / ", maxsplit=1)[0]
        may = {"O": {"full"}, "A": {"full"}, "R": {"brief"}, "P": {"brief"}}.get(first, set())
        assert _form(found.open, compartment) in {None, *may}


@given(KINDS, RECEIVERS)
def test_whoever_has_anything_open_has_the_situation(of: tuple[int, Sector], receiver: Receiver) -> None:
    found = slots(shipped(), *of, receiver)
    assert found.open == 0 or _form(found.open, "SIT") is not None


@given(KINDS, RECEIVERS)
def test_an_embargo_takes_from_others_and_never_gives(of: tuple[int, Sector], receiver: Receiver) -> None:
    free = slots(shipped(), *of, receiver)
    kept = slots(shipped(), *of, receiver, embargo=True)
    assert kept.open & ~free.open == 0
    assert receiver.own or kept.open == 0
    assert kept.held == free.held
    for before, after in ((free.duties, kept.duties), (free.gateways, kept.gateways)):
        assert before.keys() == after.keys()
        assert all(after[code] & ~before[code] == 0 for code in before)
    if receiver.own:
        assert kept == free


@given(
    of=KINDS,
    receiver=RECEIVERS,
    compartment=st.sampled_from(COMPARTMENTS),
    grants=GRANTS,
    embargo=st.booleans(),
    denied=st.booleans(),
)
def test_nothing_opens_a_hard_deny_or_what_is_not_collected(
    *,
    of: tuple[int, Sector],
    receiver: Receiver,
    compartment: Compartment,
    grants: dict[str, int],
    embargo: bool,
    denied: bool,
) -> None:
    decision = open_to(shipped(), *of, receiver, compartment, grants=grants, embargo=embargo, denied=denied)
    cell = next(each for each in shipped().cells.values() if each.rule_id == decision.rule_id)
    if cell.automatic == "N" or (cell.automatic == "X" and decision.ground != "gateway"):
        assert decision.form is None
    if cell.automatic == "X" and decision.form is not None:
        assert (decision.rule_id[:3], decision.gateway) == ("K15", "L22")


@given(KINDS, RECEIVERS, st.sampled_from(COMPARTMENTS), GRANTS)
def test_a_grant_opens_no_more_than_its_ground_offers(
    of: tuple[int, Sector], receiver: Receiver, compartment: Compartment, grants: dict[str, int]
) -> None:
    found = slots(shipped(), *of, receiver)
    most = found.open
    for code, bits in grants.items():
        most |= bits & (found.duties.get(code, 0) | found.gateways.get(code, 0))
    got = open_to(shipped(), *of, receiver, compartment, grants=grants)
    assert _rank(got) <= {None: 0, "brief": 1, "full": 2}[_form(most, compartment)]


@given(
    of=KINDS,
    receiver=RECEIVERS,
    compartment=st.sampled_from(COMPARTMENTS),
    grants=GRANTS,
    code=CODES,
    bits=BITS,
)
def test_one_more_grant_never_closes_and_a_deny_never_opens(
    *,
    of: tuple[int, Sector],
    receiver: Receiver,
    compartment: Compartment,
    grants: dict[str, int],
    code: str,
    bits: int,
) -> None:
    more = {**grants, code: grants.get(code, 0) | bits}
    before = open_to(shipped(), *of, receiver, compartment, grants=grants)
    assert _rank(open_to(shipped(), *of, receiver, compartment, grants=more)) >= _rank(before)
    assert _rank(open_to(shipped(), *of, receiver, compartment, grants=grants, denied=True)) <= _rank(before)


@given(of=KINDS, receiver=RECEIVERS, embargo=st.booleans())
def test_a_decision_about_one_compartment_agrees_with_the_bitmap(
    of: tuple[int, Sector], receiver: Receiver, *, embargo: bool
) -> None:
    bits = slots(shipped(), *of, receiver, embargo=embargo).open
    for compartment in COMPARTMENTS:
        assert open_to(shipped(), *of, receiver, compartment, embargo=embargo).form == _form(bits, compartment)


@given(of=KINDS, receiver=RECEIVERS, embargo=st.booleans())
def test_the_same_question_has_the_same_answer_and_leaves_the_pack_alone(
    of: tuple[int, Sector], receiver: Receiver, *, embargo: bool
) -> None:
    first = slots(shipped(), *of, receiver, embargo=embargo)
    first_again = slots(FRESH, *of, receiver, embargo=embargo)
    assert first == first_again
    first.duties.clear()
    first.gateways.clear()
    assert slots(shipped(), *of, receiver, embargo=embargo) == first_again


FRESH = load(PACK_BYTES)


def test_a_pack_that_narrows_a_cell_narrows_what_is_sealed() -> None:
    pack = load(edited({"K01.SEC.SIT.HLT": "G"}))
    assert slots(pack, 1, "SEC", field("HLT")).open == 0
    assert shown(slots(pack, 1, "SEC", field("POL")).open) == "SIT PLC SAF aut"


@pytest.mark.parametrize("module", [decide, answers, readers])
def test_the_engine_knows_no_statute_no_kind_no_sector_and_no_number(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    numbers = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
    }
    documents = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)}
    for text in texts - documents:
        assert re.search(r"\b[LK]\d\d\b", text) is None
        assert text not in SECTORS
        assert re.search(r"\b(SE|OSL|SoL|LOV|Stockholm)\b", text) is None
    assert numbers <= {0, 1}


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def test_the_engine_is_short_enough_to_read_in_one_sitting() -> None:
    assert len(inspect.getsource(decide).splitlines()) < 250


def _rank(decision: Decision) -> int:
    return {None: 0, "brief": 1, "full": 2}[decision.form]
