"""Statements in words: a scene, an objective and its measure as people write them, and as they stand on the wire.

Codes are words here and numbers there; days are dates here.
Refuses: a code that the pack does not have, and a label or a title that looks as if it named somebody.
Source: docs/protocol.md section 4.

> INVARIANT: what leaves in clear was looked at for names on this device, before it was signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from sluss_client.errors import Invalid
from sluss_schemas import codes, statements
from sluss_schemas.forms import namecheck
from sluss_schemas.forms.facts import fact_field
from sluss_schemas.forms.registry import form_type
from sluss_schemas.policy.model import Pack
from sluss_schemas.statements import (
    DEFINITION,
    LEVELS,
    STATE,
    STRATEGY,
    SUB_PLACE,
    SURROUNDINGS,
    Measure,
    SceneTerms,
    SubPlace,
)

_EPOCH: Final = date(1970, 1, 1)
_KIND, _FACT = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneWords:
    """What an agency says of a scene, in the pack's words.

    Attributes:
        state: `candidate`, `confirmed`, `dormant` or `closed`.
        since: the day of that decision; None for the day that was said before, or today.
        definition: which criteria of an open drug scene it meets.
        strategy: `abolish`, `reduce` or `tolerate`; empty where nothing is decided.
        strategy_since: as `since`.
        surroundings: what lies near.
        sub_places: its parts, each a code and what it is called.
        district: the part of the town.
        municipality: the municipality.
        survey: the year of the survey that found it.
        first_known: the first year in which it was known.
        prioritised: the year since which it has priority.
        under_reported: whether few reports are known not to mean calm.

    """

    state: str = "confirmed"
    since: date | None = None
    definition: tuple[str, ...] = ()
    strategy: str = ""
    strategy_since: date | None = None
    surroundings: tuple[str, ...] = ()
    sub_places: tuple[tuple[str, str], ...] = ()
    district: str = ""
    municipality: str = ""
    survey: int | None = None
    first_known: int | None = None
    prioritised: int | None = None
    under_reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """An objective in words.

    Attributes:
        title: what people call it; names nobody.
        measure: what is counted, as `measure_of` reads it: `count:activity_log:category=social_prevention`.
        direction: whether the target is a ceiling or a floor.
        target: a number of reports, a sum, per cent or days.
        since: the first day that counts.
        until: the last one.
        scene: a scene's slug; empty for the whole partnership.

    """

    title: str
    measure: str
    direction: Literal["at_most", "at_least"]
    target: int
    since: date
    until: date
    scene: str = ""


# days


def day_of(day: date, field: str = "day") -> int:
    """Return a date as days from 1 January 1970.

    Raises:
        Invalid: `out_of_range`.

    """
    number = (day - _EPOCH).days
    if not 0 <= number <= 0xFFFF:  # noqa: PLR2004  # what the wire has room for
        raise Invalid("out_of_range", field, "Give a day after 1969.")
    return number


def date_of(day: int) -> date:
    """Return the date of a day."""
    return _EPOCH + timedelta(days=day)


def day_at(time: int) -> int:
    """Return the day of a Unix time, in UTC."""
    return (datetime.fromtimestamp(time, UTC).date() - _EPOCH).days


# scenes


def scene_terms(number: int, words: SceneWords, pack: Pack, before: SceneTerms | None, today: int) -> SceneTerms:
    """Return the terms that say these words; a day that is not given is that of `before` where nothing changed.

    Raises:
        Invalid: `unknown_code`, `too_long`, `names_person`, `out_of_range`.

    """
    state = codes.number(pack.codes, STATE, words.state, "state")
    strategy = codes.number(pack.codes, STRATEGY, words.strategy, "strategy") if words.strategy else None
    since = day_of(words.since, "since") if words.since is not None else None
    since_then = day_of(words.strategy_since, "strategy_since") if words.strategy_since is not None else None
    if since is None:
        since = before.since if before is not None and before.state == state else today
    if strategy is not None and since_then is None:
        same = before is not None and before.strategy == strategy
        since_then = before.strategy_since if before is not None and same else today
    parts = {
        (codes.number(pack.codes, SUB_PLACE, code, "sub_places"), clear(label, "sub_places", place=True))
        for code, label in words.sub_places
    }
    if len(parts) > statements.MAX_SUB_PLACES:
        raise Invalid("out_of_range", "sub_places", f"Give up to {statements.MAX_SUB_PLACES} parts of a scene.")
    for name in ("survey", "first_known", "prioritised"):
        year(getattr(words, name), name)
    return SceneTerms(
        scene=number,
        definition=_numbers(pack, DEFINITION, words.definition, "definition"),
        state=state,
        since=since,
        strategy=strategy,
        strategy_since=since_then if strategy is not None else None,
        surroundings=_numbers(pack, SURROUNDINGS, words.surroundings, "surroundings"),
        sub_places=tuple(SubPlace(code, label) for code, label in sorted(parts)),
        district=clear(words.district, "district", place=True),
        municipality=clear(words.municipality, "municipality", place=True),
        survey=words.survey,
        first_known=words.first_known,
        prioritised=words.prioritised,
        under_reported=words.under_reported,
    )


def scene_words(terms: SceneTerms, pack: Pack) -> SceneWords:
    """Return terms in words."""
    return SceneWords(
        state=_name(pack, STATE, terms.state),
        since=date_of(terms.since),
        definition=tuple(_name(pack, DEFINITION, code) for code in terms.definition),
        strategy="" if terms.strategy is None else _name(pack, STRATEGY, terms.strategy),
        strategy_since=None if terms.strategy_since is None else date_of(terms.strategy_since),
        surroundings=tuple(_name(pack, SURROUNDINGS, code) for code in terms.surroundings),
        sub_places=tuple((_name(pack, SUB_PLACE, part.code), part.label) for part in terms.sub_places),
        district=terms.district,
        municipality=terms.municipality,
        survey=terms.survey,
        first_known=terms.first_known,
        prioritised=terms.prioritised,
        under_reported=terms.under_reported,
    )


def year(value: int | None, field: str) -> None:
    """Refuse with `out_of_range` what is no year of a registry."""
    if value is not None and not 1900 <= value <= 2200:  # noqa: PLR2004  # as the protocol has it
        raise Invalid("out_of_range", field, "Give a year such as 2026.")


def clear(text: str, field: str, *, place: bool = False, longest: int = statements.MAX_LABEL) -> str:
    """Return a text that may stand in clear.

    Raises:
        Invalid: `too_long`, `names_person`.

    """
    text = " ".join(text.split())
    if len(text) > longest:
        raise Invalid("too_long", field, f"Shorten it to {longest} characters.")
    if any(True for _ in namecheck.look(text, place=place)):
        raise Invalid("names_person", field)
    return text


def _numbers(pack: Pack, list_: str, given: tuple[str, ...], field: str) -> tuple[int, ...]:
    return tuple(sorted({codes.number(pack.codes, list_, code, field) for code in given}))


def _name(pack: Pack, list_: str, number: int) -> str:
    """Return the word of a code; of one that this program's pack does not have its number."""
    known = {code.n: name for name, code in pack.codes.get(list_, {}).items()}
    return known.get(number, str(number))


