"""A server that burnt down and came back from a backup: nothing that it had acknowledged is lost or there twice."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sluss_client import Device, Report, Untrusted
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas import directory as d

from tests.faults.samples import AGENCIES, backup, burn_down, fed_twice, incident, reads, states, stored_versions
from tests.faults.test_access_changed import lose
from tests.faults.test_revoked import contact, revoked
from tests.faults.test_revoked import state as state_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """A town whose server burns down in every test, one fire after the other."""
    async with Town(agencies=AGENCIES) as built:
        yield built


@pytest_asyncio.fixture(loop_scope="module")
async def forked() -> AsyncIterator[Town]:
    """A town that is of no use to anybody afterwards."""
    async with Town(agencies=AGENCIES) as built:
        yield built


async def accept(town: Town) -> None:
    """Do what the operating page says: every registrar syncs, then one of each agency accepts the restored server."""
    for founder in town.founders.values():
        await founder.sync()
    for founder in town.founders.values():
        await founder.registrar.restored()


async def filed(town: Town, device: Device, *said: str) -> list[Report]:
    reports = [device.file(incident(town.clock.now(), one)) for one in said]
    assert (await device.sync()).waiting == 0
    return reports


async def test_what_was_acknowledged_since_the_backup_comes_back_by_itself(town: Town) -> None:
    guard, police = await town.device("security"), await town.device("police")
    before = await filed(town, guard, "before the backup")
    file, stored = backup(town), len(stored_versions(town))
    since = await filed(town, guard, "since the backup", "since, and amended")
    await guard.amend(since[1].id, situation="amended since")
    await guard.amend(before[0].id, situation="before the backup, amended")
    await guard.sync()
    await police.sync()
    said = ["before the backup, amended", "since the backup", "amended since"]
    assert reads(police, [*before, *since]) == said

    town.clock.advance(hours=1)
    burn_down(town, file)
    assert len(stored_versions(town)) == stored
    await accept(town)
    offline = guard.file(incident(town.clock.now(), "filed after the fire"))
    result = await guard.sync()
    other = await police.sync()

    assert (result.sent, result.received, result.waiting, result.alarms) == (1, 1, 0, 0)
    assert (other.sent, other.received, other.alarms) == (0, 1, 0)
    assert states(guard) == {"sent": 6}
    assert len(stored_versions(town)) == stored + 5
    assert fed_twice(town) == []
    assert reads(police, [*before, *since, offline]) == [*said, "filed after the fire"]
    newcomer = await town.device("police")
    assert reads(newcomer, [*before, *since, offline]) == [*said, "filed after the fire"]
    again = await guard.sync()
    assert (again.sent, again.received, again.dropped, again.waiting) == (0, 0, 0, 0)


async def test_entries_of_the_directory_come_back_from_any_device_of_the_agency(town: Town) -> None:
    guard = await town.device("security")
    file = backup(town)
    newcomer = await town.device("security")
    await guard.sync()
    head = guard.local.trust.own.head
    town.clock.advance(hours=1)
    burn_down(town, file)
    # The newcomer is a stranger to the server of last night.
    with pytest.raises(Exception, match="unknown_device"):
        await newcomer.sync()

    # Nobody's registrar is needed for it.
    await guard.sync()

    await newcomer.sync()
    assert newcomer.local.trust.own.head == head
    await accept(town)
    report = newcomer.file(incident(town.clock.now(), "by the newcomer"))
    await newcomer.sync()
    await guard.sync()
    assert reads(guard, [report]) == ["by the newcomer"]


async def test_acts_and_what_a_wiped_device_sent_come_back_too(town: Town) -> None:
    guard, boss, police = await town.device("security"), town.founders["security"], await town.device("police")
    file = backup(town)
    (lost,) = await filed(town, guard, "acknowledged, then the device was lost")
    waits = guard.file(incident(town.clock.now(), "never sent by its owner"))
    await lose(town, guard, revoked)
    await contact(guard)
    await boss.sync()
    assert [row.report_id for row in await boss.quarantine()] == [waits.id]
    await boss.countersign(waits.id)
    await boss.sync()
    await police.sync()
    said = ["acknowledged, then the device was lost", "never sent by its owner"]
    assert reads(police, [lost, waits]) == said

    town.clock.advance(hours=1)
    burn_down(town, file)
    await accept(town)
    # The wiped device cannot see its agency accept anything, and sends what it has sealed all the same.
    assert await contact(guard) == {"wiped"}
    await boss.sync()
    newcomer = await town.device("police")

    assert {row.state for row in state_of(guard).outbox.rows()} <= {"sent", "quarantined"}
    assert reads(newcomer, [lost, waits]) == said
    assert await boss.quarantine() == []
    assert fed_twice(town) == []


async def test_a_registrar_who_accepts_before_everything_is_back_makes_a_fork_that_every_device_names(
    forked: Town,
) -> None:
    guard, founder = await forked.device("security"), forked.founders["security"]
    founder.local.store.scrub()
    old = founder.path.with_name("old.sluss")
    shutil.copyfile(founder.path, old)
    file = backup(forked)
    await founder.registrar.append([d.PersonAdd(b"p" * 16, "S-90", (), None, None)])
    await guard.sync()
    head = guard.local.trust.own.head
    forked.clock.advance(hours=1)
    burn_down(forked, file)
    # A device that knows no more than the backup, and the only one that was asked.
    async with await Device.open(old, PASSPHRASE) as forgetful:
        await forgetful.sync()
        await forgetful.registrar.restored()
    report = guard.file(incident(forked.clock.now(), "kept"))

    for _ in range(2):
        with pytest.raises(Untrusted) as fork:
            await guard.sync()
        assert fork.value.code == "directory_fork"

    assert guard.local.trust.own.head == head
    assert "directory_fork" in {code for _, code in guard.local.alarms()}
    assert guard.get(report.id).situation == "kept"
    assert states(guard) == {"filed": 1}
