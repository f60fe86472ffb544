"""Epochs: who makes and signs them, what a device takes in, and that a whole agency rotates by itself at its syncs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, forms
from sluss_client.crypto import SignKey
from sluss_client.keyring import keyshare, rotation
from sluss_client.keys import HeldEpoch, wrap_epoch
from sluss_client.local import Local
from sluss_client.testing import Town
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import Audience
from sluss_schemas.ids import Function

from tests.device.chain import Agency, agency_of, answer, current, own_wraps


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    """An agency that a test may change."""
    built = Agency(tmp_path)
    yield built
    built.close()


def taken(local: Local, *wraps: membership.OwnWrap) -> bool:
    return keyshare.take_in(local, answer(wraps=wraps))


def codes(local: Local) -> list[str]:
    return [code for _, code in local.alarms()]


# proposals


def test_a_proposal_is_signed_only_as_its_member_made_it_for_the_members_of_now(agency: Agency) -> None:
    anna, boss = agency.device("field"), agency.device("supervisors")
    stranger = agency.device()
    field = agency.audience("field")
    good = rotation.propose(anna, field)

    def signed(maker: Local, **changes: object) -> membership.EpochProposal:
        bare = msgspec.structs.replace(good, **{"maker": maker.keys.kid, **changes})
        return msgspec.structs.replace(bare, signature=maker.keys.sign.sign(rotation.proposal_message(bare)))

    held = HeldEpoch(field.audience, 1, os.urandom(32), whole=True)
    to_stranger = wrap_epoch(held, agency_of(anna), stranger.keys.kid, stranger.keys.kem.public, whole=True)
    alone = wrap_epoch(held, agency_of(anna), stranger.keys.kid, stranger.keys.kem.public, whole=False)
    bad = {
        "another's signature": msgspec.structs.replace(good, signature=boss.keys.sign.sign(b"")),
        "changed after signing": msgspec.structs.replace(good, sign_key=SignKey(os.urandom(32)).public),
        "a maker who is no member": signed(stranger),
        "a maker of another audience": signed(boss),
        "nobody as a maker": msgspec.structs.replace(good, maker=os.urandom(16)),
        "one more device": signed(anna, wraps=(*good.wraps, to_stranger)),
        "the signing key for a stranger": signed(anna, wraps=(*good.wraps, alone)),
        "no member": signed(anna, wraps=tuple(one for one in good.wraps if not one.whole)),
        "a wrap twice": signed(anna, wraps=(*good.wraps, good.wraps[0])),
        "a later epoch": signed(anna, epoch=2),
        "another suite": signed(anna, suite=1),
        "an unknown audience": signed(anna, audience=os.urandom(16)),
        "a key that nothing can be sealed to": signed(anna, kem_key=bytes(d.KEM_PUBLIC_BYTES)),
        "a device's key": signed(anna, kem_key=boss.keys.kem.public),
    }

    assert rotation.fits(anna.trust.own, good)
    for reason, proposal in bad.items():
        assert not rotation.fits(anna.trust.own, proposal), reason
        assert list(rotation.epochs_to_sign(boss, answer(proposals=[proposal]), agency.now)) == [], reason
    assert len(list(rotation.epochs_to_sign(boss, answer(proposals=[good]), agency.now))) == 1


def test_a_proposal_is_made_by_members_only_and_once(agency: Agency) -> None:
    anna, boss = agency.device("field"), agency.device("supervisors")

    assert [one.audience for one in rotation.proposals(boss, answer(), agency.now)] == [
        agency.audience("supervisors").audience
    ]
    (made,) = rotation.proposals(anna, answer(), agency.now)
    assert list(rotation.proposals(anna, answer(proposals=[made]), agency.now)) == []

    # A colleague joins before it is signed: it fits nobody any more and is made anew, for both.
    agency.device("field")
    assert list(rotation.epochs_to_sign(boss, answer(proposals=[made]), agency.now)) == []
    (again,) = rotation.proposals(anna, answer(proposals=[made]), agency.now)
    assert {wrap.device for wrap in again.wraps if wrap.whole} == agency.audience("field").members.keys()


def test_a_new_epoch_that_nothing_calls_for_is_signed_only_where_it_was_asked_for(agency: Agency) -> None:
    anna, boss = agency.device("field"), agency.device(registrar=True)
    agency.rotate("field", anna)
    proposal = rotation.propose(anna, agency.audience("field"))

    assert list(rotation.epochs_to_sign(boss, answer(proposals=[proposal]), agency.now)) == []
    rotation.request(boss, agency.audience("field"))
    ((body, _),) = rotation.epochs_to_sign(boss, answer(proposals=[proposal]), agency.now)
    assert body.epoch == 2
    agency.append(body)

    # What was asked for is done.
    following = rotation.propose(anna, agency.audience("field"))
    assert list(rotation.epochs_to_sign(boss, answer(proposals=[following]), agency.now)) == []
    assert len(list(rotation.epochs_to_sign(boss, answer(proposals=[following]), agency.now + d.EPOCH_S))) == 1


def test_of_two_proposals_one_is_signed(agency: Agency) -> None:
    anna, berit = agency.device("field"), agency.device("field")
    both = [rotation.propose(one, agency.audience("field")) for one in (anna, berit)]

    signed = []
    for body, _ in rotation.epochs_to_sign(anna, answer(proposals=both), agency.now):
        agency.append(body)
        signed.append(body)

    assert len(signed) == 1


# taking in and passing on


def test_the_first_wrap_that_is_the_directorys_is_taken_in(agency: Agency) -> None:
    anna, berit = agency.device("field"), agency.device("field")
    wraps = agency.rotate("field", anna)
    (good,) = own_wraps(wraps, berit.keys.kid)
    broken = msgspec.structs.replace(good, wrap=msgspec.structs.replace(good.wrap, wrap=bytes(1168)))
    other = HeldEpoch(wraps.audience, 1, os.urandom(32), whole=True)
    differs = msgspec.structs.replace(
        good, wrap=wrap_epoch(other, agency_of(berit), berit.keys.kid, berit.keys.kem.public, whole=True)
    )

    assert not taken(berit, broken)
    assert codes(berit) == ["bad_epoch_wrap"]
    assert not taken(berit, broken, differs)
    assert codes(berit) == ["epoch_differs"]
    assert not berit.ring.holds(current(berit, "field"), whole=True)

    assert taken(berit, broken, differs, good)
    assert berit.ring.holds(current(berit, "field"), whole=True)
    assert codes(berit) == []
    assert not taken(berit, good)


def test_a_wrap_that_opens_after_others_that_do_not_is_no_alarm(agency: Agency) -> None:
    anna = agency.device("field")
    (good,) = own_wraps(agency.rotate("field", anna), anna.keys.kid)
    broken = msgspec.structs.replace(good, wrap=msgspec.structs.replace(good.wrap, wrap=bytes(1168)))

    assert taken(anna, broken, good)
    assert codes(anna) == []


def test_an_epoch_that_the_directory_does_not_have_yet_is_left_for_later(agency: Agency) -> None:
    anna = agency.device("field")
    (good,) = own_wraps(agency.rotate("field", anna), anna.keys.kid)

    assert not taken(anna, msgspec.structs.replace(good, epoch=2))
    assert not taken(anna, msgspec.structs.replace(good, audience=os.urandom(16)))
    assert codes(anna) == []


def test_an_epoch_that_was_wrapped_for_this_device_and_does_not_come_is_an_alarm(agency: Agency) -> None:
    anna, berit = agency.device("field"), agency.device("field")
    wraps = agency.rotate("field", anna)
    newcomer = agency.device("field")

    rotation.check(berit, answer(wraps=own_wraps(wraps, berit.keys.kid)))
    assert codes(berit) == []
    rotation.check(berit, answer())
    assert codes(berit) == ["left_out"]
    # Who came later waits for a colleague.
    rotation.check(newcomer, answer())
    assert codes(newcomer) == []


def test_nobody_is_wrapped_for_on_the_servers_word(agency: Agency) -> None:
    anna = agency.device("field")
    taken(anna, *own_wraps(agency.rotate("field", anna), anna.keys.kid))
    member, boss, stranger = agency.device("field"), agency.device("supervisors"), agency.device()
    later = agency.device("field", from_epoch=2)
    field = agency.audience("field")
    everybody = tuple(one.keys.kid for one in (member, boss, stranger, later))
    asked = membership.Lacking(field.audience, 1, (*everybody, os.urandom(16)), (*everybody, os.urandom(16)))
    unknown = membership.Lacking(os.urandom(16), 1, everybody, ())
    unheld = membership.Lacking(field.audience, 9, everybody, ())

    (given,) = keyshare.newcomers(anna, answer(lacking=[asked, unknown, unheld]))

    assert {(one.device, one.whole) for one in given.wraps} == {(member.keys.kid, True), (boss.keys.kid, False)}
    assert taken(member, *own_wraps(given, member.keys.kid))
    assert taken(boss, *own_wraps(given, boss.keys.kid))
    assert boss.ring.holds(current(boss, "field"), whole=False)
    assert not boss.ring.holds(current(boss, "field"), whole=True)
    # With the signing key alone there is nothing to pass on.
    assert list(keyshare.newcomers(boss, answer(lacking=[asked]))) == []


def test_the_doctor_is_told_how_the_keys_stand(agency: Agency) -> None:
    anna = agency.device("field")
    assert keyshare.state(anna, agency.now) == [
        keyshare.AudienceState(
            function="field", key=False, lacking=0, age_days=None, rotation_due=True, waiting=1, not_split=0
        )
    ]
    wraps = agency.rotate("field", anna)
    taken(anna, *own_wraps(wraps, anna.keys.kid))
    opened = current(anna, "field").opened_at

    (fresh,) = keyshare.state(anna, opened + 3 * 86_400)
    assert (fresh.key, fresh.age_days, fresh.rotation_due) == (True, 3, False)
    (old,) = keyshare.state(anna, opened + d.EPOCH_S)
    assert (old.age_days, old.rotation_due) == (90, True)

    newcomer = agency.device("field", from_epoch=2)
    (joined,) = keyshare.state(anna, agency.now)
    assert (joined.waiting, joined.rotation_due) == (1, True)
    assert keyshare.missing(newcomer) == ["field"]


# a whole agency


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """Guards on a real server."""
    async with Town(agencies=("security",)) as built:
        yield built


def audience(device: Device, function: Function = "field") -> Audience:
    found = device.local.trust.own.audience_for(function)
    assert found is not None
    return found


def epoch(device: Device, function: Function = "field") -> int:
    return current(device.local, function).epoch


def reads(device: Device, function: Function = "field") -> list[int]:
    """Return the numbers of an audience's epochs that a device holds whole."""
    found = device.local.ring.epochs.values()
    return sorted(one.epoch for one in found if one.audience == audience(device, function).audience and one.whole)


