"""Custodians: two of three shares give the secret, one says nothing, and a share that is not the right one is named."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_client import Invalid, Refused
from sluss_client.keyring import custody, keyshare, splitting
from sluss_client.keys import HeldEpoch
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import Function

from tests.device.chain import Agency, answer, current, own_wraps

keys = st.binary(min_size=32, max_size=32)
pads = st.tuples(keys, keys, keys)


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


# shares


@given(keys, pads)
def test_any_two_shares_give_the_secret(secret: bytes, drawn: tuple[bytes, bytes, bytes]) -> None:
    shares = list(enumerate(splitting.split(secret, drawn)))

    for first, second in permutations(shares, 2):
        assert splitting.combine(first, second) == secret


@given(keys, keys, pads)
def test_one_share_is_as_likely_under_every_secret(
    secret: bytes, other: bytes, drawn: tuple[bytes, bytes, bytes]
) -> None:
    p01, p02, p12 = drawn
    moved = xor(secret, other)
    # Pads are as likely as one another, and these give another secret the very same share.
    fitting = [(p01, p02, p12), (xor(p01, moved), p02, p12), (p01, xor(p02, moved), xor(p12, moved))]

    for number, theirs in enumerate(fitting):
        assert splitting.split(secret, drawn)[number] == splitting.split(other, theirs)[number]


@given(keys, keys, pads, pads)
def test_shares_of_two_secrets_do_not_give_either(
    secret: bytes, other: bytes, drawn: tuple[bytes, bytes, bytes], again: tuple[bytes, bytes, bytes]
) -> None:
    mixed = splitting.combine((0, splitting.split(secret, drawn)[0]), (1, splitting.split(other, again)[1]))

    # Only where the pads were drawn alike, which does not happen, would it be the other's.
    assert (mixed == other) == (drawn[0] == again[0])


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_share_of_another_length_is_no_share(length: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        splitting.combine((0, bytes(length)), (1, bytes(64)))


# an agency that has custodians


class Held(Agency):
    """An agency with one epoch of `field`, its one member, three custodians and a registrar."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.anna = self.device("field")
        self.custodians = [self.device() for _ in range(3)]
        self.registrar = self.device(registrar=True)
        self.open("field", self.anna)
        self.name(*self.custodians)

    def open(self, function: Function, maker: Local) -> None:
        keyshare.take_in(maker, answer(wraps=own_wraps(self.rotate(function, maker), maker.keys.kid)))

    def name(self, *custodians: Local) -> None:
        first, second, third = (one.keys.kid for one in custodians)
        self.append(d.CustodianSet((first, second, third)))

    def split(self) -> None:
        """Let the member split, the registrar sign, and the custodians take their shares in."""
        proposals = list(splitting.proposals(self.anna, answer()))
        for body, shares in splitting.splits_to_sign(self.registrar, answer(splits=proposals)):
            self.append(body)
            for custodian in self.locals:
                custody.take_in(custodian, [one for one in shares if one.device == custodian.keys.kid])

    def given(self, number: int, to: Local, **changes: bytes) -> list[d.SealedShare]:
        """Return what a custodian gives to a device."""
        custodian = self.custodians[number]
        own, device = self.directory, self.directory.devices[to.keys.kid]
        return [
            msgspec.structs.replace(
                splitting.seal_share(own, audience, epoch, custodian.keys.kid, device, share), **changes
            )
            for (audience, epoch), share in custody.shares_here(custodian).items()
        ]

    def new_phone(self) -> Local:
        """Let the member lose their telephone and get another."""
        person = self.anna.person.person
        self.append(d.DeviceRevoke(self.anna.keys.kid, "lost"))
        return self.device("field", person=person)


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Held]:
    """An agency that a test may change."""
    built = Held(tmp_path)
    yield built
    built.close()


def codes(local: Local) -> list[str]:
    return [code for _, code in local.alarms()]


def test_a_member_splits_what_it_holds_once_and_again_for_other_custodians(agency: Held) -> None:
    assert list(splitting.proposals(agency.registrar, answer())) == []
    (proposal,) = splitting.proposals(agency.anna, answer())
    assert list(splitting.proposals(agency.anna, answer(splits=[proposal]))) == []
    agency.split()
    assert list(splitting.proposals(agency.anna, answer())) == []
    assert [len(custody.shares_here(one)) for one in agency.custodians] == [1, 1, 1]
    assert custody.shares_here(agency.anna) == {}

    leaves, *stay = agency.custodians
    agency.name(*stay, agency.registrar)
    (state,) = keyshare.state(agency.anna, agency.now)
    assert state.not_split == 1
    agency.split()

    # What was split for the one who is no custodian any more is gone from their device.
    assert custody.shares_here(leaves) == {}
    assert [len(custody.shares_here(one)) for one in (*stay, agency.registrar)] == [1, 1, 1]
    assert [code for one in agency.locals for code in codes(one)] == []


