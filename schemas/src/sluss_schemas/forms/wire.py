"""How a form falls into sections, and how sections become a form again.

For: the plain array of each filled compartment, its exact inverse, and what one compartment alone says to a reader.
Refuses: an array that no form could have made (`malformed`) and a number that the pack's lists do not have
(`unknown_code`); both name the field and repeat nothing.
An array may be shorter than the form, because fields are only ever added at the end; what lies beyond is ignored.

> INVARIANT: free coordinates of police and guards are never in the place section; they leave in the author section.
> INVARIANT: of a place that stays with its agency nothing is in the place section; all of it is in the author section.

Shapes, where `...` stands for the kind's own fields in declared order:

    SIT  [kind, observed_at in Unix seconds, text | nil, [...], event]    always there
    PLC  [scene slug | nil, place | nil, ...]                       place  = the fields of `Place`
    SUB  [person, ...]                                              person = the fields of `Person`
    CAR  [text | nil, ...]    ENF  [text | nil, ...]    SAF  [cue, ...]
    author extra  [latitude | nil, longitude | nil, ...]            goes into the author section as it is
                  [place | nil, [hold | nil, stays], ...]           where something is held or the place stays

There the place is whole, with its feature's code in letters; `hold` says why the version went to the own agency alone,
and `stays` that the others get the scene without the place.

`event` is 16 bytes that mark what happened: two records with one mark are of one event, and a mark by itself is noise.
An older situation ends before it.

Codes are their numbers; lists may be empty; there are no maps and no floats.
Source: docs/forms.md, docs/secrecy-rules.md ("How the pack meets the keys", protected places).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from sluss_schemas.codes import CodeLists, name, number
from sluss_schemas.forms.base import (
    CHILD,
    HEADS,
    SUSPECT,
    Declared,
    Field,
    Form,
    Person,
    Place,
    age_range,
    coded_fields,
    field_named,
    fields,
    filled,
    place_of,
)
from sluss_schemas.forms.registry import FORMS, form_type
from sluss_schemas.ids import ID_BYTES, Compartment, Sector
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid

_CODED_AT: Final[Mapping[Compartment, int]] = {"PLC": 2, "CAR": 1, "ENF": 1}
_EVENT_AT: Final = 4

Array = list[object]


def sections(
    form: Form, owner: Sector, pack: Pack, *, place_stays: bool = False, event: bytes = b""
) -> dict[Compartment, Array]:
    """Return the full section's array of every compartment that is filled; the situation always is.

    With `place_stays` the place is left out: the scene alone is told, and `author_extra` has the rest.
    `event` is the mark of what happened; without one the situation has none.

    Raises:
        Invalid: `unknown_code` for a code that the pack does not have.

    """
    lists = pack.codes
    place = None if place_stays else _place_for(form, owner, pack)
    values = {field.name: getattr(form, field.name) for field in fields(type(form))} | {"place": place}
    cut: dict[Compartment, Array] = {}
    for compartment, heads in HEADS.items():
        own = coded_fields(type(form), compartment)
        named = [field for head in heads if (field := field_named(type(form), head)) is not None]
        if compartment != "SIT" and not any(filled(values[field.name]) for field in (*named, *own)):
            continue
        first = [_written(field, values[field.name], lists) for field in named]
        rest = [_written(field, values[field.name], lists) for field in own]
        if compartment == "SIT":
            cut[compartment] = [form.KIND, *first, rest, *([event] if event else [])]
        elif compartment in {"SUB", "SAF"}:
            cut[compartment] = _list(first[0], compartment)
        else:
            cut[compartment] = [*first, *rest]
    return cut


def author_extra(
    form: Form,
    owner: Sector,
    pack: Pack,
    *,
    place_stays: bool = False,
    hold: str = "",
    quoted: Sequence[object] = (),
) -> Array | None:
    """Return what leaves in the author section: a place or coordinates that stay, and what only the own agency reads.

    None where the form has nothing of the kind.
    """
    marked = place_stays or bool(hold) or bool(quoted)
    place = place_of(form) if owner in pack.filing.coordinates_stay or marked else None
    stays: Array = [place.lat if place else None, place.lon if place else None]
    if marked:
        whole = [getattr(place, field.name) for field in fields(Place)] if place else None
        stays = [whole, [hold or None, place_stays, *([quoted] if quoted else [])]]
    values = [getattr(form, field.name) for field in coded_fields(type(form), "AUT")]
    return [*stays, *values] if any(filled(value) for value in (*stays, *values)) else None


def hold_in(author_extra: Sequence[object] | None) -> str:
    """Return why a version went to the own agency alone; empty where it did not."""
    marks = _at(author_extra or (), 1)
    said = _at(marks, 0) if isinstance(marks, list | tuple) else None
    return said if isinstance(said, str) else ""


def place_stayed(author_extra: Sequence[object] | None) -> bool:
    """Tell whether the others got the scene of a version without its place."""
    marks = _at(author_extra or (), 1)
    return isinstance(marks, list | tuple) and _at(marks, 1) is True


def quoted_in(author_extra: Sequence[object] | None) -> object:
    """Return what a version says of what it quotes, as `quoting.read_quoted` takes it; nothing where it quotes none."""
    marks = _at(author_extra or (), 1)
    return _at(marks, 2) if isinstance(marks, list | tuple) else None


def event_in(situation: Sequence[object]) -> bytes:
    """Return the mark of what a full situation is about; nothing where it has none."""
    mark = _at(situation, _EVENT_AT)
    return mark if isinstance(mark, bytes) else b""


def rebuild(
    kind: int,
    sections: Mapping[Compartment, Sequence[object]],
    pack: Pack,
    author_extra: Sequence[object] | None = None,
) -> Form:
    """Return the form that was cut into these sections, given all of them.

    Raises:
        Invalid: `unknown_kind`; `malformed`, naming the compartment or field; `unknown_code`, naming the field.

    """
    form = form_type(kind)
    values: dict[str, Any] = {}
    if "SIT" not in sections:
        raise Invalid("malformed", "situation")
    # Author and attachments are the device's own sections; a form has nothing in them but the author extra.
    for compartment, array in ((each, sections[each]) for each in HEADS if each in sections):
        values |= _values(form, compartment, array, pack.codes)
    if author_extra is not None:
        lat, lon = (_at(author_extra, 0), _at(author_extra, 1))
        if isinstance(lat, list | tuple):
            values["place"], lat = _stayed(lat), None
        lon = None if isinstance(lon, list | tuple) else lon
        for field, raw in zip(coded_fields(form, "AUT"), author_extra[2:], strict=False):
            values[field.name] = _understood(field, raw, pack.codes)
        if lat is not None or lon is not None:
            place = values.get("place") or Place()
            values["place"] = msgspec.structs.replace(place, lat=_whole(lat, "place.lat"), lon=_whole(lon, "place.lon"))
    if any(field.required and values.get(field.name) is None for field in fields(form)):
        raise Invalid("malformed", "situation")
    return form(**values)


def read(kind: int, compartment: Compartment, array: Sequence[object], pack: Pack) -> object:
    """Return what a reader of one compartment is shown.

    Situation, care and enforcement give their text or None, place a `Place` or None, subject the list of `Person`,
    safety the list of cues.
    No form that was checked calls a child a suspect; whatever came from elsewhere is shown without the word.
    Kind 0 is one that the reader is not told, because the situation is closed and more than one kind fits: what is
    shown stands first in every kind's array.

    Raises:
        Invalid: as `rebuild`.

    """
    shown = HEADS.get(compartment)
    if shown is None or (not kind and compartment == "SIT"):
        raise Invalid("malformed", compartment)
    if kind:
        form = form_type(kind)
    else:
        form = next(each for each in FORMS.values() if field_named(each, shown[-1]) is not None)
        array = array[: _CODED_AT.get(compartment)]
    value = _values(form, compartment, array, pack.codes).get(shown[-1])
    return [_not_suspected(person, pack) for person in value] if isinstance(value, list) else value


def _not_suspected(value: object, pack: Pack) -> object:
    """Return a person as readers see them: whoever may be below the age of criminal responsibility is a child."""
    if not isinstance(value, Person) or value.role != SUSPECT:
        return value
    youngest, _ = age_range(value)
    below = youngest is not None and youngest < pack.parameters.criminal_age
    return msgspec.structs.replace(value, role=CHILD) if below else value


def coded(kind: int, compartment: Compartment, array: Sequence[object], pack: Pack) -> dict[str, object]:
    """Return the other fields that lie in one compartment, by name: the kind's own, the scene, and the time.

    Raises:
        Invalid: as `rebuild`.

    """
    if compartment not in HEADS:
        raise Invalid("malformed", compartment)
    values = _values(form_type(kind), compartment, array, pack.codes)
    values.pop(HEADS[compartment][-1], None)
    return values


def _stayed(array: Sequence[object]) -> Place:
    """Return a place that stayed with its agency."""
    values = dict(zip((field.name for field in fields(Place)), array, strict=False))
    if any(not isinstance(each, str | int | None) or isinstance(each, bool) for each in values.values()):
        raise Invalid("malformed", "place")
    return Place(**values)  # type: ignore[arg-type]  # `check` says whether each is what it declares


def _place_for(form: Form, owner: Sector, pack: Pack) -> Place | None:
    place = place_of(form)
    if place is None or owner not in pack.filing.coordinates_stay:
        return place
    stripped = msgspec.structs.replace(place, lat=None, lon=None)
    # A place that was nothing but a point leaves no empty shell that would tell of the point.
    return None if place != stripped and stripped == Place() else stripped


def _values(form: type[Form], compartment: Compartment, array: Sequence[object], lists: CodeLists) -> dict[str, object]:
    """Return the values by field name that lie in a section's array."""
    if not isinstance(array, list | tuple):
        raise Invalid("malformed", compartment)
    own = coded_fields(form, compartment)
    heads = [field for head in HEADS[compartment] if (field := field_named(form, head)) is not None]
    if not heads:
        raise Invalid("not_collected", compartment)
    rest: Sequence[object]
    if compartment == "SIT":
        if _at(array, 0) != form.KIND:
            raise Invalid("malformed", compartment)
        mark = _at(array, _EVENT_AT)
        if mark is not None and not (isinstance(mark, bytes) and len(mark) == ID_BYTES):
            raise Invalid("malformed", "event")
        first, rest = [_at(array, 1), _at(array, 2)], _list(_at(array, 3), compartment)
    elif compartment in {"SUB", "SAF"}:
        first, rest = [list(array)], ()
    else:
        split = _CODED_AT[compartment]
        first, rest = [_at(array, index) for index in range(split)], array[split:]
    values = {field.name: _understood(field, raw, lists) for field, raw in zip(heads, first, strict=True)}
    # Shorter than the form: written by an older app, so the fields that it did not know keep their defaults.
    return values | {field.name: _understood(field, raw, lists) for field, raw in zip(own, rest, strict=False)}


