"""The conflicts of docs/secrecy-rules.md B7, by their numbers: which rule wins, and who is told.

What takes a whole story stands in a scenario; here each conflict is put to the rule that settles it, or to devices.
"""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest

from sluss_client import forms
from sluss_client.cases.consents import Given
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_schemas.codec import decode
from sluss_schemas.ids import SECTORS, ReportId, Sector, bit
from sluss_schemas.policy import decide, pack
from sluss_schemas.policy.answers import Decision, Receiver
from sluss_schemas.sync import Item

from tests.agreements import heads
from tests.scenarios.people import CENTRAL, CHILD, People, counted, find, have, sight
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOW = pack.builtin()[-1]
POLICE = Receiver("POL", "field", own=False)
OFFICER = Receiver("POL", "field", own=False, named=True)
GUARDS = Receiver("SEC", "field", own=False)
RECEPTION = Receiver("SOC", "reception", own=False)
SUBJECT = bit("SUB")


def decided(
    kind: int, owner: Sector, receiver: Receiver, code: str, *, denied: bool = False, embargo: bool = False
) -> Decision:
    """Return what is decided of whom a report is about, when this ground has given everything that it can."""
    return decide.open_to(NOW, kind, owner, receiver, "SUB", grants={code: 0xFFFF}, denied=denied, embargo=embargo)


async def test_01_one_rule_allows_and_one_denies() -> None:
    assert decided(5, "SOC", OFFICER, "L03").ground == "gateway"
    assert decided(5, "SOC", OFFICER, "L03", denied=True).ground == "explicit_deny"
    assert decide.open_to(NOW, 1, "SEC", POLICE, "SIT", denied=True).form is None


async def test_02_policy_denies_and_the_statute_obliges() -> None:
    for change in ({"denied": True}, {"embargo": True}):
        found = decided(7, "SEC", RECEPTION, "L11", **change)
        assert (found.ground, found.form, found.gateway) == ("duty", "full", "L11")


async def test_03_consent_is_refused_and_a_child_is_at_risk() -> None:
    assert NOW.gateways["L11"].basis == "none"
    assert decided(7, "SEC", RECEPTION, "L11", denied=True).form == "full"
    for sector in SECTORS:
        if sector != "SOC":
            assert (
                decided(7, "SEC", Receiver(sector, "field", own=sector == "SEC"), "L11", denied=True).ground != "duty"
            )


async def test_04_consent_is_withdrawn(square: People) -> None:
    worker, boss, officer = square.worker, square.workers_boss, square.police
    filed = worker.file(square.contact())
    until = int(square.town.clock.now().timestamp()) + 30 * 86_400
    given = worker.consent(
        filed.id, Given(agencies=["police"], compartments=["subject"], purpose="The landlord.", until=until)
    )
    await worker.sync()
    await worker.disclose(
        filed.id,
        "L01",
        to=[officer.person_id],
        compartments=["subject"],
        tests={"consent_in_force": True, "within_consent": True},
        consent=given,
    )
    for device in (worker, worker, officer, boss):
        await device.sync()
    assert sight(officer, filed.id) == "subject"
    assert [one.state for one in boss.consents() if one.id == given] == ["given"]
    worker.withdraw_consent(given, "By telephone.")
    for device in (worker, officer, boss):
        await device.sync()
    assert find(officer, filed.id) is None
    assert [one.state for one in boss.consents() if one.id == given] == ["withdrawn"]
    with pytest.raises(NotFound):
        worker.withdraw_consent(bytes(16), "Nothing.")


async def test_05_the_guardian_consents_and_the_minor_objects(square: People) -> None:
    filed = square.worker.file(square.contact())
    until = int(square.town.clock.now().timestamp()) + 86_400
    about = {"agencies": ["police"], "compartments": ["subject"], "purpose": "Help.", "until": until}
    for wrong in (
        {"given_by": ["guardian"], "age": 16, "objects": True},
        {"given_by": ["guardian"], "age": 16},
        {"given_by": ["subject"], "age": 16},
        {"given_by": ["subject"], "age": 14},
    ):
        with pytest.raises(Invalid) as invalid:
            square.worker.consent(filed.id, Given(**about, **wrong))  # type: ignore[arg-type]  # a row of the table
        assert invalid.value.field == "given_by"
    square.worker.consent(filed.id, Given(**about, given_by=["guardian", "subject"], age=16))  # type: ignore[arg-type]


