"""What a decision is asked with, and what it answers.

For: naming who receives, what they may hold, and why one compartment is open or closed.
Refuses: to decide; `decide.py` does, from the pack.

> INVARIANT: an answer is a value; nobody needs the report's content to make or to read one.

Source: docs/secrecy-rules.md, "How the pack meets the keys".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sluss_schemas.ids import Compartment, Function, Sector

Form = Literal["full", "brief"]
Ground = Literal[
    "not_collected",
    "hard_deny",
    "duty",
    "explicit_deny",
    "gateway",
    "own",
    "automatic",
    "agreement",
    "held",
    "default_deny",
]


class AgreedCell(msgspec.Struct, frozen=True):
    """A part that an owner's agreements in force open: of its reports of a kind, to a column, in this form."""

    kind: int
    compartment: Compartment
    column: Sector
    code: Literal["A", "R", "P", "G"]


class Receiver(msgspec.Struct, frozen=True):
    """An audience, or a device addressed by itself, as the owner of a report sees it.

    Attributes:
        sector: the receiver's sector.
        function: the audience's function.
        own: whether it belongs to the owning agency; another agency of the same sector does not.
        named: whether it is one person's device; of the owner's, the author's or named case staff's.
        agreed: what the owner's agreements open to it now, sorted; empty for nearly everybody.

    """

    sector: Sector
    function: Function
    own: bool
    named: bool = False
    agreed: tuple[AgreedCell, ...] = ()


class Slots(msgspec.Struct, frozen=True):
    """What a receiver may hold of a report, as bitmaps.

    Attributes:
        open: what a base seal carries.
        held: what a base seal carries and the server holds back until a supervisor states a task or reason.
        duties: what a duty that was answered "send" gives, by its code.
        gateways: the most that a decided grant may give, by its code.

    """

    open: int = 0
    held: int = 0
    duties: dict[str, int] = {}
    gateways: dict[str, int] = {}


class Decision(msgspec.Struct, frozen=True):
    """Whether one compartment is open, by which step of the order, and why.

    Attributes:
        ground: the step that decided.
        rule_id: the cell.
        form: what is open; None where nothing is.
        reason: the pack's reason for the cell, in English.
        gateway: the duty or gateway that opened it, or an empty string.

    """

    ground: Ground
    rule_id: str
    form: Form | None
    reason: str
    gateway: str = ""
