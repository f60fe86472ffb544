"""The ledgers on PostgreSQL: checkpoints, read records and alarms, and two servers at once."""

from __future__ import annotations

import asyncio
import os

from sluss_schemas import merkle
from sluss_schemas.ledger import Alarm, Reading
from sluss_server.services.watching import BULK

from tests.ledger.asking import answer, checkpoint, hand_in, leaves, opened, read_of
from tests.server.postgres import Databases
from tests.server.town import Town


async def test_a_ledger_lives_on_postgresql(databases: Databases) -> None:
    url = await databases.migrated()
    town = await (await Town(url).open()).build()
    other = await Town(url).open()
    twin = town.new_services(other.engine, other.writer)
    guard, officer = town.field("security"), town.field("police")
    before = await checkpoint(town, guard)
    _, most = BULK["read"]
    pushed = [town.report("security") for _ in range(most + 1)]
    for start in range(0, len(pushed), 50):
        await town.push(guard, *pushed[start : start + 50])
    signed = [read_of(officer, one.digest, 1, os.urandom(16), town.clock.now) for one in pushed]
    # The same records through two servers at once are taken once.
    await asyncio.gather(hand_in(town, officer, *signed[:50]), hand_in(town, officer, *signed[50:]))
    await hand_in(town, officer, *signed)
    town.clock.now += 60
    await asyncio.gather(town.services.ledgers.once(), twin.ledgers.once())
    await asyncio.gather(town.services.ledgers.once(), twin.ledgers.once())
    found = await asyncio.gather(*(answer(town, guard, before.size, one) for one in (town.services, twin)))
    after = opened(town, guard, found[0].note)
    told = await leaves(town, "security", "read"), await leaves(town, "police", "alarm")
    await other.close()
    await town.close()

    assert found[0] == found[1]
    assert merkle.consistent(before.size, after.size, found[0].proof, before.root, after.root)
    assert [one.agency for one in told[0] if isinstance(one, Reading)] == [officer.agency.id] * len(pushed)
    assert [(one.person, one.count) for one in told[1] if isinstance(one, Alarm)] == [(officer.person, most + 1)]