def _written(field: Field, value: Any, lists: CodeLists) -> object:  # noqa: ANN401 - what it is stands in the declaration
    if field.kind_of_value == "codes":
        return [number(lists, field.codes, code, field.name) for code in value]
    if field.kind_of_value == "persons":
        return [_array_of(person, lists) for person in value]
    if value is None:
        return None
    if field.kind_of_value == "code":
        return number(lists, field.codes, value, field.name)
    if field.kind_of_value == "time":
        return int(value.timestamp())
    if field.kind_of_value == "place":
        return _array_of(value, lists)
    return value


def _array_of(value: Declared, lists: CodeLists) -> Array:
    return [_written(field, getattr(value, field.name), lists) for field in fields(type(value))]


def _understood(field: Field, raw: object, lists: CodeLists) -> object:
    where = field.name
    match field.kind_of_value:
        case "codes":
            return [name(lists, field.codes, _sure(n, where), where) for n in _list(raw, where)]
        case "persons":
            return [_declared(Person, person, lists, where) for person in _list(raw, where)]
        case "staff":
            ids = _list(raw, where)
            if all(isinstance(each, bytes) and len(each) == ID_BYTES for each in ids):
                return ids
            raise Invalid("malformed", where)
        case "place":
            return None if raw is None else _declared(Place, raw, lists, where)
        case "time":
            return _time(_sure(raw, where), where)
        case "code":
            n = _whole(raw, where)
            return None if n is None else name(lists, field.codes, n, where)
        case "int":
            return _whole(raw, where)
        case "bool" if raw is None or isinstance(raw, bool):
            return raw
        case "text" | "scene" if raw is None or isinstance(raw, str):
            return raw
    raise Invalid("malformed", where)


def _declared(type_: type[Place | Person], raw: object, lists: CodeLists, where: str) -> Place | Person:
    pairs = zip(fields(type_), _list(raw, where), strict=False)
    values: dict[str, Any] = {field.name: _understood(field, value, lists) for field, value in pairs}
    return type_(**values)


def _at(array: Sequence[object], index: int) -> object:
    return array[index] if index < len(array) else None


def _list(raw: object, where: str) -> Array:
    if not isinstance(raw, list | tuple):
        raise Invalid("malformed", where)
    return list(raw)


def _whole(raw: object, where: str) -> int | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise Invalid("malformed", where)
    return raw


def _sure(raw: object, where: str) -> int:
    n = _whole(raw, where)
    if n is None:
        raise Invalid("malformed", where)
    return n


def _time(seconds: int, where: str) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise Invalid("malformed", where) from None
