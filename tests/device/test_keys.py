"""Key rings and wraps: a secret comes in only if it is the one that the directory names, and is shown nowhere."""

from __future__ import annotations

import os

import msgspec
import pytest

from sluss_client import crypto
from sluss_client.crypto import KemKey, SignKey
from sluss_client.keys import DeviceKeys, DeviceSeeds, HeldEpoch, KeyRing, matches, open_epoch, wrap_epoch
from sluss_schemas.agency import EpochKeys
from sluss_schemas.ids import AgencyId, AudienceId, Kid, kid_of

AGENCY, AUDIENCE = AgencyId(b"a" * 16), AudienceId(b"u" * 16)


def held(epoch: int = 1) -> HeldEpoch:
    return HeldEpoch(AUDIENCE, epoch, os.urandom(32), whole=True)


def public(one: HeldEpoch) -> EpochKeys:
    kem, sign = KemKey(one.kem_seed()).public, SignKey(one.sign_seed()).public
    return EpochKeys(AUDIENCE, one.epoch, kem, kid_of(kem), sign, kid_of(sign), b"", (), 0, 0)


def device() -> DeviceKeys:
    return DeviceKeys.of(DeviceSeeds.new())


def group_only(one: HeldEpoch) -> HeldEpoch:
    return HeldEpoch(one.audience, one.epoch, one.sign_seed(), whole=False)


@pytest.mark.parametrize("whole", [True, False])
def test_a_wrap_opens_for_its_device_and_gives_what_the_directory_names(*, whole: bool) -> None:
    one, keys = held(), device()
    wrap = wrap_epoch(one, AGENCY, keys.kid, keys.kem.public, whole=whole)

    opened = open_epoch(keys, AGENCY, AUDIENCE, 1, wrap)

    assert opened == (one if whole else group_only(one))
    assert matches(opened, public(one))
    assert not matches(opened, public(held()))


def test_a_wrap_opens_in_no_other_place() -> None:
    one, keys, other = held(), device(), device()
    wrap = wrap_epoch(one, AGENCY, keys.kid, keys.kem.public, whole=True)

    tries = [
        (other, AGENCY, AUDIENCE, 1, wrap),
        (keys, AgencyId(b"x" * 16), AUDIENCE, 1, wrap),
        (keys, AGENCY, AudienceId(b"x" * 16), 1, wrap),
        (keys, AGENCY, AUDIENCE, 2, wrap),
        (keys, AGENCY, AUDIENCE, 1, msgspec.structs.replace(wrap, whole=False)),
        (keys, AGENCY, AUDIENCE, 1, msgspec.structs.replace(wrap, wrap=wrap.wrap[:-1] + b"\x00")),
        (keys, AGENCY, AUDIENCE, 1, wrap_epoch(one, AGENCY, Kid(b"x" * 16), keys.kem.public, whole=True)),
    ]

    for one_try in tries:
        with pytest.raises(crypto.CannotOpen):
            open_epoch(*one_try)


def test_the_group_key_alone_signs_and_opens_nothing() -> None:
    one, ring = held(), KeyRing(device())
    ring.add(group_only(one))

    assert list(ring.kems) == [ring.device.kem_kid]
    assert list(ring.groups) == [public(one).sign_kid]
    assert ring.holds(public(one), whole=False)
    assert not ring.holds(public(one), whole=True)


def test_a_whole_secret_is_not_replaced_by_the_group_key() -> None:
    one, ring = held(), KeyRing(device())
    for step in (group_only(one), one, group_only(one)):
        ring.add(step)

    assert ring.holds(public(one), whole=True)
    assert public(one).kem_kid in ring.kems


def test_old_epochs_stay_in_the_ring() -> None:
    first, second, ring = held(1), held(2), KeyRing(device())
    ring.add(first)
    ring.add(second)

    assert {public(first).kem_kid, public(second).kem_kid} <= set(ring.kems)


def test_no_key_is_shown() -> None:
    seeds, one = DeviceSeeds.new(), held()
    shown = repr([seeds, one, DeviceKeys.of(seeds), KeyRing(DeviceKeys.of(seeds), {(AUDIENCE, 1): one})])

    for secret in (seeds.sign, seeds.kem, one.secret, one.sign_seed()):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
