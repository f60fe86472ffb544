"""What becomes of a report at a protected place on devices that know of it, and of a place on no public list."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sluss_client import Device, NotFound, Refused, forms, places
from sluss_client.testing import Town
from sluss_schemas import protected
from sluss_schemas.codec import encode
from sluss_schemas.ids import ReportId

from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="module")

SQUARE = "central-square"
INSIDE, OUTSIDE = (59_332_600, 18_064_900), (59_340_000, 18_064_900)
VAN = protected.ProtectedPlace(
    "van", ((59_332_000, 18_064_000), (59_333_000, 18_064_000), (59_333_000, 18_066_000)), 50, None, None, ("bytet",)
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """All five agencies on a real server."""
    async with Town() as built:
        yield built


def tell(town: Town, device: Device, code: str = protected.PROTECTED, body: bytes | None = None) -> bool:
    """Put health's list on a device, as it comes in a record."""
    health = town.founders["health"].local.trust.own_id
    kept = places.Kept(device.now(), bytes(16), body or encode(protected.ProtectedPlaces((VAN,))))
    return places.take(device.local, health, code, kept, device.now())


def point(where: tuple[int, int]) -> forms.Place:
    return forms.Place(name="by the wall", lat=where[0], lon=where[1])


def litter(town: Town, place: forms.Place | None) -> forms.LitterNeedles:
    return forms.LitterNeedles(scene=SQUARE, observed_at=town.clock.now(), needles=3, place=place)


def threat(town: Town, place: forms.Place | None) -> forms.OrderIncident:
    return forms.OrderIncident(scene=SQUARE, observed_at=town.clock.now(), sub_kind="threat", severity=3, place=place)


async def given(filer: Device, *readers: Device) -> None:
    await filer.sync()
    for reader in readers:
        await reader.sync()


def has(device: Device, report_id: ReportId) -> bool:
    try:
        device.get(report_id)
    except NotFound:
        return False
    return True


async def test_only_devices_that_the_pack_names_keep_a_list_of_protected_places(town: Town) -> None:
    kept = {}
    for agency in ("police", "security", "municipality", "health", "social_services"):
        device = await town.device(agency)
        kept[agency] = tell(town, device), len(places.protected_places(device.local, device.now()))
    assert kept == {
        "police": (False, 0),
        "security": (False, 0),
        "municipality": (True, 1),
        "health": (True, 1),
        "social_services": (True, 1),
    }


async def test_the_newest_list_of_an_agency_counts_and_only_of_one_that_may_give_it(town: Town) -> None:
    cleaner = await town.device("municipality")
    health, police = (town.founders[one].local.trust.own_id for one in ("health", "police"))
    two = encode(protected.ProtectedPlaces((VAN, VAN)))
    now = cleaner.now()
    assert places.take(cleaner.local, health, "protected", places.Kept(now, bytes(16), two), now)
    assert not places.take(cleaner.local, health, "protected", places.Kept(now - 1, bytes(16), two), now)
    assert not places.take(cleaner.local, police, "protected", places.Kept(now + 1, bytes(16), two), now)
    assert len(places.protected_places(cleaner.local, now)) == 2


async def test_litter_at_a_protected_place_stays_with_its_owner(town: Town) -> None:
    cleaner, colleague, nurse = (
        await town.device("municipality"),
        await town.device("municipality"),
        await town.device("health"),
    )
    assert tell(town, cleaner)
    inside, outside = cleaner.file(litter(town, point(INSIDE))), cleaner.file(litter(town, point(OUTSIDE)))
    by_name = cleaner.file(litter(town, forms.Place(name="Bytet")))
    assert [one.hold for one in (inside, outside, by_name)] == ["protected", "", "protected"]
    assert {row.audience.split("/")[0] for row in cleaner.readers(inside)} == {"municipality"}
    await given(cleaner, colleague, nurse)
    assert [has(colleague, one.id) for one in (inside, outside, by_name)] == [True, True, True]
    assert [has(nurse, one.id) for one in (inside, outside, by_name)] == [False, True, False]


