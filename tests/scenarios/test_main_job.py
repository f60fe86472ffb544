"""The main job, as people would tell it: filed without network, sealed, synced, read by exactly those who may."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import Invalid, Offline, Refused
from sluss_client.report import Author
from sluss_schemas.brief import Brief

from tests.scenarios.people import CENTRAL, CHILD, KALLE, People, have, held
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_guard_files_without_network_and_everybody_reads_what_they_may(square: People) -> None:
    guard, server = square.guard, square.town.server
    assert server is not None
    server.stop()
    filed = guard.file(square.incident(), duties={"L14": "send"})
    assert [row.report_id for row in guard.waiting()] == [filed.id]
    assert filed.id in {report.id for report in guard.reports()}
    to_police = {row.compartment for row in guard.readers(filed) if row.audience == "police/field"}
    assert to_police == {"situation", "place", "subject", "enforcement", "safety", "author"}
    with pytest.raises(Offline):
        await guard.sync()
    assert [row.report_id for row in guard.waiting()] == [filed.id]
    server.start()
    result = await guard.sync()
    assert (result.sent, result.waiting) == (1, 0)
    await square.sync()

    police = square.police.get(filed.id)
    assert police.situation == "A shop assistant was threatened at the kiosk."
    assert police.place == forms.Place(name="at the kiosk")
    assert police.scene == CENTRAL
    assert police.safety == ["armed_knife"]
    assert police.subject == [KALLE]
    assert police.author == Author("field", guard.alias)
    with pytest.raises(Refused):
        _ = police.care

    social = square.worker.get(filed.id)
    assert social.situation == police.situation
    assert social.place == police.place
    assert social.safety == police.safety
    assert isinstance(social.enforcement, Brief)
    assert "known to the guards" not in repr(social.enforcement)
    for closed in ("subject", "care", "attachments"):
        with pytest.raises(Refused):
            getattr(social, closed)

    # Case by case: the other guard all of it, the official and the nurse what is left, supervisors a row to open.
    assert set(square.other_guard.get(filed.id).readable) == set(filed.readable)
    assert square.official.get(filed.id).readable == ("situation", "place", "enforcement", "safety", "author")
    assert square.nurse.get(filed.id).readable == ("situation", "place", "safety", "author")
    assert isinstance(square.nurse.get(filed.id).situation, Brief)
    assert have(square, filed.id) == {
        "guard",
        "other_guard",
        "police",
        "worker",
        "other_worker",
        "third_worker",
        "official",
        "nurse",
    }


async def test_the_person_waits_until_the_guard_has_answered(square: People) -> None:
    guard = square.guard
    filed = guard.file(square.incident())
    await square.sync()
    assert [duty.code for duty in guard.duties() if duty.report_id == filed.id] == ["L14"]
    before = square.police.get(filed.id)
    assert before.readable == ("situation", "place", "safety", "author")
    with pytest.raises(Refused) as refused:
        _ = before.subject
    assert refused.value.rule == "K01.SEC.SUB.POL"
    await guard.answer(filed.id, {"L14": "send"})
    await square.sync()
    assert [duty.code for duty in guard.duties() if duty.report_id == filed.id] == []
    assert square.police.get(filed.id).subject == [KALLE]
    with pytest.raises(Refused):
        _ = square.worker.get(filed.id).subject


async def test_a_duty_answered_no_is_settled_and_tells_nobody(square: People) -> None:
    filed = square.guard.file(square.incident(), duties={"L14": "no"})
    await square.sync()
    assert [duty for duty in square.guard.duties() if duty.report_id == filed.id] == []
    assert square.police.get(filed.id).form_of("subject") is None
    with pytest.raises(Invalid):
        await square.guard.answer(filed.id, {"L14": "send"})


# what exists for nobody else


async def test_an_outreach_contact_opens_for_social_services_and_exists_for_nobody_else(square: People) -> None:
    filed = square.worker.file(square.contact())
    await square.sync()
    assert have(square, filed.id) == {"worker", "other_worker", "third_worker"}
    assert square.other_worker.get(filed.id).care == "He wants a bed for the night."
    assert square.other_worker.get(filed.id).subject == [forms.Person(alias="Nils")]
    # The own supervisors know that there is a row; reception has its own reports alone.
    assert {name for name, device in square.everybody.items() if held(device, filed.id)} == {
        "workers_boss",
        "other_boss",
    }
    for name, device in square.everybody.items():
        if device.agency != "social_services" or name == "reception":
            assert bytes(filed.id) not in decrypted(device.local.store), name
            async with asking(device, square.town.url) as raw:
                assert not any(bytes(filed.id) in answer.body for answer in await raw.everything()), name


async def test_syncing_tells_other_agencies_nothing_of_an_outreach_contact(square: People) -> None:
    await square.sync()
    square.worker.file(square.contact())
    assert (await square.worker.sync()).sent == 1
    for name, device in square.everybody.items():
        if device.agency != "social_services":
            result = await device.sync()
            assert (result.received, result.dropped, result.alarms) == (0, 0, 0), name


async def test_a_concern_for_a_child_goes_to_reception_and_to_nobody_else(square: People) -> None:
    filed = square.guard.file(
        forms.ReportOfConcern(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation="Alone on the square at night.",
            subject=[CHILD],
            concerns=[],
            care="Cold and hungry.",
        ),
        duties={"L11": "send"},
    )
    await square.sync()
    assert have(square, filed.id) == {"guard", "reception"}
    got = square.reception.get(filed.id)
    assert got.situation == "Alone on the square at night."
    assert got.subject == [CHILD]
    assert got.care == "Cold and hungry."
    # A professional reporter is known to social services.
    assert isinstance(got.author, Author)
    assert (got.author.alias, got.author.person) == (square.guard.alias, square.guard.person_id)
    for name, device in square.everybody.items():
        if name not in {"guard", "reception", "guards_boss"}:
            assert bytes(filed.id) not in decrypted(device.local.store), name


async def test_a_concern_whose_duty_is_not_answered_tells_nobody_yet(square: People) -> None:
    filed = square.official.file(
        forms.ReportOfConcern(observed_at=square.town.clock.now(), situation="A child sleeps here.", subject=[CHILD])
    )
    await square.sync()
    assert have(square, filed.id) == {"official"}
    assert [duty.code for duty in square.official.duties() if duty.report_id == filed.id] == ["L11"]
    await square.official.answer(filed.id, {"L11": "send"})
    await square.sync()
    assert have(square, filed.id) == {"official", "reception"}
