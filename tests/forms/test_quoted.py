"""What a report quotes lies in the author section and comes back from there, whatever else does."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from sluss_schemas import forms
from sluss_schemas.codec import encode
from sluss_schemas.policy import builtin
from sluss_schemas.quoting import NOTHING, Quote, Quoted, read_quoted, together

PACK = builtin()[-1]
NOW = datetime(2026, 2, 3, 20, tzinfo=UTC)
PLACE = forms.Place(name="the kiosk", lat=59_000_000, lon=18_000_000)
ONE = Quoted((Quote(b"a" * 16, 1), Quote(b"b" * 16, 0, held=True)), 1_770_000_000)


@pytest.mark.parametrize("hold", ["", "embargo"])
@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("quoted", [NOTHING, ONE, Quoted(ONE.quotes)])
def test_a_quote_comes_back_with_the_hold_and_the_place(quoted: Quoted, hold: str, *, stays: bool) -> None:
    form = forms.OrderIncident(scene="square", observed_at=NOW, sub_kind="threat", place=PLACE)
    made = forms.author_extra(form, "SEC", PACK, place_stays=stays, hold=hold, quoted=quoted.array())
    extra = msgspec.msgpack.decode(encode(made))
    assert read_quoted(forms.quoted_in(extra)) == quoted
    assert (forms.hold_in(extra), forms.place_stayed(extra)) == (hold, stays)
    cut = forms.sections(form, "SEC", PACK, place_stays=stays)
    assert forms.rebuild(1, cut, PACK, extra) == form


def test_a_version_that_quotes_nothing_is_written_as_before() -> None:
    form = forms.OrderIncident(scene="square", observed_at=NOW, sub_kind="threat")
    assert forms.author_extra(form, "SEC", PACK) is None
    assert forms.author_extra(form, "SEC", PACK, hold="embargo") == [None, ["embargo", False]]
    assert read_quoted(forms.quoted_in(None)) is NOTHING


@pytest.mark.parametrize("wrong", [[[[b"short", 1, False]], None], [7, 8], "quoted", [[[b"a" * 16]], None]])
def test_limits_that_cannot_be_read_are_the_narrowest(wrong: object) -> None:
    found = read_quoted(wrong)
    assert [(one.agency, one.kind, one.held) for one in found.quotes] == [(bytes(16), 0, True)]


def test_several_quotes_keep_every_limit_and_the_earliest_end() -> None:
    other = Quoted((Quote(b"c" * 16, 5), ONE.quotes[0]), 1_760_000_000)
    found = together([ONE, NOTHING, other])
    assert set(found.quotes) == {*ONE.quotes, *other.quotes}
    assert len(found.quotes) == 3
    assert found.until == 1_760_000_000
    assert found.over(1_760_000_000)
    assert not found.over(1_759_999_999)
    assert not NOTHING.over(1 << 40)
