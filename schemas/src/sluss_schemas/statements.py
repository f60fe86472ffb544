"""Statements of an agency: what a scene is, what is aimed at, how many hours staff were there, what is in stock.

For: the registry, which supervisors of every agency see with its signatures, and the objectives of the overview; a
stock is shown to the own agency alone, because two counts of it tell how much was used between them.
A statement is a case record without addressees; its `terms` hold one of the structures here.
Refuses: codes that the pack does not have, days in the wrong order, a measure that nobody counts.
Source: docs/protocol.md section 4.

> INVARIANT: statements are about places, aims, hours and counts of things; no structure here has room for a person.
> INVARIANT: of what one agency says of one subject the latest holds, in whatever order statements came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sluss_schemas.codec import Document, decode
from sluss_schemas.forms.facts import SCENE, fact_field, fact_names
from sluss_schemas.forms.registry import form_type
from sluss_schemas.manifest import U16, Id16, UnixTime
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.records import SignedRecord

MAX_STATEMENTS: Final = 200
"""Statements in one answer of the registry."""
MAX_TITLE: Final = 120
MAX_LABEL: Final = 60
MAX_SUB_PLACES: Final = 40
PER_CENT: Final = 100

MUMIN_KIND: Final = 8
DEFECT_KIND: Final = 9
MEETING_KIND: Final = 14

Subject = Literal["scene", "objective", "staffing", "stock"]
"""What a statement is about; the `code` of its record."""
What = Literal["count", "sum", "mumin_ratio", "attendance", "days_to_fix"]
"""How an objective is measured."""

Item = Literal["naloxone"]
"""What a stock is counted of, in doses."""

SceneNumber = Annotated[int, Meta(ge=1, le=65_535)]
CodeNumber = Annotated[int, Meta(ge=1, le=65_535)]
Day = U16
"""Days since 1 January 1970."""
Year = Annotated[int, Meta(ge=1900, le=2200)]
Name = Annotated[str, Meta(max_length=MAX_LABEL)]

DEFINITION: Final = "scene_definition"
STATE: Final = "scene_state"
STRATEGY: Final = "scene_strategy"
SURROUNDINGS: Final = "surroundings"
SUB_PLACE: Final = "sub_place"
"""The pack's code lists."""


class SubPlace(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of a scene: what kind of place it is, and what it is called."""

    code: CodeNumber
    label: Annotated[str, Meta(min_length=1, max_length=MAX_LABEL)]


class SceneTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="scene"):
    """What an agency says of a scene.

    Attributes:
        scene: its number in the registry, which also has its labels and its zone.
        definition: which criteria of an open drug scene it meets, by their codes, in order.
        state: candidate, confirmed, dormant or closed.
        since: the day of the decision on the state.
        strategy: what the partnership wants to do about it; None where nothing is decided.
        strategy_since: the day of that decision.
        surroundings: what lies near, by codes, in order; a protected service is none of them.
        sub_places: its parts, each once.
        district: the part of the town; may be empty.
        municipality: may be empty.
        survey: the year of the survey that found it.
        first_known: the first year in which it was known.
        prioritised: the year since which it has priority.
        under_reported: whether few reports are known to mean fear or absence, and not calm.

    """

    scene: SceneNumber
    definition: Annotated[tuple[CodeNumber, ...], Meta(max_length=8)]
    state: CodeNumber
    since: Day
    strategy: CodeNumber | None
    strategy_since: Day | None
    surroundings: Annotated[tuple[CodeNumber, ...], Meta(max_length=16)]
    sub_places: Annotated[tuple[SubPlace, ...], Meta(max_length=MAX_SUB_PLACES)]
    district: Name
    municipality: Name
    survey: Year | None
    first_known: Year | None
    prioritised: Year | None
    under_reported: bool


class Measure(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an objective counts.

    Attributes:
        what: how: reports, the sum of a number in them, a ratio in per cent, or days.
        kind: the kind of report; None for what is not counted in one kind's reports alone.
        dim: the fact that is looked at, by its name in the pack; empty for every report of the kind.
        value: the number of the code that the fact has to have; for `attendance` a level of meetings.

    """

    what: What
    kind: Annotated[int, Meta(ge=1, le=255)] | None
    dim: Annotated[str, Meta(max_length=40)]
    value: CodeNumber | None


class ObjectiveTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="objective"):
    """What an agency, which owns it, aims at.

    Attributes:
        objective: its id, random.
        measure: what is counted.
        scene: where; None for the whole partnership.
        direction: whether the target is a ceiling or a floor.
        target: the number.
        since: the first day that counts.
        until: the last one.
        title: what people call it; names nobody.
        ended: whether it was given up or reached before its last day.

    """

    objective: Id16
    measure: Measure
    scene: SceneNumber | None
    direction: Literal["at_most", "at_least"]
    target: Annotated[int, Meta(ge=0, le=1_000_000)]
    since: Day
    until: Day
    title: Annotated[str, Meta(min_length=1, max_length=MAX_TITLE)]
    ended: bool


class StaffingTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="staffing"):
    """How many hours an agency's staff were at a scene in a week, which `week` names by its Monday."""

    scene: SceneNumber
    week: Day
    hours: Annotated[int, Meta(ge=0, le=20_000)]


class StockTerms(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="stock"):
    """How much of something an agency had when somebody counted.

    Attributes:
        item: what was counted.
        doses: how many doses there were.
        counted: the day at whose end they were counted.
        expires: the last day of the doses that expire first; None where nobody looked.

    """

    item: Item
    doses: Annotated[int, Meta(ge=0, le=100_000)]
    counted: Day
    expires: Day | None


Terms = SceneTerms | ObjectiveTerms | StaffingTerms | StockTerms


class Stated(msgspec.Struct, frozen=True, array_like=True):
    """A statement that holds, as its agency's device signed it, and when the server received it."""

    agency: Id16
    record: SignedRecord
    received_at: UnixTime


class RegistryAsk(msgspec.Struct, frozen=True, array_like=True):
    """Ask for the statements that hold, of one kind of subject, after a place; empty for the first of them."""

    subject: Subject
    after: Annotated[bytes, Meta(max_length=64)]


class RegistryAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Statements in the order of their subjects and agencies; `after` is where the next begin, empty for none."""

    statements: tuple[Stated, ...]
    after: bytes


class StockAsk(msgspec.Struct, frozen=True, array_like=True):
    """Ask how much of something the own agency's reports say was used after a day."""

    item: Item
    after: Day


class StockAnswer(msgspec.Struct, frozen=True, array_like=True):
    """How many doses were used after that day; who got them is not asked for."""

    used: Annotated[int, Meta(ge=0)]


def read(data: bytes) -> Terms:
    """Return the terms of a statement.

    Raises:
        Invalid: `malformed` or `not_canonical`.

    """
    found: Terms = decode(Terms, data, "record.terms")  # type: ignore[arg-type]  # a union is no class
    return found


def subject_of(terms: Terms) -> tuple[Subject, bytes]:
    """Return what a statement is about: the kind of subject, and its name among those.

    Staffing is ordered by week, then scene.
    """
    if isinstance(terms, SceneTerms):
        return "scene", _two(terms.scene)
    if isinstance(terms, ObjectiveTerms):
        return "objective", terms.objective
    if isinstance(terms, StockTerms):
        return "stock", terms.item.encode()
    return "staffing", _two(terms.week) + _two(terms.scene)


def from_week(week: int) -> bytes:
    """Return where the staffing of a week begins, for `RegistryAsk.after`."""
    return _two(week) + _two(0) + bytes(16)


def _two(number: int) -> bytes:
    return number.to_bytes(2, "big")


# what may be said


def check(terms: Terms, pack: Pack, known: Callable[[int], bool]) -> None:
    """Return quietly for terms that mean something; `known` tells whether the registry has a scene.

    Raises:
        Invalid: `unknown_scene`, `unknown_code`, `out_of_range`, `missing_field` or `malformed`, each with its field.

    """
    if isinstance(terms, StockTerms):
        if terms.expires is not None and terms.expires < terms.counted:
            raise Invalid("out_of_range", "expires", "Count only what has not expired.")
        return
    if terms.scene is not None and not known(terms.scene):
        raise Invalid("unknown_scene", "scene")
    if isinstance(terms, SceneTerms):
        _check_scene(terms, pack)
    elif isinstance(terms, ObjectiveTerms):
        if terms.until < terms.since:
            raise Invalid("out_of_range", "until", "Let it end on the day on which it begins, or later.")
        if not terms.title.strip():
            raise Invalid("missing_field", "title")
        _check_measure(terms, pack)
    elif not is_monday(terms.week):
        raise Invalid("out_of_range", "week", "Name the week by its Monday.")


