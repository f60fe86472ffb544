"""Canaries with a number: which text of which version of which twin some bytes show, and who may read it.

A text names what it was written in, the part, and the twin; an excerpt's names have a mark of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from sluss_client import forms
from sluss_schemas.forms.base import Form, fields
from sluss_schemas.ids import COMPARTMENTS

from tests.secrecy.canaries import CORE
from tests.secrecy.model import Slot

_MARK: Final = re.compile(re.escape(CORE).encode() + rb"(\d{5})([A-Z]{3})([AB])")
Mark = tuple[int, str, str]
"""A canary: the number of what it was written in, the part, and which twin."""


def mark(number: int, part: str, twin: int = 0) -> str:
    """Return a canary's text."""
    return f"{CORE}{number:05d}{part}{'AB'[twin]}"


def marks(data: bytes) -> set[Mark]:
    """Return the canaries in some bytes."""
    return {(int(number), part.decode(), twin.decode()) for number, part, twin in _MARK.findall(data)}


def slot_of(number: int) -> Slot:
    """Return a slot of the protocol as the model names it."""
    return Slot(COMPARTMENTS[number // 2], "brief" if number % 2 else "full")


def readable(number: int, hidden: Iterable[str], twin: int, slots: Iterable[Slot]) -> set[Mark]:
    """Return the canaries of a version that whoever has these slots may read."""
    found = set()
    for part, form in slots:
        # A brief has no text, and of what is cut the names of persons are all.
        names = {"full": (part, "SUR") if part == "SUB" else (part,), "cut": ("SUB",) if part == "SUB" else ()}.get(
            form, ()
        )
        found |= {(number, name, "AB"[twin if part in hidden else 0]) for name in names}
    return found


def marked(form: Form, number: int, hidden: Iterable[str], twin: int) -> Form:
    """Return a form with a canary in every text; of the hidden parts, the twin's own."""

    def text(part: str, name: str = "") -> str:
        return mark(number, name or part, twin if part in hidden else 0)

    changes: dict[str, object] = {
        one.name: text(one.compartment)
        for one in fields(type(form))
        if one.kind_of_value == "text" and getattr(form, one.name) is not None
    }
    if isinstance(place := form.place, forms.Place):
        changes["place"] = msgspec.structs.replace(place, **dict.fromkeys(_texts(place), text("PLC")))
    if persons := getattr(form, "subject", None):
        changes["subject"] = [
            msgspec.structs.replace(
                one, **{name: text("SUB", "SUB" if name == "name" else "SUR") for name in _texts(one)}
            )
            for one in persons
        ]
    return msgspec.structs.replace(form, **changes)


def written(form: Form) -> list[str]:
    """Return the fields of a form in which there is a text, a place or a person."""
    kinds = {"text", "place", "persons"}
    return [one.name for one in fields(type(form)) if one.kind_of_value in kinds and getattr(form, one.name)]


def _texts(declared: forms.Place | forms.Person) -> list[str]:
    return [one.name for one in fields(type(declared)) if one.kind_of_value == "text" and getattr(declared, one.name)]
