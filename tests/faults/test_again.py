"""After a restore of the server devices give back what it lost: each thing once, verbatim, and nothing counts twice."""

from __future__ import annotations

import os
import shutil

import msgspec
import pytest

from sluss_client import Device, Report, casework
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas import directory as d
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.records import Open

from tests.faults import victim
from tests.faults.proxy import Exchange, Relay, answer, honest
from tests.faults.samples import fed_twice, incident, reads, states, stored_versions

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAYS = 35


async def new_instance(town: Town, agency: str) -> None:
    """Have an agency's registrar accept a new instance of its server."""
    founder = town.founders[agency]
    await founder.sync()
    await founder.registrar.append([d.Instance(os.urandom(16))])


def pushes(relay: Relay) -> list[wire.Push]:
    """Return the pushes that a relay has seen, as they were sent."""
    bodies = [one.request.partition(b"\r\n\r\n")[2] for one in relay.seen if one.path == "/v1/push"]
    return [msgspec.msgpack.decode(body, type=wire.Push) for body in bodies]


def items(device: Device) -> list[bytes]:
    return [device.local.outbox.item(row) for row in device.local.outbox.rows()]


async def sent(town: Town, number: int) -> tuple[Device, list[Report]]:
    """Return a guard's device that has sent reports, an amendment among them."""
    guard = await town.device("security")
    filed = [guard.file(incident(town.clock.now(), f"{number}: {one}")) for one in range(number)]
    await guard.sync()
    await guard.amend(filed[0].id, situation=f"{number}: 0 amended")
    await guard.sync()
    return guard, filed


async def test_what_was_sent_is_sent_again_once_verbatim_and_with_its_receipt(shared: Town) -> None:
    guard, filed = await sent(shared, 3)
    receipts = [(row.receipt, row.receipt_signature) for row in guard.local.outbox.rows()]
    await new_instance(shared, "security")
    assert shared.server is not None
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url
        fresh = guard.file(incident(shared.clock.now(), "filed since"))
        result = await guard.sync()

        old, new = pushes(relay)
        assert [bytes(item) for item in old.items] == items(guard)[:4]
        assert [(one.receipt, one.signature) for one in old.past] == receipts
        assert [bytes(item) for item in new.items] == items(guard)[4:]
        assert new.past == ()
        relay.seen.clear()
        assert (await guard.sync()).sent == 0
        assert pushes(relay) == []

    assert (result.sent, result.received, result.waiting) == (1, 1, 0)
    assert states(guard) == {"sent": 5}
    assert reads(guard, [*filed, fresh]) == ["3: 0 amended", "3: 1", "3: 2", "filed since"]
    assert fed_twice(shared) == []


async def test_acts_that_were_sent_are_sent_again_too(shared: Town) -> None:
    guard, boss = await shared.device("security"), shared.founders["security"]
    theirs = guard.file(incident(shared.clock.now(), "to be countersigned and not"))
    await guard.sync()
    await boss.sync()
    digest = boss.local.replica.get(boss.local.trust.own_id, theirs.id)
    assert digest is not None
    # Whatever is a supervisor's record, and was answered with a receipt.
    record = Open(os.urandom(16), digest.heads()[0].digest, boss.local.keys.kid, boss.now(), os.urandom(16), None)
    casework.file_record(boss.local, record.digest, record)
    await boss.sync()
    kept = [data for _, data in boss.local.store.items("sent")]
    assert kept
    await new_instance(shared, "security")
    assert shared.server is not None
    async with Relay(shared.server.port) as relay:
        boss._transport.server = relay.url
        await boss.sync()
        again = [push for push in pushes(relay) if push.records]
        assert [len(push.records) for push in again] == [len(kept)]
        assert len(again[0].past) == len(kept)
        relay.seen.clear()
        await boss.sync()
        assert pushes(relay) == []
    boss._transport.server = shared.server.url


async def test_a_server_that_cannot_take_it_yet_is_asked_again(shared: Town) -> None:
    guard, filed = await sent(shared, 2)
    await new_instance(shared, "security")
    before = guard.local.outbox.rows()
    assert shared.server is not None
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def later(exchange: Exchange) -> bytes:
            if exchange.path != "/v1/push":
                return exchange.answer
            (outcomes, *_) = msgspec.msgpack.decode(exchange.body)
            return answer(msgspec.msgpack.encode([[[one[0], "retry"] for one in outcomes], [], []]))

        relay.after = later
        await guard.sync()
        assert guard.local.outbox.rows() == before
        assert len(reads(guard, filed)) == 2
        relay.after = honest
        relay.seen.clear()
        await guard.sync()
        assert [len(push.items) for push in pushes(relay)] == [3]


async def test_what_is_older_than_any_backup_is_not_sent_again_and_its_sealed_bytes_go(shared: Town) -> None:
    guard, filed = await sent(shared, 2)
    shared.clock.advance(days=DAYS, hours=1)
    late = guard.file(incident(shared.clock.now(), "lately"))
    await guard.sync()
    await new_instance(shared, "security")
    assert shared.server is not None
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url
        await guard.sync()
        (push,) = pushes(relay)
    shared.clock.advance(days=-DAYS, hours=-1)

    assert [bytes(item) for item in push.items] == items(guard)[3:]
    assert items(guard)[:3] == [b"", b"", b""]
    assert states(guard) == {"sent": 4}
    assert all(row.receipt for row in guard.local.outbox.rows())
    assert reads(guard, [*filed, late]) == ["2: 0 amended", "2: 1", "lately"]


async def test_a_kill_in_the_middle_goes_on(shared: Town) -> None:
    guard, filed = await sent(shared, 8)
    await new_instance(shared, "security")
    await guard.close()
    path = guard.path.with_name("killed-again.sluss")
    shutil.copyfile(guard.path, path)

    ends = victim.run("sync", path, PASSPHRASE, *(str(number) for number in range(1, 200, 8)))

    assert ends.count("killed") >= 5
    assert set(ends) == {"killed", "ended 0"}
    async with await Device.open(path, PASSPHRASE) as device:
        result = await device.sync()
        assert (result.sent, result.received, result.waiting) == (0, 0, 0)
        assert device.local.store.count("again") == 0
        assert states(device) == {"sent": 9}
        assert all(_outcome(receipt) for receipt in [row.receipt for row in device.local.outbox.rows()])
        assert len(reads(device, filed)) == 8
    assert set(stored_versions(shared).values()) == {1}


def _outcome(receipt: bytes | None) -> str:
    return decode(wire.Receipt, receipt or b"", "receipt").outcome
