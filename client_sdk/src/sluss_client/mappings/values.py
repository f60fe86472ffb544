"""Values as people write them in tables: ids, names of places, local times, degrees.

For: `rows.py`, and scenes that are registered from a CSV; the same name gives the same slug in both.
Refuses: what cannot be read without guessing, naming the field and never repeating the value.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

from sluss_schemas.forms.base import MICRODEGREES
from sluss_schemas.problems import Invalid

_TIME: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\s*)"
    r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d+)?)?\s*"
    r"(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_MONTH_FIRST: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_THOUSANDS: Final = re.compile(r"-?\d{1,3}(,\d{3})+", re.ASCII)
_NOT_IN_SLUG: Final = re.compile(r"[^a-z0-9_]+")
_SLUG_CHARACTERS: Final = 64
_PLAIN_LETTERS: Final = str.maketrans({"æ": "ae", "ø": "o", "ß": "ss", "đ": "d", "ł": "l", "þ": "th", "ð": "d"})
_NOT_BY_RULE: Final = {"håbo": "haabo"}
"""Håbo and Habo are two municipalities, and the rule would make one scene of them."""
_END_OF_DAY: Final = 24
_FULL_CIRCLE: Final = 360


def plain(text: str) -> str:
    """Return a text composed and with single spaces, so that two ways of writing one name are one."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def id_of(text: str) -> str:
    """Return an id without separators of thousands: `1,001` and `1001` are the same."""
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def slug_of(name: str) -> str:
    """Return the slug of a scene's name: lower case, plain letters, hyphens; the same name gives the same slug.

    Raises:
        Invalid: `wrong_type` for a name without a letter or digit, `too_long`.

    """
    lower = plain(name).lower()
    letters = unicodedata.normalize("NFKD", lower).translate(_PLAIN_LETTERS)
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    slug = _NOT_BY_RULE.get(lower) or _NOT_IN_SLUG.sub("-", bare).strip("-_")
    if not slug:
        raise Invalid("wrong_type", "scene", "Give the scene a name with letters or digits.")
    if len(slug) > _SLUG_CHARACTERS:
        raise Invalid("too_long", "scene", "Give the scene a shorter name.")
    return slug


def years_first(text: str) -> str:
    """Return a date that is written with its month first, 01/31/2018, as 2018-01-31; any other text as it is."""
    return _MONTH_FIRST.sub(r"\3-\1-\2", text)


def local_time(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment that a local time names.

    Hours may lack their leading zero, and 24:00 ends a day; a time with an offset of its own keeps it.
    Of an hour that the clocks repeat in autumn the first is taken, since a local time does not say which; an hour that
    they leave out in spring is read as if they had not been put forward yet.
    A date without a time is refused: an hour would have to be made up.

    Raises:
        Invalid: `missing_field`, `wrong_type`.

    """
    if not text:
        raise Invalid("missing_field", "observed_at")
    found = _TIME.fullmatch(text)
    wrong = Invalid("wrong_type", "observed_at", "Give a date and a time such as 2026-02-03T21:40.")
    if found is None:
        raise wrong
    year, month, day, hour, minute = (int(found[group]) for group in range(1, 6))
    second = int(found[6] or 0)
    ends_day = hour == _END_OF_DAY and minute == 0 and second == 0
    try:
        moment = datetime(year, month, day, 0 if ends_day else hour, minute, second)  # noqa: DTZ001  # zoned below
        moment += timedelta(days=int(ends_day))
        if found[7]:
            return datetime.fromisoformat(f"{moment.isoformat()}{found[7]}")
    except (ValueError, OverflowError):
        raise wrong from None
    return moment.replace(tzinfo=zone)


def microdegrees(value: str, name: str) -> int:
    """Return decimal degrees in microdegrees; `wrong_type` with the field's name for anything else."""
    try:
        exact = Decimal(value)
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite() or abs(exact) > _FULL_CIRCLE:
        raise Invalid("wrong_type", name, "Give decimal degrees such as 59.33.")
    # What is finer than a microdegree is less than a tenth of a metre, and dropped.
    return int(exact * MICRODEGREES)