async def test_07_an_agreement_below_the_floor_cannot_be_activated(square: People) -> None:
    head, now = square.town.founders["social_services"], square.town.clock.now()
    parties = ("security", "social_services")
    row = head.agreements.draft(heads.draft(now, now + timedelta(days=30), heads.NAMES, parties=parties))
    await head.sync()
    seq = head.local.trust.own.seq
    for one in parties:
        with pytest.raises(Invalid) as invalid:
            await square.town.founders[one].agreements.sign(head.agreements.file_of(row.id))
        assert (invalid.value.code, invalid.value.field) == ("below_floor", "K05.SOC.SUB.SEC")
    await head.sync()
    assert head.local.trust.own.seq == seq
    assert [one.state for one in head.agreements.rows() if one.id == row.id] == ["refused_below_floor"]
    await square.worker.sync()
    readers = square.worker.readers(square.contact())
    assert {one.audience.split("/")[0] for one in readers} == {"social_services"}


async def test_08_a_new_pack_is_in_force_tomorrow() -> None:
    before, after = pack.at(pack.builtin(), date(2026, 1, 14)), pack.at(pack.builtin(), date(2026, 1, 15))
    assert before.digest != after.digest
    told = {"L11": 0xFFFF}
    assert decide.open_to(after, 7, "SEC", RECEPTION, "SUB", grants=told).ground == "duty"
    assert decide.open_to(before, 7, "SEC", RECEPTION, "SUB", grants=told).ground != "duty"
    lapsed = {code for code in after.gateways if code not in before.gateways} | {"L00"}
    for code in lapsed:
        assert decide.open_to(before, 5, "SOC", OFFICER, "SUB", grants={code: 0xFFFF}).form is None


async def test_10_the_age_is_unknown(square: People) -> None:
    contact = square.contact()
    filed = square.worker.file(contact)
    await square.worker.sync()
    doubted = next(offer for offer in square.worker.offers(filed.id) if (offer.agency, offer.code) == ("police", "L03"))
    assert doubted.excluded == "age_unknown"
    person = forms.Person(description="a hooded figure")
    duty = square.guard.file(
        forms.ReportOfConcern(scene=CENTRAL, observed_at=square.town.clock.now(), subject=[person])
    )
    assert "L11" in [one.code for one in square.guard.duties() if one.report_id == duty.id]


async def test_11_a_child_under_the_age_of_responsibility_is_no_suspect_elsewhere(square: People) -> None:
    for age in ({"age_min": 13, "age_max": 14}, {"age_band": "12-14"}):
        child = forms.Person(name="Lo", role="suspect", **age)
        with pytest.raises(Invalid) as invalid:
            square.guard.file(square.incident(subject=[child]), duties={"L14": "send"})
        assert invalid.value.field == "subject[0].role"
    filed = square.guard.file(square.incident(subject=[CHILD]), duties={"L14": "send"})
    await square.guard.sync()
    await square.police.sync()
    assert square.police.get(filed.id).subject == [CHILD]


async def test_12_an_identity_is_corrected(square: People) -> None:
    guard, boss, officer = square.guard, square.guards_boss, square.police
    wrong, right = forms.Person(name="Qvintus Falk"), forms.Person(name="Rurik Falk")
    filed = square.worker.file(msgspec.structs.replace(square.contact(), subject=[wrong]))
    await square.worker.sync()
    made = await square.worker.disclose(
        filed.id,
        "L17",
        to=[officer.person_id, guard.person_id],
        compartments=["subject"],
        tests={"danger_now": True, "minimum": True},
        reasons={"danger_now": "He lies on the tracks."},
    )
    for device in (square.worker, officer, guard):
        await device.sync()
    assert officer.get(filed.id).subject == guard.get(filed.id).subject == [wrong]
    await square.worker.amend(filed.id, subject=[right], correct=True)
    for device in (square.worker, square.worker, officer, officer, square.worker, square.other_worker):
        await device.sync()
    # A new version, and a recall that every receiver confirms; whoever has not is listed.
    assert (square.other_worker.get(filed.id).version, square.other_worker.get(filed.id).subject) == (2, [right])
    [recall] = [one for one in square.worker.recalls() if one.grant_id == made.id]
    assert recall.code == "corrected"
    assert [alias for alias, _, _ in recall.confirmed] == [f"police/{officer.alias}"]
    assert [alias for alias, _ in recall.missing] == [f"security/{guard.alias}"]
    for device in (guard, guard, square.worker):
        await device.sync()
    [recall] = [one for one in square.worker.recalls() if one.grant_id == made.id]
    assert recall.missing == ()
    for device in (officer, guard, boss):
        assert find(device, filed.id) is None
        assert b"Qvintus" not in decrypted(device.local.store)
    # The owner alone keeps what had been said, for whoever looks into it.
    assert b"Qvintus" in decrypted(square.worker.local.store)


