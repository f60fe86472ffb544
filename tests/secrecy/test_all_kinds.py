"""Every kind of every owner, filed with every field filled and read by everybody: as the table says, and as filed.

What each reader must have is worked out from the table of cells by `expected.py`, which shares no code with
the product.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest

from sluss_client.errors import NotFound, Refused
from sluss_client.report import Author, Report
from sluss_schemas import forms
from sluss_schemas.brief import Brief
from sluss_schemas.forms.base import fields

from tests.forms.samples import PACK
from tests.secrecy import expected
from tests.secrecy.expected import NAMES, PARTS, SECTORS, Role
from tests.secrecy.populated import READERS, Pair, Populated, Who, every_pair

COORDINATES_STAY: Final = ("POL", "SEC")
CONCERN: Final = 7
"""A report of concern of police or guards has no coordinates, because social services read its author section."""
ZONE: Final = ZoneInfo("Europe/Stockholm")


def report_for(square: Populated, pair: Pair, who: Who) -> Report | None:
    """Return a report as a reader's device has it."""
    try:
        return square.device(*who).get(square.whole[pair])
    except NotFound:
        return None


def in_full(square: Populated, pair: Pair, part: str) -> Any:  # noqa: ANN401 - each part has a type of its own
    """Return what an author filed in a part, as a reader of the full section gets it."""
    form, (_, owner) = square.filed[pair], pair
    if part == "PLC":
        place = form.place
        if owner in COORDINATES_STAY and isinstance(place, forms.Place):
            return msgspec.structs.replace(place, lat=None, lon=None)
        return place
    return getattr(form, NAMES[part], None)


