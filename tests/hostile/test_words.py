"""What a server says: that it has stored, what time it is, who was revoked, that it was restored.

None of it is believed without a signature, and no word of it costs anybody a report.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import msgspec
import pytest

from sluss_client import Device, Report, transport
from sluss_client.crypto import SignKey
from sluss_client.outbox import State
from sluss_client.testing import Exchange, Problem
from sluss_schemas import directory as d
from sluss_schemas import manifest, membership
from sluss_schemas import sync as wire
from sluss_schemas.signing import RECEIPT_LABEL

from tests.hostile.scene import Scene, append, codes, entries_after, items, reads, refuses, waits

pytestmark = pytest.mark.asyncio(loop_scope="session")

replace = msgspec.structs.replace
DAY = 86_400
PATHS = ("/v1/directory/pull", "/v1/keys/pull", "/v1/push", "/v1/pull")


def state(device: Device, report: Report) -> State:
    row = device.local.outbox.head(report.id)
    assert row is not None
    return row.state


# receipts


def made(scene: Scene, exchange: Exchange, outcome: wire.OutcomeCode = wire.OutcomeCode.CREATED) -> list[wire.Outcome]:
    """Return receipts with the server's own key for what was pushed, stored or not."""
    digests = [manifest.digest_of(item.manifest) for item in items(exchange)]
    return [scene.town.hostile.receipt(digest, outcome, scene.guard.now()) for digest in digests]


def by_another_key(outcome: wire.Outcome) -> wire.Outcome:
    data = outcome.receipt or b""
    return replace(outcome, receipt_signature=SignKey(os.urandom(32)).sign(RECEIPT_LABEL + data))


def of_another_report(scene: Scene, outcome: wire.Outcome) -> wire.Outcome:
    """Give a true receipt for a report that was stored before."""
    old = next(
        one for answer in scene.town.hostile.answers("/v1/push") for one in answer.items if one.digest != outcome.digest
    )
    return replace(outcome, receipt=old.receipt, receipt_signature=old.receipt_signature)


FORGED: dict[str, tuple[Callable[[Scene, wire.Outcome], wire.Outcome], str]] = {
    "by a key of its own": (lambda _, one: by_another_key(one), "bad_signature"),
    "for another report": (of_another_report, "server_error"),
    "changed": (lambda _, one: replace(one, receipt=(one.receipt or b"")[:-1] + b"\x00"), "bad_signature"),
    "none": (lambda _, one: replace(one, receipt=None, receipt_signature=None), "bad_signature"),
    "unsigned": (lambda _, one: replace(one, receipt_signature=None), "bad_signature"),
}


@pytest.mark.parametrize("outcome", ["created", "duplicate", "gone", "quarantined"])
@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_receipt_is_named_and_the_report_stays_in_the_outbox(
    scene: Scene, name: str, outcome: str
) -> None:
    forge, code = FORGED[name]
    report = scene.file()

    def lie(exchange: Exchange) -> object:
        said = made(scene, exchange, wire.OutcomeCode(outcome))
        return wire.PushAnswer(tuple(forge(scene, one) for one in said))

    scene.town.hostile.instead("/v1/push", lie, scene.guard.local.keys.kid)
    assert await refuses(scene.guard) == code

    assert waits(scene.guard, report)
    scene.town.hostile.honest()
    assert (await scene.guard.sync()).sent == 1
    await scene.police.sync()
    assert reads(scene.police, report)


async def test_a_true_receipt_for_what_was_thrown_away_is_noticed_and_the_report_is_kept(scene: Scene) -> None:
    report = scene.file()

    scene.town.hostile.instead("/v1/push", lambda exchange: wire.PushAnswer(tuple(made(scene, exchange))))
    result = await scene.guard.sync()

    assert (result.sent, result.alarms, codes(scene.guard)) == (1, 1, {"withheld"})
    row = scene.guard.local.outbox.head(report.id)
    assert row is not None
    # Sealed and with the receipt, which is the proof.
    assert scene.guard.local.outbox.item(row)
    assert row.receipt is not None
    assert scene.guard.get(report.id).situation
    scene.guard.local.store.delete("echo", row.digest or b"")


# time


TIMES = {"a year on": 365 * DAY, "a year back": -365 * DAY, "two days on": 2 * DAY, "two days back": -2 * DAY}


@pytest.mark.parametrize("name", TIMES)
async def test_a_time_that_cannot_be_is_named_and_moves_nothing(scene: Scene, name: str) -> None:
    report, offset = scene.file(), scene.guard._transport.offset
    said = scene.guard.now() + TIMES[name]

    scene.town.hostile.instead(
        "/v1/directory/pull", lambda _: Problem(401, "clock_off", server_time=said), scene.guard.local.keys.kid
    )
    assert await refuses(scene.guard) == "clock_disputed"

    assert "clock_disputed" in codes(scene.guard)
    assert scene.guard._transport.offset == offset
    assert waits(scene.guard, report)
    scene.town.hostile.honest()
    assert (await scene.guard.sync()).sent == 1
    assert "clock_disputed" not in codes(scene.guard)


@pytest.mark.parametrize("path", ["/v1/directory/pull", "/v1/pull"])
async def test_the_time_in_any_other_answer_moves_nothing(scene: Scene, path: str) -> None:
    report, before = scene.file(), scene.guard.local.config.offset

    with scene.lying(path, lambda exchange: replace(exchange.answer, time=2**40), scene.guard):
        result = await scene.guard.sync()

    assert (result.sent, result.alarms) == (1, 0)
    assert scene.guard.local.config.offset == before
    assert abs(scene.guard.local.config.confirmed_at - scene.town.clock.now().timestamp()) < 60
    await scene.police.sync()
    assert reads(scene.police, report)


