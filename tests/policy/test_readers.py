"""What a person is told before saving is what is sealed, said in rows."""

from __future__ import annotations

from datetime import date

import pytest

from sluss_schemas.ids import AGENCY_SLUGS, COMPARTMENT_NAMES, COMPARTMENTS, Function, Sector, bit
from sluss_schemas.policy import Reader, Receiver, duties_due, slots
from sluss_schemas.policy.readers import AgencyView, asked, readers

from tests.policy.table import shipped

BOTH: tuple[Function, ...] = ("field", "supervisors")
TOWN: list[AgencyView] = [
    ("police", "POL", BOTH),
    ("social_services", "SOC", (*BOTH, "reception")),
    ("security", "SEC", BOTH),
    ("municipality", "MUN", BOTH),
    ("health", "HLT", BOTH),
]
EVENT = date(2026, 2, 3)


def by_audience(rows: list[Reader]) -> dict[str, str]:
    """Return, per audience, its compartments: upper case in full, lower case in brief."""
    codes = {name: code for code, name in COMPARTMENT_NAMES.items()}
    seen: dict[str, list[str]] = {}
    for row in rows:
        code = codes[row.compartment]
        seen.setdefault(row.audience, []).append(code if row.form == "full" else code.lower())
    return {audience: " ".join(codes) for audience, codes in seen.items()}


def test_a_guards_incident_is_read_by_exactly_those_who_may() -> None:
    assert by_audience(readers(shipped(), 1, "SEC", TOWN)) == {
        "security/field": "SIT PLC SUB CAR ENF SAF AUT ATT",
        "security/supervisors": "SIT PLC SUB CAR ENF SAF AUT ATT",
        "police/field": "SIT PLC SAF aut",
        "social_services/field": "SIT PLC enf SAF aut",
        "municipality/field": "SIT PLC enf saf aut",
        "health/field": "sit plc saf aut",
    }


def test_a_duty_answered_adds_its_readers_and_says_so() -> None:
    rows = readers(shipped(), 1, "SEC", TOWN, duties_sent={"L14", "L11"})
    assert by_audience(rows)["police/field"] == "SIT PLC SUB ENF SAF aut"
    assert by_audience(rows)["social_services/reception"] == "SIT PLC SUB CAR enf SAF aut"
    assert by_audience(rows)["social_services/field"] == "SIT PLC enf SAF aut"
    police = {row.compartment: row for row in rows if row.audience == "police/field"}
    assert police["subject"].via == "duty:L14"
    assert police["situation"].via == "automatic"
    assert police["subject"].rule_id == "K01.SEC.SUB.POL"
    assert "LOV 14 §" in police["subject"].law


def test_without_a_reception_the_supervisors_receive_a_report_of_concern() -> None:
    town: list[AgencyView] = [(slug, sector, BOTH) for slug, sector, _ in TOWN]
    rows = readers(shipped(), 7, "SEC", town, duties_sent={"L11"})
    assert by_audience(rows) == {
        "security/case_staff": "SIT PLC SUB CAR ENF SAF AUT ATT",
        "security/supervisors": "SIT PLC SUB CAR ENF SAF AUT ATT",
        "social_services/supervisors": "SIT PLC SUB CAR ENF SAF AUT ATT",
    }
    told = next(row for row in rows if row.audience == "social_services/supervisors")
    assert (told.rule_id, told.via) == ("K07.SEC.SIT.SOC", "duty:L11")


@pytest.mark.parametrize("kind", [5, 6, 16, 19])
def test_contacts_and_secret_kinds_are_read_by_nobody_else(kind: int) -> None:
    owner: Sector = "HLT" if kind == 16 else "SOC"
    rows = readers(shipped(), kind, owner, TOWN)
    assert {row.audience.partition("/")[0] for row in rows} == {AGENCY_SLUGS[owner]}
    assert next(iter(by_audience(rows))).startswith(AGENCY_SLUGS[owner])


def test_own_rows_come_first_and_held_ones_say_that_they_are_held() -> None:
    rows = readers(shipped(), 12, "SEC", TOWN)
    assert [row.audience for row in rows[:2]] == ["security/field", "security/field"]
    assert by_audience(rows)["security/field"] == "SIT SAF"
    assert {row.via for row in rows if row.audience == "security/case_staff"} == {"named"}
    assert {row.via for row in rows if row.audience == "security/supervisors"} == {"held:L22"}
    own = [row.audience.startswith("security/") for row in rows]
    assert own == sorted(own, reverse=True)


