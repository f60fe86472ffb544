"""That each value of a form is what its declaration says: type, code list, range, number of entries.

For: `check`, which adds what depends on the owner, the time and the other fields.
Refuses: `missing_field`, `wrong_type`, `unknown_code`, `wrong_sub_kind` and `out_of_range`, each naming the field.
A form built in code was checked by nobody before: a struct takes what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sluss_schemas.codes import CodeLists
from sluss_schemas.forms.base import Declared, Field, Person, Place, Shape, fields
from sluss_schemas.ids import ID_BYTES
from sluss_schemas.problems import Invalid

MAX_ENTRIES: Final = 50
"""Entries of one list: codes, persons or staff."""


def conform(declared: Declared, lists: CodeLists, where: str = "") -> None:
    """Refuse the first value that its declaration does not allow; `where` goes before the field's name."""
    for field in fields(type(declared)):
        value = getattr(declared, field.name)
        name = f"{where}{field.name}"
        if value is None and field.optional:
            continue
        if value is None and field.required:
            raise Invalid("missing_field", name)
        _CHECKS[field.kind_of_value](field, value, name, lists)


def _text(_field: Field, value: object, name: str, _lists: CodeLists) -> None:
    _sure_text(value, name)


def _code(field: Field, value: object, name: str, lists: CodeLists) -> None:
    code = _sure_text(value, name)
    if code not in lists.get(field.codes, {}):
        raise Invalid("unknown_code", name)
    if field.only and code not in field.only:
        raise Invalid("wrong_sub_kind", name)


def _codes(field: Field, value: object, name: str, lists: CodeLists) -> None:
    for code in _entries(value, name):
        _code(field, code, name, lists)


def _int(field: Field, value: object, name: str, _lists: CodeLists) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid("wrong_type", name)
    if not field.low <= value <= field.high:
        raise Invalid("out_of_range", name, f"Give a number from {field.low} to {field.high}.")


def _bool(_field: Field, value: object, name: str, _lists: CodeLists) -> None:
    if not isinstance(value, bool):
        raise Invalid("wrong_type", name)


def _time(_field: Field, value: object, name: str, _lists: CodeLists) -> None:
    if not isinstance(value, datetime):
        raise Invalid("wrong_type", name)


def _place(_field: Field, value: object, name: str, lists: CodeLists) -> None:
    if not isinstance(value, Place):
        raise Invalid("wrong_type", name)
    conform(value, lists, f"{name}.")


def _persons(_field: Field, value: object, name: str, lists: CodeLists) -> None:
    for index, person in enumerate(_entries(value, name)):
        if not isinstance(person, Person):
            raise Invalid("wrong_type", f"{name}[{index}]")
        conform(person, lists, f"{name}[{index}].")


def _staff(_field: Field, value: object, name: str, _lists: CodeLists) -> None:
    if not all(isinstance(each, bytes) and len(each) == ID_BYTES for each in _entries(value, name)):
        raise Invalid("wrong_type", name)


_CHECKS: Final[Mapping[Shape, Callable[[Field, object, str, CodeLists], None]]] = {
    "text": _text,
    "scene": _text,
    "code": _code,
    "codes": _codes,
    "int": _int,
    "bool": _bool,
    "time": _time,
    "place": _place,
    "persons": _persons,
    "staff": _staff,
}


def _sure_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Invalid("wrong_type", name)
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair: no section could hold it. The exception would quote the text.
        raise Invalid("wrong_type", name) from None
    return value


def _entries(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise Invalid("wrong_type", name)
    if len(value) > MAX_ENTRIES:
        raise Invalid("out_of_range", name, f"Give at most {MAX_ENTRIES} entries.")
    # Compared in pairs, because persons cannot be hashed by whatever they might hold; a list is short.
    if any(entry in value[:index] for index, entry in enumerate(value)):
        raise Invalid("out_of_range", name, "Give each entry once.")
    return value