# measures


def measure_of(text: str, pack: Pack) -> Measure:
    """Return the measure that a text names.

    `count:KIND`, `count:KIND:FACT=CODE`, `sum:KIND:FACT`, `mumin_ratio`, `attendance`, `attendance:street`,
    `attendance:heads` or `days_to_fix`.

    Raises:
        Invalid: `unknown_code`.

    """
    parts = text.split(":")
    what, dim, value = parts[0], "", ""
    if what in {"count", "sum"} and _KIND < len(parts) <= _FACT + 1:
        found = next((number for number, kind in pack.kinds.items() if kind.name == parts[_KIND]), None)
        if found is None:
            raise Invalid("unknown_code", "measure.kind")
        if len(parts) > _FACT:
            dim, _, value = parts[_FACT].partition("=")
        if what == "count":
            return Measure("count", found, dim, _value(found, dim, value, pack) if value else None)
        if not value:
            return Measure("sum", found, dim, None)
    elif what == "attendance" and (len(parts) == 1 or (len(parts) == _FACT and parts[1] in LEVELS)):
        return Measure("attendance", None, "", LEVELS.get(parts[-1]))
    elif text == "mumin_ratio":
        return Measure("mumin_ratio", None, "", None)
    elif text == "days_to_fix":
        return Measure("days_to_fix", None, "", None)
    say = (
        "Give count:KIND, count:KIND:FACT=CODE, sum:KIND:FACT, mumin_ratio, attendance[:street|:heads] or days_to_fix."
    )
    raise Invalid("unknown_code", "measure", say)


def measure_words(measure: Measure, pack: Pack) -> str:
    """Return the text that `measure_of` reads."""
    if measure.what == "attendance":
        level = next((name for name, number in LEVELS.items() if number == measure.value), "")
        return f"attendance:{level}" if level else "attendance"
    if measure.kind is None:
        return measure.what
    kind = pack.kinds[measure.kind].name if measure.kind in pack.kinds else str(measure.kind)
    text = f"{measure.what}:{kind}"
    if measure.dim:
        text += f":{measure.dim}"
    if measure.value is not None:
        text += f"={_name(pack, _list_of(measure.kind, measure.dim), measure.value)}"
    return text


def _value(kind: int, dim: str, value: str, pack: Pack) -> int:
    return codes.number(pack.codes, _list_of(kind, dim), value, "measure.value")


def _list_of(kind: int, dim: str) -> str:
    try:
        field = fact_field(form_type(kind), dim)
    except Invalid:
        return ""
    return "" if field is None else field.codes
