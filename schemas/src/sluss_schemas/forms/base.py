"""What every form is made of: one declaration per field, from which everything else about it is derived.

For: saying once, on the field, in which compartment its value lies, from which code list it is and whether the server
may count it.
Sections, briefs, facts, checks, plain values and the catalogue all read these declarations.
Refuses: nothing by itself; a form is checked by `check` before it is filed, because a device shows all the faults of a
form while it is being written.

> INVARIANT: a value lies in the one compartment that its field declares, and no code outside this declaration moves it.
  (The exception is a free coordinate, which `wire.py` moves into the author section of police and guards.)

The order of a form's fields is part of the protocol: coded values lie in arrays in that order, and a new field comes
last.
Source: docs/forms.md, docs/secrecy-rules.md B5.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from types import NoneType
from typing import Annotated, ClassVar, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from sluss_schemas.ids import Compartment

Shape = Literal["text", "code", "codes", "int", "bool", "time", "scene", "place", "persons", "staff"]

HEADS: Final[Mapping[Compartment, tuple[str, ...]]] = {
    "SIT": ("observed_at", "situation"),
    "PLC": ("scene", "place"),
    "SUB": ("subject",),
    "CAR": ("care",),
    "ENF": ("enforcement",),
    "SAF": ("safety",),
}
"""The fields that every form names alike; whatever else lies in a compartment is a coded field of the kind."""
MICRODEGREES: Final = 1_000_000
SUSPECT: Final = "suspect"
CHILD: Final = "child"
"""The parts in what happened that depend on a person's age."""


class In(msgspec.Struct, frozen=True, kw_only=True):
    """Where a field's value lies and what it may be; stands on the field itself, inside `Annotated`.

    Attributes:
        compartment: `AUT` means that the value leaves in the author section, which the device makes.
        codes: name of the code list, or an empty string.
        only: the codes of the list that belong to this kind; empty means all.
        shape: how the value is written, where its type does not say it.
        low: least integer.
        high: greatest integer.
        brief: whether the compartment's brief is made from it.
        fact: whether a pack may name the field as a fact, which the server reads in clear.
        doc: what the field means.

    """

    compartment: Compartment
    codes: str = ""
    only: frozenset[str] = frozenset()
    shape: Shape | None = None
    low: int = 0
    high: int = 0
    brief: bool = False
    fact: bool = False
    doc: str = ""


class Field(In, frozen=True, kw_only=True):
    """A declaration together with what stands around it.

    Attributes:
        name: the field's name.
        kind_of_value: the shape, declared or derived from the type.
        required: whether it has to be given.
        optional: whether it may be None.

    """

    name: str
    kind_of_value: Shape
    required: bool
    optional: bool

    @property
    def head(self) -> bool:
        """Whether every form has this field, in the same place of its section."""
        return self.name in HEADS.get(self.compartment, ())


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """Base of whatever has declared fields; an empty text counts as not given."""

    def __post_init__(self) -> None:
        """Bring each value into the one form in which it comes back from a section."""
        for field in fields(type(self)):
            value = getattr(self, field.name)
            plain = _plain(field, value)
            if plain is not value:
                msgspec.structs.force_setattr(self, field.name, plain)


def _plain(field: Field, value: object) -> object:
    if field.kind_of_value == "place" and isinstance(value, str):
        return Place(name=value) if value else None
    if isinstance(value, str):
        return value or None
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, datetime):
        return _instant(value)
    return value


def _instant(time: datetime) -> datetime:
    """Return a time as it comes back from a section: in UTC, to the second; one without a zone stays without one."""
    try:
        whole = time.replace(microsecond=0)
        return whole if whole.utcoffset() is None else whole.astimezone(UTC)
    except OverflowError:
        # On the first or last day that there is; `check` refuses either.
        return time


@cache
def fields(declared: type[Declared]) -> tuple[Field, ...]:
    """Return the declared fields in their order, which is the order of the arrays on the wire."""
    hints = get_type_hints(declared, include_extras=True)
    known = {info.name: info for info in msgspec.structs.fields(declared)}
    found = []
    for name in declared.__struct_fields__:
        type_, declaration = get_args(hints[name])
        if not isinstance(declaration, In):  # pragma: no cover - a mistake in this package, found on import
            raise TypeError(name)
        shape = declaration.shape or _shape(type_, coded=bool(declaration.codes))
        values = {part: getattr(declaration, part) for part in In.__struct_fields__}
        optional = NoneType in get_args(type_)
        found.append(Field(**values, name=name, kind_of_value=shape, required=known[name].required, optional=optional))
    return tuple(found)


def _shape(type_: object, *, coded: bool) -> Shape:
    parts = [part for part in get_args(type_) if part is not NoneType] or [type_]
    inner = type_ if get_origin(type_) is list else parts[0]
    if get_origin(inner) is list:
        return "codes"
    if inner is bool:
        return "bool"
    if inner is int:
        return "int"
    return "code" if coded else "text"


class Place(Declared, frozen=True, kw_only=True):
    """Where at the scene; latitude and longitude in microdegrees, because no float ever crosses the wire."""

    name: Annotated[str | None, In(compartment="PLC", doc="name of the place")] = None
    sub_place: Annotated[str | None, In(compartment="PLC", doc="part of it")] = None
    feature: Annotated[str | None, In(compartment="PLC", codes="place_feature", doc="what marks the place")] = None
    property: Annotated[str | None, In(compartment="PLC", doc="property, as its owner calls it")] = None
    lat: Annotated[
        int | None,
        In(compartment="PLC", low=-90 * MICRODEGREES, high=90 * MICRODEGREES, doc="latitude in microdegrees"),
    ] = None
    lon: Annotated[
        int | None,
        In(compartment="PLC", low=-180 * MICRODEGREES, high=180 * MICRODEGREES, doc="longitude in microdegrees"),
    ] = None


