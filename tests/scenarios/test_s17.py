"""S17: a guard reports that a known man threatened to 'find out where you live'."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import Refused
from sluss_client.report import Author

from tests.scenarios.people import CENTRAL, KALLE, People, held, sights
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _threat(square: People) -> forms.StaffThreat:
    return forms.StaffThreat(
        scene=CENTRAL,
        observed_at=square.town.clock.now(),
        situation="He said: I will find out where you live.",
        severity=3,
        threat_forms=["followed"],
        subject=[KALLE],
        safety=["two_person"],
    )


async def test_everybody_is_warned_and_the_guard_is_an_alias(square: People) -> None:
    filed = square.guard.file(_threat(square), duties={"L14": "send"})
    await square.sync()

    seen = sights(square, filed.id)
    assert seen["police"] == "situation place subject enforcement safety author~"
    assert seen["worker"] == seen["other_worker"] == "situation place enforcement~ safety author~"
    assert seen["other_guard"] == "situation safety"
    assert seen["official"] == "situation place enforcement~ safety author~"
    assert seen["nurse"] == "situation~ place~ safety~ author~"
    assert held(square.guards_boss, filed.id) == [1]

    police = square.police.get(filed.id)
    assert police.subject == [KALLE]
    assert police.author == Author("field", square.guard.alias)
    assert square.worker.get(filed.id).situation == "He said: I will find out where you live."
    with pytest.raises(Refused):
        _ = square.worker.get(filed.id).subject


async def test_no_other_agency_has_anything_by_which_the_guard_could_be_named(square: People) -> None:
    """The trap: an extract for the man can be made of nothing that points at the guard but the alias."""
    filed = square.guard.file(_threat(square), duties={"L14": "send"})
    await square.sync()
    names = square.town.founders["security"].local
    assert names is not None
    for device in square.everybody.values():
        if device.agency == "security":
            continue
        stored = decrypted(device.local.store)
        at = stored.find(bytes(filed.id))
        if at < 0:
            continue
        report = device.get(filed.id)
        assert report.author == Author("field", square.guard.alias)
        # The directory knows a person by number; no report of the guard's says which.
        assert report.author_extra() is None
        assert report.form_of("author") == "brief"
