"""The end of a grant: by its clock to the second, by whoever takes it back, and in every feed that had something."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from sluss_schemas.codec import encode
from sluss_schemas.disclosure import ended, read_grant
from sluss_schemas.ledger import Act, read_content
from sluss_schemas.records import CaseKind
from sluss_server.storage import tables

from tests.server.cases import CREATED, DAY, HOUR, case, feeds, gained, send
from tests.server.granting import Ready, Use, colleague, ready, use_of, uses
from tests.server.town import NOW, Town

ENDING = [use for use in uses() if use.named]


async def leaves(town: Town, *actions: str) -> list[Act]:
    """The leaves of ends, in their order."""
    table = tables.ledger_leaves
    async with town.engine.read() as connection:
        rows = await connection.execute(
            select(table.c.action, table.c.content).where(table.c.action.in_(actions)).order_by(table.c.seq)
        )
        return [found for row in rows if isinstance(found := read_content(row.action, row.content), Act)]


async def given(town: Town, use: Use, **more: Any) -> tuple[Ready, bytes]:  # noqa: ANN401  # any argument of a grant
    """Use a ground; return what was used, and how a `drop` names it."""
    one = await ready(town, use)
    item = one.item(**more)
    assert await one.answer(encode(item)) == CREATED
    await town.services.sweeping.once()
    return one, ended(one.report.digest, read_grant(item.grant).grant_id)


@pytest.mark.parametrize("use", ENDING, ids=str)
async def test_of_a_decision_comes_at_its_second(town: Town, use: Use) -> None:
    last = NOW + (2 * HOUR if use.gateway.on_shift else min(use.longest, DAY))
    one, name = await given(town, use, not_after=last)
    before, [device] = await feeds(town), one.receivers

    town.clock.now = last - 1
    await town.services.sweeping.once()
    assert await gained(town, before) == {}
    assert [entry for entry in await town.entries(device) if entry.put is not None and entry.put.grant is not None]

    # Whoever asks at that second gets nothing, also where nobody has looked yet.
    town.clock.now = last
    assert not [entry for entry in await town.entries(device) if entry.put is not None and entry.put.grant is not None]
    # What is skipped from now on is another operation at the same place.
    before = await feeds(town)
    for _ in range(2):
        await town.services.sweeping.once()
        assert await gained(town, before) == {device.kid: [("drop", name)]}
    assert [(act.what, act.about, act.code, act.time) for act in await leaves(town, "expire")] == [
        (one.report.digest, name[32:], use.code, last)
    ]


async def test_at_midnight_is_not_a_second_later(town: Town) -> None:
    """The birthday begins at midnight where the pack is in force, which is 22:00 UTC in September."""
    midnight = 1_790_028_000
    one, name = await given(town, use_of("L03"), not_after=midnight)
    before = await feeds(town)

    town.clock.now = midnight + 1
    await town.services.sweeping.once()

    [gone] = (await gained(town, before)).values()
    assert ("drop", name) in gone
    assert one.report.digest not in await granted(town, one)


async def granted(town: Town, one: Ready) -> set[bytes]:
    [device] = one.receivers
    found = [entry for entry in await town.entries(device) if entry.put is not None and entry.put.grant is not None]
    return {entry.digest for entry in found}


@pytest.mark.parametrize(("code", "ends"), [("not_upheld", True), ("upheld", False)])
async def test_of_an_emergency_that_a_review_does_not_uphold(town: Town, code: str, ends: bool) -> None:  # noqa: FBT001  # a case
    one, name = await given(town, use_of("L17"))
    before, by = await feeds(town), town.supervisor(one.use.owner)

    review = case(by, CaseKind.REVIEW, NOW, follows=name[32:], code=code)
    assert await send(town, by, review) == [CREATED]

    [device] = one.receivers
    assert await gained(town, before) == ({device.kid: [("drop", name)]} if ends else {})
    assert [act.about for act in await leaves(town, "recall")] == ([name[32:]] if ends else [])
    assert (await granted(town, one) == set()) is ends


async def test_by_a_consent_taken_back_has_a_leaf_of_its_own(town: Town) -> None:
    one, name = await given(town, use_of("L01"))
    before = await feeds(town)

    taken = case(one.by, CaseKind.CONSENT, NOW, digest=one.report.digest, follows=one.given["basis"], code="withdrawn")
    assert await send(town, one.by, taken) == [CREATED]

    [device] = one.receivers
    assert await gained(town, before) == {device.kid: [("drop", name)]}
    assert [act.about for act in await leaves(town, "recall")] == [name[32:]]


async def test_by_a_recall_is_written_once_in_each_feed_and_nothing_follows(town: Town) -> None:
    one = await ready(town, use_of("L03"))
    both = {town.field(one.use.to, number).kem.public: one.bits for number in (0, 1)}
    item = one.item(receivers=both)
    assert await one.answer(encode(item)) == CREATED
    name = ended(one.report.digest, read_grant(item.grant).grant_id)
    before, devices = await feeds(town), town.agencies[one.use.to].devices[:2]

    for _ in range(2):
        recall = case(one.by, CaseKind.RECALL, NOW, follows=name[32:], code="recalled")
        assert await send(town, one.by, recall) == [CREATED]
        assert await gained(town, before) == {each.kid: [("drop", name)] for each in devices}

    town.clock.now = NOW + one.use.longest
    await town.services.sweeping.once()
    assert await gained(town, before) == {each.kid: [("drop", name)] for each in devices}
    assert await leaves(town, "expire") == []


async def test_of_one_grant_leaves_another_for_the_same_device(town: Town) -> None:
    one, name = await given(town, use_of("L03"), not_after=NOW + HOUR)
    second = one.item(not_after=NOW + DAY)
    assert await one.answer(encode(second)) == CREATED
    await colleague(town, "health")

    town.clock.now = NOW + HOUR
    await town.services.sweeping.once()

    [device] = one.receivers
    entries = await town.entries(device)
    assert [entry.digest for entry in entries if str(entry.op) == "drop"] == [name]
    assert [entry.put.grant.grant for entry in entries if entry.put is not None and entry.put.grant is not None] == [
        second.grant
    ]
