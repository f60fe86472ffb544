"""Directories on the server: pulled, appended to once, and the keys that travel beside them."""

from __future__ import annotations

import asyncio
import os

import pytest
from msgspec import structs

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory

from tests.server.sealer import KemKey, SignKey
from tests.server.town import NOW, Agency, Device, Town, founding


def scene(agency: Agency, number: int) -> d.SignedEntry:
    return agency.entry(d.Scene(number, f"scene-{number}", "Scene", "Plats", None, "confirmed"))


async def replayed(town: Town, device: Device) -> dict[bytes, Directory]:
    """Every chain as a device that had nothing gets and checks it."""
    known, more = dict[bytes, Directory](), True
    while more:
        pull = sync.DirectoryPull(tuple(sync.Known(agency, one.seq) for agency, one in known.items()))
        answer = await town.services.directory_pull(await town.caller(device), pull)
        for chain in answer.chains:
            directory = known.setdefault(chain.agency, Directory())
            assert chain.first == directory.seq + 1
            for entry in chain.entries:
                directory.append(entry)
        more = answer.more
    return known


class TestPull:
    async def test_every_device_replays_every_chain(self, town: Town) -> None:
        found = await replayed(town, town.field("health"))

        assert {one.slug: one.head for one in found.values()} == {
            slug: agency.directory.head for slug, agency in town.agencies.items()
        }

    async def test_a_device_that_has_everything_gets_nothing(self, town: Town) -> None:
        known = tuple(sync.Known(head.agency, head.seq) for head in town.heads())

        answer = await town.services.directory_pull(await town.caller(town.field("police")), sync.DirectoryPull(known))

        assert answer == sync.DirectoryAnswer((), more=False, time=NOW)

    async def test_long_chains_come_in_rounds(self, town: Town) -> None:
        agency = town.agencies["police"]
        for _ in range(2):
            await town.append(agency, [agency.entry(d.PackInForce(os.urandom(32))) for _ in range(400)])

        found = await replayed(town, town.field("health"))

        assert found[agency.id].head == agency.directory.head

    async def test_another_partnership_is_not_seen(self, town: Town) -> None:
        partnership, codes = await town.services.create_partnership("Nästa", "https://example.org", [("police", "POL")])
        town.partnership = partnership
        town.agencies["elsewhere"] = other = Agency(code=codes[0])
        await town.services.found(founding(other.code, town.founding_entries(other)))

        assert set(await replayed(town, other.devices[0])) == {other.id}
        assert other.id not in await replayed(town, town.field("police"))


