"""Until when a report is shown, where the pack names hours for its kind: after that the own supervisors alone have it.

For: the server, which takes it from everybody else, and every device, which shows it no longer without being told.
Refuses: to show anything longer because it came late. The time runs from the receipt, or from the end of the unit of
time in which it was observed where that is earlier; whoever warns again observes again.

> INVARIANT: the end follows from the version alone: its manifest, when it was received, and the pack in force.

Source: docs/secrecy-rules.md B8.
"""

from __future__ import annotations

from typing import Final

from sluss_schemas.ids import Sector
from sluss_schemas.policy.model import Pack, Precision

_HOUR_S: Final = 3600
# An hour more or less on the day on which the clock changes makes no difference to days.
_UNIT_S: Final[dict[Precision, int]] = {
    "hour": _HOUR_S,
    "daypart": 6 * _HOUR_S,
    "day": 24 * _HOUR_S,
    "week": 7 * 24 * _HOUR_S,
}


def until(pack: Pack, kind: int, owner: Sector, *, observed: int, received_at: int) -> int | None:
    """Return when a version stops being shown; None where the pack names no hours for its kind.

    `observed` is the manifest's coarse time; `received_at` is the server's receipt or, where a device does not know
    that, its own.
    """
    known = pack.kinds.get(kind)
    hours = None if known is None or known.retention is None else known.retention.visible_hours
    if known is None or hours is None:
        return None
    unit = _UNIT_S[known.precision.get(owner, "week")]
    return min(received_at, observed + unit) + hours * _HOUR_S
