"""The doctor's checks on real devices: what is found, what fails, and what is said to be done about it."""

from __future__ import annotations

from typing import Any

import pytest

from sluss_client import Device, Refused
from sluss_client.alarms import ALARMS
from sluss_client.cli.checks import Check, examine
from sluss_client.testing import Town
from sluss_schemas import directory as d
from sluss_schemas.problems import CATALOGUE

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = [
    *("store", "disk", "approved", "pack", "keys", "rotation", "scenes", "contact", "clock", "directory"),
    *("registrars", "root", "custodians", "agreements", "server", "tasks", "alarms", "outbox"),
]


def failing(device: Device) -> dict[str, Any]:
    return {check.name: check.value for check in examine(device) if not check.ok}


def check(device: Device, name: str) -> Check:
    (found,) = [one for one in examine(device) if one.name == name]
    return found


async def test_a_healthy_colleague_has_nothing_to_do(shared: Town) -> None:
    guard = await shared.device("security")

    assert [one.name for one in examine(guard)] == NAMES
    assert failing(guard) == {}
    assert all(one.say.endswith((".", "!")) for one in examine(guard))


async def test_a_registrar_is_told_what_only_a_registrar_can_mend(shared: Town) -> None:
    founder = shared.founders["police"]

    assert failing(founder) == {
        "registrars": ["P-1"], "root": True, "custodians": {"custodians": [], "gone": [], "not_split": 2}
    }  # fmt: skip
    founder.registrar.forget_root()
    assert "root" not in failing(founder)
    colleague = await shared.device("police")
    assert "registrar add" in check(colleague, "registrars").say
    assert check(colleague, "custodians").ok


async def test_three_custodians_are_named_and_one_who_is_gone_is_too(shared: Town) -> None:
    founder = shared.founders["social_services"]
    helpers = [await shared.device("social_services") for _ in range(3)]
    await founder.sync()
    await founder.registrar.custodians([helper.alias for helper in helpers])
    for _ in range(2):
        await founder.sync()

    assert check(founder, "custodians").value == {
        "custodians": [helper.alias for helper in helpers], "gone": [], "not_split": 0
    }  # fmt: skip
    assert check(founder, "custodians").ok
    await founder.registrar.append([d.DeviceRevoke(helpers[1].local.keys.kid, "lost")])
    assert not check(founder, "custodians").ok
    assert helpers[1].alias in check(founder, "custodians").say


async def test_two_people_can_compare_what_they_were_shown(shared: Town) -> None:
    one, other = await shared.device("security"), await shared.device("security")
    await one.sync()

    mine, theirs = check(one, "directory"), check(other, "directory")

    assert mine.value == theirs.value
    assert set(mine.value) == {"security", "police", "social_services"}
    assert len({found["fingerprint"] for found in mine.value.values()}) == 3
    assert all(found["fingerprint"] in mine.say for found in mine.value.values())


async def test_every_alarm_is_said_in_a_sentence(shared: Town) -> None:
    guard = await shared.device("security")
    codes = [*ALARMS, "bad_signature"]
    for number, code in enumerate(codes):
        guard.local.alarm(code, bytes([number]) * 32)

    alarms = check(guard, "alarms")

    assert not alarms.ok
    assert set(alarms.value) == set(codes)
    assert all(said in alarms.say for said in ALARMS.values())
    assert CATALOGUE["bad_signature"][1] in alarms.say


async def test_a_restored_server_and_an_unanswered_announcement_are_named(shared: Town) -> None:
    guard = await shared.device("security")
    guard.local.told_instance(b"another instance")
    assert not check(guard, "server").ok
    assert check(guard, "server").say == CATALOGUE["restoring"][1]
    await guard.sync()
    assert check(guard, "server").ok

    guard.local.store.put("announcement", b"waits", b"unanswered")
    assert not check(guard, "approved").ok
    assert "enrol again" in check(guard, "approved").say


async def test_keys_that_are_to_be_renewed_are_said_and_fail_nothing(shared: Town) -> None:
    guard, founder = await shared.device("security"), shared.founders["security"]
    other = await shared.device("security")
    await founder.registrar.append([d.DeviceRevoke(other.local.keys.kid, "lost")])
    with pytest.raises(Refused):
        await other.sync()
    assert "new key is due" not in check(guard, "rotation").say

    assert "field: a new key is due" in check(founder, "rotation").say
    assert check(founder, "rotation").ok


async def test_of_a_wiped_device_only_that_is_said(shared: Town) -> None:
    guard, founder = await shared.device("security"), shared.founders["security"]
    await founder.sync()
    await founder.registrar.append([d.DeviceRevoke(guard.local.keys.kid, "lost")])
    with pytest.raises(Refused):
        await guard.sync()

    (found,) = examine(guard)

    assert (found.name, found.ok, found.value) == ("wiped", False, 0)
    assert found.say == CATALOGUE["wiped"][1]
