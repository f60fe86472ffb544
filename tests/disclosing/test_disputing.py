"""A disclosure is disputed: both agencies' supervisors hear why, without content; another one settles it."""

from __future__ import annotations

import pytest

from sluss_client.errors import Invalid, NotFound, Refused

from tests.disclosing.people import L03, People
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHY = "Dispute-canary: it was not asked whether the measure was inappropriate."


async def test_both_supervisors_hear_of_a_dispute_without_content_and_a_second_one_settles_it(square: People) -> None:
    report, boss, officer = await square.filed(), square.workers_boss, square.officer
    made = await boss.disclose(report.id, "L03", to=[officer.alias], compartments=["subject"], **L03)
    await square.disclosed(boss, made, officer)
    [got] = [one for one in officer.received() if one.grant_id == made.id]
    assert (got.report_id, got.agency, got.gateway, got.state) == (report.id, "social_services", "L03", "released")

    # Whoever did not receive it knows of nothing to dispute, a supervisor of the receivers neither.
    for device in (square.police_boss, square.other_officer, square.guard):
        with pytest.raises(NotFound):
            device.dispute(made.id, WHY)
    with pytest.raises(Invalid):
        officer.dispute(made.id, " ")
    officer.dispute(made.id, WHY)
    await square.sync(1)
    await square.sync(1)
    assert [one.state for one in officer.received() if one.grant_id == made.id] == ["disputed"]
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["disputed"]
    for device in (boss, square.other_boss, square.police_boss, square.police_chief, officer):
        [said] = [one for one in device.disputes() if one.grant_id == made.id]
        assert (said.agency, said.by, said.text, said.state) == ("police", officer.alias, WHY, "disputed")
    heard = {one.alias for one in square.everybody if WHY.encode() in decrypted(one.local.store)}
    told = (boss, square.other_boss, square.police_boss, square.police_chief, officer)
    assert heard == {one.alias for one in told}
    # It opened nothing: the receivers' supervisors still have no such report.
    with pytest.raises(NotFound):
        square.police_boss.get(report.id)
    assert bytes(report.id) not in decrypted(square.police_boss.local.store)

    with pytest.raises(Refused) as refused:
        boss.settle(made.id, "It stands.")
    assert refused.value.code == "not_allowed"
    with pytest.raises(Refused):
        officer.settle(made.id, "It does not stand.")
    square.town.clock.advance(seconds=2)
    square.other_boss.settle(made.id, "It was asked; the words are in the decision.")
    with pytest.raises(NotFound):
        square.other_boss.settle(made.id, "Once more.")
    await square.sync(1)
    await square.sync(1)
    for device in told:
        [said] = [one for one in device.disputes() if one.grant_id == made.id]
        assert (said.state, said.settled) == ("settled", "It was asked; the words are in the decision.")
    assert [one.state for one in officer.received() if one.grant_id == made.id] == ["released"]
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["released"]

    # What is taken back is confirmed when every receiver has let go of it, and is no more to dispute.
    await boss.recall(made.id, "It has been of use.")
    await square.sync()
    await boss.sync()
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["confirmed"]
    with pytest.raises(NotFound):
        officer.dispute(made.id, WHY)
