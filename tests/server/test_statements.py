"""Statements: who makes which, what they may say, which of them hold, and who is shown them."""

from __future__ import annotations

import os
import random

import pytest
from msgspec import Raw, structs
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import directory as d
from sluss_schemas import statements as said_of
from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import Sector
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, CaseKind, SignedRecord, read_record, record_message
from sluss_schemas.signing import verify
from sluss_schemas.statements import Measure, RegistryAsk, Stated, SubPlace, Terms
from sluss_server.storage import tables

from tests.server.cases import CREATED, DAY, Answer, case, said, send, signed
from tests.server.sealer import SignKey
from tests.server.statements import (
    COUNTED,
    MONDAY,
    TODAY,
    held,
    objective_terms,
    scene_terms,
    staffing_terms,
    statement,
    stock_terms,
)
from tests.server.town import NOW, Device, Town


def boss(town: Town, slug: str = "police") -> Device:
    return town.supervisor(slug)


def case_in(stated: Stated) -> Case:
    record = read_record(stated.record.record)
    assert isinstance(record, Case)
    return record


def what(stated: Stated) -> Terms:
    return said_of.read(case_in(stated).terms)


async def test_every_supervisor_is_shown_what_holds_as_it_was_signed_and_nobody_else_is_shown_anything(
    town: Town,
) -> None:
    by = boss(town)
    made = [statement(by, terms) for terms in (scene_terms(), objective_terms(), staffing_terms())]
    assert await send(town, by, *made) == [CREATED] * 3

    for record, subject in zip(made, ("scene", "objective", "staffing"), strict=True):
        [found] = await held(town, boss(town, "health"), subject)  # type: ignore[arg-type]  # a subject's name
        assert (found.agency, found.received_at) == (town.agencies["police"].id, NOW)
        assert found.record.record == encode(record)
        verify(by.sign.public, found.record.signature, record_message(found.record.record))
    for device in (town.field("police"), town.field("health")):
        with pytest.raises(Invalid) as refused:
            await held(town, device)
        assert refused.value.code == "not_allowed"


async def test_a_stock_is_given_to_its_own_agency_alone(town: Town) -> None:
    made = {slug: stock_terms(doses=doses) for slug, doses in (("police", 40), ("security", 12))}
    for slug, terms in made.items():
        assert await send(town, boss(town, slug), statement(boss(town, slug), terms)) == [CREATED]

    for slug, terms in made.items():
        assert [what(one) for one in await held(town, boss(town, slug), "stock")] == [terms]
    assert await held(town, boss(town, "health"), "stock") == []
    ask = said_of.StockAsk("naloxone", TODAY - 1)
    assert await town.services.stocks.used(await town.caller(boss(town)), ask) == said_of.StockAnswer(0)
    with pytest.raises(Invalid) as refused:
        await town.services.stocks.used(await town.caller(town.field("police")), ask)
    assert refused.value.code == "not_allowed"
    by = boss(town)
    wrong = statement(by, stock_terms(expires=TODAY - 2))
    assert await send(town, by, wrong) == [("refused", "out_of_range", "record.terms.expires")]


