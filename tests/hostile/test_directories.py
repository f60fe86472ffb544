"""A server that adds to a directory, leaves out of it or moves in it: nobody believes it, and nothing is sealed.

Each forgery is shown to a colleague in the agency and to a reader in another one, signed with each key that the one
who forges may have; what was filed meanwhile waits, and leaves once the server is honest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import msgspec
import pytest

from sluss_client.crypto import SignKey
from sluss_client.keys import DeviceKeys
from sluss_client.outbox import State
from sluss_client.testing import Exchange
from sluss_schemas import directory as d
from sluss_schemas import manifest, membership
from sluss_schemas.ids import AgencyId
from sluss_schemas.replay import Directory

from tests.hostile.scene import (
    Scene,
    append,
    codes,
    device_add,
    entries_after,
    kems,
    opened,
    reads,
    refuses,
    stranger,
    waits,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

replace = msgspec.structs.replace


def chain_of(scene: Scene, agency: str) -> Directory:
    return scene.town.founders[agency].local.trust.own


def shows(agency: AgencyId, entries: tuple[d.SignedEntry, ...], first: int) -> Callable[[Exchange], object]:
    """Add entries to an agency's chain, and say that there are no others."""

    def lie(exchange: Exchange) -> object:
        chains = tuple(chain for chain in exchange.answer.chains if chain.agency != agency)
        return replace(exchange.answer, chains=(*chains, membership.Chain(agency, first, entries)), heads=())

    return lie


Forge = Callable[[Scene, DeviceKeys, Directory], list[d.Body]]


def a_member(scene: Scene, theirs: DeviceKeys, chain: Directory) -> list[d.Body]:
    person = os.urandom(16)
    audience = chain.audience_for("field")
    assert audience is not None
    return [
        d.PersonAdd(person, "X-1", ("field",), None, None),
        device_add(scene.town, theirs, person),
        d.MemberAdd(audience.audience, theirs.kid, 1),
    ]


def a_device(scene: Scene, theirs: DeviceKeys, chain: Directory) -> list[d.Body]:
    return [device_add(scene.town, theirs, next(iter(chain.persons)))]


def a_registrar(_scene: Scene, theirs: DeviceKeys, _chain: Directory) -> list[d.Body]:
    return [d.RegistrarAdd(theirs.sign.public)]


def an_epoch(_scene: Scene, theirs: DeviceKeys, chain: Directory) -> list[d.Body]:
    audience = chain.audience_for("field")
    assert audience is not None
    members = tuple(sorted(audience.members))
    number = len(audience.epochs) + 1
    return [
        d.Epoch(audience.audience, number, manifest.SUITE, theirs.kem.public, theirs.sign.public, bytes(32), members)
    ]


def an_epoch_for_others(scene: Scene, theirs: DeviceKeys, chain: Directory) -> list[d.Body]:
    (body,) = an_epoch(scene, theirs, chain)
    return [replace(body, devices=(theirs.kid,))]


def a_peer(_scene: Scene, theirs: DeviceKeys, _chain: Directory) -> list[d.Body]:
    return [d.Peer(os.urandom(16), hashlib.sha256(theirs.sign.public).digest(), "", None)]


def a_root(_scene: Scene, theirs: DeviceKeys, _chain: Directory) -> list[d.Body]:
    return [d.RootRotate(theirs.sign.public, bytes(32))]


def an_instance(_scene: Scene, _theirs: DeviceKeys, _chain: Directory) -> list[d.Body]:
    return [d.Instance(os.urandom(16))]


def a_pack(_scene: Scene, _theirs: DeviceKeys, _chain: Directory) -> list[d.Body]:
    return [d.Peer(os.urandom(16), os.urandom(32), "", None)]


def a_rehabilitation(scene: Scene, theirs: DeviceKeys, chain: Directory) -> list[d.Body]:
    return [d.RegistrarAdd(scene.guard.local.keys.sign.public), *a_member(scene, theirs, chain)]


FORGERIES: dict[str, Forge] = {
    "a member": a_member,
    "a device": a_device,
    "a registrar": a_registrar,
    "a key of its own": an_epoch,
    "a key for others than the members": an_epoch_for_others,
    "a peer": a_peer,
    "a root": a_root,
    "an instance": an_instance,
    "a pack": a_pack,
    "a right for somebody who has none": a_rehabilitation,
}
Key = Callable[[Scene, DeviceKeys], SignKey]
KEYS: dict[str, Key] = {
    "its own key": lambda _scene, theirs: theirs.sign,
    "a colleague's key": lambda scene, _theirs: scene.guard.local.keys.sign,
    "another agency's registrar's key": lambda scene, _theirs: scene.town.founders["police"].local.keys.sign,
}
NOT_EVEN = {"a registrar", "a root", "a right for somebody who has none", "a key for others than the members"}
"""What the own registrar's key has no right to, either."""
CASES = [(what, key) for what in FORGERIES for key in KEYS] + [(what, "the registrar's key") for what in NOT_EVEN]
KEYS["the registrar's key"] = lambda scene, _theirs: scene.town.founders["security"].local.keys.sign


