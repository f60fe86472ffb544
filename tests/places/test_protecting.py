"""Health says where its protected places are; what lies in one is closed to others, and two people open it again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from sluss_client import Device, Invalid, NotFound, Refused, forms, places
from sluss_client.cases import book
from sluss_client.testing import Town
from sluss_schemas.ids import ReportId
from sluss_schemas.records import CaseKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

SQUARE = "central-square"
COURT = ((59_332_000, 18_064_000), (59_333_000, 18_064_000), (59_333_000, 18_066_000), (59_332_000, 18_066_000))
INSIDE = (59_332_500, 18_065_000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """All five agencies on a real server."""
    async with Town() as built:
        yield built


def litter(town: Town, where: tuple[int, int] = INSIDE) -> forms.LitterNeedles:
    place = forms.Place(name="the yard", lat=where[0], lon=where[1])
    return forms.LitterNeedles(scene=SQUARE, observed_at=town.clock.now(), needles=3, place=place)


async def sync(*devices: Device) -> None:
    for device in devices:
        await device.sync()


def has(device: Device, report_id: ReportId) -> bool:
    try:
        device.get(report_id)
    except NotFound:
        return False
    return True


def around(where: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the corners of a square about forty metres wide."""
    return [(where[0] + one, where[1] + other) for one, other in ((-200, -200), (200, -200), (200, 200), (-200, 200))]


@dataclass
class Staff:
    """Who writes it, who else reads it, and the two who say that it lies in no protected place after all."""

    town: Town
    cleaner: Device
    boss: Device
    worker: Device
    matron: Device

    async def listed(self, *others: Device) -> None:
        """Let health's list reach everybody; of two lists of one second nobody knows which is the newer."""
        self.town.clock.advance(seconds=10)
        await sync(self.matron, self.cleaner, self.boss, self.worker, *others)

    async def open_again(self, report_id: ReportId) -> None:
        """Let the two say so, and the report go out in another version."""
        self.town.clock.advance(seconds=1)
        self.boss.unprotect(report_id)
        await sync(self.boss, self.matron)
        self.town.clock.advance(seconds=1)
        for record in self.matron.to_confirm():
            self.matron.confirm_unprotected(record)
        await sync(self.matron, self.boss)
        await self.boss.inspect(report_id, reason="It lay in the street.")
        await sync(self.boss, self.boss)
        await self.boss.amend(report_id, needles=4)
        await sync(self.boss, self.worker)

    def said(self) -> int:
        """How often the cleaner's device has said where a report lies."""
        return sum(one.own for one in book.everything(self.cleaner.local, CaseKind.RECLASSIFY))


@pytest_asyncio.fixture(loop_scope="module")
async def staff(town: Town) -> Staff:
    cleaner, boss = await town.device("municipality"), await town.device("municipality", "supervisors")
    return Staff(town, cleaner, boss, await town.device("social_services"), await town.device("health", "supervisors"))


async def test_only_health_s_supervisors_say_which_places_are_protected(town: Town) -> None:
    nurse, boss = await town.device("health"), await town.device("municipality", "supervisors")
    for device, code in ((nurse, "supervisor_only"), (boss, "not_allowed")):
        with pytest.raises(Refused) as refused:
            device.protect("court", COURT)
        assert refused.value.code == code
    matron = await town.device("health", "supervisors")
    with pytest.raises(Invalid):
        matron.protect("court", COURT[:2])
    assert places.protected_places(matron.local, matron.now()) == []


