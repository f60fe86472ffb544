"""Names of what is counted: a cell of a table, the families that tables are made of, and days and weeks.

A cell is a dimension and a value of it. `("", 0)` is the total, `("scene", 3)` a scene, `("sub_kind", 7)` a code.

> INVARIANT: the children of a family add up to its parent; whoever knows all but one knows that one.

Source: docs/secrecy-rules.md B8.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

Cell = tuple[str, int]

TOTAL: Final[Cell] = ("", 0)
SCENE: Final = "scene"
NOT_GIVEN: Final = 0
"""The value of reports that say nothing about a dimension."""
SEVERAL: Final = 65_536
"""The value of reports that name more than one code, so that the values of a dimension add up."""
YES: Final = 1
NO: Final = 2
SUM: Final = 1 << 20
"""Of a dimension that is summed: the sum."""
GIVEN: Final = SUM + 1
"""Of a dimension that is summed: how many reports give something above nought."""

_EPOCH: Final = date(1970, 1, 1)
_EPOCH_WEEKDAY: Final = _EPOCH.weekday()
_LAST: Final = 253_370_764_800
"""A time that every zone can tell the date of."""


class Family(NamedTuple):
    """Cells that add up."""

    parent: Cell
    children: tuple[Cell, ...]


def day_of(time: int, zone: str) -> int:
    """Return the local day of a Unix time, counted from 1970-01-01."""
    return (datetime.fromtimestamp(min(time, _LAST), UTC).astimezone(ZoneInfo(zone)).date() - _EPOCH).days


def week_of(day: int) -> int:
    """Return the ISO week of a day, counted from that of 1970-01-01."""
    return (day + _EPOCH_WEEKDAY) // 7


def days_of(week: int) -> tuple[int, int]:
    """Return a week's first day, and the first day after it."""
    first = week * 7 - _EPOCH_WEEKDAY
    return first, first + 7


def month_days(year: int, month: int) -> tuple[int, int]:
    """Return a month's first day, and the first day after it."""
    after = date(year + month // 12, month % 12 + 1, 1)
    return (date(year, month, 1) - _EPOCH).days, (after - _EPOCH).days


def date_of(day: int) -> date:
    """Return the date of a day."""
    return _EPOCH + timedelta(days=day)


@lru_cache(1024)
def week_name(week: int) -> str:
    """Return `2026-W06`."""
    year, number, _ = date_of(days_of(week)[0]).isocalendar()
    return f"{year}-W{number:02d}"


def week_named(name: str) -> int:
    """Return the week of `2026-W06`.

    Raises:
        ValueError: there is no such week.

    """
    year, _, number = name.partition("-W")
    return week_of((date.fromisocalendar(int(year), int(number), 1) - _EPOCH).days)


def begins(day: int, zone: str) -> int:
    """Return the Unix time at which a day begins in a zone."""
    return int(datetime.combine(date_of(day), datetime.min.time(), ZoneInfo(zone)).timestamp())
