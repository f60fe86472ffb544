"""S11: a guard gives naloxone to an unconscious man who wakes up and is taken over by the ambulance."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from sluss_client import forms
from sluss_client.cases import book
from sluss_client.errors import NotFound, Refused
from sluss_schemas.records import CaseKind
from sluss_schemas.statements import StockAnswer, StockTerms

from tests.scenarios.people import CENTRAL, SUM, People, counts, held, sights
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
    before = await counts(square, "overdose_event")
    filed = square.guard.file(_overdose(square))
    await square.sync()
    # The guards' own supervisor has the number; to those of others it is a figure that hides whatever is below ten.
    assert await counts(square, "overdose_event") == {**before, "guards_boss": before["guards_boss"] + 1}
    assert square.guard.pack.parameters.k_sensitive == 10
    assert square.guard.pack.kinds[4].sensitive

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


async def test_the_stock_is_less_by_the_doses_and_says_nothing_of_who_got_them(square: People) -> None:
    """The trap: the stock is a count of things and a sum of numbers, each without a report and without a person."""
    boss, zone = square.guards_boss, ZoneInfo(square.guard.pack.zone)
    yesterday = square.town.clock.now().astimezone(zone).date() - timedelta(days=1)
    boss.count_stock(500, counted=yesterday)
    await boss.sync()
    before = await boss.stock()
    filed = square.guard.file(_overdose(square))
    await square.sync()
    after = await boss.stock()
    assert (after.used, after.left) == (before.used + 2, before.left - 2)
    assert (after.counted, after.doses) == (yesterday, 500)

    # What is signed names a day and a number, and what the server adds is a number: no report, no scene, no person.
    (stated,) = [one for one in book.filed(boss.local, CaseKind.STATEMENT) if one.case.code == "stock"]
    assert (stated.case.digest, stated.case.seals, stated.body) == (None, (), b"")
    assert StockTerms.__struct_fields__ == ("item", "doses", "counted", "expires")
    assert StockAnswer.__struct_fields__ == ("used",)
    for told in (repr(after), stated.case.terms.hex()):
        assert filed.id.hex() not in told
        assert "Andersson" not in told
    # No other agency is told how much the guards have, and so not how much they used where their counts hide it.
    for name in ("police_boss", "workers_boss", "municipal_boss"):
        with pytest.raises(NotFound):
            await square.everybody[name].stock()
    with pytest.raises(Refused):
        await square.guard.stock()


async def test_doses_are_counted_without_a_link_to_the_person(square: People) -> None:
    """The trap: what tells the doses stands in the situation, and nothing beside it tells who."""
    before = await counts(square, "overdose_event", "naloxone_doses", SUM)
    filed = square.guard.file(_overdose(square))
    await square.sync()
    for name, device in square.everybody.items():
        if device.agency == "security":
            continue
        stored = decrypted(device.local.store)
        assert b"Naloxon" not in stored, name
        assert b"green jacket" not in stored, name
    after = await counts(square, "overdose_event", "naloxone_doses", SUM)
    assert after == {**before, "guards_boss": before["guards_boss"] + 2}
    assert square.police.get(filed.id).naloxone_doses == 2
    assert square.guard.get(filed.id).subject is not None
