"""A device whose clock is off by hours: the server's time corrects it, and what it writes has a sane time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluss_client import Device, Invalid
from sluss_client.testing import PASSPHRASE, Town

from tests.faults.samples import incident, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEAR = timedelta(minutes=1)


@contextmanager
def clock_off(patch: pytest.MonkeyPatch, folder: Path, hours: float, device: Device) -> Iterator[None]:
    """Let this process have a clock of its own, which is off; the server keeps the town's."""
    own = folder / "clock of the device"
    own.write_text(f"{int(hours * 3600)}\n", encoding="ascii")
    with patch.context() as here:
        here.setenv("SLUSS_TEST_CLOCK", str(own))
        yield
    assert device is not None


def device_time(device: Device) -> datetime:
    return datetime.fromtimestamp(device.now(), UTC)


@pytest.mark.parametrize("hours", [-72, -5, -0.2, 0.2, 5, 72, 24 * 400])
async def test_a_sync_corrects_the_clock_and_the_correction_is_kept(
    shared: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hours: float
) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    with clock_off(monkeypatch, tmp_path, hours, guard):
        assert abs(device_time(guard) - shared.clock.now() - timedelta(hours=hours)) < NEAR

        await guard.sync()

        assert abs(device_time(guard) - shared.clock.now()) < NEAR
        report = guard.file(incident(shared.clock.now(), f"after the correction of {hours}"))
        (row,) = guard.local.outbox.rows()
        assert abs(datetime.fromtimestamp(row.filed_at, UTC) - shared.clock.now()) < NEAR
        await guard.close()
        async with await Device.open(guard.path, PASSPHRASE) as again:
            assert abs(device_time(again) - shared.clock.now()) < NEAR
            assert (await again.sync()).sent == 1
            author = again.get(report.id).author
            assert author is not None
            assert author.recorded_at is not None
            assert abs(author.recorded_at - shared.clock.now()) < NEAR
    await police.sync()
    assert texts(police).count(f"after the correction of {hours}") == 1


@pytest.mark.parametrize("hours", [-5, 5])
async def test_what_was_filed_before_the_correction_arrives(
    shared: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hours: float
) -> None:
    text = f"by a clock that is off by {hours}"
    guard, police = await shared.device("security"), await shared.device("police")
    with clock_off(monkeypatch, tmp_path, hours, guard):
        # The form's time comes from the same wrong clock.
        report = guard.file(incident(device_time(guard), text))
        result = await guard.sync()

    assert (result.sent, result.quarantined, result.waiting) == (1, 0, 0)
    assert guard.get(report.id).situation == text
    await police.sync()
    assert texts(police).count(text) == 1


async def test_an_observation_in_the_devices_future_is_refused_and_not_filed(shared: Town) -> None:
    guard = await shared.device("security")
    for ahead in (timedelta(minutes=11), timedelta(hours=3), timedelta(days=4000)):
        with pytest.raises(Invalid) as problem:
            guard.file(incident(shared.clock.now() + ahead, "tomorrow's news"))
        assert (problem.value.code, problem.value.field) == ("future_time", "observed_at")
    assert guard.waiting() == []

    guard.file(incident(shared.clock.now(), "today's news"))
    assert (await guard.sync()).sent == 1


async def test_the_future_begins_where_the_corrected_clock_says(
    shared: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    guard = await shared.device("security")
    with clock_off(monkeypatch, tmp_path, 6, guard):
        await guard.sync()
        with pytest.raises(Invalid) as problem:
            guard.file(incident(shared.clock.now() + timedelta(hours=5), "by the wrong clock"))
        assert problem.value.code == "future_time"
        guard.file(incident(shared.clock.now(), "by the right one"))
        assert (await guard.sync()).sent == 1