async def test_16_an_author_retracts(square: People) -> None:
    filed = square.guard.file(square.incident(), duties={"L14": "no"})
    await square.guard.sync()
    await square.guard.amend(filed.id, situation="I was mistaken: nothing happened.")
    await square.sync()
    for device in (square.guard, square.police):
        assert (device.get(filed.id).version, device.get(filed.id).situation) == (
            2,
            "I was mistaken: nothing happened.",
        )
    assert not [name for name in dir(Device) if "delete" in name or "erase" in name]


async def test_17_two_owners_write_down_one_event(square: People) -> None:
    before = [await counted(boss, "order_incident") for boss in (square.guards_boss, square.police_boss)]
    theirs = square.guard.file(square.incident(situation="He hit a man."), duties={"L14": "no"})
    child = square.guard.file(
        forms.ReportOfConcern(scene=CENTRAL, observed_at=square.town.clock.now(), subject=[CHILD]),
        duties={"L11": "send"},
        same_event=theirs.id,
    )
    await square.guard.sync()
    await square.police.sync()
    ours = square.police.file(
        square.incident(situation="We took in a man who hit another.", care=None), same_event=theirs.id
    )
    await square.sync()
    # Two records of two owners, and nothing of either in the other: to have one gives no part of the other.
    assert theirs.id != ours.id
    assert (square.police.get(theirs.id).agency, square.police.get(ours.id).agency) == ("security", "police")
    with pytest.raises(Refused):
        _ = square.police.get(theirs.id).subject
    assert "subject" not in sight(square.guard, ours.id)
    await square.guard.amend(theirs.id, situation="He hit two men.")
    await square.sync()
    assert (square.police.get(ours.id).version, square.police.get(theirs.id).version) == (1, 2)
    # The link is seen by whoever reads the situations of both; health has no more than briefs of them.
    for device in (square.guard, square.police, square.official, square.other_guard, square.worker):
        concern = {child.id} if device is square.guard else set()
        assert set(device.get(theirs.id).linked) == {ours.id} | concern
        assert set(device.get(ours.id).linked) == {theirs.id} | concern
    assert square.nurse.get(ours.id).linked == square.nurse.get(theirs.id).linked == ()
    with pytest.raises(Refused) as closed:
        square.nurse.file(square.contact(), same_event=ours.id)
    assert (closed.value.code, closed.value.field) == ("closed", "same_event")
    # Each owner counts its own record, and the second one asks not to be counted with the others.
    assert [await counted(boss, "order_incident") for boss in (square.guards_boss, square.police_boss)] == [
        one + 1 for one in before
    ]
    assert (_counts(square.guard, theirs.id), _counts(square.police, ours.id)) == (None, False)
    # That it was another event after all takes the link away, and has the record counted.
    await square.police.amend(ours.id, same_event=None)
    await square.sync()
    assert _counts(square.police, ours.id) is True
    assert square.official.get(ours.id).linked == square.official.get(theirs.id).linked == ()
    assert [await counted(boss, "order_incident") for boss in (square.guards_boss, square.police_boss)] == [
        one + 1 for one in before
    ]
    await square.police.amend(ours.id, same_event=theirs.id, situation="We took him in.")
    assert square.police.get(ours.id).linked == (theirs.id,)
    await square.sync()
    # That the third belongs to them only those can tell who have it.
    assert have(square, child.id) == {"guard", "reception"}
    for name in ("police", "other_guard", "official"):
        assert bytes(child.id) not in decrypted(square.everybody[name].local.store)


def _counts(device: Device, report_id: ReportId) -> bool | None:
    """Return what the server was told of whether the event counts by a report."""
    row = device.local.outbox.head(report_id)
    assert row is not None
    return decode(Item, device.local.outbox.item(row), "item").counts


