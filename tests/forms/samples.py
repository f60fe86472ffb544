"""Forms to test with: whatever their declarations allow, and one of each kind with a canary in every text."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from sluss_schemas.forms import FORMS, Form, Person, Place
from sluss_schemas.forms.base import Declared, Field, fields
from sluss_schemas.ids import COMPARTMENTS, Compartment, Sector
from sluss_schemas.policy import builtin

PACK: Final = builtin()[-1]
NOW: Final = datetime(2026, 2, 3, 21, 40, tzinfo=UTC)
SCENES: Final = {"central-square": 1, "suburban-square": 2}
KINDS_AND_OWNERS: Final[list[tuple[int, Sector]]] = [
    (kind, owner) for kind in FORMS for owner in PACK.kinds[kind].owners
]
CANARIES: Final[dict[Compartment, str]] = {
    compartment: f"canary-of-{compartment.lower()}" for compartment in COMPARTMENTS
}
POINT: Final = {"lat": 59_332_580, "lon": 18_064_900}
"""On the central square, in microdegrees."""
_SHORT: Final = 40


def canary_form(kind: int, **changes: object) -> Form:
    """Return a form with every field filled, and in every text the canary of its compartment."""
    form = FORMS[kind]
    values: dict[str, Any] = {field.name: _sample(field) for field in fields(form)}
    return form(**(values | changes))


def _sample(field: Field) -> object:
    match field.kind_of_value:
        case "text":
            return CANARIES[field.compartment]
        case "code":
            return _codes(field)[0]
        case "codes":
            return _codes(field)[:2]
        case "int":
            return field.low + 1 if field.low + 1 <= field.high else field.low
        case "bool":
            return True
        case "time":
            return NOW
        case "scene":
            return "central-square"
        case "staff":
            return [bytes([7]) * 16]
        case "place":
            return Place(**_samples(Place) | POINT)
        case "persons":
            return [Person(**_samples(Person) | {"role": "child", "age_band": "12-14", "age_min": 12, "age_max": 14})]
    raise LookupError(field.name)


def _samples(declared: type[Declared]) -> dict[str, Any]:
    return {field.name: _sample(field) for field in fields(declared)}


def _codes(field: Field) -> list[str]:
    return sorted(set(PACK.codes[field.codes]) & (field.only or set(PACK.codes[field.codes])))


TEXTS: Final = st.text(st.characters(codec="utf-8"), max_size=_SHORT)
TIMES: Final = st.datetimes(
    min_value=datetime(2000, 1, 2),  # noqa: DTZ001 - the zone is drawn beside it
    max_value=datetime(2026, 2, 2),  # noqa: DTZ001 - as above
    timezones=st.timezones(),
    allow_imaginary=False,
)


def any_value(field: Field) -> st.SearchStrategy[Any]:
    """Return every value that a field's declaration allows."""
    some: st.SearchStrategy[Any]
    match field.kind_of_value:
        case "text":
            some = TEXTS
        case "code":
            some = st.sampled_from(_codes(field))
        case "codes":
            some = st.lists(st.sampled_from(_codes(field)), unique=True, max_size=5)
        case "int":
            # A warning's hours are bounded by the pack besides.
            some = st.integers(field.low, 72 if field.name == "valid_hours" else field.high)
        case "bool":
            some = st.booleans()
        case "time":
            some = TIMES
        case "scene":
            return st.sampled_from(sorted(SCENES))
        case "staff":
            some = st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=3)
        case "place":
            some = st.one_of(TEXTS, any_place())
        case "persons":
            some = st.lists(any_person(), unique_by=repr, max_size=3)
    return st.one_of(st.none(), some) if field.optional else some


@cache
def any_place() -> st.SearchStrategy[Place]:
    """Return places: a point whole or not at all, and never nothing."""
    values = {field.name: any_value(field) for field in fields(Place) if field.name not in {"lat", "lon"}}
    point = st.one_of(
        st.none(), st.tuples(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000))
    )
    return st.builds(
        lambda point, **rest: Place(**rest, lat=point and point[0], lon=point and point[1]), point=point, **values
    ).filter(lambda place: place != Place())


@cache
def any_person() -> st.SearchStrategy[Person]:
    """Return persons whose ages do not contradict each other; a band and bounds are not both given."""
    values = {
        field.name: any_value(field) for field in fields(Person) if field.name not in {"age_min", "age_max", "role"}
    }
    roles = st.sampled_from(sorted(set(PACK.codes["person_role"]) - {"suspect"}))
    return st.builds(Person, role=st.one_of(st.none(), roles), **values).filter(lambda person: person != Person())


@cache
def any_form(kind: int, owner: Sector) -> st.SearchStrategy[Form]:
    """Return forms of a kind that `check` accepts from this owner."""
    form = FORMS[kind]
    values = {field.name: any_value(field) for field in fields(form)}
    forms: st.SearchStrategy[Form] = st.builds(form, **values).map(_agreeing)
    return forms.map(lambda form: _without_point(form) if kind == 7 and owner in {"POL", "SEC"} else form)


def any_filed() -> st.SearchStrategy[tuple[Form, Sector]]:
    """Return forms of any kind, each with an owner that may file it."""
    return st.sampled_from(KINDS_AND_OWNERS).flatmap(lambda pair: st.tuples(any_form(*pair), st.just(pair[1])))


def _agreeing(form: Form) -> Form:
    """Drop a category that drawn activities do not belong to."""
    return msgspec.structs.replace(form, category=None) if form.KIND == 13 else form


def _without_point(form: Form) -> Form:
    if not isinstance(form.place, Place):
        return form
    place = msgspec.structs.replace(form.place, lat=None, lon=None)
    return msgspec.structs.replace(form, place=None if place == Place() else place)
