"""What a server may read of a report: closed codes and small integers, and only those that the pack names.

For: the two tiers of facts.
A fact is a field that the form declares as one, or is derived from the form: a derived one nobody enters, and no
section holds.
Refuses: any other fact (`pack_refused`), so no pack can make a text or a name countable.

> INVARIANT: a fact is an integer, a list of integers, or nothing.

Source: docs/protocol.md section 3, docs/secrecy-rules.md ("Facts").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from sluss_schemas.codes import CodeLists, number
from sluss_schemas.forms.ages import GROUPS, age_group
from sluss_schemas.forms.base import Field, Form, FullForm, field_named, persons_of
from sluss_schemas.ids import Sector, kind_code
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid

SCENE: Final = "scene"
TIMES: Final = frozenset({"hour", "daypart", "day", "week"})
"""Words among a kind's facts that stand for the manifest's time."""
AGE_GROUPS: Final = Field(
    name="age_groups",
    kind_of_value="codes",
    compartment="SUB",
    codes=GROUPS,
    fact=True,
    required=False,
    optional=False,
    doc="age groups of the persons it happened to",
)
"""Derived from the persons of a form."""
BESIDE: Final = frozenset({"witness", "reporter", "guardian", "bystander"})
"""Parts in what happened of persons to whom it did not happen."""

Fact = int | list[int] | None


def facts(
    form: Form, pack: Pack, scene_numbers: Mapping[str, int], *, owner: Sector | None = None
) -> tuple[list[int] | None, list[Fact] | None]:
    """Return tier 0, `[scene number]`, and the coded values of tier 1 in the order of the pack's facts.

    Tier 0 is None where the pack names no scene fact or the report has no scene.
    Tier 1 is None where the pack names no fact at all, so not even a time; a value that was not given is None.
    With `owner`, a scene that this owner names to nobody else gives no tier 0.

    Raises:
        Invalid: `unknown_scene`; `unknown_code`; `pack_refused` for a fact that the form does not have.

    """
    named = pack.kinds[form.KIND].facts
    if not named:
        return None, None
    values = [_fact(form, name, pack) for name in fact_names(form.KIND, pack)]
    nameless = owner in pack.kinds[form.KIND].no_scene_from
    if SCENE not in named or form.scene is None or nameless:
        return None, values
    scene = scene_numbers.get(form.scene)
    if scene is None:
        raise Invalid("unknown_scene", "scene")
    return [scene], values


def fact_names(kind: int, pack: Pack) -> tuple[str, ...]:
    """Return the names of tier 1's coded values, in their order."""
    return tuple(name for name in pack.kinds[kind].facts if name != SCENE and name not in TIMES)


def fact_field(form: type[Form], name: str) -> Field | None:
    """Return what a fact of a kind is, declared or derived; None where the kind has no such fact."""
    if name == AGE_GROUPS.name:
        return AGE_GROUPS if issubclass(form, FullForm) else None
    field = field_named(form, name)
    return field if field is not None and field.fact else None


def _fact(form: Form, name: str, pack: Pack) -> Fact:
    field = fact_field(type(form), name)
    if field is None:
        raise Invalid("pack_refused", f"{kind_code(form.KIND)}.facts.{name}", "Name only facts that the form declares.")
    day = form.observed_at.astimezone(ZoneInfo(pack.zone)).date()
    value = _age_groups(form, day, pack.codes) if field is AGE_GROUPS else getattr(form, name)
    return _numbers(field, value, pack.codes)


def _age_groups(form: Form, day: date, lists: CodeLists) -> list[str]:
    """Return each group once, so that how many persons there were is not told."""
    return sorted({age_group(one, day, lists) for one in persons_of(form) if one.role not in BESIDE})


def _numbers(field: Field, value: object, lists: CodeLists) -> Fact:
    if isinstance(value, list):
        return sorted(number(lists, field.codes, code, field.name) for code in value)
    if isinstance(value, str):
        return number(lists, field.codes, value, field.name)
    return int(value) if isinstance(value, int) else None
