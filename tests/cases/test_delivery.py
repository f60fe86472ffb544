"""Case records and a server that breaks, withholds or swaps them: named, kept out, and not lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sluss_client.errors import Offline
from sluss_client.keyring import rotation
from sluss_client.testing import Exchange
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode, encode
from sluss_schemas.records import Case, SignedRecord, read_record

from tests.cases.people import People

pytestmark = pytest.mark.asyncio(loop_scope="session")

replace = msgspec.structs.replace


def broken(data: bytes) -> bytes:
    return data[:-1]


def unsigned(data: bytes) -> bytes:
    return encode(replace(decode(SignedRecord, data, "record"), signature=bytes(64)))


def reworded(data: bytes) -> bytes:
    """Give a record another code than the one that was signed."""
    signed = decode(SignedRecord, data, "record")
    case = read_record(signed.record)
    assert isinstance(case, Case)
    return encode(replace(signed, record=encode(replace(case, code="L01"))))


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut short": (broken, "malformed_record"),
    "with another signature": (unsigned, "unknown_signer"),
    "with another code": (reworded, "entry_differs"),
}


def each_record(change: Callable[[bytes], bytes]) -> Callable[[Exchange], Any]:
    """Change every case record on its way to a device."""

    def entry(one: wire.Entry) -> wire.Entry:
        return one if one.record is None else replace(one, record=change(one.record))

    def lie(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
        pages = tuple(
            replace(page, entries=tuple(map(entry, page.entries)), past=tuple(map(entry, page.past)))
            for page in exchange.answer.pages
        )
        return replace(exchange.answer, pages=pages)

    return lie


@pytest.mark.parametrize("name", CHANGES)
async def test_a_record_that_was_broken_on_its_way_comes_once_the_server_is_honest(square: People, name: str) -> None:
    change, code = CHANGES[name]
    boss = square.workers_boss
    await boss.sync()
    report = square.worker.file(square.contact())
    asked = square.police_boss.request("social_services", f"What was {name}?", code="L12")
    for device in (square.worker, square.police_boss):
        await device.sync()
    with square.town.hostile.lying("/v1/pull", each_record(change), boss.local.keys.kid):
        await boss.sync()
        assert [one for one in boss.requests() if one.id == asked] == []
        assert {found for _, found in boss.local.alarms()} == {code}
        # Its neighbour in the same answer is there all the same.
        assert report.id in {row.report_id for row in boss.held()}
    await boss.sync()
    assert [one.text for one in boss.requests() if one.id == asked] == [f"What was {name}?"]
    assert boss.local.alarms() == []


async def test_a_record_that_came_before_its_key_opens_once_the_key_is_there(square: People) -> None:
    boss, founder = square.workers_boss, square.town.founders["social_services"]
    await boss.sync()
    await founder.sync()
    audience = founder.local.trust.own.audience_for("supervisors")
    assert audience is not None
    rotation.request(founder.local, audience)
    for _ in range(3):
        await founder.sync()

    def without_keys(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
        return replace(exchange.answer, wraps=())

    await square.police_boss.sync()
    asked = square.police_boss.request("social_services", "Sealed to the new key.")
    await square.police_boss.sync()
    with square.town.hostile.lying("/v1/keys/pull", without_keys, boss.local.keys.kid):
        await boss.sync()
    assert "cannot_open" in {found for _, found in boss.local.alarms()}
    assert [one for one in boss.requests() if one.id == asked] == []
    for _ in range(2):
        await boss.sync()
    assert [one.text for one in boss.requests() if one.id == asked] == ["Sealed to the new key."]
    assert "cannot_open" not in {found for _, found in boss.local.alarms()}


async def test_a_record_whose_answer_was_lost_is_sent_again_verbatim_and_filed_once(square: People) -> None:
    hostile, boss = square.town.hostile, square.police_boss
    await boss.sync()
    asked = boss.request("social_services", "Did it arrive?")

    def lost(_exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
        return b"\xc1"

    since = len(hostile.seen)
    with hostile.lying("/v1/push", lost, boss.local.keys.kid), pytest.raises(Offline):
        await boss.sync()
    await boss.sync()
    pushed = [
        bytes(raw)
        for one in hostile.seen[since:]
        if isinstance(one.asked, wire.Push) and one.device == boss.local.keys.kid
        for raw in one.asked.records
    ]
    assert len(pushed) == 2
    assert pushed[0] == pushed[1]
    for device in (square.workers_boss, boss):
        await device.sync()
        assert [one.text for one in device.requests() if one.id == asked] == ["Did it arrive?"]
