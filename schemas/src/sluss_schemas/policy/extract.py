"""What a person may be told of what an agency has noted about them, and what is left out, by the pack's own table.

For: an extract of the own agency's reports, made by a supervisor when the person that they are about asks for it.
Refuses: to tell a part that the pack does not name as told, and everything where the pack has no such table.

> INVARIANT: what is left out is left out with a code and a statute; nothing is left out in silence.
> INVARIANT: of the persons in a report an extract tells of the one who asks.

Source: docs/secrecy-rules.md B7 29.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

import msgspec

from sluss_schemas.ids import COMPARTMENTS, Compartment, Sector

When = Literal["always", "embargo", "others", "named"]
"""Whatever a report says; while it is kept back; where it is about others too; where a text seems to name others."""


class Withholding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reason to leave parts out.

    Attributes:
        code: `informant`, stable.
        kinds: the kinds that it is about; every kind where none is named.
        owners: whose reports it is about; everybody's where none is named.
        parts: what is left out.
        when: in which reports.
        law: the statutes.
        en: why, in English.
        sv: the same in Swedish.
        status: `V` checked against the statute's text, `M` yet to be checked.

    """

    code: str
    kinds: tuple[str, ...] = ()
    owners: tuple[Sector, ...] = ()
    parts: tuple[Compartment, ...]
    when: When = "always"
    law: tuple[str, ...]
    en: str
    sv: str
    status: Literal["V", "M"]


class ExtractRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pack's table: what may be told at all, and the reasons to leave it out, of which the first that fits counts.

    Attributes:
        tells: the parts that may be told.
        law: the statutes by which anything is told, and by which a part that nothing here names is not.
        day_only: the kinds of whose time no more than the day is told, where the hour says who was on shift.
        withhold: the reasons, in order.

    """

    tells: tuple[Compartment, ...]
    law: tuple[str, ...]
    day_only: tuple[str, ...] = ()
    withhold: tuple[Withholding, ...] = ()


class LeftOut(NamedTuple):
    """A part that is left out, or of the subject what is about others: the code, the statutes, and why."""

    part: Compartment
    code: str
    law: tuple[str, ...]
    en: str
    sv: str


class Divided(NamedTuple):
    """A report as far as it is told, and what is left out of it."""

    told: tuple[Compartment, ...]
    left_out: tuple[LeftOut, ...]


def divide(
    rules: ExtractRules,
    kind: str,
    owner: Sector,
    *,
    embargo: bool,
    others: bool,
    named: Collection[Compartment],
    parts: Collection[Compartment] = COMPARTMENTS,
) -> Divided:
    """Return what is told of a report and what is not.

    Args:
        rules: the pack's table.
        kind: its code, as the pack writes it.
        owner: the owning agency's sector.
        embargo: whether the owner keeps the report back.
        others: whether it is about others besides the one who asks.
        named: the parts whose text seems to name somebody else, and was not looked at by anybody.
        parts: the parts that have something in them.

    """
    told, left_out = list[Compartment](), list[LeftOut]()
    for part in (each for each in COMPARTMENTS if each in parts):
        holds = {"always": True, "embargo": embargo, "others": others, "named": part in named}
        fitting = [
            one
            for one in rules.withhold
            if part in one.parts
            and (not one.kinds or kind in one.kinds)
            and (not one.owners or owner in one.owners)
            and holds[one.when]
        ]
        # The own entry among the persons is theirs: what is about others is left out beside it.
        whole = part in rules.tells and (not fitting or (part == "SUB" and fitting[0].when in {"others", "named"}))
        told += [part] if whole else []
        if fitting:
            first = fitting[0]
            left_out.append(LeftOut(part, first.code, first.law, first.en, first.sv))
        elif not whole:
            left_out.append(LeftOut(part, "closed", rules.law, "The pack does not tell this part.", "Lämnas inte ut."))
    return Divided(tuple(told), tuple(left_out))
