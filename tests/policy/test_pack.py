"""Reading a pack: what it holds, which one is in force, and what is refused."""

from __future__ import annotations

import hashlib
from datetime import date

import msgspec
import pytest

from sluss_schemas.ids import Sector
from sluss_schemas.policy import Code, PackRefused, at, builtin, by_digest, load
from sluss_schemas.policy.visible import until

from tests.policy.table import PACK_BYTES, edited, shipped


def test_a_pack_is_named_by_the_hash_of_its_bytes() -> None:
    assert shipped().digest == hashlib.sha256(PACK_BYTES).digest()
    assert by_digest(shipped().digest) is shipped()
    assert by_digest(bytes(32)) is None


def test_reading_the_same_bytes_twice_gives_the_same_pack() -> None:
    assert load(PACK_BYTES) == load(PACK_BYTES) == shipped()


def test_a_comment_changes_the_digest_and_nothing_else() -> None:
    other = load(PACK_BYTES + b"\n# a remark\n")
    assert other.digest != shipped().digest
    assert msgspec.structs.replace(other, digest=shipped().digest) == shipped()


def test_the_header_says_from_when_and_where_it_holds_and_that_it_is_no_advice() -> None:
    pack = shipped()
    assert (pack.id, pack.jurisdiction, pack.zone) == ("SE-2026-01-15", "SE", "Europe/Stockholm")
    assert pack.valid_from == date(2026, 1, 15)
    assert "not legal advice" in pack.notice.en
    assert pack.partnership == ("lag 2023:196", "SoL 18:6")


def test_the_parameters_are_the_pages() -> None:
    set_ = shipped().parameters
    assert (set_.under21_age, set_.child_age, set_.criminal_age, set_.consent_age) == (21, 18, 15, 15)
    assert (set_.min_penalty_months, set_.min_penalty_months_attempt) == (6, 12)
    assert (set_.lease_gateway_h, set_.lease_across_h, set_.lease_within_h) == (12, 72, 14 * 24)
    assert (set_.k, set_.k_sensitive, set_.outreach_delay_days) == (5, 10, 7)
    assert (set_.crime_threshold, set_.guardian_below) == ("months", 18)
    assert set_.history == {"field": "full", "supervisors": "full", "reception": "full"}
    assert (set_.retention_sealed_own_days, set_.quarantine_closed_epoch_days) == (35, 14)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(1999, 1, 1), "old"),
        (date(2025, 12, 1), "old"),
        (date(2026, 1, 14), "old"),
        (date(2026, 1, 15), "SE-2026-01-15"),
        (date(2026, 2, 28), "SE-2026-01-15"),
        (date(2026, 3, 1), "new"),
        (date(2099, 1, 1), "new"),
    ],
)
def test_the_pack_in_force_is_the_newest_that_has_begun_and_before_the_oldest_the_oldest(
    day: date, expected: str
) -> None:
    old = msgspec.structs.replace(shipped(), id="old", valid_from=date(2025, 12, 1))
    new = msgspec.structs.replace(shipped(), id="new", valid_from=date(2026, 3, 1))
    assert at([new, old, shipped()], day).id == expected


def test_without_a_pack_nothing_is_in_force() -> None:
    with pytest.raises(PackRefused):
        at([], date(2026, 2, 3))


def test_the_shipped_packs_are_in_order_of_their_dates() -> None:
    days = [pack.valid_from for pack in builtin()]
    assert days == sorted(days)


def test_the_kinds_whose_existence_is_secret_are_uncounted_and_give_no_facts() -> None:
    kinds = shipped().kinds
    assert list(kinds) == list(range(1, 20))
    assert {number for number, kind in kinds.items() if not kind.clear} == {6, 16, 19}
    assert {number for number, kind in kinds.items() if not kind.counted} == {6, 16, 19}
    assert {number for number, kind in kinds.items() if not kind.facts} == {6, 16, 19}
    assert {number for number in kinds if shipped().clear_kind(number) == 0} == {6, 16, 19}
    assert {number for number, kind in kinds.items() if kind.case_staff} == {6, 7, 12, 19}
    assert {number: kind.whole_field for number, kind in kinds.items() if kind.whole_field} == {12: ("SIT", "SAF")}