async def met(*devices: Device) -> None:
    """Let devices sync, one after the other, twice: what the first offers the last one signs, and the first gets."""
    for _ in range(2):
        for device in devices:
            await device.sync()


def note(device: Device, town: Town, text: str) -> None:
    seen = town.clock.now() - timedelta(minutes=5)
    incident = forms.OrderIncident(
        scene="central-square", observed_at=seen, sub_kind="threat", severity=2, situation=text
    )
    device.file(incident)


def read(device: Device) -> set[str]:
    return {str(report.situation) for report in device.reports()}


async def joins(founder: Device, device: Device, from_epoch: int) -> None:
    """Give a supervisor the field function besides, with history from an epoch on."""
    person = device.local.person
    both: tuple[Function, ...] = ("field", "supervisors")
    await founder.registrar.append(
        [
            d.PersonAdd(person.person, person.alias, both, None, None),
            d.MemberAdd(audience(founder).audience, device.local.keys.kid, from_epoch),
        ]
    )


async def leaves(founder: Device, device: Device) -> None:
    await founder.registrar.append([d.DeviceRevoke(device.local.keys.kid, "left")])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("from_join", [False, True])
async def test_a_newcomer_reads_as_far_back_as_their_history_goes(town: Town, *, from_join: bool) -> None:
    founder, newcomer = town.founders["security"], await town.device("security", "supervisors")
    note(founder, town, f"before, {from_join}")
    await founder.sync()
    before = reads(founder)
    await joins(founder, newcomer, before[-1] + 1 if from_join else 1)
    # They sync before anybody else, too, and lose nothing by that.
    await newcomer.sync()
    await met(founder, newcomer)
    note(founder, town, f"after, {from_join}")
    await met(founder, newcomer)

    new = [before[-1] + 1] if from_join else []
    assert reads(founder) == before + new
    assert reads(newcomer) == (new or before)
    # A supervisor reads their agency's reports as one; what they hold as field staff is another matter.
    assert read(newcomer) >= {f"after, {from_join}"}
    assert codes(newcomer.local) == []
    assert codes(founder.local) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_when_somebody_leaves_the_others_go_on_with_a_key_that_the_leaver_lacks(town: Town) -> None:
    founder = town.founders["security"]
    stays, goes = await town.device("security"), await town.device("security")
    before = epoch(founder)

    await leaves(founder, goes)
    await met(stays, founder)

    assert epoch(stays) == epoch(founder) == before + 1
    assert stays.local.ring.holds(current(stays.local, "field"), whole=True)
    assert goes.local.keys.kid not in current(stays.local, "field").devices
    # Nothing more follows from it.
    await met(stays, founder)
    assert epoch(stays) == before + 1
    assert codes(stays.local) == codes(founder.local) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_is_followed_by_another_after_ninety_days(town: Town) -> None:
    founder, guard = town.founders["security"], await town.device("security")
    functions: tuple[Function, ...] = ("field", "supervisors")
    before = {function: epoch(founder, function) for function in functions}
    town.clock.advance(days=89)
    await met(guard, founder)
    assert {function: epoch(founder, function) for function in before} == before
    town.clock.advance(days=1, minutes=1)
    (state,) = keyshare.state(guard.local, guard.now())
    assert state.rotation_due

    await met(guard, founder)

    assert {function: epoch(founder, function) for function in before} == {one: 1 + n for one, n in before.items()}
    (state,) = keyshare.state(guard.local, guard.now())
    assert (state.key, state.age_days, state.rotation_due) == (True, 0, False)


