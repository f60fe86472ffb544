"""After a restore: directories take back what was lost, and nothing new before the agency has accepted the server."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.problems import Invalid
from sluss_server.services import Services, restoring

from tests.http.server import run
from tests.server.restored import NEW_INSTANCE, Address, brought_back, saved
from tests.server.town import AGENCIES, NOW, Agency, Town, founding

RESTORED: int = NOW + 1000
LATER: int = NOW + 2000


@dataclass
class Lost:
    """A restored town, and what its police signed between the backup and the restore, in order."""

    town: Town
    tail: list[d.SignedEntry]

    @property
    def police(self) -> Agency:
        return self.town.agencies["police"]

    async def append(self, *entries: d.SignedEntry, services: Services | None = None) -> str:
        """Append to the police's directory and return what the server says."""
        services = services or self.town.services
        caller = await services.identify(self.police.devices[0].kid)
        assert caller is not None
        try:
            await services.directory_append(caller, membership.DirectoryAppend(entries))
        except Invalid as refused:
            return refused.code
        return "appended"

    def follow(self, *bodies: d.Body, time: int = LATER) -> list[d.SignedEntry]:
        """Sign what follows all that the police have, without taking it into their own copy."""
        ahead, signed = self.police.directory.copy(), list[d.SignedEntry]()
        for body in bodies:
            data = d.entry_bytes(ahead.seq + 1, ahead.hash, body, time)
            signed.append(d.SignedEntry(data, self.police.root.kid, self.police.root.sign(d.entry_message(data))))
            ahead.append(signed[-1])
        return signed


def newcomer() -> d.PersonAdd:
    return d.PersonAdd(os.urandom(16), os.urandom(4).hex(), ("field",), None, None)


@pytest.fixture
async def lost(tmp_path: Path, address: Address) -> AsyncIterator[Lost]:
    town = await (await Town(address("sqlite")).open()).build(AGENCIES[:2])
    file = await saved(town, tmp_path / "old")
    police = town.agencies["police"]
    tail = [police.entry(d.PersonSuspend(police.devices[1].person), NOW + 10), police.entry(newcomer(), RESTORED)]
    await town.append(police, tail)
    await town.close()
    town.clock.now = RESTORED
    other = await brought_back(town, file, tmp_path / "new", address("sqlite"))
    town.clock.now = LATER
    yield Lost(other, tail)
    await other.close()


ACCEPT = d.Instance(NEW_INSTANCE)


class TestUntilItIsAccepted:
    async def test_what_was_lost_comes_back(self, lost: Lost) -> None:
        assert [await lost.append(one) for one in lost.tail] == ["appended", "appended"]
        assert await lost.append(*lost.tail) == "appended"

    async def test_nothing_new_is_taken(self, lost: Lost) -> None:
        new = lost.follow(newcomer())

        assert await lost.append(*lost.tail, *new) == "restoring"
        assert await lost.append(*lost.tail) == "appended"
        assert await lost.append(*new) == "restoring"

    @pytest.mark.parametrize("more", [(), (newcomer(),)], ids=["alone", "and what follows"])
    async def test_the_entry_that_accepts_it_is(self, lost: Lost, more: Sequence[d.Body]) -> None:
        await lost.append(*lost.tail)

        assert await lost.append(*lost.follow(ACCEPT, *more)) == "appended"
        assert await lost.append(*lost.follow(ACCEPT, *more, newcomer())[1 + len(more) :]) == "appended"

    async def test_it_may_come_with_what_was_lost(self, lost: Lost) -> None:
        assert await lost.append(*lost.tail, *lost.follow(ACCEPT)) == "appended"

    @pytest.mark.parametrize(
        "bodies",
        [(newcomer(), ACCEPT), (d.Instance(b"x" * 16),), (d.Instance(b"x" * 16), ACCEPT)],
        ids=["something else first", "another instance", "another instance first"],
    )
    async def test_no_other_is(self, lost: Lost, bodies: Sequence[d.Body]) -> None:
        await lost.append(*lost.tail)

        assert await lost.append(*lost.follow(*bodies)) == "restoring"

    async def test_every_process_says_the_same(self, lost: Lost) -> None:
        second = lost.town.new_services()
        new = lost.follow(newcomer())
        assert await lost.append(*lost.tail) == "appended"
        assert await lost.append(*new) == await lost.append(*new, services=second) == "restoring"

        assert await lost.append(*lost.follow(ACCEPT), services=second) == "appended"

        assert await lost.append(*lost.follow(ACCEPT, newcomer())[1:]) == "appended"

    async def test_another_agency_waits_for_its_own(self, lost: Lost) -> None:
        await lost.append(*lost.tail, *lost.follow(ACCEPT))
        social = lost.town.agencies["social_services"]

        with pytest.raises(Invalid, match="restoring"):
            await lost.town.append(social, [social.entry(newcomer(), LATER)])
        assert (await restoring.waiting(lost.town.engine)).keys() == {"social_services"}

    async def test_an_agency_that_is_founded_afterwards_does_not_wait(self, lost: Lost) -> None:
        services = lost.town.services
        partnership, [code] = await services.create_partnership("Later", "https://example.org", [("health", "HLT")])
        town = Town(lost.town.path)
        town.services, town.clock, town.partnership = services, lost.town.clock, partnership
        agency = Agency(code=code)
        await services.found(founding(code, town.founding_entries(agency)))

        await town.append(agency, [agency.entry(newcomer(), LATER)])

    async def test_the_founding_of_a_restored_partnership_needs_no_acceptance(
        self, tmp_path: Path, address: Address
    ) -> None:
        # The code is older than the backup, the agency younger than the restore.
        town = await Town(address("sqlite")).open()
        town.partnership, [code] = await town.services.create_partnership("Town", "https://x.org", AGENCIES[:1])
        file = await saved(town, tmp_path / "old")
        await town.close()
        other = await brought_back(town, file, tmp_path / "new", address("sqlite"), now=NOW - 1)
        agency = Agency(code=code)

        await other.services.found(founding(code, other.founding_entries(agency)))
        await other.append(agency, [agency.entry(newcomer())])

        assert await restoring.waiting(other.engine) == {}
        await other.close()


async def test_the_answer_to_a_directory_pull_names_the_instance(lost: Lost) -> None:
    caller = await lost.town.caller(lost.police.devices[0])

    assert (await lost.town.services.directory_pull(caller, membership.DirectoryPull())).instance == NEW_INSTANCE


async def test_the_doctor_tells_who_has_yet_to_accept(tmp_path: Path, lost: Lost) -> None:
    def look() -> tuple[bool, str]:
        done = run("doctor", "--json", folder=tmp_path / "new", SLUSS_DATABASE_URL=str(lost.town.path))
        [check] = [one for one in json.loads(done.stdout)["checks"] if one["name"] == "restore"]
        return check["ok"], check["say"].partition(" UTC")[2]

    waiting = look()
    for agency in lost.town.agencies.values():
        if agency is lost.police:
            await lost.append(*lost.tail)
        await lost.town.append(agency, [agency.entry(ACCEPT, LATER)])

    assert waiting[0] is False
    assert waiting[1].endswith("run `sluss-device restored`. It waits for: police, social_services.")
    assert look() == (True, "; every agency has accepted it.")
