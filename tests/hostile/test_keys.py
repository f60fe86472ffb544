"""A server that gives keys of its own, old ones, somebody else's or none: none is taken, and nothing sealed to them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device
from sluss_client.keyring import rotation
from sluss_client.keys import DeviceKeys, HeldEpoch, wrap_epoch
from sluss_client.testing import Exchange
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import Audience
from sluss_schemas.ids import Kid

from tests.hostile.scene import Scene, codes, kems, opened, reads, rotate, stranger, waits

pytestmark = pytest.mark.asyncio(loop_scope="session")

replace = msgspec.structs.replace


def field_of(device: Device) -> Audience:
    audience = device.local.trust.own.audience_for("field")
    assert audience is not None
    return audience


@dataclass
class Rotated:
    """A guard's agency right after a rotation, before the guard has the new key."""

    scene: Scene
    theirs: DeviceKeys

    @property
    def guard(self) -> Device:
        return self.scene.guard

    @property
    def audience(self) -> Audience:
        return field_of(self.scene.town.founders["security"])

    def made(self, secret: bytes, *, whole: bool = True) -> d.EpochWrap:
        """Return a wrap of any secret that opens on the guard's device."""
        held = HeldEpoch(self.audience.audience, len(self.audience.epochs), secret, whole=whole)
        keys = self.guard.local.keys
        return wrap_epoch(held, self.guard.local.trust.own_id, keys.kid, keys.kem.public, whole=whole)

    def old(self) -> d.EpochWrap:
        """Return the guard's wrap of the epoch before."""
        answers = self.scene.town.hostile.answers("/v1/keys/pull", self.guard.local.keys.kid)
        epoch = len(self.audience.epochs) - 1
        found: list[d.EpochWrap] = [one.wrap for answer in answers for one in answer.wraps if one.epoch == epoch]
        return found[0]

    def colleagues(self) -> d.EpochWrap:
        """Return the founder's wrap of this very epoch."""
        seen = (one.asked for one in self.scene.town.hostile.seen)
        sets = (one for asked in seen if isinstance(asked, membership.DirectoryAppend) for one in asked.wraps)
        founder = self.scene.town.founders["security"].local.keys.kid
        return [wrap for one in sets for wrap in one.wraps if wrap.device == founder and wrap.whole][-1]


@pytest_asyncio.fixture(loop_scope="session")
async def rotated(scene: Scene) -> AsyncIterator[Rotated]:
    await scene.guard.sync()
    await rotate(scene.town.founders["security"])
    yield Rotated(scene, stranger())
    await scene.guard.sync()


Give = Callable[[Rotated], d.EpochWrap | None]
WRAPS: dict[str, tuple[Give, str]] = {
    "none": (lambda _: None, "left_out"),
    "one of its own making": (lambda at: at.made(os.urandom(32)), "epoch_differs"),
    "the signing key alone, of its own making": (lambda at: at.made(os.urandom(32), whole=False), "left_out"),
    "the epoch before": (lambda at: at.old(), "bad_epoch_wrap"),
    "the epoch before, sealed as this one": (
        lambda at: at.made(at.guard.local.ring.epochs[at.audience.audience, len(at.audience.epochs) - 1].secret),
        "epoch_differs",
    ),
    "a colleague's": (lambda at: at.colleagues(), "bad_epoch_wrap"),
    "a colleague's, said to be this device's": (
        lambda at: replace(at.colleagues(), device=at.guard.local.keys.kid),
        "bad_epoch_wrap",
    ),
    "noise": (lambda at: replace(at.old(), wrap=os.urandom(1168)), "bad_epoch_wrap"),
}


@pytest.mark.parametrize("name", WRAPS)
async def test_a_key_that_is_not_the_directorys_is_not_taken_and_nothing_is_signed_or_sealed_with_it(
    rotated: Rotated, name: str
) -> None:
    give, code = WRAPS[name]
    scene, guard = rotated.scene, rotated.guard
    epoch = len(rotated.audience.epochs)
    wrap = give(rotated)

    def lie(exchange: Exchange) -> object:
        others = tuple(one for one in exchange.answer.wraps if one.epoch != epoch)
        own = () if wrap is None else (membership.OwnWrap(rotated.audience.audience, epoch, wrap),)
        return replace(exchange.answer, wraps=(*others, *own))

    report = scene.file()
    with scene.lying("/v1/keys/pull", lie, guard):
        result = await guard.sync()

    assert code in codes(guard)
    assert (rotated.audience.audience, epoch) not in guard.local.ring.epochs
    assert (result.sent, result.waiting, waits(guard, report)) == (0, 1, True)
    assert opened(scene.town, kems(rotated.theirs)) == []
    assert (await guard.sync()).sent == 1
    await scene.police.sync()
    assert reads(scene.police, report)