@pytest.mark.parametrize(("what", "key"), sorted(CASES))
async def test_what_nobody_with_the_right_signed_is_refused_and_nothing_is_sealed_to_it(
    scene: Scene, what: str, key: str
) -> None:
    for device in (scene.town.founders["security"], scene.guard, scene.police):
        await device.sync()
    theirs, chain = stranger(), chain_of(scene, "security")
    bodies = FORGERIES[what](scene, theirs, chain)
    entries = entries_after(chain, KEYS[key](scene, theirs), *bodies)
    heads = {device: device.local.trust.heads(device.now()) for device in (scene.guard, scene.police)}
    reports = {device: scene.file(device) for device in heads}

    for device, report in reports.items():
        with scene.lying("/v1/directory/pull", shows(chain.agency, entries, chain.seq + 1), device):
            assert await refuses(device) == "untrusted_directory"
        assert device.local.trust.heads(device.now()) == heads[device]
        assert waits(device, report)
        row = device.local.outbox.head(report.id)
        assert row is not None
        assert row.state is State.FILED
    assert opened(scene.town, kems(theirs)) == []
    for device in heads:
        assert (await device.sync()).waiting == 0
    await scene.police.sync()
    assert reads(scene.police, reports[scene.guard])
    assert opened(scene.town, kems(theirs)) == []


Change = Callable[[tuple[d.SignedEntry, ...]], tuple[int, tuple[d.SignedEntry, ...]]]
MOVED: dict[str, tuple[Change, str]] = {
    "the first is left out": (lambda entries: (1, entries[1:]), "directory_gap"),
    "the first is left out and denied": (lambda entries: (0, entries[1:]), "directory_gap"),
    "one in the middle is left out": (lambda entries: (0, (entries[0], *entries[2:])), "directory_gap"),
    "in another order": (lambda entries: (0, entries[::-1]), "directory_gap"),
    "one twice": (lambda entries: (0, (entries[0], *entries)), "untrusted_directory"),
    "old ones again": (lambda entries: (-1, entries), "untrusted_directory"),
    "one swapped": (
        lambda entries: (0, (entries[0], replace(entries[1], entry=entries[2].entry), *entries[2:])),
        "directory_gap",
    ),
    "a signature swapped": (
        lambda entries: (0, (entries[0], replace(entries[1], signature=entries[2].signature), *entries[2:])),
        "untrusted_directory",
    ),
    "the last is left out": (lambda entries: (0, entries[:-1]), "directory_withheld"),
    "all are left out": (lambda _entries: (0, ()), "directory_withheld"),
}


@pytest.mark.parametrize("name", MOVED)
async def test_entries_that_are_moved_or_left_out_are_named_and_nothing_is_sealed(scene: Scene, name: str) -> None:
    change, code = MOVED[name]
    founder = scene.town.founders["security"]
    agency = founder.local.trust.own_id
    await append(founder, *(d.PersonAdd(os.urandom(16), os.urandom(8).hex(), (), None, None) for _ in range(3)))
    report, before = scene.file(), scene.guard.local.trust.own.head

    def lie(exchange: Exchange) -> object:
        chains = []
        for chain in exchange.answer.chains:
            if chain.agency == agency:
                first, entries = change(chain.entries)
                chains.append(replace(chain, first=chain.first + first, entries=entries))
            else:
                chains.append(chain)
        return replace(exchange.answer, chains=tuple(chains))

    with scene.lying("/v1/directory/pull", lie, scene.guard):
        assert await refuses(scene.guard) == code

    # Of what was refused nothing is believed, not even its good beginning; what was only cut short is.
    assert (scene.guard.local.trust.own.head == before) == (code != "directory_withheld" or name.startswith("all"))
    assert waits(scene.guard, report)
    assert (await scene.guard.sync()).sent == 1
    assert scene.guard.local.trust.own.head == founder.local.trust.own.head
    assert codes(scene.guard) == set()


async def test_a_registrars_entry_that_follows_another_one_is_refused(scene: Scene) -> None:
    founder, own = scene.town.founders["security"], scene.guard.local.trust.own.copy()
    own.hash = type(own.hash)(bytes(32))
    entries = entries_after(own, founder.local.keys.sign, d.Peer(os.urandom(16), os.urandom(32), "", None))
    report = scene.file()

    with scene.lying("/v1/directory/pull", shows(own.agency, entries, own.seq + 1), scene.guard):
        assert await refuses(scene.guard) == "untrusted_directory"

    assert scene.guard.local.trust.own.seq == own.seq
    assert waits(scene.guard, report)
    assert (await scene.guard.sync()).sent == 1


