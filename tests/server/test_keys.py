"""Keys on the server: who gets which wraps, who is told of whom, and whose offers are taken."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import delete, func, select

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import Function
from sluss_schemas.problems import Invalid
from sluss_server.storage.tables import epoch_wraps

from tests.server.sealer import KemKey, SignKey
from tests.server.town import Device, Town


async def pull(town: Town, device: Device, *held: membership.HeldKey) -> membership.KeysAnswer:
    return await town.services.pull_keys(await town.caller(device), membership.KeysPull(held))


async def wrapped(town: Town, device: Device) -> list[tuple[int, bool]]:
    """The field epochs that a device gets wraps of, each with whether it is whole."""
    audience = device.agency.audience("field")
    return [(one.epoch, one.wrap.whole) for one in (await pull(town, device)).wraps if one.audience == audience]


async def lacking(town: Town, device: Device, epoch: int = 1) -> tuple[set[bytes], set[bytes]]:
    """Who lacks an epoch of the field audience, as a device that has all is told: whole, and its signing key alone."""
    audience = device.agency.audience("field")
    answer = await pull(town, device, *(membership.HeldKey(audience, one, whole=True) for one in (1, 2)))
    found = [one for one in answer.lacking if (one.audience, one.epoch) == (audience, epoch)]
    assert len(found) <= 1
    return (set(found[0].whole), set(found[0].group)) if found else (set(), set())


async def newcomer(
    town: Town, first: int = 1, functions: tuple[Function, ...] = ("field",), slug: str = "police"
) -> Device:
    """A new person's device, a member from an epoch on."""
    agency = town.agencies[slug]
    entries = town.device_entries(agency, os.urandom(4).hex(), functions)
    device = agency.devices[-1]
    if first > 1:
        entries.append(agency.entry(d.MemberAdd(agency.audience(functions[0]), device.kid, first)))
    await town.append(agency, entries)
    return device


async def joins(town: Town, device: Device) -> None:
    """Let a supervisor join the field."""
    agency, alias = device.agency, device.agency.directory.persons[device.person].alias  # type: ignore[index]  # its id
    await town.append(
        agency,
        [
            agency.entry(d.PersonAdd(device.person, alias, ("field", "supervisors"), None, None)),
            agency.entry(d.MemberAdd(agency.audience("field"), device.kid, 1)),
        ],
    )


async def offer(town: Town, by: Device, to: Iterable[bytes], epoch: int = 1, *, whole: bool = True) -> d.EpochWrap:
    """Offer fresh wraps of an epoch of the field audience; the last of them is returned."""
    wraps = town.wraps(by.agency, "field", epoch, to, whole=whole)
    given = membership.EpochSet(by.agency.audience("field"), epoch, wraps)
    await town.services.offer_keys(await town.caller(by), membership.KeysOffer((given,)))
    return wraps[-1]


class TestWrapsThatADeviceGets:
    async def test_are_its_own(self, town: Town) -> None:
        device = town.field("police")

        [own] = (await pull(town, device)).wraps

        assert (own.audience, own.epoch, own.wrap.device) == (device.agency.audience("field"), 1, device.kid)

    @pytest.mark.parametrize(
        ("held", "comes"),
        [([], [False, True]), ([True], []), ([False], [True]), ([False, True], [])],
    )
    async def test_are_those_that_it_does_not_hold(self, town: Town, held: list[bool], comes: list[bool]) -> None:
        device = town.supervisor("police")
        audience = device.agency.audience("field")
        await offer(town, town.field("police"), [device.kid], whole=False)
        await joins(town, device)
        await offer(town, town.field("police"), [device.kid])

        answer = await pull(town, device, *(membership.HeldKey(audience, 1, one) for one in held))

        assert [one.wrap.whole for one in answer.wraps if one.audience == audience] == comes

    async def test_stay_when_it_is_a_member_no_more(self, town: Town) -> None:
        device = town.field("police", 1)
        await town.append(
            device.agency, [device.agency.entry(d.MemberRemove(device.agency.audience("field"), device.kid))]
        )

        assert await wrapped(town, device) == [(1, True)]
        assert (await pull(town, device)).lacking == ()


