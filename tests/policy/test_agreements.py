"""What agreements can open, by the pack: never anything below the floor, and exactly what their terms say above it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sluss_schemas.agreeing import Standing
from sluss_schemas.ids import COMPARTMENTS, KINDS, NO_SCENE, SECTORS, Compartment, Sector, bit
from sluss_schemas.policy import invariants
from sluss_schemas.policy.agreements import agreed, gains, opens, refusals, with_terms
from sluss_schemas.policy.answers import AgreedCell, Receiver
from sluss_schemas.policy.cells import within_base
from sluss_schemas.policy.decide import open_to, slots
from sluss_schemas.policy.overlay import opened
from sluss_schemas.terms import Terms, TermsCell, place_of

from tests.policy.table import shipped, with_cells

START, END = 1_790_000_000, 1_800_000_000
Opened = tuple[str, str]
"""A part and its form, as `K13.POL.SIT.SOC` and `R`."""


def agency(sector: str, number: int = 1) -> bytes:
    return f"{sector}{number}".encode().ljust(16)


SECTOR_OF: Final[dict[bytes, Sector]] = {agency(sector): sector for sector in SECTORS}


def cell(rule: str, code: str) -> TermsCell:
    kind, owner, compartment, receiver = rule.split(".")
    return TermsCell(int(kind[1:]), agency(owner), compartment, agency(receiver), code)  # type: ignore[arg-type]


def terms(*parts: Opened, scenes: tuple[int, ...] | None = None) -> Terms:
    cells = tuple(sorted((cell(*part) for part in parts), key=place_of))
    return Terms(b"a" * 16, tuple(sorted(SECTOR_OF)), cells, scenes, "A purpose.", "S-1", START, END)


def why(*parts: Opened, scenes: tuple[int, ...] | None = None) -> list[tuple[str, str]]:
    return [(one.rule_id, one.why) for one in refusals(shipped(), terms(*parts, scenes=scenes), SECTOR_OF)]


PLAN: Final = (("K13.POL.SIT.SOC", "R"), ("K13.POL.PLC.SOC", "R"))
"""Outreach knows where the police are at work."""


# what is refused

TABLE: Final[list[tuple[Opened, str]]] = [
    (("K05.SOC.SUB.SEC", "A"), "statute"),
    (("K05.SOC.PLC.POL", "R"), "statute"),
    (("K16.HLT.SIT.POL", "R"), "statute"),
    (("K01.SEC.SIT.POL", "A"), "statute"),
    (("K13.POL.SIT.POL", "A"), "statute"),
    (("K16.POL.SIT.SOC", "R"), "unknown"),
    (("K99.POL.SIT.SOC", "R"), "unknown"),
    (("K01.SEC.SUB.MUN", "A"), "person"),
    (("K01.SEC.CAR.MUN", "R"), "person"),
    (("K17.SOC.SUB.POL", "A"), "person"),
    (("K13.POL.SIT.HLT", "A"), "base"),
    (("K05.SOC.PLC.SEC", "R"), "base"),
    (("K03.POL.ATT.MUN", "A"), "picture"),
    (("K06.SOC.SIT.POL", "R"), "secret"),
    (("K19.HLT.SIT.MUN", "R"), "secret"),
    (("K13.POL.SIT.SOC", "P"), "alias"),
    (("K08.SOC.ENF.SEC", "R"), "limit"),
    (("K13.POL.PLC.SOC", "A"), "carrier"),
]


@pytest.mark.parametrize(("part", "reason"), TABLE)
def test_a_part_that_no_agreement_can_open_is_refused_with_the_reason(part: Opened, reason: str) -> None:
    assert why(part) == [(part[0], reason)]


def test_what_policy_alone_keeps_closed_can_be_opened() -> None:
    assert why(*PLAN) == []
    assert why(("K03.POL.PLC.MUN", "A")) == []
    assert why(("K17.SEC.SIT.POL", "A"), ("K17.SEC.AUT.POL", "P"), ("K17.SEC.SIT.SOC", "G")) == []


def test_what_would_let_an_authors_name_go_by_itself_is_refused_as_a_whole() -> None:
    named, opened_too = with_cells(shipped(), {"K13.POL.AUT.SOC": "A"}), terms(("K13.POL.SIT.SOC", "R"))
    assert list(invariants.violations(named)) == []
    assert refusals(shipped(), opened_too, SECTOR_OF) == []
    assert [one.rule_id for one in refusals(named, opened_too, SECTOR_OF)] == ["K13.POL.SIT.SOC"]


def test_guards_are_given_no_more_than_the_police_are_given_by_the_same_agreement() -> None:
    assert why(("K17.SOC.SIT.SEC", "R")) == [("K17.SOC.SIT.SEC", "limit")]
    assert why(("K17.SOC.SIT.SEC", "R"), ("K17.SOC.SIT.POL", "R")) == []
    assert why(("K17.SOC.SIT.SEC", "R"), ("K17.SOC.SIT.POL", "G")) == [("K17.SOC.SIT.SEC", "limit")]


def test_an_agreement_for_some_scenes_opens_the_place_too_so_that_everybody_can_keep_to_them() -> None:
    assert why(("K13.POL.SIT.SOC", "R"), scenes=(1,)) == [("K13.POL.SIT.SOC", "place")]
    assert why(*PLAN, scenes=(1,)) == []


def test_the_refusal_cites_the_rule_the_statutes_and_what_the_law_allows_instead() -> None:
    """S15: the heads sign that outreach workers give guards the names of whom they meet."""
    (refusal,) = refusals(shipped(), terms(("K05.SOC.SUB.SEC", "A")), SECTOR_OF)

    assert (refusal.rule_id, refusal.code, refusal.why) == ("K05.SOC.SUB.SEC", "B:L01,L17", "statute")
    assert "OSL 26:1" in refusal.law
    assert [one.code for one in refusal.alternatives] == ["L01", "L17", ""]
    for said, consent, emergency in (
        (refusal.say.en, "consent (L01: OSL 10:1, OSL 12:2-3)", "BrB 24:4"),
        (refusal.say.sv, "samtycke (L01: OSL 10:1, OSL 12:2-3)", "BrB 24:4"),
    ):
        assert said.startswith("K05.SOC.SUB.SEC: ")
        assert "OSL 26:1" in said
        assert consent in said
        assert emergency in said
    notes = refusal.alternatives[-1].name.en
    receiver = Receiver("SEC", "field", own=False)
    open_kinds = [
        kind.en
        for number, kind in shipped().kinds.items()
        if kind.clear and "SOC" in kind.owners and slots(shipped(), number, "SOC", receiver).open & 0b11
    ]
    assert open_kinds
    assert all(kind in notes for kind in open_kinds)


# random agreements

CODES: Final = ("A", "R", "P", "G")
ANY_CELL: Final = st.builds(
    lambda kind, owner, compartment, receiver, code: TermsCell(
        kind, agency(owner), compartment, agency(receiver), code
    ),
    st.sampled_from([*KINDS]),
    st.sampled_from(SECTORS),
    st.sampled_from(COMPARTMENTS),
    st.sampled_from(SECTORS),
    st.sampled_from(CODES),
)
CLOSED: Final = [
    TermsCell(kind, agency(owner), compartment, agency(column), code)
    for (kind, owner, compartment, column), known in shipped().cells.items()
    if known.automatic == "D" and column in SECTORS
    for code in CODES
]
AGREEMENTS: Final = st.lists(st.one_of(ANY_CELL, st.sampled_from(CLOSED)), min_size=1, max_size=60).map(
    lambda cells: Terms(
        b"a" * 16,
        tuple(sorted(SECTOR_OF)),
        tuple({place_of(one): one for one in sorted(cells, key=place_of) if one.owner != one.receiver}.values()),
        None,
        "Any.",
        "S-1",
        START,
        END,
    )
)
PACK: Final = shipped()


@given(AGREEMENTS)
@settings(max_examples=120, deadline=None)
def test_whatever_is_signed_and_let_in_opens_nothing_below_the_floor(signed: Terms) -> None:
    """Nobody looked at these terms; the decision leaves out what may not be opened."""
    for kind, owner, receiver, bits in gains(PACK, signed, SECTOR_OF):
        for number, compartment in enumerate(COMPARTMENTS):
            if not bits >> 2 * number & 0b11:
                continue
            owned, column = SECTOR_OF[owner], SECTOR_OF[receiver]
            known = PACK.cells[kind, owned, compartment, column]
            assert compartment not in {"SUB", "CAR"}
            assert PACK.kinds[kind].clear
            if known.automatic != "D":
                # It was the carrier that was missing, not the part.
                assert known.automatic in {"A", "R", "P"}
                continue
            code = next(one.code for one in signed.cells if place_of(one) == (kind, owner, compartment, receiver))
            new = opened(known, AgreedCell(kind, compartment, column, code))
            assert within_base(new, known, PACK.base[owned, compartment, column])
    assert {one.invariant for one in invariants.violations(with_terms(PACK, signed, SECTOR_OF), PACK)} == set()


@given(AGREEMENTS)
@settings(max_examples=60, deadline=None)
def test_what_is_not_refused_opens_and_what_is_refused_does_not(signed: Terms) -> None:
    refused = {one.rule_id for one in refusals(PACK, signed, SECTOR_OF)}
    for one in signed.cells:
        owner, column = SECTOR_OF[one.owner], SECTOR_OF[one.receiver]
        name = f"K{one.kind:02}.{owner}.{one.compartment}.{column}"
        given_ = opens(signed, one.owner, one.receiver, SECTOR_OF)
        decision = open_to(PACK, one.kind, owner, Receiver(column, "field", own=False, agreed=given_), one.compartment)
        before = open_to(PACK, one.kind, owner, Receiver(column, "field", own=False), one.compartment)
        if name in refused:
            assert decision.form == before.form or PACK.cells[one.kind, owner, one.compartment, column].automatic != "D"
        elif one.code == "G":
            assert decision == before
        else:
            assert (decision.ground, decision.form) == ("agreement", "full" if one.code == "A" else "brief")


@given(AGREEMENTS, st.sampled_from(SECTORS), st.sampled_from([*KINDS]))
@settings(max_examples=60, deadline=None)
def test_guards_see_no_more_than_the_police_whatever_is_agreed(signed: Terms, owner: Sector, kind: int) -> None:
    if owner not in {"SOC", "HLT", "MUN"}:
        return
    guards, police = (
        slots(
            PACK,
            kind,
            owner,
            Receiver(column, "field", own=False, agreed=opens(signed, agency(owner), agency(column), SECTOR_OF)),
        )
        for column in ("SEC", "POL")
    )
    # What the owner has to tell the police counts as theirs, as in I4.
    theirs = reduce(or_, police.duties.values(), police.open)
    for compartment in COMPARTMENTS:
        full, brief = bit(compartment), bit(compartment, brief=True)
        assert not guards.open & full or theirs & full
        assert not guards.open & brief or theirs & (full | brief)


# what stays as it is


@pytest.mark.parametrize("function", ["supervisors", "reception"])
def test_an_agreement_is_about_field_staff_and_nobody_else(function: str) -> None:
    given_ = opens(terms(*PLAN), agency("POL"), agency("SOC"), SECTOR_OF)
    for receiver in (
        Receiver("SOC", function, own=False),  # type: ignore[arg-type]
        Receiver("SOC", "field", own=False, named=True),
        Receiver("POL", "field", own=True),
        Receiver("SEC", "field", own=False),
    ):
        assert slots(PACK, 13, "POL", replace(receiver, agreed=given_)) == slots(PACK, 13, "POL", receiver)


def test_duties_and_decided_openings_stay_what_they_are_under_an_agreement() -> None:
    plain = Receiver("SOC", "field", own=False)
    with_it = replace(plain, agreed=opens(terms(*PLAN), agency("POL"), agency("SOC"), SECTOR_OF))
    before, after = (slots(PACK, 13, "POL", one) for one in (plain, with_it))

    assert (after.duties, after.gateways, after.held) == (before.duties, before.gateways, before.held)
    assert before.open == 0
    assert after.open & bit("SIT", brief=True)


def test_an_agreement_does_not_beat_an_embargo_or_a_denial() -> None:
    with_it = Receiver("SOC", "field", own=False, agreed=opens(terms(*PLAN), agency("POL"), agency("SOC"), SECTOR_OF))

    assert slots(PACK, 13, "POL", with_it, embargo=True).open == 0
    assert open_to(PACK, 13, "POL", with_it, "SIT", denied=True).ground == "explicit_deny"
    assert open_to(PACK, 13, "POL", with_it, "SIT").ground == "agreement"


def test_another_agency_of_the_same_sector_gets_nothing() -> None:
    sectors: dict[bytes, Sector] = {**SECTOR_OF, agency("SOC", 2): "SOC"}

    assert opens(terms(*PLAN), agency("POL"), agency("SOC", 2), sectors) == ()
    assert opens(terms(*PLAN), agency("SOC"), agency("POL"), sectors) == ()


# time and place


def now(at: int, *, latest: int = 0, scene: int = NO_SCENE, found: Sequence[Standing] | None = None) -> bool:
    standing = [Standing(terms(*PLAN), START, END)] if found is None else found
    return agreed(standing, agency("POL"), agency("SOC"), SECTOR_OF, at=at, latest=latest, scene=scene) != ()


def test_an_agreement_opens_from_its_first_second_until_its_last() -> None:
    assert [now(at) for at in (START - 1, START, END - 1, END, END + 1)] == [False, True, True, False, False]


def test_it_ends_by_the_later_of_two_clocks_and_begins_by_the_first() -> None:
    assert not now(END - 1, latest=END)
    assert not now(START - 1, latest=START)


def test_an_agreement_for_some_scenes_is_about_reports_of_which_the_scene_is_known() -> None:
    some = [Standing(terms(*PLAN, scenes=(1, 3)), START, END)]

    assert [now(START, scene=scene, found=some) for scene in (1, 2, 3, NO_SCENE)] == [True, False, True, False]


def test_of_two_agreements_in_force_the_wider_counts_until_it_ends() -> None:
    both = [
        Standing(terms(*PLAN), START, END),
        Standing(terms(("K13.POL.SIT.SOC", "A")), START, START + 10),
    ]

    def form(at: int) -> str | None:
        found = agreed(both, agency("POL"), agency("SOC"), SECTOR_OF, at=at)
        compartment: Compartment = "SIT"
        return open_to(PACK, 13, "POL", Receiver("SOC", "field", own=False, agreed=found), compartment).form

    assert [form(START + 9), form(START + 10), form(END)] == ["full", "brief", None]
