"""A warning about a substance: the public reads it after health has approved every word, and nobody before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import httpx2
import msgspec
import pytest
from msgspec import structs

from sluss_client import forms
from sluss_client.cases import book
from sluss_client.cases.releasing import Wanted
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.report import Report
from sluss_schemas.codec import encode
from sluss_schemas.records import CaseKind, NoteTerms

from tests.scenarios.people import CENTRAL, People

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS: Final = "Pills sold as oxycodone are much stronger than they look. Do not take them alone."
ADDED: Final = "They are sold at the square."


async def warning(square: People, author: Device, boss: Device) -> Report:
    """Have somebody write a market note that their supervisor has a row of."""
    filed = author.file(
        forms.MarketNote(scene=CENTRAL, observed_at=square.town.clock.now(), substances=["op_oxy"], situation="Pills."),
        confirm_text=True,
    )
    for device in (author, boss):
        await device.sync()
    return filed


def wanted(square: People, text: str = WORDS, **more: str) -> Wanted:
    until = int((square.town.clock.now() + timedelta(days=3)).timestamp())
    return Wanted(**{"column": "PUB", "text": text, "until": until, "lang": "en", **more})  # type: ignore[arg-type]  # as named


async def shown(square: People, text: str) -> bool:
    """Tell whether everybody can read a text."""
    async with httpx2.AsyncClient(base_url=square.town.url) as anybody:
        return text in {one["text"] for one in (await anybody.get("/notes")).json()["notes"]}


async def forced(boss: Device, filed: Report, terms: NoteTerms, until: int) -> tuple[str, str, str]:
    """Send a note that the device would not have let out; return what the server said."""
    version = boss.local.replica.get(boss.local.trust.own_id, filed.id)
    assert version is not None
    digest = version.heads()[0].digest
    name = book.file(boss.local, CaseKind.NOTE, now=boss.now(), digest=digest, until=until, terms=encode(terms))
    await boss.sync()
    own = msgspec.msgpack.decode(boss.local.store.get("case_own", name) or b"", type=book.Own)
    return own.state, own.reason, own.field


async def test_the_public_reads_what_health_approved_and_no_other_word(square: People) -> None:
    boss, clock = square.police_boss, square.town.clock
    health = await square.town.device("health", "supervisors")
    filed, asked = await warning(square, square.police, boss), wanted(square)
    assert [(one.column, one.needs) for one in boss.note_receivers(filed.id)] == [("PUB", "HLT")]
    with pytest.raises(Refused) as refused:
        boss.note(filed.id, asked)
    assert refused.value.code == "needs_approval"
    bare = NoteTerms("PUB", "", (1,), "en", WORDS)
    assert await forced(boss, filed, bare, asked.until) == ("refused", "needs_approval", "note.approval")

    request = boss.ask_note(filed.id, asked)
    for device in (boss, health, square.nurse):
        await device.sync()
    # Health's supervisors read every word; field staff are asked nothing, and nobody else's supervisors either.
    [text] = [one for one in health.texts() if one.id == request]
    assert (text.to, text.column, text.text, text.until, text.state) == (True, "PUB", WORDS, asked.until, "open")
    assert request not in {one.id for one in health.requests()}
    assert not any(request in {one.id for one in device.texts()} for device in (square.nurse, square.workers_boss))
    with pytest.raises(NotFound):
        boss.answer_text(request, approve=True)
    with pytest.raises(Invalid):
        health.answer_text(request, approve=False)
    health.answer_text(request, approve=True)
    await health.sync()
    await boss.sync()

    # Other words, another end or another reader are another text.
    [granted] = [one for one in boss.texts() if one.id == request]
    assert granted.state == "granted"
    for other in (wanted(square, f"{WORDS} {ADDED}"), replace(asked, until=asked.until + 60)):
        with pytest.raises(Refused):
            boss.note(filed.id, other)
    answer = next(one for one in book.received(boss.local, CaseKind.ANSWER) if one.case.follows == request)
    more = structs.replace(bare, text=f"{WORDS} {ADDED}", approval=answer.case.record)
    assert await forced(boss, filed, more, asked.until) == ("refused", "needs_approval", "note.text")
    assert not await shown(square, more.text)

    note = boss.note(filed.id, asked)
    await boss.sync()
    assert [one.state for one in boss.notes() if one.id == note] == ["in_force"]
    assert await shown(square, WORDS)

    # Whoever approved takes it back.
    clock.advance(seconds=1)
    health.answer_text(request, "The laboratory was wrong.", approve=False)
    await health.sync()
    assert not await shown(square, WORDS)
    await boss.sync()
    assert [(one.state, one.answer) for one in boss.texts() if one.id == request] == [
        ("refused", "The laboratory was wrong.")
    ]
    with pytest.raises(Refused):
        boss.note(filed.id, asked)


async def test_healths_own_needs_nobody_elses_and_social_services_tell_the_public_health_agency(square: People) -> None:
    health = await square.town.device("health", "supervisors")
    filed = await warning(square, square.nurse, health)
    own = wanted(square, "A batch of strong pills is about.")
    assert [one.needs for one in health.note_receivers(filed.id)] == [""]
    health.note(filed.id, own)
    await health.sync()
    assert await shown(square, own.text)

    boss = square.workers_boss
    theirs = await warning(square, square.worker, boss)
    offered = [one for one in boss.note_receivers(theirs.id) if one.ground]
    assert [(one.ground, one.column, one.sv, one.needs) for one in offered] == [
        ("L20", "EXT", "Folkhälsomyndigheten", "")
    ]
    assert not square.worker.note_receivers(theirs.id)
    told = boss.note(theirs.id, wanted(square, "A new opioid has been seen since May.", ground="L20"))
    await boss.sync()
    assert [(one.partner, one.state) for one in boss.notes() if one.id == told] == [
        ("the Public Health Agency of Sweden", "in_force")
    ]
    # On that ground it goes to that reader, from that owner, and says nothing of persons.
    until = wanted(square).until
    to = NoteTerms("EXT", "Folkhälsomyndigheten", (1,), "sv", "Ett nytt ämne.", None, "L20")
    for wrong in ({"partner": "Torget 4 AB"}, {"slots": (0,)}, {"ground": "L18"}, {"column": "PUB", "partner": ""}):
        state, reason, _ = await forced(boss, theirs, structs.replace(to, **wrong), until)
        assert (state, reason) == ("refused", "not_allowed")
    police = await warning(square, square.police, square.police_boss)
    state, reason, _ = await forced(square.police_boss, police, to, until)
    assert (state, reason) == ("refused", "not_allowed")