class TestAppend:
    async def test_of_two_at_one_number_one_is_told(self, town: Town) -> None:
        agency = town.agencies["police"]
        rivals = [_alone(agency, d.PackInForce(os.urandom(32))) for _ in range(6)]
        caller = await town.caller(agency.devices[0])

        answers = await asyncio.gather(
            *(town.services.directory_append(caller, sync.DirectoryAppend((one,))) for one in rivals),
            return_exceptions=True,
        )

        assert sum(isinstance(one, sync.Appended) for one in answers) == 1
        assert [one.code for one in answers if isinstance(one, Invalid)] == ["directory_conflict"] * 5

    async def test_also_of_two_processes(self, town: Town) -> None:
        agency = town.agencies["police"]
        mine, theirs = (_alone(agency, d.PackInForce(os.urandom(32))) for _ in range(2))
        other = await Town(town.path).open()
        await other.services.directory_append(await other.caller(agency.devices[0]), sync.DirectoryAppend((theirs,)))
        await other.close()

        with pytest.raises(Invalid, match="directory_conflict"):
            await town.services.directory_append(await town.caller(agency.devices[0]), sync.DirectoryAppend((mine,)))

    async def test_the_same_again_is_answered_as_the_first_time(self, town: Town) -> None:
        agency = town.agencies["police"]
        entries = [agency.entry(d.PackInForce(os.urandom(32))) for _ in range(3)]

        first = await town.append(agency, entries)
        await town.append(agency, [agency.entry(d.PackInForce(os.urandom(32)))])

        assert await town.append(agency, entries) == first

    async def test_one_wrong_entry_leaves_the_chain_as_it_was(self, town: Town) -> None:
        agency = town.agencies["police"]
        before = agency.directory.head
        good = agency.entry(d.PackInForce(os.urandom(32)))
        bad = structs.replace(agency.entry(d.PackInForce(os.urandom(32))), signature=bytes(64))

        with pytest.raises(Invalid, match="bad_signature"):
            await town.append(agency, [good, bad])

        assert (await replayed(town, town.field("police")))[agency.id].head == before
        assert before in (await town.pull(town.field("police"))).heads

    async def test_nobody_appends_to_another_agencys_chain(self, town: Town) -> None:
        entry = scene(town.agencies["police"], 9)

        with pytest.raises(Invalid):
            await town.services.directory_append(
                await town.caller(town.field("health")), sync.DirectoryAppend((entry,))
            )

    async def test_a_stranger_signs_nothing(self, town: Town) -> None:
        agency, stranger = town.agencies["police"], SignKey()
        entry = _alone(agency, d.PackInForce(os.urandom(32)))
        forged = structs.replace(entry, signature=stranger.sign(d.entry_message(entry.entry)))
        caller = await town.caller(agency.devices[0])

        for one, code in (
            (structs.replace(forged, signer=stranger.kid), "directory_refused"),
            (forged, "bad_signature"),
        ):
            with pytest.raises(Invalid, match=code):
                await town.services.directory_append(caller, sync.DirectoryAppend((one,)))

    async def test_a_revoked_device_appends_nothing(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police", 1)
        await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "left"), NOW)])

        with pytest.raises(Invalid, match="revoked_device"):
            await town.services.directory_append(await town.caller(device), sync.DirectoryAppend((scene(agency, 9),)))

    async def test_a_new_scene_can_be_filed_at(self, town: Town) -> None:
        agency = town.agencies["police"]
        await town.append(agency, [scene(agency, 77)])

        assert await town.outcomes(town.field("security"), town.report("security", scene=77)) == [
            ("created", None, None)
        ]

    @pytest.mark.parametrize("wrong", ["missing", "too many", "another's", "outsider", "one short"])
    async def test_an_epoch_comes_with_exactly_its_wraps(self, town: Town, wrong: str) -> None:
        agency = town.agencies["police"]
        outsider = town.supervisor("police").kid
        entry, wraps = town.epoch_entry(agency, "supervisors")
        sets = {
            "missing": [],
            "too many": [wraps, structs.replace(wraps, epoch=9)],
            "another's": [structs.replace(wraps, wraps=town.wraps(agency, "supervisors", 2, [outsider]))],
            "outsider": [structs.replace(wraps, wraps=(*wraps.wraps, *town.wraps(agency, "field", 1, [outsider])))],
            "one short": [structs.replace(wraps, wraps=())],
        }

        with pytest.raises(Invalid, match="directory_refused"):
            await town.append(agency, [entry], sets[wrong])


def taken(town: Town, mine: Agency, theirs: Agency, what: str) -> tuple[d.Body, tuple[sync.EpochSet, ...]]:
    """What an agency would append to name as its own what is another's, and the wraps that go with it."""
    device, invite = theirs.devices[0], os.urandom(16)
    sign, kem = {
        "a device": (device.sign, device.kem.public),
        "a device's seal key": (SignKey(), device.kem.public),
        "an epoch's seal key as a device's": (SignKey(), theirs.key()),
        "an epoch's signing key as a device's": (theirs.group(), KemKey().public),
    }.get(what, (SignKey(), KemKey().public))
    if what == "an audience":
        return d.AudienceCreate(theirs.audience("field"), "reception"), ()
    if what.startswith("an epoch of"):
        members = sorted(one.kid for one in mine.devices[:2])
        wraps = town.wraps(mine, "field", 1, members)
        kem_key = theirs.key() if what.endswith("seal key") else KemKey().public
        sign_key = theirs.group().public if what.endswith("signing key") else SignKey().public
        if what.endswith("a device's key"):
            kem_key = device.kem.public
        audience = mine.audience("field")
        epoch = d.Epoch(audience, 2, 2, kem_key, sign_key, d.wraps_digest(wraps), tuple(members))
        return epoch, (sync.EpochSet(audience, 2, wraps),)
    message = d.enrolment_message(town.partnership, invite, sign.public, kem)
    return d.DeviceAdd(mine.devices[0].person, invite, sign.public, kem, sign.sign(message)), ()


TAKEN = [
    "an audience",
    "a device",
    "a device's seal key",
    "an epoch's seal key as a device's",
    "an epoch's signing key as a device's",
    "an epoch of their seal key",
    "an epoch of their signing key",
    "an epoch of a device's key",
]