def is_monday(day: int) -> bool:
    """Tell whether a day is a Monday; 1 January 1970 was a Thursday."""
    return day % 7 == 4  # noqa: PLR2004  # four days after that


def _check_scene(terms: SceneTerms, pack: Pack) -> None:
    _check_codes(pack, DEFINITION, terms.definition, "definition")
    _check_codes(pack, STATE, (terms.state,), "state")
    _check_codes(pack, SURROUNDINGS, terms.surroundings, "surroundings")
    _check_codes(pack, STRATEGY, () if terms.strategy is None else (terms.strategy,), "strategy")
    if (terms.strategy is None) != (terms.strategy_since is None):
        raise Invalid("missing_field", "strategy_since")
    parts = [(part.code, part.label) for part in terms.sub_places]
    if parts != sorted(set(parts)):
        raise Invalid("malformed", "sub_places")
    for part in terms.sub_places:
        _check_codes(pack, SUB_PLACE, (part.code,), "sub_places")


def _check_codes(pack: Pack, name: str, codes: Iterable[int], field: str) -> None:
    given = tuple(codes)
    if not {*given} <= {code.n for code in pack.codes.get(name, {}).values()}:
        raise Invalid("unknown_code", field)
    if given != tuple(sorted(set(given))):
        raise Invalid("malformed", field)


def _check_measure(terms: ObjectiveTerms, pack: Pack) -> None:
    """Refuse what cannot be counted from facts, and a scene for what is counted without one."""
    measure = terms.measure
    kind = counted_in(measure)
    if measure.what in {"count", "sum"}:
        _check_counted(measure, pack)
    elif measure.kind is not None or measure.dim or (measure.value is not None and measure.what != "attendance"):
        raise Invalid("malformed", "measure")
    elif measure.value is not None and measure.value not in LEVELS.values():
        raise Invalid("unknown_code", "measure.value")
    if measure.what in {"mumin_ratio", "attendance"} and terms.target > PER_CENT:
        raise Invalid("out_of_range", "target", "Give it in per cent.")
    if terms.scene is not None and (kind not in pack.kinds or SCENE not in pack.kinds[kind].facts):
        raise Invalid("out_of_range", "scene", "This is counted for the whole partnership alone; leave the scene out.")


def _check_counted(measure: Measure, pack: Pack) -> None:
    kind = None if measure.kind is None else pack.kinds.get(measure.kind)
    if kind is None or not kind.counted or not kind.facts:
        raise Invalid("unknown_code", "measure.kind")
    if not measure.dim:
        if measure.what == "sum":
            raise Invalid("missing_field", "measure.dim")
        if measure.value is not None:
            raise Invalid("malformed", "measure.value")
        return
    field = fact_field(form_type(kind.number), measure.dim)
    if field is None or measure.dim not in fact_names(kind.number, pack):
        raise Invalid("unknown_code", "measure.dim")
    if measure.what == "sum":
        if field.kind_of_value != "int" or field.codes:
            raise Invalid("unknown_code", "measure.dim")
        if measure.value is not None:
            raise Invalid("malformed", "measure.value")
        return
    if measure.value is None:
        raise Invalid("missing_field", "measure.value")
    if measure.value not in {code.n for code in pack.codes.get(field.codes, {}).values()}:
        raise Invalid("unknown_code", "measure.value")


LEVELS: Final = {"street": 1, "heads": 2}
"""The two levels of a partnership's meetings, by name; the number is an attendance measure's `value`."""


def counted_in(measure: Measure) -> int:
    """Return the kind of report that a measure is counted in."""
    by = {"mumin_ratio": MUMIN_KIND, "attendance": MEETING_KIND, "days_to_fix": DEFECT_KIND}
    return by.get(measure.what, measure.kind or 0)
