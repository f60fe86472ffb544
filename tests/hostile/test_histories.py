"""A server that hides entries from one device, or shows two devices two histories: the next report that one of them
seals tells the other, which then seals nothing until it has been told the truth.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec
import pytest

from sluss_client import Device
from sluss_client.outbox import State
from sluss_client.testing import Exchange, Town
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import AgencyId, Kid
from sluss_schemas.manifest import Head

from tests.hostile.scene import (
    AGENCIES,
    Scene,
    append,
    codes,
    device_add,
    entries_after,
    kems,
    opened,
    reads,
    refuses,
    rotate,
    stranger,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

replace = msgspec.structs.replace


def hides(agency: AgencyId, head: Head) -> Callable[[Exchange], object]:
    """Show an agency's chain up to this head and say that it ends there."""

    def lie(exchange: Exchange) -> object:
        chains = tuple(
            replace(chain, entries=chain.entries[: max(head.seq + 1 - chain.first, 0)])
            if chain.agency == agency
            else chain
            for chain in exchange.answer.chains
        )
        heads = tuple(head if one.agency == agency else one for one in exchange.answer.heads)
        return replace(exchange.answer, chains=chains, heads=heads)

    return lie


async def test_a_hidden_revocation_is_noticed_and_nothing_more_is_sealed_to_what_was_lost() -> None:
    async with Town(agencies=AGENCIES, hostile=True) as town:
        founder, guard, police = town.founders["security"], await town.device("security"), await town.device("police")
        scene, lost = Scene(town, guard, police), await town.device("security")
        for device in (founder, guard, police):
            await device.sync()
        ring, own = dict(lost.local.ring.kems), founder.local.trust.own_id
        before = founder.local.trust.own.head
        await append(founder, d.DeviceRevoke(lost.local.keys.kid, "stolen"))
        await rotate(founder, guard)
        sealed_before = scene.file(guard)
        await guard.sync()

        town.hostile.on("/v1/directory/pull", hides(own, before), police.local.keys.kid)
        # Until somebody speaks with the new directory, nobody can know.
        assert await refuses(police) == "directory_withheld"
        assert "directory_withheld" in codes(police)
        assert not reads(police, sealed_before)
        since = len(town.hostile.seen)
        waiting = scene.file(police)
        assert await refuses(police) == "directory_withheld"
        row = police.local.outbox.head(waiting.id)
        assert row is not None
        assert row.state is State.FILED
        assert opened(town, ring, since) == []

        town.hostile.honest()
        assert (await police.sync()).sent == 1
        assert reads(police, sealed_before)
        assert codes(police) == set()
        await guard.sync()
        assert reads(guard, waiting)
        assert opened(town, ring, since) == []


def a_pack(_device: Device) -> list[d.Body]:
    return [d.PackInForce(os.urandom(32))]


def a_removal(device: Device) -> list[d.Body]:
    audience = device.local.trust.own.audience_for("field")
    assert audience is not None
    (member, *_) = (kid for kid in audience.members if kid != device.local.keys.kid)
    return [d.MemberRemove(audience.audience, member), d.MemberAdd(audience.audience, member, 1)]


def the_end_of_an_agreement(device: Device) -> list[d.Body]:
    peer = next(iter(device.local.trust.own.peers.values()))
    return [replace(peer, until=device.now() + 10**8)]


def a_scene(_device: Device) -> list[d.Body]:
    return [d.Scene(40 + os.urandom(1)[0], os.urandom(4).hex(), "New", "Ny", None, "confirmed")]


HIDDEN: dict[str, Callable[[Device], list[d.Body]]] = {
    "a pack, so that the old one is replayed": a_pack,
    "that somebody was removed": a_removal,
    "the end of an agreement": the_end_of_an_agreement,
    "a scene": a_scene,
}


@pytest.mark.parametrize("name", HIDDEN)
async def test_whatever_is_hidden_is_named_at_the_next_report_and_comes_with_it(scene: Scene, name: str) -> None:
    founder = scene.town.founders["security"]
    before = founder.local.trust.own.head
    await append(founder, *HIDDEN[name](founder))
    report = scene.file()
    await scene.guard.sync()
    mine = scene.file(scene.police)

    with scene.lying("/v1/directory/pull", hides(founder.local.trust.own_id, before), scene.police):
        # What was sealed before the news came could not know.
        assert await refuses(scene.police) == "directory_withheld"
        second = scene.file(scene.police)
        assert await refuses(scene.police) == "directory_withheld"
        assert scene.police.local.outbox.head(second.id).state is State.FILED  # type: ignore[union-attr]  # just filed

    assert not reads(scene.police, report)
    await scene.police.sync()
    assert reads(scene.police, report)
    assert codes(scene.police) == set()
    await scene.guard.sync()
    assert all(reads(scene.guard, one) for one in (mine, second))