class TestAnothersNames:
    """Feeds, seals and signatures are found by these ids over the whole partnership."""

    @pytest.mark.parametrize("what", TAKEN)
    async def test_are_never_appended(self, town: Town, what: str) -> None:
        mine, theirs = town.agencies["police"], town.agencies["health"]
        body, sets = taken(town, mine, theirs, what)
        caller = await town.caller(mine.devices[0])

        with pytest.raises(Invalid, match="Another agency has this key or audience") as refusal:
            await town.services.directory_append(caller, sync.DirectoryAppend((_alone(mine, body),), sets))

        assert (refusal.value.code, refusal.value.field) == ("directory_refused", "entries")
        assert (await replayed(town, town.field("police")))[mine.id].head == mine.directory.head
        await town.append(mine, [scene(mine, 9)])

    async def test_nor_behind_something_good(self, town: Town) -> None:
        mine, theirs = town.agencies["police"], town.agencies["health"]
        before = mine.directory.head
        entries = [scene(mine, 9), mine.entry(d.AudienceCreate(theirs.audience("supervisors"), "reception"))]

        with pytest.raises(Invalid, match="directory_refused"):
            await town.append(mine, entries)

        assert (await replayed(town, town.field("police")))[mine.id].head == before

    async def test_of_two_that_name_one_at_once_one_is_told(self, town: Town) -> None:
        audience, holds = os.urandom(16), asyncio.Event()
        blocking = asyncio.create_task(town.writer.submit(lambda _connection: holds.wait()))
        appends = [
            asyncio.create_task(
                town.services.directory_append(
                    await town.caller(agency.devices[0]),
                    sync.DirectoryAppend((_alone(agency, d.AudienceCreate(audience, "reception")),)),
                )
            )
            for agency in (town.agencies["police"], town.agencies["health"])
        ]
        # Both have been checked and wait for the writer.
        while town.writer._queue.qsize() < len(appends):  # noqa: ASYNC110  # nothing tells when somebody queues
            await asyncio.sleep(0)
        holds.set()

        answers = await asyncio.gather(*appends, return_exceptions=True)

        await blocking
        assert [type(one) for one in answers] == [sync.Appended, Invalid]
        assert "directory_refused" in str(answers[1])
        found = await replayed(town, town.field("police"))
        assert sum(audience in one.audiences for one in found.values()) == 1

    async def test_also_of_two_processes(self, town: Town) -> None:
        audience = os.urandom(16)
        other = await Town(town.path).open()
        appends = [
            services.directory_append(
                await town.caller(agency.devices[0]),
                sync.DirectoryAppend((_alone(agency, d.AudienceCreate(audience, "reception")),)),
            )
            for services, agency in (
                (town.services, town.agencies["police"]),
                (other.services, town.agencies["health"]),
            )
        ]
        await other.services.identify(town.field("health").kid)

        answers = await asyncio.gather(*appends, return_exceptions=True)
        await other.close()

        assert sorted(type(one).__name__ for one in answers) == ["Appended", "Invalid"]
        assert [one.code for one in answers if isinstance(one, Invalid)] == ["directory_refused"]

    async def test_what_two_append_at_once_and_is_their_own_is_taken(self, town: Town) -> None:
        appends = [
            town.services.directory_append(
                await town.caller(agency.devices[0]),
                sync.DirectoryAppend((_alone(agency, d.AudienceCreate(os.urandom(16), "reception")),)),
            )
            for agency in town.agencies.values()
        ]

        answers = await asyncio.gather(*appends)

        assert len({one.head.agency for one in answers}) == 5


def _alone(agency: Agency, body: d.Body) -> d.SignedEntry:
    """The next entry, signed, without taking it into the agency's own copy."""
    data = d.entry_bytes(agency.directory.seq + 1, agency.directory.hash, body, NOW)
    return d.SignedEntry(data, agency.root.kid, agency.root.sign(d.entry_message(data)))


