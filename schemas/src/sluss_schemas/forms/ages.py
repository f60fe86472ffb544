"""How old somebody in a form is on a day: by a whole personal number exactly, else by the band and the bounds.

For: the check of a form, the duties that it puts, the age limits of grounds, and the group that an age is counted in.
Refuses: to guess; where nothing bounds an age, it is None.

> INVARIANT: a number of a day that is in no calendar says nothing.

Source: docs/secrecy-rules.md B7 9-11.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from sluss_schemas.codes import CodeLists
from sluss_schemas.forms.base import Person, age_range, band_bounds

_NUMBER: Final = re.compile(r"(\d{4})(\d{2})(\d{2})[-+]?\d{4}", re.ASCII)
_COORDINATION: Final = 60
"""What is added to the day in a coordination number."""
_FEBRUARY: Final = 28
GROUPS: Final = "age_group"
"""The code list of groups; as with age bands, a code is its bounds."""
UNKNOWN: Final = "unknown"


def birth_date(person: Person) -> date | None:
    """Return the day of birth that a whole personal or coordination number says."""
    found = _NUMBER.fullmatch((person.personal_number or "").strip())
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups())
    try:
        return date(year, month, day - _COORDINATION if day > _COORDINATION else day)
    except ValueError:
        return None


def ages_on(person: Person, day: date) -> tuple[int | None, int | None]:
    """Return the youngest and the oldest plausible age of somebody who was noted on this day."""
    born = birth_date(person)
    if born is None:
        return age_range(person)
    exact = whole_years(born, day)
    return exact, exact


def age_group(person: Person, day: date, lists: CodeLists) -> str:
    """Return the group that every plausible age of somebody lies in; unknown where none holds them all."""
    youngest, oldest = ages_on(person, day)
    for code in lists.get(GROUPS, {}):
        low, high = band_bounds(code)
        if low is not None and low <= (youngest or 0) and (high is None or (oldest is not None and oldest <= high)):
            return code
    return UNKNOWN


def whole_years(since: date, until: date) -> int:
    """Return how many whole years lie between two days."""
    years = until.year - since.year
    return years if until >= anniversary(since, until.year) else years - 1


def anniversary(born: date, year: int) -> date:
    """Return the birthday in a year."""
    try:
        return born.replace(year=year)
    except ValueError:
        # Born on a leap day: the day before is the earlier of the two, and closes sooner.
        return date(year, 2, _FEBRUARY)
