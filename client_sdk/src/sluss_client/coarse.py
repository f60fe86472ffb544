"""The time of a report as it stands in clear: no finer than the pack lets the server and other agencies know it.

> INVARIANT: what is returned says no more of the time than the pack's precision for the kind and owner.

Source: docs/protocol.md section 3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sluss_schemas.ids import Sector
from sluss_schemas.policy.model import Pack

_DAY_PARTS_H: Final = 6


def coarse_time(observed: int, pack: Pack, kind: int, owner: Sector) -> int:
    """Return a Unix time floored in the pack's zone to the pack's precision for kind and owner."""
    local = datetime.fromtimestamp(observed, UTC).astimezone(ZoneInfo(pack.zone))
    precision = pack.kinds[kind].precision.get(owner, "week")
    hour = {"hour": local.hour, "daypart": local.hour - local.hour % _DAY_PARTS_H}.get(precision, 0)
    floored = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    if precision == "week":
        floored -= timedelta(days=local.weekday())
    return int(floored.timestamp())


def iso_week(observed: int, pack: Pack) -> str:
    """Return the week of a Unix time in the pack's zone, as `2026-06`."""
    local = datetime.fromtimestamp(observed, UTC).astimezone(ZoneInfo(pack.zone))
    year, week, _ = local.isocalendar()
    return f"{year}-{week:02d}"
