"""Requests of a kind of their own: what may be asked of an owner in so many fields, and what the owner weighs first.

For: what a statute lets be asked for whatever the cells say of the report, for instance how somebody is reached.
Refuses: an answer of other fields than the pack's, in other forms, or without every question answered in writing.

> INVARIANT: an answer is coded fields alone; no part of a report goes with it, and no words of whoever answers.

Source: docs/secrecy-rules.md, "Requests of a kind of their own".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final, Literal

import msgspec

from sluss_schemas.ids import Function, Sector
from sluss_schemas.policy.cells import PackRefused
from sluss_schemas.problems import Invalid

MAX_VALUE: Final = 120


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that may be told: its code, what people call it, and the form that its value has as a whole."""

    code: str
    en: str
    sv: str
    form: str


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has to be affirmed, with reasons, before anything is told."""

    code: str
    en: str
    sv: str


class RequestType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of request.

    Attributes:
        en: name in English.
        sv: name in Swedish.
        law: the statutes.
        owners: sectors that may be asked.
        receivers: sectors that may ask.
        decides: the function of the owner that answers.
        task_hours: within how many hours.
        tests: what is weighed, each with reasons that stay with the owner.
        fields: what may be told.
        status: `V` checked against the statute's text, `M` yet to be checked.

    """

    en: str
    sv: str
    law: tuple[str, ...]
    owners: tuple[Sector, ...]
    receivers: tuple[Sector, ...]
    decides: Function
    task_hours: int
    tests: tuple[Question, ...]
    fields: tuple[Field, ...]
    status: Literal["V", "M"]


def check(requests: Mapping[str, RequestType], taken: Collection[str]) -> None:
    """Refuse a kind of request that asks nothing, weighs nothing, rests on nothing, or is called as a ground is.

    Raises:
        PackRefused: with the kind's name.

    """
    for code, one in requests.items():
        if code in taken or not one.law or not one.tests or not one.fields or set(one.owners) & set(one.receivers):
            say = "Name a statute, owners and others that ask them, what is weighed and what is told, by its own code."
            raise PackRefused(f"request.{code}", say)
        for field in one.fields:
            try:
                re.compile(field.form)
            except re.error:
                raise PackRefused(f"request.{code}.{field.code}", "Give the form as a regular expression.") from None


def affirmed(one: RequestType, tests: Collection[str]) -> tuple[str, ...]:
    """Return the codes of what was weighed.

    Raises:
        Invalid: `missing_field` for the first that was not affirmed, `unknown_field` for one that is not asked.

    """
    wanted = tuple(test.code for test in one.tests)
    for code in wanted:
        if code not in tests:
            raise Invalid("missing_field", f"tests.{code}")
    for code in tests:
        if code not in wanted:
            raise Invalid("unknown_field", f"tests.{code}")
    return wanted


def told(one: RequestType, details: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what is told, in the pack's order.

    Raises:
        Invalid: `missing_field` where nothing is, `unknown_field`, `wrong_type` for a value of another form.

    """
    if not details:
        raise Invalid("missing_field", "details")
    forms = {field.code: field.form for field in one.fields}
    for code, value in details.items():
        if code not in forms:
            raise Invalid("unknown_field", f"details.{code}")
        if len(value) > MAX_VALUE or re.fullmatch(forms[code], value) is None:
            raise Invalid("wrong_type", f"details.{code}")
    return tuple((code, details[code]) for code in forms if code in details)
