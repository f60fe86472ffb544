"""Somebody who left, with the host's help: nothing signed with, or sealed to, a key out of force is taken in."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, Report
from sluss_client.syncing import pushing
from sluss_client.testing import PASSPHRASE, Exchange, Town
from sluss_schemas import directory as d
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.manifest import Head

from tests.hostile.scene import AGENCIES, Scene, append, codes, delivers, opened, reads, rotate

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Left:
    """A guard who left weeks ago and kept the device as it was; the host delivers what it seals.

    `asleep` is an honest device that saw nothing of all that since.
    """

    scene: Scene
    gone: Device
    asleep: Device

    def seals(self, report: Report, *heads: Head) -> wire.Item:
        """Return a report as the kept device seals it, with the directories of then but for these heads."""
        local = self.gone.local
        given = {head.agency: head for head in (*local.trust.heads(self.gone.now()), *heads)}
        with pytest.MonkeyPatch.context() as patch:
            # Whoever keeps a device can change its program.
            patch.setattr(local.trust, "heads", lambda _at: tuple(given[agency] for agency in sorted(given)))
            pushing.seal_pending(local, self.gone.now(), lambda *_: None)
        row = local.outbox.head(report.id)
        assert row is not None
        return decode(wire.Item, local.outbox.item(row), "item")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def left() -> AsyncIterator[Left]:
    async with Town(agencies=AGENCIES, hostile=True) as town:
        founder, guard = town.founders["security"], await town.device("security")
        police, leaving = await town.device("police"), await town.device("security")
        scene, asleep = Scene(town, guard, police), await town.device("police")
        scene.file()
        for device in (founder, guard, police, leaving, asleep):
            await device.sync()
        kept = leaving.path.with_name("kept.sluss")
        kid = leaving.local.keys.kid
        await leaving.close()
        shutil.copyfile(leaving.path, kept)
        # What was sealed with the old key while it was in force, and read by some before it was out of force.
        scene.file()
        await guard.sync()
        await police.sync()
        await append(founder, d.DeviceRevoke(kid, "left"))
        await rotate(founder, guard, police)
        town.clock.advance(days=20)
        for device in (founder, guard, police):
            await device.sync()
        async with await Device.open(kept, PASSPHRASE) as gone:
            yield Left(scene, gone, asleep)


@pytest.mark.parametrize("reader", ["police", "guard"])
async def test_a_report_dated_back_by_somebody_who_left_is_named_and_not_taken_in(left: Left, reader: str) -> None:
    scene, device = left.scene, getattr(left.scene, reader)
    report = scene.file(left.gone)
    item = left.seals(report)

    with scene.lying("/v1/pull", delivers(item, device), device):
        result = await device.sync()

    assert (result.received, result.alarms) == (0, 1)
    assert codes(device) == {"old_epoch"}
    assert not reads(device, report)
    # The server is honest again: what somebody files now comes, though its number was taken.
    await device.sync()
    after = scene.file()
    await scene.guard.sync()
    await device.sync()
    assert reads(device, after)
    scene.settle()


async def test_a_report_that_says_it_was_sealed_now_with_a_key_of_then_is_named(left: Left) -> None:
    scene, police = left.scene, left.scene.police
    report = scene.file(left.gone)
    item = left.seals(report, *police.local.trust.heads(police.now()))

    with scene.lying("/v1/pull", delivers(item, police), police):
        await police.sync()

    assert codes(police) == {"epoch_not_current"}
    assert not reads(police, report)
    scene.settle()


async def test_who_left_opens_nothing_that_was_sealed_since(left: Left) -> None:
    before = len(left.scene.town.hostile.seen)
    report = left.scene.file()
    await left.scene.guard.sync()
    await left.scene.police.sync()

    assert reads(left.scene.police, report)
    assert opened(left.scene.town, left.gone.local.ring.kems, before) == []


async def test_a_device_that_slept_through_it_all_is_told_no_alarm(left: Left) -> None:
    result = await left.asleep.sync()

    assert (result.alarms, codes(left.asleep)) == (0, set())
    assert result.received > 0


async def test_a_report_dated_back_under_cover_of_a_restore_is_named(left: Left) -> None:
    scene, police = left.scene, left.scene.police
    report = scene.file(left.gone)
    item = left.seals(report)

    def anew(exchange: Exchange) -> object:
        """Begin every feed anew, with the report in its past."""
        answer = delivers(item, police)(exchange)
        (page,) = (page for page in answer.pages if page.entries)
        seq = len(page.entries)
        past = tuple(msgspec.structs.replace(one, seq=seq - number) for number, one in enumerate(page.entries))
        position = msgspec.structs.replace(page.position, generation=2, seq=seq, below=0)
        return msgspec.structs.replace(answer, pages=(wire.FeedPage(position, (), more=False, past=past),))

    scene.town.hostile.on(
        "/v1/directory/pull", lambda exchange: msgspec.structs.replace(exchange.answer, instance=b"i" * 16)
    )
    with scene.lying("/v1/pull", anew, police):
        await police.sync()

    assert codes(police) == {"old_epoch", "unannounced_restore"}
    assert not reads(police, report)
    # The server is what it was: at its own generation, and everything of it comes again.
    after = scene.file()
    await scene.guard.sync()
    await police.sync()
    assert "feed_rewound" in codes(police)
    await police.sync()
    assert reads(police, after)
    assert not reads(police, report)
    scene.settle()
