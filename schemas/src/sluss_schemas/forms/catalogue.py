"""Every field of every form in rows, for the documentation, the command line and an app's help.

For: saying where each field goes, from the declarations and from nothing else.

> INVARIANT: docs/forms.md is `markdown()` byte for byte; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from sluss_schemas.forms.base import MICRODEGREES, Declared, Field, Person, Place, fields
from sluss_schemas.forms.checking import MAX_TEXT
from sluss_schemas.forms.conform import MAX_ENTRIES
from sluss_schemas.forms.registry import FORMS, kind_name
from sluss_schemas.ids import COMPARTMENT_NAMES, kind_code

_TYPES: Final = {
    "text": "text",
    "code": "code",
    "codes": "list of codes",
    "bool": "yes or no",
    "time": "time with zone",
    "scene": "slug",
    "place": "`Place`, or its name",
    "persons": "list of `Person`",
    "staff": "list of person ids",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One field of one form.

    Attributes:
        kind: number of the kind.
        name: name of the kind, `order_incident`.
        form: class of the form, `OrderIncident`.
        field: name of the field.
        type: what it takes, in words.
        codes: name of its code list, or an empty string.
        required: whether it has to be given; a scene has to be where the pack names it as a fact.
        section: the compartment whose full section it goes into.
        brief: whether the compartment's brief is made from it.
        fact: whether a pack may name it as a fact.
        doc: what it means.

    """

    kind: int
    name: str
    form: str
    field: str
    type: str
    codes: str
    required: bool
    section: str
    brief: bool
    fact: bool
    doc: str


def catalogue() -> list[Row]:
    """Return a row for each field of each form, in the order of the kinds and of the fields."""
    return [
        Row(
            kind=kind,
            name=kind_name(form),
            form=form.__name__,
            field=field.name,
            type=_type(field),
            codes=field.codes,
            required=field.required,
            section=COMPARTMENT_NAMES[field.compartment],
            brief=field.brief,
            fact=field.fact,
            doc=field.doc,
        )
        for kind, form in FORMS.items()
        for field in fields(form)
    ]


def markdown() -> str:
    """Return the text of docs/forms.md."""
    parts = [_HEAD]
    rows = catalogue()
    for kind, form in FORMS.items():
        parts.append(f"## {kind_code(kind)} {form.__name__}\n\n{_sentence(form)}\n\n")
        table = [_cells(row) for row in rows if row.kind == kind]
        parts.append(_table(("field", "takes", "code list", "section", "brief", "fact", "meaning"), table) + "\n")
    for declared in (Place, Person):
        parts.append(f"## {declared.__name__}\n\n{_sentence(declared)}\n\n")
        plain = [(f"`{field.name}`", _type(field), _list(field.codes), field.doc) for field in fields(declared)]
        parts.append(_table(("field", "takes", "code list", "meaning"), plain) + "\n")
    return "".join(parts).rstrip("\n") + "\n"


def _type(field: Field) -> str:
    if field.kind_of_value == "int":
        return f"integer {field.low} to {field.high}"
    return _TYPES[field.kind_of_value]


def _cells(row: Row) -> tuple[str, ...]:
    name = f"`{row.field}`" + (" (required)" if row.required else "")
    return name, row.type, _list(row.codes), row.section, _yes(given=row.brief), _yes(given=row.fact), row.doc


def _list(codes: str) -> str:
    return f"`{codes}`" if codes else ""


def _yes(*, given: bool) -> str:
    return "yes" if given else ""


def _sentence(declared: type[Declared]) -> str:
    return " ".join((declared.__doc__ or "").split("\n\n", maxsplit=1)[0].split())


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


_HEAD: Final = f"""# The forms

One form for each kind of report.
This page is made from the declarations in `sluss_schemas.forms` and a test compares the two.

Each field goes into the *full* section of one compartment, and into no other.
*brief* says that the reduced form of that compartment is made from it, where the policy pack asks for one.
*fact* says that a pack may name it among the coded values that the server reads in clear.
What goes into the *author* section is read by the own agency.
Social services read that section too where they receive another agency's report of concern.
Of the fields below they then see the ids of case staff, which name nobody.

* A scene has to be given where the pack names it as a fact of the kind.
* A time carries its zone, is at most five minutes ahead, and not before the year 2000.
  It is kept in UTC, to the second.
* The texts of one section have at most {MAX_TEXT} characters together.
* A list has at most {MAX_ENTRIES} entries, each once.
* Latitude and longitude are integers, in 1/{MICRODEGREES} of a degree, and come together.
  Those of police and guards leave in the author section, so they stay in their own agency.
  Where another agency reads the author section, as with a guard's report of concern, they are refused.
* A sub-kind belongs to its kind of report: an order incident, or an observation of dealing.
* An activity belongs to the category that is given with it.
* Only police and guards may call a person a suspect, and never a child below the age of criminal responsibility.
  Where an age is a range, its lower end counts.
* A whole personal number tells the age for duties and grounds, whatever band or bounds stand beside it.
  For a suspect the youngest of both counts.
* Age groups are no field: where the pack names `age_groups` as a fact, the device derives them from the persons.
* A market note of health names its scene to nobody else.
* Which event a report is of is no field: the device marks it in the situation.
  Two reports of one event have one mark.
* There is no field for ethnicity, nationality, residence status or religion.

"""
