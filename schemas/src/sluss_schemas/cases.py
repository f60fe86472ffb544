"""In what state a chain of case records is: pure functions of the records and the time.

Records may come in any order and some may be missing; what closes wins over what opens, because doubt protects.
Source: docs/protocol.md section 4.

> INVARIANT: the order in which records came changes no state, and time alone only ever ends things.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

TaskState = Literal["open", "overdue", "done"]
ConsentState = Literal["draft", "given", "limited", "withdrawn", "expired", "invalid"]
RequestState = Literal["open", "granted", "refused"]
HoldState = Literal["placed", "expired", "lifted"]
NoteState = Literal["in_force", "expired", "withdrawn"]
DisclosureState = Literal[
    "waiting", "proposed", "refused", "withdrawn", "released", "disputed", "lapsed", "recalled", "confirmed"
]
"""A decision that leaves was assessed before, and was approved where it needs that; who has read it the ledger says."""
DisputeState = Literal["disputed", "settled"]


def task(ended: str | None, until: int, now: int) -> TaskState:
    """Return a task's state; `ended` is the code of what ended it, or None."""
    if ended is not None:
        return "done"
    return "overdue" if now >= until else "open"


def consent(codes: Iterable[str], until: int | None, now: int) -> ConsentState:
    """Return the state of a chain of consent records by their codes; `until` is the earliest end among them."""
    said = set(codes)
    if "invalid" in said:
        return "invalid"
    if "withdrawn" in said:
        return "withdrawn"
    if not said:
        return "draft"
    if until is not None and now >= until:
        return "expired"
    return "limited" if "limited" in said else "given"


def request(answers: Iterable[str]) -> RequestState:
    """Return a request's state by the answers to it; one refusal closes it."""
    said = set(answers)
    return "refused" if "refused" in said else "granted" if "granted" in said else "open"


def note(*, withdrawn: bool, until: int, now: int) -> NoteState:
    """Return a note's state."""
    if withdrawn:
        return "withdrawn"
    return "expired" if now >= until else "in_force"


def disclosure(decided: DisclosureState, *, disputed: bool, confirmed: bool) -> DisclosureState:
    """Return a disclosure's state by where its decision stands, and what its receivers said of it."""
    if decided == "recalled" and confirmed:
        return "confirmed"
    return "disputed" if decided == "released" and disputed else decided


def dispute(said: Iterable[tuple[int, str]]) -> DisputeState:
    """Return whether a disclosure is disputed, by the times and codes of what was said of it; doubt stays."""
    said = [*said]
    latest = max((at for at, _ in said), default=0)
    return "disputed" if any(at == latest and code == "disputed" for at, code in said) else "settled"


def hold(*, lifted: bool, until: int | None, now: int) -> HoldState:
    """Return the state of a legal hold; without an `until` it stands until it is lifted."""
    if lifted:
        return "lifted"
    return "expired" if until is not None and now >= until else "placed"
