"""Conflicts of docs/secrecy-rules.md B7 about protected places: numbers 13, 14 and 18."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from sluss_client import Device, forms
from sluss_client.errors import NotFound, Refused
from sluss_client.report import Report
from sluss_schemas.policy import pack

from tests.scenarios.people import CENTRAL, KALLE, People, find, have, holders
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")

COURT: Final = ((59_410_000, 18_300_000), (59_411_000, 18_300_000), (59_411_000, 18_302_000), (59_410_000, 18_302_000))
YARD: Final = forms.Place(name="Gårdsbytet", lat=59_410_500, lon=18_301_000)
STREET: Final = forms.Place(name="by the bicycle stand", lat=59_415_500, lon=18_301_000)
NOW: Final = pack.builtin()[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def matron(square: People) -> AsyncIterator[Device]:
    """Health's supervisor, who protects a courtyard for as long as this file takes."""
    found = await square.town.device("health", "supervisors")
    # Of two lists of one second either may be the later.
    square.town.clock.advance(seconds=1)
    found.protect("the yard", COURT, 20, known_as=["Gårdsbytet"])
    await found.sync()
    await square.sync()
    yield found
    square.town.clock.advance(seconds=1)
    found.protect("the yard", COURT, 20, until=found.now() - 1)
    await found.sync()


def litter(square: People, place: forms.Place) -> forms.LitterNeedles:
    return forms.LitterNeedles(scene=CENTRAL, observed_at=square.town.clock.now(), needles=4, place=place)


async def corrected_in(square: People) -> Report:
    """File litter in the street, and correct it to the courtyard after others have it."""
    filed = square.official.file(litter(square, STREET))
    await square.sync()
    assert {"police", "guard", "worker", "nurse"} < have(square, filed.id)
    await square.official.amend(filed.id, place=YARD)
    await square.sync()
    return filed


@pytest.mark.usefixtures("matron")
async def test_13_corrected_into_a_protected_place_it_is_gone_from_everybody_else_back_to_its_first_version(
    square: People,
) -> None:
    filed = await corrected_in(square)
    assert have(square, filed.id) == {"official"}
    assert not holders(square, filed.id) & {"police", "suburban_police", "police_boss", "guard", "worker", "nurse"}
    for name in ("police", "guard", "worker"):
        device = square.everybody[name]
        with pytest.raises(NotFound):
            device.get(filed.id)
        # Social services have health's list, sealed; the police and guards have not.
        assert ("Gårdsbytet".encode() in decrypted(device.local.store)) is (name == "worker")
    # The owner has both versions, and what was counted of either is not counted any more: see scenario 20.
    received = square.official.local.replica.get(square.official.local.trust.own_id, filed.id)
    assert received is not None
    assert [one.version for one in received.versions] == [1, 2]


async def test_14_out_of_a_protected_place_again_takes_the_owners_supervisor_and_healths(
    square: People, matron: Device
) -> None:
    filed, boss = await corrected_in(square), square.municipal_boss
    await square.official.amend(filed.id, place=STREET)
    await square.sync()
    # A correction by its author alone opens nothing, and its author cannot say it.
    assert have(square, filed.id) == {"official"}
    with pytest.raises(Refused) as refused:
        square.official.unprotect(filed.id)
    assert refused.value.code == "supervisor_only"

    # One of the two is not enough, and nobody is both.
    # Within one second the word that closes is the last.
    square.town.clock.advance(seconds=1)
    record = boss.unprotect(filed.id)
    with pytest.raises((NotFound, Refused)):
        boss.confirm_unprotected(record)
    await boss.sync()
    await boss.inspect(filed.id, reason="It lay in the street.")
    await boss.sync()
    with pytest.raises(Refused) as refused:
        await boss.release(filed.id)
    assert refused.value.code == "protected_place"
    with pytest.raises(NotFound):
        matron.unprotect(filed.id)
    with pytest.raises((NotFound, Refused)):
        square.nurse.confirm_unprotected(record)

    await matron.sync()
    assert record in matron.to_confirm()
    matron.confirm_unprotected(record)
    await matron.sync()
    for _ in range(2):
        await boss.sync()
    # Both have said so: what its supervisor, who was told, writes of it from now on goes to whom it went before.
    assert have(square, filed.id) == {"official", "municipal_boss"}
    assert (await boss.amend(filed.id, needles=5)).hold == ""
    await square.sync()
    assert {"police", "worker"} < have(square, filed.id)


@pytest.mark.usefixtures("matron")
async def test_18_violence_inside_is_told_with_its_scene_alone_and_what_users_carry_is_not(square: People) -> None:
    # The guards have no list of such places, so that what they are told is the place's own rule for a guard who was
    # there: the pack's, for each kind.
    inside = {number: NOW.kinds[number].at_protected for number in (1, 2, 3, 10, 12)}
    for sector in ("SEC", "POL"):
        assert (inside[1][sector], inside[12][sector]) == ("scene", "scene")
        assert inside[2][sector] == "refused"
        assert inside[3][sector] == "owner_only"
    assert inside[10]["SEC"] == "refused"

    # A device that has the list, and one that has been told which places are public, do so by themselves.
    threat = square.official.file(square.incident(place=YARD, subject=[], enforcement=None, care=None))
    dealing = forms.DealingObservation(scene=CENTRAL, observed_at=square.town.clock.now(), place=YARD)
    with pytest.raises(Refused) as refused:
        square.official.file(dealing)
    assert refused.value.code == "protected_place"
    await square.sync()
    seen = square.police.get(threat.id)
    assert (seen.scene, seen.place, seen.situation) == (CENTRAL, None, threat.situation)
    assert threat.place == YARD
    assert "Gårdsbytet" in repr(square.official.get(threat.id).author_extra())

    # The guard's own event goes to the police by the duty; said to lie there, it names no place and no client.
    mine = square.guard.file(square.incident(place=None, subject=[KALLE]), duties={"L14": "send"})
    await square.sync()
    assert square.police.get(mine.id).subject == [KALLE]
    assert square.police.get(mine.id).place is None
    for device in (square.police, square.guard):
        assert "Gårdsbytet".encode() not in decrypted(device.local.store)
    assert find(square.worker, mine.id) is not None