class TestWhoIsTold:
    async def test_members_are_told_of_a_newcomer_until_it_is_wrapped_for(self, town: Town) -> None:
        device = await newcomer(town)
        supervisor = town.supervisor("police")

        before = [await lacking(town, one) for one in (town.field("police"), town.field("police", 1))]
        await offer(town, town.field("police"), [device.kid])

        assert before == [({device.kid}, {supervisor.kid})] * 2
        assert await lacking(town, town.field("police", 1)) == (set(), {supervisor.kid})

    @pytest.mark.parametrize("who", ["supervisors", "another agency's", "the newcomer"])
    async def test_nobody_else_is(self, town: Town, who: str) -> None:
        device = await newcomer(town)
        asker = {"supervisors": town.supervisor("police"), "another agency's": town.field("health")}.get(who, device)

        told = {kid for one in (await pull(town, asker)).lacking for kid in (*one.whole, *one.group)}

        assert device.kid not in told

    async def test_nothing_missing_is_nothing_told(self, town: Town) -> None:
        device = town.field("police")
        await offer(town, device, [town.supervisor("police").kid], whole=False)

        assert (await pull(town, device)).lacking == ()

    async def test_a_newcomer_lacks_only_what_the_directory_entitles_it_to(self, town: Town) -> None:
        member = town.field("police")
        later = await newcomer(town, first=2)
        before = await lacking(town, member)
        await town.open_epochs(member.agency, ("field",))
        whole = await newcomer(town)

        supervisor = town.supervisor("police").kid
        assert before == (set(), {supervisor})
        # The signing key alone is only of use while its epoch is in force.
        assert await lacking(town, member, 1) == ({whole.kid}, set())
        assert await lacking(town, member, 2) == ({whole.kid}, {supervisor})
        assert await wrapped(town, later) == [(2, True)]

    async def test_a_member_is_told_only_of_epochs_that_it_holds(self, town: Town) -> None:
        member = town.field("police")
        later = await newcomer(town, first=2)
        await town.open_epochs(member.agency, ("field",))
        whole = await newcomer(town)

        assert whole.kid in (await lacking(town, member, 1))[0]
        assert await lacking(town, later, 1) == (set(), set())
        assert whole.kid in (await lacking(town, later, 2))[0]

    async def test_wraps_that_a_restore_lost_are_lacking_and_offered_again(self, town: Town) -> None:
        member, other = town.field("police"), town.field("police", 1)
        await town.writer.submit(lambda connection: connection.execute(delete(epoch_wraps)))

        told = (await lacking(town, member))[0]
        wrap = await offer(town, member, [other.kid])

        assert told == {member.kid, other.kid}
        assert [one.wrap for one in (await pull(town, other)).wraps] == [wrap]


