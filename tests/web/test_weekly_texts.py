"""Texts in the files of the week are texts: no markup, no formula, no hole, and never more than two pages."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Final, cast

import pytest
from msgspec import structs

from sluss_schemas.directory import Genesis, Scene
from sluss_schemas.policy.model import Kind
from sluss_schemas.statements import Measure, ObjectiveTerms
from sluss_server.aggregates.cells import begins, days_of, week_named
from sluss_server.aggregates.measures import Progress
from sluss_server.web.asking import Language
from sluss_server.web.panels.counts import Figure, Usual
from sluss_server.web.panels.duties import Duties, Duty
from sluss_server.web.panels.objectives import Aim, Objectives, Value
from sluss_server.web.panels.pulse import Pulse, Row
from sluss_server.web.panels.zones import Zone
from sluss_server.web.weekly import pdf, rfc4180
from sluss_server.web.weekly.contents import Contents
from sluss_server.web.wording import words

from tests.server.town import PACK
from tests.web.reading import Pdf

WEEK: Final = week_named("2026-W38")
FORMULAS: Final = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    "\uff1d1",
    '=HYPERLINK("https://example.org")',
)
MARKUP: Final = (
    '#read("/etc/passwd")',
    "$x^2$",
    "@label",
    "*bold* _it_",
    "back\\slash \\u{41}",
    "// no comment",
    "/* none */",
    "[b] {c} (d)",
    "<label>",
    "= Heading",
    '"quoted" `raw`',
    "~ -- --- ...",
)


def agency(label: str = "Polisen") -> Genesis:
    return Genesis(
        b"p" * 16,
        "police",
        "POL",
        label,
        label,
        registry=True,
        root=b"r" * 32,
        next_root=b"n" * 32,
        checkpoint=b"c" * 32,
    )


def aim(title: str, owner: str) -> Aim:
    measure = Measure("count", 1, "", None)
    terms = ObjectiveTerms(b"o" * 16, measure, None, "at_most", 1_000_000, 20_000, 20_900, title, ended=False)
    return Aim(
        terms=terms,
        owner=agency(owner),
        kind=PACK.kinds[1],
        code=None,
        value=Value(known=123_456, whole=False),
        progress=Progress(value=1, target=2, time_over=50, standing="behind"),
        standing="hidden",
    )


def full(text: str) -> Contents:
    """Return a week in which every list is as long as it may be, and everything that has a name has this one."""
    usual, many = Usual(12_345.5, 10_000, 99_999), Figure("part", 123_456, 10)
    kinds = [replace_label(number, text) for number in sorted(PACK.kinds)]
    rows = [Row(kind=kind, own=99_999, usual=usual, verdict="above", others=many, others_before=many) for kind in kinds]
    scenes = [Scene(number, f"scene-{number}", text, text, None, "confirmed") for number in range(1, 41)]
    return Contents(
        week=WEEK,
        ends=begins(days_of(WEEK)[1], "Europe/Stockholm"),
        partnership=text,
        agency=agency(text),
        round_to=5,
        pulse=Pulse(rows=tuple(rows), total=1_234_567, total_usual=usual, before=4, open=True),
        scenes=tuple(Zone(scene=one, own=99_999, joint=99_999, others=many, drawn=None) for one in scenes),
        objectives=Objectives(aims=tuple(aim(text, text) for _ in range(20)), day=20_710),
        today=20_711,
        duties=Duties(rows=tuple(Duty(code=text, overdue=999, later=999) for _ in range(20)), total=Duty(code="")),
    )


def replace_label(number: int, text: str) -> Kind:
    return structs.replace(PACK.kinds[number], en=text, sv=text)


@pytest.mark.parametrize("lang", ["sv", "en"])
@pytest.mark.parametrize(
    "text", ["W" * 120, "långa ord " * 12, "x", "Wi " * 40], ids=["wide", "words", "short", "many"]
)
def test_whatever_there_is_stands_on_two_pages(lang: str, text: str) -> None:
    contents = full(text)

    document = Pdf(pdf.typeset(pdf.said(contents, words(cast("Language", lang))), contents.ends))

    assert len(document.pages) == 2
    assert all("MediaBox[0 0 595.2756 841.8898]" in page.decode("latin-1") for page in document.pages)
    second = document.texts()[1]
    assert "26 " in second
    assert "13 " in second


@pytest.mark.parametrize("text", MARKUP)
def test_a_text_is_never_read_as_markup(text: str) -> None:
    contents = full("x")
    scenes = (replace(contents.scenes[0], scene=Scene(1, "scene-1", text, text, None, "confirmed")),)
    contents = replace(contents, scenes=scenes, partnership=text, agency=agency(text))

    body = pdf.typeset(pdf.said(contents, words("en")), contents.ends)

    flat = Pdf(body).texts()[1].replace("\n", "").replace(" ", "")
    assert flat.count(pdf.printable(text).replace(" ", "")) >= 3


@pytest.mark.parametrize("text", ["مرحبا", "日本", "🚓", "a\x00b\x1b", "\u202eabc", "a\u0301", "ﬁ"])
def test_a_character_that_the_font_lacks_is_a_question_mark_and_no_fault(text: str) -> None:
    contents = full(text)

    assert len(Pdf(pdf.typeset(pdf.said(contents, words("en")), contents.ends)).pages) == 2


def test_every_character_that_is_let_through_can_be_set() -> None:
    known = "".join(chr(one) for few in pdf._KNOWN for one in few) + "".join(sorted(pdf._SIGNS))
    contents = full("x")
    said = pdf.said(contents, words("en")) | {"lead": [known]}

    assert len(Pdf(pdf.typeset(said, contents.ends)).pages) == 2


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_is_a_formula(cell: str) -> None:
    body = rfc4180.written([["name", cell, "=2"]])

    [row] = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""))
    assert row == ["name", f"'{cell}", "'=2"]


@pytest.mark.parametrize("cell", ["a,b", 'say "x"', "two\nlines", "<5", "åäö", "1-2", "", " x "])
def test_every_other_cell_reads_back_as_it_was(cell: str) -> None:
    body = rfc4180.written([["a", "b"], [cell, 7]])

    assert body.startswith(b"\xef\xbb\xbf")
    assert body.endswith(b"\r\n")
    assert list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))[1] == [cell, "7"]
