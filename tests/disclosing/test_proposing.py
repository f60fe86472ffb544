"""Where two people decide: one proposes, another approves this very grant, and only then anything leaves."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest

from sluss_client import forms
from sluss_client.disclosing import kept, sealing
from sluss_client.errors import NotFound
from sluss_client.report import Report
from sluss_schemas.disclosure import approval_message

from tests.disclosing.people import CENTRAL, Ground, People
from tests.disclosing.test_gateways import gone

pytestmark = pytest.mark.asyncio(loop_scope="session")
KIM: Final = forms.Person(name="Kim", role="suspect", age_min=30, age_max=40)
L09: Final[Ground] = {
    "tests": {"listed_need": True, "balanced": True, "not_exempt": True},
    "reasons": {"balanced": "The plan for the square needs it, and nobody is harmed by it."},
}


async def opened(square: People) -> Report:
    """File what the police saw, and let a supervisor open it."""
    form = forms.OrderIncident(
        scene=CENTRAL, observed_at=square.town.clock.now(), sub_kind="threat", subject=[KIM], situation="A quarrel."
    )
    report = square.officer.file(form, confirm_text=True)
    await square.officer.sync()
    await square.police_boss.sync()
    await square.police_boss.inspect(report.id, reason="to decide on a disclosure")
    await square.police_boss.sync()
    return report


async def test_nothing_leaves_before_somebody_else_has_approved_it(square: People) -> None:
    report, boss, chief = await opened(square), square.police_boss, square.police_chief
    made = await boss.disclose(report.id, "L09", to=[square.worker.alias], compartments=["subject"], **L09)
    proposed = await square.disclosed(boss, made, square.worker, chief)
    assert proposed.state == "proposed"
    assert gone(square.worker, report.id)
    assert boss.proposals() == []

    (asked,) = [one for one in chief.proposals() if one.report_id == report.id]
    assert (asked.gateway, asked.to, asked.by) == ("L09", (f"social_services/{square.worker.alias}",), boss.alias)
    assert "subject" in asked.compartments
    assert asked.reasons == (("balanced", L09["reasons"]["balanced"]),)
    with pytest.raises(NotFound):
        await boss.approve(asked.record)
    worker = f"social_services/{square.worker.alias}"
    for device in (boss, chief):
        told = device.explain(report.id, "subject", person=worker)
        assert (told.form, told.known, told.ended) == (None, False, ())
        assert told.sentences[-1].startswith("It is proposed, and this device does not know that it was released: ")
    # Whoever approves need not have opened the report to be told.
    assert chief.explain(report.id, "subject").ground == "held"
    await chief.approve(asked.record)
    assert [one for one in chief.proposals() if one.record == asked.record] == []
    await chief.sync()
    await boss.sync()
    released = await square.disclosed(boss, made, square.worker)
    assert released.state == "released"
    assert square.worker.get(report.id).subject == [KIM]
    told = boss.explain(report.id, "subject", person=worker)
    assert (told.form, [link.code for link in told.chain], told.known) == ("full", ["L09"], True)


async def test_a_proposal_that_is_refused_ends_there(square: People) -> None:
    report, boss, chief = await opened(square), square.police_boss, square.police_chief
    made = await boss.disclose(report.id, "L09", to=[square.worker.alias], compartments=["subject"], **L09)
    await square.disclosed(boss, made, chief)
    (asked,) = [one for one in chief.proposals() if one.report_id == report.id]
    await chief.refuse(asked.record, "It is not needed.")
    told = chief.explain(report.id, "subject", person=f"social_services/{square.worker.alias}")
    assert "proposed" not in " ".join(told.sentences)
    await chief.sync()
    await boss.sync()
    after = await square.disclosed(boss, made, square.worker)
    assert (after.state, after.reason) == ("refused", "not_approved")
    assert gone(square.worker, report.id)


async def test_a_client_that_approves_its_own_proposal_is_refused_by_the_server(square: People) -> None:
    report, boss = await opened(square), square.police_boss
    made = await boss.disclose(report.id, "L09", to=[square.worker.alias], compartments=["subject"], **L09)
    await boss.sync()
    one = kept.get(boss.local, made.id)
    assert one is not None
    assert one.draft is not None
    mine = (boss.local.keys.kid, boss.local.keys.sign.sign(approval_message(one.draft.grant)))
    sealing.approved(boss.local, msgspec.structs.replace(one, approvals=(mine,)), boss.now())
    after = await square.disclosed(boss, made, square.worker)
    assert (after.state, after.field) == ("refused", "grant.L09.approvals")
    assert gone(square.worker, report.id)


async def test_the_police_notify_social_services_when_a_supervisor_agrees_and_the_field_reads_it(
    square: People,
) -> None:
    report, officer, boss = await opened(square), square.officer, square.police_boss
    made = await officer.disclose(
        report.id,
        "L13",
        compartments=["subject"],
        tests={"measure_may_be_needed": True, "individual_assessment": True},
        reasons={"individual_assessment": "He asked for help himself."},
    )
    await square.disclosed(officer, made, boss)
    (asked,) = [one for one in boss.proposals() if one.report_id == report.id]
    assert asked.to == ("social_services/field",)
    await boss.approve(asked.record)
    await boss.sync()
    await officer.sync()
    released = await square.disclosed(officer, made, square.worker)
    assert (released.state, released.reason, released.field) == ("released", "", "")
    assert square.worker.get(report.id).subject == [KIM]
