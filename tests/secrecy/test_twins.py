"""Reports that differ only in what is closed to a reader look the same to that reader, and so does what never was.

Every pair of twins was filed by one author at one time; the second lacks every part that is closed to some readers.
Whatever such a reader can ask the SDK for is asked of both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import pytest

from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, SlussError
from sluss_client.report import Report
from sluss_schemas import forms
from sluss_schemas.ids import ReportId

from tests.secrecy import expected
from tests.secrecy.expected import NAMES, PARTS
from tests.secrecy.populated import Pair, Populated, Twin, Who, every_pair

_RECORDED: Final = re.compile(r"recorded_at=datetime\.datetime\([^)]*\)\)")
Seen = list[tuple[str, object]]


def answer(ask: Callable[[], object]) -> object:
    """Return what a call gives, or all that its refusal says."""
    try:
        return ask()
    except SlussError as refusal:
        return type(refusal).__name__, refusal.args, sorted(vars(refusal).items())
    except AttributeError as missing:
        return "AttributeError", missing.args


@cache
def lists(device: Device) -> dict[str, dict[ReportId, str]]:
    """Return what a device's lists say, by report; asked once, because nothing changes any more."""
    return {
        "listed": {report.id: repr(report) for report in device.reports()},
        "held": {row.report_id: repr((row.version, row.kind, row.time)) for row in device.held()},
        "waiting": {row.report_id: repr(row) for row in device.waiting()},
        "duties": {row.report_id: repr(row) for row in device.duties()},
    }


def of_report(report: Report, device: Device) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield every question that a person can ask of a report that they have."""
    names = ("id", "kind", "kind_number", "agency", "version", "forked", "state", "scene", "time", "observed_at")
    for name in (*names, "readable", *NAMES.values(), *forms.FORMS[report.kind_number].__struct_fields__):
        yield name, lambda name=name: getattr(report, name)  # type: ignore[misc]  # bound at once
    for part in NAMES.values():
        yield f"coded {part}", lambda part=part: report.coded(part)  # type: ignore[misc]  # as above
        yield f"form {part}", lambda part=part: report.form_of(part)  # type: ignore[misc]  # as above
    yield "arrays", report.full_arrays
    yield "extra", report.author_extra
    yield "readers", lambda: device.readers(report)


def everything(square: Populated, who: Who, report_id: ReportId) -> Seen:
    """Return all that a reader's device answers about an id, with the id taken out."""
    device = square.device(*who)
    found: Seen = [(name, rows.get(report_id)) for name, rows in lists(device).items()]
    report = answer(lambda: device.get(report_id))
    found.append(("get", report))
    if isinstance(report, Report):
        found += [(question, answer(ask)) for question, ask in of_report(report, device)]
    found += [
        ("inspect", answer(lambda: square.run(device.inspect(report_id)))),
        ("answer", answer(lambda: square.run(device.answer(report_id, {})))),
        ("amend", answer(lambda: square.run(device.amend(report_id, no_such_field=1)))),
    ]
    return [(question, masked(repr(said), report_id)) for question, said in found]


def masked(said: str, report_id: ReportId) -> str:
    """Return an answer without the report's id and without the second in which it was written down."""
    return _RECORDED.sub("then", said.replace(repr(report_id), "id").replace(report_id.hex(), "id"))


@every_pair
def test_a_reader_cannot_tell_whether_what_is_closed_to_them_is_filled(square: Populated, pair: Pair) -> None:
    for twin in square.twins[pair]:
        for who in twin.readers:
            filled, hollow = (everything(square, who, report_id) for report_id in (twin.filled, twin.hollow))
            assert filled == hollow, (who, sorted(twin.closed))


@every_pair
def test_what_a_reader_may_not_know_of_answers_like_what_never_was(square: Populated, pair: Pair) -> None:
    nothing = ReportId(os.urandom(16))
    for who in strangers(square, pair):
        never = everything(square, who, nothing)
        for report_id in (square.twins[pair][0].filled, square.twins[pair][0].hollow):
            assert everything(square, who, report_id) == never
            with pytest.raises(NotFound):
                square.device(*who).get(report_id)


def strangers(square: Populated, pair: Pair) -> list[Who]:
    """Return the readers for whom a report filed without a duty does not exist."""
    return [who for who in square.devices if not square.seen(pair, who, twin=True)]


def test_the_comparison_sees_a_difference_where_a_part_is_open(square: Populated) -> None:
    # Police read a guard's situation in full, so for them the twins made for somebody else do differ.
    different = 0
    for twin in square.twins[1, "SEC"]:
        open_to_police = frozenset(square.seen((1, "SEC"), ("POL", "field"), twin=True))
        if open_to_police & twin.closed & {"SIT", "PLC", "SAF"}:
            one, other = (everything(square, ("POL", "field"), each) for each in (twin.filled, twin.hollow))
            assert one != other
            different += 1
    assert different > 0


def test_every_set_of_closed_parts_was_filed(square: Populated) -> None:
    assert all(_covered(square, pair, square.twins[pair]) for pair in expected.pairs())


def _covered(square: Populated, pair: Pair, twins: list[Twin]) -> bool:
    readers = {who for twin in twins for who in twin.readers}
    return readers == set(square.devices) - {(pair[1], "author")} and all(twin.closed <= set(PARTS) for twin in twins)


def test_closed_parts_really_were_filled_in_one_twin_and_not_in_the_other(square: Populated) -> None:
    author: dict[str, Report] = {}
    for pair, twins in square.twins.items():
        device = square.device(pair[1], "case_staff")
        for twin in twins:
            if not {"SUB", "CAR"} <= twin.closed or not square.seen(pair, (pair[1], "case_staff")):
                continue
            filled, hollow = device.get(twin.filled), device.get(twin.hollow)
            assert hollow.form_of("SUB") is None or (filled.subject and hollow.subject is None)
            assert hollow.form_of("CAR") is None or (filled.care and hollow.care is None)
            author[str(pair)] = hollow
    assert len(author) > 30


def test_an_id_that_is_none_is_refused_alike_on_every_device(square: Populated) -> None:
    for device in square.devices.values():
        with pytest.raises(Invalid):
            device.get("not-an-id")
