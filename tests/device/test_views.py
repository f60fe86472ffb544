"""What a person sees of what is on the device: own filings always, received ones under the pack and within leases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluss_client import Device, Invalid, NotFound, Refused, Report, forms
from sluss_client.testing import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def incident(town: Town, text: str) -> forms.OrderIncident:
    seen = town.clock.now() - timedelta(minutes=5)
    return forms.OrderIncident(scene="central-square", observed_at=seen, sub_kind="threat", severity=2, situation=text)


def locked(report: Report) -> bool:
    """Tell whether the situation is closed because it could not be confirmed in time."""
    try:
        _ = report.situation
    except Refused as refused:
        return refused.code == "lease_ended"
    return False


@pytest.mark.parametrize(("agency", "hours"), [("police", 72), ("security", 14 * 24)])
async def test_what_could_not_be_confirmed_within_its_lease_is_locked_until_the_next_sync(
    shared: Town, agency: str, hours: int
) -> None:
    guard, reader = await shared.device("security"), await shared.device(agency)
    report = guard.file(incident(shared, "leased"))
    await guard.sync()
    await reader.sync()
    start = shared.clock.now()
    try:
        shared.clock.advance(hours=hours, minutes=-5)
        assert reader.get(report.id).situation == "leased"
        shared.clock.advance(minutes=10)
        assert locked(reader.get(report.id))
        assert reader.get(report.id).readable == ()

        await reader.sync()
        assert reader.get(report.id).situation == "leased"
    finally:
        shared.clock.set(start)


async def test_what_waits_here_is_never_locked(shared: Town) -> None:
    guard = await shared.device("security")
    report = guard.file(incident(shared, "mine"))
    start = shared.clock.now()
    try:
        shared.clock.advance(days=400)
        assert guard.get(report.id).situation == "mine"
        assert [one.situation for one in guard.reports() if one.state == "waiting"] == ["mine"]
    finally:
        shared.clock.set(start)


async def test_a_report_is_listed_once_in_its_latest_version(shared: Town) -> None:
    guard = await shared.device("security")
    report = guard.file(incident(shared, "first"))
    assert [(one.version, one.state) for one in guard.reports() if one.id == report.id] == [(1, "waiting")]
    await guard.sync()
    await guard.amend(report.id, situation="second")

    assert [(one.version, one.situation) for one in guard.reports() if one.id == report.id] == [(2, "second")]
    await guard.sync()
    assert [(one.version, one.situation) for one in guard.reports() if one.id == report.id] == [(2, "second")]


async def test_lists_can_be_narrowed_and_have_the_newest_first(shared: Town) -> None:
    guard = await shared.device("security")
    now = shared.clock.now()
    for hours, scene in ((3, "central-square"), (1, "station-park"), (2, "central-square")):
        guard.file(
            forms.OrderIncident(
                scene=scene, observed_at=now - timedelta(hours=hours), sub_kind="threat", severity=2,
                situation=f"{hours} hours ago",
            )
        )  # fmt: skip

    def own(**narrowed: str) -> list[object]:
        return [one.situation for one in guard.reports(**narrowed) if one.state == "waiting"]

    assert own() == ["1 hours ago", "2 hours ago", "3 hours ago"]
    assert own(scene="central-square") == ["2 hours ago", "3 hours ago"]
    assert own(kind="outreach_contact") == []
    assert len(own(kind="order_incident")) == 3


@pytest.mark.parametrize("wrong", ["", "xyz", "00", "0" * 33, b"short", 7])
async def test_what_is_no_id_is_said_to_be_none(shared: Town, wrong: str) -> None:
    with pytest.raises(Invalid) as problem:
        shared.founders["security"].get(wrong)
    assert problem.value.code == "wrong_type"


async def test_what_may_not_be_known_of_looks_like_what_is_not_there(shared: Town) -> None:
    worker, police = await shared.device("social_services"), await shared.device("police")
    seen = shared.clock.now() - timedelta(minutes=5)
    report = worker.file(forms.OutreachContact(scene="central-square", observed_at=seen, situation="in confidence"))
    await worker.sync()
    await police.sync()

    def asked(device: Device, report_id: bytes | str) -> tuple[str, str, str]:
        with pytest.raises(NotFound) as problem:
            device.get(report_id)  # type: ignore[arg-type]  # bytes of any report
        return problem.value.code, problem.value.field, problem.value.say

    assert asked(police, report.id) == asked(police, bytes(16)) == asked(police, report.id.hex())
    assert report.id not in {one.id for one in police.reports()}
