"""A server that hides entries from one device, or shows two devices two histories.

The next report that somebody seals tells whoever reads it, who then seals nothing until the server has told the truth.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device
from sluss_client.crypto import SignKey
from sluss_client.keys import DeviceKeys
from sluss_client.outbox import State
from sluss_client.testing import Exchange
from sluss_schemas import directory as d
from sluss_schemas import manifest, membership
from sluss_schemas import sync as wire
from sluss_schemas.ids import AgencyId
from sluss_schemas.manifest import Head
from sluss_schemas.replay import Directory

from tests.hostile.scene import (
    Scene,
    append,
    codes,
    delivers,
    device_add,
    entries_after,
    items,
    kems,
    opened,
    reads,
    refuses,
    rotate,
    stranger,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

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


async def test_a_hidden_revocation_is_noticed_and_nothing_more_is_sealed_to_what_was_lost(scene: Scene) -> None:
    founder, guard, police = scene.town.founders["security"], scene.guard, scene.police
    lost = await scene.town.device("security")
    for device in (founder, guard, police):
        await device.sync()
    ring, own = dict(lost.local.ring.kems), founder.local.trust.own_id
    before = founder.local.trust.own.head
    await append(founder, d.DeviceRevoke(lost.local.keys.kid, "stolen"))
    await rotate(founder, guard)
    report = scene.file(guard)
    await guard.sync()

    scene.town.hostile.on("/v1/directory/pull", hides(own, before), police.local.keys.kid)
    # Until somebody speaks with the new directory, nobody can know.
    assert await refuses(police) == "directory_withheld"
    assert "directory_withheld" in codes(police)
    assert not reads(police, report)
    since = len(scene.town.hostile.seen)
    waiting = scene.file(police)
    assert await refuses(police) == "directory_withheld"
    row = police.local.outbox.head(waiting.id)
    assert row is not None
    assert row.state is State.FILED
    assert opened(scene.town, ring, since) == []

    scene.town.hostile.honest()
    assert (await police.sync()).sent == 1
    assert reads(police, report)
    assert codes(police) == set()
    await guard.sync()
    assert reads(guard, waiting)
    assert opened(scene.town, ring, since) == []


async def test_nothing_is_sealed_before_the_directories_of_the_very_sync_are_here(scene: Scene) -> None:
    founder, lost = scene.town.founders["security"], await scene.town.device("security")
    await founder.sync()
    await lost.sync()
    ring = dict(lost.local.ring.kems)
    await append(founder, d.DeviceRevoke(lost.local.keys.kid, "lost"))
    await rotate(founder, scene.guard)
    before = len(scene.town.hostile.seen)
    report = scene.file(scene.police)

    await scene.police.sync()

    assert opened(scene.town, ring, before) == []
    await scene.guard.sync()
    assert reads(scene.guard, report)


def a_pack(_device: Device) -> list[d.Body]:
    return [d.Peer(os.urandom(16), os.urandom(32), "", None)]


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


@dataclass
class Forked:
    """A guard who is shown a history that a registrar signed after their removal, and everybody else the true one."""

    scene: Scene
    guard: Device
    theirs: DeviceKeys
    fork: Directory
    entries: tuple[d.SignedEntry, ...]
    colluding: SignKey

    def shows(self) -> None:
        """Show it from now on."""
        own, fork = self.guard.local.trust.own_id, self.fork

        def other(exchange: Exchange) -> object:
            known = next(one.seq for one in exchange.asked.known if one.agency == own)
            chains = tuple(chain for chain in exchange.answer.chains if chain.agency != own)
            heads = tuple(fork.head if one.agency == own else one for one in exchange.answer.heads)
            given = membership.Chain(own, known + 1, self.entries[len(self.entries) - (fork.seq - known) :])
            return replace(exchange.answer, chains=(*chains, given), heads=heads)

        self.scene.town.hostile.on("/v1/directory/pull", other, self.guard.local.keys.kid)


@pytest_asyncio.fixture(loop_scope="session")
async def forked(scene: Scene) -> Forked:
    town, founder = scene.town, scene.town.founders["security"]
    guard, colluding = await town.device("security"), await town.device("security")
    # So that its feed is known, and what follows is new.
    scene.file()
    await scene.guard.sync()
    seeds = founder.registrar.root_seeds()
    assert seeds is not None
    root = SignKey(seeds[0])
    await append(founder, d.RegistrarAdd(colluding.local.keys.sign.public), key=root)
    for device in (guard, scene.guard, scene.police):
        await device.sync()
    fork, theirs, person = guard.local.trust.own.copy(), stranger(), os.urandom(16)
    await append(founder, d.RegistrarRemove(colluding.local.keys.kid), key=root)
    # Both go on to the same number, so that it is their hashes that tell.
    await append(founder, *(d.Peer(os.urandom(16), os.urandom(32), "", None) for _ in range(2)))
    supervisors = fork.audience_for("supervisors")
    assert supervisors is not None
    entries = entries_after(
        fork,
        colluding.local.keys.sign,
        d.PersonAdd(person, os.urandom(8).hex(), ("supervisors",), None, None),
        device_add(town, theirs, person),
        d.MemberAdd(supervisors.audience, theirs.kid, 1),
        *(d.Peer(os.urandom(16), os.urandom(32), "", None) for _ in range(founder.local.trust.own.seq - fork.seq - 3)),
    )
    for entry in entries:
        fork.append(entry)
    assert fork.seq == founder.local.trust.own.seq
    return Forked(scene, guard, theirs, fork, entries, colluding.local.keys.sign)


async def test_who_knows_of_the_removal_believes_nothing_that_was_signed_after_it(forked: Forked) -> None:
    scene, police = forked.scene, forked.scene.police
    await police.sync()
    true = police.local.trust.chains[scene.guard.local.trust.own_id]
    entries = entries_after(true, forked.colluding, d.Peer(os.urandom(16), os.urandom(32), "", None))

    def lie(exchange: Exchange) -> object:
        chain = membership.Chain(true.agency, true.seq + 1, entries)
        return replace(exchange.answer, chains=(chain,), heads=())

    with scene.lying("/v1/directory/pull", lie, police):
        assert await refuses(police) == "untrusted_directory"

    await police.sync()


async def test_who_is_shown_another_history_learns_of_it_from_the_next_report_and_seals_nothing(forked: Forked) -> None:
    scene, guard, colleague = forked.scene, forked.guard, forked.scene.guard
    await colleague.sync()
    report = scene.file(colleague)
    await colleague.sync()
    forked.shows()

    before = len(scene.town.hostile.seen)
    assert await refuses(guard) == "directory_fork"
    # It has taken the other history in, which held together by itself.
    assert guard.local.trust.own.head == forked.fork.head
    waiting = scene.file(guard)
    assert await refuses(guard) == "directory_fork"

    row = guard.local.outbox.head(waiting.id)
    assert row is not None
    assert row.state is State.FILED
    assert guard.get(waiting.id).situation
    assert not reads(guard, report)
    assert opened(scene.town, kems(forked.theirs), before) == []


async def test_who_reads_a_report_sealed_with_another_history_learns_of_it(forked: Forked) -> None:
    scene, guard, colleague = forked.scene, forked.guard, forked.scene.guard
    await colleague.sync()
    report = scene.file(guard)
    forked.shows()

    def stored(exchange: Exchange) -> object:
        """Say that it is stored: an honest server would not take it."""
        digests = [manifest.digest_of(item.manifest) for item in items(exchange)]
        now = colleague.now()
        return wire.PushAnswer(tuple(scene.town.hostile.receipt(one, wire.OutcomeCode.CREATED, now) for one in digests))

    scene.town.hostile.instead("/v1/push", stored, guard.local.keys.kid)
    before = len(scene.town.hostile.seen)
    await guard.sync()
    (item,) = (one for exchange in scene.town.hostile.seen[before:] for one in items(exchange))
    scene.town.hostile.on("/v1/pull", delivers(item, colleague), colleague.local.keys.kid)

    assert await refuses(colleague) == "directory_fork"
    assert "directory_fork" in codes(colleague)
    assert not reads(colleague, report)
    waiting = scene.file(colleague)
    assert await refuses(colleague) == "directory_fork"
    row = colleague.local.outbox.head(waiting.id)
    assert row is not None
    assert row.state is State.FILED
    # What was made up is gone with the lie, and the colleague goes on.
    scene.town.hostile.honest()
    await colleague.sync()
    assert (await colleague.sync()).waiting == 0
    assert not reads(colleague, report)
