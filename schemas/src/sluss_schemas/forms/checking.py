"""What is wrong with a form, said before it is filed.

For: one refusal at a time, with a stable code, the field, and what to do.
Refuses: everything that the form's declarations, the pack and the scene registry do not allow.
No refusal repeats what was written, because it may end in a log.

> INVARIANT: a form that passed falls into sections and comes back from them unchanged.

Source: docs/forms.md, docs/secrecy-rules.md B5 and B7.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sluss_schemas.forms.ages import ages_on
from sluss_schemas.forms.base import (
    HEADS,
    SUSPECT,
    Declared,
    Field,
    Form,
    Person,
    Place,
    age_range,
    fields,
    filled,
    persons_of,
    place_of,
)
from sluss_schemas.forms.conform import conform
from sluss_schemas.forms.staff import ActivityLog, SafetyAlert
from sluss_schemas.ids import COMPARTMENT_NAMES, SECTORS, Compartment, Sector
from sluss_schemas.policy.decide import collected
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid

MAX_TEXT: Final = 16_000
"""Characters of text that one section holds, all its fields together."""
AHEAD: Final = timedelta(minutes=5)
"""How far a device's clock may be ahead of the time that it is given."""
OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


def check(form: Form, *, owner: Sector, now: datetime, scenes: Collection[str], pack: Pack) -> None:
    """Refuse a form that may not be filed.

    Args:
        form: what was filled in.
        owner: the sector of the agency that files it.
        now: the time, with its zone.
        scenes: slugs of the scenes that may be named.
        pack: the policy pack in force.

    Raises:
        Invalid: with the code and field of the first fault that was found.

    """
    kind = pack.kinds.get(form.KIND)
    if kind is None:
        raise Invalid("unknown_kind", "kind")
    if owner not in kind.owners:
        raise Invalid("not_an_owner", "kind")
    conform(form, pack.codes)
    _check_time(form.observed_at, now)
    _check_collected(form, owner, pack)
    if form.scene is None and "scene" in kind.facts and owner not in kind.no_scene_from:
        raise Invalid("missing_field", "scene")
    if form.scene is not None and form.scene not in scenes:
        raise Invalid("unknown_scene", "scene")
    _check_place(form, owner, pack)
    day = form.observed_at.astimezone(ZoneInfo(pack.zone)).date()
    for index, person in enumerate(persons_of(form)):
        _check_person(person, f"subject[{index}]")
        _check_suspect(person, f"subject[{index}].role", owner, day, pack)
    if isinstance(form, ActivityLog):
        _check_activities(form, pack)
    if isinstance(form, SafetyAlert):
        _check_hours(form, pack)
    _check_lengths(form)


def _check_time(observed_at: datetime, now: datetime) -> None:
    if observed_at.utcoffset() is None:
        raise Invalid("naive_time", "observed_at")
    if observed_at > now + AHEAD:
        raise Invalid("future_time", "observed_at")
    if observed_at < OLDEST:
        raise Invalid("too_old", "observed_at")


def _check_hours(form: SafetyAlert, pack: Pack) -> None:
    kept = pack.kinds[form.KIND].retention
    longest = None if kept is None else kept.visible_hours
    if longest is not None and (form.valid_hours or 0) > longest:
        raise Invalid("out_of_range", "valid_hours", f"Give at most {longest} hours.")


def _check_collected(form: Form, owner: Sector, pack: Pack) -> None:
    open_ = collected(pack, form.KIND, owner)
    for field in fields(type(form)):
        # What leaves in the author section belongs to the author, who is always collected in some form.
        if field.compartment != "AUT" and field.compartment not in open_ and filled(getattr(form, field.name)):
            raise Invalid("not_collected", field.name)


def _check_place(form: Form, owner: Sector, pack: Pack) -> None:
    place = place_of(form)
    if place is None:
        return
    if place == Place():
        raise Invalid("missing_field", "place", "Say something about the place, or leave it out.")
    if (place.lat is None) != (place.lon is None):
        raise Invalid("missing_field", "place.lat" if place.lat is None else "place.lon")
    if place.lat is None or owner not in pack.filing.coordinates_stay:
        return
    # Their coordinates travel in the author section, which must therefore be nobody else's to read.
    others = [sector for sector in SECTORS if sector != owner]
    if any(pack.cell(form.KIND, owner, "AUT", sector).automatic == "A" for sector in others):
        say = "Another agency reads who wrote this kind of report; describe the place in words."
        raise Invalid("not_collected", "place.lat", say)


def _check_person(person: Person, where: str) -> None:
    if person == Person():
        raise Invalid("missing_field", where, "Say something about the person, or leave the person out.")
    youngest, oldest = age_range(person)
    if youngest is not None and oldest is not None and youngest > oldest:
        raise Invalid("out_of_range", f"{where}.age_min", "Give an age band and bounds that agree.")


def _check_suspect(person: Person, where: str, owner: Sector, day: date, pack: Pack) -> None:
    if person.role != SUSPECT:
        return
    if owner not in pack.filing.may_suspect:
        raise Invalid("unknown_code", where, "Your agency may not call a person a suspect.")
    # Doubt protects: the youngest plausible age on the day of the event counts (docs/secrecy-rules.md B7, 9 to 11).
    youngest = [age for age in (age_range(person)[0], ages_on(person, day)[0]) if age is not None]
    if youngest and min(youngest) < pack.parameters.criminal_age:
        raise Invalid("unknown_code", where, "Somebody who may be a child of that age is noted as a child.")


def _check_activities(form: ActivityLog, pack: Pack) -> None:
    """Refuse an activity of another category; its number is a hundred times its category's, and a running number."""
    if form.category is None:
        return
    category = pack.codes["intervention_category"][form.category].n
    if any(pack.codes["intervention"][code].n // 100 != category for code in form.activities):
        raise Invalid("wrong_sub_kind", "activities", "Choose activities of the category that was chosen.")


def _check_lengths(form: Form) -> None:
    length: dict[Compartment, int] = {}
    for field in fields(type(form)):
        texts = sum(len(text) for text in _texts(field, getattr(form, field.name)))
        length[field.compartment] = length.get(field.compartment, 0) + texts
    for compartment, characters in length.items():
        if characters > MAX_TEXT:
            say = f"Shorten the texts of this part to {MAX_TEXT} characters together, or write a second report."
            heads = HEADS.get(compartment, (COMPARTMENT_NAMES[compartment],))
            raise Invalid("too_long", heads[-1], say)


def _texts(field: Field, value: Any) -> Iterator[str]:  # noqa: ANN401 - checked by its own declaration before
    if value is None:
        return
    if field.kind_of_value in {"text", "scene"}:
        yield value
    elif field.kind_of_value == "place":
        yield from _texts_of(value)
    elif field.kind_of_value == "persons":
        for person in value:
            yield from _texts_of(person)


def _texts_of(declared: Declared) -> Iterator[str]:
    for field in fields(type(declared)):
        yield from _texts(field, getattr(declared, field.name))