def test_another_agency_of_the_same_sector_is_no_colleague() -> None:
    town: list[AgencyView] = [*TOWN, ("security_north", "SEC", BOTH)]
    assert "security_north/field" not in by_audience(readers(shipped(), 1, "SEC", town))
    rows = readers(shipped(), 1, "SEC", town, own="security_north")
    assert rows[0].audience == "security_north/field"
    assert "security/field" not in by_audience(rows)


def test_only_what_is_filled_is_listed_and_an_audience_without_an_epoch_is_not() -> None:
    rows = readers(shipped(), 1, "SEC", TOWN[:3], filled={"SIT", "AUT"})
    assert {row.compartment for row in rows} == {"situation", "author"}
    assert not any(row.audience.startswith("health") for row in rows)
    only: tuple[Function, ...] = ("field",)
    town: list[AgencyView] = [("police", "POL", ()), ("security", "SEC", only)]
    none = readers(shipped(), 1, "SEC", town)
    assert {row.audience for row in none} == {"security/field"}


def test_an_embargo_leaves_the_own_agency() -> None:
    rows = readers(shipped(), 9, "POL", TOWN, embargo=True)
    assert {row.audience for row in rows} == {"police/field", "police/supervisors"}


def test_reasons_come_in_both_languages_and_a_tip_names_its_own() -> None:
    for kind, owner in ((1, "SEC"), (5, "SOC"), (15, "POL")):
        english = readers(shipped(), kind, owner, TOWN)  # type: ignore[arg-type]
        swedish = readers(shipped(), kind, owner, TOWN, lang="sv")  # type: ignore[arg-type]
        assert [row.rule_id for row in english] == [row.rule_id for row in swedish]
        assert all(a.reason != b.reason for a, b in zip(english, swedish, strict=True))
    tip = readers(shipped(), 15, "POL", TOWN)
    author = [row for row in tip if row.compartment == "author"]
    assert [(row.audience, row.via) for row in author] == [("police/supervisors", "held:L22")]
    assert author[0].reason == "Only the own supervisors know who took the tip."


def test_rows_are_exactly_what_the_bitmaps_carry() -> None:
    pack = shipped()
    for kind, owner in sorted({(kind, owner) for kind, owner, _, _ in pack.cells}):
        rows = {(row.audience, row.compartment): row.form for row in readers(pack, kind, owner, TOWN)}
        expected: dict[tuple[str, str], str] = {}
        for slug, sector, functions in TOWN:
            for function in functions:
                receiver = Receiver(sector, function, sector == owner)
                found = slots(pack, kind, owner, receiver)
                pairs = [(f"{slug}/{function}", found.open | found.held)]
                if sector == owner and function == "field" and pack.kinds[kind].case_staff:
                    named = Receiver(sector, function, own=True, named=True)
                    pairs.append((f"{slug}/case_staff", slots(pack, kind, owner, named).open))
                for audience, bits in pairs:
                    for compartment in COMPARTMENTS:
                        if bits & (bit(compartment) | bit(compartment, brief=True)):
                            form = "full" if bits & bit(compartment) else "brief"
                            expected[audience, COMPARTMENT_NAMES[compartment]] = form
        assert rows == expected


DUE = [
    ("K01", "SEC", ["L11", "L14"]),
    ("K01", "POL", ["L11"]),
    ("K01", "SOC", []),
    ("K03", "SEC", ["L11", "L14"]),
    ("K05", "SOC", []),
    ("K07", "SEC", ["L11"]),
    ("K07", "SOC", []),
    ("K09", "SEC", []),
    ("K16", "HLT", ["L11"]),
]


@pytest.mark.parametrize(("kind", "owner", "expected"), DUE)
def test_the_form_puts_the_duties_that_an_author_answers_alone(kind: str, owner: Sector, expected: list[str]) -> None:
    assert duties_due(shipped(), int(kind[1:]), owner, EVENT) == expected


def test_before_the_oldest_pack_no_duty_is_due() -> None:
    assert duties_due(shipped(), 1, "SEC", date(2026, 1, 14)) == []
    assert duties_due(shipped(), 1, "SEC", date(2026, 1, 15)) == ["L11", "L14"]


@pytest.mark.parametrize("agencies", [TOWN, [TOWN[0], TOWN[2]], [TOWN[2]]])
def test_a_duty_is_due_whoever_can_be_reached(agencies: list[AgencyView]) -> None:
    put = asked(shipped(), 1, "SEC", agencies, event_pack=shipped(), at=EVENT)
    assert put.due == ("L11", "L14")
    # What is only recommended needs somebody to tell.
    of_police = asked(shipped(), 8, "SEC", agencies, event_pack=shipped(), at=EVENT)
    assert set(of_police.due) <= {"L11", "L14"}


def test_a_report_of_concern_is_its_own_duty() -> None:
    assert [number for number, kind in shipped().kinds.items() if kind.duty_itself] == [7]
