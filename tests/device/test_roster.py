"""The roster: names reach the own agency and nobody else, two registrars lose nothing, and the count key stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sluss_client import Invalid, crypto
from sluss_client.keyring import keyshare, names, roster
from sluss_client.local import Local
from sluss_client.sections import contributor
from sluss_client.testing import Town
from sluss_schemas import directory as d
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import Function, PersonId

from tests.device.chain import Agency, answer, current, own_wraps


class Named(Agency):
    """An agency with a registrar who is in no audience, and a member with a key."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.registrar = self.device(registrar=True)
        self.anna = self.device("field")
        self.open("field", self.anna)

    def open(self, function: Function, *members: Local) -> None:
        wraps = self.rotate(function, members[0])
        for member in members:
            keyshare.take_in(member, answer(wraps=own_wraps(wraps, member.keys.kid)))

    def make(self, registrar: Local, *readers: Local) -> bytes:
        """Let a registrar's device make the next roster, and devices read it."""
        assert roster.roster_due(registrar)
        sealed, body = roster.make_roster(registrar)
        self.append(body)
        for reader in readers or self.locals:
            roster.take_in(reader, sealed)
        return sealed


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Named]:
    """An agency that a test may change."""
    built = Named(tmp_path)
    yield built
    built.close()


def person(local: Local) -> PersonId:
    return local.person.person


def codes(local: Local) -> list[str]:
    return [code for _, code in local.alarms()]


def test_members_and_registrars_read_the_names_and_count_with_one_key(agency: Named) -> None:
    stranger = agency.device()
    roster.set_name(agency.registrar, person(agency.anna), "Anna Åkesson")
    assert roster.names_of(agency.anna) == {}
    assert roster.count_key(agency.anna) == b""

    sealed = agency.make(agency.registrar)

    for reader in (agency.anna, agency.registrar):
        assert roster.names_of(reader) == {person(agency.anna): "Anna Åkesson"}
        assert roster.count_key(reader) == roster.count_key(agency.registrar)
        assert len(roster.count_key(reader)) == crypto.KEY_BYTES
        assert not roster.roster_due(reader)
    assert roster.names_of(stranger) == {}
    assert roster.count_key(stranger) == b""
    assert "Åkesson".encode() not in sealed
    assert agency.anna.author().count_key == roster.count_key(agency.anna)


def test_who_has_no_roster_counts_as_one_and_the_same() -> None:
    anna, berit = PersonId(b"a" * 16), PersonId(b"b" * 16)

    assert contributor(b"", anna, "2026-40") == contributor(b"", berit, "2026-41") == b""
    assert contributor(b"k" * 32, anna, "2026-40") != contributor(b"k" * 32, berit, "2026-40")


def test_a_new_roster_is_due_when_a_name_or_a_recipient_changes_and_the_count_key_stays(agency: Named) -> None:
    agency.make(agency.registrar)
    key = roster.count_key(agency.registrar)
    second = agency.device("supervisors", registrar=True)

    def rename() -> None:
        roster.set_name(agency.registrar, person(agency.anna), "Anna")

    def rotate() -> None:
        agency.open("field", agency.anna)

    def revoke() -> None:
        agency.append(d.DeviceRevoke(second.keys.kid, "lost"))

    def move() -> None:
        agency.append(d.Instance(b"i" * 16))

    # Another registrar came.
    agency.make(agency.registrar, agency.registrar)
    for change in (rename, rotate, revoke, move):
        assert not roster.roster_due(agency.registrar), change.__name__
        change()
        agency.make(agency.registrar)
        assert roster.count_key(agency.registrar) == key
    assert roster.count_key(agency.anna) == key
    assert roster.names_of(agency.anna) == {person(agency.anna): "Anna"}
    # What changes nothing for its readers needs none.
    agency.append(d.Scene(1, "square", "Square", "Torg", None, "confirmed"))
    roster.set_name(agency.registrar, person(agency.anna), "Anna")
    assert not roster.roster_due(agency.registrar)


def test_two_registrars_do_not_lose_each_others_names(agency: Named) -> None:
    second = agency.device(registrar=True)
    berit = agency.device()
    roster.set_name(agency.registrar, person(agency.anna), "Anna")
    roster.set_name(second, person(berit), "Berit")
    sealed = agency.make(agency.registrar, agency.registrar)

    # Not before what the first one said is here.
    assert not roster.roster_due(second)
    roster.take_in(second, sealed)
    agency.make(second)

    both = {person(agency.anna): "Anna", person(berit): "Berit"}
    for reader in (agency.registrar, second, agency.anna):
        assert roster.names_of(reader) == both
        assert names.changes(reader.store) == {}
    assert not roster.roster_due(agency.registrar)

    roster.set_name(second, person(agency.anna), "")
    agency.make(second)
    assert roster.names_of(agency.anna) == {person(berit): "Berit"}
    assert names.changes(second.store) == {}