async def test_19_an_emergency_opens_the_person_for_hours_and_is_reviewed(square: People) -> None:
    filed = square.worker.file(square.contact())
    await square.worker.sync()
    decision = await square.worker.disclose(
        filed.id,
        "L17",
        to=[square.guard.person_id],
        compartments=["subject"],
        tests={"danger_now": True, "minimum": True},
        reasons={"danger_now": "He lies on the tracks."},
    )
    for device in (square.worker, square.worker, square.guard, square.workers_boss):
        await device.sync()
    [told] = [one for one in square.worker.disclosures() if one.id == decision.id]
    assert told.until is not None
    # Twelve hours from when it is sealed, which the next sync does.
    assert 0 <= told.until - told.decided_at - 12 * 3600 < 60
    seen = square.guard.get(filed.id)
    assert seen.subject == [forms.Person(alias="Nils")]
    with pytest.raises(Refused):
        _ = seen.care
    assert find(square.other_guard, filed.id) is None
    assert [one for one in square.workers_boss.tasks() if one.code == "L17" and one.state == "open"]


async def test_20_an_emergency_at_a_protected_place_opens_nothing() -> None:
    assert [one.kind for one in NOW.bounds.protected] == ["K16"]
    for sector in ("POL", "SEC", "MUN"):
        for named in (False, True):
            offer = decide.slots(NOW, 16, "HLT", Receiver(sector, "field", own=False, named=named))
            assert (offer.open, offer.held, offer.duties, offer.gateways) == (0, 0, {}, {})


async def test_21_police_ask_for_everything_about_a_scene() -> None:
    assert decide.slots(NOW, 1, "SEC", POLICE).open & bit("SIT")
    assert not decide.slots(NOW, 1, "SEC", POLICE).open & SUBJECT
    assert decide.slots(NOW, 5, "SOC", POLICE).open == 0
    for kind in NOW.kinds.values():
        for owner in kind.owners:
            if owner != "POL":
                assert not decide.slots(NOW, kind.number, owner, POLICE).open & SUBJECT


async def test_22_a_supervisor_asks_for_another_agencys_case() -> None:
    for kind in NOW.kinds.values():
        for owner in kind.owners:
            for sector in SECTORS:
                offer = decide.slots(NOW, kind.number, owner, Receiver(sector, "supervisors", own=False))
                assert (offer.open, offer.held) == (0, 0), (kind.number, owner, sector)
                # A duty about a child reaches supervisors where there is no reception, and nothing else does.
                assert {*offer.duties, *offer.gateways} <= {"L11"}


async def test_25_free_text_names_somebody_and_nobody_has_looked(square: People) -> None:
    named = square.incident(situation="Anna Lindqvist, 19900101-1239, sold to a boy.", subject=[])
    assert square.official.check_text(named)
    filed = square.guard.file(named, duties={"L14": "no"})
    await square.sync()
    assert have(square, filed.id) == {"guard", "other_guard"}
    await square.guard.amend(filed.id, situation="A woman sold to a boy.", confirm_text=True)
    await square.sync()
    assert "police" in have(square, filed.id)
    assert "Lindqvist" not in repr(square.police.get(filed.id).full_arrays())


async def test_28_a_receiver_cannot_be_reached_at_a_recall(square: People) -> None:
    filed = square.worker.file(square.contact())
    await square.worker.sync()
    decision = await square.worker.disclose(
        filed.id,
        "L17",
        to=[square.other_guard.person_id],
        compartments=["subject"],
        tests={"danger_now": True, "minimum": True},
        reasons={"danger_now": "He lies on the tracks."},
    )
    for device in (square.worker, square.other_guard):
        await device.sync()
    assert sight(square.other_guard, filed.id)
    await square.worker.recall(decision.id, "It was somebody else.")
    for device in (square.worker, square.workers_boss):
        await device.sync()
    [open_one] = [one for one in square.worker.recalls() if one.grant_id == decision.id]
    assert not open_one.confirmed
    assert [alias for alias, _ in open_one.missing] == [f"security/{square.other_guard.alias}"]
    for device in (square.other_guard, square.other_guard, square.worker):
        await device.sync()
    assert find(square.other_guard, filed.id) is None
    [done] = [one for one in square.worker.recalls() if one.grant_id == decision.id]
    assert done.confirmed
    assert not done.missing
