"""Health says where its protected places are; what lies in one is closed to others, and two people open it again."""

from __future__ import annotations

from collections.abc import AsyncIterator

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

    def around(metres: int) -> list[tuple[int, int]]:
        step = 10 * metres
        return [(where[0] + one * step, where[1] + other * step) for one, other in ((-1, -1), (1, -1), (1, 1), (-1, 1))]

    town.clock.advance(seconds=1)
    matron.protect("elsewhere", [(lat + 50_000, lon) for lat, lon in around(20)])
    await sync(matron, cleaner, worker)
    assert has(worker, filed.id)
    matron.protect("a van", around(20))
    await sync(matron, cleaner, worker)
    assert not has(worker, filed.id)
    # It is said once of each place, however often the list changes.
    said = len(book.everything(cleaner.local, CaseKind.RECLASSIFY))
    matron.protect("elsewhere", [(lat + 60_000, lon) for lat, lon in around(20)])
    await sync(matron, cleaner, cleaner)
    assert len(book.everything(cleaner.local, CaseKind.RECLASSIFY)) == said
    # The newest list counts, whichever device of health's made it.
    town.clock.advance(seconds=10)


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