async def test_entries_that_a_report_proves_are_asked_for_and_a_race_is_no_alarm(scene: Scene) -> None:
    founder = scene.town.founders["security"]
    before = founder.local.trust.own.head
    await append(founder, *a_pack(founder))
    report = scene.file()
    await scene.guard.sync()
    asked = 0

    def late(exchange: Exchange) -> object:
        """Answer once as if the entry had been made in the moment after."""
        nonlocal asked
        asked += 1
        return hides(founder.local.trust.own_id, before)(exchange) if asked == 1 else exchange.answer

    with scene.lying("/v1/directory/pull", late, scene.police):
        result = await scene.police.sync()

    assert (asked, result.alarms, codes(scene.police)) == (2, 0, set())
    assert reads(scene.police, report)


async def test_two_histories_made_with_a_removed_registrars_key_are_noticed_on_both_sides() -> None:
    async with Town(agencies=AGENCIES, hostile=True) as town:
        founder, guard = town.founders["security"], await town.device("security")
        police, colluding = await town.device("police"), await town.device("security")
        scene, theirs, own = Scene(town, guard, police), stranger(), founder.local.trust.own_id
        seeds = founder.registrar.root_seeds()
        assert seeds is not None
        root = type(colluding.local.keys.sign)(seeds[0])
        await append(founder, d.RegistrarAdd(colluding.local.keys.sign.public), key=root)
        for device in (guard, police, colluding):
            await device.sync()
        fork = guard.local.trust.own.copy()
        await append(founder, d.RegistrarRemove(colluding.local.keys.kid), key=root)
        # The guard is shown a history in which the removed registrar adds the attacker's device to the supervisors.
        person = os.urandom(16)
        supervisors = fork.audience_for("supervisors")
        assert supervisors is not None
        forged = entries_after(
            fork,
            colluding.local.keys.sign,
            d.PersonAdd(person, "X-1", ("supervisors",), None, None),
            device_add(town, theirs, person),
            d.MemberAdd(supervisors.audience, theirs.kid, 1),
        )
        for entry in forged:
            fork.append(entry)

        def other(exchange: Exchange) -> object:
            known = next(one.seq for one in exchange.asked.known if one.agency == own)
            chains = tuple(chain for chain in exchange.answer.chains if chain.agency != own)
            rest = forged[max(len(forged) - (fork.seq - known), 0) :]
            heads = tuple(fork.head if one.agency == own else one for one in exchange.answer.heads)
            return replace(exchange.answer, chains=(*chains, membership.Chain(own, known + 1, rest)), heads=heads)

        founders_report = scene.file(founder)
        await founder.sync()
        town.hostile.on("/v1/directory/pull", other, guard.local.keys.kid)
        before = len(town.hostile.seen)
        assert await refuses(guard) == "directory_fork"
        # It has taken the other history, which held together by itself; from now on it seals nothing to it.
        assert guard.local.trust.own.head == fork.head
        waiting = scene.file(guard)
        assert await refuses(guard) == "directory_fork"
        row = guard.local.outbox.head(waiting.id)
        assert row is not None
        assert row.state is State.FILED
        assert not reads(guard, founders_report)
        assert opened(town, kems(theirs), before) == []
        assert Kid(theirs.kid) in fork.devices
        assert guard.get(waiting.id).situation


async def test_a_report_sealed_with_another_history_is_kept_out_and_its_reader_stops_sealing(scene: Scene) -> None:
    report = scene.file()
    await scene.guard.sync()
    mine = scene.file(scene.police)

    def other(exchange: Exchange) -> object:
        """Say, with a digest that fits, that the report was sealed with another history; only a member could."""
        return exchange.answer

    genuine = scene.police.local.trust.chains[scene.guard.local.trust.own_id].hashes
    seq = len(genuine) - 1
    kept, genuine[seq] = genuine[seq], type(genuine[seq])(bytes(32))
    try:
        with scene.lying("/v1/pull", other, scene.police):
            code = await refuses(scene.police)
    finally:
        genuine[seq] = kept

    assert code == "directory_fork"
    assert not reads(scene.police, report)
    await scene.police.sync()
    assert reads(scene.police, report)
    await scene.guard.sync()
    assert reads(scene.guard, mine)
