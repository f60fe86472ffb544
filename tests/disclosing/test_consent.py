"""A disclosure that rests on a consent: it covers what the person allowed, and ends when they take it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from sluss_client.cases.consents import Given
from sluss_client.errors import NotFound, Refused

from tests.disclosing.people import People
from tests.disclosing.test_gateways import gone

pytestmark = pytest.mark.asyncio(loop_scope="session")
TESTS: Final = {"consent_in_force": True, "within_consent": True}


async def test_what_rests_on_a_consent_goes_to_whom_it_names_and_ends_when_it_is_taken_back(square: People) -> None:
    report, worker, nurse = await square.filed(), square.worker, square.nurse
    until = int((square.town.clock.now() + timedelta(days=2)).timestamp())
    consent = worker.consent(
        report.id,
        Given(agencies=["health"], compartments=["subject", "care"], purpose="a time at the clinic", until=until),
    )
    with pytest.raises(Refused) as refused:
        await worker.disclose(
            report.id, "L01", to=[square.officer.alias], compartments=["subject"], tests=TESTS, consent=consent
        )
    assert (refused.value.code, refused.value.field) == ("no_consent", "to.police")
    with pytest.raises(NotFound):
        await worker.disclose(report.id, "L01", to=[nurse.alias], compartments=["care"], tests=TESTS, consent=report.id)

    made = await worker.disclose(
        report.id, "L01", to=[nurse.alias], compartments=["subject", "care"], tests=TESTS, consent=consent
    )
    released = await square.disclosed(worker, made, nurse)
    assert (released.state, released.reason, released.field) == ("released", "", "")
    assert released.until == until
    assert nurse.get(report.id).care == "She wants to talk to somebody at the clinic."
    assert nurse.get(report.id).because("care")[0].law == ("OSL 10:1", "OSL 12:2-3")

    worker.withdraw_consent(consent, "She said so.")
    await worker.sync()
    await nurse.sync()
    assert gone(nurse, report.id)
    assert [one.state for one in worker.disclosures() if one.id == made.id] == ["lapsed"]
    with pytest.raises(Refused) as refused:
        await worker.disclose(report.id, "L01", to=[nurse.alias], compartments=["care"], tests=TESTS, consent=consent)
    assert refused.value.code == "no_consent"
