"""Splits, custodians' shares and the roster on the server: whose are taken, and who is given them."""

from __future__ import annotations

import os
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import delete

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.problems import Invalid
from sluss_server.storage.tables import epoch_wraps, rosters, sealed_shares

from tests.server.custody import name_custodians, sealed_roster, settle, share_for, shares_entry, split
from tests.server.test_keys import newcomer, offer, wrapped
from tests.server.town import Device, Town


async def asked_by(town: Town, device: Device, **asked: Any) -> membership.KeysAnswer:  # noqa: ANN401  # any field of it
    return await town.services.pull_keys(await town.caller(device), membership.KeysPull(**asked))


async def give(town: Town, device: Device, **offered: Any) -> None:  # noqa: ANN401  # any field of an offer
    await town.services.offer_keys(await town.caller(device), membership.KeysOffer(**offered))


class TestSplits:
    async def test_the_latest_of_an_epoch_waits_for_a_registrar(self, town: Town) -> None:
        registrar, member = town.field("police"), town.field("police", 1)
        await name_custodians(town, registrar.agency)
        first, second = split(registrar.agency, registrar), split(registrar.agency, member)

        await give(town, registrar, splits=(first,))
        await give(town, member, splits=(second,))

        assert (await asked_by(town, registrar)).splits == (second,)

    async def test_a_member_sees_it_and_makes_no_other(self, town: Town) -> None:
        registrar = town.field("police")
        await name_custodians(town, registrar.agency)
        given = split(registrar.agency, registrar)
        await give(town, registrar, splits=(given,))

        assert (await asked_by(town, town.field("police", 1))).splits == (given,)

    @pytest.mark.parametrize("who", ["custodian", "another agency's registrar"])
    async def test_nobody_but_members_and_registrars_see_it(self, town: Town, who: str) -> None:
        registrar = town.field("police")
        await name_custodians(town, registrar.agency)
        await give(town, registrar, splits=(split(registrar.agency, registrar),))
        asker = town.supervisor("police") if who == "custodian" else town.field("health")

        answer = await asked_by(town, asker)

        assert (answer.splits, answer.shares) == ((), ())

    @pytest.mark.parametrize("why", ["it is signed", "another is signed", "the custodians are others"])
    async def test_it_waits_no_more_when(self, town: Town, why: str) -> None:
        registrar = town.field("police")
        agency = registrar.agency
        await name_custodians(town, agency)
        given = split(agency, registrar)
        await give(town, registrar, splits=(given,))
        if why == "the custodians are others":
            await name_custodians(town, agency, (1, 0, 2))
        else:
            await settle(town, agency, given if why == "it is signed" else split(agency, registrar))

        assert (await asked_by(town, registrar)).splits == ()

    async def test_an_epoch_split_for_others_is_split_again(self, town: Town) -> None:
        registrar = town.field("police")
        await name_custodians(town, registrar.agency)
        await settle(town, registrar.agency, split(registrar.agency, registrar))
        await name_custodians(town, registrar.agency, (2, 1, 0))
        given = split(registrar.agency, registrar, which=(2, 1, 0))

        await give(town, registrar, splits=(given,))

        assert (await asked_by(town, registrar)).splits == (given,)

    @pytest.mark.parametrize(
        ("case", "code", "field"),
        [
            ("by a supervisor", "not_allowed", "splits.maker"),
            ("in a colleague's name", "not_allowed", "splits.maker"),
            ("of no audience", "not_allowed", "splits.maker"),
            ("by a member who may not have the epoch", "not_allowed", "splits.maker"),
            ("an epoch to come", "directory_conflict", "splits.epoch"),
            ("epoch 0", "directory_conflict", "splits.epoch"),
            ("split already", "directory_conflict", "splits.epoch"),
            ("another order", "directory_conflict", "splits.shares"),
            ("one custodian twice", "directory_conflict", "splits.shares"),
            ("no custodian", "directory_conflict", "splits.shares"),
            ("a share of another epoch", "not_allowed", "splits.shares"),
            ("a share of another audience", "not_allowed", "splits.shares"),
            ("a share sealed to another", "not_allowed", "splits.shares"),
        ],
    )
    async def test_no_other_is_taken(self, town: Town, case: str, code: str, field: str) -> None:
        registrar, supervisor = town.field("police"), town.supervisor("police")
        agency = registrar.agency
        await name_custodians(town, agency)
        given = split(agency, registrar)
        first, second, third = given.shares
        stranger = await newcomer(town, first=2)
        by = {"by a supervisor": supervisor, "by a member who may not have the epoch": stranger}.get(case, registrar)
        outside = share_for(agency, given.audience, 1, stranger.kid, stranger.kid)
        changed: dict[str, dict[str, Any]] = {
            "by a supervisor": {"maker": supervisor.kid},
            "in a colleague's name": {"maker": town.field("police", 1).kid},
            "of no audience": {"audience": bytes(16)},
            "by a member who may not have the epoch": {"maker": stranger.kid},
            "an epoch to come": {"epoch": 2},
            "epoch 0": {"epoch": 0},
            "another order": {"shares": (second, first, third)},
            "one custodian twice": {"shares": (first, first, third)},
            "no custodian": {"shares": (first, second, outside)},
            "a share of another epoch": {"shares": (first, second, structs.replace(third, epoch=2))},
            "a share of another audience": {"shares": (first, second, structs.replace(third, audience=bytes(16)))},
            "a share sealed to another": {"shares": (first, second, structs.replace(third, device=registrar.kid))},
        }
        given = structs.replace(given, **changed.get(case, {}))
        if case == "split already":
            await settle(town, agency, split(agency, registrar))

        with pytest.raises(Invalid, match=code) as refusal:
            await give(town, by, splits=(given,))

        assert refusal.value.field == field
        assert (await asked_by(town, registrar)).splits == ()

    async def test_after_a_restore_a_split_gives_the_shares_again(self, town: Town) -> None:
        registrar = town.field("police")
        agency = registrar.agency
        await name_custodians(town, agency)
        given = split(agency, registrar)
        # Given back by a device that has the entry and no shares.
        await town.append(agency, [shares_entry(agency, given)])
        before = [(await asked_by(town, one)).shares for one in agency.devices]

        await give(town, registrar, splits=(given,))

        assert before == [()] * 3
        assert [(await asked_by(town, one)).shares for one in agency.devices] == [(one,) for one in given.shares]
        assert (await asked_by(town, registrar)).splits == ()

    async def test_and_replaces_none_that_is_there(self, town: Town) -> None:
        registrar, custodian = town.field("police"), town.supervisor("police")
        agency = registrar.agency
        await name_custodians(town, agency)
        given = split(agency, registrar)
        await settle(town, agency, given)
        await town.writer.submit(
            lambda connection: connection.execute(
                delete(sealed_shares).where(sealed_shares.c.custodian == registrar.kid)
            )
        )
        forged = tuple(structs.replace(one, sealed=bytes(d.SEALED_SHARE_BYTES)) for one in given.shares)

        await give(town, registrar, splits=(structs.replace(given, shares=forged),))

        assert (await asked_by(town, custodian)).shares == given.shares[2:]
        assert (await asked_by(town, registrar)).shares == forged[:1]


