"""A device that was lost and revoked: on its next contact it sends what it has, into quarantine, and empties itself."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from sluss_client import Device, Refused, Report, Untrusted
from sluss_client.cli import run
from sluss_client.crypto import SignKey
from sluss_client.local import Local
from sluss_client.outbox import State
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import kid_of

from tests.faults import victim
from tests.faults.proxy import Exchange, Relay, answer, honest, pass_on
from tests.faults.samples import fed_twice, incident, reads, sealed_rows, stored_versions
from tests.faults.test_access_changed import lose, suspended

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORBIDDEN = answer(b'{"code": "revoked_device"}', "403 Forbidden", "application/problem+json")


def revoked(device: Device) -> Sequence[d.Body]:
    return [d.DeviceRevoke(device.local.keys.kid, "lost")]


def suspended_and_revoked(device: Device) -> Sequence[d.Body]:
    return [*suspended(device), *revoked(device)]


def state(device: Device) -> Local:
    """Return a device's state, a wiped one's too."""
    return device._unlocked()


def states(device: Device) -> Counter[str]:
    return Counter(str(row.state) for row in state(device).outbox.rows())


def content(device: Device) -> bytes:
    """Return everything that whoever knows the passphrase finds in a store."""
    store = state(device).store
    return b"".join(key + data for space in store.spaces() for key, data in store.items(space))


async def contact(device: Device, times: int = 1) -> set[str]:
    """Sync; return the codes with which that ended."""
    codes = set()
    for _ in range(times):
        with pytest.raises(Refused) as refused:
            await device.sync()
        codes.add(refused.value.code)
    return codes


async def with_work(town: Town) -> tuple[Device, list[Report]]:
    """Return a guard's device that has sent one report, and has three and two amendments to send."""
    guard, police = await town.device("security"), await town.device("police")
    theirs = police.file(incident(town.clock.now(), "seen by the police"))
    await police.sync()
    sent = guard.file(incident(town.clock.now(), "sent before"))
    await guard.sync()
    assert guard.get(theirs.id).situation == "seen by the police"
    filed = [guard.file(incident(town.clock.now(), f"waits {number}")) for number in range(3)]
    await guard.amend(filed[2].id, situation="waits 2 amended")
    await guard.amend(sent.id, situation="sent before, amended")
    return guard, [sent, *filed]


@pytest.mark.parametrize("bodies", [revoked, suspended_and_revoked])
async def test_what_waits_goes_into_quarantine_and_everything_else_is_gone(
    shared: Town, bodies: Callable[[Device], Sequence[d.Body]]
) -> None:
    guard, reports = await with_work(shared)
    secrets = [held.secret for held in guard.local.ring.epochs.values()]
    await lose(shared, guard, bodies)

    assert await contact(guard, 3) == {"wiped"}

    assert states(guard) == {"sent": 1, "quarantined": 5}
    assert all(row.receipt for row in state(guard).outbox.rows())
    left = content(guard)
    assert not any(word in left for word in (b"seen by the police", b"sent before", b"waits", *secrets))
    assert list(state(guard).trust.chains) == [state(guard).trust.own_id]
    assert {one.state for one in guard.waiting()} == {"quarantined"}
    with pytest.raises(Refused) as refused:
        list(guard.reports())
    assert refused.value.code == "wiped"
    again = await shared.reopen(guard)
    assert states(again) == {"sent": 1, "quarantined": 5}
    police = await shared.device("police")
    assert reads(police, reports) == ["sent before"]


async def test_a_supervisor_takes_over_what_is_genuine(shared: Town) -> None:
    guard, reports = await with_work(shared)
    alias = guard.alias
    await lose(shared, guard, revoked)
    await contact(guard)
    boss, police = shared.founders["security"], await shared.device("police")
    await boss.sync()

    listed = [row for row in await boss.quarantine() if row.report_id in {one.id for one in reports}]
    assert [(row.kind, row.alias, row.version) for row in listed] == [
        ("order_incident", alias, version) for version in (1, 1, 1, 2, 2)
    ]
    assert sorted(str(row.report.situation) for row in listed if row.report) == [
        *("sent before, amended", "waits 0", "waits 1", "waits 2", "waits 2 amended")
    ]
    assert {row.reason for row in listed} == {"not_allowed"}
    for report in (reports[0], reports[1], reports[3]):
        await boss.countersign(report.id)
    await boss.sync()
    await police.sync()

    assert reads(police, reports) == ["sent before, amended", "waits 0", "waits 2 amended"]
    assert [row.report_id for row in await boss.quarantine() if row.report_id in {one.id for one in reports}] == [
        reports[2].id
    ]
    assert fed_twice(shared) == []


