"""What an import leaves in the store: each thing once, its versions in order, and nothing of a bad row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sluss_client import Device, Invalid, importing, mappings
from sluss_client.importing import BATCH, Summary

from tests.importing.lonely import lonely_device
from tests.importing.samples import EVENTS, VERSIONS, csv_file, imported, mapping_file, sources

SCENES = ("park", "square")


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    async with lonely_device(tmp_path / "device.sluss", SCENES) as opened:
        yield opened


def row(number: int, version: int | str = "", text: str = "x", *, kind: str = "Fight", scene: str = "Park") -> str:
    return f'{number},{version},2025-01-15T9:40,"{kind}",{scene},,{text}'


def counts(summary: Summary) -> tuple[int, int, int, int, int]:
    return summary.filed, summary.amended, summary.skipped, summary.already, summary.bad


async def test_a_second_run_files_nothing(device: Device, tmp_path: Path) -> None:
    rows = [row(n) for n in range(BATCH + 7)]

    first, _ = await imported(device, tmp_path, rows)
    before = sources(device)
    second, _ = await imported(device, tmp_path, rows)

    assert counts(first) == (BATCH + 7, 0, 0, 0, 0)
    assert counts(second) == (0, 0, 0, BATCH + 7, 0)
    assert sources(device) == before
    assert len(list(device.reports())) == BATCH + 7


async def test_versions_are_filed_and_amended_in_their_order(device: Device, tmp_path: Path) -> None:
    rows = [row(1, 3, "third", kind="Grave"), row(1, 1, "first"), row(2, 1, "alone"), row(1, 2, "second")]

    summary, bad = await imported(device, tmp_path, rows, VERSIONS)

    reports = {report.id: report for report in device.reports()}
    changed = reports[sources(device)["events:1"]]  # type: ignore[index]
    assert (counts(summary), bad) == ((2, 2, 0, 0, 0), [])
    assert (changed.version, changed.situation, changed.coded("situation")["severity"]) == (3, "third", 2)
    assert [row.version for row in device.local.outbox.rows() if row.report_id == changed.id] == [1, 2, 3]


async def test_a_new_version_in_a_longer_file_amends(device: Device, tmp_path: Path) -> None:
    await imported(device, tmp_path, [row(1, 1, "first")], VERSIONS)

    summary, _ = await imported(device, tmp_path, [row(1, 1, "first"), row(1, 2, "second")], VERSIONS)

    assert counts(summary) == (0, 1, 0, 1, 0)
    assert next(device.reports()).situation == "second"


async def test_a_later_version_leaves_alone_what_the_mapping_does_not_govern(device: Device, tmp_path: Path) -> None:
    await imported(device, tmp_path, [row(1, 1, "first")], VERSIONS)
    await device.amend(next(device.reports()).id, care="asked for water")

    await imported(device, tmp_path, [row(1, 1, "first"), row(1, 2, "second")], VERSIONS)

    report = next(device.reports())
    assert (report.situation, report.care, report.version) == ("second", "asked for water", 3)


async def test_an_event_of_both_files_is_one_report(device: Device, tmp_path: Path) -> None:
    # The file of revisions and the file of last versions name it alike, whichever comes first.
    await imported(device, tmp_path, [row(1, 1, "first"), row(1, 2, "last")], VERSIONS)

    summary, _ = await imported(device, tmp_path, [row(1, "", "last")], EVENTS)

    assert counts(summary) == (0, 0, 0, 1, 0)
    assert len(list(device.reports())) == 1


@pytest.mark.parametrize(
    ("broken", "code", "field"),
    [
        (row(1, 2, kind="Feast"), "unknown_kind", "kind"),
        (row(1, 2, scene="Hamn"), "unknown_scene", "scene"),
        (row(1, 2).replace("2025-01-15", "2999-01-15"), "future_time", "observed_at"),
    ],
)
async def test_a_bad_version_holds_up_those_after_it(
    device: Device, tmp_path: Path, broken: str, code: str, field: str
) -> None:
    others = [row(1, 1, "first"), row(1, 3, "third"), row(2, 1)]
    first, bad = await imported(device, tmp_path, [broken, *others], VERSIONS)
    assert counts(first) == (2, 0, 0, 0, 2)
    assert sorted(bad) == [(2, code, field), (4, "bad_row", "version")]

    # Corrected, the versions are what they would have been.
    second, bad = await imported(device, tmp_path, [row(1, 2, "second"), *others], VERSIONS)

    assert (counts(second), bad) == ((0, 2, 0, 2, 0), [])
    assert [report.version for report in device.reports() if report.situation == "third"] == [3]


async def test_a_version_that_cannot_be_read_holds_up_all(device: Device, tmp_path: Path) -> None:
    summary, bad = await imported(device, tmp_path, [row(1, "one"), row(1, 1), row(1, 2), row(2, 1)], VERSIONS)

    assert counts(summary) == (1, 0, 0, 0, 3)
    assert bad == [(2, "wrong_type", "version"), (3, "bad_row", "version"), (4, "bad_row", "version")]


async def test_a_row_without_versions_holds_up_nothing(device: Device, tmp_path: Path) -> None:
    summary, _ = await imported(device, tmp_path, [row(1, kind="Feast"), row(1)])

    assert counts(summary) == (1, 0, 0, 0, 1)


async def test_what_comes_before_a_version_that_is_in_is_refused(device: Device, tmp_path: Path) -> None:
    await imported(device, tmp_path, [row(1, 2, "second")], VERSIONS)

    summary, bad = await imported(device, tmp_path, [row(1, 1, "first"), row(1, 2, "second")], VERSIONS)

    assert (counts(summary), bad) == ((0, 0, 0, 1, 1), [(2, "bad_row", "version")])
    assert next(device.reports()).situation == "second"


async def test_a_report_keeps_its_kind(device: Device, tmp_path: Path) -> None:
    rows = [row(1, 1, "first"), row(1, 2, kind="Found, goods"), row(2, 1)]

    summary, bad = await imported(device, tmp_path, rows, VERSIONS)

    assert (counts(summary), bad) == ((2, 0, 0, 0, 1), [(3, "bad_row", "kind")])


async def test_rows_that_fan_out_one_thing_are_told_apart_from_repeats(device: Device, tmp_path: Path) -> None:
    summary, bad = await imported(device, tmp_path, [row(1), row(1), row(1, text="y"), row(2)])

    assert (counts(summary), bad) == ((2, 0, 0, 1, 1), [(4, "bad_row", "source")])


async def test_scenes_that_are_missing_are_named_at_the_end(device: Device, tmp_path: Path) -> None:
    rows = [row(1), row(2, scene="Övre torget"), row(3, scene="Övre torget"), row(4, scene="Hamn")]

    summary, bad = await imported(device, tmp_path, rows)

    assert summary.filed == 1
    assert bad == [(3, "unknown_scene", "scene"), (4, "unknown_scene", "scene"), (5, "unknown_scene", "scene")]
    assert summary.missing_scenes == {"ovre-torget": "Övre torget", "hamn": "Hamn"}


async def test_two_names_never_become_one_scene(device: Device, tmp_path: Path) -> None:
    rows = [row(1, scene="Park"), row(2, scene="Pärk"), row(3, scene="PARK")]

    summary, bad = await imported(device, tmp_path, rows)

    assert (summary.filed, bad) == (2, [(3, "bad_row", "scene")])


async def test_a_time_in_the_future_is_one_bad_row(device: Device, tmp_path: Path) -> None:
    rows = [row(1), row(2).replace("2025-01-15", "2999-01-15"), row(3).replace("2025-01-15", "1999-01-15")]

    _, bad = await imported(device, tmp_path, rows)

    assert bad == [(3, "future_time", "observed_at"), (4, "too_old", "observed_at")]


async def test_another_agencys_mapping_is_refused_before_the_first_row(device: Device, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as wrong:
        await imported(device, tmp_path, [row(1)], EVENTS + 'owner = "municipality"\n')

    assert (wrong.value.code, wrong.value.field) == ("bad_mapping", "owner")
    assert list(device.reports()) == []


async def test_progress_counts_every_row(device: Device, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    rows = [row(1), row(2, kind="Sum"), row(3, kind="Feast"), row(4)]
    reader = importing.reader(csv_file(tmp_path, rows), mappings.load(mapping_file(tmp_path)))

    await importing.run(device, reader, progress=lambda done, total: told.append((done, total)))

    assert told == [(3, 4), (4, 4)]