async def test_a_list_closes_what_lay_there_before_and_two_people_open_it_again(town: Town) -> None:
    cleaner, cleaners_boss = await town.device("municipality"), await town.device("municipality", "supervisors")
    worker, officer, guard = [await town.device(one) for one in ("social_services", "police", "security")]
    matron = await town.device("health", "supervisors")
    filed, elsewhere = cleaner.file(litter(town)), cleaner.file(litter(town, (59_340_000, 18_065_000)))
    await sync(cleaner, worker, officer, guard)
    assert has(worker, filed.id)
    assert has(officer, filed.id)

    matron.protect("court", COURT, 20, known_as=["the courtyard"])
    await sync(matron, cleaner, worker, officer, guard, cleaners_boss)
    assert [len(places.protected_places(one.local, one.now())) for one in (cleaner, worker, officer, guard)] == [
        1,
        1,
        0,
        0,
    ]
    assert [has(one, filed.id) for one in (cleaner, worker, officer, guard)] == [True, False, False, False]
    assert [has(one, elsewhere.id) for one in (worker, officer)] == [True, True]
    again = cleaner.file(litter(town))
    assert again.hold == "protected"

    # It is corrected: the needles lay in the street after all. That alone opens nothing.
    await cleaner.amend(filed.id, place=forms.Place(name="the street"))
    await sync(cleaner, worker, cleaners_boss)
    assert not has(worker, filed.id)
    with pytest.raises(Refused):
        cleaner.unprotect(filed.id)
    with pytest.raises(NotFound):
        cleaners_boss.unprotect(elsewhere.id)
    town.clock.advance(seconds=1)
    record = cleaners_boss.unprotect(filed.id)
    with pytest.raises(Refused):
        cleaners_boss.confirm_unprotected(record)
    await sync(cleaners_boss, matron)
    assert matron.to_confirm() == [record]
    matron.confirm_unprotected(record)
    await sync(matron, cleaners_boss, cleaner)
    assert matron.to_confirm() == []
    assert cleaner.waiting() == []
    assert [one.local.alarms() for one in (cleaner, cleaners_boss, matron, worker)] == [[], [], [], []]


async def test_what_two_people_opened_again_is_closed_by_a_place_that_comes_later_and_by_no_other(town: Town) -> None:
    cleaner, cleaners_boss = await town.device("municipality"), await town.device("municipality", "supervisors")
    worker, matron = await town.device("social_services"), await town.device("health", "supervisors")
    where = (59_350_500, 18_065_000)
    filed = cleaner.file(litter(town, where))
    await sync(cleaner, worker)
    cleaner.lies_protected(filed.id)
    await sync(cleaner, cleaners_boss, matron, worker)
    assert not has(worker, filed.id)

    town.clock.advance(seconds=1)
    cleaners_boss.unprotect(filed.id)
    await sync(cleaners_boss, matron)
    town.clock.advance(seconds=1)
    [record] = matron.to_confirm()
    matron.confirm_unprotected(record)
    await sync(matron, cleaners_boss)
    await cleaners_boss.inspect(filed.id, reason="It lay in the street.")
    await sync(cleaners_boss, cleaners_boss)
    await cleaners_boss.amend(filed.id, needles=4)
    await sync(cleaners_boss, worker)
    assert has(worker, filed.id)

    town.clock.advance(seconds=1)
    matron.protect("elsewhere", [(lat + 50_000, lon) for lat, lon in around(where)])
    await sync(matron, cleaner, worker)
    assert has(worker, filed.id)
    matron.protect("a van", around(where))
    await sync(matron, cleaner, worker)
    assert not has(worker, filed.id)
    # It is said once of each place, however often the list changes.
    said = len(book.everything(cleaner.local, CaseKind.RECLASSIFY))
    matron.protect("elsewhere", [(lat + 60_000, lon) for lat, lon in around(where)])
    await sync(matron, cleaner, cleaner)
    assert len(book.everything(cleaner.local, CaseKind.RECLASSIFY)) == said
    # The newest list counts, whichever device of health's made it.
    town.clock.advance(seconds=10)


async def test_a_place_that_has_ended_and_comes_again_closes_again(staff: Staff) -> None:
    where = (59_360_500, 18_065_000)
    filed = staff.cleaner.file(litter(staff.town, where))
    await sync(staff.cleaner, staff.worker)
    staff.matron.protect("shelter", around(where))
    await staff.listed()
    assert not has(staff.worker, filed.id)
    staff.town.clock.advance(hours=1)
    # It has moved, long before that as health learns by now, and the two say so of what lies there.
    staff.matron.protect("shelter", around(where), until=staff.matron.now() - 86_400)
    await staff.listed()
    await staff.open_again(filed.id)
    assert has(staff.worker, filed.id)

    staff.matron.protect("shelter", around(where))
    await staff.listed()
    await sync(staff.cleaner, staff.worker)
    assert not has(staff.worker, filed.id)