class Person(Declared, frozen=True, kw_only=True):
    """Somebody that a report is about; at least one field is given."""

    role: Annotated[str | None, In(compartment="SUB", codes="person_role", doc="part in what happened")] = None
    age_band: Annotated[str | None, In(compartment="SUB", codes="age_band", doc="age in bands")] = None
    age_min: Annotated[int | None, In(compartment="SUB", high=120, doc="youngest plausible age")] = None
    age_max: Annotated[int | None, In(compartment="SUB", high=120, doc="oldest plausible age")] = None
    age_basis: Annotated[str | None, In(compartment="SUB", codes="age_basis", doc="what the age rests on")] = None
    gender: Annotated[str | None, In(compartment="SUB", codes="gender", doc="only where a measure needs it")] = None
    name: Annotated[str | None, In(compartment="SUB", doc="name")] = None
    alias: Annotated[str | None, In(compartment="SUB", doc="name of their own choosing")] = None
    personal_number: Annotated[str | None, In(compartment="SUB", doc="personal identity number")] = None
    description: Annotated[str | None, In(compartment="SUB", doc="looks and clothes")] = None
    contact: Annotated[str | None, In(compartment="SUB", doc="how to reach the person")] = None
    origin: Annotated[str | None, In(compartment="SUB", codes="origin", doc="where they live, as a band")] = None
    guardian: Annotated[str | None, In(compartment="SUB", codes="guardian", doc="who answers for a child")] = None


class Form(Declared, frozen=True, kw_only=True):
    """What every kind collects: a scene, a time, the situation, the place and safety cues."""

    KIND: ClassVar[int] = 0

    scene: Annotated[
        str | None, In(compartment="PLC", shape="scene", brief=True, fact=True, doc="slug of a scene in the registry")
    ] = None
    observed_at: Annotated[
        datetime,
        In(compartment="SIT", shape="time", brief=True, doc="time of the observation, with its zone, to the second"),
    ]
    situation: Annotated[str | None, In(compartment="SIT", doc="what happened, without persons")] = None
    place: Annotated[
        Place | str | None, In(compartment="PLC", shape="place", doc="where at the scene; a text is its name")
    ] = None
    safety: Annotated[
        list[str], In(compartment="SAF", codes="safety_cue", brief=True, doc="cues for the safety of staff")
    ] = msgspec.field(default_factory=list)


class EnforcementForm(Form, frozen=True, kw_only=True):
    """A form that also collects enforcement."""

    enforcement: Annotated[str | None, In(compartment="ENF", doc="offences, suspicion and tactics")] = None
    enforcement_category: Annotated[
        str | None, In(compartment="ENF", codes="enforcement_category", brief=True, doc="what it is about, coarsely")
    ] = None
    enforcement_status: Annotated[
        str | None, In(compartment="ENF", codes="enforcement_status", brief=True, doc="how far it has come")
    ] = None


class FullForm(EnforcementForm, frozen=True, kw_only=True):
    """A form that also collects persons and care."""

    subject: Annotated[
        list[Person], In(compartment="SUB", shape="persons", brief=True, doc="the persons it is about")
    ] = msgspec.field(default_factory=list)
    care: Annotated[str | None, In(compartment="CAR", doc="health, needs and support")] = None


def place_of(form: Form) -> Place | None:
    """Return the form's place, which is never a bare text once the form was made."""
    return form.place if isinstance(form.place, Place) else None


def filled(value: object) -> bool:
    """Tell whether a value says anything: no and nought do, an empty list does not."""
    return value is not None and value != []


def coded_fields(declared: type[Form], compartment: Compartment) -> tuple[Field, ...]:
    """Return a kind's own fields in a compartment, in the order of the section's array."""
    return tuple(field for field in fields(declared) if field.compartment == compartment and not field.head)


def field_named(declared: type[Declared], name: str) -> Field | None:
    """Return a field by its name."""
    return next((field for field in fields(declared) if field.name == name), None)


def age_range(person: Person) -> tuple[int | None, int | None]:
    """Return the youngest and the oldest plausible age; None where nothing bounds it.

    Both the band and the bounds count, the narrower of each: doubt is what neither excludes.
    """
    low, high = band_bounds(person.age_band)
    lows = [age for age in (low, person.age_min) if age is not None]
    highs = [age for age in (high, person.age_max) if age is not None]
    return (max(lows) if lows else None), (min(highs) if highs else None)


def band_bounds(band: str | None) -> tuple[int | None, int | None]:
    """Read an age band, whose code is its bounds: `12-14`, `65+`, `unknown`."""
    if band is None:
        return None, None
    low, dash, high = band.partition("-")
    if dash and low.isdecimal() and high.isdecimal():
        return int(low), int(high)
    if band.endswith("+") and band[:-1].isdecimal():
        return int(band[:-1]), None
    return None, None


def persons_of(form: Form) -> list[Person]:
    """Return the persons of a form, none where its kind does not collect them."""
    return form.subject if isinstance(form, FullForm) else []
