"""S12: a regular at the Bench tells outreach staff that nobody has seen 'Lasse' for a week."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluss_client import forms
from sluss_client.errors import Invalid, NotFound
from sluss_schemas.ids import ReportId

from tests.disclosing.people import L17
from tests.scenarios.people import CENTRAL, People, counts, have, held, holders
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")
INFORMANT = "a regular at the Bench"
ASKED = "Knock at the hostel and ask at the kitchen."


async def test_the_concern_is_the_teams_and_the_informant_is_kept_apart(square: People) -> None:
    filed = square.worker.file(
        forms.AbsentPersonConcern(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation="Nobody has seen him for a week.",
            last_seen_days=7,
            subject=[forms.Person(alias="Lasse")],
            informant=INFORMANT,
            case_staff=[square.other_worker.person_id],
        )
    )
    await square.sync()

    assert have(square, filed.id) == {"worker", "other_worker"}
    assert square.other_worker.get(filed.id).subject == [forms.Person(alias="Lasse")]
    # Whoever told it stands with the author, in no part that can be disclosed with the person.
    full = square.other_worker.get(filed.id).full_arrays()
    assert INFORMANT not in repr(full)
    assert INFORMANT in repr(square.other_worker.get(filed.id).author_extra())
    assert not [one for one in square.worker.offers(filed.id) if "author" in one.compartments]
    # Own supervisors know of a row of a secret kind, not of which, until they open it for a reason.
    assert [row.kind for row in square.workers_boss.held() if row.report_id == filed.id] == [""]
    assert held(square.workers_boss, filed.id) == [1]
    # A welfare check by the police needs a consent that was given, or danger to life; the guards get nothing at all.
    offered = {(one.agency, one.code) for one in square.worker.offers(filed.id) if "subject" in one.compartments}
    assert {code for agency, code in offered if agency == "police"} == {"L01", "L17"}
    assert {code for agency, code in offered if agency == "health"} >= {"L15", "L17"}
    assert not [agency for agency, _ in offered if agency in {"security", "municipality"}]
    # His life is in danger: one officer looks for him, and does not learn who asked.
    await square.worker.disclose(filed.id, "L17", to=[square.police.alias], compartments=["subject"], **L17)
    await square.sync()
    assert square.police.get(filed.id).subject == [forms.Person(alias="Lasse")]
    assert have(square, filed.id) == {"worker", "other_worker", "police"}
    for name, device in square.everybody.items():
        told = device.agency == "social_services" and bytes(filed.id) in decrypted(device.local.store)
        assert (INFORMANT.encode() in decrypted(device.local.store)) <= told, name


async def test_the_check_in_is_a_task_of_the_team_and_of_nobody_else(square: People) -> None:
    before = await counts(square, "absent_person_concern")
    filed = square.worker.file(
        forms.AbsentPersonConcern(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            subject=[forms.Person(alias="Lasse")],
            informant=INFORMANT,
            case_staff=[square.other_worker.person_id],
        )
    )
    tomorrow = square.town.clock.now() + timedelta(days=1)
    asked = square.worker.task(filed.id, ASKED, until=tomorrow, to=[square.other_worker.alias])
    for wrong in ({"text": " "}, {"to": [square.police.alias]}, {"until": square.town.clock.now()}):
        given = {"text": ASKED, "until": tomorrow, "to": [square.other_worker.alias]} | wrong
        with pytest.raises(Invalid):
            square.worker.task(filed.id, **given)  # type: ignore[arg-type]  # each of the right type but one
    with pytest.raises(NotFound):
        square.worker.task(ReportId(bytes(16)), ASKED, until=tomorrow)
    await square.sync()

    team = ("worker", "other_worker", "workers_boss", "other_boss")
    for name in team:
        (task,) = [one for one in square.everybody[name].tasks() if one.id == asked]
        assert (task.name, task.code, task.report_id, task.state) == (ASKED, "", filed.id, "open")
        assert task.by == square.worker.alias
    # Who sits in the next room has neither the report nor the task, and nobody outside social services has a byte.
    others = set(square.everybody) - set(team)
    for name in others:
        stored = decrypted(square.everybody[name].local.store)
        assert ASKED.encode() not in stored, name
        assert asked not in stored, name
        assert bytes(filed.id) not in stored, name
    for name in ("police", "guard", "official", "nurse", "police_boss"):
        async with asking(square.everybody[name], square.town.url) as raw:
            assert not any(asked in answer.body or ASKED.encode() in answer.body for answer in await raw.everything())
    # No dashboard counts such a concern, not even the own agency's.
    assert await counts(square, "absent_person_concern") == before
    assert set(before.values()) == {0}

    # Supervisors know of a row, and read it for the task.
    await square.workers_boss.inspect(filed.id, task=asked)
    await square.workers_boss.sync()
    assert square.workers_boss.get(filed.id).subject == [forms.Person(alias="Lasse")]
    square.other_worker.end_task(asked, "done", "He was at his sister's.")
    await square.sync()
    for name in team:
        assert [one.state for one in square.everybody[name].tasks() if one.id == asked] == ["done"], name


async def test_nobody_else_can_find_out_that_the_concern_exists(square: People) -> None:
    """The trap: no search by alias, and an answer that is the same for what exists and for what does not."""
    filed = square.worker.file(
        forms.AbsentPersonConcern(
            scene=CENTRAL, observed_at=square.town.clock.now(), subject=[forms.Person(alias="Lasse-at-the-Bench")]
        )
    )
    await square.sync()
    others = {name: device for name, device in square.everybody.items() if device.agency != "social_services"}
    assert not holders(square, filed.id) & set(others)
    for device in others.values():
        refused = []
        for wanted in (filed.id, ReportId(bytes(16))):
            with pytest.raises(NotFound) as missing:
                device.get(wanted)
            refused.append((missing.value.code, missing.value.field, missing.value.say))
        assert refused[0] == refused[1]
        assert b"Lasse-at-the-Bench" not in decrypted(device.local.store)
    async with asking(square.police, square.town.url) as raw:
        assert not any(bytes(filed.id) in answer.body for answer in await raw.everything())
