"""The law of the day of an event, not of the day of a change: what older packs decide otherwise."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from sluss_schemas.policy import Asked, Pack, Receiver, asked, at, builtin, duties_due, open_to, slots, violations
from sluss_schemas.policy.readers import readers

from tests.policy.table import shipped

AGENCIES = [
    ("security", "SEC", ("field", "supervisors")),
    ("police", "POL", ("field", "supervisors")),
    ("social_services", "SOC", ("field", "supervisors", "reception")),
    ("municipality", "MUN", ("field", "supervisors")),
]
RECEPTION = Receiver("SOC", "reception", own=False)


def test_every_shipped_pack_breaks_nothing_and_has_the_same_cells() -> None:
    for pack in builtin():
        assert list(violations(pack)) == []
        assert pack.cells.keys() == shipped().cells.keys()


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2023, 5, 1), "SE-2024-01-01"),
        (date(2025, 3, 31), "SE-2024-01-01"),
        (date(2025, 4, 1), "SE-2025-04-01"),
        (date(2025, 7, 1), "SE-2025-07-01"),
        (date(2025, 11, 30), "SE-2025-07-01"),
        (date(2025, 12, 1), "SE-2025-12-01"),
        (date(2026, 1, 14), "SE-2025-12-01"),
        (date(2026, 1, 15), "SE-2026-01-15"),
    ],
)
def test_each_day_has_the_pack_of_its_law(day: date, expected: str) -> None:
    assert at(builtin(), day).id == expected


def test_only_the_cells_that_a_change_of_law_reached_differ() -> None:
    changed = {
        old.id: {(o, c, col) for (_, o, c, col), cell in old.cells.items() if cell.code != _cell(new, cell.rule_id)}
        for old, new in pairwise(builtin())
    }
    assert {(owner, column) for owner, _, column in changed["SE-2025-12-01"]} == {("SEC", "SOC")}
    assert {owner for owner, _, _ in changed["SE-2025-07-01"]} == {"POL", "MUN"}
    assert changed["SE-2025-04-01"] == set()
    assert {(owner, column) for owner, _, column in changed["SE-2024-01-01"]} == {("MUN", "POL")}


def test_before_april_2025_there_is_no_duty_to_law_enforcement_and_no_general_ground() -> None:
    pack = builtin()[0]
    assert not {"L09", "L12"} & pack.gateways.keys()
    assert pack.cell(1, "MUN", "SUB", "POL").code == "B:L08,L10"
    assert pack.cell(3, "MUN", "SIT", "POL").code == "A"
    assert pack.cell(15, "MUN", "SUB", "POL").code == "B:L08,L10"
    assert (pack.parameters.min_penalty_months, pack.parameters.min_penalty_months_attempt) == (12, 24)


def test_before_april_2025_preventing_asked_for_special_circumstances() -> None:
    tests = [[test.code for test in pack.gateways["L03"].tests] for pack in (builtin()[0], builtin()[1])]
    assert tests[0] == ["under_21", "special_circumstances", "helps_prevent", "not_inappropriate"]
    assert tests[1] == ["under_21", "concrete_circumstances", "not_inappropriate", "not_committed_crime"]
    assert [test.written for test in builtin()[0].gateways["L03"].tests] == [False, True, True, True]


def test_older_packs_cite_the_law_of_their_time() -> None:
    for pack in builtin():
        cited = {law for cell in pack.cells.values() for law in cell.law}
        cited |= {law for ground in pack.gateways.values() for law in ground.law}
        acts_of = {
            "SoL 19:1": date(2025, 7, 1),
            "OSL 10:15a": date(2025, 12, 1),
            "OSL 40:7g": date(2026, 1, 15),
            "lag 2025:170 6 §": date(2025, 4, 1),
        }
        assert {law for law in acts_of if law in cited} == {
            law for law, day in acts_of.items() if pack.valid_from >= day
        }
        assert all(cell.law for cell in pack.cells.values())


# a guard's report about a child, on 10 and on 15 January 2026 (scenarios S06 and S07)


@pytest.mark.parametrize(
    ("now", "event", "due", "recommended"),
    [
        (date(2026, 1, 20), date(2026, 1, 15), ("L11", "L14"), ()),
        (date(2026, 1, 20), date(2026, 1, 10), ("L14",), ("L11",)),
        (date(2026, 1, 10), date(2026, 1, 10), ("L14",), ("L19",)),
        (date(2024, 2, 1), date(2023, 2, 1), (), ("L14", "L19")),
    ],
)
def test_what_is_due_goes_by_the_day_of_the_event_and_the_rest_is_recommended(
    now: date, event: date, due: tuple[str, ...], recommended: tuple[str, ...]
) -> None:
    packs = builtin()
    found = asked(at(packs, now), 1, "SEC", AGENCIES, event_pack=at(packs, event), at=event)  # type: ignore[arg-type]
    assert found == Asked(due, recommended)
    assert found.offered == due + recommended


def test_a_recommendation_travels_like_a_duty_when_the_author_chooses_and_is_never_due() -> None:
    old = _pack("SE-2025-12-01")
    may = slots(old, 1, "SEC", RECEPTION)
    assert may.open == 0
    assert may.duties["L19"] == slots(shipped(), 1, "SEC", RECEPTION).duties["L11"]
    assert duties_due(old, 1, "SEC", old.valid_from) == ["L14"]
    for sent, rows in (((), 0), (("L19",), 1)):
        found = readers(old, 1, "SEC", AGENCIES, duties_sent=sent)  # type: ignore[arg-type]
        assert len([row for row in found if (row.audience, row.compartment) == (TOLD, "subject")]) == rows


def test_a_recommendation_is_no_duty_and_an_explicit_deny_beats_it() -> None:
    old, new = _pack("SE-2025-12-01"), shipped()
    for pack, code, denied in ((old, "L19", "explicit_deny"), (new, "L11", "duty")):
        given = {code: slots(pack, 1, "SEC", RECEPTION).duties[code]}
        assert open_to(pack, 1, "SEC", RECEPTION, "SUB", grants=given).form == "full"
        assert open_to(pack, 1, "SEC", RECEPTION, "SUB", grants=given, denied=True).ground == denied


TOLD = "social_services/reception"


def _pack(name: str) -> Pack:
    return next(pack for pack in builtin() if pack.id == name)


def _cell(pack: Pack, rule: str) -> str:
    return next(cell.code for cell in pack.cells.values() if cell.rule_id == rule)
