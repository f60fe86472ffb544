"""Whoever loses their rights while work is unsent: it goes to their agency, into quarantine, and is never lost.

What a revoked device does besides is in `test_revoked.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from sluss_client import Device, NotFound, Refused
from sluss_client.outbox import State
from sluss_client.testing import Town
from sluss_schemas import directory as d

from tests.faults.proxy import Exchange, Relay, answer, honest, pass_on
from tests.faults.samples import incident, new_epoch, quarantined, reads, states, stored_versions

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTEMPTS = 3


def suspended(device: Device) -> Sequence[d.Body]:
    return [d.PersonSuspend(device.person_id)]


def expired(device: Device) -> Sequence[d.Body]:
    person = device.local.person
    scenes = None if person.scenes is None else tuple(sorted(person.scenes))
    return [d.PersonAdd(person.person, person.alias, person.functions, scenes, 1)]


async def lose(town: Town, device: Device, bodies: Callable[[Device], Sequence[d.Body]]) -> None:
    """Take a device's rights away, as the registrar's device does."""
    founder = town.founders[device.agency]
    await founder.sync()
    await founder.registrar.append(bodies(device))


async def attempts(device: Device) -> set[str]:
    """Sync some times; return the codes of the refusals."""
    codes = set()
    for _ in range(ATTEMPTS):
        try:
            await device.sync()
        except Refused as refused:
            codes.add(refused.code)
    return codes


@pytest.mark.parametrize("bodies", [suspended, expired])
async def test_what_waits_when_rights_are_lost_goes_into_quarantine(
    shared: Town, bodies: Callable[[Device], Sequence[d.Body]]
) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    sent = guard.file(incident(shared.clock.now(), "sent before"))
    await guard.sync()
    filed = [guard.file(incident(shared.clock.now(), f"waits {number}")) for number in range(3)]
    await guard.amend(filed[2].id, situation="waits 2 amended")
    await guard.amend(sent.id, situation="sent before, amended")

    await lose(shared, guard, bodies)
    assert await attempts(guard) == {"not_allowed"}

    assert states(guard) == {"sent": 1, "quarantined": 5}
    assert quarantined(shared, guard) == 5
    assert set(stored_versions(shared).values()) == {1}
    # Whose device it was still reads what they wrote.
    assert reads(guard, [sent, *filed]) == ["sent before, amended", "waits 0", "waits 1", "waits 2 amended"]
    assert {one.state for one in guard.waiting()} == {"quarantined"}
    assert all(row.receipt for row in guard.local.outbox.rows())
    again = await shared.reopen(guard)
    assert states(again) == {"sent": 1, "quarantined": 5}
    # Nobody else knows of it.
    await police.sync()
    assert reads(police, [sent, *filed]) == ["sent before"]


async def test_what_was_filed_after_rights_were_lost_is_kept_and_goes_into_quarantine(shared: Town) -> None:
    guard = await shared.device("security")
    await lose(shared, guard, suspended)
    report = guard.file(incident(shared.clock.now(), "nobody has told this device"))

    await attempts(guard)
    later = guard.file(incident(shared.clock.now(), "written all the same"))
    await attempts(guard)

    assert guard.get(report.id).state == guard.get(later.id).state == "quarantined"
    assert quarantined(shared, guard) == 2


async def test_without_contact_lost_rights_lose_nothing(shared: Town) -> None:
    guard = await shared.device("security")
    guard.file(incident(shared.clock.now(), "waits"))
    await lose(shared, guard, suspended)
    assert shared.server is not None
    shared.server.stop()
    for _ in range(2):
        with pytest.raises(Exception, match="offline"):
            await guard.sync()
    assert states(guard) == {"filed": 1}

    shared.server.start()
    await attempts(guard)
    assert states(guard) == {"quarantined": 1}


async def test_what_was_stored_before_rights_were_lost_is_no_second_time_in_quarantine(shared: Town) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    assert shared.server is not None
    report = guard.file(incident(shared.clock.now(), "stored, and nobody heard"))
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def lost(exchange: Exchange) -> bytes:
            if exchange.path != "/v1/push":
                return exchange.answer
            relay.after = honest
            relay.deaf()
            return b""

        relay.after = lost
        with pytest.raises(Exception, match="offline"):
            await guard.sync()
        assert states(guard) == {"sealed": 1}
        await lose(shared, guard, suspended)
        await relay.listen()
        await attempts(guard)

    (row,) = guard.local.outbox.rows()
    assert (row.state, row.outcome) == (State.SENT, "duplicate")
    assert quarantined(shared, guard) == 0
    await police.sync()
    assert reads(police, [report]) == ["stored, and nobody heard"]


async def test_another_scene_or_function_for_the_author_loses_nothing(shared: Town) -> None:
    guard, police = await shared.device("security", scenes=["central-square"]), await shared.device("police")
    report = guard.file(incident(shared.clock.now(), "filed at a scene that is no longer theirs"))
    person, founder = guard.local.person, shared.founders["security"]
    field = guard.local.trust.own.audience_for("field")
    assert field is not None
    await founder.sync()
    await founder.registrar.append(
        [
            d.MemberRemove(field.audience, guard.local.keys.kid),
            d.PersonAdd(person.person, person.alias, ("supervisors",), (2,), None),
        ]
    )

    await attempts(guard)

    assert states(guard)["sent"] + states(guard)["quarantined"] == 1
    assert guard.get(report.id).situation == "filed at a scene that is no longer theirs"
    await police.sync()
    assert len(reads(police, [report])) == states(guard)["sent"]


@pytest.mark.parametrize("reports", [1, 30])
async def test_what_was_sealed_before_a_new_epoch_is_sealed_again_with_amendments(shared: Town, reports: int) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    assert shared.server is not None
    filed = [guard.file(incident(shared.clock.now(), f"{number}")) for number in range(reports)]
    for report in filed:
        # Filed before the sealing, so its parent has no name yet.
        await guard.amend(report.id, situation="amended")
    async with Relay(shared.server.port) as relay:
        guard._transport.server = relay.url

        async def overloaded(exchange: Exchange) -> bytes | None:
            if exchange.path != "/v1/push":
                return None
            relay.deaf()
            return answer(b"{}", "500 Internal Server Error")

        relay.before = overloaded
        with pytest.raises(Exception, match="server_error"):
            await guard.sync()
        assert states(guard) == {"sealed": 2 * reports}
        for number, report in enumerate(filed):
            # Filed after the sealing, so its parent has a name, which it will lose.
            await guard.amend(report.id, situation=f"{number} amended twice")
        await new_epoch(shared, "security")
        await new_epoch(shared, "police")
        relay.before = pass_on
        await relay.listen()
        result = await guard.sync()

    assert result.waiting == 0
    assert states(guard) == {"sent": 3 * reports}
    await police.sync()
    assert reads(police, filed) == reads(guard, filed) == [f"{number} amended twice" for number in range(reports)]
    assert not any(police.get(report.id).forked for report in filed)


async def test_a_report_of_an_agency_that_is_no_longer_a_peer_is_sealed_to_those_who_are_left(shared: Town) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    report = guard.file(incident(shared.clock.now(), "shown to the police, sealed without them"))
    founder = shared.founders["security"]
    peer = next(iter(founder.local.trust.own.peers.values()))
    await founder.registrar.append([d.Peer(peer.agency, peer.root, peer.agreement, 1)])

    result = await guard.sync()

    assert (result.sent, result.waiting) == (1, 0)
    await police.sync()
    with pytest.raises(NotFound):
        police.get(report.id)
    await founder.registrar.append([peer])