def in_brief(square: Populated, pair: Pair, part: str) -> dict[str, object] | None:
    """Return what a brief of a part has to say, from the form's coded fields."""
    form, (kind, owner) = square.filed[pair], pair
    if part == "SIT":
        hour = form.observed_at.astimezone(ZONE).hour
        said: dict[str, object] = {
            "kind": PACK.kinds[kind].name,
            "severity": getattr(form, "severity", None),
            "time_band": ("night", "morning", "day", "evening")[hour // 6],
            "number_band": getattr(form, "number_band", None),
        }
        if kind in {3, 18}:
            said |= {name: getattr(form, name) for name in ("substances", "direction", "caution", "valid_hours")}
        return said
    if part == "PLC":
        return None if (kind, owner) == (18, "HLT") else {"scene": form.scene}
    if part == "SUB":
        return {"children": "1", "adults": None}
    if part == "SAF":
        return {"cues": form.safety}
    if part == "ENF":
        return {name: getattr(form, f"enforcement_{name}") for name in ("category", "status")}
    return None


@pytest.fixture(scope="module")
def listed(square: Populated) -> dict[Who, list[Report]]:
    """What each device lists."""
    return {who: list(square.device(*who).reports()) for who in READERS}


@every_pair
def test_each_part_is_open_to_each_reader_in_exactly_the_form_that_the_table_says(
    square: Populated, pair: Pair
) -> None:
    found: dict[str, object] = {}
    wanted: dict[str, object] = {}
    for who in READERS:
        report = report_for(square, pair, who)
        found["/".join(who)] = report and {part: form for part in PARTS if (form := report.form_of(part)) is not None}
        wanted["/".join(who)] = square.seen(pair, who) or None
    assert found == wanted


@every_pair
def test_a_closed_part_is_refused_by_the_rule_of_its_cell(square: Populated, pair: Pair) -> None:
    kind, owner = pair
    for sector, role in READERS:
        report = report_for(square, pair, (sector, role))
        for part in PARTS if report is not None else ():
            if report is None or report.form_of(part) is not None:
                continue
            with pytest.raises(Refused) as refused:
                getattr(report, NAMES[part])
            # Under a duty that went past them, other agencies' supervisors stand in their sector's column.
            column = expected.column(sector, role)
            assert refused.value.rule == f"K{kind:02d}.{owner}.{part}.{column}"
            assert (refused.value.code, refused.value.field) == ("closed", NAMES[part])


@every_pair
def test_what_is_open_in_full_is_what_was_filed(square: Populated, pair: Pair) -> None:
    form, author = square.filed[pair], square.device(pair[1], "author")
    for who in READERS:
        report = report_for(square, pair, who)
        for part in ("SIT", "PLC", "SUB", "CAR", "ENF", "SAF"):
            if report is None or report.form_of(part) != "full":
                continue
            assert getattr(report, NAMES[part]) == in_full(square, pair, part), (who, part)
            coded = {
                each.name: getattr(form, each.name)
                for each in fields(type(form))
                if each.compartment == part and each.name != NAMES[part]
            }
            assert report.coded(NAMES[part]) == coded, (who, part)
        if report is not None and report.form_of("ATT") == "full":
            assert report.attachments is None
        if report is not None and report.form_of("AUT") == "full":
            filed_by = report.author
            assert isinstance(filed_by, Author)
            assert (filed_by.alias, filed_by.person) == (author.alias, author.person_id), who
            assert filed_by.recorded_at is not None


@every_pair
def test_what_is_open_in_brief_is_made_of_codes_alone(square: Populated, pair: Pair) -> None:
    author = square.device(pair[1], "author")
    for who in READERS:
        report = report_for(square, pair, who)
        for part in PARTS:
            if report is None or report.form_of(part) != "brief":
                continue
            if part == "ATT":
                assert report.attachments is None
            elif part == "AUT":
                assert report.author == Author("field", author.alias), who
            else:
                brief = getattr(report, NAMES[part])
                assert (brief.values if isinstance(brief, Brief) else brief) == in_brief(square, pair, part), (
                    who,
                    part,
                )
                with pytest.raises(Refused):
                    report.coded(NAMES[part])


@every_pair
def test_the_exact_time_stands_in_the_full_situation_and_nowhere_else(square: Populated, pair: Pair) -> None:
    observed = square.filed[pair].observed_at
    precision = PACK.kinds[pair[0]].precision[pair[1]]  # type: ignore[index]  # a sector
    for who in READERS:
        report = report_for(square, pair, who)
        if report is None:
            continue
        local = observed.astimezone(ZONE)
        floor = local.replace(hour=local.hour if precision == "hour" else 0, minute=0, second=0, microsecond=0)
        if precision == "daypart":
            floor = floor.replace(hour=local.hour - local.hour % 6)
        if precision == "week":
            floor = (floor - timedelta(days=floor.weekday())).replace(hour=0)
        assert report.observed_at == (observed if report.form_of("SIT") == "full" else floor)
        if who != (pair[1], "author"):
            assert report.time == floor


@pytest.mark.parametrize(
    "pair", [pair for pair in expected.pairs() if pair[1] in COORDINATES_STAY and pair[0] != CONCERN], ids=str
)
def test_free_coordinates_of_police_and_guards_stay_in_their_agency(square: Populated, pair: Pair) -> None:
    place = square.filed[pair].place
    assert isinstance(place, forms.Place)
    assert place.lat is not None
    point = re.compile(f"{place.lat}|{place.lon}")
    holders = set()
    for sector, role in READERS:
        report = report_for(square, pair, (sector, role))
        if report is not None and point.search(repr((report.author_extra(), report.full_arrays()))):
            holders.add(sector)
    assert holders == {pair[1]}


@every_pair
def test_a_supervisor_sees_that_a_row_exists_and_nothing_of_it_until_it_is_opened(
    square: Populated, pair: Pair
) -> None:
    assert square.before[pair] == "held"


@every_pair
def test_rows_are_held_for_the_own_supervisors_alone(square: Populated, pair: Pair) -> None:
    twin = square.twins[pair][0].filled
    holders = {who for who in READERS if any(row.report_id == twin for row in square.device(*who).held())}
    assert holders == {(pair[1], "supervisors")}


@every_pair
def test_reports_lists_what_get_opens_and_nothing_else(
    square: Populated, listed: dict[Who, list[Report]], pair: Pair
) -> None:
    for who in READERS:
        kinds = [report.kind for report in listed[who] if report.id == square.whole[pair]]
        assert kinds == [PACK.kinds[pair[0]].name] * bool(square.seen(pair, who))


def test_every_duty_that_was_sent_told_somebody(square: Populated) -> None:
    told = {
        (pair, code)
        for pair, codes in square.sent.items()
        for code in codes
        if report_for(square, pair, told_by(code)) is not None
    }
    assert told == {(pair, code) for pair, codes in square.sent.items() for code in codes}
    assert {code for _, code in told} == {"L11", "L14"}


def told_by(code: str) -> tuple[str, Role]:
    """Return whom a duty tells."""
    return expected.AT_FILING[code]  # type: ignore[return-value]  # a role


def test_no_device_raised_an_alarm_and_nothing_waits(square: Populated) -> None:
    for device in square.devices.values():
        assert device.local.alarms() == []
        assert device.waiting() == []


def test_the_table_knows_every_agency_kind_and_pair() -> None:
    assert len(expected.pairs()) == 62
    assert {kind for kind, _ in expected.pairs()} == set(range(1, 20))
    assert {owner for _, owner in expected.pairs()} == set(SECTORS)
    # Not everything is open and not everything is closed, or the tests above would compare nothing.
    seen = [expected.seen(kind, owner, sector, "field") for kind, owner in expected.pairs() for sector in SECTORS]
    assert {form for one in seen for form in one.values()} == {"full", "brief"}
    assert sum(not one for one in seen) > 50