async def test_dealing_is_not_noted_there_at_all_and_nothing_of_it_stays(town: Town) -> None:
    official = await town.device("municipality")
    assert tell(town, official)
    seen = forms.DealingObservation(scene=SQUARE, observed_at=town.clock.now(), place=point(INSIDE))
    with pytest.raises(Refused) as refused:
        official.file(seen)
    assert refused.value.code == "protected_place"
    assert official.waiting() == []


async def test_a_threat_there_is_told_with_its_scene_alone_and_the_owner_keeps_the_place(town: Town) -> None:
    official, colleague = await town.device("municipality"), await town.device("municipality")
    officer = await town.device("police")
    assert tell(town, official)
    place = point(INSIDE)
    filed = official.file(threat(town, place))
    assert filed.place == place
    await given(official, colleague, officer)
    read = officer.get(filed.id)
    assert (read.scene, read.place, read.severity) == (SQUARE, None, 3)
    assert "by the wall" not in repr((read.full_arrays(), read.author))

    # Whoever amends it in the own agency has the place, and it stays there again.
    changed = await colleague.amend(filed.id, severity=2)
    assert changed.place == place
    assert tell(town, colleague)
    again = await colleague.amend(filed.id, severity=1)
    await given(colleague, officer)
    assert (officer.get(filed.id).severity, again.place) == (1, place)
    assert officer.get(filed.id).place is None


async def test_a_guard_s_place_on_no_list_of_public_places_stays_with_the_guards(town: Town) -> None:
    guard, colleague = await town.device("security"), await town.device("security")
    officer = await town.device("police")
    unlisted = guard.file(threat(town, forms.Place(name="By the wall")))
    number = guard.local.trust.scene_numbers(guard.now())[SQUARE]
    listed = encode(protected.PublicPlaces(((number, ("the kiosk", "platform 1")),)))
    assert tell(town, guard, protected.PUBLIC, listed)

    told = guard.file(threat(town, forms.Place(name="The Kiosk")))
    stays = guard.file(threat(town, forms.Place(name="by the wall", sub_place="the yard")))
    elsewhere = guard.file(
        forms.OrderIncident(scene="station-park", observed_at=town.clock.now(), sub_kind="threat", place="the yard")
    )
    await given(guard, colleague, officer)
    seen = {one.id: officer.get(one.id).place for one in (unlisted, told, stays, elsewhere)}
    assert seen == {
        unlisted.id: forms.Place(name="By the wall"),
        told.id: forms.Place(name="The Kiosk"),
        stays.id: None,
        elsewhere.id: forms.Place(name="the yard"),
    }
    kept = await colleague.amend(stays.id, severity=1)
    assert kept.place == forms.Place(name="by the wall", sub_place="the yard")


async def test_a_concern_tells_who_reports_and_nothing_that_lies_beside_them(town: Town) -> None:
    """What a guard keeps of a place is in the author section, which social services get with the report."""
    guard, colleague = await town.device("security"), await town.device("security")
    reception = await town.device("social_services", "reception")
    number = guard.local.trust.scene_numbers(guard.now())[SQUARE]
    assert tell(town, guard, protected.PUBLIC, encode(protected.PublicPlaces(((number, ("the kiosk",)),))))
    form = forms.ReportOfConcern(
        scene=SQUARE,
        observed_at=town.clock.now(),
        situation="A girl alone at night.",
        subject=[forms.Person(age_min=12, age_max=14, name="Ida")],
        place=forms.Place(name="canary-unlisted", sub_place="canary-cellar"),
    )
    at_once, late = guard.file(form, duties={"L11": "send"}), guard.file(form)
    await given(guard, colleague, reception)
    await guard.answer(late.id, {"L11": "send"})
    await given(guard, colleague, reception)

    for filed in (at_once, late):
        read = reception.get(filed.id)
        assert (read.full_arrays()["PLC"], read.subject) == ([SQUARE, None], form.subject)
        assert read.author is not None
        assert (read.author.person, read.author.alias) == (guard.person_id, guard.alias)
        assert read.author_extra() is None
        assert colleague.local.alarms() == reception.local.alarms() == []
    assert b"canary-" not in decrypted(reception.local.store)
    assert "canary-unlisted" in repr(guard.get(at_once.id).author_extra())