def test_nothing_is_split_for_a_custodian_whose_device_is_revoked(agency: Held) -> None:
    (proposal,) = splitting.proposals(agency.anna, answer())
    agency.append(d.DeviceRevoke(agency.custodians[1].keys.kid, "lost"))

    assert list(splitting.proposals(agency.anna, answer())) == []
    assert list(splitting.splits_to_sign(agency.registrar, answer(splits=[proposal]))) == []


def test_a_split_is_signed_only_as_a_member_made_it_for_the_custodians_of_now(agency: Held) -> None:
    (good,) = splitting.proposals(agency.anna, answer())
    boss, later = agency.device("supervisors"), agency.device("field", from_epoch=2)
    first, second, third = good.shares

    def signed(maker: Local, **changes: object) -> membership.ShareProposal:
        bare = msgspec.structs.replace(good, **{"maker": maker.keys.kid, **changes})
        return msgspec.structs.replace(bare, signature=maker.keys.sign.sign(splitting.split_message(bare)))

    def first_with(**changes: object) -> tuple[d.SealedShare, ...]:
        return (msgspec.structs.replace(first, **changes), second, third)

    bad = {
        "changed after signing": msgspec.structs.replace(good, shares=first_with(share=bytes(32))),
        "a maker of another audience": signed(boss),
        "a member who may not hold the epoch": signed(later),
        "a maker who is nobody": msgspec.structs.replace(good, maker=os.urandom(16)),
        "another order": signed(agency.anna, shares=(second, first, third)),
        "sealed to the maker": signed(agency.anna, shares=first_with(device=agency.anna.keys.kid)),
        "a share of another epoch": signed(agency.anna, shares=first_with(epoch=2)),
        "a share of another audience": signed(agency.anna, shares=first_with(audience=os.urandom(16))),
        "an epoch that is not there": signed(agency.anna, epoch=2),
        "an unknown audience": signed(agency.anna, audience=os.urandom(16)),
    }

    for reason, proposal in bad.items():
        assert list(splitting.splits_to_sign(agency.registrar, answer(splits=[proposal]))) == [], reason
    ((body, shares),) = splitting.splits_to_sign(agency.registrar, answer(splits=[good]))
    assert shares == good.shares
    agency.append(body)
    assert list(splitting.splits_to_sign(agency.registrar, answer(splits=[good]))) == []


def test_a_custodian_keeps_only_a_share_that_is_the_one_in_the_directory(agency: Held) -> None:
    (proposal,) = splitting.proposals(agency.anna, answer())
    ((body, shares),) = splitting.splits_to_sign(agency.registrar, answer(splits=[proposal]))
    mine, custodian = shares[0], agency.custodians[0]
    own, device = agency.directory, agency.directory.devices[custodian.keys.kid]
    forged = splitting.seal_share(own, mine.audience, 1, custodian.keys.kid, device, os.urandom(64))

    custody.take_in(custodian, [mine])
    assert custody.shares_here(custodian) == {}
    agency.append(body)
    custody.take_in(custodian, [forged, shares[1]])
    assert (custody.shares_here(custodian), codes(custodian)) == ({}, [])
    custody.take_in(custodian, [msgspec.structs.replace(forged, share=mine.share)])
    assert (custody.shares_here(custodian), codes(custodian)) == ({}, ["bad_share"])
    custody.take_in(custodian, [mine])
    (share,) = custody.shares_here(custodian).values()
    assert hashlib.sha256(share).digest() == mine.share


# recovering


def test_two_of_three_shares_bring_the_epoch_back_whoever_gives_them(agency: Held) -> None:
    agency.split()
    new = agency.new_phone()

    for one, other in permutations(range(3), 2):
        found, secrets = custody.assess(new, [*agency.given(one, new), *agency.given(other, new)])
        aliases = tuple(agency.custodians[number].person.alias for number in sorted((one, other)))
        assert found == custody.Recovery((custody.Recovered("field", 1, "recovered", aliases),), ())
        assert found.whole
        (secret,) = secrets
        assert secret == agency.anna.ring.epochs[current(new, "field").audience, 1]
    # Nothing was kept by looking.
    assert not new.ring.holds(current(new, "field"), whole=True)


@pytest.mark.parametrize("number", range(3))
def test_one_custodian_brings_nothing_back(agency: Held, number: int) -> None:
    agency.split()
    new = agency.new_phone()
    alias = agency.custodians[number].person.alias

    for shares in (agency.given(number, new), agency.given(number, new) * 2):
        found, secrets = custody.assess(new, shares)
        assert found.epochs == (custody.Recovered("field", 1, "shares_missing", (alias,)),)
        assert secrets == []