async def test_a_place_that_is_there_for_longer_or_has_another_name_is_the_same(staff: Staff) -> None:
    where = (59_370_500, 18_065_000)
    filed = staff.cleaner.file(litter(staff.town, where))
    await sync(staff.cleaner, staff.worker)
    staff.matron.protect("bus", around(where), until=staff.matron.now() + 3600)
    await staff.listed()
    await staff.open_again(filed.id)
    assert staff.said() == 1
    for changes in ({"until": staff.matron.now() + 7200}, {"until": staff.matron.now() + 7200, "known_as": ["X"]}):
        staff.matron.protect("bus", around(where), **changes)
        await staff.listed()
        assert staff.said() == 1


async def test_what_was_moved_out_by_a_colleague_is_looked_at_as_it_is_now(staff: Staff) -> None:
    where = (59_380_500, 18_065_000)
    filed, colleague = staff.cleaner.file(litter(staff.town, where)), await staff.town.device("municipality")
    await sync(staff.cleaner, colleague)
    await colleague.amend(filed.id, place=forms.Place(name="the street", lat=59_381_900, lon=18_065_000))
    await sync(colleague, staff.worker, staff.cleaner)
    staff.matron.protect("night café", around(where))
    await staff.listed(colleague)
    assert has(staff.worker, filed.id)
    # What lies in it by its newest version is closed whichever device looks.
    staff.matron.protect("day café", around((59_381_900, 18_065_000)))
    await staff.listed()
    assert not has(staff.worker, filed.id)


async def test_a_place_that_begins_later_closes_what_lies_there_when_it_begins(staff: Staff) -> None:
    where = (59_400_500, 18_065_000)
    filed = staff.cleaner.file(litter(staff.town, where))
    begins = staff.matron.now() + 3600
    staff.matron.protect("tent", around(where), not_before=begins, until=begins + 3600)
    await staff.listed()
    assert has(staff.worker, filed.id)
    staff.town.clock.advance(seconds=4000)
    await sync(staff.cleaner, staff.worker)
    assert not has(staff.worker, filed.id)


async def test_a_van_that_had_gone_when_devices_heard_of_it_closes_what_happened_in_it(staff: Staff) -> None:
    where = (59_430_500, 18_065_000)
    filed = staff.cleaner.file(litter(staff.town, where))
    await sync(staff.cleaner, staff.worker)
    staff.cleaner.lies_protected(filed.id)
    await sync(staff.cleaner, staff.boss, staff.matron, staff.worker)
    await staff.open_again(filed.id)
    assert has(staff.worker, filed.id)
    staff.matron.protect("other van", around(where), until=staff.matron.now() + 600)
    await sync(staff.matron)
    staff.town.clock.advance(seconds=900)
    await staff.listed()
    assert not has(staff.worker, filed.id)
    # It is said once, however often that list changes.
    said = staff.said()
    staff.matron.protect("elsewhere", around((59_420_500, 18_065_000)))
    await staff.listed()
    assert staff.said() == said


async def test_a_mobile_place_ends_and_the_public_list_reaches_police_and_guards(town: Town) -> None:
    matron, cleaner = await town.device("health", "supervisors"), await town.device("municipality")
    guard, officer = await town.device("security"), await town.device("police")
    there = (59_350_000, 18_065_000)
    around = tuple((lat, lon) for lat in (there[0] - 500, there[0] + 500) for lon in (there[1] - 900, there[1] + 900))
    corners = (around[0], around[1], around[3], around[2])
    matron.protect("van", corners, until=matron.now() + 3600)
    matron.list_public_places({SQUARE: ["the kiosk"]})
    await sync(matron, cleaner, guard, officer)
    assert cleaner.file(litter(town, there)).hold == "protected"
    matron.protect("van", corners, until=matron.now() - 1)
    await sync(matron, cleaner)
    assert cleaner.file(litter(town, there)).hold == ""
    for device in (guard, officer):
        assert places.public_places(device.local, SQUARE, device.now()) == frozenset({"the kiosk"})
        assert places.public_places(device.local, "station-park", device.now()) is None