class TestKeys:
    async def test_a_device_gets_its_own_wraps_and_sees_who_holds_what(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police")

        answer = await town.services.keys(await town.caller(device))

        assert [(one.audience, one.epoch, one.wrap.device) for one in answer.wraps] == [
            (agency.audience("field"), 1, device.kid)
        ]
        members = tuple(sorted(one.kid for one in agency.devices[:2]))
        assert answer.holders == (sync.Holders(agency.audience("field"), 1, members, ()),)

    async def newcomer(self, town: Town) -> Device:
        agency = town.agencies["police"]
        await town.append(agency, town.device_entries(agency, "N", ("field",)))
        return agency.devices[-1]

    async def offer(self, town: Town, by: Device, wraps: tuple[d.EpochWrap, ...], epoch: int = 1) -> None:
        given = sync.EpochSet(town.agencies["police"].audience("field"), epoch, wraps)
        await town.services.offer_keys(await town.caller(by), sync.KeysOffer((given,)))

    async def test_a_member_passes_an_epoch_on_to_a_newcomer(self, town: Town) -> None:
        newcomer = await self.newcomer(town)
        wraps = town.wraps(town.agencies["police"], "field", 1, [newcomer.kid])

        await self.offer(town, town.field("police"), wraps)

        [own] = (await town.services.keys(await town.caller(newcomer))).wraps
        assert own.wrap == wraps[0]

    async def test_a_wrap_that_is_there_is_never_replaced(self, town: Town) -> None:
        device = town.field("police", 1)
        [before] = (await town.services.keys(await town.caller(device))).wraps

        await self.offer(town, town.field("police"), town.wraps(town.agencies["police"], "field", 1, [device.kid]))

        assert (await town.services.keys(await town.caller(device))).wraps == (before,)

    async def test_supervisors_get_the_signing_key_alone(self, town: Town) -> None:
        device = town.supervisor("police")
        wraps = town.wraps(town.agencies["police"], "field", 1, [device.kid], whole=False)

        await self.offer(town, town.field("police"), wraps)

        found = (await town.services.keys(await town.caller(device))).wraps
        assert sorted(one.wrap.whole for one in found) == [False, True]

    @pytest.mark.parametrize(
        "case", ["not a member", "to an outsider", "whole to supervisors", "no such epoch", "does not hold it"]
    )
    async def test_no_other_offer_is_taken(self, town: Town, case: str) -> None:
        agency, newcomer = town.agencies["police"], await self.newcomer(town)
        by, to, epoch, whole = {
            "not a member": (town.supervisor("police"), newcomer.kid, 1, True),
            "to an outsider": (town.field("police"), town.supervisor("police").kid, 1, True),
            "whole to supervisors": (town.field("police"), town.supervisor("police").kid, 1, True),
            "no such epoch": (town.field("police"), newcomer.kid, 9, True),
            "does not hold it": (newcomer, newcomer.kid, 1, True),
        }[case]
        wraps = town.wraps(agency, "field", 1, [to], whole=whole)

        with pytest.raises(Invalid, match="not_allowed"):
            await self.offer(town, by, wraps, epoch)

        assert (await town.services.keys(await town.caller(newcomer))).wraps == ()

    def proposal(self, town: Town, maker: Device, epoch: int = 2) -> sync.EpochProposal:
        agency = town.agencies["police"]
        members = sorted(agency.directory.audiences[agency.audience("field")].members)  # type: ignore[index]  # its id
        wraps = town.wraps(agency, "field", 1, members)
        return sync.EpochProposal(
            agency.audience("field"), epoch, 2, KemKey().public, SignKey().public, wraps, maker.kid, bytes(64)
        )

    async def test_the_latest_proposal_waits_for_a_registrar(self, town: Town) -> None:
        device = town.field("police")
        first, second = self.proposal(town, device), self.proposal(town, device)
        for one in (first, second):
            await town.services.offer_keys(await town.caller(device), sync.KeysOffer((), (one,)))

        found = (await town.services.keys(await town.caller(town.supervisor("police")))).proposals

        assert found == (second,)
        assert (await town.services.keys(await town.caller(town.field("health")))).proposals == ()

    async def test_it_waits_no_more_when_the_epoch_is_open(self, town: Town) -> None:
        device = town.field("police")
        await town.services.offer_keys(await town.caller(device), sync.KeysOffer((), (self.proposal(town, device),)))
        await town.open_epochs(town.agencies["police"], ("field",))

        assert (await town.services.keys(await town.caller(device))).proposals == ()

    @pytest.mark.parametrize(
        ("maker", "epoch", "code"),
        [("supervisor", 2, "not_allowed"), ("field", 3, "directory_conflict"), ("field", 1, "directory_conflict")],
    )
    async def test_no_other_proposal_is_taken(self, town: Town, maker: str, epoch: int, code: str) -> None:
        device = town.field("police") if maker == "field" else town.supervisor("police")

        with pytest.raises(Invalid, match=code):
            await town.services.offer_keys(
                await town.caller(device), sync.KeysOffer((), (self.proposal(town, device, epoch),))
            )
