"""The reduced form of a section: what another agency may know without a decision.

For: making a brief from coded fields, and reading one.
Refuses: text. No function here looks at what a person wrote, at a name, a number of a person or a point on a map.

> INVARIANT: a brief is made of the kind, code numbers, bands and the scene's slug; a test plants a canary in every
  text of every form and looks for it in every brief.

Shapes:

    SIT  [kind, severity | nil, time band, number band | nil]
         a seizure or find and a market note go on: [substance, ...], direction | nil, caution | nil, hours | nil
    PLC  [scene slug]
    SUB  [number band of children | nil, number band of adults | nil]; who may be a child counts as one
    ENF  [category | nil, status | nil]
    SAF  [cue, ...]
    AUT  [function, alias], made by the device

Source: docs/secrecy-rules.md ("How the pack meets the keys") and B5, reduction profiles.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from sluss_schemas.codes import CodeLists, Language, label, name, number
from sluss_schemas.forms.base import EnforcementForm, Form, age_range, fields, filled, persons_of
from sluss_schemas.forms.drugs import MarketNote, SeizureOrFind
from sluss_schemas.forms.market import outlook
from sluss_schemas.ids import SECTORS, Compartment, Sector
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid

TIME_BANDS: Final = ("night", "morning", "day", "evening")
"""Six hours each, from midnight in the pack's zone."""
HOURS_PER_BAND: Final = 6

_LISTS: Final[dict[str, str]] = {
    "severity": "severity",
    "time_band": "time_band",
    "number_band": "number_band",
    "substances": "substance",
    "direction": "direction",
    "caution": "caution",
    "cues": "safety_cue",
    "category": "enforcement_category",
    "status": "enforcement_status",
    "children": "number_band",
    "adults": "number_band",
}
"""What a value of a brief is labelled by."""

Value = str | int | list[str] | None


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """One compartment, reduced.

    Attributes:
        compartment: which.
        values: by name, codes as their strings; an hour count and a severity are integers.
        en: what people read for each value that there is, in English.
        sv: the same in Swedish.

    """

    compartment: Compartment
    values: dict[str, Value]
    en: dict[str, str]
    sv: dict[str, str]

    def labels(self, language: Language) -> dict[str, str]:
        """Return what people read for each value that there is."""
        return self.sv if language == "sv" else self.en


def briefs(
    form: Form, owner: Sector, pack: Pack, agreed: Collection[Compartment] = ()
) -> dict[Compartment, list[object]]:
    """Return the brief of every filled compartment for which the pack asks one, for this kind and owner.

    `agreed` are compartments that an agreement in force has told in short form as well.

    Raises:
        Invalid: `unknown_code` for a code that the pack does not have.

    """
    made: dict[Compartment, list[object]] = {
        "SIT": _situation(form, pack),
        "PLC": _scene(form, owner, pack),
        "SUB": _persons(form, pack),
        "ENF": _enforcement(form, pack.codes),
        "SAF": [number(pack.codes, "safety_cue", cue, "safety") for cue in form.safety],
    }
    return {
        compartment: array
        for compartment, array in made.items()
        if array and (compartment in agreed or asked(pack, form.KIND, owner, compartment))
    }


def asked(pack: Pack, kind: int, owner: Sector, compartment: Compartment) -> bool:
    """Tell whether any agency is to have this compartment reduced."""
    return any(pack.cell(kind, owner, compartment, sector).automatic == "R" for sector in SECTORS if sector != owner)


