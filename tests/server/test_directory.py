"""Directories on the server: pulled, appended to once, and the keys that travel beside them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs

from sluss_schemas import directory as d
from sluss_schemas import membership, sync
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory

from tests.server.custody import name_custodians, sealed_roster, settle, shares_entry, split
from tests.server.sealer import KemKey, SignKey
from tests.server.town import INSTANCE, NOW, Agency, Device, Town, founding


def scene(agency: Agency, number: int) -> d.SignedEntry:
    return agency.entry(d.Scene(number, f"scene-{number}", "Scene", "Plats", None, "confirmed"))


async def replayed(town: Town, device: Device) -> dict[bytes, Directory]:
    """Every chain as a device that had nothing gets and checks it."""
    known, more = dict[bytes, Directory](), True
    while more:
        pull = membership.DirectoryPull(tuple(membership.Known(agency, one.seq) for agency, one in known.items()))
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
        known = tuple(membership.Known(head.agency, head.seq) for head in town.heads())

        answer = await town.services.directory_pull(
            await town.caller(town.field("police")), membership.DirectoryPull(known)
        )

        assert answer == membership.DirectoryAnswer((), more=False, time=NOW, instance=INSTANCE, heads=town.heads())

    async def test_long_chains_come_in_rounds(self, town: Town) -> None:
        agency = town.agencies["police"]
        for _ in range(2):
            await town.append(
                agency, [agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None)) for _ in range(400)]
            )

        found = await replayed(town, town.field("health"))

        assert found[agency.id].head == agency.directory.head

    async def test_another_partnership_is_not_seen(self, town: Town) -> None:
        partnership, codes = await town.services.create_partnership("Nästa", "https://example.org", [("police", "POL")])
        town.partnership = partnership
        town.agencies["elsewhere"] = other = Agency(code=codes[0])
        await town.services.found(founding(other.code, town.founding_entries(other)))

        assert set(await replayed(town, other.devices[0])) == {other.id}
        assert other.id not in await replayed(town, town.field("police"))

    async def test_the_heads_are_those_of_what_is_stored(self, town: Town) -> None:
        before = town.heads()
        agency = town.agencies["police"]
        agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None))

        answer = await town.services.directory_pull(await town.caller(town.field("health")), membership.DirectoryPull())

        assert (answer.instance, answer.heads) == (INSTANCE, before)


async def revoke(town: Town, device: Device) -> None:
    await town.append(device.agency, [device.agency.entry(d.DeviceRevoke(device.kid, "stolen"), NOW)])


class TestRevoked:
    """A revoked device gets the proof that it was, so that it can wipe itself, and nothing else."""

    async def test_it_gets_its_own_chain_up_to_the_entry_that_revoked_it(self, town: Town) -> None:
        device = town.field("police", 1)
        agency = device.agency
        await revoke(town, device)
        last = agency.directory.head
        await town.append(agency, [scene(agency, 9), agency.entry(d.DeviceRevoke(agency.devices[2].kid, "left"), NOW)])

        answer = await town.services.directory_pull(await town.caller(device), membership.DirectoryPull())
        found = await replayed(town, device)

        assert (answer.more, answer.heads, answer.instance) == (False, (), INSTANCE)
        assert {one.agency: one.head for one in found.values()} == {agency.id: last}
        assert found[agency.id].devices[device.kid].revoked_at == NOW

    @pytest.mark.parametrize(("behind", "comes"), [(3, 3), (1, 1), (0, 0), (-1, 0), (-9, 0)])
    async def test_it_gets_no_entry_twice_and_none_after(self, town: Town, behind: int, comes: int) -> None:
        device = town.field("police", 1)
        await revoke(town, device)
        last = device.agency.directory.seq
        await town.append(device.agency, [scene(device.agency, 9)])

        known = (membership.Known(device.agency.id, last - behind),)
        answer = await town.services.directory_pull(await town.caller(device), membership.DirectoryPull(known))

        assert sum(len(chain.entries) for chain in answer.chains) == comes

    async def test_a_long_chain_comes_in_rounds(self, town: Town) -> None:
        device = town.field("police", 1)
        agency = device.agency
        for _ in range(2):
            await town.append(
                agency, [agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None)) for _ in range(300)]
            )
        await revoke(town, device)
        last = agency.directory.head
        await town.append(agency, [scene(agency, 9)])

        assert (await replayed(town, device))[agency.id].head == last

    @pytest.mark.parametrize("what", ["pull", "keys", "offer", "append", "invite", "enrolments", "quarantine"])
    async def test_everything_else_is_refused(self, town: Town, what: str) -> None:
        device = town.field("police")
        entry = _alone(device.agency, d.Peer(os.urandom(16), os.urandom(32), "", None))
        await revoke(town, device)
        caller = await town.caller(device)
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            "pull": lambda: town.services.pull(caller, sync.Pull()),
            "keys": lambda: town.services.pull_keys(caller, membership.KeysPull()),
            "offer": lambda: town.services.offer_keys(caller, membership.KeysOffer()),
            "append": lambda: town.services.directory_append(caller, membership.DirectoryAppend((entry,))),
            "invite": lambda: town.services.invite(caller, membership.Invitation(bytes(16), NOW + 60)),
            "enrolments": lambda: town.services.enrolments(caller),
            "quarantine": lambda: town.services.quarantine(caller),
        }

        with pytest.raises(Invalid, match="revoked_device"):
            await asked[what]()

    async def test_who_is_suspended_and_not_revoked_gets_no_chain(self, town: Town) -> None:
        device = town.field("police", 1)
        await town.append(device.agency, [device.agency.entry(d.PersonSuspend(device.person))])

        with pytest.raises(Invalid, match="not_allowed"):
            await town.services.directory_pull(await town.caller(device), membership.DirectoryPull())


class TestAppend:
    async def test_of_two_at_one_number_one_is_told(self, town: Town) -> None:
        agency = town.agencies["police"]
        rivals = [_alone(agency, d.Peer(os.urandom(16), os.urandom(32), "", None)) for _ in range(6)]
        caller = await town.caller(agency.devices[0])

        answers = await asyncio.gather(
            *(town.services.directory_append(caller, membership.DirectoryAppend((one,))) for one in rivals),
            return_exceptions=True,
        )

        assert sum(isinstance(one, membership.Appended) for one in answers) == 1
        assert [one.code for one in answers if isinstance(one, Invalid)] == ["directory_conflict"] * 5

    async def test_also_of_two_processes(self, town: Town) -> None:
        agency = town.agencies["police"]
        mine, theirs = (_alone(agency, d.Peer(os.urandom(16), os.urandom(32), "", None)) for _ in range(2))
        other = await Town(town.path).open()
        await other.services.directory_append(
            await other.caller(agency.devices[0]), membership.DirectoryAppend((theirs,))
        )
        await other.close()

        with pytest.raises(Invalid, match="directory_conflict"):
            await town.services.directory_append(
                await town.caller(agency.devices[0]), membership.DirectoryAppend((mine,))
            )

    async def test_the_same_again_is_answered_as_the_first_time(self, town: Town) -> None:
        agency = town.agencies["police"]
        entries = [agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None)) for _ in range(3)]

        first = await town.append(agency, entries)
        await town.append(agency, [agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None))])

        assert await town.append(agency, entries) == first

    async def test_one_wrong_entry_leaves_the_chain_as_it_was(self, town: Town) -> None:
        agency = town.agencies["police"]
        before = agency.directory.head
        good = agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None))
        bad = structs.replace(agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None)), signature=bytes(64))

        with pytest.raises(Invalid, match="bad_signature"):
            await town.append(agency, [good, bad])

        assert (await replayed(town, town.field("police")))[agency.id].head == before
        assert before in (await town.pull(town.field("police"))).heads

    async def test_nobody_appends_to_another_agencys_chain(self, town: Town) -> None:
        entry = scene(town.agencies["police"], 9)

        with pytest.raises(Invalid):
            await town.services.directory_append(
                await town.caller(town.field("health")), membership.DirectoryAppend((entry,))
            )

    async def test_a_stranger_signs_nothing(self, town: Town) -> None:
        agency, stranger = town.agencies["police"], SignKey()
        entry = _alone(agency, d.Peer(os.urandom(16), os.urandom(32), "", None))
        forged = structs.replace(entry, signature=stranger.sign(d.entry_message(entry.entry)))
        caller = await town.caller(agency.devices[0])

        for one, code in (
            (structs.replace(forged, signer=stranger.kid), "directory_refused"),
            (forged, "bad_signature"),
        ):
            with pytest.raises(Invalid, match=code):
                await town.services.directory_append(caller, membership.DirectoryAppend((one,)))

    async def test_a_revoked_device_appends_nothing(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police", 1)
        await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "left"), NOW)])

        with pytest.raises(Invalid, match="revoked_device"):
            await town.services.directory_append(
                await town.caller(device), membership.DirectoryAppend((scene(agency, 9),))
            )

    async def test_a_new_scene_can_be_filed_at(self, town: Town) -> None:
        agency = town.agencies["police"]
        await town.append(agency, [scene(agency, 77)])

        assert await town.outcomes(town.field("security"), town.report("security", scene=77)) == [
            ("created", None, None)
        ]

    async def test_a_registrars_device_signs_with_its_own_key(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police")
        body = d.Peer(os.urandom(16), os.urandom(32), "", None)
        signed = [_alone(agency, body, by=one.sign) for one in (town.field("police", 1), device)]

        with pytest.raises(Invalid, match="directory_refused"):
            await town.append(agency, signed[:1])
        await town.append(agency, signed[1:])

        assert body.agency in (await replayed(town, device))[agency.id].peers

    async def test_the_root_that_was_committed_to_signs_for_itself(self, town: Town) -> None:
        agency, stranger = town.agencies["police"], SignKey()
        bodies = [d.RootRotate(key.public, bytes(32)) for key in (stranger, agency.next_root)]

        for body, by in ((bodies[0], stranger), (bodies[0], agency.root), (bodies[1], agency.root)):
            with pytest.raises(Invalid, match="directory_refused"):
                await town.append(agency, [_alone(agency, body, by=by)])
        await town.append(agency, [_alone(agency, bodies[1], by=agency.next_root)])

        assert (await replayed(town, town.field("health")))[agency.id].root == agency.next_root.public

    async def test_five_hundred_at_once_are_taken_and_no_more(self, town: Town) -> None:
        agency = town.agencies["police"]
        entries = [agency.entry(d.Peer(os.urandom(16), os.urandom(32), "", None)) for _ in range(501)]

        with pytest.raises(Invalid, match="out_of_range"):
            await town.append(agency, entries)
        appended = await town.append(agency, entries[:500])

        assert appended.head.seq == agency.directory.seq - 1


class TestWhatComesWithEntries:
    async def test_an_epoch_may_come_without_its_wraps(self, town: Town) -> None:
        """So that a device can give a restored server its entries back."""
        agency, device = town.agencies["police"], town.field("police")
        entry, _ = town.epoch_entry(agency, "field")

        await town.append(agency, [entry])

        answer = await town.services.pull_keys(await town.caller(device), membership.KeysPull())
        assert [one.epoch for one in answer.wraps] == [1]
        [lacking] = answer.lacking
        assert (lacking.epoch, lacking.whole) == (2, tuple(sorted(one.kid for one in agency.devices[:2])))

    @pytest.mark.parametrize("wrong", ["too many", "another's", "outsider", "twice", "one short"])
    async def test_an_epoch_comes_with_no_other_wraps(self, town: Town, wrong: str) -> None:
        agency = town.agencies["police"]
        outsider = town.supervisor("police").kid
        entry, wraps = town.epoch_entry(agency, "supervisors")
        sets = {
            "too many": [wraps, structs.replace(wraps, epoch=9)],
            "another's": [structs.replace(wraps, wraps=town.wraps(agency, "supervisors", 2, [outsider]))],
            "outsider": [structs.replace(wraps, wraps=(*wraps.wraps, *town.wraps(agency, "field", 1, [outsider])))],
            "twice": [wraps, wraps],
            "one short": [structs.replace(wraps, wraps=())],
        }

        with pytest.raises(Invalid, match="directory_refused"):
            await town.append(agency, [entry], sets[wrong])

    async def test_shares_come_with_their_entry_or_not_at_all(self, town: Town) -> None:
        agency, device = town.agencies["police"], town.field("police")
        await name_custodians(town, agency)
        proposal, again = split(agency, device), split(agency, device)

        await settle(town, agency, proposal)
        given = await shares_of(town, device)
        await town.append(agency, [shares_entry(agency, again)])

        assert given == {proposal.shares[0]}
        # Split anew: what was given before is of no use, and is gone.
        assert await shares_of(town, device) == set()

    @pytest.mark.parametrize(
        "wrong", ["one short", "one twice", "another digest", "another custodian", "another device", "without an entry"]
    )
    async def test_no_other_shares_come(self, town: Town, wrong: str) -> None:
        agency, device = town.agencies["police"], town.field("police")
        await name_custodians(town, agency)
        proposal = split(agency, device)
        first, second, third = proposal.shares
        given = {
            "one short": (first, second),
            "one twice": (first, second, third, third),
            "another digest": (first, second, structs.replace(third, share=bytes(32))),
            "another custodian": (first, second, structs.replace(third, custodian=device.kid)),
            "another device": (first, second, structs.replace(third, device=device.kid)),
            "without an entry": proposal.shares,
        }[wrong]
        entry = scene(agency, 9) if wrong == "without an entry" else shares_entry(agency, proposal)

        with pytest.raises(Invalid, match="directory_refused") as refusal:
            await town.append(agency, [entry], shares=given)

        assert refusal.value.field == "shares"

    @pytest.mark.parametrize("wrong", ["another", "an earlier one", "without an entry"])
    async def test_only_the_roster_named_last_comes(self, town: Town, wrong: str) -> None:
        agency = town.agencies["police"]
        (first, earlier), (second, later) = sealed_roster(), sealed_roster()
        entries = [agency.entry(earlier), agency.entry(later)]
        given = {"another": second + b"x", "an earlier one": first, "without an entry": second}[wrong]
        if wrong == "without an entry":
            await town.append(agency, entries, roster=second)
            entries = [scene(agency, 9)]

        with pytest.raises(Invalid, match="directory_refused") as refusal:
            await town.append(agency, entries, roster=given)

        assert refusal.value.field == "roster"


async def shares_of(town: Town, device: Device) -> set[d.SealedShare]:
    answer = await town.services.pull_keys(await town.caller(device), membership.KeysPull())
    return set(answer.shares)


def taken(town: Town, mine: Agency, theirs: Agency, what: str) -> tuple[d.Body, tuple[membership.EpochSet, ...]]:
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
        return epoch, (membership.EpochSet(audience, 2, wraps),)
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
            await town.services.directory_append(caller, membership.DirectoryAppend((_alone(mine, body),), sets))

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
                    membership.DirectoryAppend((_alone(agency, d.AudienceCreate(audience, "reception")),)),
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
        assert [type(one) for one in answers] == [membership.Appended, Invalid]
        assert "directory_refused" in str(answers[1])
        found = await replayed(town, town.field("police"))
        assert sum(audience in one.audiences for one in found.values()) == 1

    async def test_also_of_two_processes(self, town: Town) -> None:
        audience = os.urandom(16)
        other = await Town(town.path).open()
        appends = [
            services.directory_append(
                await town.caller(agency.devices[0]),
                membership.DirectoryAppend((_alone(agency, d.AudienceCreate(audience, "reception")),)),
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
                membership.DirectoryAppend((_alone(agency, d.AudienceCreate(os.urandom(16), "reception")),)),
            )
            for agency in town.agencies.values()
        ]

        answers = await asyncio.gather(*appends)

        assert len({one.head.agency for one in answers}) == 5


def _alone(agency: Agency, body: d.Body, by: SignKey | None = None) -> d.SignedEntry:
    """The next entry, signed by the root or another, without taking it into the agency's own copy."""
    key = by or agency.root
    data = d.entry_bytes(agency.directory.seq + 1, agency.directory.hash, body, NOW)
    return d.SignedEntry(data, key.kid, key.sign(d.entry_message(data)))
