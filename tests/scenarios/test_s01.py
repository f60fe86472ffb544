"""S01: a guard finds twelve capsules under a bench at 21:40, with no coverage; the phone syncs at 23:05."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import Invalid, Refused
from sluss_client.testing import Clock, Town
from sluss_schemas.brief import Brief

from tests.scenarios.people import CENTRAL, counted, find, held, sight
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOUND = datetime(2026, 3, 12, 20, 40, tzinfo=UTC)
"""21:40 in Stockholm."""
POINT = forms.Place(name="the third bench", feature="hiding_window_ledge", lat=59_332_581, lon=18_064_901)
_NUMBERS = (59_332_581, 18_064_901)
COORDINATES = re.compile(b"|".join(re.escape(one) for n in _NUMBERS for one in (str(n).encode(), n.to_bytes(4, "big"))))
TEXT = "Capsules taped under the seat."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """All agencies, that evening."""
    async with Town(Clock(FOUND)) as built:
        yield built


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(town: Town) -> dict[str, Device]:
    """Who is on shift, by their agency; its supervisors by its name as well."""
    field = {agency: await town.device(agency) for agency in town.founders}
    bosses = {f"{agency} supervisors": await town.device(agency, "supervisors") for agency in town.founders}
    return {**field, **bosses, "other guard": await town.device("security")}


async def sync(people: dict[str, Device]) -> None:
    for _ in range(2):
        for device in people.values():
            await device.sync()


def stash(observed_at: datetime) -> forms.SeizureOrFind:
    return forms.SeizureOrFind(
        scene=CENTRAL,
        observed_at=observed_at,
        found_as="find",
        objects=["drugs"],
        substances=["op_oxy"],
        substance_forms=["capsule"],
        amount_band="many_doses",
        amount=12_000,
        unit="pieces",
        situation=TEXT,
        place=POINT,
        enforcement="Left for somebody to fetch.",
    )


async def test_what_was_found_out_of_coverage_is_told_when_the_phone_syncs_as_observed_when_it_was(
    town: Town, people: dict[str, Device]
) -> None:
    seen_at = town.clock.now()
    bosses = {name: device for name, device in people.items() if name.endswith("supervisors")}
    before = {name: await counted(boss, "seizure_or_find") for name, boss in bosses.items()}
    filed = people["security"].file(stash(seen_at), duties={"L14": "send"})
    assert [row.state for row in people["security"].waiting()] == ["filed"]
    town.clock.advance(minutes=85)
    for name, device in people.items():
        if name != "security":
            await device.sync()
            assert find(device, filed.id) is None
            assert held(device, filed.id) == []
    await sync(people)

    assert {name: sight(device, filed.id) for name, device in people.items() if sight(device, filed.id)} == {
        "security": "situation place subject care enforcement safety author attachments",
        "other guard": "situation place subject care enforcement safety author attachments",
        "police": "situation place subject enforcement safety author~ attachments",
        "social_services": "situation~ place~ enforcement~ safety author~",
        "municipality": "situation enforcement~ safety~ author~",
        "health": "situation~ place~ safety~ author~",
    }
    told = people["police"].get(filed.id)
    assert (told.observed_at, told.situation) == (seen_at.replace(microsecond=0), TEXT)
    assert (told.found_as, told.coded("enforcement")["amount"]) == ("find", 12_000)
    own = people["other guard"].get(filed.id).author
    assert own is not None
    assert own.recorded_at is not None
    # When it was written down, a second after it was seen, and not when it was sent.
    assert timedelta() <= own.recorded_at - seen_at.replace(microsecond=0) <= timedelta(seconds=5)

    # The supervisors of the guards have a row to open for a reason; those of others, a count of the week.
    assert {name for name, device in people.items() if held(device, filed.id)} == {"security supervisors"}
    # Their own count has one more at once; the others' is published by the week, and nothing of it before.
    after = {name: await counted(boss, "seizure_or_find") for name, boss in bosses.items()}
    assert after == {**before, "security supervisors": before["security supervisors"] + 1}


async def test_the_note_on_the_market_has_substance_scene_and_find_and_neither_point_nor_amount(
    town: Town, people: dict[str, Device]
) -> None:
    filed = people["security"].file(stash(town.clock.now()), duties={"L14": "send"})
    await sync(people)
    for reader in ("social_services", "health"):
        report = people[reader].get(filed.id)
        assert isinstance(report.situation, Brief)
        assert isinstance(report.place, Brief)
        said = {name: value for name, value in report.situation.values.items() if value is not None}
        assert said == {"kind": "seizure_or_find", "time_band": said["time_band"], "substances": ["op_oxy"]}
        assert report.place.values == {"scene": CENTRAL}
        # The server counts by it in clear, and everybody who has the row has it.
        assert report.kind == "seizure_or_find"
        for part in ("situation", "enforcement", "place"):
            with pytest.raises(Refused):
                report.coded(part)


async def test_the_exact_point_reaches_the_police_by_a_decision_and_nobody_else_at_all(
    town: Town, people: dict[str, Device]
) -> None:
    """The trap: what a map or a picture would be made from is not there to make it from."""
    filed = people["security"].file(stash(town.clock.now()), duties={"L14": "send"})
    await sync(people)
    assert people["security"].get(filed.id).author_extra() == [POINT.lat, POINT.lon]
    # By the duty alone the police have the name of the place, and no free coordinates.
    before = people["police"].get(filed.id).place
    assert isinstance(before, forms.Place)
    assert (before.name, before.lat, before.lon) == (POINT.name, None, None)

    boss = people["security supervisors"]
    await boss.inspect(filed.id, reason="The police fetch it.")
    await boss.sync()
    officer = people["police"].alias
    with pytest.raises(Invalid) as asked:
        await boss.disclose(filed.id, "L14", to=[officer], compartments=["author"])
    assert asked.value.field == "tests.police_should_know"
    await boss.disclose(filed.id, "L14", to=[officer], compartments=["author"], tests={"police_should_know": True})
    await sync(people)
    assert people["police"].get(filed.id).author_extra() == [POINT.lat, POINT.lon]

    for name in ("social_services", "municipality", "health"):
        device = people[name]
        stored = decrypted(device.local.store)
        assert bytes(filed.id) in stored
        assert not COORDINATES.search(stored), name
        assert b"third bench" not in stored, name
        async with asking(device, town.url) as raw:
            assert not any(COORDINATES.search(answer.body) for answer in await raw.everything())
    assert COORDINATES.search(decrypted(people["police"].local.store))


async def test_the_municipality_gets_a_defect_of_the_place_when_the_police_release_it(
    town: Town, people: dict[str, Device]
) -> None:
    defect = forms.PlaceDefect(
        scene=CENTRAL,
        observed_at=town.clock.now(),
        situation="The seat of the third bench can be lifted off.",
        defects=["hiding_window_ledge"],
        place=forms.Place(name="the third bench"),
    )
    filed = people["police"].file(defect, hold="embargo")
    await sync(people)
    assert {name for name, device in people.items() if find(device, filed.id) is not None} == {"police"}
    boss = people["police supervisors"]
    await boss.inspect(filed.id, reason="What was under it has been fetched.")
    await boss.sync()
    await boss.release(filed.id)
    await sync(people)
    assert sight(people["municipality"], filed.id) == "situation place safety~ author~ attachments~"
    assert people["municipality"].get(filed.id).place == forms.Place(name="the third bench")
