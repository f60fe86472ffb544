"""The note on the market that a seizure makes by itself, so that nobody types it again.

For: everybody on the square, who should know within minutes that less is on offer and unrest is likely.
Refuses: to carry over anything but codes. An amount, an age, a place within the scene, a text and an exact time have
no field here that they could be copied to.
Which kind makes which note, and what a seizure means for the market, is the pack's.

> INVARIANT: a note is made of the scene, substances, direction, caution, hours and the part of the day; a test plants a
  canary in every other field and looks for it in the note.

Source: docs/secrecy-rules.md B5, reduction profiles; K03 and K18.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sluss_schemas.forms.base import Form
from sluss_schemas.forms.drugs import MarketNote, SeizureOrFind
from sluss_schemas.forms.registry import FORMS
from sluss_schemas.ids import Sector, kind_code
from sluss_schemas.policy.model import MadeNote, Pack

DAY_PART_HOURS: Final = 6
"""A note tells the part of the day, as a brief does."""


def note_of(form: Form, pack: Pack, owner: Sector) -> MarketNote | None:
    """Return the note that a report makes by itself, or None where it makes none.

    None where the pack asks for no note, where this owner files none, and where no substance is known.
    """
    rule = pack.kinds[form.KIND].makes_note
    if rule is None or not isinstance(form, SeizureOrFind) or not form.substances:
        return None
    made = {kind_code(number): type_ for number, type_ in FORMS.items()}.get(rule.kind)
    if made is not MarketNote or owner not in pack.kinds[made.KIND].owners:
        return None
    direction, caution, hours = outlook(form, pack)
    return MarketNote(
        scene=form.scene,
        observed_at=day_part(form.observed_at, pack.zone),
        substances=list(form.substances),
        direction=direction,
        caution=caution,
        valid_hours=hours,
    )


def outlook(form: SeizureOrFind | MarketNote, pack: Pack) -> tuple[str | None, str | None, int | None]:
    """Return direction, caution and hours: what the author said, else what the pack says of such a report.

    A report that says nothing about the market, and of which the pack says nothing, has no hours either.
    """
    rule = pack.kinds[form.KIND].makes_note
    if rule is None or not form.substances:
        return form.direction, form.caution, form.valid_hours
    direction = form.direction or _chosen(form, rule, rule.direction)
    caution = form.caution or _chosen(form, rule, rule.caution)
    return direction, caution, form.valid_hours or (rule.hours if direction or caution else None)


def day_part(at: datetime, zone: str) -> datetime:
    """Return the beginning of the part of the day in which a time lies."""
    local = at.astimezone(ZoneInfo(zone))
    return local.replace(hour=local.hour - local.hour % DAY_PART_HOURS, minute=0, second=0, microsecond=0)


def _chosen(form: Form, rule: MadeNote, by_value: dict[str, str]) -> str | None:
    value = getattr(form, rule.by, None)
    return by_value.get(value) if isinstance(value, str) else None
