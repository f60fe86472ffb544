"""S09: cleaners collect forty needles beside a public toilet at the central scene."""

from __future__ import annotations

import re

import pytest

from sluss_client import forms
from sluss_schemas.brief import Brief

from tests.scenarios.people import CENTRAL, SUM, People, counted, counts, have, held, sights
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")

POINT = forms.Place(name="beside the public toilet", lat=59_332_581, lon=18_064_901)


async def test_cleaners_and_health_get_the_point_and_those_who_enforce_the_situation_alone(square: People) -> None:
    before = await counts(square, "litter_needles", "needles", SUM)
    central = await counted(square.municipal_boss, "litter_needles", "needles", SUM, scene=CENTRAL)
    filed = square.official.file(
        forms.LitterNeedles(
            scene=CENTRAL, observed_at=square.town.clock.now(), needles=40, found_in="toilet", place=POINT
        )
    )
    await square.sync()

    assert sights(square, filed.id) == {
        "official": "situation place safety author attachments",
        "worker": "situation place safety author~",
        "other_worker": "situation place safety author~",
        "third_worker": "situation place safety author~",
        "nurse": "situation~ place safety~ author~",
        "police": "situation safety author~ attachments~",
        "guard": "situation safety author~ attachments~",
        "other_guard": "situation safety author~ attachments~",
        "suburban_police": "situation safety author~ attachments~",
    }
    for reader in (square.worker, square.nurse, square.official):
        assert reader.get(filed.id).place == POINT
    assert isinstance(square.nurse.get(filed.id).situation, Brief)
    # The scene's count has forty more for the municipality; what is published of it to the others comes by the week.
    after = await counts(square, "litter_needles", "needles", SUM)
    assert after == {**before, "municipal_boss": before["municipal_boss"] + 40}
    assert await counted(square.municipal_boss, "litter_needles", "needles", SUM, scene=CENTRAL) == central + 40
    # Supervisors of other agencies have no row, and the own ones a row to open.
    assert not have(square, filed.id) & {"police_boss", "guards_boss", "workers_boss", "other_boss"}
    assert held(square.guards_boss, filed.id) == []


async def test_no_zoom_of_a_map_could_show_police_or_guards_the_point(square: People) -> None:
    """The trap: what a map is drawn from is not on their devices and not in what they are sent."""
    filed = square.official.file(
        forms.LitterNeedles(scene=CENTRAL, observed_at=square.town.clock.now(), needles=40, place=POINT)
    )
    await square.sync()
    point = re.compile(rb"public toilet|59332581|18064901|" + re.escape((59_332_581).to_bytes(4, "big")))
    for device in (square.police, square.suburban_police, square.guard, square.other_guard):
        assert device.get(filed.id).scene is None
        stored = decrypted(device.local.store)
        mine = stored[stored.find(bytes(filed.id)) :]
        assert bytes(filed.id) in mine
        assert not point.search(mine)
        async with asking(device, square.town.url) as raw:
            assert not any(point.search(answer.body) for answer in await raw.everything())
    assert point.search(decrypted(square.nurse.local.store))
