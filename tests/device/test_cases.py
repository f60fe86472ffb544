"""Case records on one device: who may consent for whom, what may be filed by whom, and what the store gives away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.cases import book
from sluss_client.cases.consents import Given
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.report import Report
from sluss_client.testing import Town
from sluss_schemas.records import MAX_BODY_BYTES, CaseKind

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(shared: Town) -> Device:
    """A social worker who files and never syncs."""
    return await shared.device("social_services")


@pytest.fixture
def contact(shared: Town, worker: Device) -> Report:
    """A report that waits to be sent."""
    seen = shared.clock.now()
    return worker.file(forms.OutreachContact(scene="central-square", observed_at=seen, situation="A talk on a bench."))


@pytest.fixture
def given(shared: Town) -> Given:
    """What a grown person consents to."""
    until = int((shared.clock.now() + timedelta(days=2)).timestamp())
    return Given(agencies=["police"], compartments=["care"], purpose="a bed", until=until)


# The pack says 15 for the minor's own word and 18 for the guardian's.
@pytest.mark.parametrize(
    ("age", "words"),
    [
        (None, (["subject"], ["guardian"])),
        (18, (["subject"], ["guardian"])),
        (17, (["subject", "guardian"], ["guardian"])),
        (15, (["subject", "guardian"], ["subject"])),
        (14, (["guardian"], ["subject"])),
    ],
)
async def test_everybody_who_has_to_agree_at_an_age_has_to_and_nobody_else(
    worker: Device, contact: Report, given: Given, age: int | None, words: tuple[list[str], list[str]]
) -> None:
    enough, too_few = words
    parameters = worker.pack.parameters
    assert (parameters.consent_age, parameters.guardian_below) == (15, 18)
    with pytest.raises(Invalid) as refused:
        worker.consent(contact.id, replace(given, age=age, given_by=too_few))
    assert (refused.value.code, refused.value.field) == ("not_allowed", "given_by")
    made = worker.consent(contact.id, replace(given, age=age, given_by=enough))
    assert [one.given_by for one in worker.consents() if one.id == made] == [tuple(sorted(enough))]


async def test_a_guardians_yes_does_not_outweigh_a_minors_no(worker: Device, contact: Report, given: Given) -> None:
    before = worker.consents()
    for age in (14, 17):
        with pytest.raises(Invalid) as refused:
            worker.consent(contact.id, replace(given, age=age, given_by=["subject", "guardian"], objects=True))
        assert (refused.value.code, refused.value.field) == ("not_allowed", "given_by")
    assert worker.consents() == before


async def test_a_consent_only_narrows_and_stays_taken_back(worker: Device, contact: Report, given: Given) -> None:
    wide = replace(given, agencies=["police", "security"], compartments=["care", "subject"])
    made = worker.consent(contact.id, wide)
    worker.limit_consent(made, replace(wide, agencies=["police"]))
    worker.limit_consent(made, replace(wide, compartments=["care"], until=wide.until + 3600))
    [seen] = [one for one in worker.consents() if one.id == made]
    assert (seen.state, seen.agencies, seen.compartments, seen.until) == ("limited", ("police",), ("care",), wide.until)
    worker.withdraw_consent(made, "He said so.")
    worker.limit_consent(made, wide)
    assert [one.state for one in worker.consents() if one.id == made] == ["withdrawn"]


async def test_what_is_wrong_is_said_at_once_and_nothing_is_kept(worker: Device, contact: Report, given: Given) -> None:
    before = book.filed(worker.local)
    for wrong in (
        replace(given, agencies=["social_services"]),
        replace(given, agencies=[]),
        replace(given, compartments=["everything"]),
        replace(given, purpose=" "),
        replace(given, until=worker.now()),
    ):
        with pytest.raises(Invalid):
            worker.consent(contact.id, wrong)
    with pytest.raises(Invalid):
        worker.request("health", "There is no such agency here.")
    with pytest.raises(NotFound):
        worker.withdraw_consent(bytes(16), "There is none.")
    with pytest.raises(Invalid):
        worker.begin_shift("central-square", 25)
    with pytest.raises(Invalid):
        book.file(worker.local, CaseKind.ORAL, now=worker.now(), body=bytes(MAX_BODY_BYTES))
    for kind, code in ((CaseKind.NOTE, "supervisor_only"), (CaseKind.FEEDBACK, "not_allowed")):
        with pytest.raises(Refused) as refused:
            book.file(worker.local, kind, now=worker.now())
        assert refused.value.code == code
    assert book.filed(worker.local) == before


async def test_what_was_filed_is_there_after_a_restart_and_lies_nowhere_in_clear(
    shared: Town, contact: Report, worker: Device
) -> None:
    del contact
    device = await shared.device("social_services")
    report = device.file(
        forms.OutreachContact(scene="central-square", observed_at=shared.clock.now(), situation="A talk.")
    )
    # About a report that is not sealed yet, and about none.
    device.told(report.id, "L17", to="the ambulance", text="Canary-of-a-restart.")
    device.request("police", "Canary-of-a-restart.")
    filed = [(one.case, one.body, one.state) for one in book.filed(device.local)]
    assert len(filed) == 2
    again = await shared.reopen(device)
    assert [(one.case, one.body, one.state) for one in book.filed(again.local)] == filed
    lying = list(again.path.parent.glob(f"{again.path.stem}*"))
    assert again.path in lying
    assert not any(b"Canary-of-a-restart" in path.read_bytes() for path in lying)
    assert worker.requests() == []