async def test_a_page_ends_where_the_next_begins(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(said_of, "MAX_STATEMENTS", 3)
    every = list[Terms]()
    for slug in ("police", "security"):
        weeks = [staffing_terms(week=MONDAY - 7 * back) for back in range(4)]
        by = boss(town, slug)
        assert await send(town, by, *(statement(by, terms) for terms in weeks)) == [CREATED] * 4
        every += weeks

    found = await held(town, boss(town), "staffing")

    assert [(said_of.subject_of(what(one)), one.agency) for one in found] == sorted(
        (said_of.subject_of(what(one)), one.agency) for one in found
    )
    assert len(found) == len({(what(one), one.agency) for one in found}) == len(every)
    ask = RegistryAsk("staffing", said_of.from_week(MONDAY - 7))
    recent = await town.services.registry.show(await town.caller(boss(town)), ask)
    assert {what(one).week for one in recent.statements} <= {MONDAY - 7, MONDAY}  # type: ignore[union-attr]
    with pytest.raises(Invalid, match="out_of_range"):
        await town.services.registry.show(await town.caller(boss(town)), RegistryAsk("scene", b"x"))


@pytest.mark.parametrize("seed", range(3))
async def test_the_latest_by_its_own_time_holds_in_whatever_order_they_come(town: Town, seed: int) -> None:
    by = boss(town)
    made = [statement(by, scene_terms(survey=2000 + year), NOW - 10 + year) for year in range(5)]
    last = made[-1]
    random.Random(seed).shuffle(made)

    assert await send(town, by, *made) == [CREATED] * 5

    assert [case_in(one) for one in await held(town, by)] == [last]
    assert await send(town, by, *made) == [("duplicate", None, None)] * 5


async def test_of_two_at_one_second_the_same_one_holds_on_every_server(town: Town) -> None:
    by = boss(town)
    made = [statement(by, staffing_terms(hours=hours)) for hours in (30, 50)]
    await send(town, by, *made)

    [found] = await held(town, by, "staffing")

    assert case_in(found) == max(made, key=lambda one: one.record)


async def test_two_agencies_words_about_one_scene_stay_both_and_the_registrys_own_come_first(town: Town) -> None:
    for slug, state in (("security", 1), ("police", 2), ("municipality", 3)):
        by = boss(town, slug)
        assert await send(town, by, statement(by, scene_terms(state=state))) == [CREATED]

    overview = await town.services.registry.current(town.partnership)

    assert overview.scenes.keys() == {1}
    first, *others = [(one.own, terms.state) for one, terms in overview.scenes[1]]
    assert first == (True, 2)
    assert set(others) == {(False, 1), (False, 3)}


async def test_the_overview_has_objectives_with_their_owners_and_staffing_of_the_weeks_that_are_asked_for(
    town: Town,
) -> None:
    by, other = boss(town), boss(town, "security")
    early, late, over = (
        objective_terms(until=TODAY + 10),
        objective_terms(until=TODAY + 20, scene=None),
        objective_terms(ended=True),
    )
    assert await send(town, by, statement(by, late), statement(by, over), statement(by, early)) == [CREATED] * 3
    weeks = [statement(other, staffing_terms(week=MONDAY - 7 * back, hours=back)) for back in range(3)]
    assert await send(town, other, *weeks) == [CREATED] * 3

    overview = await town.services.registry.current(town.partnership, since_week=MONDAY - 7)

    assert [terms for _, terms in overview.objectives] == [early, late, over]
    assert {one.agency for one, _ in overview.objectives} == {town.agencies["police"].id}
    guards = town.agencies["security"].id
    assert overview.staffing == {(1, MONDAY, guards): 0, (1, MONDAY - 7, guards): 1}


async def test_one_that_follows_another_is_about_the_same(town: Town) -> None:
    by = boss(town)
    first = statement(by, scene_terms())
    later = statement(by, scene_terms(state=3), NOW + 1, follows=first.record)
    astray = statement(by, objective_terms(), NOW + 1, follows=first.record)
    theirs = statement(boss(town, "security"), scene_terms(), follows=first.record)
    lost = statement(by, scene_terms(), follows=os.urandom(16))

    assert await send(town, by, first, later, astray, lost) == [
        CREATED,
        CREATED,
        ("refused", "malformed", "record.follows"),
        ("retry", "not_found", "record.follows"),
    ]
    assert await send(town, boss(town, "security"), theirs) == [("retry", "not_found", "record.follows")]
    assert [case_in(one) for one in await held(town, by)] == [later]


async def test_field_staff_state_nothing_and_neither_does_a_forger(town: Town) -> None:
    field, by = town.field("police"), boss(town)
    made = statement(by, scene_terms())
    forged = encode(SignedRecord(encode(made), SignKey().sign(record_message(encode(made)))))

    assert await send(town, field, statement(field, scene_terms())) == [("refused", "not_allowed", "record.device")]
    answers = [await town.push(by, records=[forged]), await town.push(field, records=[forged])]
    assert [said(one.records) for one in answers] == [
        [("bad_signature", "bad_signature", "record")],
        [("refused", "malformed", "record.device")],
    ]
    assert await held(town, by) == []


async def test_nobody_states_another_agencys_objective(town: Town) -> None:
    by, other = boss(town), boss(town, "security")
    terms = objective_terms()
    assert await send(town, by, statement(by, terms)) == [CREATED]

    taken = statement(other, structs.replace(terms, ended=True), NOW + 1)

    assert await send(town, other, taken) == [("refused", "not_allowed", "record.terms.objective")]
    assert [what(one) for one in await held(town, other, "objective")] == [terms]


async def test_what_a_restored_server_lacks_comes_back_by_its_receipt_and_holds_again(town: Town) -> None:
    by = boss(town)
    made = statement(by, scene_terms())
    data = signed(by, made)
    [done] = (await town.push(by, records=[data])).records
    past = (sync.PastReceipt(done.receipt or b"", done.receipt_signature or b""),)

    async def forget(connection: AsyncConnection) -> None:
        for table in (tables.records, tables.outcomes, tables.statements):
            await connection.execute(table.delete())

    await town.writer.submit(forget)
    # Who stated it has left since, and the clock has gone on.
    agency = town.agencies["police"]
    await town.append(agency, [agency.entry(d.PersonSuspend(by.person), NOW)])
    town.instance = b"j" * 16
    services, town.clock.now = town.new_services(), NOW + 5 * DAY
    caller = await services.identify(by.kid)
    assert caller is not None

    refused = await services.push(caller, sync.Push((), (), (Raw(data),)))
    taken = await services.push(caller, sync.Push((), (), (Raw(data),), past))

    assert said(refused.records) == [("refused", "not_allowed", "record.device")]
    assert said(taken.records) == [CREATED]
    overview = await services.registry.current(town.partnership)
    [(holds, _)] = overview.scenes[1]
    assert (holds.record, holds.stated_at) == (made.record, NOW)


ATTENDANCE = Measure("attendance", None, "", None)
BROKEN: list[tuple[Terms, str, str]] = [
    (scene_terms(scene=999), "unknown_scene", "scene"),
    (scene_terms(state=9), "unknown_code", "state"),
    (scene_terms(definition=(1, 99)), "unknown_code", "definition"),
    (scene_terms(definition=(3, 1)), "malformed", "definition"),
    (scene_terms(definition=(1, 1)), "malformed", "definition"),
    (scene_terms(surroundings=(77,)), "unknown_code", "surroundings"),
    (scene_terms(strategy=8), "unknown_code", "strategy"),
    (scene_terms(strategy=None), "missing_field", "strategy_since"),
    (scene_terms(sub_places=(SubPlace(99, "A"),)), "unknown_code", "sub_places"),
    (scene_terms(sub_places=(SubPlace(2, "A"), SubPlace(1, "A"))), "malformed", "sub_places"),
    (staffing_terms(week=MONDAY + 1), "out_of_range", "week"),
    (staffing_terms(scene=999), "unknown_scene", "scene"),
    (objective_terms(scene=999), "unknown_scene", "scene"),
    (objective_terms(until=TODAY - 8), "out_of_range", "until"),
    (objective_terms(title=" "), "missing_field", "title"),
    (objective_terms(measure=Measure("count", None, "", None)), "unknown_code", "measure.kind"),
    (objective_terms(measure=Measure("count", 16, "", None)), "unknown_code", "measure.kind"),
    (objective_terms(measure=Measure("count", 200, "", None)), "unknown_code", "measure.kind"),
    (objective_terms(measure=Measure("count", 13, "situation", 1)), "unknown_code", "measure.dim"),
    (objective_terms(measure=Measure("count", 13, "category", None)), "missing_field", "measure.value"),
    (objective_terms(measure=Measure("count", 13, "category", 9)), "unknown_code", "measure.value"),
    (objective_terms(measure=Measure("count", 13, "", 1)), "malformed", "measure.value"),
    (objective_terms(measure=Measure("sum", 10, "", None)), "missing_field", "measure.dim"),
    (objective_terms(measure=Measure("sum", 13, "category", None)), "unknown_code", "measure.dim"),
    (objective_terms(measure=Measure("sum", 10, "needles", 3)), "malformed", "measure.value"),
    (objective_terms(measure=Measure("mumin_ratio", None, "", None)), "out_of_range", "scene"),
    (objective_terms(measure=Measure("mumin_ratio", 8, "", None), scene=None), "malformed", "measure"),
    (objective_terms(measure=ATTENDANCE, target=101), "out_of_range", "target"),
    (objective_terms(measure=structs.replace(ATTENDANCE, value=3)), "unknown_code", "measure.value"),
    (objective_terms(measure=Measure("count", 7, "", None)), "out_of_range", "scene"),
]


async def test_what_means_nothing_is_refused_with_its_field(town: Town) -> None:
    by = boss(town)
    expected: list[Answer] = [("refused", code, f"record.terms.{field}") for _, code, field in BROKEN]

    assert await send(town, by, *(statement(by, terms) for terms, _, _ in BROKEN)) == expected


async def test_a_statement_has_one_form(town: Town) -> None:
    by, terms = boss(town), scene_terms()
    key = town.agencies["police"].key("supervisors")
    sealed = case(by, CaseKind.STATEMENT, NOW, [key], code="scene", terms=encode(terms))
    broken = [
        (sealed, ("refused", "not_allowed", "record.seals")),
        (statement(by, terms, until=NOW + 5), ("refused", "malformed", "record.until")),
        (statement(by, terms, digest=os.urandom(32)), ("refused", "malformed", "record.digest")),
        (statement(by, terms, code="staffing"), ("refused", "malformed", "record.code")),
        (statement(by, terms, code="note"), ("refused", "unknown_code", "record.code")),
        (structs.replace(statement(by, terms), terms=b""), ("refused", "malformed", "record.terms")),
        (structs.replace(statement(by, terms), terms=b"\xc1"), ("refused", "malformed", "record.terms")),
        (statement(by, terms, NOW + 900), ("retry", "future_time", "record.time")),
    ]

    assert await send(town, by, *(one for one, _ in broken)) == [answer for _, answer in broken]


@pytest.mark.parametrize(
    ("measure", "scene", "target"),
    [
        (COUNTED, 1, 10),
        (Measure("count", 13, "category", 4), 1, 30),
        (Measure("sum", 10, "needles", None), None, 500),
        (Measure("mumin_ratio", None, "", None), None, 60),
        (structs.replace(ATTENDANCE, value=2), 1, 90),
        (Measure("days_to_fix", None, "", None), 1, 14),
    ],
)
async def test_what_can_be_counted_can_be_aimed_at(
    town: Town, measure: Measure, scene: int | None, target: int
) -> None:
    by = boss(town)
    terms = objective_terms(measure=measure, scene=scene, target=target)

    assert await send(town, by, statement(by, terms)) == [CREATED]


def test_no_structure_of_a_statement_names_a_sector_or_a_person() -> None:
    # The owner is the agency whose device signed; a person is never one.
    names = {
        name
        for type_ in (said_of.SceneTerms, said_of.ObjectiveTerms, said_of.StaffingTerms, said_of.StockTerms)
        for name in type_.__struct_fields__
    }
    assert not names & {"person", "owner", "alias", "author", "device"}
    assert not names & set(Sector.__args__)  # type: ignore[attr-defined]