@pytest.mark.parametrize("number", range(3))
def test_a_bad_share_names_its_custodian_and_the_two_others_suffice(agency: Held, number: int) -> None:
    agency.split()
    new = agency.new_phone()
    bad = agency.custodians[number].person.alias
    key = next(iter(custody.shares_here(agency.custodians[number])))
    agency.custodians[number].store.put("share", key[0] + key[1].to_bytes(4, "big"), os.urandom(64))
    # It says of itself that it is the right one, or tells its own digest.
    named = dict(agency.directory.shares[key].shares)[agency.custodians[number].keys.kid]
    for wrong in (agency.given(number, new, share=named), agency.given(number, new)):
        others = [agency.given(other, new) for other in range(3) if other != number]

        (one,) = custody.assess(new, [*wrong, *others[0]])[0].epochs
        assert (one.outcome, one.bad, len(one.given)) == ("bad_share", (bad,), 1)
        (both,) = custody.assess(new, [*wrong, *others[0], *others[1]])[0].epochs
        assert (both.outcome, both.bad, len(both.given)) == ("recovered", (bad,), 2)


def test_a_share_that_is_not_ours_is_foreign(agency: Held, tmp_path: Path) -> None:
    agency.split()
    new = agency.new_phone()
    (tmp_path / "other").mkdir()
    other = Held(tmp_path / "other")
    other.split()
    theirs = [msgspec.structs.replace(one, device=new.keys.kid) for one in other.given(0, other.anna)]
    (mine,) = agency.given(1, new)
    stranger = msgspec.structs.replace(mine, custodian=agency.registrar.keys.kid)
    elsewhere = msgspec.structs.replace(mine, epoch=2)
    for_another = msgspec.structs.replace(mine, device=agency.registrar.keys.kid)

    found, _ = custody.assess(new, [*theirs, stranger, elsewhere, for_another, mine])
    other.close()

    assert found.epochs[0].given == (agency.custodians[1].person.alias,)
    assert set(found.foreign) == {
        other.custodians[0].keys.kid.hex(),
        agency.registrar.person.alias,
        agency.custodians[1].person.alias,
    }


def test_shares_that_do_not_give_the_published_keys_recover_nothing(agency: Held) -> None:
    wrong = HeldEpoch(agency.audience("field").audience, 1, os.urandom(32), whole=True)
    # A member's device that splits something else: nobody can see it before two custodians put their shares together.
    proposal = splitting.propose(agency.anna, wrong)
    ((body, shares),) = splitting.splits_to_sign(agency.registrar, answer(splits=[proposal]))
    agency.append(body)
    for custodian in agency.custodians:
        custody.take_in(custodian, [one for one in shares if one.device == custodian.keys.kid])
    new = agency.new_phone()

    found, secrets = custody.assess(new, [one for number in range(3) for one in agency.given(number, new)])

    assert [one.outcome for one in found.epochs] == ["not_recovered"]
    assert secrets == []


def test_shares_from_before_a_custodian_was_replaced_still_count_until_it_is_split_anew(agency: Held) -> None:
    agency.split()
    new = agency.new_phone()
    agency.name(*agency.custodians[1:], agency.registrar)

    (one,) = custody.assess(new, [*agency.given(0, new), *agency.given(2, new)])[0].epochs

    assert one.outcome == "recovered"


async def test_a_share_is_given_by_custodians_only_and_to_who_may_have_it(agency: Held) -> None:
    agency.split()
    transport = Transport("http://127.0.0.1:9", agency.anna.keys)
    own = agency.directory
    boss = agency.device("supervisors")
    alias = agency.anna.person.alias

    with pytest.raises(Refused) as refused:
        await custody.give(agency.registrar, transport, agency.anna.keys.kid)
    assert refused.value.code == "custodian_only"
    with pytest.raises(Refused) as refused:
        await custody.give(agency.custodians[0], transport, boss.keys.kid)
    assert refused.value.code == "not_allowed"
    with pytest.raises(Invalid) as unknown:
        custody.device_of(own, "S-99")
    assert unknown.value.code == "unknown_alias"

    assert custody.device_of(own, alias) == agency.anna.keys.kid
    assert custody.device_of(own, boss.keys.kid.hex()) == boss.keys.kid
    second = agency.device("field", person=agency.anna.person.person)
    with pytest.raises(Invalid) as several:
        custody.device_of(own, alias)
    assert second.keys.kid.hex() in several.value.say
    agency.append(d.DeviceRevoke(agency.anna.keys.kid, "lost"))
    assert custody.device_of(agency.directory, alias) == second.keys.kid
    with pytest.raises(Invalid):
        custody.device_of(agency.directory, agency.anna.keys.kid.hex())
