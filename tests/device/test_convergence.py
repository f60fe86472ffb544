"""Whatever devices file, amend and sync, in whatever order: in the end those of one audience hold the same.

Steps are drawn at random and run in one town on a real server; after each sequence every device syncs until nothing is
on its way, and then nothing may be missing, nowhere twice, and every fork must be seen by all who read the report.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio

from sluss_client import Device, NotFound, forms
from sluss_client.testing import Town
from sluss_schemas.ids import ReportId
from sluss_schemas.manifest import read_manifest

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCENE = "central-square"
AGENCIES = ("security", "police")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd() -> AsyncIterator[Crowd]:
    async with Town(agencies=AGENCIES) as town:
        devices = [await town.device(agency) for agency in AGENCIES for _ in range(3)]
        yield Crowd(town, devices)


@dataclass
class Crowd:
    """Three devices of each agency, and what they have written: texts by report, in any version."""

    town: Town
    devices: list[Device]
    written: dict[ReportId, set[str]] = field(default_factory=lambda: defaultdict(set))
    steps: int = 0

    def file(self, device: Device) -> None:
        """File something."""
        text = self._text()
        seen = self.town.clock.now() - timedelta(minutes=5)
        form = forms.OrderIncident(scene=SCENE, observed_at=seen, sub_kind="threat", severity=2, situation=text)
        report = device.file(form)
        self.written[report.id].add(text)

    async def amend(self, device: Device, dice: random.Random) -> None:
        """Amend one of the agency's reports that the device has, whoever filed it."""
        own = sorted(report.id for report in device.reports() if report.agency == device.agency)
        if not own:
            self.file(device)
            return
        # Mostly one of the latest, so that several amend the same.
        report = dice.choice(own if dice.random() < 0.3 else own[-3:])
        text = self._text()
        await device.amend(report, situation=text)
        self.written[report].add(text)

    def _text(self) -> str:
        self.steps += 1
        return f"step {self.steps}"

    async def step(self, dice: random.Random) -> None:
        """Do one thing on one device."""
        at = dice.randrange(len(self.devices))
        device = self.devices[at]
        match dice.choice(("file", "amend", "amend", "amend", "sync", "sync", "reopen")):
            case "file":
                self.file(device)
            case "amend":
                await self.amend(device, dice)
            case "sync":
                await device.sync()
            case _:
                self.devices[at] = await self.town.reopen(device)

    async def settle(self) -> None:
        """Sync everybody in turn until nothing moves."""
        results = [await device.sync() for device in self.devices]
        while any(result.sent or result.received or result.dropped for result in results):
            results = [await device.sync() for device in self.devices]
        assert [(result.waiting, result.quarantined, result.alarms) for result in results] == [(0, 0, 0)] * len(results)

    def check(self) -> None:
        """Fail unless all of an audience hold the same, and all that was written is there."""
        by_agency = {agency: [one for one in self.devices if one.agency == agency] for agency in AGENCIES}
        for devices in by_agency.values():
            first = held(devices[0])
            assert all(held(device) == first for device in devices[1:])
        everything = [held(devices[0]) for devices in by_agency.values()]
        assert set(everything[0]) == set(everything[1]) == set(self.written)
        for report_id, versions in everything[0].items():
            # Police and guards read the same situations of these reports.
            assert versions.keys() == everything[1][report_id].keys()
            assert len(versions) == len(self.written[report_id])
            heads = heads_of(versions)
            for device in self.devices:
                report = device.get(report_id)
                assert report.forked == (len(heads) > 1)
                assert str(report.situation) in self.written[report_id]


def held(device: Device) -> dict[ReportId, dict[bytes, tuple[tuple[bytes, ...], object]]]:
    """Return the versions that a device holds by report and digest: their parents and what is open of them."""
    return {
        ReportId(received.report_id): {
            one.digest: (read_manifest(one.manifest).parents, one.sections) for one in received.versions
        }
        for received in device.local.replica.reports()
    }


def heads_of(versions: dict[bytes, tuple[tuple[bytes, ...], object]]) -> set[bytes]:
    """Return the versions that none follows."""
    return set(versions) - {parent for parents, _ in versions.values() for parent in parents}


async def converge(crowd: Crowd, seed: int, steps: int) -> None:
    dice = random.Random(seed)
    for _ in range(steps):
        await crowd.step(dice)
    await crowd.settle()
    crowd.check()


@pytest.mark.parametrize("seed", range(4))
async def test_devices_of_one_audience_end_with_the_same(crowd: Crowd, seed: int) -> None:
    await converge(crowd, seed, steps=25)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 140))
async def test_devices_of_one_audience_end_with_the_same_after_long_times_apart(crowd: Crowd, seed: int) -> None:
    await converge(crowd, seed, steps=120)


async def test_a_fork_is_seen_by_all_also_where_one_branch_has_grown(crowd: Crowd) -> None:
    first, second = crowd.devices[:2]
    crowd.file(first)
    (report,) = [report_id for report_id, texts in crowd.written.items() if f"step {crowd.steps}" in texts]
    await crowd.settle()

    for text in ("one", "one, again"):
        await first.amend(report, situation=text)
        crowd.written[report].add(text)
    await second.amend(report, situation="two")
    crowd.written[report].add("two")
    await second.sync()
    await first.sync()
    await crowd.settle()

    assert all(device.get(report).forked for device in crowd.devices)
    crowd.check()


async def test_three_branches_are_all_kept_and_amending_goes_on(crowd: Crowd) -> None:
    devices = crowd.devices[:3]
    crowd.file(devices[0])
    (report,) = [report_id for report_id, texts in crowd.written.items() if f"step {crowd.steps}" in texts]
    await crowd.settle()
    for number, device in enumerate(devices):
        await device.amend(report, situation=f"branch {number}")
        crowd.written[report].add(f"branch {number}")
    await crowd.settle()
    assert all(device.get(report).forked for device in crowd.devices)

    await devices[0].amend(report, situation="after the branches")
    crowd.written[report].add("after the branches")
    await crowd.settle()
    crowd.check()


async def test_what_was_not_synced_is_nobody_elses(crowd: Crowd) -> None:
    author, colleague = crowd.devices[:2]
    crowd.file(author)
    (report,) = [report_id for report_id, texts in crowd.written.items() if f"step {crowd.steps}" in texts]
    await colleague.sync()
    with pytest.raises(NotFound):
        colleague.get(report)
    await crowd.settle()
    crowd.check()
