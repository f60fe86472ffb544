"""The registrar's device: who it lets in, what it refuses, and that what it signs is stored before it is believed."""

from __future__ import annotations

import msgspec
import pytest

from sluss_client import Device, Invalid, Offline, Refused
from sluss_client.agency.founding import enrolment_of
from sluss_client.keys import DeviceKeys, DeviceSeeds
from sluss_client.testing import PASSPHRASE, Town
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas.invitation import read_code
from sluss_schemas.problems import SlussError

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def announce(code: str, **forged: bytes) -> DeviceKeys:
    """Enrol as a device would, with something forged; the server may refuse it already."""
    said, keys = read_code(code), DeviceKeys.of(DeviceSeeds.new())
    enrolment = msgspec.structs.replace(enrolment_of(said, keys), **forged)
    transport = Transport(said.server, keys)
    try:
        await transport.post_unsigned("/v1/enrolments", enrolment, type(None))
    except Invalid as problem:
        assert problem.code in {"bad_signature", "malformed"}  # noqa: PT017  # either place may refuse it
    finally:
        await transport.close()
    return keys


@pytest.mark.parametrize("forged", [{"mac": bytes(32)}, {"signature": bytes(64)}, {"sign_key": bytes(32)}])
async def test_who_does_not_hold_the_code_is_not_let_in_and_the_code_still_works(
    shared: Town, forged: dict[str, bytes]
) -> None:
    founder = shared.founders["security"]
    code = await founder.registrar.invite(["field"])
    before = set(founder.local.trust.own.devices)

    await announce(code, **forged)
    await founder.sync()
    assert set(founder.local.trust.own.devices) == before

    keys = await announce(code)
    await founder.sync()
    assert set(founder.local.trust.own.devices) == before | {keys.kid}


async def test_a_code_lets_one_device_in(shared: Town) -> None:
    founder = shared.founders["security"]
    code = await founder.registrar.invite(["field"])
    first = await announce(code)
    second = await announce(code)
    for _ in range(2):
        await founder.sync()

    devices = founder.local.trust.own.devices
    assert (first.kid in devices) != (second.kid in devices)


@pytest.mark.parametrize(
    ("functions", "scenes", "alias", "code"),
    [
        (["field"], ["no-such-square"], None, "unknown_scene"),
        (["reception"], None, None, "unknown_code"),
        (["astronauts"], None, None, "unknown_code"),
        (["field"], None, "S-1", "out_of_range"),
    ],
)
async def test_an_invitation_that_cannot_be_kept_is_not_made(
    shared: Town, functions: list[str], scenes: list[str] | None, alias: str | None, code: str
) -> None:
    with pytest.raises(Invalid) as problem:
        await shared.founders["security"].registrar.invite(functions, scenes, alias)  # type: ignore[arg-type]  # on purpose
    assert problem.value.code == code


async def test_only_a_registrars_device_has_a_registrars_acts(shared: Town) -> None:
    guard = await shared.device("security")

    with pytest.raises(Refused) as problem:
        _ = guard.registrar
    assert problem.value.code == "registrar_only"


async def test_only_the_founding_agency_adds_scenes(shared: Town) -> None:
    with pytest.raises(Refused) as problem:
        await shared.founders["police"].registrar.add_scenes([("bridge", "Bridge", "Bron")])
    assert problem.value.code == "not_allowed"

    assert await shared.founders["security"].registrar.add_scenes([("bridge", "Bridge", "Bron")]) == 1
    assert await shared.founders["security"].registrar.add_scenes([("bridge", "Bridge", "Bron")]) == 0


async def test_what_the_server_did_not_store_is_not_believed_here_either(shared: Town) -> None:
    founder = shared.founders["security"]
    assert shared.server is not None
    before = founder.local.trust.own.head
    shared.server.stop()
    with pytest.raises(Offline):
        await founder.registrar.append([d.PersonAdd(b"n" * 16, "S-99", ("field",), None, None)])
    shared.server.start()

    assert founder.local.trust.own.head == before
    await founder.sync()
    assert founder.local.trust.own.head == before


async def test_an_act_on_an_old_directory_conflicts_and_changes_nothing(shared: Town) -> None:
    founder = shared.founders["security"]
    twin = await shared.reopen(founder)
    shared.founders["security"] = twin
    stale = await Device.open(twin.path, PASSPHRASE)
    try:
        await twin.registrar.append([d.PersonAdd(b"t" * 16, "S-71", ("field",), None, None)])
        with pytest.raises(SlussError) as problem:
            await stale.registrar.append([d.PersonAdd(b"s" * 16, "S-72", ("field",), None, None)])
        assert problem.value.code == "directory_conflict"
    finally:
        await stale.close()
    aliases = {person.alias for person in twin.local.trust.own.persons.values()}
    assert "S-71" in aliases
    assert "S-72" not in aliases


async def test_a_newcomer_whose_approval_was_answered_by_nobody_is_in_once_and_the_code_is_used() -> None:
    async with Town(agencies=("security",), hostile=True) as town:
        founder = town.founders["security"]
        code = await founder.registrar.invite(["field"], name="Anna")
        keys = await announce(code)
        with town.hostile.lying("/v1/directory", lambda _exchange: b"\xc1"), pytest.raises(Offline):
            await founder.sync()
        own = founder.local.trust.own
        assert keys.kid not in own.devices

        with pytest.raises(Invalid) as problem:
            await Device.enrol(town.folder / "second.sluss", code, PASSPHRASE)
        assert problem.value.code == "invite_used"
        await founder.sync()

        own = founder.local.trust.own
        field = own.audience_for("field")
        assert field is not None
        assert keys.kid in field.members
        assert len(own.persons) == 2
        assert {one.name for one in founder.people()} == {None, "Anna"}
        assert founder.local.alarms() == []


async def test_roots_leave_the_device_when_they_are_in_the_safe(shared: Town) -> None:
    registrar = shared.founders["police"].registrar
    seeds = registrar.root_seeds()
    assert seeds is not None
    assert {len(seed) for seed in seeds} == {32}

    registrar.forget_root()

    assert registrar.root_seeds() is None