class TestShares:
    async def settled(self, town: Town) -> membership.ShareProposal:
        agency = town.agencies["police"]
        await name_custodians(town, agency)
        given = split(agency, agency.devices[0])
        await settle(town, agency, given)
        return given

    async def test_a_custodian_gets_its_own_until_it_has_it(self, town: Town) -> None:
        given = await self.settled(town)

        for device, share in zip(town.agencies["police"].devices, given.shares, strict=True):
            assert (await asked_by(town, device)).shares == (share,)
            assert (await asked_by(town, device, shares=(share.share,))).shares == ()

    async def test_a_custodian_gives_it_to_a_device_that_recovers(self, town: Town) -> None:
        given, device, custodian = await self.settled(town), await newcomer(town), town.supervisor("police")
        again = [structs.replace(given.shares[2], device=device.kid, sealed=os.urandom(1200)) for _ in range(2)]

        for one in again:
            await give(town, custodian, shares=(one,))

        # The last one counts, and the custodian's own is as it was.
        assert (await asked_by(town, device)).shares == (again[1],)
        assert (await asked_by(town, custodian)).shares == (given.shares[2],)
        assert (await asked_by(town, town.field("police"))).shares == (given.shares[0],)

    @pytest.mark.parametrize(
        ("case", "code", "field"),
        [
            ("another custodian's", "not_allowed", "shares.custodian"),
            ("who is no custodian", "not_allowed", "shares.custodian"),
            ("of an epoch that is not split", "not_allowed", "shares.custodian"),
            ("another digest", "directory_conflict", "shares.share"),
            ("split anew since", "directory_conflict", "shares.share"),
            ("a custodian no more", "not_allowed", "shares.custodian"),
            ("to who may not have the epoch", "not_allowed", "shares.device"),
            ("to a supervisor", "not_allowed", "shares.device"),
            ("to another agency", "not_allowed", "shares.device"),
            ("to who was revoked", "not_allowed", "shares.device"),
        ],
    )
    async def test_no_other_is_taken(self, town: Town, case: str, code: str, field: str) -> None:
        given = await self.settled(town)
        agency, custodian = town.agencies["police"], town.field("police", 1)
        to = await newcomer(town)
        one = structs.replace(given.shares[1], device=to.kid)
        if case == "another custodian's":
            one = structs.replace(given.shares[0], device=to.kid)
        elif case == "who is no custodian":
            custodian = to
            one = structs.replace(one, custodian=to.kid)
        elif case == "of an epoch that is not split":
            await town.open_epochs(agency, ("field",))
            one = structs.replace(one, epoch=2)
        elif case == "another digest":
            one = structs.replace(one, share=bytes(32))
        elif case == "split anew since":
            await settle(town, agency, split(agency, custodian))
        elif case == "a custodian no more":
            agency.devices.append(extra := await newcomer(town))
            assert extra.agency is agency
            await name_custodians(town, agency, (0, 2, len(agency.devices) - 1))
            await settle(town, agency, split(agency, custodian, which=(0, 2, len(agency.devices) - 1)))
        elif case == "to who may not have the epoch":
            to = await newcomer(town, first=2)
        elif case == "to a supervisor":
            to = town.supervisor("police")
        elif case == "to another agency":
            to = town.field("health")
        elif case == "to who was revoked":
            await town.append(agency, [agency.entry(d.DeviceRevoke(to.kid, "lost"))])
        one = structs.replace(one, device=to.kid)

        with pytest.raises(Invalid, match=code) as refusal:
            await give(town, custodian, shares=(one,))

        assert refusal.value.field == field

    async def test_who_recovered_an_epoch_passes_it_on(self, town: Town) -> None:
        """Though no wrap of it was ever made for this device."""
        given, device = await self.settled(town), await newcomer(town)
        second = await newcomer(town)
        await town.writer.submit(lambda connection: connection.execute(delete(epoch_wraps)))
        for number, custodian in enumerate(device.agency.devices[:2]):
            with pytest.raises(Invalid, match="not_allowed"):
                await offer(town, device, [second.kid])
            await give(town, custodian, shares=(structs.replace(given.shares[number], device=device.kid),))

        told = (await asked_by(town, device)).lacking
        await offer(town, device, [second.kid])

        assert second.kid in told[0].whole
        assert await wrapped(town, second) == [(1, True)]


