"""How old somebody may be, and until when a ground that has an age limit can give what it gives.

For: the device of whoever decides, and the reader's at every read.
Refuses: to guess. Where nothing bounds an age it is not below the limit for a ground that permits, and may be below it
for one that protects.

> INVARIANT: doubt never opens anything: a ground that permits needs the oldest plausible age below the limit.

An age is noted in whole years on a day, so a year is added for every whole one that has passed since; a birth date in
the personal number says it exactly, and then the ground ends at midnight before that birthday.
Source: docs/secrecy-rules.md B6 and B7 9-11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from sluss_schemas.forms import Person, age_range
from sluss_schemas.forms.ages import anniversary, birth_date, whole_years
from sluss_schemas.policy.model import Gateway, Pack

STATED: Final = "stated"
"""The basis of an age that rests on somebody's own word alone."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an age limit says of a ground: why it is excluded, else until when at the latest it can give anything.

    `reason` is `over_age`, `age_unknown` or empty; `until` is the birthday's midnight where a birth date is known.
    """

    reason: str = ""
    until: int | None = None


def plausible(person: Person, noted: date, today: date) -> tuple[int | None, int | None]:
    """Return the youngest and the oldest plausible age on a day, of somebody who was noted on another."""
    born = birth_date(person)
    if born is not None:
        exact = whole_years(born, today)
        return exact, exact
    since = max(whole_years(noted, today), 0)
    low, high = age_range(person)
    return (None if low is None else low + since), (None if high is None else high + since)


def limit_of(gateway: Gateway, pack: Pack) -> int | None:
    """Return the age below which a ground holds, or None for one without a limit."""
    if gateway.age is None:
        return None
    limit: int | None = getattr(pack.parameters, gateway.age.parameter)
    return limit


def judge(persons: Sequence[Person], gateway: Gateway, pack: Pack, *, noted: int, now: int) -> Judged:
    """Say whether a ground is open to whoever decides, by everybody whom the report is about."""
    limit = limit_of(gateway, pack)
    if gateway.age is None or limit is None:
        return Judged()
    day, today = _day(noted, pack), _day(now, pack)
    ages = [plausible(person, day, today) for person in persons]
    ends = [_birthday(person, limit, pack) for person in persons]
    if gateway.age.by == "oldest":
        # What somebody says of their own age is no ground for opening anything about them.
        stated = any(person.age_basis == STATED and birth_date(person) is None for person in persons)
        if not ages or stated or any(high is None for _, high in ages):
            return Judged("age_unknown")
        if any(high is not None and high >= limit for _, high in ages):
            return Judged("over_age")
        return Judged(until=min((end for end in ends if end is not None), default=None))
    if ages and all(low is not None and low >= limit for low, _ in ages):
        return Judged("over_age")
    known = [end for end in ends if end is not None]
    return Judged(until=max(known) if known and len(known) == len(ends) else None)


def over(persons: Sequence[Person], gateway: Gateway, pack: Pack, *, noted: int, now: int) -> bool:
    """Tell whether somebody who was disclosed is past the limit by now, as far as what was given says.

    An excerpt may leave the age out; who decided has attested it.
    """
    limit = limit_of(gateway, pack)
    if gateway.age is None or limit is None or not persons:
        return False
    day, today = _day(noted, pack), _day(now, pack)
    ages = [plausible(person, day, today) for person in persons]
    if gateway.age.by == "oldest":
        return any(high is not None and high >= limit for _, high in ages)
    return all(low is not None and low >= limit for low, _ in ages)


def _birthday(person: Person, limit: int, pack: Pack) -> int | None:
    """Return 00:00 in the pack's zone on the birthday of the limit, where the day of birth is known."""
    born = birth_date(person)
    if born is None:
        return None
    midnight = datetime.combine(anniversary(born, born.year + limit), time(), ZoneInfo(pack.zone))
    return int(midnight.timestamp())


def _day(at: int, pack: Pack) -> date:
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(pack.zone)).date()