class TestOffers:
    async def test_a_member_passes_an_epoch_on_to_a_newcomer(self, town: Town) -> None:
        device = await newcomer(town)

        wrap = await offer(town, town.field("police"), [device.kid])

        assert [one.wrap for one in (await pull(town, device)).wraps] == [wrap]

    async def test_who_got_it_so_passes_it_on_too(self, town: Town) -> None:
        first, second = await newcomer(town), await newcomer(town)
        await offer(town, town.field("police"), [first.kid])

        await offer(town, first, [second.kid])

        assert await wrapped(town, second) == [(1, True)]

    async def test_supervisors_get_the_signing_key_alone(self, town: Town) -> None:
        device = town.supervisor("police")

        await offer(town, town.field("police"), [device.kid], whole=False)

        assert await wrapped(town, device) == [(1, False)]

    @pytest.mark.parametrize(
        ("case", "code", "field"),
        [
            ("from a supervisor", "not_allowed", "wraps.audience"),
            ("from another agency", "not_allowed", "wraps.audience"),
            ("of no audience", "not_allowed", "wraps.audience"),
            ("from who does not hold it", "not_allowed", "wraps.holder"),
            ("from who has the signing key alone", "not_allowed", "wraps.holder"),
            ("whole to a supervisor", "directory_conflict", "wraps.device"),
            ("the signing key to a member", "directory_conflict", "wraps.device"),
            ("to another agency", "directory_conflict", "wraps.device"),
            ("to who was revoked", "directory_conflict", "wraps.device"),
            ("from before it begins", "directory_conflict", "wraps.device"),
            ("the signing key of an epoch that ended", "directory_conflict", "wraps.device"),
            ("of an epoch to come", "directory_conflict", "wraps.epoch"),
            ("of epoch 0", "directory_conflict", "wraps.epoch"),
        ],
    )
    async def test_no_other_is_taken(self, town: Town, case: str, code: str, field: str) -> None:
        member, supervisor = town.field("police"), town.supervisor("police")
        agency, device, later = member.agency, await newcomer(town), await newcomer(town, first=2)
        if case == "from who has the signing key alone":
            await offer(town, member, [supervisor.kid], whole=False)
            await joins(town, supervisor)
        elif case == "to who was revoked":
            await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "lost"))])
        elif case == "the signing key of an epoch that ended":
            await town.open_epochs(agency, ("field",))
        by = {
            "from a supervisor": supervisor,
            "from another agency": town.field("health"),
            "from who does not hold it": device,
            "from who has the signing key alone": supervisor,
        }.get(case, member)
        to = {
            "whole to a supervisor": supervisor,
            "the signing key of an epoch that ended": supervisor,
            "to another agency": town.field("health"),
            "from before it begins": later,
        }.get(case, device)
        audience = bytes(16) if case == "of no audience" else agency.audience("field")
        epoch = {"of an epoch to come": 2, "of epoch 0": 0}.get(case, 1)
        whole = not case.startswith("the signing key")
        given = membership.EpochSet(audience, epoch, (d.EpochWrap(to.kid, whole, bytes(1168)),))

        with pytest.raises(Invalid, match=code) as refusal:
            await town.services.offer_keys(await town.caller(by), membership.KeysOffer((given,)))

        assert refusal.value.field == field
        async with town.engine.read() as connection:
            stored = await connection.execute(
                select(func.count()).where(epoch_wraps.c.device == to.kid, epoch_wraps.c.wrap == bytes(1168))
            )
        assert stored.scalar() == 0


class TestAWrapThatDoesNotOpen:
    """A bad wrap keeps nobody from an epoch: others' stand beside it, and nothing that is there is replaced."""

    async def test_another_makers_wrap_stands_beside_it(self, town: Town) -> None:
        device, members = await newcomer(town), [town.field("police"), town.field("police", 1)]

        wraps = [await offer(town, one, [device.kid]) for one in members]

        found = [one.wrap for one in (await pull(town, device)).wraps]
        assert sorted(found, key=lambda one: one.wrap) == sorted(wraps, key=lambda one: one.wrap)

    async def test_nobodys_is_replaced(self, town: Town) -> None:
        device = await newcomer(town)
        first = await offer(town, town.field("police"), [device.kid])

        await offer(town, town.field("police"), [device.kid])

        assert [one.wrap for one in (await pull(town, device)).wraps] == [first]

    @pytest.mark.parametrize("opened_with_it", [True, False])
    async def test_three_makers_are_kept_and_the_entry_is_one(self, town: Town, *, opened_with_it: bool) -> None:
        others = [await newcomer(town) for _ in range(4)]
        device = town.field("police", 1) if opened_with_it else await newcomer(town)
        for one in others:
            await offer(town, town.field("police"), [one.kid])

        for one in others:
            await offer(town, one, [device.kid])

        assert await wrapped(town, device) == [(1, True)] * 3

    async def test_who_asks_for_it_again_is_lacking_for_everybody_but_its_maker(self, town: Town) -> None:
        device, (maker, other) = await newcomer(town), (town.field("police"), town.field("police", 1))
        await offer(town, maker, [device.kid])
        before = await lacking(town, other)
        await pull(town, device)
        once = await lacking(town, other)
        await pull(town, device)

        told = [await lacking(town, one) for one in (maker, other)]
        await pull(town, device, membership.HeldKey(device.agency.audience("field"), 1, whole=True))
        after = await lacking(town, other)

        assert [device.kid in one[0] for one in (before, once, *told, after)] == [False, False, False, True, False]


def proposal(maker: Device, town: Town, epoch: int = 2) -> membership.EpochProposal:
    """A next epoch of the field audience; the server does not look at its secret or its signature."""
    agency = maker.agency
    audience = agency.directory.audience_for("field")
    assert audience is not None
    wraps = town.wraps(agency, "field", 1, sorted(audience.members))
    return membership.EpochProposal(
        audience.audience, epoch, 2, KemKey().public, SignKey().public, wraps, maker.kid, bytes(64)
    )


