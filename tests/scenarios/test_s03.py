"""S03: a 19-year-old tells an outreach worker that he will sell from next week on; they meet again on Monday."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import pytest

from sluss_client import forms
from sluss_client.disclosing import kept, making, sealing
from sluss_client.disclosing.answers import Disclosure
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.report import Report
from sluss_client.sealers import Moment
from sluss_schemas import disclosure
from sluss_schemas import sync as wire

from tests.disclosing.people import L03
from tests.scenarios.people import CENTRAL, People, have, held, holders, sight, sights
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")

YOUNG = forms.Person(name="Elias", age_min=19, age_max=19, age_basis="document")
PLAN = "He starts to sell at the kiosk next week, to pay a debt."
MEETING = "We meet on Monday about the debt."
TEAM = {"worker", "other_worker", "third_worker"}


async def told(square: People) -> Report:
    """File what the worker was told."""
    return square.worker.file(
        forms.OutreachContact(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation="A talk on a bench.",
            subject=[YOUNG],
            care=MEETING,
            enforcement=PLAN,
        ),
        confirm_text=True,
    )


async def opened(square: People) -> Report:
    """File it, and let the supervisor open it."""
    filed = await told(square)
    await square.worker.sync()
    await square.workers_boss.sync()
    await square.workers_boss.inspect(filed.id, reason="Is the ground of prevention open?")
    await square.workers_boss.sync()
    return filed


async def test_nothing_leaves_the_team_until_a_supervisor_decides(square: People) -> None:
    filed = await told(square)
    await square.sync()

    assert have(square, filed.id) == TEAM
    assert square.other_worker.get(filed.id).care == MEETING
    assert [row.report_id for row in square.workers_boss.held() if row.report_id == filed.id] == [filed.id]
    assert held(square.police_boss, filed.id) == []
    assert holders(square, filed.id) <= TEAM | {"workers_boss", "other_boss"}
    async with asking(square.police, square.town.url) as raw:
        assert not any(bytes(filed.id) in answer.body for answer in await raw.everything())


async def test_a_supervisor_gives_the_name_and_the_plan_to_one_officer_and_not_what_he_needs(square: People) -> None:
    filed, boss = await opened(square), square.workers_boss
    made = await boss.disclose(
        filed.id, "L03", to=[square.police.alias], compartments=["subject", "enforcement"], **L03
    )
    await square.sync()

    assert sight(square.police, filed.id) == "subject enforcement author~"
    read = square.police.get(filed.id)
    assert (read.subject, read.enforcement) == ([YOUNG], PLAN)
    with pytest.raises(Refused):
        _ = read.care
    assert MEETING.encode() not in decrypted(square.police.local.store)
    # Neither the officer's colleagues nor their supervisor, nor anybody else.
    assert set(sights(square, filed.id)) == TEAM | {"workers_boss", "police"}
    assert not holders(square, filed.id) & {"suburban_police", "police_boss", "guard", "guards_boss", "official"}
    assert not holders(square, filed.id) & {"municipal_boss", "nurse", "reception"}
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["released"]
    # What was written stays with those who decide.
    readers = {
        name
        for name, one in square.everybody.items()
        if b"The plan does not stand against" in decrypted(one.local.store)
    }
    assert readers <= {"workers_boss", "other_boss"}


async def test_whoever_met_him_does_not_decide_and_no_other_ground_gives_it_to_guards_or_health(square: People) -> None:
    filed = await opened(square)
    with pytest.raises(Refused) as refused:
        await square.worker.disclose(filed.id, "L03", to=[square.police.alias], compartments=["subject"], **L03)
    assert refused.value.code == "not_a_decider"
    for name, wanted in (("guard", ["subject"]), ("nurse", ["subject"]), ("official", ["subject"])):
        with pytest.raises(Refused) as refused:
            await square.workers_boss.disclose(
                filed.id, "L03", to=[square.everybody[name].alias], compartments=wanted, **L03
            )
        assert (refused.value.code, refused.value.field) == ("no_ground", "to")
    offered = {(one.agency, one.code) for one in square.workers_boss.offers(filed.id)}
    assert {code for agency, code in offered if agency == "health"} == {"L01", "L15", "L17"}
    assert {code for agency, code in offered if agency == "security"} == {"L01", "L17"}
    assert {code for agency, code in offered if agency == "municipality"} == {"L01"}


@pytest.mark.parametrize("missing", ["not_inappropriate", "concrete_circumstances"])
async def test_without_the_assessment_in_writing_the_form_takes_nothing(square: People, missing: str) -> None:
    filed = await opened(square)
    for tests, reasons, field in (
        (L03["tests"] | {missing: False}, L03["reasons"], f"tests.{missing}"),
        (L03["tests"], L03["reasons"] | {missing: " "}, f"reasons.{missing}"),
    ):
        with pytest.raises(Invalid) as invalid:
            await square.workers_boss.disclose(
                filed.id, "L03", to=[square.police.alias], compartments=["subject"], tests=tests, reasons=reasons
            )
        assert (invalid.value.code, invalid.value.field) == ("missing_field", field)


def item_with(square: People, made: Disclosure, tests: Collection[disclosure.Test]) -> bytes:
    """Seal a decision as the supervisor's device does, affirm these tests instead, and sign it with the group's key."""
    local, now = square.workers_boss.local, square.workers_boss.now()
    sealing.seal_waiting(local, now)
    one = kept.get(local, made.id)
    assert one is not None
    assert one.draft is not None
    grant = msgspec.structs.replace(one.draft.grant, tests=tuple(tests))
    moment = Moment(local.author(), local.trust, local.trust.pack(now), now)
    return making.signed(msgspec.structs.replace(one.draft, grant=grant), (), one.signer, local, moment)


async def test_the_server_refuses_a_release_without_the_assessment_whatever_the_form_does(square: People) -> None:
    """The trap: a client of one's own, with the supervisor's keys, gets no further than the form."""
    filed, boss = await opened(square), square.workers_boss
    made = await boss.disclose(filed.id, "L03", to=[square.police.alias], compartments=["subject"], **L03)
    affirmed = [disclosure.Test(code, met=True) for code in L03["tests"]]
    without = [one for one in affirmed if one.code != "not_inappropriate"]

    async with asking(boss, square.town.url) as raw:
        for tests in (without, [*without, disclosure.Test("not_inappropriate", met=False)], []):
            item = item_with(square, made, tests)
            push = wire.Push((), grants=(msgspec.Raw(item),))
            (outcome,) = (await raw._transport.post("/v1/push", push, wire.PushAnswer)).grants
            assert (outcome.outcome, outcome.reason, outcome.field) == (
                wire.OutcomeCode.REFUSED,
                "not_allowed",
                "grant.L03.tests",
            )
    await square.police.sync()
    with pytest.raises(NotFound):
        square.police.get(filed.id)
    async with asking(square.police, square.town.url) as raw:
        assert not any(bytes(filed.id) in answer.body for answer in await raw.everything())

    # The same decision with the assessment is taken, so nothing else was wrong with it.
    await boss.sync()
    await square.police.sync()
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["released"]
    assert square.police.get(filed.id).subject == [YOUNG]