async def test_a_good_key_among_bad_ones_is_found(rotated: Rotated) -> None:
    scene, epoch = rotated.scene, len(rotated.audience.epochs)
    bad = membership.OwnWrap(rotated.audience.audience, epoch, rotated.made(os.urandom(32)))

    def lie(exchange: Exchange) -> object:
        return replace(exchange.answer, wraps=(bad, *exchange.answer.wraps, bad))

    with scene.lying("/v1/keys/pull", lie, scene.guard):
        await scene.guard.sync()

    assert (rotated.audience.audience, epoch) in scene.guard.local.ring.epochs


async def test_devices_that_the_directory_does_not_entitle_get_no_wrap_however_much_they_lack(scene: Scene) -> None:
    theirs, founder = stranger(), scene.town.founders["security"]
    boss = await scene.town.device("security", "supervisors")
    audience = field_of(founder)
    whom = (theirs.kid, boss.local.keys.kid, scene.police.local.keys.kid, founder.local.trust.own_id, b"")

    def lie(exchange: Exchange) -> object:
        # A supervisor's device gets the signing key of the epoch in force, and it has it.
        lacking = tuple(
            membership.Lacking(audience.audience, number, whom, whom[2:]) for number in range(len(audience.epochs) + 3)
        )
        elsewhere = membership.Lacking(os.urandom(16), 1, whom, whom)
        return replace(exchange.answer, lacking=(*exchange.answer.lacking, *lacking, elsewhere))

    before = len(scene.town.hostile.seen)
    with scene.lying("/v1/keys/pull", lie, founder):
        await founder.sync()

    offers = [one.asked for one in scene.town.hostile.seen[before:] if isinstance(one.asked, membership.KeysOffer)]
    assert not {Kid(wrap.device) for offer in offers for one in offer.wraps for wrap in one.wraps} & set(whom)
    assert opened(scene.town, kems(theirs), before) == []


def proposed(scene: Scene, maker: DeviceKeys, *, extra: DeviceKeys | None = None) -> membership.EpochProposal:
    """Return a proposal of the next epoch by anybody, for the members of now and perhaps one more."""
    founder = scene.town.founders["security"]
    audience, own = field_of(founder), founder.local.trust.own
    held = HeldEpoch(audience.audience, len(audience.epochs) + 1, os.urandom(32), whole=True)
    made = rotation.propose(founder.local, audience)
    to = {kid: own.devices[kid].kem_key for kid in audience.members}
    if extra is not None:
        to[extra.kid] = extra.kem.public
    wraps = [wrap_epoch(held, founder.local.trust.own_id, kid, key, whole=True) for kid, key in sorted(to.items())]
    bare = replace(made, wraps=tuple(wraps), maker=maker.kid)
    return replace(bare, signature=maker.sign.sign(rotation.proposal_message(bare)))


PROPOSALS: dict[str, Callable[[Scene, DeviceKeys], membership.EpochProposal]] = {
    "by a stranger": proposed,
    "for a stranger, too": lambda scene, theirs: proposed(scene, scene.guard.local.keys, extra=theirs),
    "by a stranger, for a stranger, too": lambda scene, theirs: proposed(scene, theirs, extra=theirs),
    "in a member's name": lambda scene, theirs: replace(proposed(scene, theirs), maker=scene.guard.local.keys.kid),
    "by a member, and changed": lambda scene, theirs: replace(
        proposed(scene, scene.guard.local.keys), kem_key=theirs.kem.public
    ),
}


@pytest.mark.parametrize("name", PROPOSALS)
async def test_a_registrars_device_signs_no_epoch_that_no_member_made_for_the_members(scene: Scene, name: str) -> None:
    theirs, founder = stranger(), scene.town.founders["security"]
    await founder.sync()
    bad = PROPOSALS[name](scene, theirs)
    # A new epoch is wanted, so nothing but what it is keeps this one out.
    rotation.request(founder.local, field_of(founder))

    def lie(exchange: Exchange) -> object:
        return replace(exchange.answer, proposals=(bad,))

    with scene.lying("/v1/keys/pull", lie, founder):
        await founder.sync()

    assert bad.kem_key not in {keys.kem_key for keys in field_of(founder).epochs}
    assert opened(scene.town, kems(theirs)) == []
    await founder.sync()
    await founder.sync()