class TestProposals:
    async def propose(self, town: Town, by: Device, given: membership.EpochProposal) -> None:
        await town.services.offer_keys(await town.caller(by), membership.KeysOffer((), (given,)))

    async def test_the_latest_waits(self, town: Town) -> None:
        first, second = town.field("police"), town.field("police", 1)
        earlier, latest = proposal(first, town), proposal(second, town)
        await self.propose(town, first, earlier)
        await self.propose(town, second, latest)

        assert (await pull(town, first)).proposals == (latest,)

    @pytest.mark.parametrize(
        ("who", "sees"),
        [("member", True), ("registrar", True), ("supervisor", False), ("another agency's registrar", False)],
    )
    async def test_members_and_registrars_see_it(self, town: Town, who: str, *, sees: bool) -> None:
        asker = {"member": town.field("police", 1), "another agency's registrar": town.field("health")}.get(
            who, town.supervisor("police")
        )
        if who == "registrar":
            await town.append(asker.agency, [asker.agency.entry(d.RegistrarAdd(asker.sign.public))])
        await self.propose(town, town.field("police"), given := proposal(town.field("police"), town))

        assert (await pull(town, asker)).proposals == ((given,) if sees else ())

    async def test_it_waits_no_more_when_the_epoch_is_open(self, town: Town) -> None:
        device = town.field("police")
        await self.propose(town, device, proposal(device, town))
        await town.open_epochs(device.agency, ("field",))

        assert (await pull(town, device)).proposals == ()

    async def test_the_signing_key_for_a_supervisor_may_come_with_it(self, town: Town) -> None:
        device = town.field("police")
        given = proposal(device, town)
        alone = town.wraps(device.agency, "field", 1, [town.supervisor("police").kid], whole=False)

        await self.propose(town, device, given := structs.replace(given, wraps=(*given.wraps, *alone)))

        assert (await pull(town, device)).proposals == (given,)

    @pytest.mark.parametrize(
        ("case", "code", "field"),
        [
            ("by a supervisor", "not_allowed", "proposals.maker"),
            ("in a colleague's name", "not_allowed", "proposals.maker"),
            ("of no audience", "not_allowed", "proposals.maker"),
            ("one too far", "directory_conflict", "proposals.epoch"),
            ("the one in force", "directory_conflict", "proposals.epoch"),
            ("one member short", "directory_conflict", "proposals.wraps"),
            ("one member twice", "directory_conflict", "proposals.wraps"),
            ("a supervisor too many", "directory_conflict", "proposals.wraps"),
            ("a member's signing key", "directory_conflict", "proposals.wraps"),
        ],
    )
    async def test_no_other_is_taken(self, town: Town, case: str, code: str, field: str) -> None:
        device, supervisor = town.field("police"), town.supervisor("police")
        given = proposal(device, town)
        one = given.wraps[0]
        changed: dict[str, dict[str, Any]] = {
            "by a supervisor": {"maker": supervisor.kid},
            "in a colleague's name": {"maker": town.field("police", 1).kid},
            "of no audience": {"audience": bytes(16)},
            "one too far": {"epoch": 3},
            "the one in force": {"epoch": 1},
            "one member short": {"wraps": given.wraps[1:]},
            "one member twice": {"wraps": (*given.wraps, one)},
            "a supervisor too many": {"wraps": (*given.wraps, structs.replace(one, device=supervisor.kid))},
            "a member's signing key": {"wraps": (*given.wraps, structs.replace(one, whole=False))},
        }
        given = structs.replace(given, **changed[case])
        by = supervisor if case == "by a supervisor" else device

        with pytest.raises(Invalid, match=code) as refusal:
            await self.propose(town, by, given)

        assert refusal.value.field == field
        assert (await pull(town, device)).proposals == ()

    async def test_one_refusal_stores_nothing_of_the_offer(self, town: Town) -> None:
        device, member = await newcomer(town), town.field("police")
        wraps = membership.EpochSet(
            member.agency.audience("field"), 1, town.wraps(member.agency, "field", 1, [device.kid])
        )
        offered = membership.KeysOffer((wraps,), (proposal(member, town, epoch=3),))

        with pytest.raises(Invalid, match="directory_conflict"):
            await town.services.offer_keys(await town.caller(member), offered)

        assert await wrapped(town, device) == []
