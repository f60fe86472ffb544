"""S18: the police correct yesterday's report: it was the brother, and social services had been told the wrong name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.disclosing.answers import Disclosure, Recall
from sluss_client.errors import NotFound, Refused
from sluss_client.report import Report

from tests.scenarios.people import People, find, sight, sights
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG = forms.Person(name="Qvistolf Berg", role="witness", age_min=24, age_max=26)
BROTHER = forms.Person(name="Zackeus Berg", role="witness", age_min=24, age_max=26)
L13 = {"measure_may_be_needed": True, "individual_assessment": True}
WHY = {"individual_assessment": "He asked for help with a flat."}
TEAM = ("worker", "other_worker", "third_worker")


async def disclosed(square: People, filed: Report) -> Disclosure:
    """Let the police notify social services of who it was, by two people's word."""
    made = await square.police.disclose(filed.id, "L13", compartments=["subject"], tests=L13, reasons=WHY)
    await square.police.sync()
    await square.police_boss.sync()
    [asked] = [one for one in square.police_boss.proposals() if one.report_id == filed.id]
    await square.police_boss.approve(asked.record)
    await square.police_boss.sync()
    await square.police.sync()
    await square.sync()
    return made


async def told(square: People) -> tuple[Report, Disclosure]:
    """File yesterday's report, and notify social services."""
    yesterday = square.town.clock.now() - timedelta(days=1)
    filed = square.police.file(square.incident(observed_at=yesterday, subject=[WRONG], care=None))
    await square.sync()
    return filed, await disclosed(square, filed)


async def twice(*devices: Device) -> None:
    for _ in range(2):
        for device in devices:
            await device.sync()


def recall(device: Device, grant_id: bytes) -> Recall:
    [found] = [one for one in device.recalls() if one.grant_id == grant_id]
    return found


async def test_the_old_name_goes_at_once_and_whoever_has_not_confirmed_is_listed(square: People) -> None:
    filed, made = await told(square)
    for name in TEAM:
        assert square.everybody[name].get(filed.id).subject == [WRONG]

    await square.police.amend(filed.id, subject=[BROTHER])
    [old] = square.police.outdated(filed.id)
    assert (old.grant_id, old.gateway, old.decided) == (made.id, "L13", True)
    await square.police.recall(made.id, "It was his brother.", code="corrected")
    assert square.police.outdated(filed.id) == []
    await square.police.sync()

    # Two of the team sync; the third and their agency's founder are out of coverage.
    await twice(square.worker, square.other_worker)
    await twice(square.police, square.police_boss)
    for device in (square.worker, square.other_worker):
        with pytest.raises(Refused):
            _ = device.get(filed.id).subject
        assert b"Qvistolf" not in decrypted(device.local.store)
    for device in (square.police, square.police_boss):
        seen = recall(device, made.id)
        assert seen.code == "corrected"
        assert {alias for alias, _, _ in seen.confirmed} == {
            f"social_services/{square.worker.alias}",
            f"social_services/{square.other_worker.alias}",
        }
        founder = square.town.founders["social_services"]
        assert {alias for alias, _ in seen.missing} == {
            f"social_services/{square.third_worker.alias}",
            f"social_services/{founder.alias}",
        }

    await twice(square.third_worker, square.town.founders["social_services"])
    assert b"Qvistolf" not in decrypted(square.third_worker.local.store)
    await twice(square.police, square.police_boss)
    for device in (square.police, square.police_boss):
        assert recall(device, made.id).missing == ()
        assert len(recall(device, made.id).confirmed) == len(TEAM) + 1
    # The supervisors of those who had been told see what their own have confirmed, and not on which decision it rests.
    await twice(square.workers_boss, square.other_boss)
    for device in (square.workers_boss, square.other_boss):
        (seen,) = [one for one in device.recalls() if one.record == recall(square.police, made.id).record]
        assert (seen.missing, len(seen.confirmed), seen.grant_id) == ((), len(TEAM) + 1, b"")


async def test_the_police_keep_both_and_the_right_name_is_told_by_a_decision_of_its_own(square: People) -> None:
    filed, made = await told(square)
    await square.police.amend(filed.id, subject=[BROTHER], correct=True)
    await square.sync()
    await square.sync()
    assert [one.code for one in square.police.recalls() if one.grant_id == made.id] == ["corrected"]
    police = square.police.get(filed.id)
    assert (police.version, police.subject) == (2, [BROTHER])
    assert sight(square.worker, filed.id) == "situation place enforcement~ safety author~"

    # The owner keeps what it had said, for whoever looks into it.
    kept = decrypted(square.police.local.store)
    assert b"Qvistolf" in kept
    received = square.police.local.replica.get(square.police.local.trust.own_id, filed.id)
    assert received is not None
    assert sorted(version.version for version in received.versions) == [1, 2]
    [ended] = [one for one in square.police.disclosures() if one.id == made.id]
    assert ended.state == "recalled"

    await disclosed(square, filed)
    for name in TEAM:
        assert square.everybody[name].get(filed.id).subject == [BROTHER]
        assert b"Qvistolf" not in decrypted(square.everybody[name].local.store)


async def test_nobody_else_was_told_either_name_or_that_anything_was_taken_back(square: People) -> None:
    filed, made = await told(square)
    before = sights(square, filed.id)
    await square.police.amend(filed.id, subject=[BROTHER])
    await square.police.recall(made.id, "It was his brother.", code="corrected")
    await square.sync()
    await square.sync()
    after = sights(square, filed.id)
    outsiders = ("guard", "other_guard", "official", "nurse")
    record = recall(square.police, made.id).record
    for name in outsiders:
        device = square.everybody[name]
        assert after[name] == before[name]
        stored = decrypted(device.local.store)
        for text in (b"Qvistolf", b"Zackeus", made.id, record):
            assert text not in stored, name
        assert device.recalls() == []
        with pytest.raises(NotFound):
            await device.recall(made.id, "It is wrong.")
    for name in ("guards_boss", "municipal_boss"):
        assert find(square.everybody[name], filed.id) is None
        assert record not in {one.record for one in square.everybody[name].recalls()}
