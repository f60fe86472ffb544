"""Pages of feeds, however they are cut, mixed and delivered again: the replica ends the same.

What a server really answered is taken apart, and taken in by copies of the device that asked.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, forms
from sluss_client.reading import Alarm, open_put
from sluss_client.replica import Received
from sluss_client.syncing import driver, pulling
from sluss_client.syncing.sync_core import Tally
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas import sync as wire
from sluss_schemas.manifest import Head

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCENES = ("central-square", "suburban-square", "station-park")


@dataclass
class Record:
    """A police device as it was before its first sync with content, and all that the server then had for it."""

    device: Device
    answers: list[wire.PullAnswer]
    copies: int = 0

    async def copy(self) -> Device:
        """Return the device before the pull."""
        self.copies += 1
        path = self.device.path.with_name(f"copy-{self.copies}.sluss")
        shutil.copyfile(self.device.path, path)
        return await Device.open(path, PASSPHRASE)

    def used(self) -> tuple[tuple[Head, ...], ...]:
        """Return the directories that the delivered versions were sealed with."""
        return tuple({heads for answer in self.answers for heads in answer.used})

    def feeds(self) -> list[list[wire.FeedPage]]:
        """Return each feed's entries, one to a page, in the order in which they came."""
        found: dict[bytes, list[wire.FeedPage]] = {}
        for answer in self.answers:
            for page in answer.pages:
                single = found.setdefault(page.position.feed, [])
                single += [wire.FeedPage(page.position, (entry,), more=True) for entry in page.entries]
                single += [wire.FeedPage(page.position, (), more=True, past=(entry,)) for entry in page.past]
        return list(found.values())


def take_in(device: Device, record: Record, pages: tuple[wire.FeedPage, ...]) -> None:
    answer = wire.PullAnswer(pages, (), (), 0, record.used())
    pulling.take_in(device.local, answer, 1_000, Tally())


def held(device: Device) -> dict[bytes, object]:
    """Return what a replica holds; the order in which it came leaves no mark."""

    def plain(received: Received) -> object:
        return [msgspec.structs.replace(one, holds=tuple(sorted(one.holds, key=repr))) for one in received.versions]

    return {received.report_id: plain(received) for received in device.local.replica.reports()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def record(shared: Town) -> AsyncIterator[Record]:
    dice = random.Random(3)
    guard, social, police = [await shared.device(agency) for agency in ("security", "social_services", "police")]
    early = await shared.device("police")
    now = shared.clock.now() - timedelta(minutes=5)
    filed = []
    for number in range(24):
        form = forms.OrderIncident(
            scene=dice.choice(SCENES), observed_at=now, sub_kind="threat", severity=2, situation=f"{number}"
        )
        filed.append(guard.file(form))
    social.file(forms.OutreachContact(scene=SCENES[0], observed_at=now, situation="not for the police"))
    await guard.sync()
    await social.sync()
    # What has been there is told upwards, with its drops; a device that comes later reads downwards.
    first = await early.sync()
    assert first.received == len(filed)
    for report in filed[::2]:
        # Another scene is another feed: the version before is dropped from the one it was in.
        await guard.amend(report.id, scene=dice.choice(SCENES), situation=f"{report.situation} amended")
    await guard.sync()
    # As at the beginning of every sync: what others sealed with is known.
    await driver.directories(police.local, police._transport)
    await police.close()
    asker = await Device.open(police.path, PASSPHRASE)
    cursor: tuple[wire.Position, ...] = ()
    answers, more = [], True
    while more:
        ask = wire.Pull(cursor, limit=7)
        answer = await asker._transport.post("/v1/pull", ask, wire.PullAnswer)
        answers.append(answer)
        moved = {position.feed: position for position in cursor}
        moved |= {page.position.feed: page.position for page in answer.pages}
        cursor, more = tuple(moved.values()), any(page.more for page in answer.pages)
    await asker.close()
    assert len(answers) > 3
    yield Record(police, answers)


async def test_pages_cut_mixed_and_delivered_again_end_in_the_same_replica(record: Record) -> None:
    async with await record.copy() as undisturbed:
        for answer in record.answers:
            take_in(undisturbed, record, answer.pages)
        expected = held(undisturbed)
    assert len(expected) == 24
    for seed in range(12):
        dice = random.Random(seed)
        left = [list(feed) for feed in record.feeds()]
        done: list[list[wire.FeedPage]] = [[] for _ in left]
        async with await record.copy() as device:
            while any(left):
                at = dice.choice([number for number, pages in enumerate(left) if pages])
                if done[at] and dice.random() < 0.2:
                    # Killed before the cursor was committed: some of it comes once more, in its order.
                    back = dice.randint(1, len(done[at]))
                    left[at] = done[at][-back:] + left[at]
                    del done[at][-back:]
                page = left[at].pop(0)
                done[at].append(page)
                take_in(device, record, (page,))
            assert held(device) == expected
            assert device.local.alarms() == []


async def test_closing_every_feed_leaves_nothing_and_reading_again_brings_it_back(record: Record) -> None:
    async with await record.copy() as device:
        for answer in record.answers:
            take_in(device, record, answer.pages)
        everything = held(device)
        feeds = tuple({page.position.feed for answer in record.answers for page in answer.pages})
        tally = Tally()

        pulling.take_in(device.local, wire.PullAnswer((), feeds, (), 0), 1_000, tally)

        assert held(device) == {}
        assert device.local.cursor() == ()
        assert tally.dropped >= len(everything)
        for answer in record.answers:
            take_in(device, record, answer.pages)
        assert held(device) == everything


async def test_a_delivery_that_was_changed_anywhere_raises_an_alarm_and_nothing_else(record: Record) -> None:
    dice, alarms = random.Random(8), 0
    async with await record.copy() as device:
        puts = [entry.put for feed in record.feeds() for page in feed for entry in (*page.entries, *page.past)]
        whole = next(put for put in puts if put is not None and put.seal is not None)
        data = msgspec.msgpack.encode(whole)
        for _ in range(3000):
            at = dice.randrange(len(data))
            changed = data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
            if dice.random() < 0.1:
                changed = changed[:at] + changed[at + dice.randint(1, 40) :]
            try:
                put = msgspec.msgpack.decode(changed, type=wire.Put)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            try:
                opened = open_put(put, device.local.ring.kems, device.local.trust, device.now())
            except Alarm:
                alarms += 1
            else:
                # What is not signed over and not needed to read it: the second tier of facts, which is not police's.
                assert opened == open_put(whole, device.local.ring.kems, device.local.trust, device.now())
    assert alarms > 1000