def test_the_facts_named_on_the_page_are_the_packs() -> None:
    assert shipped().kinds[5].facts == ("scene", "week")
    assert shipped().kinds[1].facts == ("scene", "hour", "sub_kind", "severity")
    assert shipped().kinds[1].coded_facts() == ("sub_kind", "severity")


def test_time_is_coarsest_where_time_would_tell_most() -> None:
    for number, kind in shipped().kinds.items():
        for owner, precision in kind.precision.items():
            if owner in {"SOC", "HLT"}:
                assert (precision, kind.time_fact(owner)) in {("week", "week"), ("week", None)}
            elif owner in {"POL", "SEC"} and number in {1, 2, 3, 4, 11, 12}:
                assert precision == "hour"
            elif owner == "MUN":
                assert precision == "day"
        assert set(kind.precision) == set(kind.owners)


def test_a_time_that_the_server_reads_is_the_coarser_of_fact_and_precision() -> None:
    kinds = shipped().kinds
    assert kinds[1].time_fact("SEC") == "hour"
    assert kinds[1].time_fact("MUN") == "day"
    assert kinds[13].time_fact("POL") == "week"
    assert kinds[6].time_fact("SOC") is None


def test_the_catalogue_has_every_ground_with_tests_and_labels() -> None:
    ground = shipped().gateways
    assert list(ground) == [f"L{n:02d}" for n in (*range(1, 19), 20, 22)]
    for each in ground.values():
        assert each.tests
        assert all(test.en and test.sv for test in each.tests)
        assert each.en
        assert each.sv
        assert each.law
    assert {code for code, each in ground.items() if each.at_filing} == {"L11", "L14"}
    assert {code for code, each in ground.items() if each.duty} == {"L11", "L12", "L13", "L14"}
    assert {code: ground[code].lifts for code in ("L02", "L03", "L04", "L11", "L14")} == {
        "L02": "scene",
        "L03": "none",
        "L04": "full",
        "L11": "full",
        "L14": "full",
    }
    assert {code for code, each in ground.items() if each.status == "M"} == {"L13", "L17"}
    assert [test.code for test in ground["L03"].tests][:3] == [
        "under_21",
        "concrete_circumstances",
        "not_inappropriate",
    ]
    assert ground["L11"].approval == "none"
    assert (ground["L11"].receiver_function, ground["L11"].receiver_fallback) == ("reception", "supervisors")
    assert (ground["L17"].max_hours, ground["L02"].max_hours) == (12, 72)
    assert {code: ground[code].task_hours for code in ("L11", "L12", "L13", "L14")} == {
        "L11": 24,
        "L12": 168,
        "L13": 168,
        "L14": 24,
    }
    assert {code: (each.age.parameter, each.age.by) for code, each in ground.items() if each.age} == {
        "L03": ("under21_age", "oldest"),
        "L04": ("child_age", "youngest"),
        "L11": ("child_age", "youngest"),
    }
    assert {code for code, each in ground.items() if each.recommended} == set()
    assert {code for code, each in ground.items() if any(test.written for test in each.tests)} >= {"L03", "L07", "L09"}


def test_a_cell_is_found_by_its_parts_and_names_its_rule() -> None:
    cell = shipped().cell(1, "SEC", "SUB", "SOC")
    assert (cell.rule_id, cell.code) == ("K01.SEC.SUB.SOC", "T:L11 / B:L01,L17")
    assert (cell.automatic, cell.duties, cell.gateways) == (None, ("L11",), ("L01", "L17"))


def test_a_cell_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(PackRefused) as refused:
        shipped().cell(5, "POL", "SIT", "POL")
    assert refused.value.field == "K05.POL.SIT.POL"


