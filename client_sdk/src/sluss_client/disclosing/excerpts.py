"""Less than a section: the same array with fewer values in it.

For: a decider who gives no more than the purpose needs: a name without a contact, one person of two.
Refuses: fields that the part does not have, and an excerpt of what says who wrote the report.

> INVARIANT: an excerpt says nothing that the section does not say, but the name of an author who was chosen.

A field is named as on the form; in `subject` those of a person, for everybody or as `2.name` for the second one alone.
Of the time that stands in the situation only what every receiver sees stays, unless `observed_at` is kept.
Source: docs/protocol.md section 4 ("excerpt"), docs/secrecy-rules.md B6 7.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from sluss_client.disclosing.material import Material
from sluss_client.errors import Invalid
from sluss_client.sections import in_excerpt, plaintext
from sluss_schemas import forms
from sluss_schemas.forms.base import HEADS, Field, coded_fields, field_named, fields
from sluss_schemas.ids import COMPARTMENT_NAMES, Compartment, slot

_KIND_AND_TIME: Final = 2
_PLACE: Final = [field.name for field in fields(forms.Place)]
Kept = Mapping[Compartment, Collection[str]]
"""The fields to keep, by compartment."""


def cut(material: Material, kept: Kept) -> dict[int, bytes]:
    """Return the plaintexts of excerpts by slot.

    Raises:
        Invalid: `unknown_field`; `missing_field` where nothing is left.

    """
    found = {}
    for part, names in kept.items():
        array = material.arrays.get(part)
        where = f"excerpt.{COMPARTMENT_NAMES[part]}"
        if part not in HEADS or array is None:
            raise Invalid("unknown_field", where)
        found[slot(part)] = plaintext(_less(material, part, array, names, where))
    return found


def reduced(
    material: Material, chosen: Collection[Compartment], *, name: str, point_stays: bool, secret: bool
) -> dict[int, bytes]:
    """Return, by slot, what goes along with less in it than the section has.

    Whoever learns who wrote a report learns what the form put beside the author, a point that stays in the agency among
    it; a place that is there only because the report is kept back, and what it quotes, are nobody else's.
    The author's name goes along where the author was chosen, and not where the pack draws them along.
    Of a situation that goes along because it alone says of which secret kind a report is, nothing else is told.
    """
    found = {}
    if material.author is not None:
        extra = _beside(msgspec.msgpack.decode(material.author.extra), point_stays=point_stays)
        found[slot("AUT")] = in_excerpt(material.author, extra, name if "AUT" in chosen else "")
    if secret and "SIT" not in chosen and (situation := material.arrays.get("SIT")) is not None:
        found[slot("SIT")] = plaintext([situation[0], material.coarse, None, []])
    return found


def _beside(extra: list[object] | None, *, point_stays: bool) -> list[object] | None:
    """Return what lies beside an author, as if nothing kept the report back."""
    if extra is None or not isinstance(extra[1], list | tuple):
        return extra
    place = dict(zip(_PLACE, extra[0] if isinstance(extra[0], list | tuple) else (), strict=False))
    point = [place.get("lat"), place.get("lon")] if point_stays else [None, None]
    said = [*point, *extra[2:]]
    return said if any(value is not None for value in said) else None


def persons(material: Material, kept: Kept) -> tuple[forms.Person, ...]:
    """Return the persons whom a disclosure is about: those of whom an excerpt keeps anything, else all of them."""
    if "SUB" not in kept:
        return material.persons
    numbers = {number for number, _ in _chosen(kept["SUB"], len(material.persons), "excerpt.subject")}
    return tuple(person for number, person in enumerate(material.persons, 1) if number in numbers)


def _less(
    material: Material, part: Compartment, array: Sequence[object], names: Collection[str], where: str
) -> list[object]:
    form = forms.form_type(material.kind)
    own = coded_fields(form, part)
    if part == "SUB":
        return _people(array, names, where)
    heads = [field for head in HEADS[part] if (field := field_named(form, head)) is not None]
    if unknown := set(names) - {field.name for field in (*heads, *own)}:
        raise Invalid("unknown_field", f"{where}.{min(unknown)}")
    if not names:
        raise Invalid("missing_field", where)
    if part == "SAF":
        return list(array)
    if part == "SIT":
        time = array[1] if "observed_at" in names else material.coarse
        text = array[2] if "situation" in names else None
        rest = array[3] if isinstance(array[3], list | tuple) else ()
        return [array[0], time, text, _kept(own, rest, names)]
    first = [value if field.name in names else None for field, value in zip(heads, array, strict=False)]
    return [*first, *_kept(own, array[len(first) :], names)]


def _kept(declared: Sequence[Field], values: Sequence[object], names: Collection[str]) -> list[object]:
    """Return values with what is not kept left empty, and nothing after the last one."""
    empty: dict[str, object] = {
        field.name: [] if field.kind_of_value in {"codes", "staff"} else None for field in declared
    }
    return [value if field.name in names else empty[field.name] for field, value in zip(declared, values, strict=False)]


def _people(array: Sequence[object], names: Collection[str], where: str) -> list[object]:
    wanted = _chosen(names, len(array), where)
    declared, found = fields(forms.Person), list[object]()
    for number, person in enumerate(array, 1):
        of_person = {name for at, name in wanted if at == number}
        values = person if isinstance(person, list | tuple) else ()
        if any(value is not None for field, value in zip(declared, values, strict=False) if field.name in of_person):
            found.append(_kept(declared, values, of_person))
    if not found:
        raise Invalid("missing_field", where)
    return found


def _chosen(names: Collection[str], count: int, where: str) -> set[tuple[int, str]]:
    """Return which fields are kept of which persons, counted from 1."""
    known, found = {field.name for field in fields(forms.Person)}, set[tuple[int, str]]()
    for name in names:
        number, dot, field = name.rpartition(".")
        if field not in known or (dot and not (number.isdecimal() and 1 <= int(number) <= count)):
            raise Invalid("unknown_field", f"{where}.{name}")
        found |= {(int(number), field)} if dot else {(at, field) for at in range(1, count + 1)}
    return found
