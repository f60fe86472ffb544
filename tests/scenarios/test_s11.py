"""S11: a guard gives naloxone to an unconscious man who wakes up and is taken over by the ambulance."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import Refused

from tests.scenarios.people import CENTRAL, People, held, sights
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _overdose(square: People) -> forms.OverdoseEvent:
    return forms.OverdoseEvent(
        scene=CENTRAL,
        observed_at=square.town.clock.now(),
        situation="A man lay still by the stairs and woke up.",
        place="by the stairs",
        naloxone_doses=2,
        first_responder="guard",
        ambulance=True,
        subject=[forms.Person(name="Okänd Andersson-Naloxon", description="green jacket")],
        outcome="survived",
        suspected_groups=["opioid"],
        care="Did not breathe, then did.",
    )


async def test_health_and_outreach_know_where_and_when_and_the_police_get_no_name_and_no_use(square: People) -> None:
    filed = square.guard.file(_overdose(square))
    await square.sync()

    assert sights(square, filed.id) == {
        "guard": "situation place subject care enforcement safety author attachments",
        "other_guard": "situation place subject care enforcement safety author attachments",
        "police": "situation place safety author~",
        "worker": "situation place enforcement~ safety author~",
        "other_worker": "situation place enforcement~ safety author~",
        "third_worker": "situation place enforcement~ safety author~",
        "official": "situation place enforcement~ safety~ author~",
        "nurse": "situation place safety~ author~",
    }
    assert square.nurse.get(filed.id).place == forms.Place(name="by the stairs")
    assert square.nurse.get(filed.id).naloxone_doses == 2
    # It is for the supervisor to decide whether the police must know who it was, so the form does not ask.
    assert not [duty for duty in square.guard.duties() if duty.report_id == filed.id and duty.code == "L14"]
    for closed in ("subject", "care", "enforcement"):
        with pytest.raises(Refused):
            getattr(square.police.get(filed.id), closed)
    assert held(square.guards_boss, filed.id) == [1]
    # Who it was goes to health while the emergency lasts, by whoever is there, and on no other ground.
    to_health = {
        one.code for one in square.guard.offers(filed.id) if one.agency == "health" and "subject" in one.compartments
    }
    assert to_health == {"L17"}
    with pytest.raises(Refused):
        _ = square.nurse.get(filed.id).subject


async def test_doses_are_counted_without_a_link_to_the_person(square: People) -> None:
    """The trap: what tells the doses stands in the situation, and nothing beside it tells who."""
    filed = square.guard.file(_overdose(square))
    await square.sync()
    for name, device in square.everybody.items():
        if device.agency == "security":
            continue
        stored = decrypted(device.local.store)
        assert b"Naloxon" not in stored, name
        assert b"green jacket" not in stored, name
    assert square.police.get(filed.id).naloxone_doses == 2
    assert square.guard.get(filed.id).subject is not None