def test_an_attachment_opens_on_the_grounds_of_the_person_it_may_show_and_on_none_by_itself() -> None:
    pack, seen = shipped(), 0
    for (kind, owner, compartment, column), cell in pack.cells.items():
        if cell.as_content:
            subject = pack.cell(kind, owner, "SUB", column)
            assert compartment == "ATT"
            assert (cell.automatic, cell.duties) == (None, ())
            assert set(cell.gateways) == {*subject.duties, *subject.gateways}
            seen += 1
    assert seen == 56


def test_what_a_reporter_may_be_told_is_a_closed_list() -> None:
    assert {code: entry.n for code, entry in shipped().codes["feedback"].items()} == {
        "opened": 1,
        "not_opened": 2,
        "ongoing": 3,
    }


def test_how_long_reports_are_kept_is_said_for_every_owner() -> None:
    kept = {owner: each.days for owner, each in shipped().retention.items()}
    assert kept == {"POL": 365, "SOC": 1826, "SEC": 365, "MUN": 1096, "HLT": None}


def test_a_kind_may_have_a_time_of_its_own_and_health_keeps_by_its_own_law() -> None:
    pack = shipped()
    assert [pack.kept_days(kind, "POL") for kind in (1, 11)] == [365, 93]
    assert [pack.kept_days(kind, "HLT") for kind in (4, 11)] == [None, None]
    assert (pack.kept_days(0, "SOC"), pack.kept_days(5, "SOC")) == (1826, 1826)
    assert msgspec.structs.replace(pack, retention={}).kept_days(11, "POL") is None
    assert pack.parameters.retention_decisions_days == 1826


def test_code_lists_are_optional_and_read_where_they_stand() -> None:
    text = b'\n[codes.sluss_test_list]\nthreat = { n = 3, en = "threat", sv = "hot" }\n'
    assert load(PACK_BYTES + text).codes["sluss_test_list"] == {"threat": Code(3, "threat", "hot")}


SIT = '[owner.SOC.SIT]\ncells = { POL = "R"'
BROKEN = [
    ("file", ('zone = "Europe/Stockholm"', "zone = 3")),
    ("file", ('zone = "Europe/Stockholm"', "")),
    ("file", ('zone = "Europe/Stockholm"', 'zone = "Europe/Stockholm"\nextra = 1')),
    ("file", ('zone = "Europe/Stockholm"', 'zone = "Europe/Stockholm')),
    ("file", ("under21_age = 21", 'under21_age = "21"')),
    ("gateway.L03", ("under21_age = 21", "")),
    ("retention.POL", ("[retention.POL]\ndays = 365", "[retention.POL]\ndays = 0")),
    ("kind.K11", ("[kind.K11.retention]\ndays = 93", "[kind.K11.retention]\ndays = 0")),
    ("kind.K06", ("[kind.K11.retention]", "[kind.K06.retention]")),
    ("kind.K11", ("visible_hours = 72", "visible_hours = 0")),
    ("kind.K11", ("visible_hours = 72", "visible_hours = 2233")),
    ("retention.POL", ("[retention.POL]\ndays = 365", "[retention.POL]\ndays = 365\nvisible_hours = 72")),
    ("kind.K18", ('note_grounds = ["L20"]', 'note_grounds = ["L17"]')),
    ("kind.K18", ('note_grounds = ["L20"]', 'note_grounds = ["L99"]')),
    ("parameters.retention_decisions_days", ("retention_decisions_days = 1826", "retention_decisions_days = 0")),
    ("jurisdiction", ('jurisdiction = "SE"', 'jurisdiction = "XX"')),
    ("jurisdiction", ('jurisdiction = "SE"', 'jurisdiction = "../SE"')),
    ("file", ("[parameters]", "[within]\ncolumn = 1\n\n[parameters]")),
    ("file", ("[owner.SOC.SIT]\n", "[owner.SOC.XXX]\n")),
    ("file", ("[owner.SOC.SIT]\n", "[owner.SOC.PLC]\n")),
    ("SOC.SIT.POL", (SIT, '[owner.SOC.SIT]\ncells = { POL = "R / A"')),
    ("SOC.SIT.POL", (SIT, '[owner.SOC.SIT]\ncells = { POL = "r"')),
    ("file", (SIT, '[owner.SOC.SIT]\ncells = { POL = "R", POL = "A"')),
    ("K05.POL.SIT.POL", ('kind = "K05"\nowners = ["SOC"]\ncompartments = ["SIT"]',
                         'kind = "K05"\nowners = ["POL"]\ncompartments = ["SIT"]')),
    ("kind.K19", ("[kind.K19]", "[kind.K20]")),
    ("kind.K06", ("[kind.K06]", "[kind.K006]")),
    ("kind.K05", ('owners = ["SOC"]\nfacts = ["scene", "week"]', 'owners = ["SOC"]\nfacts = ["day", "week"]')),
    ("kind.K16", ('owners = ["HLT"]\nclear = false\ncounted = false\nfacts = []',
                  'owners = ["HLT"]\nclear = false\ncounted = false\nfacts = ["week"]')),
    ("kind.K16", ('owners = ["HLT"]\nclear = false\ncounted = false', 'owners = ["HLT"]\nclear = false')),
    ("precision.HLT", ('SEC = "day"\nMUN = "day"\nHLT = "week"', 'SEC = "day"\nMUN = "day"')),
]  # fmt: skip


