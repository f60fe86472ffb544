"""Conflicts of docs/secrecy-rules.md B7 that a moment decides: numbers 6, 9, 15 and 26.

One town with a clock of its own, which each test moves on; nobody here knows what day it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.clock import real
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.report import Report
from sluss_client.testing import Clock, Town

from tests.agreements.heads import agree, patrol, was_given
from tests.disclosing.people import L03, L17
from tests.scenarios.people import CENTRAL, find
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZONE: Final = ZoneInfo("Europe/Stockholm")
START: Final = datetime(2026, 6, 1, 12, tzinfo=ZONE)
NEAR: Final = 60
TICK: Final = timedelta(seconds=2)
"""What a clock in whole seconds may be behind."""
L04: Final = ("met_by_staff", "may_be_under_18", "imminent_risk_or_caught", "needed_for_intervention")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """Four agencies, with somebody in between who writes down what the server answers."""
    agencies = ("police", "social_services", "security", "health")
    async with Town(Clock(START), agencies=agencies, hostile=True) as built:
        yield built


async def sync(*devices: Device) -> None:
    """Let some devices sync, twice, so that what one pushes the others have."""
    for _ in range(2):
        for device in devices:
            await device.sync()


def contact(town: Town, *persons: forms.Person, text: str = "A talk on a bench.") -> forms.OutreachContact:
    """Return what a social worker writes down."""
    return forms.OutreachContact(
        scene=CENTRAL,
        observed_at=town.clock.now(),
        situation=text,
        subject=list(persons),
        care="We meet on Monday.",
        enforcement="He was asked to carry a bag.",
    )


def concern(town: Town, person: forms.Person) -> forms.OrderIncident:
    """Return what a guard writes down about somebody who may be a child."""
    return forms.OrderIncident(
        scene=CENTRAL,
        observed_at=town.clock.now(),
        sub_kind="threat",
        severity=2,
        situation="Somebody was threatened.",
        subject=[person],
    )


def born(birthday: date, years: int) -> forms.Person:
    """Return somebody who is so many years old on a day."""
    return forms.Person(name="Kim", personal_number=f"{birthday.year - years}{birthday:%m%d}-0000")


async def opened(town: Town, worker: Device, boss: Device, person: forms.Person) -> Report:
    """File a contact, and let the supervisor open it."""
    filed = worker.file(contact(town, person), confirm_text=True)
    await sync(worker, boss)
    await boss.inspect(filed.id, reason="Which grounds are open?")
    await boss.sync()
    return filed


def excluded(device: Device, report: Report, agency: str) -> dict[str, str]:
    """Return the grounds that are offered towards an agency, with what excludes each."""
    return {one.code: one.excluded for one in device.offers(report.id) if one.agency == agency}


# 6


async def test_06_an_agreement_ends_at_that_second_and_statutory_cells_stay(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    reception, late = await town.device("social_services", "reception"), await town.device("social_services")
    await agree(town, 3600)
    await sync(police)
    opens = police.file(patrol(town))
    await sync(police, worker)
    (standing,) = [one for one in town.founders["police"].local.trust.agreements if one.in_force(police.now())]
    assert find(worker, opens.id) is not None

    town.clock.set(datetime.fromtimestamp(standing.ends - 3, UTC))
    assert find(worker, opens.id) is not None
    town.clock.set(datetime.fromtimestamp(standing.ends, UTC) + TICK)
    # No time of grace: it ends on a device without network, and the server delivers it to nobody any more.
    assert find(worker, opens.id) is None
    await late.sync()
    assert not was_given(town, late, police, opens)
    assert [one.state for one in worker.agreements.rows()] == ["expired"]
    after = police.file(patrol(town))
    await sync(police, worker)
    assert find(worker, after.id) is None

    # What the pack gives, and what a statute obliges to tell, is as it was.
    child = forms.Person(name="Lo", role="child", age_min=13, age_max=14)
    told = police.file(concern(town, child), duties={"L11": "send"})
    await sync(police, worker, reception)
    assert "situation" in worker.get(told.id).readable
    assert reception.get(told.id).subject == [child]


async def test_06_an_agreement_that_one_party_ends_is_over_for_all(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    agreement = await agree(town, 3600)
    await sync(police)
    opens = police.file(patrol(town))
    await sync(police, worker)
    assert find(worker, opens.id) is not None
    await town.founders["social_services"].agreements.end(agreement)
    await sync(police, worker)
    assert find(worker, opens.id) is None
    assert not any(one.audience.startswith("social") for one in police.readers(patrol(town)))


# 9


async def test_09_at_midnight_before_the_21st_birthday_what_was_approved_and_what_waits_lapses(town: Town) -> None:
    worker, boss = await town.device("social_services"), await town.device("social_services", "supervisors")
    officer, offline = await town.device("police"), await town.device("police")
    birthday = town.clock.now().astimezone(ZONE).date() + timedelta(days=1)
    midnight = datetime(birthday.year, birthday.month, birthday.day, tzinfo=ZONE)
    town.clock.set(midnight - timedelta(minutes=10))
    for device in (*town.founders.values(), worker, boss, officer, offline):
        await device.sync()
    kim = born(birthday, 21)
    report, queued = await opened(town, worker, boss, kim), await opened(town, worker, boss, kim)
    to = [officer.alias, offline.alias]
    made = await boss.disclose(report.id, "L03", to=to, compartments=["subject"], **L03)
    await sync(boss, officer)
    assert officer.get(report.id).subject == [kim]
    (released,) = [one for one in boss.disclosures() if one.id == made.id]
    assert released.until == midnight.timestamp()
    # Approved in time, and still on the supervisor's device when the day begins.
    waits = await boss.disclose(queued.id, "L03", to=to, compartments=["subject"], **L03)

    town.clock.set(midnight + TICK)
    assert (found := find(officer, report.id)) is None or "subject" not in found.readable
    await sync(boss, officer, offline)
    states = {one.id: (one.state, one.reason) for one in boss.disclosures()}
    assert states[made.id][0] == "lapsed"
    assert states[waits.id] == ("refused", "age_limit")
    for device in (officer, offline):
        for each in (report, queued):
            with pytest.raises(NotFound):
                device.get(each.id)
        assert b"Kim" not in decrypted(device.local.store)
    assert excluded(boss, report, "police")["L03"] == "over_age"


async def test_09_from_the_18th_birthday_on_no_ground_for_children_is_open_for_what_is_new(town: Town) -> None:
    worker, boss = await town.device("social_services"), await town.device("social_services", "supervisors")
    guard, officer = await town.device("security"), await town.device("police")
    birthday = town.clock.now().astimezone(ZONE).date() + timedelta(days=1)
    midnight = datetime(birthday.year, birthday.month, birthday.day, tzinfo=ZONE)
    town.clock.set(midnight - timedelta(minutes=10))
    for device in (*town.founders.values(), worker, boss, guard, officer):
        await device.sync()
    kim = born(birthday, 18)
    before = await opened(town, worker, boss, kim)
    assert excluded(worker, before, "police")["L04"] == ""
    told = guard.file(concern(town, kim))
    assert "L11" in {one.code for one in guard.duties() if one.report_id == told.id}
    await guard.answer(told.id, {"L11": "send"})
    await sync(guard)

    town.clock.set(midnight + TICK)
    after = await opened(town, worker, boss, kim)
    for report in (before, after):
        assert excluded(worker, report, "police")["L04"] == "over_age"
    with pytest.raises(Refused) as refused:
        await worker.disclose(
            after.id,
            "L04",
            to=[officer.alias],
            compartments=["subject"],
            tests=dict.fromkeys(L04, True),
            reasons={"imminent_risk_or_caught": "Kim gets into a car."},
        )
    assert (refused.value.code, refused.value.field) == ("age_limit", "over_age")
    new = guard.file(concern(town, kim), duties={"L14": "no"})
    assert "L11" not in {one.code for one in guard.duties() if one.report_id == new.id}
    assert excluded(guard, new, "social_services").get("L11", "over_age") == "over_age"
    # The ground of prevention has three years to go, and the care chain has other legs than age, which are affirmed.
    assert excluded(boss, after, "police")["L03"] == ""
    assert excluded(boss, after, "health")["L15"] == ""
    with pytest.raises(Invalid) as invalid:
        await boss.disclose(
            after.id,
            "L15",
            to=[town.founders["health"].alias],
            compartments=["subject"],
            tests={"needed_for_care": True},
            reasons={"needed_for_care": "Kim asks for a doctor."},
        )
    assert invalid.value.field == "tests.group_applies"


async def test_09_from_the_15th_birthday_on_somebody_may_be_a_suspect_and_not_a_day_before(town: Town) -> None:
    officer = await town.device("police")
    birthday = town.clock.now().astimezone(ZONE).date() + timedelta(days=1)
    midnight = datetime(birthday.year, birthday.month, birthday.day, tzinfo=ZONE)
    town.clock.set(midnight - timedelta(minutes=10))
    await sync(officer)
    seen = concern(town, forms.Person(role="suspect", personal_number=born(birthday, 15).personal_number))
    with pytest.raises(Invalid) as invalid:
        officer.file(seen, duties={"L11": "no"})
    assert invalid.value.field == "subject[0].role"
    town.clock.set(midnight + TICK)
    today = concern(town, seen.subject[0])
    assert officer.get(officer.file(today, duties={"L11": "no"}).id).subject == seen.subject
    # What happened the day before was done by a child.
    with pytest.raises(Invalid):
        officer.file(seen, duties={"L11": "no"})


# 15


async def test_15_access_ends_with_the_membership_and_the_reports_stay_with_the_old_agency(town: Town) -> None:
    founder = town.founders["social_services"]
    worker, colleague = await town.device("social_services"), await town.device("social_services")
    boss = await town.device("social_services", "supervisors")
    nils, alias, person = forms.Person(alias="Nils-of-the-stairs"), worker.alias, worker.person_id
    sent = worker.file(contact(town, nils), confirm_text=True)
    await sync(worker, colleague)
    draft = worker.file(contact(town, nils, text="Not sent in time."), confirm_text=True)
    await founder.sync()
    await founder.registrar.leave(alias)
    officer = await town.device("police")

    with pytest.raises(Refused) as refused:
        await worker.sync()
    assert refused.value.code == "wiped"
    assert b"Nils-of-the-stairs" not in decrypted(worker._unlocked().store)
    await sync(colleague, boss)
    assert [(row.report_id, row.alias) for row in await boss.quarantine()] == [(draft.id, alias)]
    await boss.countersign(draft.id)
    await sync(boss, colleague)
    for report in (sent, draft):
        kept = colleague.get(report.id)
        assert kept.subject == [nils]
        assert kept.author is not None
        assert kept.author.alias == alias

    await sync(officer)
    assert officer.person_id != person
    stored = decrypted(officer.local.store)
    for report in (sent, draft):
        assert find(officer, report.id) is None
        assert bytes(report.id) not in stored
    assert b"Nils-of-the-stairs" not in stored


# 26


async def test_26_the_servers_time_decides_when_something_ends_and_the_devices_time_is_only_shown(
    town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker, guard = await town.device("social_services"), await town.device("security")
    report = worker.file(contact(town, forms.Person(alias="Nils")), confirm_text=True)
    await sync(worker)
    slow = tmp_path / "clock of a device"

    # The worker's device is five hours behind when it decides: the twelve hours count from the server's time.
    offset = int(town.clock.now().timestamp() - real())
    slow.write_text(f"{offset - 5 * 3600}\n", encoding="ascii")
    with monkeypatch.context() as here:
        here.setenv("SLUSS_TEST_CLOCK", str(slow))
        assert town.clock.now().timestamp() - worker.now() > 4 * 3600
        said = datetime.fromtimestamp(worker.now(), UTC)
        note = worker.file(forms.LitterNeedles(scene=CENTRAL, observed_at=said, needles=4, situation="By the stairs."))
        await sync(worker)
        assert abs(worker.now() - town.clock.now().timestamp()) < NEAR
        made = await worker.disclose(report.id, "L17", to=[guard.alias], compartments=["subject"], **L17)
        await sync(worker)
    ends = town.clock.now() + timedelta(hours=12)
    (released,) = [one for one in worker.disclosures() if one.id == made.id]
    assert released.until is not None
    assert abs(released.until - ends.timestamp()) < NEAR
    colleague = town.founders["social_services"]
    await sync(guard, colleague)
    assert guard.get(report.id).subject == [forms.Person(alias="Nils")]
    # What the form said of when it happened is shown as it was said.
    assert colleague.get(note.id).observed_at == said

    # The reader's is behind when the twelve hours are over: its sync ends it by the server's word.
    town.clock.set(ends + timedelta(minutes=2))
    slow.write_text(f"{offset + 3600}\n", encoding="ascii")
    with monkeypatch.context() as here:
        here.setenv("SLUSS_TEST_CLOCK", str(slow))
        await sync(guard)
        assert find(guard, report.id) is None
    await sync(guard, worker)
    assert find(guard, report.id) is None
    assert [one.state for one in worker.disclosures() if one.id == made.id] == ["lapsed"]
