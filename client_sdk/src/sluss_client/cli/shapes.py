"""The JSON of `sluss-device`: one place where each shape is made.

Bytes are hexadecimal, times are ISO 8601 in the pack's zone, what is empty is null.
In a report a compartment is its value; `{"closed": rule}` where the pack closes it, `{"brief": {...}}` where only the
reduced form is open.
Source: docs/contract.md, "Command lines".

> INVARIANT: a closed compartment has one shape, whether it is filled or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sluss_client.answers import Held, Quarantined, ReaderRow, Waiting
from sluss_client.errors import Refused
from sluss_client.extracting import Extract
from sluss_client.mappings.table import Bad
from sluss_client.report import FORM_COMPARTMENTS, Author, Report
from sluss_client.views import moment
from sluss_schemas.brief import Brief
from sluss_schemas.forms.base import HEADS
from sluss_schemas.ids import COMPARTMENT_NAMES
from sluss_schemas.policy.explain import Link, Told
from sluss_schemas.policy.model import Pack


def report_row(report: Report) -> dict[str, Any]:
    """Return {id, kind, agency, version, forked, state, scene, time, observed_at, readable}."""
    return {
        "id": report.id.hex(),
        "kind": report.kind,
        "agency": report.agency,
        "version": report.version,
        "forked": report.forked,
        "state": report.state,
        "scene": report.scene,
        "time": report.time.isoformat(),
        "observed_at": report.observed_at.isoformat(),
        "readable": list(report.readable),
    }


def told(one: Told) -> dict[str, Any]:
    """Return an explanation: its sentences, what is open by which rule and pack, and the grants behind it."""
    return {
        "sentences": list(one.sentences),
        "form": one.form,
        "ground": one.ground,
        "rule": one.rule_id,
        "code": one.code,
        "law": list(one.law),
        "pack": one.pack,
        "valid_from": one.valid_from,
        "chain": [_link(link) for link in one.chain],
        "ends": _when(one.ends),
        "ended": [_link(link) for link in one.ended],
        "known": one.known,
    }


def _link(one: Link) -> dict[str, Any]:
    ends = {"begins": _when(one.begins), "ends": _when(one.ends)}
    return {"code": one.code, "name": one.name, "law": list(one.law), **ends}


def _when(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()


def report_whole(report: Report, pack: Pack) -> dict[str, Any]:
    """Return a report with all that may be read of it: its row, every compartment by name, and `coded` fields."""
    zone = ZoneInfo(pack.zone)
    parts = {name: _compartment(report, name, zone) for name in COMPARTMENT_NAMES.values()}
    return report_row(report) | parts | {"coded": coded(report, zone), "linked": [one.hex() for one in report.linked]}


def coded(report: Report, zone: ZoneInfo) -> dict[str, Any]:
    """Return the coded fields of every compartment that is open in full, by field."""
    found: dict[str, Any] = {}
    for code in FORM_COMPARTMENTS:
        if report.form_of(code) == "full":
            values = report.coded(COMPARTMENT_NAMES[code])
            found |= {name: plain(value, zone) for name, value in values.items() if name not in HEADS[code]}
    return found


def _compartment(report: Report, name: str, zone: ZoneInfo) -> object:
    try:
        value = getattr(report, name)
    except Refused as closed:
        return {"closed": closed.rule or closed.code}
    return plain(value, zone)


def plain(value: object, zone: ZoneInfo) -> object:
    """Return a value of a report as JSON has it."""
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return value.astimezone(zone).isoformat()
        case Brief():
            return {"brief": {name: plain(one, zone) for name, one in value.values.items()}}
        case Author():
            person = {"person": plain(value.person, zone), "recorded_at": plain(value.recorded_at, zone)}
            name = {"name": value.name} if value.name else {}
            return {"function": value.function, "alias": value.alias} | person | name
        case msgspec.Struct():
            each = ((name, getattr(value, name)) for name in value.__struct_fields__)
            return {name: plain(one, zone) for name, one in each if one is not None}
        case list() | tuple():
            return [plain(one, zone) for one in value]
        case Mapping():
            return {str(name): plain(one, zone) for name, one in value.items()}
    return value


def extract(found: Extract, pack: Pack) -> dict[str, Any]:
    """Return {law, reports: [{id, kind, scene, time, person, parts, left_out: [{part, code, law, say}]}], unopened}."""
    zone = ZoneInfo(pack.zone)
    reports = [
        {
            "id": one.report_id.hex(),
            "kind": one.kind,
            "scene": one.scene,
            "time": one.time.isoformat(),
            "person": plain(one.person, zone),
            "parts": plain(one.parts, zone),
            "left_out": [
                {"part": COMPARTMENT_NAMES[left.part], "code": left.code, "law": list(left.law), "say": left.en}
                for left in one.left_out
            ],
        }
        for one in found.reports
    ]
    return {"law": list(found.law), "reports": reports, "unopened": found.unopened}


def reader_row(row: ReaderRow) -> dict[str, Any]:
    """Return {audience, compartment, form, rule, reason, law}."""
    return dict(row._asdict())


def waiting_row(row: Waiting, pack: Pack | None) -> dict[str, Any]:
    """Return {id, kind, version, state, filed_at, reason, field, say}; the last three null where nothing is wrong.

    A wiped device has no pack any more: there the time is in UTC, and the kind null where it is secret.
    """
    filed_at = datetime.fromtimestamp(row.filed_at, UTC) if pack is None else moment(row.filed_at, pack)
    return {
        "id": row.report_id.hex(),
        "kind": row.kind or None,
        "version": row.version,
        "state": row.state,
        "filed_at": filed_at.isoformat(),
        "reason": row.reason,
        "field": row.field,
        "say": row.say or None,
    }


def held_row(row: Held, pack: Pack) -> dict[str, Any]:
    """Return {id, kind, version, time}; the kind is null where it is itself secret."""
    time = moment(row.time, pack).isoformat()
    return {"id": row.report_id.hex(), "kind": row.kind or None, "version": row.version, "time": time}


def quarantined_row(row: Quarantined, received_at: str, situation: str | None) -> dict[str, Any]:
    """Return {id, kind, version, alias, reason, received_at, situation}; null where this device cannot read it."""
    return {
        "id": row.report_id.hex(),
        "kind": row.kind or None,
        "version": row.version,
        "alias": row.alias,
        "reason": row.reason,
        "received_at": received_at,
        "situation": situation,
    }


def bad_row(bad: Bad) -> dict[str, Any]:
    """Return {row, code, field, say} of a row that was not taken."""
    return {"row": bad.row, "code": bad.code, "field": bad.field, "say": bad.say}
