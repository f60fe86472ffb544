"""Decisions on the grounds of the pack, from the decider's device to the receiver's, over a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.disclosing import deciding, offering
from sluss_client.errors import Invalid, NotFound, Refused, SlussError
from sluss_client.syncing import pulling
from sluss_schemas.ids import ReportId

from tests.disclosing.people import L03, L17, YOUNG, People
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="session")


def gone(device: Device, report_id: ReportId) -> bool:
    """Tell whether who it is about is not readable on a device."""
    try:
        return device.get(report_id).form_of("subject") is None
    except NotFound:
        return True


def stored(device: Device) -> Iterator[bytes]:
    """Yield what a device has in its store, opened."""
    store = device.local.store
    return (data for space in store.spaces() for _, data in store.items(space))


async def test_a_supervisor_discloses_who_a_young_person_is_to_one_police_officer(square: People) -> None:
    report = await square.filed()
    made = await square.workers_boss.disclose(
        report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03
    )
    assert made.state == "waiting"
    released = await square.disclosed(square.workers_boss, made, square.officer, square.other_officer)
    assert (released.state, released.reason, released.to) == ("released", "", (f"police/{square.officer.alias}",))

    read = square.officer.get(report.id)
    assert read.subject == [YOUNG]
    (why,) = read.because("subject")
    assert (why.gateway, why.grant, why.until, why.full) == ("L03", made.id, released.until, True)
    with pytest.raises(Refused):
        _ = read.care
    with pytest.raises((Refused, NotFound)):
        _ = square.other_officer.get(report.id).subject


async def test_what_is_missing_is_named_before_anything_leaves(square: People) -> None:
    report, boss, officer = await square.filed(), square.workers_boss, square.officer.alias

    async def wrong(**changes: object) -> tuple[str, str]:
        asked: dict[str, Any] = {"to": [officer], "compartments": ["subject"], **L03} | changes
        with pytest.raises(SlussError) as problem:
            await boss.disclose(report.id, asked.pop("gateway", "L03"), **asked)
        return problem.value.code, problem.value.field

    without = {**L03["tests"], "not_committed_crime": False}
    assert await wrong(tests=without) == ("missing_field", "tests.not_committed_crime")
    assert await wrong(tests={}) == ("missing_field", "tests.under_21")
    assert await wrong(tests={**L03["tests"], "it_helps": True}) == ("unknown_field", "tests.it_helps")
    assert await wrong(reasons={}) == ("missing_field", "reasons.concrete_circumstances")
    assert await wrong(to=[]) == ("missing_field", "to")
    assert await wrong(to=["nobody"]) == ("unknown_person", "to")
    assert await wrong(to=[square.guard.alias]) == ("no_ground", "to")
    assert await wrong(compartments=[]) == ("missing_field", "compartments")
    assert await wrong(compartments=["care"]) == ("no_ground", "compartments.care")
    assert await wrong(until=square.town.clock.now() - timedelta(hours=1)) == ("out_of_range", "until")
    assert await wrong(until=square.town.clock.now() + timedelta(hours=721)) == ("out_of_range", "until")
    assert await wrong(excerpt={"subject": ["shoe_size"]}) == ("unknown_field", "excerpt.subject.shoe_size")
    assert await wrong(gateway="L22") == ("no_ground", "gateway")
    consent = {"consent_in_force": True, "within_consent": True}
    assert await wrong(gateway="L01", tests=consent, reasons={}) == ("missing_field", "consent")
    with pytest.raises(Refused) as refused:
        await square.worker.disclose(report.id, "L03", to=[officer], compartments=["subject"], **L03)
    assert refused.value.code == "not_a_decider"
    assert [one for one in boss.disclosures() if one.report_id == report.id] == []


async def test_an_offer_says_what_the_ground_asks_and_whether_an_age_excludes_it(square: People) -> None:
    young, old = await square.filed(), await square.filed(forms.Person(name="Bo", age_min=19, age_max=22))

    (offer,) = [one for one in square.workers_boss.offers(young.id) if (one.agency, one.code) == ("police", "L03")]
    assert (offer.sv, offer.law, offer.decides, offer.may_decide) == (
        "förebygga brott, under 21 år", ("OSL 10:18a",), "supervisors", True,
    )  # fmt: skip
    assert offer.compartments == ("subject", "enforcement")
    assert (offer.max_hours, offer.approval, offer.consent, offer.excluded) == (720, "none", False, "")
    assert [test.code for test in offer.tests if test.written] == ["concrete_circumstances", "not_inappropriate"]
    assert not next(one for one in square.worker.offers(young.id) if one.code == "L03").may_decide
    assert all(one.code not in {"L09", "L10", "L22"} for one in square.workers_boss.offers(young.id))
    excluded = {one.code: one.excluded for one in square.workers_boss.offers(old.id) if one.agency == "police"}
    assert (excluded["L03"], excluded["L04"], excluded["L17"]) == ("over_age", "over_age", "")
    with pytest.raises(Refused) as refused:
        await square.workers_boss.disclose(old.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03)
    assert (refused.value.code, refused.value.field) == ("age_limit", "over_age")
    with pytest.raises(NotFound):
        square.officer.offers(young.id)


L07: Final[dict[str, Any]] = {
    "tests": {"offence_named": True, "minimum_penalty": True, "significant_for_investigation": True},
    "reasons": {"offence_named": "The sale by the fountain on Monday."},
    "compartments": ["subject"],
}


async def test_a_ground_for_crimes_that_weigh_enough_has_to_name_one(
    square: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, boss, officer = await square.filed(), square.workers_boss, square.officer

    async def wrong(gateway: str = "L07", **changes: object) -> tuple[str, str]:
        with pytest.raises(SlussError) as problem:
            await boss.disclose(report.id, gateway, **{"to": [officer.alias], **L07, **changes})
        return problem.value.code, problem.value.field

    (offer,) = [one for one in boss.offers(report.id) if (one.agency, one.code) == ("police", "L07")]
    attempts = {one.code: one.attempt for one in offer.offences}
    assert attempts.items() >= {"narcotics_sale": False, "narcotics_gross": True, "threat_gross": False}.items()
    assert attempts.keys().isdisjoint({"narcotics_own_use", "theft", "assault"})
    assert await wrong() == ("missing_field", "offence")
    assert await wrong(offence="nothing_that_is_listed") == ("unknown_code", "offence")
    assert await wrong(offence="narcotics_own_use") == ("no_ground", "offence")
    assert await wrong(offence="narcotics_sale", attempt=True) == ("no_ground", "offence")
    assert await wrong("L03", **L03, offence="narcotics_gross") == ("unknown_field", "offence")

    made = await boss.disclose(report.id, "L07", to=[officer.alias], **L07, offence="narcotics_sale")
    released = await square.disclosed(boss, made, officer)
    assert (released.state, released.field) == ("released", "")
    assert officer.get(report.id).subject == [YOUNG]

    # A client that forgets to ask is refused by the server.
    monkeypatch.setattr(deciding, "_offence", lambda *_: ("offence:narcotics_own_use",))
    made = await boss.disclose(report.id, "L07", to=[officer.alias], **L07)
    refused = await square.disclosed(boss, made, officer)
    assert (refused.state, refused.reason, refused.field) == ("refused", "not_allowed", "grant.L07.offence")


async def test_the_twenty_first_birthday_ends_it_at_midnight_and_the_reader_needs_nobody_to_say_so(
    square: People,
) -> None:
    clock, start = square.town.clock, square.town.clock.now()
    zone = ZoneInfo("Europe/Stockholm")
    birthday = (start.astimezone(zone) + timedelta(days=2)).date()
    number = f"{birthday.year - 21}{birthday:%m%d}-0000"
    report = await square.filed(forms.Person(name="Cleo", personal_number=number))
    made = await square.workers_boss.disclose(
        report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03
    )
    released = await square.disclosed(square.workers_boss, made, square.officer)
    assert released.until == datetime.combine(birthday, time(), zone).timestamp()
    try:
        clock.set(datetime.combine(birthday, time(), zone) - timedelta(minutes=5))
        await square.officer.sync()
        assert square.officer.get(report.id).form_of("subject") == "full"
        clock.advance(minutes=6)
        assert gone(square.officer, report.id)
        assert [one.state for one in square.workers_boss.disclosures() if one.id == made.id] == ["lapsed"]
    finally:
        clock.set(start)
        await square.sync()


async def test_a_ground_for_the_moment_opens_what_the_intervention_needs_and_somebody_looks_at_it_again(
    square: People,
) -> None:
    report = square.worker.file(square.contact(), confirm_text=True)
    codes = ("met_by_staff", "may_be_under_18", "imminent_risk_or_caught", "needed_for_intervention")
    made = await square.worker.disclose(
        report.id,
        "L04",
        to=[square.officer.alias],
        compartments=["subject"],
        tests=dict.fromkeys(codes, True),
        reasons={"imminent_risk_or_caught": "She was about to take what she had bought."},
        until=square.town.clock.now() + timedelta(hours=3),
    )
    released = await square.disclosed(square.worker, made, square.officer, square.workers_boss)

    assert released.state == "released"
    read = square.officer.get(report.id)
    # L04 draws along situation and place as they are: whoever intervenes has to find her.
    assert (read.subject, read.situation) == ([YOUNG], "A talk on a bench.")
    assert read.place == forms.Place(name="the bench by the fountain")
    (asked,) = [one for one in square.workers_boss.reviews() if one.grant_id == made.id]
    assert (asked.by, asked.upheld) == (square.worker.alias, None)
    assert asked.reasons == (("imminent_risk_or_caught", "She was about to take what she had bought."),)


async def test_break_glass_is_reviewed_by_a_supervisor_and_what_is_not_upheld_is_recalled(square: People) -> None:
    report = await square.filed()
    made = await square.worker.disclose(report.id, "L17", to=[square.guard.alias], compartments=["subject"], **L17)
    released = await square.disclosed(square.worker, made, square.guard, square.workers_boss)
    assert (released.state, released.review_by) == ("released", released.decided_at + 24 * 3600)
    assert square.guard.get(report.id).subject == [YOUNG]
    with pytest.raises(Refused):
        await square.worker.review(made.id, upheld=True, reason="It was mine.")

    await square.workers_boss.review(made.id, upheld=False, reason="There was no danger.")
    await square.workers_boss.sync()
    await square.guard.sync()
    assert gone(square.guard, report.id)
    await square.guard.sync()
    await square.workers_boss.sync()
    (recall,) = [one for one in square.workers_boss.recalls() if one.grant_id == made.id]
    assert [alias for alias, _, _ in recall.confirmed] == [f"security/{square.guard.alias}"]
    assert recall.missing == ()
    assert [one.upheld for one in square.workers_boss.reviews() if one.grant_id == made.id] == [False]
    # Why a decision was wrong is for the agency that made it.
    assert b"There was no danger" in decrypted(square.workers_boss.local.store)
    assert b"There was no danger" not in decrypted(square.guard.local.store)


async def test_a_recall_reaches_who_is_there_and_lists_who_is_not(square: People) -> None:
    report, boss = await square.filed(), square.workers_boss
    both = [square.officer.alias, f"police/{square.other_officer.alias}"]
    made = await boss.disclose(report.id, "L03", to=both, compartments=["subject"], **L03)
    await square.disclosed(boss, made, square.officer, square.other_officer)

    await boss.recall(made.id, "It was another person.", "corrected")
    await boss.sync()
    await square.officer.sync()
    assert gone(square.officer, report.id)
    assert square.other_officer.get(report.id).subject == [YOUNG]
    await square.officer.sync()
    await boss.sync()
    (recall,) = [one for one in boss.recalls() if one.grant_id == made.id]
    assert (recall.code, [alias for alias, _, _ in recall.confirmed]) == (
        "corrected", [f"police/{square.officer.alias}"],
    )  # fmt: skip
    assert [alias for alias, _ in recall.missing] == [f"police/{square.other_officer.alias}"]
    assert [one.state for one in boss.disclosures() if one.id == made.id] == ["recalled"]
    with pytest.raises(Invalid):
        await boss.recall(made.id, "once more")
    await square.sync()
    assert gone(square.other_officer, report.id)


async def test_whoever_is_offline_loses_it_when_the_lease_ends(square: People) -> None:
    report, clock, start = await square.filed(), square.town.clock, square.town.clock.now()
    made = await square.workers_boss.disclose(
        report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03
    )
    await square.disclosed(square.workers_boss, made, square.officer)
    await square.workers_boss.recall(made.id, "It was another person.")
    await square.workers_boss.sync()
    try:
        clock.advance(hours=11, minutes=55)
        assert square.officer.get(report.id).subject == [YOUNG]
        clock.advance(minutes=10)
        assert gone(square.officer, report.id)
    finally:
        clock.set(start)
        await square.sync()


async def test_an_excerpt_gives_the_name_and_no_contact_and_of_two_persons_one(square: People) -> None:
    other = forms.Person(name="Danilo", age_min=30, age_max=35)
    report = await square.filed(forms.Person(name="Alva", age_max=19, contact="070-111 11 11"), other)
    with pytest.raises(Refused) as refused:
        await square.workers_boss.disclose(report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03)
    assert refused.value.code == "age_limit"

    made = await square.workers_boss.disclose(
        report.id,
        "L03",
        to=[square.officer.alias],
        compartments=["subject"],
        excerpt={"subject": ["1.name", "1.age_max"]},
        **L03,
    )
    await square.disclosed(square.workers_boss, made, square.officer)
    read = square.officer.get(report.id)
    assert read.subject == [forms.Person(name="Alva", age_max=19)]
    assert [one.excerpt for one in read.because("subject")] == [True]
    assert b"Danilo" not in b"".join(stored(square.officer))
    assert b"070-111" not in b"".join(stored(square.officer))


async def test_a_wider_decision_that_ends_leaves_the_excerpt_and_nothing_more(square: People) -> None:
    report, boss, officer = await square.filed(), square.workers_boss, square.officer
    some = await boss.disclose(
        report.id, "L03", to=[officer.alias], compartments=["subject"], excerpt={"subject": ["name"]}, **L03
    )
    await square.disclosed(boss, some, officer)
    everything = await boss.disclose(report.id, "L03", to=[officer.alias], compartments=["subject"], **L03)
    await square.disclosed(boss, everything, officer)
    assert officer.get(report.id).subject == [YOUNG]

    await boss.recall(everything.id, "The name was enough.")
    await boss.sync()
    await officer.sync()
    assert officer.get(report.id).subject == [forms.Person(name="Alva")]


async def test_a_client_that_asks_for_no_tests_is_refused_by_the_server(
    square: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await square.filed()
    monkeypatch.setattr(deciding, "_answers", lambda _gateway, _wanted: (("under_21",), (("under_21", "x"),)))
    made = await square.workers_boss.disclose(report.id, "L03", to=[square.officer.alias], compartments=["subject"])
    after = await square.disclosed(square.workers_boss, made, square.officer)
    assert (after.state, after.reason, after.field) == ("refused", "not_allowed", "grant.L03.tests")
    assert gone(square.officer, report.id)

    monkeypatch.setattr(deciding, "_answers", lambda gateway, _: (tuple(one.code for one in gateway.tests), ()))
    made = await square.workers_boss.disclose(report.id, "L03", to=[square.officer.alias], compartments=["subject"])
    after = await square.disclosed(square.workers_boss, made, square.officer)
    assert (after.state, after.field) == ("refused", "grant.L03.reasons")


async def test_a_client_that_forgets_the_function_and_the_clock_is_refused_by_the_server(
    square: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await square.filed()
    monkeypatch.setattr(offering, "may_decide", lambda _local, _gateway: True)
    made = await square.worker.disclose(report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03)
    after = await square.disclosed(square.worker, made, square.officer)
    assert (after.state, after.field) == ("refused", "grant.L03.decides")

    monkeypatch.setattr(deciding, "ends", lambda *_: None)
    made = await square.workers_boss.disclose(
        report.id, "L03", to=[square.officer.alias], compartments=["subject"], **L03
    )
    after = await square.disclosed(square.workers_boss, made, square.officer)
    assert (after.state, after.field) == ("refused", "grant.L03.not_after")
    assert gone(square.officer, report.id)


async def test_a_report_whose_kind_is_secret_says_its_kind_to_whom_it_is_disclosed_and_to_nobody_else(
    square: People,
) -> None:
    form = forms.AbsentPersonConcern(
        scene="central-square",
        observed_at=square.town.clock.now(),
        situation="She has not been seen since Monday.",
        subject=[YOUNG],
    )
    report = square.worker.file(form, confirm_text=True)
    made = await square.worker.disclose(report.id, "L17", to=[square.officer.alias], compartments=["subject"], **L17)
    released = await square.disclosed(square.worker, made, square.officer, square.other_officer)
    assert (released.state, released.reason, released.field) == ("released", "", "")
    read = square.officer.get(report.id)
    assert (read.kind, read.subject) == ("absent_person_concern", [YOUNG])
    assert square.officer.local.alarms() == []
    with pytest.raises(NotFound):
        square.other_officer.get(report.id)


async def test_a_recall_is_enough_where_the_server_withholds_the_end(
    square: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, boss, officer = await square.filed(), square.workers_boss, square.officer
    made = await boss.disclose(report.id, "L03", to=[officer.alias], compartments=["subject"], **L03)
    await square.disclosed(boss, made, officer)
    await boss.recall(made.id, "It was another person.")
    await boss.sync()
    monkeypatch.setattr(pulling._Purge, "drop", lambda *_: 0)
    await officer.sync()
    assert gone(officer, report.id)
    held = officer.local.replica.get(boss.local.trust.own_id, report.id)
    assert held is None or not any(hold.grant == made.id for one in held.versions for hold in one.holds)


async def test_what_has_not_left_yet_is_withdrawn_and_never_leaves(square: People) -> None:
    report, boss, officer = await square.filed(), square.workers_boss, square.officer
    made = await boss.disclose(report.id, "L03", to=[officer.alias], compartments=["subject"], **L03)
    await boss.recall(made.id, "A slip.")
    after = await square.disclosed(boss, made, officer)
    assert after.state == "withdrawn"
    assert gone(officer, report.id)
    assert [one for one in boss.recalls() if one.grant_id == made.id] == []


async def test_a_person_who_left_before_it_was_sent_gets_nothing(square: People) -> None:
    leaver = await square.town.device("police")
    report, boss = await square.filed(), square.workers_boss
    made = await boss.disclose(report.id, "L03", to=[leaver.alias], compartments=["subject"], **L03)
    await square.town.founders["police"].registrar.revoke(leaver.alias, "lost")
    after = await square.disclosed(boss, made)
    assert (after.state, after.reason, after.field) == ("refused", "no_ground", "to")