@pytest.mark.parametrize(("field", "text"), BROKEN)
def test_a_broken_file_is_refused_at_the_place_that_is_wrong(field: str, text: tuple[str, str]) -> None:
    with pytest.raises(PackRefused) as refused:
        load(edited(texts=[text]))
    assert (refused.value.code, refused.value.field) == ("pack_refused", field)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"id = 1", PACK_BYTES[: len(PACK_BYTES) // 2], b"#" * (1 << 21)])
def test_what_is_no_pack_is_refused(data: bytes) -> None:
    with pytest.raises(PackRefused):
        load(data)


def test_two_codes_of_a_list_may_not_share_a_number() -> None:
    text = '\n[codes.sluss_test_list]\na = { n = 1, en = "a", sv = "a" }\nb = { n = 1, en = "b", sv = "b" }\n'
    with pytest.raises(PackRefused) as refused:
        load(PACK_BYTES + text.encode())
    assert refused.value.field == "codes.sluss_test_list"


def test_a_later_line_wins_over_an_earlier_one() -> None:
    pack = load(edited({"K01.SEC.SIT.HLT": "D"}) + edited({"K01.SEC.SIT.HLT": "G"})[len(PACK_BYTES) :])
    assert pack.cell(1, "SEC", "SIT", "HLT").code == "G"


def test_an_override_leaves_the_owner_alone_unless_it_says_so() -> None:
    line = b'\n[[override]]\nkind = "K17"\nowners = ["POL"]\ncompartments = ["SIT"]\ncells = { POL = "X" }\n'
    rest = b'law = []\nen = "a"\nsv = "b"\n'
    assert load(PACK_BYTES + line + rest).cell(17, "POL", "SIT", "POL").code == "O"
    assert load(PACK_BYTES + line + b"reaches_owner = true\n" + rest).cell(17, "POL", "SIT", "POL").code == "X"


def test_a_warning_is_shown_from_its_receipt_or_from_what_it_is_about_whichever_is_earlier() -> None:
    pack, at, hour = shipped(), 1_772_442_000, 3600
    seen: list[tuple[Sector, int]]
    seen = [("POL", at - 60), ("POL", at - 10 * hour), ("SOC", at - 10 * hour), ("HLT", at)]
    ends = [until(pack, 11, owner, observed=observed, received_at=at) for owner, observed in seen]
    assert ends == [at + 72 * hour, at - 9 * hour + 72 * hour, at + 72 * hour, at + 72 * hour]
    assert until(pack, 1, "POL", observed=at, received_at=at) is None
    assert until(pack, 0, "SOC", observed=at, received_at=at) is None
