"""What a server may read of a report: closed codes and small integers, and only those that the pack names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from sluss_schemas.forms import (
    FORMS,
    ActivityLog,
    CareReferral,
    Form,
    LitterNeedles,
    MarketNote,
    OrderIncident,
    OutreachContact,
    OverdoseEvent,
    Person,
    ReportOfConcern,
    fact_names,
    facts,
)
from sluss_schemas.forms.base import fields
from sluss_schemas.ids import Sector
from sluss_schemas.policy import Pack, builtin
from sluss_schemas.problems import Invalid

from tests.forms.samples import NOW, PACK, SCENES, any_filed, canary_form

HERE: dict[str, Any] = {"scene": "suburban-square", "observed_at": NOW}


def _naming(kind: int, *names: str) -> Pack:
    kinds = PACK.kinds | {kind: msgspec.structs.replace(PACK.kinds[kind], facts=names)}
    return msgspec.structs.replace(PACK, kinds=kinds)


def test_an_order_incident_tells_scene_and_coded_values_in_the_packs_order() -> None:
    form = OrderIncident(**HERE, sub_kind="threat", severity=2, situation="Two men.", problems=["noise", "litter"])

    assert facts(form, PACK, SCENES) == ([2], [3, 2])
    assert facts(form, _naming(1, "severity", "hour", "problems", "scene"), SCENES) == ([2], [2, [8, 16]])


def test_an_outreach_contact_tells_its_scene_and_nothing_else() -> None:
    form = OutreachContact(**HERE, identity_level="known", outcomes=["talked"])

    assert facts(form, PACK, SCENES) == ([2], [])


def test_a_kind_whose_existence_is_secret_tells_nothing() -> None:
    secret = [kind for kind in FORMS if not PACK.kinds[kind].clear]

    assert secret == [6, 16, 19]
    assert [facts(canary_form(kind), PACK, SCENES) for kind in secret] == [(None, None)] * 3


def test_a_kind_without_a_scene_fact_tells_no_scene() -> None:
    assert facts(ReportOfConcern(**HERE), PACK, SCENES) == (None, [])
    assert facts(CareReferral(observed_at=NOW), PACK, SCENES) == (None, None)


def test_a_count_that_was_not_given_is_no_nought() -> None:
    assert facts(LitterNeedles(**HERE), PACK, SCENES) == ([2], [None])
    assert facts(LitterNeedles(**HERE, needles=0), PACK, SCENES) == ([2], [0])


def test_yes_and_no_are_one_and_nought() -> None:
    pack = _naming(13, "planned", "users_consulted", "staff", "activities")
    form = ActivityLog(**HERE, planned=True, users_consulted=False)

    assert facts(form, pack, SCENES) == (None, [1, 0, None, []])


def test_health_tells_no_scene_of_a_market_note() -> None:
    note = MarketNote(**HERE, direction="new")

    assert facts(note, PACK, SCENES, owner="HLT")[0] is None
    assert facts(note, PACK, SCENES, owner="POL")[0] == [2]


def test_a_scene_without_a_number_is_unknown() -> None:
    with pytest.raises(Invalid) as refused:
        facts(OutreachContact(**HERE), PACK, {})

    assert (refused.value.code, refused.value.field) == ("unknown_scene", "scene")


@pytest.mark.parametrize("name", ["situation", "care", "subject", "place", "observed_at", "safety", "no_such_field"])
def test_a_pack_cannot_make_a_text_or_a_person_countable(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        facts(OrderIncident(**HERE, sub_kind="threat"), _naming(1, "scene", name), SCENES)

    assert (refused.value.code, refused.value.field) == ("pack_refused", f"K01.facts.{name}")


def test_no_text_no_person_and_no_safety_cue_is_declared_a_fact() -> None:
    declared = {field.kind_of_value for form in FORMS.values() for field in fields(form) if field.fact}

    assert declared == {"scene", "code", "codes", "int", "bool"}
    assert not any(
        field.fact
        for form in FORMS.values()
        for field in fields(form)
        if field.compartment in {"SUB", "ENF", "SAF", "AUT"}
    )


@given(any_filed())
def test_every_fact_that_the_pack_names_is_one_that_the_form_can_tell(filed: tuple[Form, Sector]) -> None:
    form, owner = filed

    scene, values = facts(form, PACK, SCENES, owner=owner)

    assert scene is None or (len(scene) == 1 and scene[0] in SCENES.values())
    assert values is None or len(values) == len(fact_names(form.KIND, PACK))
    for value in values or []:
        numbers = value if isinstance(value, list) else [value]
        assert all(number is None or type(number) is int for number in numbers)


@pytest.mark.parametrize(
    ("person", "group"),
    [
        ({"age_band": "12-14"}, "0-17"),
        ({"age_band": "15-17"}, "0-17"),
        ({"age_band": "18-20"}, "18-20"),
        ({"age_band": "65+"}, "50+"),
        ({"age_band": "unknown"}, "unknown"),
        ({"alias": "Kim"}, "unknown"),
        ({"age_max": 16}, "0-17"),
        ({"age_min": 50}, "50+"),
        ({"age_min": 20, "age_max": 22}, "unknown"),
        ({"age_min": 16, "age_max": 20, "age_band": "18-20"}, "18-20"),
        # Who turns 21 on the day of the event, and on the day after it.
        ({"personal_number": "20050203-1230", "age_band": "18-20"}, "21-34"),
        ({"personal_number": "20050204-1238"}, "18-20"),
    ],
)
def test_an_age_group_is_told_where_every_plausible_age_lies_in_it(person: dict[str, Any], group: str) -> None:
    form = OverdoseEvent(**HERE, subject=[Person(**person)])

    assert facts(form, _naming(4, "age_groups"), SCENES)[1] == [[PACK.codes["age_group"][group].n]]


def test_age_groups_are_of_those_it_happened_to_each_once_and_of_nobody_where_nobody_is_noted() -> None:
    adult, child = Person(age_band="25-34"), Person(age_band="12-14", role="child")
    beside = [Person(age_band="65+", role=role) for role in ("witness", "reporter", "guardian", "bystander")]
    told = [
        facts(OverdoseEvent(**HERE, subject=persons), _naming(4, "age_groups"), SCENES)[1]
        for persons in ([], beside, [adult, adult], [adult, child, *beside])
    ]

    assert told == [[[]], [[]], [[3]], [[1, 3]]]
    with pytest.raises(Invalid) as refused:
        facts(MarketNote(**HERE), _naming(18, "age_groups"), SCENES)
    assert (refused.value.code, refused.value.field) == ("pack_refused", "K18.facts.age_groups")


def test_the_pack_counts_ages_of_overdoses_alone_in_groups_that_hold_whole_bands() -> None:
    for pack in builtin():
        assert {number for number, kind in pack.kinds.items() if "age_groups" in kind.facts} <= {4}
        assert all(
            facts(OverdoseEvent(**HERE, subject=[Person(age_band=band)]), pack, SCENES)[1][-1] != [6]  # type: ignore[index]  # it has facts
            for band in pack.codes["age_band"]
            if band != "unknown"
        )
