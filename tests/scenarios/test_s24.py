"""S24: police ask, with reference to the duty to law enforcement, for (a) an official's incident, (b) a contact."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import NotFound, Refused

from tests.scenarios.people import People, have, sight
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
