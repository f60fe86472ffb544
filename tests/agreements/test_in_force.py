"""An agreement opens what its terms say, to whom they say it, from its first second to its last, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sluss_client.errors import Invalid, Refused
from sluss_client.syncing import expiring
from sluss_client.syncing.sync_core import Tally
from sluss_client.testing import Town
from sluss_schemas.agreeing import standing
from sluss_schemas.brief import Brief

from tests.agreements.heads import CENTRAL, SUBURBAN, agree, draft, filed, find, other_terms, patrol, sign, was_given

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_with_one_signature_nothing_opens_and_with_the_last_one_it_does(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    guard, boss = await town.device("security"), await town.device("social_services", "supervisors")
    now, head = town.clock.now(), town.founders["police"]
    row = head.agreements.draft(draft(now, now + timedelta(hours=1)))
    assert row.state == "draft"
    assert [(gain.reader, gain.parts) for gain in head.agreements.gains(row.id)] == [
        ("social_services/field", ("situation brief", "place brief", "safety full", "author brief"))
    ]

    await sign(town, row.id, "police")
    await police.sync()
    early = await filed(police, patrol(town))
    assert [one.state for one in town.founders["social_services"].agreements.rows() if one.id == row.id] == ["signed"]
    assert not any(one.audience.startswith("social") for one in police.readers(patrol(town)))

    await sign(town, row.id, "social_services")
    await police.sync()
    told = {one.audience: one for one in police.readers(patrol(town)) if one.compartment == "situation"}
    assert told["social_services/field"].form == "brief"
    assert "agreement" in told["social_services/field"].reason
    assert set(told) == {"police/field", "police/supervisors", "social_services/field"}
    report = await filed(police, patrol(town))
    for device in (worker, guard, boss):
        await device.sync()

    seen = find(worker, report)
    assert seen is not None
    assert (seen.kind, seen.scene) == ("activity_log", CENTRAL)
    assert isinstance(seen.situation, Brief)
    with pytest.raises(Refused):
        _ = seen.enforcement
    assert find(worker, early) is None
    assert find(guard, report) is None
    assert find(boss, report) is None
    (found,) = [one for one in town.founders["social_services"].agreements.rows() if one.id == row.id]
    assert (found.state, found.signed_by) == ("in_force", ("police", "social_services"))


async def test_it_ends_at_that_second_on_the_server_and_on_a_device_without_network(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    late = await town.device("social_services")
    agreement = await agree(town, 600)
    await police.sync()
    report = await filed(police, patrol(town))
    await worker.sync()
    end = town.founders["police"].local.trust.agreements[-1].ends
    assert find(worker, report) is not None

    town.clock.advance(seconds=end - worker.now() - 2)
    assert find(worker, report) is not None
    town.clock.advance(seconds=2)
    assert find(worker, report) is None
    assert [row for row in worker.reports() if row.id == report.id] == []

    await late.sync()
    assert find(late, report) is None
    assert was_given(town, worker, police, report)
    assert not was_given(town, late, police, report)
    assert not any(one.audience.startswith("social") for one in police.readers(patrol(town)))
    after = await filed(police, patrol(town))
    await worker.sync()
    assert find(worker, after) is None
    assert find(worker, report) is None
    (row,) = [one for one in worker.agreements.rows() if one.id == agreement]
    assert row.state == "expired"
    assert worker.local.alarms() == []


async def test_what_it_gave_goes_from_a_device_without_the_servers_word(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    agreement, other = await agree(town, 600), town.founders["social_services"]
    await police.sync()
    report = await filed(police, patrol(town))
    await worker.sync()
    kept = worker.local.received(report.id)
    assert kept is not None

    await other.agreements.end(agreement, "suspended")
    await worker.sync()
    expiring.run(worker.local, worker.now(), Tally())
    assert find(worker, report) is None
    # It may be resumed, and nothing is delivered twice.
    assert worker.local.received(report.id) == kept

    town.clock.advance(seconds=601)
    tally = Tally()
    expiring.run(worker.local, worker.now(), tally)
    assert (worker.local.received(report.id), tally.dropped) == (None, 1)


async def test_what_was_released_under_it_goes_with_it(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    boss = town.founders["police"]
    await agree(town, 600)
    await police.sync()
    report = police.file(patrol(town), hold="embargo", confirm_text=True)
    for device in (police, worker, boss):
        await device.sync()
    assert find(worker, report) is None
    await boss.inspect(report.id, reason="It can go out.")
    await boss.sync()
    await boss.release(report.id)
    for device in (boss, worker):
        await device.sync()
    assert find(worker, report) is not None

    town.clock.advance(seconds=601)
    expiring.run(worker.local, worker.now(), Tally())
    assert worker.local.received(report.id) is None


async def test_what_it_gave_goes_when_the_pin_ends_that_it_rests_on(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    await agree(town, 6000)
    await police.sync()
    report = await filed(police, patrol(town))
    other, root = town.founders["social_services"], town.founders["police"].local.trust.own.root_fingerprint
    await other.registrar.peer(root, until=worker.now() + 600)
    try:
        await worker.sync()
        assert find(worker, report) is not None
        town.clock.advance(seconds=601)
        expiring.run(worker.local, worker.now(), Tally())
        assert worker.local.received(report.id) is None
    finally:
        await other.registrar.peer(root)


async def test_a_clock_that_a_server_turned_back_prolongs_nothing(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    await agree(town, 600)
    await police.sync()
    report = await filed(police, patrol(town))
    await worker.sync()

    town.clock.advance(seconds=601)
    worker.local.configure(offset=-3600)
    assert find(worker, report) is None


async def test_what_a_device_still_seals_after_the_end_the_server_leaves_out(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    await agree(town, 600)
    for device in (police, worker):
        await device.sync()
    trust = police.local.trust
    # This author's program does not look at the time.
    trust._standing = tuple(replace(one, ends=one.ends * 2) for one in standing(trust.chains))
    town.clock.advance(seconds=601)
    report = police.file(patrol(town))
    assert any(one.audience == "social_services/field" for one in police.readers(patrol(town)))

    await police.sync()
    await worker.sync()
    assert [row.state for row in police.local.outbox.rows() if row.report_id == report.id] == ["sent"]
    assert find(worker, report) is None
    assert not was_given(town, worker, police, report)


async def test_a_changed_term_in_one_chain_opens_nothing(town: Town) -> None:
    police, now = await town.device("police"), town.clock.now()
    head, other = town.founders["police"], town.founders["social_services"]
    row = head.agreements.draft(draft(now, now + timedelta(hours=1)))
    changed = other_terms(head, row.id)
    await head.agreements.sign(row.id)
    await other.sync()
    await other.agreements.sign(changed)
    for device in (head, police):
        await device.sync()

    assert not any(one.terms.agreement.hex() == row.id for one in police.local.trust.agreements)
    assert not any(one.audience.startswith("social") for one in police.readers(patrol(town)))
    (seen,) = [one for one in head.agreements.rows() if one.id == row.id]
    assert (seen.state, seen.signed_by) == ("signed", ("police",))


async def test_one_party_suspends_resumes_and_ends_it_alone(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    agreement = await agree(town, 3600)
    head, other = town.founders["police"], town.founders["social_services"]
    await police.sync()
    report = await filed(police, patrol(town))
    await worker.sync()

    for end, state, reads in (
        ("suspended", "suspended", False),
        ("resumed", "in_force", True),
        ("terminated", "terminated", False),
    ):
        await other.agreements.end(agreement, end)  # type: ignore[arg-type]  # its literals
        for device in (head, police, worker):
            await device.sync()
        assert (find(worker, report) is not None) is reads
        assert any(one.audience.startswith("social") for one in police.readers(patrol(town))) is reads
        assert [one.state for one in head.agreements.rows() if one.id == agreement] == [state]
    with pytest.raises(Invalid) as refused:
        await other.agreements.end(agreement, "resumed")
    assert refused.value.code == "directory_refused"


async def test_an_agreement_for_one_scene_is_about_that_scene(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    agreement = await agree(town, 3600, scenes=f'scenes = ["{CENTRAL}"]')
    await police.sync()
    here, there = await filed(police, patrol(town)), await filed(police, patrol(town, SUBURBAN))
    await worker.sync()

    assert (find(worker, here) is None, find(worker, there) is None) == (False, True)
    assert any(one.audience.startswith("social") for one in police.readers(patrol(town)))
    assert not any(one.audience.startswith("social") for one in police.readers(patrol(town, SUBURBAN)))
    await town.founders["police"].agreements.end(agreement)


async def test_without_the_pins_of_both_sides_it_is_not_in_force(town: Town) -> None:
    agreement = await agree(town, 3600)
    head, other = town.founders["police"], town.founders["social_services"]
    assert [one.state for one in head.agreements.rows() if one.id == agreement] == ["in_force"]

    await other.registrar.end_peer("police")
    await head.sync()
    assert [one.state for one in head.agreements.rows() if one.id == agreement] == ["expired"]
    await other.registrar.peer(head.local.config.root)
    await head.sync()
    assert [one.state for one in head.agreements.rows() if one.id == agreement] == ["in_force"]
    await head.agreements.end(agreement)
