"""Forms as plain values: what JSON, a row of CSV or a command line gives, and what they are given back.

For: building a form from values by name, and writing one out.
Refuses: a field that the form does not have, a value of another type, and a field that has to be given and is not.
Every refusal names the field and never repeats a value.
A number, a yes or no, and a list may also come as text, because a row of CSV has nothing else.

Source: docs/forms.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from sluss_schemas.forms.base import Declared, Field, Form, Person, Place, Shape, fields, filled
from sluss_schemas.forms.registry import form_type
from sluss_schemas.ids import COMPARTMENT_CODES, ID_BYTES
from sluss_schemas.problems import Invalid

D = TypeVar("D", bound=Declared)

_YES_OR_NO: Final[Mapping[str, bool]] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MAX_NAME: Final = 40
"""Longest field name that a refusal repeats; what is longer or no name was content in the wrong place."""
_MAX_DIGITS: Final = 12


def make(kind: int | str, values: Mapping[str, object]) -> Form:
    """Return a form built from plain values; `check` says afterwards whether it may be filed.

    Args:
        kind: number or name, `1` or `order_incident`.
        values: by field name; times in ISO 8601, places and persons as mappings, staff as hexadecimal ids.
            None and an empty text mean that the field is not given.

    Raises:
        Invalid: `unknown_kind`; `not_collected` for a part that this kind has no field for; `unknown_field`;
            `wrong_type`; `missing_field`.

    """
    return _make(form_type(kind), values, "")


def to_values(form: Form) -> dict[str, Any]:
    """Return the filled fields as plain values of which `make` builds the same form, fit for JSON."""
    return _values(form)


def _make(type_: type[D], values: Mapping[str, object], where: str) -> D:
    declared = {field.name: field for field in fields(type_)}
    for name in values:
        if name not in declared:
            raise _unknown(name, where, part=issubclass(type_, Form))
    given: dict[str, object] = {}
    for name, field in declared.items():
        value = values.get(name)
        if value is not None and value != "":
            given[name] = _MAKERS[field.kind_of_value](value, f"{where}{name}")
        elif field.required:
            raise Invalid("missing_field", f"{where}{name}")
    return type_(**given)


def _unknown(name: object, where: str, *, part: bool) -> Invalid:
    if not isinstance(name, str) or not name.isidentifier() or len(name) > _MAX_NAME:
        return Invalid("unknown_field", where.rstrip("."))
    return Invalid("not_collected" if part and name in COMPARTMENT_CODES else "unknown_field", f"{where}{name}")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Invalid("wrong_type", name)
    return value


def _codes(value: object, name: str) -> list[str]:
    if isinstance(value, str):
        return [code.strip() for code in value.replace(";", ",").split(",") if code.strip()]
    if not isinstance(value, list | tuple):
        raise Invalid("wrong_type", name)
    return [_text(code, name) for code in value]


def _int(value: object, name: str) -> int:
    if isinstance(value, str):
        digits = value.strip().removeprefix("-")
        if digits.isdecimal() and digits.isascii() and len(digits) <= _MAX_DIGITS:
            return int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Invalid("wrong_type", name)


def _bool(value: object, name: str) -> bool:
    found = _YES_OR_NO.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise Invalid("wrong_type", name)
    return found


def _time(value: object, name: str) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(_text(value, name))
    except ValueError:
        # The exception quotes what was given.
        raise Invalid("wrong_type", name, "Give a time such as 2026-02-03T21:40+01:00.") from None


def _place(value: object, name: str) -> Place:
    if isinstance(value, Place):
        return value
    if isinstance(value, str):
        return Place(name=value)
    if not isinstance(value, Mapping):
        raise Invalid("wrong_type", name)
    return _make(Place, value, f"{name}.")


def _persons(value: object, name: str) -> list[Person]:
    if not isinstance(value, list | tuple):
        raise Invalid("wrong_type", name)
    persons = []
    for index, each in enumerate(value):
        if isinstance(each, Mapping):
            persons.append(_make(Person, each, f"{name}[{index}]."))
        elif isinstance(each, Person):
            persons.append(each)
        else:
            raise Invalid("wrong_type", f"{name}[{index}]")
    return persons


def _staff(value: object, name: str) -> list[bytes]:
    ids = []
    for each in _codes(value, name) if isinstance(value, str) else value if isinstance(value, list | tuple) else [None]:
        try:
            id_ = each if isinstance(each, bytes) else bytes.fromhex(_text(each, name))
        except ValueError:
            raise Invalid("wrong_type", name) from None
        if len(id_) != ID_BYTES:
            raise Invalid("wrong_type", name)
        ids.append(id_)
    return ids


_MAKERS: Final[Mapping[Shape, Callable[[object, str], object]]] = {
    "text": _text,
    "scene": _text,
    "code": _text,
    "codes": _codes,
    "int": _int,
    "bool": _bool,
    "time": _time,
    "place": _place,
    "persons": _persons,
    "staff": _staff,
}


def _values(declared: Declared) -> dict[str, Any]:
    return {
        field.name: _value(field, value)
        for field in fields(type(declared))
        if filled(value := getattr(declared, field.name))
    }


def _value(field: Field, value: Any) -> object:  # noqa: ANN401 - what it is stands in the declaration
    match field.kind_of_value:
        case "time":
            return value.isoformat()
        case "place":
            return _values(value)
        case "persons":
            return [_values(person) for person in value]
        case "staff":
            return [id_.hex() for id_ in value]
        case "codes":
            return list(value)
    return value
