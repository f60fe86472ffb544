"""Real records from a CSV to another person's device, with a kill in the middle of the import and of both syncs.

Three hundred rows by default; `make soak` takes all of them.
What is compared with the CSV is what the second device opens.
"""

from __future__ import annotations

import csv
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

import pytest

from sluss_client import Device, Report, forms, importing, mappings
from sluss_client.mappings.rows import Made
from sluss_client.testing import PASSPHRASE, Town

from tests.importing.samples import sources
from tests.importing.victim import kill_in_import, kill_in_sync

SCENE_FILE: Final = "polisen_scen_2023-04_2025-12.csv"
REVISIONS: Final = "polisen_revisioner.csv"


def signature(form: forms.Form) -> tuple[str, object, object]:
    """Return kind, sub-kind and category of enforcement, which is all that a type becomes."""
    sub_kind = getattr(form, "sub_kind", None) or getattr(form, "found_as", None)
    return forms.kind_name(type(form)), sub_kind, getattr(form, "enforcement_category", None)


@dataclass(frozen=True, kw_only=True)
class Share:
    """How much of the files is taken, and after how many rows or reports each process is killed."""

    scene_rows: int | None
    events: int | None
    import_after: int
    push_after: int
    pull_after: int


FEW: Final = Share(scene_rows=300, events=40, import_after=130, push_after=100, pull_after=60)
ALL: Final = Share(scene_rows=None, events=None, import_after=6025, push_after=4000, pull_after=5000)


def records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cut(folder: Path, real_data: Path, share: Share) -> dict[str, dict[str, str]]:
    """Write the share of both files and return the last version of every event, by source."""
    revised = records(real_data / REVISIONS)
    ids = list(dict.fromkeys(row["id"] for row in revised))[: share.events]
    chosen = {
        REVISIONS: [row for row in revised if row["id"] in set(ids)],
        SCENE_FILE: records(real_data / SCENE_FILE)[: share.scene_rows],
    }
    last: dict[str, dict[str, str]] = {}
    for name in (SCENE_FILE, REVISIONS):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(chosen[name][0]))
            writer.writeheader()
            writer.writerows(chosen[name])
        last |= {f"polisen:{row['id']}": row for row in chosen[name]}
    return last


def scenes_of(folder: Path) -> list[tuple[str, str, str]]:
    found: dict[str, str] = {}
    for name, mapping in ((REVISIONS, "polisen_revisioner"), (SCENE_FILE, "polisen_scen")):
        found |= importing.scenes_of(importing.reader(folder / name, mappings.load(mapping)))
    return [(slug, label, label) for slug, label in found.items()]


async def killed_and_resumed_import(device: Device, town: Town, folder: Path, share: Share) -> Device:
    await device.close()
    scene_file = folder / SCENE_FILE
    code = kill_in_import(device.path, PASSPHRASE, scene_file, "polisen_scen", share.import_after)
    assert code == -signal.SIGKILL
    device = await town.reopen(device)
    for name, mapping in ((SCENE_FILE, "polisen_scen"), (REVISIONS, "polisen_revisioner")):
        summary = await importing.run(device, importing.reader(folder / name, mappings.load(mapping)))
        assert summary.bad == 0
    return device


async def killed_and_resumed_sync(device: Device, town: Town, stage: str, after: int) -> Device:
    await device.close()
    assert kill_in_sync(device.path, PASSPHRASE, stage, after) == -signal.SIGKILL
    device = await town.reopen(device)
    result = await device.sync()
    assert (result.waiting, result.quarantined, result.alarms) == (0, 0, 0)
    return device


def expected_of(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return what each source's report says in its last version, as one whole run of the mapping has it."""
    found: dict[str, Made] = {}
    for name, mapping in ((SCENE_FILE, "polisen_scen"), (REVISIONS, "polisen_revisioner")):
        rows = importing.reader(folder / name, mappings.load(mapping))
        found |= {row.source: row for row in rows if isinstance(row, Made)}
    return {
        source: (max(row.version, 1), row.form.scene, row.form.situation, row.form.observed_at, *signature(row.form))
        for source, row in found.items()
    }


def opened(report: Report) -> tuple[object, ...]:
    sub_kind = getattr(report, "sub_kind", None) or getattr(report, "found_as", None)
    category = report.coded("enforcement").get("enforcement_category")
    # In UTC: a moment in the hour that the clocks repeat equals none of another zone.
    moment = report.observed_at.astimezone(UTC)
    return report.version, report.scene, report.situation, moment, report.kind, sub_kind, category


async def check(real_data: Path, tmp_path: Path, share: Share) -> None:
    last = cut(tmp_path, real_data, share)
    async with Town(agencies=("police",), scenes=scenes_of(tmp_path)) as town:
        author = await town.device("police")
        colleague = await town.device("police")

        author = await killed_and_resumed_import(author, town, tmp_path, share)
        author = await killed_and_resumed_sync(author, town, "push", share.push_after)
        colleague = await killed_and_resumed_sync(colleague, town, "pull", share.pull_after)

        by_id = {report.id: report for report in colleague.reports()}
        filed = {source: report for source, report in sources(author).items() if "@" not in source}
        assert set(filed) == set(last)
        assert set(by_id) == set(filed.values())
        read = {source: by_id[report] for source, report in filed.items()}  # type: ignore[index]
        assert {source: opened(report) for source, report in read.items()} == expected_of(tmp_path)
        # And against the CSV alone: the month on the wall clock, and the type that the police gave it last.
        found = Counter((report.observed_at.strftime("%Y-%m"), last[source]["type"]) for source, report in read.items())
        assert found == Counter((row["occurred_local"][:7], row["type"]) for row in last.values())


async def test_a_share_of_the_record_reaches_another_device_whole(real_data: Path, tmp_path: Path) -> None:
    await check(real_data, tmp_path, FEW)


@pytest.mark.soak
async def test_the_whole_record_reaches_another_device_whole(real_data: Path, tmp_path: Path) -> None:
    await check(real_data, tmp_path, ALL)
