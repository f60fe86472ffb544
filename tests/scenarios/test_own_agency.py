"""Inside the own agency: supervisors open a row for a reason, and case staff read by device."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.report import Author

from tests.scenarios.people import CENTRAL, CHILD, KALLE, People, have, held

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_supervisor_reads_a_row_after_stating_a_reason_and_only_on_that_device(square: People) -> None:
    filed = square.worker.file(square.contact())
    await square.sync()
    boss, other = square.workers_boss, square.other_boss
    assert held(boss, filed.id) == held(other, filed.id) == [1]
    with pytest.raises(NotFound):
        boss.get(filed.id)
    await boss.inspect(filed.id, reason="He complained about the visit.")
    with pytest.raises(NotFound):
        boss.get(filed.id)
    await boss.sync()
    await square.sync()
    opened = boss.get(filed.id)
    assert opened.care == "He wants a bed for the night."
    assert opened.subject == [forms.Person(alias="Nils")]
    assert held(boss, filed.id) == []
    assert held(other, filed.id) == [1]
    with pytest.raises(NotFound):
        other.get(filed.id)
    assert "He complained" not in repr(opened)


async def test_a_row_opens_for_a_task_or_a_reason_and_for_own_supervisors_alone(square: People) -> None:
    filed = square.guard.file(square.incident())
    await square.sync()
    for given in ({}, {"reason": ""}, {"reason": "why", "task": bytes(16)}):
        with pytest.raises(Invalid) as invalid:
            await square.guards_boss.inspect(filed.id, **given)
        assert invalid.value.code == "missing_field"
    with pytest.raises(Refused) as refused:
        await square.other_guard.inspect(filed.id, reason="curious")
    assert refused.value.code == "supervisor_only"
    for stranger in (square.police_boss, square.workers_boss):
        with pytest.raises(NotFound):
            await stranger.inspect(filed.id, reason="curious")
    await square.guards_boss.inspect(filed.id, task=bytes(range(16)))
    await square.guards_boss.sync()
    assert square.guards_boss.get(filed.id).subject == [KALLE]


async def test_only_own_supervisors_learn_who_took_a_tip(square: People) -> None:
    filed = square.police.file(
        forms.PublicTip(scene=CENTRAL, observed_at=square.town.clock.now(), situation="They deal behind the kiosk.")
    )
    await square.sync()
    colleague = await square.town.device("police", scenes=[CENTRAL])
    await colleague.sync()
    for device in (colleague, square.worker, square.guard):
        report = device.get(filed.id)
        with pytest.raises(Refused):
            _ = report.author
        assert square.police.alias not in repr(vars(report))
    await square.police_boss.inspect(filed.id, reason="The tip names one of us.")
    await square.police_boss.sync()
    author = square.police_boss.get(filed.id).author
    assert isinstance(author, Author)
    assert author.person == square.police.person_id


async def test_an_absent_persons_concern_is_the_authors_and_the_case_staffs(square: People) -> None:
    filed = square.worker.file(
        forms.AbsentPersonConcern(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation="Not seen since Monday.",
            subject=[forms.Person(name="Nils")],
            informant="his sister",
            case_staff=[square.other_worker.person_id],
        )
    )
    await square.sync()
    assert have(square, filed.id) == {"worker", "other_worker"}
    assert square.other_worker.get(filed.id).kind == "absent_person_concern"
    assert square.other_worker.get(filed.id).subject == [forms.Person(name="Nils")]
    # Not even the own supervisors are told what kind of report a secret one is, until they open it.
    assert [row.kind for row in square.workers_boss.held() if row.report_id == filed.id] == [""]
    await square.workers_boss.inspect(filed.id, reason="The police ask.")
    await square.workers_boss.sync()
    assert square.workers_boss.get(filed.id).kind == "absent_person_concern"


async def test_a_referral_is_the_authors_and_the_case_staffs(square: People) -> None:
    filed = square.worker.file(
        forms.CareReferral(
            observed_at=square.town.clock.now(), care="To the clinic.", case_staff=[square.third_worker.person_id]
        )
    )
    await square.sync()
    assert have(square, filed.id) == {"worker", "third_worker"}
    assert square.third_worker.get(filed.id).care == "To the clinic."


async def test_of_a_threat_colleagues_get_the_warning_and_case_staff_the_file(square: People) -> None:
    filed = square.worker.file(
        forms.StaffThreat(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation="Threatened with a knife on a visit.",
            subject=[forms.Person(name="Kalle")],
            safety=["armed_knife"],
            case_staff=[square.other_worker.person_id],
        ),
        confirm_text=True,
    )
    await square.sync()
    assert square.third_worker.get(filed.id).readable == ("situation", "safety")
    assert square.other_worker.get(filed.id).subject == [forms.Person(name="Kalle")]
    assert square.police.get(filed.id).safety == ["armed_knife"]
    for device in (square.third_worker, square.police, square.guard):
        with pytest.raises(Refused):
            _ = device.get(filed.id).subject
    # Elsewhere the one who was threatened is an alias.
    assert square.guard.get(filed.id).author == Author("field", square.worker.alias)


async def test_a_concern_of_social_services_own_is_its_case_staffs(square: People) -> None:
    filed = square.worker.file(
        forms.ReportOfConcern(
            observed_at=square.town.clock.now(), subject=[CHILD], case_staff=[square.other_worker.person_id]
        )
    )
    await square.sync()
    assert have(square, filed.id) == {"worker", "other_worker"}
