"""The pack says what the page says, in every one of its 4,464 cells."""

from __future__ import annotations

import csv
from itertools import pairwise

import msgspec
import pytest

from sluss_schemas.policy import PackRefused
from sluss_schemas.policy.cells import Cell, parse, reach, wider

from tests.policy.table import PAGE_TABLE, differences, shipped, stated

CELLS = 4464


def test_the_pack_agrees_with_the_table_in_every_cell() -> None:
    table = stated()
    assert len(table) == CELLS
    assert differences(shipped(), table) == []


def test_the_pack_agrees_with_the_page_where_the_page_is_at_hand() -> None:
    if not PAGE_TABLE.exists():
        pytest.skip("the design pages are not beside the repository: ../shared/design/default_policy.csv")
    with PAGE_TABLE.open(encoding="utf-8", newline="") as file:
        page = {line["rule_id"]: line["code"] for line in csv.DictReader(file)}
    assert len(page) == CELLS
    assert differences(shipped(), page) == []
    assert stated() == page


def test_flipping_any_one_cell_is_noticed_and_named() -> None:
    pack, table = shipped(), stated()
    noticed = 0
    for key, cell in pack.cells.items():
        other = "D" if cell.code == "X" else "X"
        flipped = msgspec.structs.replace(pack, cells={**pack.cells, key: msgspec.structs.replace(cell, code=other)})
        assert differences(flipped, table) == [cell.rule_id]
        noticed += 1
    assert noticed == CELLS


def test_every_code_is_what_its_parts_say() -> None:
    for cell in shipped().cells.values():
        read = parse(cell.code, cell.rule_id)
        assert (read.automatic, read.duties, read.as_content) == (cell.automatic, cell.duties, cell.as_content)
        assert read.as_content or read.gateways == cell.gateways


def test_every_cell_has_a_reason_in_both_languages_and_a_statute() -> None:
    for cell in shipped().cells.values():
        assert cell.why.endswith(".")
        assert cell.why_sv.endswith(".")
        assert cell.law


@pytest.mark.parametrize(
    ("code", "automatic", "duties", "gateways", "as_content"),
    [
        ("O", "O", (), (), False),
        ("T:L14", None, ("L14",), (), False),
        ("G / B:L22", "G", (), ("L22",), False),
        ("T:L11,L13 / B:L01,L09", None, ("L11", "L13"), ("L01", "L09"), False),
        ("B:L01,L15 / T:L11", None, ("L11",), ("L01", "L15"), False),
        ("B:as-content", None, (), (), True),
    ],
)
def test_a_code_parses_into_its_parts(
    code: str, automatic: str | None, *, duties: tuple[str, ...], gateways: tuple[str, ...], as_content: bool
) -> None:
    read = parse(code, "here")
    assert (read.automatic, read.duties, read.gateways, read.as_content) == (automatic, duties, gateways, as_content)


@pytest.mark.parametrize(
    "code",
    ["", "Q", "a", "A/R", "A / R", "A /B:L01", "B:", "B:L1", "B:L01,", "B:L01, L02", "B:L01,L01", "T:as-content",
     "T:L11 / T:L14", "O / B:L01", "X / T:L11", "N / B:L01", "D / B:L01", " A", "A\n", "B:L01,as-content"],
)  # fmt: skip
def test_a_code_in_any_other_spelling_is_refused_and_named(code: str) -> None:
    with pytest.raises(PackRefused) as refused:
        parse(code, "K01.SEC.SIT.POL")
    assert (refused.value.code, refused.value.field) == ("pack_refused", "K01.SEC.SIT.POL")


def test_the_order_of_width_runs_from_not_collected_to_own() -> None:
    ladder = ["N", "X", "D", "G", "P", "R", "A", "O"]
    for low, high in pairwise(ladder):
        assert wider(_cell(high), _cell(low))
        assert not wider(_cell(low), _cell(high))


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ("B:L01,L17", "B:L01", True),
        ("B:L01", "B:L01,L17", False),
        ("B:L14", "T:L14", False),
        ("T:L14", "B:L14", False),
        ("T:L11", "D", True),
        ("P / B:L14", "P", True),
        ("A", "B:L01", True),
        ("D", "B:L01", False),
        ("B:as-content", "D", True),
        ("B:as-content", "B:as-content", False),
    ],
)
def test_one_more_ground_or_a_higher_step_is_wider(new: str, old: str, *, expected: bool) -> None:
    assert wider(_cell(new), _cell(old)) is expected


def test_a_duty_reaches_as_far_as_a_full_section() -> None:
    assert reach(_cell("T:L12")) == reach(_cell("A")) > reach(_cell("R"))


def _cell(code: str) -> Cell:
    read = parse(code, "here")
    grounds = ("L01",) if read.as_content else read.gateways
    return Cell(
        rule_id="here",
        code=code,
        automatic=read.automatic,
        duties=read.duties,
        gateways=grounds,
        as_content=read.as_content,
        why="",
        why_sv="",
        law=(),
    )