# revocation


@pytest.mark.parametrize("paths", [PATHS, PATHS[:1], PATHS[1:]], ids=["everywhere", "at first", "later"])
async def test_a_device_that_is_only_said_to_be_revoked_forgets_nothing(scene: Scene, paths: tuple[str, ...]) -> None:
    known, waiting = scene.file(scene.police), scene.file()
    await scene.police.sync()
    await scene.guard.sync()
    other = scene.file()
    before = {report.id for report in scene.guard.reports()}

    for path in paths:
        scene.town.hostile.instead(path, lambda _: Problem(403, "revoked_device"), scene.guard.local.keys.kid)
    for _ in range(2):
        assert await refuses(scene.guard) == "revoked_device"

    assert {report.id for report in scene.guard.reports()} == before
    assert not scene.guard.local.wiped
    assert scene.guard.local.ring.epochs
    scene.town.hostile.honest()
    await scene.guard.sync()
    assert reads(scene.guard, known)
    assert {state(scene.guard, report) for report in (waiting, other)} == {State.SENT}
    await scene.police.sync()
    assert reads(scene.police, other)


async def test_a_revocation_by_nobody_with_the_right_forgets_nothing(scene: Scene) -> None:
    report, own = scene.file(), scene.guard.local.trust.own
    revocation = d.DeviceRevoke(scene.guard.local.keys.kid, "stolen")
    entries = entries_after(own, scene.police.local.keys.sign, revocation)

    def lie(exchange: Exchange) -> object:
        return replace(exchange.answer, chains=(membership.Chain(own.agency, own.seq + 1, entries),), heads=())

    with scene.lying("/v1/directory/pull", lie, scene.guard):
        assert await refuses(scene.guard) == "untrusted_directory"

    assert not scene.guard.local.wiped
    assert waits(scene.guard, report)
    await scene.guard.sync()


# restores


async def test_a_restore_that_no_registrar_confirmed_is_an_alarm_until_the_server_says_otherwise(scene: Scene) -> None:
    report = scene.file()
    other = os.urandom(16)

    with scene.lying("/v1/directory/pull", lambda exchange: replace(exchange.answer, instance=other)):
        result = await scene.guard.sync()
        await scene.police.sync()
        assert codes(scene.guard) == codes(scene.police) == {"unannounced_restore"}
        # It goes on: what is read and filed is signed by those whose it is, whatever the server calls itself.
        assert (result.sent, reads(scene.police, report)) == (1, True)

    await scene.guard.sync()
    await scene.police.sync()
    assert codes(scene.guard) == codes(scene.police) == set()


async def test_entries_hidden_under_cover_of_a_restore_are_named_all_the_same(scene: Scene) -> None:
    founder = scene.town.founders["security"]
    own, before = founder.local.trust.own_id, founder.local.trust.own.head
    await append(founder, d.Peer(os.urandom(16), os.urandom(32), "", None))
    scene.file()
    await scene.guard.sync()

    def lie(exchange: Exchange) -> object:
        chains = tuple(replace(chain, entries=()) if chain.agency == own else chain for chain in exchange.answer.chains)
        heads = tuple(before if one.agency == own else one for one in exchange.answer.heads)
        return replace(exchange.answer, chains=chains, heads=heads, instance=b"i" * 16)

    with scene.lying("/v1/directory/pull", lie, scene.police):
        assert await refuses(scene.police) == "directory_withheld"

    assert codes(scene.police) >= {"directory_withheld", "unannounced_restore"}
    await scene.police.sync()
    assert codes(scene.police) == set()


async def test_a_database_put_back_in_silence_is_noticed_and_nothing_that_devices_have_is_lost(scene: Scene) -> None:
    founder, server = scene.town.founders["security"], scene.town.server
    assert server is not None
    before = scene.file()
    await scene.guard.sync()
    await scene.police.sync()
    server.stop()
    kept = scene.town.hostile.database.with_suffix(".kept")
    shutil.copyfile(scene.town.hostile.database, kept)
    server.start()
    await append(founder, d.Peer(os.urandom(16), os.urandom(32), "", None))
    since = scene.file()
    await scene.guard.sync()
    await scene.police.sync()
    server.stop()
    for beside in ("-wal", "-shm"):
        scene.town.hostile.database.with_name(scene.town.hostile.database.name + beside).unlink(missing_ok=True)
    kept.replace(scene.town.hostile.database)
    server.start()

    await scene.guard.sync()
    await scene.police.sync()

    assert "directory_lost" in codes(scene.guard)
    for device in (scene.guard, scene.police):
        assert "feed_rewound" in codes(device)
        assert reads(device, before)
        assert reads(device, since)
    after = scene.file()
    await scene.guard.sync()
    await scene.police.sync()
    assert reads(scene.police, after)


# size


async def test_an_answer_without_end_is_given_up_and_costs_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = scene.file()
    monkeypatch.setattr(transport, "_MOST_BYTES", 2**20)

    with scene.lying("/v1/pull", lambda _exchange: bytes(2**20 + 1), scene.guard):
        assert await refuses(scene.guard) == "server_error"

    assert state(scene.guard, report) is State.SENT
    await scene.guard.sync()
