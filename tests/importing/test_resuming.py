"""An import that is killed at any moment and started again leaves what one whole run leaves."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sluss_client import Device, importing, mappings
from sluss_client.importing import BATCH

from tests.importing.lonely import PASSPHRASE, lonely_device
from tests.importing.samples import VERSIONS, csv_file, mapping_file, sources
from tests.importing.victim import kill_in_import

EVENTS = 70


def rows() -> list[str]:
    """Two versions of every third event, so that batches end between the versions of one."""
    return [
        f"{event},{version},2025-01-15T9:40,Fight,Park,,version {version} of {event}"
        for event in range(EVENTS)
        for version in range(1, 3 if event % 3 == 0 else 2)
    ]


def whole(device: Device) -> dict[str, tuple[int, object]]:
    """Return version and text of every source's report, and fail where a report has no source."""
    found = sources(device)
    reports = {report.id: (report.version, report.situation) for report in device.reports()}
    assert set(reports) == set(found.values())
    return {source: reports[report] for source, report in found.items()}  # type: ignore[index]


@pytest.mark.parametrize("moments", [(1,), (BATCH - 1, 1), (BATCH,), (BATCH + 1, BATCH + 1), (30, 3, 40, 2)])
async def test_a_killed_import_goes_on_without_a_duplicate(tmp_path: Path, moments: tuple[int, ...]) -> None:
    csv, mapping, store = csv_file(tmp_path, rows()), mapping_file(tmp_path, VERSIONS), tmp_path / "killed.sluss"
    await lonely_device(store, ["park"]).close()

    killed = [kill_in_import(store, PASSPHRASE, csv, mapping, after) for after in moments]
    async with await Device.open(store, PASSPHRASE) as device:
        summary = await importing.run(device, importing.reader(csv, mappings.load(mapping)))
        resumed = whole(device)

    async with lonely_device(tmp_path / "spared.sluss", ["park"]) as device:
        await importing.run(device, importing.reader(csv, mappings.load(mapping)))
        spared = whole(device)
    assert killed == [-signal.SIGKILL] * len(moments)
    assert resumed == spared
    assert summary.filed + summary.amended + summary.already == len(rows())
    assert summary.bad == 0


async def test_a_kill_loses_at_most_one_batch(tmp_path: Path) -> None:
    csv, mapping, store = csv_file(tmp_path, rows()), mapping_file(tmp_path, VERSIONS), tmp_path / "killed.sluss"
    await lonely_device(store, ["park"]).close()

    kill_in_import(store, PASSPHRASE, csv, mapping, BATCH + 10)

    async with await Device.open(store, PASSPHRASE) as device:
        assert len(device.local.outbox.rows()) == BATCH
