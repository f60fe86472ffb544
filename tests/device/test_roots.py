"""The root key from the safe: who is a registrar, a new root when the old one is lost, and no key lost on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sluss_client import Device, Invalid, Offline, Refused
from sluss_client.agency import registrar
from sluss_client.crypto import SignKey
from sluss_client.testing import Town
from sluss_client.testing.hostile import Exchange
from sluss_schemas import directory as d

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Safes:
    """What lies in the two safes."""

    def __init__(self, root: bytes, following: bytes) -> None:
        """Put both in."""
        self.root = root
        self.following = following


@pytest_asyncio.fixture(loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """Guards, and somebody between them and the server who can lose an answer."""
    async with Town(agencies=("security",), hostile=True) as built:
        yield built


@pytest.fixture
def safes(town: Town) -> Safes:
    """The founder's root keys, which the device has forgotten."""
    seeds = town.founders["security"].registrar.root_seeds()
    assert seeds is not None
    town.founders["security"].registrar.forget_root()
    return Safes(*seeds)


def lost(_exchange: Exchange) -> bytes:
    """Give an answer that cannot be read."""
    return b"\xc1"


async def never_arrives(town: Town, device: Device, following: bytes) -> None:
    """Say a rotation where the server does not hear of it."""
    town.hostile.instead("/v1/directory", lost)
    with pytest.raises(Offline):
        await device.roots.rotate(following)
    town.hostile.honest()


def commits(device: Device, seed: bytes) -> bool:
    return device.local.trust.own.next_root == hashlib.sha256(SignKey(seed).public).digest()


def codes(problem: pytest.ExceptionInfo[Invalid]) -> str:
    return problem.value.code


async def test_any_colleagues_device_makes_a_registrar_with_the_root_key_when_the_only_one_is_gone(
    town: Town, safes: Safes
) -> None:
    anna, bo = await town.device("security"), await town.device("security")
    await anna.sync()

    for wrong in (safes.following, bytes(32)):
        with pytest.raises(Invalid) as problem:
            await anna.roots.add_registrar(wrong, bo.alias)
        assert codes(problem) == "wrong_root_key"
    await anna.roots.add_registrar(safes.root, bo.alias)
    await bo.sync()

    # Bo goes on without the founder, who may be removed now.
    await bo.registrar.leave(town.founders["security"].alias)
    await bo.registrar.invite(["field"])
    with pytest.raises(Invalid) as problem:
        await anna.roots.remove_registrar(safes.root, bo.alias)
    assert codes(problem) == "directory_conflict"
    await anna.sync()
    with pytest.raises(Invalid) as problem:
        await anna.roots.remove_registrar(safes.root, bo.alias)
    assert codes(problem) == "last_registrar"


async def test_a_registrar_who_is_removed_signs_nothing_any_more(town: Town, safes: Safes) -> None:
    founder, bo = town.founders["security"], await town.device("security")
    await founder.roots.add_registrar(safes.root, bo.alias)
    await bo.sync()
    await bo.registrar.append([d.PersonAdd(b"n" * 16, "S-71", (), None, None)])
    await founder.sync()
    await founder.roots.remove_registrar(safes.root, bo.local.keys.kid.hex()[:8])

    # Bo's device has not heard of it yet; the server has.
    with pytest.raises(Invalid) as problem:
        await bo.registrar.suspend(founder.alias)
    assert codes(problem) == "directory_conflict"
    await bo.sync()
    with pytest.raises(Refused) as refused:
        _ = bo.registrar
    assert refused.value.code == "registrar_only"


async def test_somebody_whose_last_day_has_passed_does_not_count_as_the_registrar_who_stays(
    town: Town, safes: Safes
) -> None:
    founder, bo = town.founders["security"], await town.device("security")
    await founder.roots.add_registrar(safes.root, bo.alias)
    await founder.registrar.change(bo.alias, valid_until=int(town.clock.now().timestamp()) + 60)
    town.clock.advance(hours=1)

    with pytest.raises(Invalid) as problem:
        await founder.roots.remove_registrar(safes.root, founder.alias)
    assert codes(problem) == "last_registrar"


async def test_a_lost_root_is_replaced_by_the_next_and_is_worth_nothing_afterwards(town: Town, safes: Safes) -> None:
    founder, bo = town.founders["security"], await town.device("security")
    with pytest.raises(Invalid) as problem:
        await founder.roots.rotate(safes.root)
    assert codes(problem) == "wrong_root_key"
    assert founder.registrar.root_seeds() is None

    await founder.roots.rotate(safes.following)

    seeds = founder.registrar.root_seeds()
    assert seeds is not None
    assert seeds[0] == b""
    assert commits(founder, seeds[1])
    founder.registrar.forget_root()
    with pytest.raises(Invalid) as problem:
        await founder.roots.add_registrar(safes.root, bo.alias)
    assert codes(problem) == "wrong_root_key"
    await founder.roots.add_registrar(safes.following, bo.alias)
    await founder.roots.rotate(seeds[1])
    # The fingerprint by which others have pinned the agency is the first root's, and stays.
    assert founder.local.trust.own.root_fingerprint == hashlib.sha256(SignKey(safes.root).public).digest()


async def test_the_key_after_a_new_root_outlives_an_answer_that_was_lost(town: Town, safes: Safes) -> None:
    founder = town.founders["security"]
    with town.hostile.lying("/v1/directory", lost, founder.local.keys.kid), pytest.raises(Offline):
        await founder.roots.rotate(safes.following)

    # Nobody knows here yet whether it was stored, so there is nothing for a safe.
    kept = registrar.kept_root(founder.local)
    assert kept is not None
    assert founder.registrar.root_seeds() is None
    founder = town.founders["security"] = await town.reopen(founder)
    await founder.sync()
    entries = founder.local.trust.own.seq

    await founder.roots.rotate(safes.following)

    assert founder.registrar.root_seeds() == kept
    assert commits(founder, kept[1])
    assert founder.local.trust.own.seq == entries


async def test_a_rotation_that_never_arrived_is_made_with_the_same_key_when_it_is_said_again(
    town: Town, safes: Safes
) -> None:
    founder = town.founders["security"]
    await never_arrives(town, founder, safes.following)
    kept = registrar.kept_root(founder.local)
    await founder.sync()
    assert founder.registrar.root_seeds() is None

    await founder.roots.rotate(safes.following)

    assert founder.registrar.root_seeds() == kept


async def test_a_key_that_another_devices_rotation_has_overtaken_goes_into_no_safe(town: Town, safes: Safes) -> None:
    founder, anna = town.founders["security"], await town.device("security")
    await anna.sync()
    await never_arrives(town, founder, safes.following)
    await anna.roots.rotate(safes.following)
    seeds = registrar.root_seeds(anna.local)
    assert seeds is not None

    await founder.sync()

    assert founder.registrar.root_seeds() is None
    with pytest.raises(Invalid) as problem:
        await founder.roots.rotate(safes.following)
    assert codes(problem) == "wrong_root_key"
    await founder.roots.rotate(seeds[1])
    shown = founder.registrar.root_seeds()
    assert shown is not None
    assert commits(founder, shown[1])