async def test_a_supervisor_takes_over_at_the_command_line(
    shared: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = await shared.device("security")
    alias, report = guard.alias, guard.file(incident(shared.clock.now(), "typed on a telephone that was lost"))
    await lose(shared, guard, revoked)
    await contact(guard)
    await shared.founders["security"].sync()
    await shared.founders["security"].close()
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE, encoding="utf-8")

    async def at_the_command_line(device: Device, *arguments: str) -> tuple[int, str]:
        options = ("--store", str(device.path), "--passphrase-file", str(passphrase))
        code = await asyncio.to_thread(run, [*options, *arguments])
        return code, capsys.readouterr().out

    founder = shared.founders["security"]
    code, out = await at_the_command_line(founder, "quarantine", "--json")
    row = next(one for one in json.loads(out) if one["id"] == report.id.hex())
    assert (code, row["situation"], row["alias"]) == (0, "typed on a telephone that was lost", alias)
    assert set(row) == {"id", "kind", "version", "alias", "reason", "received_at", "situation"}
    assert "typed on a telephone that was lost" in (await at_the_command_line(founder, "quarantine"))[1]
    code, out = await at_the_command_line(founder, "countersign", report.id.hex(), "--json")
    assert (code, json.loads(out)) == (0, {"id": report.id.hex(), "versions": 1})
    # The lost device says what became of it, and nothing else.
    await guard.close()
    code, out = await at_the_command_line(guard, "outbox", "--json")
    assert (code, [(one["id"], one["state"]) for one in json.loads(out)]) == (0, [(report.id.hex(), "quarantined")])
    assert (await at_the_command_line(guard, "list"))[0] == 1
    code, out = await at_the_command_line(guard, "doctor", "--json")
    assert (code, [one["name"] for one in json.loads(out)["checks"]]) == (1, ["wiped"])
    shared.founders["security"] = await shared.reopen(founder)
    await shared.founders["security"].sync()
    police = await shared.device("police")
    assert reads(police, [report]) == ["typed on a telephone that was lost"]


async def test_only_supervisors_look_into_quarantine_and_only_what_was_listed_is_countersigned(shared: Town) -> None:
    guard, boss = await shared.device("security"), shared.founders["security"]
    for act in (guard.quarantine(), guard.countersign("00" * 16)):
        with pytest.raises(Refused) as refused:
            await act
        assert refused.value.code == "supervisor_only"
    with pytest.raises(Exception, match="unknown_report"):
        await boss.countersign("00" * 16)


@pytest.mark.parametrize("directories", ["refused as well", "honest", "kept back"])
async def test_a_server_that_merely_says_so_wipes_nothing(shared: Town, directories: str) -> None:
    guard, reports = await with_work(shared)
    before = [row.state for row in guard.local.outbox.rows()]
    assert shared.server is not None
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def forbid(exchange: Exchange) -> bytes | None:
            if exchange.path == "/v1/directory/pull" and directories == "honest":
                return None
            if exchange.path == "/v1/directory/pull" and directories == "kept back":
                return answer(msgspec.msgpack.encode(membership.DirectoryAnswer((), more=False, time=0)))
            return None if exchange.path == "/v1/push" else FORBIDDEN

        relay.before = forbid
        assert await contact(guard, 2) == {"revoked_device"}

    assert not guard.local.wiped
    assert before == [State.SENT, *[State.FILED] * 5]
    # What it sent while the server said so was taken as ever.
    assert states(guard) == {"sent": 6}
    assert reads(guard, reports) == ["sent before, amended", "waits 0", "waits 1", "waits 2 amended"]
    guard._transport.server = shared.server.url
    assert (await guard.sync()).waiting == 0


