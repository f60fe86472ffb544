"""Recovery in a whole agency: its sole member loses their telephone, and two custodians bring everything back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluss_client import Device, Refused, forms
from sluss_client.keyring import custody
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas import directory as d
from sluss_schemas.invitation import read_code


async def synced(*devices: Device) -> None:
    for device in devices:
        await device.sync()


def holds(device: Device) -> list[bool]:
    """Tell of each epoch of the field audience whether a device has it whole."""
    audience = device.local.trust.own.audience_for("field")
    assert audience is not None
    return [device.local.ring.holds(one, whole=True) for one in audience.epochs]


async def with_sole_member(town: Town) -> tuple[Device, list[Device]]:
    """Let one guard be the field audience's only member, with custodians whom their epochs are split for."""
    founder, anna = town.founders["security"], await town.device("security")
    field = founder.local.trust.own.audience_for("field")
    assert field is not None
    custodians = [await town.device("security", "supervisors") for _ in range(3)]
    first, second, third = (one.local.keys.kid for one in custodians)
    await founder.registrar.append(
        [d.MemberRemove(field.audience, founder.local.keys.kid), d.CustodianSet((first, second, third))]
    )
    # Anna makes the next epoch; the registrar signs it; Anna splits both; the registrar signs that.
    await synced(anna, founder, anna, founder, *custodians, anna)
    return anna, custodians


async def replacement(town: Town, founder: Device, lost: Device) -> Device:
    """Revoke a lost device and give its person another, with the history that the person had."""
    code = await founder.registrar.invite(["field"])
    new = await Device.enrol(town.folder / "new.sluss", code, PASSPHRASE)
    keys, invite = new.local.keys, read_code(code).invite
    field = founder.local.trust.own.audience_for("field")
    assert field is not None
    message = d.enrolment_message(new.local.config.partnership, invite, keys.sign.public, keys.kem.public)
    await founder.registrar.append(
        [
            d.DeviceRevoke(lost.local.keys.kid, "lost"),
            d.DeviceAdd(lost.person_id, invite, keys.sign.public, keys.kem.public, keys.sign.sign(message)),
            d.MemberAdd(field.audience, keys.kid, field.history[lost.person_id]),
        ]
    )
    return new


async def test_a_sole_member_who_lost_their_phone_has_everything_again_with_two_of_three_custodians() -> None:
    async with Town(agencies=("security",)) as town:
        founder = town.founders["security"]
        anna, custodians = await with_sole_member(town)
        assert [len(custody.shares_here(one.local)) for one in custodians] == [3, 3, 3]
        assert all(one.split for one in anna.custody.splits())
        seen = town.clock.now() - timedelta(minutes=5)
        incident = forms.OrderIncident(
            scene="central-square", observed_at=seen, sub_kind="threat", severity=2, situation="Anna's"
        )
        anna.file(incident)
        await anna.sync()

        # A rehearsal, before it is needed: what is here is proven, and nothing is kept or needed.
        with pytest.raises(Refused) as refused:
            await anna.custody.recover(drill=True)
        assert refused.value.code == "shares_missing"
        for one in custodians[:2]:
            await one.custody.give(anna.alias)
        assert (await anna.custody.recover(drill=True)).whole
        assert [one.outcome for one in (await anna.custody.recover()).epochs] == ["held", "held"]

        # Her telephone falls into the water.
        async with await replacement(town, founder, anna) as new:
            await synced(new, founder, new, founder, *custodians, new)
            # She files at once, in a new epoch of her own; what was before is closed to everybody.
            assert holds(new) == [False, False, True]
            assert [str(one.situation) for one in new.reports()] == []
            await custodians[2].custody.give(new.alias)
            with pytest.raises(Refused) as refused:
                await new.custody.recover()
            assert refused.value.code == "shares_missing"

            given = await custodians[0].custody.give(new.local.keys.kid.hex())
            assert (given.alias, given.epochs) == (new.alias, 3)
            assert (await new.custody.recover(drill=True)).whole
            assert holds(new) == [False, False, True]
            done = await new.custody.recover()
            assert [(one.epoch, one.outcome) for one in done.epochs] == [
                (1, "recovered"),
                (2, "recovered"),
                (3, "held"),
            ]
            assert holds(new) == [True, True, True]
            await new.sync()
            assert [str(one.situation) for one in new.reports()] == ["Anna's"]
            assert [code for _, code in new.local.alarms()] == []

            # From here on she passes them on herself.
            colleague = await town.device("security")
            await synced(new, colleague)
            field = colleague.local.trust.own.audience_for("field")
            assert field is not None
            first = field.members[colleague.local.keys.kid]
            assert holds(colleague)[first - 1 :] == [True] * (len(field.epochs) - first + 1)


async def test_a_device_without_custodians_or_shares_is_told_so() -> None:
    async with Town(agencies=("security",)) as town:
        founder = town.founders["security"]
        assert founder.custody.custodians() == ()
        with pytest.raises(Refused) as refused:
            await founder.custody.recover()
        assert refused.value.code == "no_custodians"
        _, custodians = await with_sole_member(town)
        await founder.sync()
        assert [one.alias for one in founder.custody.custodians()] == [one.alias for one in custodians]
