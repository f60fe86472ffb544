"""Closed code lists: a stable string that people write, a small number on the wire, and labels in two languages.

For: turning one into the other.
Refuses: a code or number that its list does not have, naming the field and never repeating what was given.
The lists themselves are data of the policy pack.

> INVARIANT: a number belongs to one code of its list for ever; a code that is no longer offered keeps its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from sluss_schemas.policy.model import Code
from sluss_schemas.problems import Invalid

__all__ = ["Code", "CodeList", "CodeLists", "Language", "code_lists", "label", "name", "number"]

CodeList = Mapping[str, Code]
CodeLists = Mapping[str, CodeList]
Language = Literal["en", "sv"]


def code_lists(tables: Mapping[str, object]) -> dict[str, dict[str, Code]]:
    """Return the lists of a pack's `[codes.<list>]` tables.

    Raises:
        Invalid: `pack_refused` naming the list, where an entry is not `{ n, en, sv }`, a label is empty, a number is
            not positive, or two codes share one.

    """
    lists: dict[str, dict[str, Code]] = {}
    for list_, table in tables.items():
        where = f"codes.{list_}"
        try:
            entries = msgspec.convert(table, dict[str, Code])
        except msgspec.ValidationError:
            raise Invalid("pack_refused", where, "Write each code as { n, en, sv }.") from None
        if any(code.n < 1 or not code.en or not code.sv for code in entries.values()):
            raise Invalid("pack_refused", where, "Give each code a number from 1 and a label in both languages.")
        if len({code.n for code in entries.values()}) != len(entries):
            raise Invalid("pack_refused", where, "Give each code of a list a number of its own.")
        lists[list_] = entries
    return lists


def number(lists: CodeLists, list_: str, code: str, field: str = "") -> int:
    """Return the number of a code.

    Raises:
        Invalid: `unknown_code` with `field`, or the list's name where none is given.

    """
    found = lists.get(list_, {}).get(code)
    if found is None:
        raise Invalid("unknown_code", field or list_)
    return found.n


def name(lists: CodeLists, list_: str, n: int, field: str = "") -> str:
    """Return the code of a number.

    Raises:
        Invalid: `unknown_code` with `field`, or the list's name where none is given.

    """
    for code, entry in lists.get(list_, {}).items():
        if entry.n == n:
            return code
    raise Invalid("unknown_code", field or list_)


def label(lists: CodeLists, list_: str, code: str, language: Language) -> str:
    """Return what people read for a code.

    Raises:
        Invalid: `unknown_code` with the list's name.

    """
    found = lists.get(list_, {}).get(code)
    if found is None:
        raise Invalid("unknown_code", list_)
    return found.sv if language == "sv" else found.en
