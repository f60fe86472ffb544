"""Conflicts 23, 24 and 29 of docs/secrecy-rules.md B7: a screen in a room, a report that quotes, and an extract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from sluss_client import Device, forms
from sluss_client.cases.consents import Given
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.report import Report
from sluss_client.testing import Clock, Town
from sluss_schemas.brief import Brief
from sluss_schemas.ids import ReportId

from tests.scenarios.people import CENTRAL, KALLE, People, find, have, held, sight

pytestmark = pytest.mark.asyncio(loop_scope="session")

NIGHT = datetime(2026, 2, 3, 20, 0, tzinfo=ZoneInfo("Europe/Stockholm"))


# 23: what a screen may show


def seen(device: Device, report_id: ReportId, *present: str) -> str:
    """Return what everybody present may see of a report; its list and `get` must agree, and nothing is not there."""
    listed = [report for report in device.reports(present=present) if report.id == report_id]
    try:
        report = device.get(report_id, present=present)
    except NotFound:
        assert listed == []
        return ""
    assert [one.readable for one in listed] == [report.readable]
    return " ".join(part + "~" * (report.form_of(part) == "brief") for part in report.readable)


async def test_23_the_screen_shows_what_is_open_to_everybody_in_the_room(square: People) -> None:
    officer = square.police
    filed = square.guard.file(square.incident(), duties={"L14": "send"})
    await square.sync()
    assert sight(officer, filed.id) == "situation place subject enforcement safety author~"

    assert seen(officer, filed.id, "security/field") == "situation place subject enforcement safety author~"
    assert seen(officer, filed.id, "police/field") == "situation place safety author~", "a duty told it to police alone"
    assert seen(officer, filed.id, "social_services/field") == "situation place enforcement~ safety author~"
    assert seen(officer, filed.id, "social_services/field", "health/field") == "situation~ place~ safety~ author~"
    # Whoever holds no report of this kind by themselves sees none on the screen: weakest right wins.
    for nobody in ("guests", "security/supervisors", "municipality/supervisors", "social_services/reception"):
        assert seen(officer, filed.id, "security/field", nobody) == "", nobody

    together = officer.get(filed.id, present=["social_services/field", "health/field"])
    assert isinstance(together.situation, Brief), "made here of what is open in full"
    assert together.situation.values["severity"] == 2
    assert together.observed_at == together.time
    assert together.because("subject") == ()
    with pytest.raises(Refused) as refused:
        _ = together.subject
    assert (refused.value.code, refused.value.rule) == ("closed", "K01.SEC.SUB.SOC")
    empty = square.guard.file(square.incident(subject=[]), duties={"L14": "send"})
    with pytest.raises(Refused) as same:
        _ = square.guard.get(empty.id, present=["social_services/field"]).subject
    assert (same.value.code, same.value.rule, same.value.say) == (
        refused.value.code,
        refused.value.rule,
        refused.value.say,
    )


async def test_23_what_is_kept_back_or_was_opened_to_one_person_is_not_shown_to_the_room(square: People) -> None:
    kept = square.guard.file(square.incident(), duties={"L14": "send"}, hold="embargo")
    contact = square.worker.file(square.contact())
    await square.sync()
    # The police were told by duty, and nobody else has it; their device cannot know why, and assumes the worst.
    assert sight(square.police, kept.id) == "situation place subject enforcement safety author~"
    assert seen(square.police, kept.id, "social_services/field") == ""
    assert seen(square.police, kept.id, "security/field") != ""
    for own in (square.guard, square.other_guard):
        assert seen(own, kept.id, "security/field") != ""
        assert seen(own, kept.id, "police/field") == ""

    assert seen(square.worker, contact.id, "social_services/field") == sight(square.worker, contact.id)
    assert seen(square.worker, contact.id, "police/field") == ""
    # A meeting that somebody misspelt is no meeting of one.
    for wrong in ("police", "police/fields", "Guests", "", "health/case_staff"):
        with pytest.raises(Invalid) as listed:
            square.worker.reports(present=[wrong])
        with pytest.raises(Invalid) as one:
            square.worker.get(contact.id, present=[wrong])
        assert listed.value.field == one.value.field == "present"


# 24: a report that quotes


def retold(square: People, **changes: object) -> forms.OrderIncident:
    """Return what somebody writes who repeats everything that they have read."""
    return square.incident(situation="As the guards say.", **changes)


def told(device: Device, report_id: ReportId, part: str) -> object:
    """Return what a device reads in a part; None where it is closed or has nothing in it."""
    try:
        return getattr(device.get(report_id), part)
    except Refused:
        return None


async def test_24_a_copy_goes_to_nobody_to_whom_the_quoted_report_would_not_go(square: People) -> None:
    filed = square.guard.file(square.incident(), duties={"L14": "send"})
    await square.sync()
    officer = square.police
    alone = {(row.audience, row.compartment): row.form for row in officer.readers(retold(square))}
    quoting = {(row.audience, row.compartment): row.form for row in officer.readers(retold(square), quotes=[filed.id])}
    assert quoting.items() <= alone.items(), "a quote never adds a reader"
    assert ("police/field", "subject") in alone
    assert ("police/field", "subject") not in quoting, "told to the officers on duty, by their duty"
    assert ("health/field", "enforcement") in alone
    assert ("health/field", "enforcement") not in quoting
    assert not any(audience == "police/supervisors" for audience, _ in quoting)
    assert quoting["security/field", "enforcement"] == "brief"

    plain = officer.file(retold(square))
    copy = officer.file(retold(square), quotes=[filed.id])
    await square.sync()
    assert isinstance(told(square.nurse, plain.id, "enforcement"), Brief)
    assert told(square.nurse, copy.id, "enforcement") is None
    assert isinstance(told(square.nurse, copy.id, "situation"), Brief)
    assert held(square.police_boss, plain.id) == [1]
    assert held(square.police_boss, copy.id) == []
    assert officer.get(copy.id).subject == [KALLE]

    # The next version keeps the limits, and so does a copy of the copy, which quotes a report of the own agency.
    await officer.amend(copy.id, enforcement="He is known to the guards, they say.")
    again = officer.file(retold(square), quotes=[copy.id])
    await square.sync()
    assert officer.get(copy.id).version == 2
    for report_id in (copy.id, again.id):
        assert "guard" in have(square, report_id)
        assert told(square.nurse, report_id, "enforcement") is None
        assert held(square.police_boss, report_id) == []
    with pytest.raises(NotFound) as missing:
        officer.file(retold(square), quotes=["00" * 16])
    assert missing.value.field == "quotes"


async def test_24_colleagues_get_no_more_of_a_copy_than_of_what_it_quotes(square: People) -> None:
    note = square.police.file(square.incident())
    await square.sync()
    copy = square.guard.file(retold(square), quotes=[note.id], duties={"L14": "no"})
    await square.sync()
    other = square.other_guard
    assert told(other, copy.id, "situation") == "As the guards say."
    assert [told(other, copy.id, part) for part in ("subject", "care", "enforcement")] == [None, None, None]
    # Who does not know what a copy quotes can write another that stays with them, and none that goes further.
    assert not other.get(copy.id).limits_known
    assert {row.audience for row in other.readers(retold(square), quotes=[copy.id])} == set()
    # What they do not have would be lost in a version of theirs.
    with pytest.raises(Refused) as refused:
        await other.amend(copy.id, situation="Shorter.")
    assert refused.value.code == "cannot_amend"
    assert square.guard.get(copy.id).subject == [KALLE]


async def test_24_a_copy_of_what_is_kept_back_stays_in_the_agency(square: People) -> None:
    kept = square.guard.file(square.incident(), hold="embargo", duties={"L14": "no"})
    copy = square.guard.file(retold(square), quotes=[kept.id], duties={"L14": "no"})
    await square.sync()
    assert have(square, copy.id) == {"guard", "other_guard"}
    # A colleague of whom nothing is kept may go on with it, and the limits go along.
    await square.other_guard.amend(copy.id, situation="Told again.")
    await square.sync()
    assert square.guard.get(copy.id).version == 2
    assert have(square, copy.id) == {"guard", "other_guard"}
    # Released, it goes as far as what it quotes, which nobody has released; and no note is made of it for others.
    held_copy = square.guard.file(retold(square), quotes=[kept.id], hold="embargo", duties={"L14": "no"})
    secret = square.police.file(square.incident(), hold="embargo")
    found = forms.SeizureOrFind(
        scene=CENTRAL, observed_at=square.town.clock.now(), found_as="seizure", substances=["op_heroin"]
    )
    seizures = [square.police.file(found, quotes=quotes) for quotes in ((), [secret.id])]
    plain, quoting = (square.police.made_note(one.id) for one in seizures)
    await square.sync()
    await square.guards_boss.inspect(held_copy.id, reason="To be released.")
    await square.sync()
    await square.guards_boss.release(held_copy.id)
    await square.sync()
    assert have(square, held_copy.id) == {"guard", "other_guard", "guards_boss"}
    assert plain is not None
    assert quoting is not None
    assert "worker" in have(square, plain)
    assert not have(square, quoting) - {"police", "suburban_police"}
    # What a statute has its author tell goes out all the same.
    due = square.guard.file(retold(square), quotes=[kept.id], duties={"L14": "send"})
    await square.sync()
    assert "subject" in sight(square.police, due.id)


# 29: an extract


async def test_29_an_extract_has_the_persons_own_and_says_what_it_leaves_out(square: People) -> None:
    boss, worker = square.workers_boss, square.worker
    nils, eva = forms.Person(alias="Nils", description="Often with Anna Berg."), forms.Person(name="Eva Lind")
    now = square.town.clock.now()
    alone = worker.file(
        forms.OutreachContact(scene=CENTRAL, observed_at=now, situation="A talk.", subject=[nils], care="A bed.")
    )
    crowd = worker.file(
        forms.OutreachContact(
            scene=CENTRAL, observed_at=now, situation="Nils met Eva Lind.", subject=[nils, eva], care="Soup."
        )
    )
    worry = worker.file(
        forms.AbsentPersonConcern(
            observed_at=now, situation="Not seen.", subject=[nils], informant="his sister", case_staff=[]
        )
    )
    unopened = worker.file(square.contact())
    await square.sync()
    for report in (alone, crowd, worry):
        await boss.inspect(report.id, reason="He asked what we have about him.")
    await square.sync()
    before = boss.local.store.count("reads")

    found = boss.extract("  nils ")
    rows = {one.report_id: one for one in found.reports}
    assert rows.keys() >= {alone.id, crowd.id, worry.id}
    assert unopened.id not in rows
    assert found.unopened >= 1
    assert found.law == ("OSL 12:1",)
    assert boss.local.store.count("reads") - before == len(rows), "each is told to the ledger as read"

    one = rows[alone.id]
    assert (one.kind, one.scene, one.person) == ("outreach_contact", CENTRAL, forms.Person(alias="Nils"))
    assert one.parts["care"]["care"] == "A bed."
    assert one.parts["situation"]["situation"] == "A talk."
    left = {each.part: (each.code, each.law) for each in one.left_out}
    assert left == {"AUT": ("author_at_risk", ("OSL 35:2",)), "SUB": ("review", ("OSL 12:1",))}

    two = rows[crowd.id]
    assert "Eva" not in repr((two.person, two.parts))
    assert two.person == forms.Person(alias="Nils")
    assert {each.part: each.code for each in two.left_out} == {
        "SIT": "review",
        "SUB": "other_person",
        "CAR": "other_person",
        "AUT": "author_at_risk",
    }
    three = rows[worry.id]
    assert "sister" not in repr(three)
    assert {each.part: each.law for each in three.left_out}["AUT"] == ("OSL 26:5",)
    assert boss.extract("Eva Lind").reports[0].person == eva

    for device in (worker, square.police):
        with pytest.raises(Refused) as refused:
            device.extract("Nils")
        assert refused.value.code == "supervisor_only"
    assert rows.keys() & {each.report_id for each in square.police_boss.extract("Nils").reports} == set()
    with pytest.raises(Invalid):
        boss.extract(" ")


async def test_29_an_extract_tells_nothing_of_what_is_kept_back(square: People) -> None:
    boss = square.guards_boss
    person = forms.Person(name="Sune Ek")
    kept = square.guard.file(square.incident(subject=[person]), hold="embargo", duties={"L14": "no"})
    plain = square.guard.file(square.incident(subject=[person]), duties={"L14": "no"})
    await square.sync()
    for report in (kept, plain):
        await boss.inspect(report.id, reason="He asked.")
    await square.sync()
    rows = {one.report_id: one for one in boss.extract("SUNE EK").reports}
    hidden, told = rows[kept.id], rows[plain.id]
    assert (hidden.person, hidden.parts, hidden.scene) == (None, {}, None)
    assert {each.code for each in hidden.left_out} == {"embargo", "author_at_risk"}
    assert told.person == person
    assert "enforcement" not in told.parts
    assert {each.part: (each.code, each.law) for each in told.left_out}["ENF"] == ("enforcement", ("OSL 18:1",))


# 24 again, last: it has a clock of its own


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def night() -> AsyncIterator[Town]:
    """A town whose clock may go on by hours."""
    async with Town(Clock(NIGHT)) as town:
        yield town


def over(report: Report) -> bool:
    """Tell whether a report is locked because the time of what it quotes is over."""
    assert report.readable == ()
    with pytest.raises(Refused) as refused:
        _ = report.subject
    return refused.value.code == "lease_ended"


async def test_24_a_copy_of_what_a_decision_opened_stays_with_its_author_until_that_ends(night: Town) -> None:
    worker, boss = await night.device("social_services"), await night.device("social_services", "supervisors")
    officer, colleague = await night.device("police"), await night.device("police")
    police_boss = await night.device("police", "supervisors")
    other = await night.replace(officer)
    everybody = (worker, boss, officer, other, colleague, police_boss)

    async def sync() -> None:
        for device in (*everybody, *everybody):
            await device.sync()

    def now() -> int:
        return int(night.clock.now().timestamp())

    contact = forms.OutreachContact(
        scene=CENTRAL, observed_at=night.clock.now(), situation="A talk.", subject=[forms.Person(alias="Nils")]
    )
    filed, until = worker.file(contact), now() + 7_200
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
    await sync()
    assert sight(officer, filed.id) == "subject"

    def incident() -> forms.OrderIncident:
        return forms.OrderIncident(
            scene=CENTRAL, observed_at=night.clock.now(), sub_kind="quarrel", subject=[forms.Person(alias="Nils")]
        )

    assert officer.readers(incident(), quotes=[filed.id]) == []
    sent = officer.file(incident(), quotes=[filed.id])
    twice = officer.file(incident(), quotes=[sent.id])
    assert officer.get(sent.id).quoted.until == until
    await sync()
    await officer.amend(sent.id, severity=2)
    await sync()
    kept = officer.file(incident(), quotes=[filed.id])
    for mine in (sent, twice):
        for device in (officer, other):
            assert device.get(mine.id).subject == [forms.Person(alias="Nils")]
        assert [find(device, mine.id) for device in (colleague, worker)] == [None, None]
        assert held(police_boss, mine.id) == []
        assert seen(officer, mine.id, "police/field") == seen(officer, mine.id, "social_services/field") == ""
        with pytest.raises(Refused):
            officer.offers(mine.id)
    assert officer.get(sent.id).version == 2

    night.clock.advance(hours=2, minutes=1)
    for device in (officer, other):
        assert over(device.get(sent.id)), "locked by the time alone"
        assert over(device.get(twice.id))
    assert over(officer.get(kept.id)), "also what was not sent"
    for mine in (sent, kept):
        with pytest.raises(Refused) as refused:
            await officer.amend(mine.id, severity=3)
        assert refused.value.code == "lease_ended"
    await sync()
    assert over(officer.get(kept.id))
    assert over(other.get(sent.id))