async def test_an_entry_that_no_registrar_signed_wipes_nothing(shared: Town) -> None:
    guard, reports = await with_work(shared)
    own, stranger = guard.local.trust.own, SignKey(b"s" * 32)
    data = d.entry_bytes(own.seq + 1, own.hash, d.DeviceRevoke(guard.local.keys.kid, "lost"), guard.now())
    entry = d.SignedEntry(data, kid_of(stranger.public), stranger.sign(d.entry_message(data)))
    forged = membership.DirectoryAnswer((membership.Chain(own.agency, own.seq + 1, (entry,)),), more=False, time=0)
    assert shared.server is not None
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def forge(exchange: Exchange) -> bytes:
            return answer(msgspec.msgpack.encode(forged)) if exchange.path == "/v1/directory/pull" else FORBIDDEN

        relay.before = forge
        with pytest.raises(Untrusted):
            await guard.sync()

    assert not guard.local.wiped
    assert states(guard) == {"sent": 1, "filed": 5}
    assert len(reads(guard, reports)) == 4


async def test_it_is_wiped_also_when_the_push_does_not_get_through_and_sends_at_a_later_contact(shared: Town) -> None:
    guard, _ = await with_work(shared)
    await lose(shared, guard, revoked)
    assert shared.server is not None
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def lost(exchange: Exchange) -> bytes | None:
            if exchange.path != "/v1/push":
                return None
            relay.deaf()
            return b""

        relay.before = lost
        with pytest.raises(Exception, match="offline"):
            await guard.sync()
        assert states(guard) == {"sent": 1, "sealed": 5}
        assert b"waits" not in content(guard)
        again = await shared.reopen(guard)
        assert {one.state for one in again.waiting()} == {"sealed"}
        again._transport.server = relay.url
        relay.before = pass_on
        await relay.listen()

        async def stale(exchange: Exchange) -> bytes:
            return answer(_all_stale(exchange)) if exchange.path == "/v1/push" else exchange.answer

        relay.after = stale
        await contact(again)
        # Nothing here could seal it again, so nothing makes it try.
        assert states(again) == {"sent": 1, "sealed": 5}
        relay.after = honest
        assert await contact(again) == {"wiped"}
    assert states(again) == {"sent": 1, "quarantined": 5}


def _all_stale(exchange: Exchange) -> bytes:
    """Return what the server answered, with every outcome turned into `stale_directory`."""
    items, grants, records = msgspec.msgpack.decode(exchange.body)
    return msgspec.msgpack.encode([[[one[0], "stale_directory"] for one in items], grants, records])


async def kill_while_wiping(shared: Town, reports: int, step: int, statements: int) -> None:
    guard = await shared.device("security")
    filed = [guard.file(incident(shared.clock.now(), f"unsent {number}")) for number in range(reports)]
    await lose(shared, guard, revoked)
    await guard.close()
    path = guard.path.with_name(f"killed-{reports}.sluss")
    shutil.copyfile(guard.path, path)
    secrets = sealed_rows(path, "outbox", "epoch")

    ends = victim.run("last", path, PASSPHRASE, *(str(number) for number in range(1, statements, step)))

    async with await Device.open(path, PASSPHRASE) as device:
        assert await contact(device) == {"wiped"}
        assert ends.count("killed") >= 5
        assert ends[-1] == "ended 0"
        assert set(ends) == {"killed", "ended 0"}
        assert states(device) == {"quarantined": reports}
        assert b"unsent" not in content(device)
    left = b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))
    assert len(secrets) > reports
    assert not any(one in left for one in secrets)
    stored = stored_versions(shared)
    assert all(stored[f"{report.id.hex().upper()}:1"] == 1 for report in filed)


async def test_a_wipe_that_was_killed_at_many_statements_loses_nothing_and_leaves_nothing(shared: Town) -> None:
    await kill_while_wiping(shared, 5, step=17, statements=420)


@pytest.mark.soak
async def test_a_wipe_that_was_killed_at_every_statement_loses_nothing_and_leaves_nothing(shared: Town) -> None:
    await kill_while_wiping(shared, 8, step=1, statements=600)