def time_band(observed_at: datetime, zone: str) -> str:
    """Return the band of the day in which a time lies, in the named zone."""
    return TIME_BANDS[observed_at.astimezone(ZoneInfo(zone)).hour // HOURS_PER_BAND]


def number_band(count: int) -> str | None:
    """Return the band of a number of people; None for nobody."""
    if count <= 1:
        return "1" if count else None
    return "2-4" if count < 5 else "5+"  # noqa: PLR2004 - the band's own bound


def read_brief(compartment: Compartment, array: Sequence[object], pack: Pack) -> Brief:
    """Return what a brief says.

    Raises:
        Invalid: `malformed` for an array that no device makes, `unknown_code` for a number outside the pack's lists.

    """
    values = _read(compartment, array, pack)
    return Brief(
        compartment=compartment,
        values=values,
        en=_labels(values, pack, "en"),
        sv=_labels(values, pack, "sv"),
    )


def _situation(form: Form, pack: Pack) -> list[object]:
    lists = pack.codes
    # Only some kinds have a severity and a number band; both are coded fields wherever they stand.
    severity, band = getattr(form, "severity", None), getattr(form, "number_band", None)
    first = [
        form.KIND,
        severity,
        number(lists, "time_band", time_band(form.observed_at, pack.zone)),
        _number(lists, "number_band", band),
    ]
    if not isinstance(form, SeizureOrFind | MarketNote):
        return first
    # Where the owner files no notes of its own, this brief is the note: nobody types it again.
    direction, caution, hours = outlook(form, pack)
    return [
        *first,
        [number(lists, "substance", code, "substances") for code in form.substances],
        _number(lists, "direction", direction),
        _number(lists, "caution", caution),
        hours,
    ]


def _scene(form: Form, owner: Sector, pack: Pack) -> list[object]:
    nameless = owner in pack.kinds[form.KIND].no_scene_from
    return [] if form.scene is None or nameless else [form.scene]


def _persons(form: Form, pack: Pack) -> list[object]:
    persons = persons_of(form)
    children = adults = 0
    for person in persons:
        youngest, oldest = age_range(person)
        # Doubt protects: whoever may be a child counts as one. Of whom nothing is known, nothing is told.
        known = youngest is not None or oldest is not None
        child = known and (youngest or 0) < pack.parameters.child_age
        children, adults = children + child, adults + (known and not child)
    bands = (number_band(children), number_band(adults))
    return [_number(pack.codes, "number_band", band) for band in bands] if persons else []


def _enforcement(form: Form, lists: CodeLists) -> list[object]:
    if not isinstance(form, EnforcementForm):
        return []
    if not any(filled(getattr(form, field.name)) for field in fields(type(form)) if field.compartment == "ENF"):
        return []
    return [
        _number(lists, "enforcement_category", form.enforcement_category),
        _number(lists, "enforcement_status", form.enforcement_status),
    ]


def _number(lists: CodeLists, list_: str, code: str | None) -> int | None:
    return None if code is None else number(lists, list_, code)


def _read(compartment: Compartment, array: Sequence[object], pack: Pack) -> dict[str, Value]:
    lists = pack.codes
    match compartment, list(array):
        case "SIT", [int(kind), severity, band, people, *market] if kind in pack.kinds:
            values: dict[str, Value] = {
                "kind": pack.kinds[kind].name,
                "severity": _int(severity, compartment),
                "time_band": _code(lists, "time_band", band, compartment),
                "number_band": _code(lists, "number_band", people, compartment),
            }
            return values | _market(market, lists)
        case "PLC", [str(scene)]:
            return {"scene": scene}
        case "SUB", [children, adults]:
            return {
                "children": _code(lists, "number_band", children, compartment),
                "adults": _code(lists, "number_band", adults, compartment),
            }
        case "ENF", [category, status]:
            return {
                "category": _code(lists, "enforcement_category", category, compartment),
                "status": _code(lists, "enforcement_status", status, compartment),
            }
        case "SAF", cues:
            return {"cues": [_sure(lists, "safety_cue", cue, compartment) for cue in cues]}
        case "AUT", [str(function), str(alias)]:
            return {"function": function, "alias": alias}
    raise Invalid("malformed", compartment)


def _market(array: list[object], lists: CodeLists) -> dict[str, Value]:
    match array:
        case []:
            return {}
        case [list() | tuple() as substances, direction, caution, hours]:
            return {
                "substances": [_sure(lists, "substance", n, "SIT") for n in substances],
                "direction": _code(lists, "direction", direction, "SIT"),
                "caution": _code(lists, "caution", caution, "SIT"),
                "valid_hours": _int(hours, "SIT"),
            }
    raise Invalid("malformed", "SIT")


def _int(raw: object, where: str) -> int | None:
    if raw is None or (isinstance(raw, int) and not isinstance(raw, bool)):
        return raw
    raise Invalid("malformed", where)


def _code(lists: CodeLists, list_: str, raw: object, where: str) -> str | None:
    return None if raw is None else _sure(lists, list_, raw, where)


def _sure(lists: CodeLists, list_: str, raw: object, where: str) -> str:
    n = _int(raw, where)
    if n is None:
        raise Invalid("malformed", where)
    return name(lists, list_, n, where)


def _labels(values: dict[str, Value], pack: Pack, language: Language) -> dict[str, str]:
    texts = {}
    for key, value in values.items():
        if value is None or value == []:
            continue
        codes = value if isinstance(value, list) else [str(value)]
        list_ = _LISTS.get(key)
        if key == "kind":
            kind = pack.kind_named(str(value))
            texts[key] = str(value) if kind is None else kind.sv if language == "sv" else kind.en
        elif list_ is None:
            texts[key] = ", ".join(codes)
        else:
            texts[key] = ", ".join(label(pack.codes, list_, code, language) for code in codes)
    return texts
