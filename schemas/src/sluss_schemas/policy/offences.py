"""Whether an offence weighs enough for a ground: the pack's table and its threshold, and nothing else.

For: the form in which somebody names the offence that a disclosure is about.
A grant names its offence as an answered test after the ground's own: `offence:CODE`, or `attempt:CODE` for an attempt,
preparation or conspiracy.
Refuses: to know a penalty. An offence that the pack does not list opens nothing until the pack lists it.

> INVARIANT: an offence that is not in the pack reaches no threshold.

Source: docs/secrecy-rules.md B4; docs/protocol.md section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from sluss_schemas.policy.model import Gateway, Pack

_OFFENCE: Final = "offence:"
_ATTEMPT: Final = "attempt:"


def answer(offence: str, *, attempt: bool = False) -> str:
    """Return the test's code by which a grant names an offence."""
    return (_ATTEMPT if attempt else _OFFENCE) + offence


def wanting(pack: Pack, gateway: Gateway, answers: Sequence[tuple[str, bool]]) -> Literal["", "tests", "offence"]:
    """Return what a grant's answered tests lack of what a ground demands; empty where everything is there.

    Every test of the ground is there once, in its order and affirmed, then an offence where the ground asks for one.
    """
    demanded = [(test.code, True) for test in gateway.tests]
    own, rest = list(answers[: len(demanded)]), answers[len(demanded) :]
    if own != demanded:
        return "tests"
    if gateway.offence == "none":
        return "tests" if rest else ""
    if any(not met or not code.startswith((_OFFENCE, _ATTEMPT)) for code, met in rest):
        return "tests"
    named = (_named(code) for code, _ in rest)
    weighs = [weighs_enough(pack, gateway, offence, attempt=attempt) for offence, attempt in named]
    return "" if weighs == [True] else "offence"


def _named(code: str) -> tuple[str, bool]:
    kind, _, offence = code.partition(":")
    return offence, kind + ":" == _ATTEMPT


def reaches_threshold(pack: Pack, offence: str, *, attempt: bool = False) -> bool:
    """Tell whether an offence, or only its attempt, preparation or conspiracy, reaches the pack's threshold."""
    known, set_ = pack.offences.get(offence), pack.parameters
    if known is None:
        return False
    if set_.crime_threshold == "months":
        return known.min_months >= (set_.min_penalty_months_attempt if attempt else set_.min_penalty_months)
    return known.listed or set_.crime_threshold == "none"


def weighs_enough(pack: Pack, gateway: Gateway, offence: str, *, attempt: bool = False) -> bool:
    """Tell whether a ground may be used for this offence, as far as the offence goes."""
    if gateway.offence == "threshold":
        return reaches_threshold(pack, offence, attempt=attempt)
    known = pack.offences.get(offence)
    if known is None or gateway.offence == "none":
        return gateway.offence == "none"
    if gateway.offence == "prison":
        return known.max_months > 0
    return known.chapter in gateway.chapters and (
        not gateway.least or (not attempt and known.min_months >= _least(pack, gateway))
    )


def _least(pack: Pack, gateway: Gateway) -> int:
    """Return the months that a ground asks for; `pack.load` refuses a ground without them."""
    months: int = getattr(pack.parameters, gateway.least)
    return months
