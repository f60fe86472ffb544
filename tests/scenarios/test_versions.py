"""Later versions: amended, forked and resolved, and moved to another scene."""

from __future__ import annotations

import pytest
import pytest_asyncio

from sluss_client.device import Device
from sluss_client.errors import NotFound, Refused
from sluss_client.report import Author
from sluss_schemas.ids import ReportId
from sluss_schemas.manifest import read_manifest

from tests.scenarios.people import KALLE, SUBURBAN, People, have
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking, entries

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def alarms(square: People) -> dict[str, list[tuple[bytes, str]]]:
    """What stood on each device before: other scenarios have notes refused, which their authors are told."""
    await square.sync()
    return {name: device.local.alarms() for name, device in square.everybody.items()}


async def test_an_amendment_names_its_parent_and_reaches_the_same_readers(square: People) -> None:
    guard = square.guard
    filed = guard.file(square.incident(), duties={"L14": "send"})
    await square.sync()
    readers = have(square, filed.id)
    parent = read_manifest(head(square.police, filed.id)[1])
    amended = await guard.amend(filed.id, situation="It was two assistants.", duties={"L14": "send"})
    assert (amended.id, amended.version) == (filed.id, 2)
    assert guard.get(filed.id).situation == "It was two assistants."
    await square.sync()
    assert have(square, filed.id) == readers
    for name in readers:
        report = square.everybody[name].get(filed.id)
        assert (report.version, report.forked) == (2, False), name
        if report.form_of("situation") == "full":
            assert report.situation == "It was two assistants.", name
    digest, written = head(square.police, filed.id)
    document = read_manifest(written)
    assert (document.version, parent.version) == (2, 1)
    assert document.parents == (digest_before(square.guard, filed.id),)
    assert digest not in document.parents
    assert square.police.get(filed.id).subject == [KALLE]
    assert square.police.get(filed.id).enforcement == "He is known to the guards."


def head(device: Device, report_id: ReportId) -> tuple[bytes, bytes]:
    """Return the digest and the manifest of the latest version that a device received."""
    received = device.local.received(report_id)
    assert received is not None
    (version,) = received.heads()
    return version.digest, version.manifest


def digest_before(device: Device, report_id: ReportId) -> bytes | None:
    """Return the name of the first version, as its author's device sealed it."""
    row = device.local.outbox.get(report_id, 1)
    return None if row is None else row.digest


async def test_an_amendment_tells_of_the_person_only_if_its_own_duty_was_answered(square: People) -> None:
    filed = square.guard.file(square.incident(), duties={"L14": "send"})
    await square.sync()
    assert square.police.get(filed.id).subject == [KALLE]
    await square.guard.amend(filed.id, severity=3)
    await square.sync()
    report = square.police.get(filed.id)
    assert (report.version, report.severity) == (2, 3)
    with pytest.raises(Refused):
        _ = report.subject
    assert [duty.version for duty in square.guard.duties() if duty.report_id == filed.id] == [2]


async def test_a_colleague_may_amend_and_another_agency_may_not(square: People) -> None:
    filed = square.guard.file(square.incident())
    await square.sync()
    with pytest.raises(Refused) as refused:
        await square.police.amend(filed.id, severity=1)
    assert refused.value.code == "cannot_amend"
    with pytest.raises(NotFound):
        await square.suburban_police.amend(filed.id, severity=1)
    await square.other_guard.amend(filed.id, severity=3)
    await square.sync()
    for device in (square.guard, square.other_guard, square.police, square.worker):
        report = device.get(filed.id)
        assert (report.version, report.severity) == (2, 3)
        assert isinstance(report.author, Author)
        assert report.author.alias == square.other_guard.alias


async def test_a_fork_is_kept_until_a_person_resolves_it(square: People) -> None:
    filed = square.guard.file(square.incident())
    await square.sync()
    await square.guard.amend(filed.id, situation="There were two.")
    await square.other_guard.amend(filed.id, situation="There were three.")
    await square.sync()
    for device in (square.guard, square.other_guard, square.police, square.worker):
        report = device.get(filed.id)
        assert (report.version, report.forked) == (2, True)
        assert device.waiting() == []
    received = square.police.local.received(filed.id)
    assert received is not None
    assert len(received.heads()) == 2
    both = {version.digest for version in received.heads()}

    await square.other_guard.amend(filed.id, situation="There were two, then three.")
    await square.sync()
    for device in (square.guard, square.other_guard, square.police, square.worker):
        report = device.get(filed.id)
        assert (report.version, report.forked) == (3, False)
        assert report.situation == "There were two, then three."
    assert set(read_manifest(head(square.police, filed.id)[1]).parents) == both


async def test_a_changed_scene_takes_the_report_from_one_scene_to_the_other(square: People) -> None:
    filed = square.guard.file(square.incident())
    await square.sync()
    assert {"police"} == have(square, filed.id) & {"police", "suburban_police"}
    await square.guard.amend(filed.id, scene=SUBURBAN)
    await square.guard.sync()
    dropped = await square.police.sync()
    assert (dropped.dropped, dropped.received) == (1, 0)
    await square.sync()
    assert {"suburban_police"} == have(square, filed.id) & {"police", "suburban_police"}
    assert square.suburban_police.get(filed.id).scene == SUBURBAN
    assert bytes(filed.id) not in decrypted(square.police.local.store)
    # Whoever has both scenes has it once, at the new one.
    assert square.worker.get(filed.id).scene == SUBURBAN
    assert [report.version for report in square.worker.reports() if report.id == filed.id] == [2]
    async with asking(square.police, square.town.url) as raw:
        assert not any(
            entry.put is not None and bytes(filed.id) in entry.put.manifest for entry in entries(await raw.everything())
        )


async def test_nobodys_device_raised_an_alarm_and_nothing_waits(
    square: People, alarms: dict[str, list[tuple[bytes, str]]]
) -> None:
    await square.sync()
    for name, device in square.everybody.items():
        assert device.local.alarms() == alarms[name], name
        assert device.waiting() == [], name
