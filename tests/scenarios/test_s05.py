"""S05: social field staff see a girl of about 15 get into a car with a dealer whom they know."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluss_client import forms
from sluss_client.cases import bodies, book
from sluss_client.disclosing.answers import Disclosure
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.report import Report
from sluss_schemas.records import CaseKind

from tests.disclosing.people import L17
from tests.scenarios.people import CENTRAL, People, find, held, holders, sight
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")

GIRL = forms.Person(age_min=14, age_max=16, age_basis="estimated", description="A red jacket, a white cap.")
CODES = ("met_by_staff", "may_be_under_18", "imminent_risk_or_caught", "needed_for_intervention")
WHY = {"imminent_risk_or_caught": "She gets into the car of a man who sells."}
HISTORY = "She has been coming to us since the autumn."
SEEN = "A girl gets into a car."
WHERE = "the taxi rank, heading north"


def seen(square: People) -> Report:
    """File what they see."""
    return square.worker.file(
        forms.OutreachContact(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation=SEEN,
            place=WHERE,
            subject=[GIRL],
            care=HISTORY,
        ),
        confirm_text=True,
    )


async def helped(square: People, report: Report) -> Disclosure:
    """Press `immediate help`: nobody has to agree."""
    return await square.worker.disclose(
        report.id,
        "L04",
        to=[square.police.alias],
        compartments=["subject"],
        tests=dict.fromkeys(CODES, True),
        reasons=WHY,
    )


async def test_one_officer_can_find_her_at_once_and_learns_nothing_of_her_history(square: People) -> None:
    report = seen(square)
    made = await helped(square, report)
    # Report and disclosure leave in the same sync, and arrive in the officer's next.
    await square.worker.sync()
    await square.police.sync()
    read = square.police.get(report.id)
    assert (read.subject, read.situation, read.place) == ([GIRL], SEEN, forms.Place(name=WHERE))
    assert read.scene == CENTRAL
    with pytest.raises(Refused):
        _ = read.care
    assert HISTORY.encode() not in decrypted(square.police.local.store)
    assert [one.state for one in square.worker.disclosures() if one.id == made.id] == ["released"]

    await square.sync()
    assert sight(square.worker, report.id) == sight(square.other_worker, report.id)
    assert "care" in sight(square.other_worker, report.id)
    others = ("guard", "other_guard", "official", "nurse", "suburban_police", "police_boss", "guards_boss")
    assert not holders(square, report.id) & {*others, "municipal_boss"}


async def test_care_cannot_be_given_on_this_ground_and_each_condition_is_affirmed(square: People) -> None:
    report = seen(square)
    for parts, tests, why in (
        (["care"], dict.fromkeys(CODES, True), "no_ground"),
        (["subject"], dict.fromkeys(CODES[:3], True), "missing_field"),
        (["subject"], dict.fromkeys(CODES, True) | {"may_be_under_18": False}, "missing_field"),
    ):
        with pytest.raises((Refused, Invalid)) as problem:
            await square.worker.disclose(
                report.id, "L04", to=[square.police.alias], compartments=parts, tests=tests, reasons=WHY
            )
        assert problem.value.code == why
    with pytest.raises(Invalid) as invalid:
        await square.worker.disclose(
            report.id,
            "L04",
            to=[square.police.alias],
            compartments=["subject"],
            tests=dict.fromkeys(CODES, True),
            reasons={},
        )
    assert invalid.value.field == "reasons.imminent_risk_or_caught"


async def test_a_supervisor_looks_at_it_within_a_day_and_it_is_a_task_until_then(square: People) -> None:
    report = seen(square)
    made = await helped(square, report)
    await square.worker.sync()
    await square.workers_boss.sync()
    boss = square.workers_boss
    (asked,) = [one for one in boss.reviews() if one.grant_id == made.id]
    assert (asked.by, asked.upheld, asked.reasons) == (square.worker.alias, None, tuple(WHY.items()))
    assert asked.review_by == made.decided_at + 24 * 3600
    (task,) = [one for one in boss.tasks() if one.report_id == report.id]
    assert (task.code, task.state, task.until) == ("L04", "open", asked.review_by)
    with pytest.raises(Refused):
        await square.worker.review(made.id, upheld=True, reason="It was mine.")

    await boss.review(made.id, upheld=True, reason="She was found at the station.")
    await square.sync()
    assert [one.upheld for one in square.other_boss.reviews() if one.grant_id == made.id] == [True]
    for device in (boss, square.other_boss):
        assert [one.state for one in device.tasks() if one.report_id == report.id] == ["done"]
    assert square.police.get(report.id).subject == [GIRL]
    assert [one for one in square.police_boss.reviews() if one.grant_id == made.id] == []


async def test_guards_get_nothing_but_by_the_emergency_and_a_concern_goes_to_reception(square: People) -> None:
    report = seen(square)
    concern = square.worker.file(
        forms.ReportOfConcern(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation=SEEN,
            subject=[GIRL],
            case_staff=[square.reception.person_id],
        ),
        confirm_text=True,
    )
    await helped(square, report)
    await square.sync()
    assert find(square.guard, report.id) is None
    assert find(square.guard, concern.id) is None
    assert "L04" not in {one.code for one in square.worker.offers(report.id) if one.agency == "security"}
    with pytest.raises(Refused) as refused:
        await square.worker.disclose(
            report.id,
            "L04",
            to=[square.guard.alias],
            compartments=["subject"],
            tests=dict.fromkeys(CODES, True),
            reasons=WHY,
        )
    assert refused.value.code == "no_ground"
    assert holders(square, concern.id) <= {"worker", "reception", "workers_boss", "other_boss"}
    assert "reception" in holders(square, concern.id)

    # The guards stand next to the car.
    await square.worker.disclose(report.id, "L17", to=[square.guard.alias], compartments=["subject"], **L17)
    await square.worker.sync()
    await square.guard.sync()
    await square.other_guard.sync()
    assert square.guard.get(report.id).subject == [GIRL]
    with pytest.raises(NotFound):
        square.other_guard.get(report.id)


async def test_by_telephone_it_is_recorded_afterwards_what_was_told_to_whom_and_when(square: People) -> None:
    """The trap: there is no coverage; they call, and write down that they did."""
    report = seen(square)
    called = square.town.clock.now() - timedelta(minutes=4)
    words = "A girl of about 15, red jacket, white cap, into a grey car at the taxi rank."
    record = square.worker.told(report.id, "L04", to="the police's command centre", text=words, at=called)
    for changes in ({"text": " "}, {"to": ""}, {"at": square.town.clock.now() + timedelta(hours=1)}):
        with pytest.raises(Invalid):
            square.worker.told(report.id, "L04", **({"to": "the police", "text": words, "at": called} | changes))  # type: ignore[arg-type]

    await square.sync()
    for device in (square.workers_boss, square.other_boss):
        (one,) = [known for known in book.everything(device.local, CaseKind.ORAL) if known.case.record == record]
        said = bodies.read(bodies.Told, one.body)
        assert said == bodies.Told(report.id, "the police's command centre", int(called.timestamp()), words)
        assert one.case.code == "L04"
        assert one.person is not None
        assert one.person.alias == square.worker.alias
    assert held(square.workers_boss, report.id) == [1]
    # What was said aloud is written on no other agency's device, and the call opened nothing.
    for name, device in square.everybody.items():
        if name not in {"worker", "workers_boss", "other_boss"}:
            assert words.encode() not in decrypted(device.local.store), name
    assert find(square.police, report.id) is None
