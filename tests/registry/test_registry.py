"""Statements from real devices: stated offline, once, seen and verified by every supervisor, forged by nobody."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from sluss_client import forms, surveying
from sluss_client.cases.stating import Statement
from sluss_client.cases.wording import Aim, SceneWords
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Offline, Refused
from sluss_client.testing.hostile import Exchange, Lie
from sluss_schemas import records, statements
from sluss_schemas.codec import encode
from sluss_schemas.records import Case, SignedRecord
from sluss_schemas.statements import (
    ObjectiveTerms,
    RegistryAnswer,
    SceneTerms,
    StaffingTerms,
    Stated,
    StockTerms,
)

from tests.registry.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")
SCENE = "central-square"
WORDS = SceneWords(
    definition=("permanent_place", "open_dealing"),
    strategy="reduce",
    surroundings=("transit_node",),
    sub_places=(("platform", "Platform 2"),),
    district="Centrum",
    survey=2026,
)


def aim(desk: Desk, **changes: object) -> Aim:
    today = desk.town.clock.now().date()
    one = Aim(
        title="Fewer threats",
        measure="count:order_incident",
        direction="at_most",
        target=10,
        since=today,
        until=today + timedelta(days=90),
        scene=SCENE,
    )
    return replace(one, **changes)  # type: ignore[arg-type]  # fields of it


def of(found: tuple[Statement, ...], type_: type[statements.Terms]) -> list[Statement]:
    return [one for one in found if isinstance(one.terms, type_)]


async def test_what_is_stated_offline_is_what_every_supervisor_sees_and_is_said_once(desk: Desk) -> None:
    police, guards = desk.police, desk.guards
    assert police.describe_scene(SCENE, WORDS) is not None
    assert police.describe_scene(SCENE, WORDS) is None
    [waiting] = of(tuple(police.known_statements()), SceneTerms)
    assert waiting.state == "waiting"

    await desk.sync(police)
    [seen] = of((await guards.registry()).statements, SceneTerms)
    assert (seen.agency, seen.terms, seen.id) == ("police", waiting.terms, waiting.id)
    assert [one.state for one in police.statements()] == ["sent"]

    # A colleague who has looked states nothing that is stated already, and continues what is.
    await desk.colleague.registry()
    assert desk.colleague.describe_scene(SCENE, WORDS) is None
    later = desk.colleague.describe_scene(SCENE, replace(WORDS, under_reported=True))
    await desk.sync(desk.colleague)
    [seen] = of((await guards.registry()).statements, SceneTerms)
    assert seen.id == later
    assert isinstance(seen.terms, SceneTerms)
    # The day of the decision is that of the first statement; nothing was decided anew.
    assert seen.terms.since == waiting.terms.since  # type: ignore[union-attr]

    # Another agency's word stands beside it.
    guards.describe_scene(SCENE, SceneWords(state="candidate"))
    await desk.sync(guards)
    found = of((await police.registry()).statements, SceneTerms)
    assert {one.agency: one.terms.state for one in found} == {"police": 2, "security": 1}  # type: ignore[union-attr]


async def test_an_objective_is_set_changed_and_ended_by_its_own_agency_alone(desk: Desk) -> None:
    police, guards = desk.police, desk.guards
    name = police.set_objective(aim(desk))
    police.set_objective(aim(desk, target=8), name)
    await desk.sync(police)
    [seen] = of((await guards.registry()).statements, ObjectiveTerms)
    assert isinstance(seen.terms, ObjectiveTerms)
    assert (seen.agency, seen.terms.objective, seen.terms.target, seen.terms.ended) == ("police", name, 8, False)
    for act in (lambda: guards.end_objective(name), lambda: guards.set_objective(aim(desk), name)):
        with pytest.raises(NotFound):
            act()

    await desk.colleague.registry()
    desk.colleague.end_objective(name)
    await desk.sync(desk.colleague)
    [seen] = of((await guards.registry()).statements, ObjectiveTerms)
    assert isinstance(seen.terms, ObjectiveTerms)
    assert seen.terms.ended


async def test_three_words_within_one_second_hold_in_the_order_in_which_they_were_said(desk: Desk) -> None:
    name = desk.police.set_objective(aim(desk, title="One"))
    desk.police.set_objective(aim(desk, title="Two"), name)
    desk.police.end_objective(name)
    await desk.sync(desk.police)
    await desk.sync(desk.police)

    found = [one.terms for one in of((await desk.guards.registry()).statements, ObjectiveTerms)]

    assert [(one.title, one.ended) for one in found if one.objective == name] == [("Two", True)]  # type: ignore[union-attr]
    assert {one.state for one in desk.police.statements()} == {"sent"}


async def test_hours_are_stated_by_the_week(desk: Desk) -> None:
    day = desk.town.clock.now().date()
    assert desk.guards.state_staffing(SCENE, day, 40) is not None
    assert desk.guards.state_staffing(SCENE, day - timedelta(days=day.weekday()), 40) is None
    assert desk.guards.state_staffing(SCENE, day, 48) is not None
    await desk.sync(desk.guards)

    [seen] = of((await desk.police.registry()).statements, StaffingTerms)

    assert isinstance(seen.terms, StaffingTerms)
    assert (seen.agency, seen.terms.hours, statements.is_monday(seen.terms.week)) == ("security", 48, True)
    for week, hours in ((day + timedelta(days=7), 1), (day, -1), (day, 20_001)):
        with pytest.raises(Invalid):
            desk.guards.state_staffing(SCENE, week, hours)


async def test_a_stock_is_the_last_count_less_what_own_reports_say_was_given_on_later_days(desk: Desk) -> None:
    boss, clock = desk.guards, desk.town.clock
    with pytest.raises(NotFound):
        await boss.stock()
    today = clock.now().date()
    assert boss.count_stock(40, expires=today + timedelta(days=200)) is not None
    assert boss.count_stock(40, expires=today + timedelta(days=200)) is None

    async def gives(device: Device, doses: int) -> None:
        device.file(
            forms.OverdoseEvent(scene=SCENE, observed_at=clock.now(), naloxone_doses=doses, situation="Breathing.")
        )
        await device.sync()

    # What was given on the day of the count is in the count; another agency's is in its own.
    await gives(desk.guard, 1)
    clock.advance(days=1)
    await gives(desk.guard, 2)
    await gives(desk.guard, 3)
    await gives(await desk.town.device("police"), 7)
    before = await boss.stock()
    assert (before.left, before.doses, before.used, before.sent) == (35, 40, 5, False)
    assert (before.counted, before.expires) == (today, today + timedelta(days=200))
    await desk.sync(boss)
    assert (await boss.stock()).sent

    # A new count corrects, whatever was handed out or lost; field staff neither count nor ask.
    boss.count_stock(30)
    assert ((await boss.stock()).left, (await boss.stock()).expires) == (30, None)
    for days, doses in ((1, 4), (0, -1)):
        with pytest.raises(Invalid):
            boss.count_stock(doses, counted=clock.now().date() + timedelta(days=days))
    with pytest.raises(Refused):
        desk.guard.count_stock(1)
    with pytest.raises(Refused):
        await desk.guard.stock()

    # No other agency is given it, although the registry shows them what else the guards state.
    await desk.sync(boss)
    seen = await desk.police.registry()
    assert of(seen.statements, StockTerms) == []
    with pytest.raises(NotFound):
        await desk.police.stock()


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"title": "Get Anders Johansson off the square"}, "names_person", "title"),
        ({"title": "Call 070-123 45 67"}, "names_person", "title"),
        ({"title": "x" * 121}, "too_long", "title"),
        ({"title": "  "}, "missing_field", "title"),
        ({"scene": "nowhere"}, "unknown_scene", "scene"),
        ({"measure": "count:no_such_kind"}, "unknown_code", "measure.kind"),
        ({"measure": "count:activity_log:category=prayer"}, "unknown_code", "measure.value"),
        ({"measure": "count:activity_log:situation"}, "unknown_code", "measure.dim"),
        ({"measure": "happiness"}, "unknown_code", "measure"),
        ({"measure": "mumin_ratio"}, "out_of_range", "scene"),
        ({"measure": "attendance", "target": 101}, "out_of_range", "target"),
        ({"until": date(2020, 1, 1)}, "out_of_range", "until"),
    ],
)
async def test_an_aim_that_names_somebody_or_nothing_that_counts_never_leaves_the_device(
    desk: Desk, changes: dict[str, object], code: str, field: str
) -> None:
    before = desk.police.statements()
    with pytest.raises(Invalid) as wrong:
        desk.police.set_objective(aim(desk, **changes))
    assert (wrong.value.code, wrong.value.field) == (code, field)
    assert desk.police.statements() == before


async def test_a_label_that_names_somebody_never_leaves_the_device(desk: Desk) -> None:
    words = SceneWords(sub_places=(("stairwell", "hos Anders Johansson, 850709-9805"),))
    with pytest.raises(Invalid, match="names_person"):
        desk.police.describe_scene(SCENE, words)


async def test_field_staff_neither_state_nor_look(desk: Desk) -> None:
    with pytest.raises(Refused) as refused:
        desk.guard.describe_scene(SCENE, WORDS)
    assert refused.value.code == "supervisor_only"
    with pytest.raises(Refused):
        await desk.guard.registry()
    with pytest.raises(Refused):
        desk.guard.set_objective(aim(desk))


# a server that lies


def lie(change: Callable[[Stated], Stated]) -> Lie:
    """Give every page of scenes with its statements changed."""

    def told(exchange: Exchange) -> RegistryAnswer:
        answer: RegistryAnswer = exchange.answer
        return structs.replace(answer, statements=tuple(map(change, answer.statements)))

    return told


def signed_by(device: Device, stated: Stated, **changes: object) -> Stated:
    """The same words, signed by another device."""
    case = records.read_record(stated.record.record)
    assert isinstance(case, Case)
    time = case.time + 1
    data = encode(structs.replace(case, record=os.urandom(16), time=time, device=device.local.keys.kid, **changes))
    return structs.replace(stated, record=SignedRecord(data, device.local.keys.sign.sign(records.record_message(data))))


def other_words(stated: Stated) -> Stated:
    """Other words under the old signature."""
    case = records.read_record(stated.record.record)
    assert isinstance(case, Case)
    data = encode(structs.replace(case, time=case.time + 5))
    return structs.replace(stated, record=SignedRecord(data, stated.record.signature))


async def test_nothing_is_believed_that_no_supervisor_of_the_agency_signed(desk: Desk) -> None:
    before = {one.id for one in (await desk.guards.registry()).statements}
    guards, police = desk.guards.local.trust.own_id, desk.police.local.trust.own_id
    lies = [
        lambda one: signed_by(desk.guard, structs.replace(one, agency=guards)),
        lambda one: signed_by(desk.guard, one),
        lambda one: signed_by(desk.guards, structs.replace(one, agency=police)),
        lambda one: structs.replace(one, agency=os.urandom(16)),
        other_words,
        lambda one: signed_by(desk.guards, structs.replace(one, agency=guards), code="elsewhere"),
    ]
    for change in lies:
        with desk.town.hostile.lying("/v1/registry", lie(change), desk.guards.local.keys.kid):
            found = await desk.guards.registry()
        assert found.refused > 0
        assert found.new == 0
        assert {one.id for one in found.statements} == before


async def test_what_was_seen_once_is_not_forgotten_nor_taken_back(desk: Desk) -> None:
    old = desk.town.hostile.answers("/v1/registry", desk.guards.local.keys.kid)
    found = await desk.guards.registry()
    before = {one.id: one for one in found.statements}

    with desk.town.hostile.lying("/v1/registry", lambda _: RegistryAnswer((), b""), desk.guards.local.keys.kid):
        nothing = await desk.guards.registry()
    assert {one.id: one for one in nothing.statements} == before

    desk.police.describe_scene(SCENE, replace(WORDS, district="Norr"))
    await desk.sync(desk.police)
    newest = {one.id: one for one in (await desk.guards.registry()).statements}
    assert newest != before
    first = iter(old[-4:])
    with desk.town.hostile.lying("/v1/registry", lambda _: next(first), desk.guards.local.keys.kid):
        again = await desk.guards.registry()
    assert {one.id: one for one in again.statements} == newest


async def test_who_was_a_supervisor_then_has_spoken_for_the_agency(desk: Desk) -> None:
    town = desk.town
    boss = await town.device("police", "supervisors")
    [lake, *_] = [slug for slug, _, _ in boss.scenes() if slug != SCENE]
    said = boss.describe_scene(lake, WORDS)
    await boss.sync()
    town.clock.advance(minutes=5)
    founder = town.founders["police"]
    await founder.registrar.change(boss.alias, functions=("field",))
    for device in (founder, desk.guards):
        await device.sync()

    found = await desk.guards.registry()

    assert found.refused == 0
    assert said in {one.id for one in found.statements}


# surveys


def survey(folder: Path, scenes: list[str], *more: str) -> Path:
    path = folder / "survey.csv"
    head = "slug,state,definition,surroundings,sub_places,district,survey,strategy,under_reported"
    rows = [
        f"{slug},confirmed,permanent_place open_use,transit_node,square=The square;stairwell=Gate {number},"
        f"District {number % 14},2026,reduce,{'yes' if number % 5 == 0 else 'no'}"
        for number, slug in enumerate(scenes, 1)
    ]
    path.write_text("\n".join((head, *rows, *more)) + "\n", encoding="utf-8")
    return path


async def test_a_survey_of_forty_eight_scenes_is_stated_once(desk: Desk, tmp_path: Path) -> None:
    names = [f"survey-{number:02}" for number in range(1, 49)]
    founder = desk.town.founders["police"]
    assert await founder.registrar.add_scenes([(name, name.title(), name.title()) for name in names]) == 48
    assert await founder.registrar.add_scenes([(name, name.title(), name.title()) for name in names]) == 0
    await desk.sync()
    path = survey(tmp_path, names)

    first = surveying.Survey(path).run(desk.police)
    again = surveying.Survey(path).run(desk.police)
    await desk.sync(desk.police)
    await desk.colleague.registry()
    third = surveying.Survey(path).run(desk.colleague)

    assert [(one.rows, one.stated, one.same, one.bad) for one in (first, again, third)] == [
        (48, 48, 0, []),
        (48, 0, 48, []),
        (48, 0, 48, []),
    ]
    found = [one.terms for one in of((await desk.guards.registry()).statements, SceneTerms)]
    assert len([one for one in found if one.survey == 2026 and one.district.startswith("District")]) == 48  # type: ignore[union-attr]


async def test_a_bad_row_is_one_line_with_its_field_and_the_rest_is_stated(desk: Desk, tmp_path: Path) -> None:
    names = [slug for slug, _, _ in desk.police.scenes() if slug.startswith("survey-")][:2]
    path = survey(
        tmp_path,
        names,
        "nowhere,confirmed,,,,,2026,,",
        "survey-03,hopeless,,,,,2026,,",
        "survey-04,confirmed,,,no sign,,2026,,",
        "survey-05,confirmed,,,,,soon,,",
        "survey-06,confirmed,,,stairwell=850709-9805,,2026,,",
        "survey-07,confirmed,,,,,2026,,perhaps",
        f"{names[0]},confirmed,,,,,2026,,",
        "survey-08,confirmed",
        ",confirmed,,,,,2026,,",
        "survey-09,dormant,,,,,2026,,",
    )

    done = surveying.Survey(path).run(desk.police)

    assert [(one.row, one.code, one.field) for one in done.bad] == [
        (4, "unknown_scene", "scene"),
        (5, "unknown_code", "state"),
        (6, "wrong_type", "sub_places"),
        (7, "wrong_type", "survey"),
        (8, "names_person", "sub_places"),
        (9, "wrong_type", "under_reported"),
        (10, "bad_row", "slug"),
        (11, "bad_row", ""),
        (12, "missing_field", "slug"),
    ]
    assert done.rows == 12
    assert done.stated >= 1
    assert not any("850709" in str(one) for one in done.bad)


async def test_without_contact_what_was_known_is_still_there(desk: Desk) -> None:
    known = {one.id for one in desk.guards.known_statements()}

    with (
        desk.town.hostile.lying("/v1/registry", lambda _: b"\xc1", desk.guards.local.keys.kid),
        pytest.raises(Offline),
    ):
        await desk.guards.registry()

    assert {one.id for one in desk.guards.known_statements()} == known