def test_a_registrar_who_comes_after_all_others_begins_anew_and_only_then(agency: Named) -> None:
    roster.set_name(agency.registrar, person(agency.anna), "Anna")
    sealed = agency.make(agency.registrar)
    key = roster.count_key(agency.anna)
    new = agency.device(registrar=True)
    roster.take_in(new, sealed)
    assert not roster.roster_due(new)

    agency.append(d.DeviceRevoke(agency.registrar.keys.kid, "lost"))
    assert roster.roster_due(new)
    # Not on the server's word that there is none.
    agency.append(d.Roster(b"r" * 32))
    assert not roster.roster_due(new)
    agency.append(d.Roster(d.roster_digest(sealed)))
    agency.make(new)

    assert roster.names_of(agency.anna) == {}
    assert roster.count_key(agency.anna) == roster.count_key(new) != key


def test_a_registrar_who_is_a_member_waits_for_the_members_key(agency: Named) -> None:
    sealed = agency.make(agency.registrar)
    agency.append(d.DeviceRevoke(agency.registrar.keys.kid, "lost"))
    new = agency.device("field", registrar=True)
    roster.take_in(new, sealed)
    assert not roster.roster_due(new)

    wanted = current(new, "field")
    held = agency.anna.ring.epochs[wanted.audience, wanted.epoch]
    assert new.hold_epoch(held)
    roster.take_in(new, sealed)
    assert roster.count_key(new) == roster.count_key(agency.anna)
    assert roster.roster_due(new)


def test_only_the_roster_that_the_directory_names_is_read(agency: Named) -> None:
    roster.set_name(agency.registrar, person(agency.anna), "Anna")
    first = agency.make(agency.registrar, agency.registrar)
    roster.set_name(agency.registrar, person(agency.anna), "Anne")
    second = agency.make(agency.registrar, agency.registrar)

    for wrong in (first, second + b"\0", second[:-1], b"", None):
        roster.take_in(agency.anna, wrong)
        assert (roster.names_of(agency.anna), codes(agency.anna)) == ({}, [])
    roster.take_in(agency.anna, second)
    assert roster.names_of(agency.anna) == {person(agency.anna): "Anne"}


def test_a_roster_that_is_broken_is_an_alarm_and_the_last_one_stays(agency: Named) -> None:
    roster.set_name(agency.registrar, person(agency.anna), "Anna")
    sealed = decode(d.SealedRoster, agency.make(agency.registrar), "roster")
    kid, public = current(agency.anna, "field").kem_kid, current(agency.anna, "field").kem_key

    def with_key(key: bytes, content: bytes) -> bytes:
        info = d.roster_info(agency.directory.agency, kid, content)
        return encode(d.SealedRoster(1, (d.RosterSeal(kid, crypto.seal(public, info, key)),), content))

    key = crypto.random_key()
    broken = [
        b"no roster",
        encode(msgspec.structs.replace(sealed, content=sealed.content[:-1])),
        encode(msgspec.structs.replace(sealed, seals=tuple(d.RosterSeal(kid, bytes(1168)) for _ in range(1)))),
        with_key(crypto.random_key(), crypto.encrypt_section(key, d.roster_context(agency.directory.agency), b"")),
        with_key(key, crypto.encrypt_section(key, d.roster_context(agency.directory.agency), b"no content")),
        with_key(key, crypto.encrypt_section(key, d.roster_context(b"another agency."), encode((1, b"k" * 32, ())))),
    ]

    for one in broken:
        agency.append(d.Roster(d.roster_digest(one)))
        roster.take_in(agency.anna, one)
        assert codes(agency.anna)[-1:] == ["bad_roster"]
        agency.anna.store.delete("alarm", d.roster_digest(one))
        assert codes(agency.anna) == []
        assert roster.names_of(agency.anna) == {person(agency.anna): "Anna"}


def test_no_more_than_the_people_of_the_directory_are_named(agency: Named) -> None:
    roster.set_name(agency.registrar, PersonId(b"p" * 16), "Somebody who is invited")
    agency.make(agency.registrar)

    assert roster.names_of(agency.anna) == {}
    # The name waits for its person; until then nothing has to be sealed anew.
    assert not roster.roster_due(agency.registrar)
    with pytest.raises(Invalid) as problem:
        roster.set_name(agency.registrar, person(agency.anna), "A" * 121)
    assert problem.value.code == "too_long"


def test_a_roster_is_sealed_to_audiences_and_registrars_alone(agency: Named) -> None:
    agency.device("supervisors")
    agency.append(d.RegistrarAdd(b"a registrar's key without device"))

    assert set(roster.recipients(agency.registrar.trust.own)) == {
        agency.registrar.keys.kem_kid,
        current(agency.anna, "field").kem_kid,
    }


async def test_in_a_whole_agency_the_roster_is_made_and_read_by_itself() -> None:
    async with Town(agencies=("security",)) as town:
        founder, guard = town.founders["security"], await town.device("security")
        assert roster.count_key(guard.local) == roster.count_key(founder.local) != b""
        roster.set_name(founder.local, guard.person_id, "Gunnar Gren")

        for device in (founder, guard):
            await device.sync()

        assert roster.names_of(guard.local) == {guard.person_id: "Gunnar Gren"}
        before = guard.local.trust.own.roster
        for device in (founder, guard, founder):
            await device.sync()
        assert founder.local.trust.own.roster == before
        again = await town.reopen(guard)
        assert roster.names_of(again.local) == {again.person_id: "Gunnar Gren"}