async def test_another_partnerships_chain_is_refused(scene: Scene) -> None:
    theirs = stranger()
    genesis = d.Genesis(
        os.urandom(16),
        "elsewhere",
        "POL",
        "Elsewhere",
        "Annanstans",
        registry=True,
        root=theirs.sign.public,
        next_root=bytes(32),
        checkpoint=bytes(32),
    )
    entries = entries_after(Directory(), theirs.sign, genesis, time=scene.guard.now())
    other = Directory()
    other.append(entries[0])
    report = scene.file()

    with scene.lying("/v1/directory/pull", shows(other.agency, entries, 0), scene.guard):
        assert await refuses(scene.guard) == "untrusted_directory"

    assert waits(scene.guard, report)
    assert other.agency not in scene.guard.local.trust.chains
    assert (await scene.guard.sync()).sent == 1


async def test_an_agency_that_nobody_pinned_is_no_reader_and_no_author(scene: Scene) -> None:
    theirs, person = stranger(), os.urandom(16)
    audience = os.urandom(16)
    bodies: list[d.Body] = [
        d.Genesis(
            scene.guard.local.config.partnership,
            "social_services",
            "SOC",
            "Social services",
            "Socialtjänsten",
            registry=False,
            root=theirs.sign.public,
            next_root=bytes(32),
            checkpoint=bytes(32),
        ),
        *(d.PackInForce(digest, begins) for digest, begins in scene.guard.local.trust.own.packs.items()),
        d.AudienceCreate(audience, "field"),
        d.PersonAdd(person, "F-1", ("field",), None, None),
        device_add(scene.town, theirs, person),
        d.MemberAdd(audience, theirs.kid, 1),
        d.Epoch(audience, 1, manifest.SUITE, stranger().kem.public, stranger().sign.public, bytes(32), (theirs.kid,)),
    ]
    entries = entries_after(Directory(), theirs.sign, *bodies, time=scene.guard.now())
    made_up = Directory()
    for entry in entries:
        made_up.append(entry)
    report = scene.file()

    with scene.lying("/v1/directory/pull", shows(made_up.agency, entries, 0), scene.guard):
        assert (await scene.guard.sync()).sent == 1

    now = scene.guard.now()
    assert scene.guard.local.trust.agency(made_up.agency, now) is None
    assert made_up.head not in scene.guard.local.trust.heads(now)
    assert opened(scene.town, kems(theirs)) == []
    await scene.police.sync()
    assert reads(scene.police, report)
    del scene.guard.local.trust.chains[made_up.agency]


def with_heads(change: Callable[[manifest.Head], manifest.Head]) -> Callable[[Exchange], object]:
    return lambda exchange: replace(exchange.answer, heads=tuple(map(change, exchange.answer.heads)))


HEADS: dict[str, tuple[Callable[[manifest.Head], manifest.Head], str]] = {
    "more than it gives": (lambda head: replace(head, seq=head.seq + 1), "directory_withheld"),
    "another history": (lambda head: replace(head, hash=bytes(32)), "directory_fork"),
    "another history long ago": (lambda head: replace(head, seq=1), "directory_fork"),
}


@pytest.mark.parametrize("name", HEADS)
async def test_a_server_that_says_that_it_has_other_entries_is_named(scene: Scene, name: str) -> None:
    change, code = HEADS[name]
    report = scene.file()

    with scene.lying("/v1/directory/pull", with_heads(change), scene.guard):
        assert await refuses(scene.guard) == code

    assert code in codes(scene.guard)
    assert waits(scene.guard, report)
    assert (await scene.guard.sync()).sent == 1
    assert codes(scene.guard) == set()


async def test_entries_that_the_server_has_lost_without_a_restore_are_an_alarm_and_stay(scene: Scene) -> None:
    own = scene.guard.local.trust.own
    seq = own.seq - 1

    def shorter(head: manifest.Head) -> manifest.Head:
        return replace(head, seq=seq, hash=own.hashes[seq]) if head.agency == own.agency else head

    with scene.lying("/v1/directory/pull", with_heads(shorter), scene.guard):
        await scene.guard.sync()

    assert "directory_lost" in codes(scene.guard)
    assert scene.guard.local.trust.own.head == own.head


async def test_the_server_cannot_enrol_itself_with_somebodys_code(scene: Scene) -> None:
    founder = scene.town.founders["security"]
    await founder.registrar.invite(["field"])
    theirs = stranger()
    asked = scene.town.hostile.seen[-1].asked
    assert isinstance(asked, membership.Invitation)
    message = d.enrolment_message(founder.local.config.partnership, asked.invite, theirs.sign.public, theirs.kem.public)
    made = membership.Enrolment(
        founder.local.config.partnership,
        asked.invite,
        theirs.sign.public,
        theirs.kem.public,
        theirs.sign.sign(message),
        os.urandom(32),
    )

    with scene.lying("/v1/enrolments", lambda _exchange: membership.Enrolments((made,)), founder):
        await founder.sync()

    assert theirs.kid not in founder.local.trust.own.devices
