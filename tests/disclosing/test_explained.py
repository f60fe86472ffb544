"""Who asks why another person reads a part is told what this device knows of decisions, and what it does not know."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluss_client.device import Device
from sluss_client.errors import Invalid
from sluss_schemas.policy.explain import Told

from tests.disclosing.people import L03, L17, People
from tests.disclosing.test_commands import said

UNDER_21 = "prevention, under 21 (L03; OSL 10:18a (wording since 2025-04-01))"
pytestmark = pytest.mark.asyncio(loop_scope="session")


def named(who: Device, agency: str) -> str:
    return f"{agency}/{who.alias}"


def answer(told: Told) -> tuple[str | None, list[str], bool]:
    return told.form, [link.code for link in told.chain], told.known


async def test_a_supervisor_is_told_why_one_officer_reads_it_and_the_other_may_not(square: People) -> None:
    report, boss = await square.filed(), square.workers_boss
    officer, other = (named(one, "police") for one in (square.officer, square.other_officer))
    made = await boss.disclose(report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03)
    waits = boss.explain(report.id, "subject", person=officer)
    assert answer(waits) == (None, [], False)
    assert waits.sentences[-1] == (f"A decision has been made and waits on this device for contact: {UNDER_21}.")
    released = await square.disclosed(boss, made, square.officer)

    told = boss.explain(report.id, "subject", person=officer)
    assert answer(told) == ("full", ["L03"], True)
    assert told.sentences[0].startswith(f"{officer} may read who it is about in full, because somebody decided so")
    assert (told.chain[0].begins, told.ends) == (released.not_before, released.until)
    theirs = square.officer.explain(report.id, "subject")
    assert (theirs.form, theirs.rule_id, theirs.ends) == (told.form, told.rule_id, told.ends)
    person = square.officer.local.person.person
    assert boss.explain(report.id, "subject", person=person.hex()) == boss.explain(
        report.id, "subject", person=square.officer.alias, agency="police"
    )
    # A decision about one person opens no other part, and nothing to a colleague.
    assert answer(boss.explain(report.id, "care", person=officer)) == (None, [], False)
    unknown = boss.explain(report.id, "subject", person=other, lang="sv")
    assert answer(unknown) == (None, [], False)
    assert unknown.sentences[0] == (
        f"Enheten känner inte till något beslut som öppnar vem det gäller för {other}. "
        "Den känner inte till andras beslut."
    )
    assert unknown.sentences[1].startswith("Enligt regeln, utan beslut: Polisen får inte läsa vem det gäller.")
    # Of the whole field the same device names the one for whom somebody decided.
    field = boss.explain(report.id, "subject", agency="police")
    assert (field.form, field.sentences[-1]) == (
        None,
        f"By a decision about one person it is open to {officer}: {UNDER_21}.",
    )


async def test_who_was_not_asked_says_that_it_does_not_know(square: People) -> None:
    report = await square.filed()
    await square.other_boss.sync()
    made = await square.workers_boss.disclose(
        report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03
    )
    await square.disclosed(square.workers_boss, made, square.officer)
    officer = named(square.officer, "police")
    for device in (square.worker, square.other_boss):
        if device is square.other_boss:
            await device.inspect(report.id, reason="to look at a decision")
            await device.sync()
        told = device.explain(report.id, "subject", person=officer)
        assert answer(told) == (None, [], False)
        assert "does not know of decisions by others" in told.sentences[0]
    # What another agency decided for others is not known on the receiver's device either.
    told = square.officer.explain(report.id, "subject", person=named(square.other_officer, "police"))
    assert answer(told) == (None, [], False)
    assert told.sentences[0].startswith("What social_services decided for police/")
    for nobody in ("police/nobody", "nobody", named(square.officer, "health")):
        with pytest.raises(Invalid) as problem:
            square.worker.explain(report.id, "subject", person=nobody)
        assert problem.value.code == "unknown_person"


async def test_what_was_recalled_is_told_with_its_times_by_the_one_who_reviewed_it(square: People) -> None:
    report, boss, clock = await square.filed(), square.workers_boss, square.town.clock
    made = await square.worker.disclose(report.id, "L17", to=[square.guard.alias], compartments=["subject"], **L17)
    await square.disclosed(square.worker, made, square.guard, boss)
    guard = named(square.guard, "security")
    assert answer(boss.explain(report.id, "subject", person=guard)) == ("full", ["L17"], True)
    clock.advance(seconds=2)
    await boss.review(made.id, upheld=False, reason="There was no danger.")
    await boss.sync()
    await square.worker.sync()
    for device in (boss, square.worker):
        told = device.explain(report.id, "subject", person=guard)
        assert answer(told) == (None, [], False)
        (was,) = told.ended
        assert (was.code, was.begins is not None and was.ends is not None and was.begins < was.ends) == ("L17", True)
        assert told.sentences[-1].startswith("It was open from ")
        assert told.sentences[-1].endswith(", when it was recalled: emergency (L17; BrB 24:4).")


def boss_worker(square: People) -> Device:
    return square.worker


async def test_a_past_day_has_the_decisions_of_that_day_and_says_what_is_not_known(square: People) -> None:
    report, boss, clock = await square.filed(), square.workers_boss, square.town.clock
    made = await boss.disclose(report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03)
    released = await square.disclosed(boss, made, square.officer)
    officer, start = named(square.officer, "police"), clock.now()
    before, that_day = start.date() - timedelta(days=3), start.date()
    for device, who in ((boss, officer), (square.officer, None)):
        told = device.explain(report.id, "subject", person=who, at=before)
        assert (told.form, told.chain) == (None, ())
        assert "this device does not know" not in told.sentences[0] or who is not None
        assert any(sentence.startswith("The report came to this device after that") for sentence in told.sentences)
    assert any(
        sentence.startswith("Then it was not open yet; it has been since")
        for sentence in boss.explain(report.id, "subject", person=officer, at=before).sentences
    )
    just_before = start - timedelta(minutes=30)
    assert boss.explain(report.id, "subject", person=officer, at=just_before).form is None
    try:
        clock.advance(days=2)
        for device, who in ((boss, officer), (square.officer, None)):
            told = device.explain(report.id, "subject", person=who, at=that_day)
            assert (told.form, [link.code for link in told.chain], told.ends) == ("full", ["L03"], released.until)
            assert told.sentences[-1].startswith(f"Told for {that_day.isoformat()}, by the law of that day")
        clock.advance(days=40)
        over = boss.explain(report.id, "subject", person=officer)
        assert (over.form, [link.code for link in over.ended]) == (None, ["L03"])
        assert over.sentences[-1].startswith("It was open from ")
        late = boss.explain(report.id, "subject", person=officer, at=that_day)
        assert (late.form, any(one.startswith("It ended ") for one in late.sentences)) == ("full", True)
    finally:
        clock.set(start)


async def test_the_command_explains_it_for_a_person(square: People) -> None:
    boss = await square.town.device("social_services", "supervisors")
    report = await square.filed()
    await boss.sync()
    await boss.inspect(report.id, reason="to decide on a disclosure")
    await boss.sync()
    made = await boss.disclose(report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03)
    await square.disclosed(boss, made, square.officer)
    await boss.close()
    told = await said(boss, "explain", report.id.hex(), "subject", "--person", named(square.officer, "police"))
    assert (told["form"], told["known"], [link["code"] for link in told["chain"]]) == ("full", True, ["L03"])
    assert told["chain"][0]["begins"] < told["ends"]
