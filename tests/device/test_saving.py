"""What filing does besides saving: holds, the question about names, the note of a seizure, duties by law of the day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, Invalid, NotFound, Refused, forms
from sluss_client.testing import Town
from sluss_schemas.brief import Brief
from sluss_schemas.ids import ReportId

pytestmark = pytest.mark.asyncio(loop_scope="module")

SQUARE = "central-square"
CHILD = forms.Person(role="child", age_min=13, age_max=14)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """All five agencies on a real server."""
    async with Town() as built:
        yield built


def incident(town: Town, **changes: object) -> forms.OrderIncident:
    values: dict[str, object] = {
        "scene": SQUARE,
        "observed_at": town.clock.now(),
        "sub_kind": "threat",
        "situation": "Two men threatened a shop assistant.",
    }
    return forms.OrderIncident(**(values | changes))  # type: ignore[arg-type]  # the form checks them


def seizure(town: Town, **changes: object) -> forms.SeizureOrFind:
    values: dict[str, object] = {
        "scene": SQUARE,
        "observed_at": town.clock.now(),
        "found_as": "seizure",
        "substances": ["op_heroin"],
        "amount": 40_000,
        "unit": "g",
        "place": "under the third bench",
        "subject": [forms.Person(name="Kalle", role="suspect", age_min=19, age_max=19)],
        "enforcement": "forty grams in the jacket",
    }
    return forms.SeizureOrFind(**(values | changes))  # type: ignore[arg-type]  # the form checks them


async def given(filer: Device, *readers: Device) -> None:
    await filer.sync()
    for reader in readers:
        await reader.sync()


def has(device: Device, report_id: ReportId) -> bool:
    try:
        device.get(report_id)
    except NotFound:
        return False
    return True


def audiences(device: Device, what: object, **how: object) -> set[str]:
    return {row.audience.split("/")[0] for row in device.readers(what, **how)}  # type: ignore[arg-type]


# held at filing


@pytest.mark.parametrize("hold", ["embargo", "review"])
async def test_what_is_held_reaches_the_own_agency_alone_and_its_readers_say_so(town: Town, hold: str) -> None:
    guard, colleague = await town.device("security"), await town.device("security")
    officer, worker = await town.device("police"), await town.device("social_services")
    form = incident(town)
    assert audiences(guard, form) == {"security", "police", "social_services", "municipality", "health"}
    assert audiences(guard, form, hold=hold) == {"security"}

    filed = guard.file(form, hold=hold)  # type: ignore[arg-type]  # one of the two
    assert filed.hold == hold
    assert audiences(guard, filed) == {"security"}
    await given(guard, colleague, officer, worker)
    assert (has(colleague, filed.id), has(officer, filed.id), has(worker, filed.id)) == (True, False, False)
    assert colleague.get(filed.id).hold == hold

    # An amendment, also a colleague's, releases nothing by being one.
    await colleague.amend(filed.id, severity=3)
    await given(colleague, guard, officer)
    assert guard.get(filed.id).severity == 3
    assert not has(officer, filed.id)
    await colleague.amend(filed.id, situation="No names here.", confirm_text=True)
    await given(colleague, officer)
    assert has(officer, filed.id) is (hold == "review")


async def test_a_duty_goes_out_although_the_report_is_held(town: Town) -> None:
    guard, officer = await town.device("security"), await town.device("police")
    reception, worker = await town.device("social_services", "reception"), await town.device("social_services")
    form = incident(town, subject=[CHILD], care="cold and hungry", enforcement="not for them")
    filed = guard.file(form, duties={"L11": "send"}, hold="embargo")
    assert audiences(guard, filed) == {"security", "social_services"}

    await given(guard, officer, reception, worker)
    assert reception.get(filed.id).subject == [CHILD]
    assert not has(officer, filed.id)
    assert not has(worker, filed.id)

    # Answered later it goes out as well, and as little besides.
    late = guard.file(form, hold="embargo")
    await guard.sync()
    await guard.answer(late.id, {"L11": "send"})
    await given(guard, reception, officer)
    assert reception.get(late.id).subject == [CHILD]
    assert reception.get(late.id).readable == reception.get(filed.id).readable
    assert not has(officer, late.id)


async def test_a_planned_operation_is_kept_back_by_itself_and_makes_no_note(town: Town) -> None:
    officer, colleague, guard = await town.device("police"), await town.device("police"), await town.device("security")
    planned = forms.ActivityLog(scene=SQUARE, observed_at=town.clock.now(), planned=True, safety=["dog"])
    filed = officer.file(planned)
    assert filed.hold == "embargo"
    before = {report.id for report in guard.reports()}
    held = officer.file(seizure(town), hold="embargo")
    await given(officer, colleague, guard)
    assert has(colleague, filed.id)
    assert {report.id for report in guard.reports()} == before
    assert [one.kind for one in colleague.reports() if one.state == "received"].count("market_note") == 0
    assert held.hold == "embargo"


# free text


async def test_a_text_that_names_somebody_stays_until_its_author_says_that_it_does_not(town: Town) -> None:
    guard, officer = await town.device("security"), await town.device("police")
    form = incident(town, situation="Petter Bergdahl threatened a shop assistant.")
    assert [(one.field, one.kind, one.start, one.end) for one in guard.check_text(form)] == [
        ("situation", "name", 0, 15)
    ]
    held, told = guard.file(form), guard.file(form, confirm_text=True)
    assert (held.hold, told.hold) == ("review", "")
    assert audiences(guard, held) == {"security"}
    await given(guard, officer)
    assert not has(officer, held.id)
    assert officer.get(told.id).situation == form.situation

    await guard.amend(held.id, situation="A man threatened a shop assistant.", confirm_text=True)
    await given(guard, officer)
    assert officer.get(held.id).situation == "A man threatened a shop assistant."


async def test_what_leaves_for_nobody_in_full_is_not_asked_about(town: Town) -> None:
    guard = await town.device("security")
    # Care and enforcement go out as a brief at most, and by a duty; the person is written where persons belong.
    form = incident(town, care="Petter Bergdahl, 850412-1234", enforcement="Petter Bergdahl", subject=[CHILD])
    assert guard.check_text(form) == []
    assert guard.file(form).hold == ""


async def test_social_services_and_health_confirm_every_text_that_leaves_in_full(town: Town) -> None:
    worker, guard = await town.device("social_services"), await town.device("security")
    defect = forms.PlaceDefect(scene=SQUARE, observed_at=town.clock.now(), situation="the lamp is broken")
    assert worker.check_text(defect) == []
    assert worker.file(defect).hold == "review"
    confirmed = worker.file(defect, confirm_text=True)
    # Where no text leaves in full there is nothing to confirm, and guards are not asked.
    coded = worker.file(forms.PlaceDefect(scene=SQUARE, observed_at=town.clock.now(), defects=["lighting_out"]))
    contact = worker.file(forms.OutreachContact(scene=SQUARE, observed_at=town.clock.now(), situation="a talk"))
    assert (confirmed.hold, coded.hold, contact.hold, guard.file(defect).hold) == ("", "", "", "")
    await given(worker, guard)
    assert guard.get(confirmed.id).situation == "the lamp is broken"


# the note of a seizure


async def test_a_seizure_files_its_note_in_the_same_step_and_nobody_types_it(town: Town) -> None:
    officer, colleague = await town.device("police"), await town.device("police")
    worker, guard, nurse = [await town.device(one) for one in ("social_services", "security", "health")]
    before = {device: {one.id for one in device.reports()} for device in (worker, guard, nurse)}
    filed = officer.file(seizure(town))
    assert [row.kind for row in officer.waiting()] == ["seizure_or_find", "market_note"]

    await given(officer, colleague, worker, guard, nurse)
    made = officer.made_note(filed.id)
    assert made is not None
    for reader in (worker, guard, nurse):
        notes = [one for one in reader.reports("central-square") if one.id not in before[reader]]
        (note,) = [one for one in notes if one.kind == "market_note"]
        assert note.id == made != filed.id
        said = note.situation
        assert isinstance(said, Brief)
        assert (said.values["substances"], said.values["direction"], said.values["caution"]) == (
            ["op_heroin"],
            "down",
            "unrest",
        )
        assert said.values["valid_hours"] == 72
        assert note.scene == SQUARE
        for closed in ("subject", "enforcement", "care"):
            with pytest.raises(Refused):
                getattr(note, closed)
        known = repr([(one.full_arrays(), one.readable, one.situation) for one in notes])
        assert not any(leak in known for leak in ("40000", "third bench", "Kalle", "19", "forty"))

    # A mark of its own does not tell which seizure it is of.
    mark = officer.get(made).event
    assert len(mark) == len(officer.get(filed.id).event) == 16
    assert mark != officer.get(filed.id).event
    # It follows the seizure and is no one's to rewrite; who corrects the seizure corrects the note.
    with pytest.raises(Refused) as refused:
        await officer.amend(made, caution="information")
    assert refused.value.code == "cannot_amend"
    await officer.amend(filed.id, substances=["op_fentanyl"], caution="overdose_risk")
    await given(officer, worker)
    said = worker.get(made).situation
    assert isinstance(said, Brief)
    assert (said.values["substances"], said.values["caution"]) == (["op_fentanyl"], "overdose_risk")
    # An amendment that changes nothing of it makes no other version.
    version = worker.get(made).version
    await officer.amend(filed.id, amount=41_000)
    await given(officer, worker)
    assert worker.get(made).version == version
    assert officer.get(made).event == mark


async def test_only_the_owner_knows_which_report_made_a_note(town: Town) -> None:
    officer, guard = await town.device("police"), await town.device("security")
    filed = officer.file(seizure(town))
    note = officer.made_note(filed.id)
    assert note is not None
    assert officer.get(note).kind == "market_note"
    await given(officer, guard)
    assert guard.made_note(filed.id) is None
    assert filed.id.hex() not in repr(vars(guard.get(note)))


async def test_an_old_seizure_and_one_by_an_agency_without_notes_make_none(town: Town) -> None:
    officer, guard = await town.device("police"), await town.device("security")
    old = officer.file(seizure(town, observed_at=town.clock.now() - timedelta(days=5)))
    assert officer.made_note(old.id) is None
    found = guard.file(seizure(town, subject=[], enforcement=None))
    assert guard.made_note(found.id) is None
    assert [row.kind for row in guard.waiting()] == ["seizure_or_find"]


# duties by the law of the day of the event


async def test_a_duty_is_due_by_the_law_of_the_day_of_the_event_and_recommended_before(town: Town) -> None:
    guard, reception = await town.device("security"), await town.device("social_services", "reception")
    zone = town.clock.now().tzinfo
    before, after = (datetime(2026, 1, day, 21, tzinfo=zone) for day in (10, 20))
    assert town.clock.now() > after
    early = incident(town, observed_at=before, subject=[CHILD])
    assert "L11" in guard.recommended(early)
    assert "L11" not in guard.recommended(incident(town, observed_at=after, subject=[CHILD]))

    filed = guard.file(early)
    assert "L11" not in [duty.code for duty in guard.duties() if duty.report_id == filed.id]
    due = guard.file(incident(town, observed_at=after, subject=[CHILD]))
    assert "L11" in [duty.code for duty in guard.duties() if duty.report_id == due.id]

    # Whoever tells by choice may.
    told = guard.file(early, duties={"L11": "send"})
    await given(guard, reception)
    assert has(reception, told.id)
    assert not has(reception, filed.id)


async def test_an_unknown_answer_is_refused_and_leaves_nothing(town: Town) -> None:
    officer = await town.device("police")
    with pytest.raises(Invalid):
        officer.file(seizure(town), duties={"L99": "send"})
    assert officer.waiting() == []


# two records of one event


async def test_a_link_is_kept_by_whoever_amends_and_ends_when_it_is_taken_back(town: Town) -> None:
    guard, officer, colleague = [await town.device(one) for one in ("security", "police", "police")]
    theirs = guard.file(incident(town))
    await given(guard, officer)
    ours = officer.file(incident(town), same_event=theirs.id)
    assert (ours.linked, officer.get(theirs.id).linked) == ((theirs.id,), (ours.id,))
    await given(officer, colleague, guard)

    changed = await colleague.amend(ours.id, situation="Three men.")
    assert (changed.event, changed.linked) == (ours.event, (theirs.id,))
    # A colleague's device does not know what the server was told, and says nothing of it.
    assert [row.counts for row in colleague.local.outbox.rows()] == [None]
    await given(colleague, officer, guard)
    assert guard.get(theirs.id).linked == (ours.id,)

    town.clock.advance(seconds=1)
    await colleague.amend(ours.id, same_event=None)
    await given(colleague, officer, guard)
    assert guard.get(theirs.id).linked == officer.get(ours.id).linked == ()
    assert officer.get(ours.id).event != ours.event
    assert colleague.local.outbox.rows()[-1].counts is True


async def test_what_was_filed_without_a_mark_gets_one_when_it_is_amended(town: Town) -> None:
    guard = await town.device("security")
    filed = guard.file(incident(town))
    [row] = guard.local.outbox.rows()
    guard.local.outbox.save(msgspec.structs.replace(row, event=b""))
    assert (guard.get(filed.id).event, guard.get(filed.id).linked) == (b"", ())
    with pytest.raises(Refused):
        guard.file(incident(town), same_event=filed.id)
    assert len((await guard.amend(filed.id, severity=2)).event) == 16


async def test_only_what_is_here_and_open_in_full_can_be_of_the_same_event(town: Town) -> None:
    guard, officer, nurse = [await town.device(one) for one in ("security", "police", "health")]
    theirs = guard.file(incident(town))
    ours = officer.file(incident(town))
    await given(guard, officer, nurse)
    before = len(officer.local.outbox.rows())
    with pytest.raises(NotFound) as unknown:
        officer.file(incident(town), same_event=bytes(16).hex())
    assert unknown.value.field == "same_event"
    with pytest.raises(NotFound):
        await officer.amend(ours.id, same_event=bytes(16).hex())
    with pytest.raises(Invalid):
        officer.file(incident(town), same_event="that one")
    # Health has a brief of it, which carries no mark.
    assert isinstance(nurse.get(theirs.id).situation, Brief)
    with pytest.raises(Refused) as closed:
        nurse.file(forms.OverdoseEvent(scene=SQUARE, observed_at=town.clock.now()), same_event=theirs.id)
    assert (closed.value.code, nurse.get(theirs.id).event) == ("closed", b"")

    assert (await officer.amend(ours.id, same_event=theirs.id)).linked == (theirs.id,)
    # What is locked is linked to nothing, and nothing can be linked to it.
    town.clock.advance(hours=80)
    assert officer.get(theirs.id).linked == officer.get(ours.id).linked == ()
    with pytest.raises(Refused) as locked:
        officer.file(incident(town), same_event=theirs.id)
    assert locked.value.code == "lease_ended"
    assert len(officer.local.outbox.rows()) == before + 1
