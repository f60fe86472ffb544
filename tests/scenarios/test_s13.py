"""S13: a man of 34 lets outreach tell the police about his landlord's threats, and takes it back next morning."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from sluss_client import forms
from sluss_client.cases.consents import Given
from sluss_client.device import Device
from sluss_client.disclosing.answers import Disclosure
from sluss_client.errors import Refused
from sluss_client.report import Report
from sluss_client.testing import Town
from sluss_schemas.ids import ReportId

from tests.ledger.test_devices import leaves
from tests.scenarios.people import CENTRAL, People, find, have, sight
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAN = forms.Person(name="Robert", age_min=34, age_max=34, contact="070-222 22 22")
THREATS = "His landlord threatens to throw him out and to beat him."
TESTS = {"consent_in_force": True, "within_consent": True}


async def consented(town: Town, worker: Device, *officers: Device) -> tuple[Report, bytes, Disclosure]:
    """File what he told, his consent, and the disclosure to some officers that rests on it."""
    report = worker.file(
        forms.OutreachContact(
            scene=CENTRAL,
            observed_at=town.clock.now(),
            situation="A talk on a bench.",
            subject=[MAN],
            care=THREATS,
        ),
        confirm_text=True,
    )
    until = int((town.clock.now() + timedelta(days=30)).timestamp())
    consent = worker.consent(
        report.id,
        Given(
            agencies=["police"], compartments=["subject", "care"], purpose="the threats from a landlord", until=until
        ),
    )
    made = await worker.disclose(
        report.id,
        "L01",
        to=[officer.alias for officer in officers],
        compartments=["subject", "care"],
        tests=TESTS,
        consent=consent,
    )
    return report, consent, made


def gone(device: Device, report_id: ReportId) -> bool:
    """Tell whether a device neither shows a report nor has anything of who it is about."""
    return find(device, report_id) is None and THREATS.encode() not in decrypted(device.local.store)


async def test_it_covers_the_officers_who_are_named_and_nobody_else(square: People) -> None:
    report, consent, _ = await consented(square.town, square.worker, square.police)
    await square.sync()

    assert square.police.get(report.id).care == THREATS
    assert have(square, report.id) == {"worker", "other_worker", "third_worker", "police"}
    assert [one.id for one in square.workers_boss.consents() if one.report_id == report.id] == [consent]
    for agency, device in (("security", square.guard), ("municipality", square.official), ("health", square.nurse)):
        with pytest.raises(Refused) as refused:
            await square.worker.disclose(
                report.id, "L01", to=[device.alias], compartments=["subject"], tests=TESTS, consent=consent
            )
        assert (refused.value.code, refused.value.field) == ("no_consent", f"to.{agency}")
    square.worker.withdraw_consent(consent, "He called.")
    await square.sync()


async def test_taken_back_it_ends_on_the_device_that_read_it_and_on_the_one_that_never_did(square: People) -> None:
    report, consent, made = await consented(square.town, square.worker, square.police, square.suburban_police)
    await square.worker.sync()
    await square.police.sync()
    # One of the two has read it.
    assert square.police.get(report.id).care == THREATS
    await square.police.sync()

    square.worker.withdraw_consent(consent, "He called in the morning.")
    await square.worker.sync()
    await square.police.sync()
    await square.suburban_police.sync()
    assert gone(square.police, report.id)
    assert gone(square.suburban_police, report.id)
    async with asking(square.suburban_police, square.town.url) as raw:
        assert not any(bytes(report.id) in answer.body for answer in await raw.everything())

    # The history of the consent stays with social services, and nothing rests on it any more.
    await square.sync()
    for device in (square.worker, square.other_worker, square.workers_boss):
        (one,) = [one for one in device.consents() if one.id == consent]
        assert one.state == "withdrawn"
    assert [one.state for one in square.worker.disclosures() if one.id == made.id] == ["lapsed"]
    assert "care" in sight(square.other_worker, report.id)
    with pytest.raises(Refused) as refused:
        await square.worker.disclose(
            report.id, "L01", to=[square.police.alias], compartments=["subject"], tests=TESTS, consent=consent
        )
    assert refused.value.code == "no_consent"


async def test_both_supervisors_see_that_a_recall_was_executed(square: People) -> None:
    _, consent, made = await consented(square.town, square.worker, square.police, square.suburban_police)
    before = {one.record for one in square.police_boss.recalls()}
    await square.worker.sync()
    await square.police.sync()
    # Another worker is on the telephone; who decided hears of it from them.
    await square.other_worker.sync()
    square.other_worker.withdraw_consent(consent, "He called in the morning.")
    await square.other_worker.sync()
    assert [one.state for one in square.worker.disclosures() if one.id == made.id] == ["released"]
    for name in ("worker", "worker", "police", "police", "police_boss", "workers_boss", "other_boss"):
        await square.everybody[name].sync()
    for device in (square.workers_boss, square.other_boss):
        (own,) = [one for one in device.recalls() if one.grant_id == made.id]
        assert own.code == "withdrawn"
        assert [alias for alias, _, _ in own.confirmed] == [f"police/{square.police.alias}"]
        # Whoever had no contact yet stays listed.
        assert [alias for alias, _ in own.missing] == [f"police/{square.suburban_police.alias}"]
    (recall,) = [one for one in square.workers_boss.recalls() if one.grant_id == made.id]
    (seen,) = [one for one in square.police_boss.recalls() if one.record not in before]
    assert (seen.record, seen.grant_id, seen.code) == (recall.record, b"", "")
    assert [alias for alias, _, _ in seen.confirmed] == [f"police/{square.police.alias}"]
    await square.sync()
    (recall,) = [one for one in square.workers_boss.recalls() if one.grant_id == made.id]
    assert recall.missing == ()
    for name in ("guards_boss", "municipal_boss", "guard", "nurse", "police"):
        assert [one for one in square.everybody[name].recalls() if one.record == recall.record] == [], name


async def test_that_the_first_officer_read_it_stays_in_the_log(square: People, tmp_path: Path) -> None:
    report, consent, _ = await consented(square.town, square.worker, square.police, square.suburban_police)
    await square.worker.sync()
    await square.police.sync()
    assert square.police.get(report.id).care == THREATS
    await square.police.sync()
    square.worker.withdraw_consent(consent, "He called in the morning.")
    await square.sync()
    # A checkpoint covers it within the minute.
    square.town.clock.advance(minutes=1)
    await square.sync()

    row = square.worker.local.outbox.head(report.id)
    assert row is not None
    assert row.digest is not None
    of = {}
    for agency in ("police", "social_services"):
        found = [one for one in leaves(square.town, agency, tmp_path) if one["action"] == "read"]
        contents = [base64.b64decode(one["content"]) for one in found]
        of[agency] = [one for one in contents if row.digest in one]
    assert [len(reads) for reads in of.values()] == [1, 1]
    # The owner's ledger says that the police read it; the police's own says who.
    assert bytes(square.police.person_id) in of["police"][0]
    assert bytes(square.police.person_id) not in of["social_services"][0]


async def test_a_device_without_contact_stops_showing_it_when_its_lease_ends() -> None:
    """The trap: nobody has to reach the device."""
    async with Town(agencies=("social_services", "police")) as town:
        worker, officer = await town.device("social_services"), await town.device("police")
        await worker.sync()
        report, consent, _ = await consented(town, worker, officer)
        await worker.sync()
        await officer.sync()
        assert officer.get(report.id).care == THREATS
        worker.withdraw_consent(consent, "He called in the morning.")
        await worker.sync()
        town.clock.advance(hours=11, minutes=55)
        assert officer.get(report.id).care == THREATS
        town.clock.advance(minutes=10)
        with pytest.raises(Refused) as refused:
            _ = officer.get(report.id).care
        assert refused.value.code == "lease_ended"
        again = await town.reopen(officer)
        assert not any(one.readable for one in again.reports() if one.id == report.id)
        # The first contact takes it away.
        await again.sync()
        assert gone(again, report.id)