class TestRoster:
    async def test_every_active_device_of_the_agency_gets_it(self, town: Town) -> None:
        agency = town.agencies["police"]
        sealed, body = sealed_roster()
        before = (await asked_by(town, agency.devices[0])).roster

        await town.append(agency, [agency.entry(body)], roster=sealed)

        assert before is None
        assert [(await asked_by(town, one)).roster for one in agency.devices] == [sealed] * 3
        assert (await asked_by(town, town.field("health"))).roster is None

    async def test_who_has_it_is_not_sent_it_again(self, town: Town) -> None:
        agency = town.agencies["police"]
        (first, earlier), (second, later) = sealed_roster(), sealed_roster()
        await town.append(agency, [agency.entry(earlier)], roster=first)
        await town.append(agency, [agency.entry(later)], roster=second)

        asked = [(await asked_by(town, agency.devices[0], roster=one)).roster for one in (earlier.digest, later.digest)]

        assert asked == [second, None]

    @pytest.mark.parametrize("lost", ["never sent", "lost"])
    async def test_one_that_is_not_there_is_not_given_and_not_replaced_by_an_earlier(
        self, town: Town, lost: str
    ) -> None:
        agency = town.agencies["police"]
        (first, earlier), (second, later) = sealed_roster(), sealed_roster()
        await town.append(agency, [agency.entry(earlier)], roster=first)
        if lost == "lost":
            await town.append(agency, [agency.entry(later)], roster=second)
            await town.writer.submit(lambda connection: connection.execute(delete(rosters)))
        else:
            await town.append(agency, [agency.entry(later)])

        assert (await asked_by(town, agency.devices[0])).roster is None
