"""S24: police ask, with reference to the duty to law enforcement, for (a) an official's incident, (b) a contact."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import msgspec
import pytest

from sluss_client import forms
from sluss_client.cases import book
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_schemas.ledger import Act, read_content
from sluss_schemas.records import CaseKind

from tests.ledger.test_devices import leaves
from tests.scenarios.people import People, have, sight
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")
CONTACT: Final = "lag 2025:170 4 §"


async def test_the_municipality_gives_after_a_recorded_balancing(square: People) -> None:
    boss = square.municipal_boss
    person = forms.Person(name="Nilsson", role="witness")
    filed = square.official.file(square.incident(subject=[person], enforcement=None, care=None), confirm_text=True)
    await square.sync()
    assert sight(square.police, filed.id) == "situation place safety author~ attachments~"
    asked = square.police_boss.request("municipality", "Who was it?", code="L12", report_id=filed.id)
    await square.sync()
    [request] = [one for one in boss.requests() if one.id == asked]
    assert (request.to, request.agency, request.state, request.report_id) == (True, "police", "open", filed.id)
    # The municipality has a task with a clock, whoever asks.
    [task] = [one for one in boss.tasks() if one.report_id == filed.id and one.code == "L12"]
    assert task.state == "open"

    await boss.inspect(filed.id, reason="The police ask.")
    await boss.sync()
    await boss.disclose(
        filed.id,
        "L12",
        compartments=["subject"],
        tests=dict.fromkeys(("needed_in_law_enforcement", "secrecy_does_not_prevail", "not_exempt"), True),
        reasons={"secrecy_does_not_prevail": "A robbery; nothing speaks for secrecy."},
    )
    boss.answer_request(asked, granted=True, text="You have it.", rule="lag 2025:170 6 §")
    await square.sync()
    assert square.police.get(filed.id).subject == [person]
    [answered] = [one for one in square.police_boss.requests() if one.id == asked]
    assert (answered.state, answered.rule) == ("granted", "lag 2025:170 6 §")
    [task] = [one for one in boss.tasks() if one.report_id == filed.id and one.code == "L12"]
    assert (task.state, task.how) == ("done", "sent")


async def test_social_services_refuse_and_the_ground_does_not_exist_there(square: People) -> None:
    filed = square.worker.file(square.contact())
    await square.sync()
    asked = square.police_boss.request("social_services", "Everything about Nils.", code="L12")
    await square.sync()
    [request] = [one for one in square.workers_boss.requests() if one.id == asked]
    assert request.text == "Everything about Nils."
    assert have(square, filed.id) == {"worker", "other_worker", "third_worker"}
    await square.workers_boss.inspect(filed.id, reason="The police ask.")
    await square.workers_boss.sync()
    assert "L12" not in {offer.code for offer in square.workers_boss.offers(filed.id)}
    with pytest.raises(Refused) as refused:
        await square.workers_boss.disclose(filed.id, "L12", compartments=["subject"])
    assert refused.value.code == "no_ground"
    square.workers_boss.answer_request(asked, granted=False, text="Not from here.", rule="lag 2025:170 8 §")
    await square.sync()
    [answered] = [one for one in square.police_boss.requests() if one.id == asked]
    assert (answered.state, answered.rule) == ("refused", "lag 2025:170 8 §")
    with pytest.raises(NotFound):
        square.police_boss.get(filed.id)


async def test_what_is_asked_is_read_by_the_owner_and_by_no_third(square: People) -> None:
    square.police_boss.request("social_services", "Canary-of-a-request.", code="L12")
    await square.sync()
    readers = {
        name for name, device in square.everybody.items() if b"Canary-of-a-request" in decrypted(device.local.store)
    }
    assert readers == {"police_boss", "workers_boss", "other_boss"}


async def test_how_somebody_is_reached_is_asked_and_weighed_by_itself(square: People, tmp_path: Path) -> None:
    """The trap: contact details are a request of their own, which opens nothing of the report."""
    officers, boss = square.police_boss, square.workers_boss
    filed = square.worker.file(square.contact())
    asked = officers.request("social_services", "Nils Ek, born 2003: how is he reached?", code="contact_details")
    await square.sync()
    [request] = [one for one in boss.requests() if one.id == asked]
    assert (request.code, request.state) == ("contact_details", "open")
    assert request.until == request.since + 168 * 3600

    # Granted without the question answered, without anything to tell, or with more than there are fields for.
    weighed, reached = {"no_strong_reasons": True}, {"telephone": "070-174 06 15", "address": "Storgatan 1, Malmö"}
    why = "He is in no danger from them; Canary-of-care is no reason."
    for tests, details, code in (
        ({}, reached, "missing_field"),
        ({"no_strong_reasons": False}, reached, "missing_field"),
        (weighed, {}, "missing_field"),
        (weighed, {"care": "He wants a bed."}, "unknown_field"),
        (weighed, {"telephone": "He wants a bed."}, "wrong_type"),
    ):
        with pytest.raises(Invalid) as invalid:
            boss.answer_request(asked, granted=True, text=why, rule=CONTACT, tests=tests, details=details)
        assert invalid.value.code == code
    # The server refuses it as well, from a device that was made to forget the question.
    [known] = [one for one in book.received(boss.local, CaseKind.REQUEST) if one.case.record == asked]
    past = book.file(
        boss.local, CaseKind.ANSWER, now=known.case.time, code="granted", follows=asked, body=b"\x92\xa0\xa0"
    )
    await boss.sync()
    [tried] = [one for one in book.filed(boss.local, CaseKind.ANSWER) if one.case.record == past]
    assert tried.state == "refused"
    kept = msgspec.msgpack.decode(boss.local.store.get("case_own", past) or b"", type=book.Own)
    assert (kept.reason, kept.field) == ("missing_field", "tests.no_strong_reasons")
    await officers.sync()
    assert [one.state for one in officers.requests() if one.id == asked] == ["open"]

    boss.answer_request(asked, granted=True, text=why, rule=CONTACT, tests=weighed, details=reached)
    await square.sync()
    [answered] = [one for one in officers.requests() if one.id == asked]
    assert (answered.state, answered.rule, answered.details) == ("granted", CONTACT, reached)
    assert (answered.answer, answered.affirmed) == ("", ())
    for device in (boss, square.other_boss):
        [seen] = [one for one in device.requests() if one.id == asked]
        assert (seen.state, seen.answer, seen.affirmed) == ("granted", why, ("no_strong_reasons",))
        assert seen.details == reached
    # Why it was told stays, and the report has opened for nobody.
    assert holds(square, b"Canary-of-care") == {"workers_boss", "other_boss"}
    assert holds(square, b"070-174 06 15") == {"police_boss", "workers_boss", "other_boss"}
    assert have(square, filed.id) == {"worker", "other_worker", "third_worker"}

    # Each has its own half of it in its ledger.
    for agency, record in (("police", "request"), ("social_services", "answer")):
        acts = [
            read_content(one["action"], base64.b64decode(one["content"]))
            for one in leaves(square.town, agency, tmp_path)
        ]
        said = [one for one in acts if isinstance(one, Act) and one.action == record]
        assert any(asked in {one.about, one.what} for one in said)


async def test_contact_details_are_asked_of_whom_and_by_whom_the_pack_says(square: People) -> None:
    for asks, of, code in (
        (square.guards_boss, "social_services", "unknown_code"),
        (square.police_boss, "health", "unknown_agency"),
    ):
        with pytest.raises(Invalid) as invalid:
            asks.request(of, "How is he reached?", code="contact_details")
        assert invalid.value.code == code
    # A request of another kind is answered in words alone.
    asked = square.police_boss.request("social_services", "Are you there on Friday?")
    await square.police_boss.sync()
    await square.workers_boss.sync()
    with pytest.raises(Invalid) as invalid:
        square.workers_boss.answer_request(asked, granted=True, text="Yes.", details={"telephone": "0701740615"})
    assert invalid.value.code == "unknown_field"


def holds(square: People, text: bytes) -> set[str]:
    """Return who has this text on their device."""
    return {name for name, device in square.everybody.items() if text in decrypted(device.local.store)}
