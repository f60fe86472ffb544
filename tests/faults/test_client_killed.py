"""A device that dies anywhere: what `file` returned is there whole, and a sync goes on where it was."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import msgspec
import pytest

from sluss_client import Device
from sluss_client.saving import SOURCE
from sluss_client.testing import PASSPHRASE, Town

from tests.faults import victim
from tests.faults.samples import fed_twice, incident, reads, states, stored_versions, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")


def whole_texts(device: Device) -> dict[str, str]:
    """Return the situations by id of report; each must be as it was filed."""
    found = {report.id.hex(): str(report.situation) for report in device.reports() if report.state == "waiting"}
    for text in found.values():
        assert text == victim.text(int(text.partition(":")[0]))
    return found


def check_filed(device: Device, printed: list[str], unsaid: int) -> None:
    """Fail unless every id that was printed is there whole, and at most `unsaid` more."""
    found = whole_texts(device)
    assert set(printed) <= set(found)
    assert len(found) <= len(printed) + unsaid
    # The key under which an import files nothing twice came with its report, or not at all.
    assert sorted(data.hex() for _, data in device.local.store.items(SOURCE)) == sorted(found)
    assert states(device) == {"filed": len(found)}
    assert len(device.local.outbox.pending()) == len(found)
    assert device.local.store.check()


async def kill_while_filing(shared: Town, times: int, seed: int) -> None:
    dice = random.Random(seed)
    guard = await shared.device("security")
    await guard.close()
    printed = list[str]()
    for kills in range(1, times + 1):
        # After so many lines the kill comes at some moment of what follows: the process does nothing but file.
        lines = dice.randint(1, 60)
        with victim.start("loop", guard.path, PASSPHRASE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            printed += [process.stdout.readline().strip() for _ in range(lines)]
            process.kill()
            # What it had printed before it died was filed, too.
            printed += [line.strip() for line in process.stdout if line.endswith("\n")]
        async with await Device.open(guard.path, PASSPHRASE) as device:
            check_filed(device, printed, unsaid=kills)


async def test_what_file_returned_is_there_whole_after_a_kill(shared: Town) -> None:
    await kill_while_filing(shared, 3, seed=1)


@pytest.mark.soak
async def test_what_file_returned_is_there_whole_after_many_kills(shared: Town) -> None:
    await kill_while_filing(shared, 150, seed=2)


async def test_a_kill_at_any_statement_of_file_leaves_all_of_it_or_nothing(shared: Town) -> None:
    guard = await shared.device("security")
    await guard.close()

    ends = victim.run("file", guard.path, PASSPHRASE, *(str(number) for number in range(1, 25)))

    printed = [line for line in ends if line not in {"killed", "ended 0"}]
    assert ends.count("killed") > 4
    assert ends.count("ended 0") == len(printed) > 0
    async with await Device.open(guard.path, PASSPHRASE) as device:
        # Nothing was printed by those who died, so nothing of theirs may be there but what they had committed.
        check_filed(device, printed, unsaid=0)


def copy_of(device: Device, name: str) -> Path:
    """Return a copy of a closed device's store: the same device, before anything happened to it."""
    path = device.path.with_name(name)
    shutil.copyfile(device.path, path)
    return path


def held(device: Device) -> dict[bytes, object]:
    """Return what a replica holds, without the time at which it came."""
    return {
        received.report_id: [msgspec.structs.replace(one, received_at=0) for one in received.versions]
        for received in device.local.replica.reports()
    }


async def kill_while_pulling(shared: Town, reports: int, step: int) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    filed = [guard.file(incident(shared.clock.now(), f"{number} " + "x" * 9000)) for number in range(reports)]
    for report in filed[::5]:
        await guard.amend(report.id, situation="amended")
    await guard.sync()
    await police.close()
    spared = await Device.open(copy_of(police, f"spared-{reports}.sluss"), PASSPHRASE)
    killed = copy_of(police, f"killed-{reports}.sluss")

    ends = victim.run("sync", killed, PASSPHRASE, *(str(number) for number in range(1, 120, step)))

    result = await spared.sync()
    async with spared, await Device.open(killed, PASSPHRASE) as device:
        await device.sync()
        assert ends.count("killed") >= 5
        assert set(ends) <= {"killed", "ended 0"}
        assert held(device) == held(spared)
        assert texts(device) == texts(spared)
        assert len(reads(device, filed)) == reports
        assert device.local.cursor() == spared.local.cursor()
        assert result.received == reports + len(filed[::5])


async def test_a_pull_that_was_killed_at_many_statements_ends_like_one_that_was_not(shared: Town) -> None:
    await kill_while_pulling(shared, 150, step=12)


@pytest.mark.soak
async def test_a_pull_that_was_killed_at_every_statement_ends_like_one_that_was_not(shared: Town) -> None:
    await kill_while_pulling(shared, 800, step=1)


async def kill_while_pushing(shared: Town, reports: int, step: int) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    filed = [guard.file(incident(shared.clock.now(), str(number))) for number in range(reports)]
    await guard.close()

    ends = victim.run("sync", guard.path, PASSPHRASE, *(str(number) for number in range(1, 40 + 9 * reports, step)))

    async with await Device.open(guard.path, PASSPHRASE) as device:
        result = await device.sync()
        await police.sync()
        assert ends.count("killed") >= 5
        assert set(ends) <= {"killed", "ended 0"}
        assert result.waiting == 0
        assert states(device) == {"sent": reports}
        assert reads(device, filed) == reads(police, filed) == [str(number) for number in range(reports)]
        assert {f"{report.id.hex().upper()}:1" for report in filed} <= set(stored_versions(shared))
        assert set(stored_versions(shared).values()) == {1}
        assert fed_twice(shared) == []


async def test_a_push_that_was_killed_at_many_statements_delivers_every_report_once(shared: Town) -> None:
    await kill_while_pushing(shared, 12, step=14)


@pytest.mark.soak
async def test_a_push_that_was_killed_at_every_statement_delivers_every_report_once(shared: Town) -> None:
    await kill_while_pushing(shared, 60, step=1)
