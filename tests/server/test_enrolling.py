"""How agencies are founded and devices come in: codes and invitations that work once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.invitation import Code
from sluss_schemas.problems import Invalid

from tests.server.sealer import KemKey, SignKey
from tests.server.town import NOW, Agency, Town, founding

DAY = 86_400


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Town]:
    """A server with a partnership of two agencies that nobody has founded yet."""
    town = await Town(tmp_path / "empty.db").open()
    town.partnership, codes = await town.services.create_partnership(
        "Sandvik", "https://example.org", [("police", "POL"), ("health", "HLT")]
    )
    town.agencies = {code.founding[0]: Agency(code=code) for code in codes if code.founding}
    yield town
    await town.close()


class TestFounding:
    async def test_the_codes_say_who_and_the_first_holds_the_scenes(self, empty: Town) -> None:
        said = [agency.code.founding for agency in empty.agencies.values()]

        checkpoint = empty.receipt_key.public_key().public_bytes_raw()
        assert said == [("police", "POL", True, checkpoint), ("health", "HLT", False, checkpoint)]

    async def test_an_agency_is_founded_by_its_code(self, empty: Town) -> None:
        agency = empty.agencies["police"]
        entries = empty.founding_entries(agency)

        appended = await empty.services.found(founding(agency.code, entries))

        assert appended.head == agency.directory.head
        caller = await empty.services.identify(agency.devices[0].kid)
        assert caller is not None
        assert (caller.agency, caller.partnership, caller.active) == (agency.id, empty.partnership, True)

    async def test_the_same_founding_again_is_answered_as_the_first_time(self, empty: Town) -> None:
        agency = empty.agencies["police"]
        made = founding(agency.code, empty.founding_entries(agency))

        assert await empty.services.found(made) == await empty.services.found(made)

    async def test_a_code_founds_one_agency(self, empty: Town) -> None:
        code = empty.agencies["police"].code
        await empty.services.found(founding(code, empty.founding_entries(empty.agencies["police"])))
        second = Agency(code=code)

        with pytest.raises(Invalid, match="invite_used"):
            await empty.services.found(founding(code, empty.founding_entries(second)))

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"secret": bytes(16)}, "bad_signature"),
            ({"invite": bytes(16)}, "unknown_invite"),
            ({"partnership": bytes(16)}, "unknown_invite"),
        ],
    )
    async def test_nobody_founds_without_the_code(self, empty: Town, change: dict[str, Any], expected: str) -> None:
        agency = empty.agencies["police"]
        made = founding(structs.replace(agency.code, **change), empty.founding_entries(agency))

        with pytest.raises(Invalid, match=expected):
            await empty.services.found(made)

        assert await empty.services.identify(agency.devices[0].kid) is None

    async def test_the_mac_covers_every_entry(self, empty: Town) -> None:
        agency = empty.agencies["police"]
        made = founding(agency.code, empty.founding_entries(agency))

        with pytest.raises(Invalid, match="bad_signature"):
            await empty.services.found(structs.replace(made, entries=made.entries[:-1]))

    @pytest.mark.parametrize("part", [0, 1, 2, 3])
    async def test_a_code_founds_only_the_agency_that_it_names(self, empty: Town, part: int) -> None:
        agency = empty.agencies["police"]
        other: tuple[Any, ...] = ("health", "HLT", False, bytes(32))
        assert agency.code.founding is not None
        said = list(agency.code.founding)
        said[part] = other[part]
        agency.code = structs.replace(agency.code, founding=tuple(said))
        entries = empty.founding_entries(agency)

        with pytest.raises(Invalid, match="directory_refused"):
            await empty.services.found(founding(agency.code, entries))

    async def test_no_epoch_is_opened_before_its_wraps_can_be_sent(self, empty: Town) -> None:
        agency = empty.agencies["police"]
        entries = empty.founding_entries(agency)
        entry, _ = empty.epoch_entry(agency, "field")

        with pytest.raises(Invalid, match="directory_refused"):
            await empty.services.found(founding(agency.code, [*entries, entry]))

    @pytest.mark.parametrize(
        "what", ["audience", "device", "device's seal key", "epoch's seal key", "epoch's sign key"]
    )
    async def test_nobody_founds_with_what_is_anothers(self, empty: Town, what: str) -> None:
        theirs = empty.agencies["police"]
        await empty.services.found(founding(theirs.code, empty.founding_entries(theirs)))
        await empty.open_epochs(theirs)
        mine = Agency(code=empty.agencies["health"].code)
        entries = empty.founding_entries(mine)
        device, invite = theirs.devices[0], os.urandom(16)
        sign, kem = {
            "device": (device.sign, device.kem.public),
            "device's seal key": (SignKey(), device.kem.public),
            "epoch's seal key": (SignKey(), theirs.key()),
            "epoch's sign key": (theirs.group(), KemKey().public),
        }.get(what, (SignKey(), KemKey().public))
        proof = sign.sign(d.enrolment_message(empty.partnership, invite, sign.public, kem))
        body = (
            d.AudienceCreate(theirs.audience("field"), "reception")
            if what == "audience"
            else d.DeviceAdd(mine.devices[0].person, invite, sign.public, kem, proof)
        )

        with pytest.raises(Invalid, match="Another agency has this key or audience"):
            await empty.services.found(founding(mine.code, [*entries, mine.entry(body)]))

        # The code was not used up.
        again = Agency(code=mine.code)
        await empty.services.found(founding(again.code, empty.founding_entries(again)))

    async def test_of_two_founded_at_once_with_one_name_one_is_told(self, empty: Town) -> None:
        audience, made = os.urandom(16), list[membership.Founding]()
        for agency in empty.agencies.values():
            entries = empty.founding_entries(agency)
            made.append(founding(agency.code, [*entries, agency.entry(d.AudienceCreate(audience, "reception"))]))

        answers = await asyncio.gather(*(empty.services.found(one) for one in made), return_exceptions=True)

        assert sorted(type(one).__name__ for one in answers) == ["Appended", "Invalid"]
        assert [one.code for one in answers if isinstance(one, Invalid)] == ["directory_refused"]

    @pytest.mark.parametrize("agencies", [[], [("police", "POL"), ("police", "POL")]])
    async def test_a_partnership_has_agencies_of_different_names(self, empty: Town, agencies: list[Any]) -> None:
        with pytest.raises(Invalid):
            await empty.services.create_partnership("x", "https://example.org", agencies)


def enrolment(town: Town, invite: bytes, secret: bytes) -> membership.Enrolment:
    sign, kem = SignKey(), KemKey()
    message = d.enrolment_message(town.partnership, invite, sign.public, kem.public)
    mac = hmac.digest(secret, message, "sha256")
    return membership.Enrolment(town.partnership, invite, sign.public, kem.public, sign.sign(message), mac)


async def invited(town: Town, *, slug: str = "police", ends: int = NOW + DAY) -> bytes:
    invite = os.urandom(16)
    await town.services.invite(await town.caller(town.field(slug)), membership.Invitation(invite, ends))
    return invite


async def waiting(town: Town, slug: str = "police") -> tuple[membership.Enrolment, ...]:
    return (await town.services.enrolments(await town.caller(town.field(slug)))).waiting


class TestEnrolment:
    async def test_a_request_waits_for_the_own_agencys_registrar(self, town: Town) -> None:
        given = enrolment(town, await invited(town), b"secret")

        await town.services.enrol(given)
        await town.services.enrol(given)

        assert await waiting(town) == (given,)
        assert await waiting(town, "health") == ()

    async def test_a_device_is_unknown_until_it_is_approved(self, town: Town) -> None:
        given = enrolment(town, await invited(town), b"secret")
        await town.services.enrol(given)
        kid = hashlib.sha256(given.sign_key).digest()[:16]

        before = await town.services.identify(kid)
        agency = town.agencies["police"]
        person = agency.devices[0].person
        body = d.DeviceAdd(person, given.invite, given.sign_key, given.kem_key, given.signature)
        await town.append(agency, [agency.entry(body)])
        after = await town.services.identify(kid)

        assert before is None
        assert after is not None
        assert (after.agency, after.sign_key, after.active) == (agency.id, given.sign_key, True)
        assert await waiting(town) == ()

    async def test_an_invitation_works_once(self, town: Town) -> None:
        invite = await invited(town)
        agency = town.agencies["police"]
        await town.append(agency, town.device_entries(agency, "N", ("field",), invite=invite))

        with pytest.raises(Invalid, match="invite_used"):
            await town.services.enrol(enrolment(town, invite, b"secret"))

    async def test_a_device_that_was_set_up_again_may_ask_again_but_not_for_ever(self, town: Town) -> None:
        invite = await invited(town)
        for _ in range(4):
            await town.services.enrol(enrolment(town, invite, b"secret"))

        with pytest.raises(Invalid, match="invite_used"):
            await town.services.enrol(enrolment(town, invite, b"secret"))

        assert len(await waiting(town)) == 4

    async def test_an_ended_invitation_is_told_as_such(self, town: Town) -> None:
        invite = await invited(town)
        town.clock.now += DAY

        with pytest.raises(Invalid, match="invite_expired"):
            await town.services.enrol(enrolment(town, invite, b"secret"))

    async def test_what_came_with_an_ended_invitation_waits_no_more(self, town: Town) -> None:
        ended, open_ = await invited(town), await invited(town, ends=NOW + 2 * DAY)
        for invite in (ended, open_):
            await town.services.enrol(enrolment(town, invite, b"secret"))
        town.clock.now += DAY

        assert [one.invite for one in await waiting(town)] == [open_]

    async def test_a_device_invites_fifty_at_a_time(self, town: Town) -> None:
        last = [await invited(town) for _ in range(50)][-1]

        with pytest.raises(Invalid, match="out_of_range"):
            await invited(town)

        # The same one again, a colleague's, and another agency's are taken all the same.
        colleague = town.field("police", 1)
        await town.append(colleague.agency, [colleague.agency.entry(d.RegistrarAdd(colleague.sign.public))])
        caller = await town.caller(town.field("police"))
        await town.services.invite(caller, membership.Invitation(last, NOW + DAY))
        await town.services.invite(await town.caller(colleague), membership.Invitation(bytes(16), NOW + DAY))
        await invited(town, slug="health")
        town.clock.now += DAY
        await invited(town, ends=NOW + 2 * DAY)

    async def test_an_agency_invites_five_hundred_at_a_time_and_noise_hides_none(self, town: Town) -> None:
        agency = town.agencies["police"]
        await town.append(
            agency, [entry for number in range(8) for entry in town.device_entries(agency, f"N{number}", ("field",))]
        )
        await town.append(agency, [agency.entry(d.RegistrarAdd(one.sign.public)) for one in agency.devices])
        callers = [await town.caller(device) for device in agency.devices]
        names = [(caller, os.urandom(16)) for caller in callers[:10] for _ in range(50)]
        await asyncio.gather(
            *(town.services.invite(caller, membership.Invitation(name, NOW + DAY)) for caller, name in names)
        )
        noisy, quiet = names[:170], names[499]
        for _ in range(3):
            await asyncio.gather(*(town.services.enrol(enrolment(town, name, b"noise")) for _, name in noisy))
        town.clock.now += 60
        given = enrolment(town, quiet[1], b"secret")
        await town.services.enrol(given)

        with pytest.raises(Invalid, match="out_of_range"):
            await town.services.invite(callers[10], membership.Invitation(os.urandom(16), NOW + DAY))
        found = await waiting(town)

        assert len(found) == 500
        assert found[-1] == given
        assert {one.invite for one in found} == {quiet[1], *(name for _, name in noisy)}

    async def test_an_invitation_that_nobody_made_is_unknown(self, town: Town) -> None:
        with pytest.raises(Invalid, match="unknown_invite"):
            await town.services.enrol(enrolment(town, os.urandom(16), b"secret"))

    async def test_the_device_signs_for_itself(self, town: Town) -> None:
        given = enrolment(town, await invited(town), b"secret")

        with pytest.raises(Invalid, match="bad_signature"):
            await town.services.enrol(structs.replace(given, kem_key=KemKey().public))

        assert await waiting(town) == ()

    @pytest.mark.parametrize("ends", [NOW, NOW - 1, NOW + 32 * DAY])
    async def test_an_invitation_ends_within_a_month(self, town: Town, ends: int) -> None:
        with pytest.raises(Invalid, match="out_of_range"):
            await invited(town, ends=ends)

    @pytest.mark.parametrize("who", ["a member", "a supervisor", "who was a registrar"])
    async def test_only_a_registrars_device_invites_and_sees_who_waits(self, town: Town, who: str) -> None:
        device = {"a member": town.field("police", 1), "a supervisor": town.supervisor("police")}.get(
            who, town.field("police")
        )
        await town.services.enrol(enrolment(town, await invited(town), b"secret"))
        if who == "who was a registrar":
            await town.append(device.agency, [device.agency.entry(d.RegistrarRemove(device.kid))])
        caller = await town.caller(device)

        with pytest.raises(Invalid, match="not_allowed"):
            await town.services.invite(caller, membership.Invitation(os.urandom(16), NOW + DAY))
        with pytest.raises(Invalid, match="not_allowed"):
            await town.services.enrolments(caller)

    async def test_an_invitation_of_one_agency_is_not_anothers(self, town: Town) -> None:
        invite = await invited(town)
        again = membership.Invitation(invite, NOW + DAY)
        await town.services.invite(await town.caller(town.field("police")), again)

        with pytest.raises(Invalid, match="invite_used"):
            await town.services.invite(await town.caller(town.field("health")), again)


def test_a_code_names_no_secret_in_its_founding_part() -> None:
    code = Code("https://example.org", bytes(16), bytes(16), b"s" * 16, None, None, ("police", "POL", True, bytes(32)))

    assert code.founding is not None
    assert b"s" * 16 not in code.founding
