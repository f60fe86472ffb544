"""A device whose clock is off: the server's time corrects it as far as it can be believed, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from sluss_client import Device, Invalid, Refused, Untrusted
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas import membership

from tests.faults.proxy import Exchange, Relay, answer
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


@pytest.mark.parametrize("hours", [-24 * 400, -72, -5, -0.2, 0.2, 5, 23.9])
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


@pytest.mark.parametrize("hours", [24.2, 72, 24 * 400])
async def test_a_clock_that_is_more_than_a_day_ahead_is_disputed_until_it_is_set(
    shared: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hours: float
) -> None:
    # Nothing proves which of the two clocks is wrong, so the server's word is not taken.
    text = f"by a clock that is ahead by {hours}"
    guard = await shared.device("security")
    report = guard.file(incident(shared.clock.now(), text))
    with clock_off(monkeypatch, tmp_path, hours, guard):
        for _ in range(2):
            with pytest.raises(Untrusted) as disputed:
                await guard.sync()
            assert disputed.value.code == "clock_disputed"
        assert abs(device_time(guard) - shared.clock.now() - timedelta(hours=hours)) < NEAR
        assert [code for _, code in guard.local.alarms()] == ["clock_disputed"]

    assert (await guard.sync()).sent == 1
    assert guard.local.alarms() == []
    assert guard.get(report.id).situation == text


@pytest.mark.parametrize("hours", [-24 * 400, -25, 25, 24 * 400])
async def test_a_server_that_lies_about_time_moves_no_device_that_knows_a_directory(shared: Town, hours: float) -> None:
    guard = await shared.device("security")
    assert shared.server is not None
    said = int((shared.clock.now() + timedelta(hours=hours)).timestamp())
    body = msgspec.json.encode({"code": "clock_off", "server_time": said})
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def lie(_exchange: Exchange) -> bytes:
            return answer(body, "401 Unauthorized", "application/problem+json")

        relay.before = lie
        with pytest.raises(Untrusted) as disputed:
            await guard.sync()

    assert disputed.value.code == "clock_disputed"
    assert abs(device_time(guard) - shared.clock.now()) < NEAR


async def test_what_a_server_taught_before_any_directory_was_known_is_held_against_it_afterwards(
    shared: Town, tmp_path: Path
) -> None:
    code = await shared.founders["security"].registrar.invite(["field"])
    async with await Device.enrol(tmp_path / "new.sluss", code, PASSPHRASE) as device:
        await shared.founders["security"].sync()
        # As after an answer of 401: the server's time was 400 days behind, and there was nothing to ask.
        device._transport.offset = -400 * 86_400
        assert shared.server is not None
        async with Relay(shared.server.port) as relay:
            device._transport.server = relay.url
            directories = await _directories(shared)

            async def lie(_exchange: Exchange) -> bytes:
                return answer(directories)

            relay.before = lie
            with pytest.raises(Untrusted) as disputed:
                await device.sync()
        assert disputed.value.code == "clock_disputed"
        assert abs(device_time(device) - shared.clock.now()) < NEAR


async def _directories(shared: Town) -> bytes:
    """Return an honest answer to who has no directory yet."""
    founder = shared.founders["security"]
    found = await founder._transport.post("/v1/directory/pull", membership.DirectoryPull(), membership.DirectoryAnswer)
    return msgspec.msgpack.encode(found)


async def test_a_server_that_puts_the_time_back_prolongs_no_lease(shared: Town) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    report = guard.file(incident(shared.clock.now(), "for 72 hours"))
    await guard.sync()
    await police.sync()
    assert police.get(report.id).situation == "for 72 hours"
    shared.clock.advance(hours=71)
    police._transport.offset = -86_000
    assert police.get(report.id).situation == "for 72 hours"
    shared.clock.advance(hours=2)

    with pytest.raises(Refused) as locked:
        police.get(report.id).situation  # noqa: B018  # reading is what is refused

    assert locked.value.code == "lease_ended"
    shared.clock.advance(hours=-73)


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