@pytest.mark.asyncio(loop_scope="module")
async def test_when_a_supervisor_leaves_the_key_that_they_signed_with_ends_too(town: Town) -> None:
    founder = town.founders["security"]
    stays, goes = await town.device("security", "supervisors"), await town.device("security", "supervisors")
    for supervisor in (stays, goes):
        assert supervisor.local.ring.holds(current(supervisor.local, "field"), whole=False)
    before = epoch(founder, "field"), epoch(founder, "supervisors")

    await leaves(founder, goes)
    await met(founder, stays)

    assert (epoch(founder, "field"), epoch(founder, "supervisors")) == (before[0] + 1, before[1] + 1)
    assert stays.local.ring.holds(current(stays.local, "field"), whole=False)
    assert not stays.local.ring.holds(current(stays.local, "field"), whole=True)
    assert stays.local.ring.holds(current(stays.local, "supervisors"), whole=True)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_registrar_who_is_no_member_signs_an_epoch_and_never_has_its_secret() -> None:
    async with Town(agencies=("security",)) as town:
        founder, guard = town.founders["security"], await town.device("security")
        kid = founder.local.keys.kid
        own = founder.local.trust.own
        await founder.registrar.append([d.MemberRemove(one, kid) for one in own.audiences])
        await met(guard, founder)

        now = current(founder.local, "field")
        assert now.epoch == 2
        assert now.devices == (guard.local.keys.kid,)
        assert guard.local.ring.holds(now, whole=True)
        assert reads(founder) == [1]
        assert not founder.local.ring.holds(now, whole=False)
        pulled = await keyshare.pull(founder.local, founder._transport)
        assert not any(one.epoch == 2 for one in pulled.wraps)
        assert keyshare.state(founder.local, founder.now()) == []
