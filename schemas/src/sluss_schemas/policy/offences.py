"""Whether an offence weighs enough for a ground: the pack's table and its threshold, and nothing else.

For: the form in which somebody names the offence that a disclosure is about.
Refuses: to know a penalty. An offence that the pack does not list is judged by the person who decides.

> INVARIANT: an offence that is not in the pack reaches no threshold.

Source: docs/secrecy-rules.md B4.
"""

from __future__ import annotations

from sluss_schemas.policy.model import Gateway, Pack


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
    return gateway.offence == "none" or (known is not None and known.max_months > 0)
