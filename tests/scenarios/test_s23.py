"""S23: a youth without papers says that he is 16; the police believe that he is 22."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.cases.consents import Given
from sluss_client.errors import Refused
from sluss_client.report import Report

from tests.disclosing.people import L03
from tests.scenarios.people import CENTRAL, People, find, have, held, sight

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOUBTFUL = forms.Person(name="Sami", age_min=16, age_max=24, age_basis="estimated", description="stated 16, est. 20-24")
STATED = forms.Person(name="Sami", age_min=16, age_max=16, age_basis="stated")
NOTHING_KNOWN = forms.Person(name="Sami")
OLDER = forms.Person(name="Sami", age_min=20, age_max=24, age_basis="estimated")


def concern(square: People, person: forms.Person) -> forms.ReportOfConcern:
    """Return what the police write to social services."""
    return forms.ReportOfConcern(
        scene=CENTRAL,
        observed_at=square.town.clock.now(),
        situation="He sleeps in the underpass.",
        subject=[person],
    )


async def contact(square: People, person: forms.Person) -> Report:
    """File a worker's contact with somebody, and let the supervisor open it."""
    filed = square.worker.file(
        forms.OutreachContact(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation="A talk on a bench.",
            subject=[person],
            care="He wants a bed for the night.",
            enforcement="He was asked to carry a bag.",
        ),
        confirm_text=True,
    )
    await square.worker.sync()
    await square.workers_boss.sync()
    await square.workers_boss.inspect(filed.id, reason="Is the ground of prevention open?")
    await square.workers_boss.sync()
    return filed


async def test_the_youngest_plausible_age_puts_the_duty_and_social_services_get_the_concern(square: People) -> None:
    filed = square.police.file(concern(square, DOUBTFUL))
    assert [one.code for one in square.police.duties() if one.report_id == filed.id] == ["L11"]
    await square.police.answer(filed.id, {"L11": "send"})
    await square.sync()

    # The age stands with its doubt, for those who made it out and for those who answer the concern.
    assert square.police.get(filed.id).subject == square.reception.get(filed.id).subject == [DOUBTFUL]
    assert have(square, filed.id) == {"police", "reception"}
    assert held(square.guards_boss, filed.id) == held(square.municipal_boss, filed.id) == []
    for name in ("guard", "other_guard", "official", "nurse", "worker"):
        assert find(square.everybody[name], filed.id) is None, name


async def test_a_stated_age_alone_protects_and_only_one_that_is_surely_higher_puts_no_duty(square: People) -> None:
    put = {}
    for person in (DOUBTFUL, STATED, NOTHING_KNOWN, OLDER):
        filed = square.police.file(
            forms.DealingObservation(
                scene=CENTRAL, observed_at=square.town.clock.now(), subject=[person], care="Is shivering."
            )
        )
        put[filed.id] = [one.code for one in square.police.duties() if one.report_id == filed.id]
    assert list(put.values()) == [["L11"], ["L11"], ["L11"], []]
    for report_id, codes in put.items():
        await square.police.answer(report_id, dict.fromkeys(codes, "no"))


@pytest.mark.parametrize(
    ("person", "why"),
    [(DOUBTFUL, "over_age"), (OLDER, "over_age"), (STATED, "age_unknown"), (NOTHING_KNOWN, "age_unknown")],
)
async def test_the_ground_for_the_young_is_not_open_on_a_stated_age_nor_in_doubt(
    square: People, person: forms.Person, why: str
) -> None:
    """The trap: what he says of himself protects him, and opens nothing about him."""
    filed = await contact(square, person)
    excluded = {one.code: one.excluded for one in square.workers_boss.offers(filed.id) if one.agency == "police"}
    assert excluded["L03"] == why
    with pytest.raises(Refused) as refused:
        await square.workers_boss.disclose(filed.id, "L03", to=[square.police.alias], compartments=["subject"], **L03)
    assert (refused.value.code, refused.value.field) == ("age_limit", why)


async def test_where_somebody_comes_from_is_no_filter(square: People) -> None:
    """The trap's other half: no form asks for papers, and where somebody lives changes no answer."""
    assert not {"citizenship", "nationality", "residence_status", "residence_permit"} & set(
        forms.Person.__struct_fields__
    )
    answers = []
    for origin in ("abroad", "same_municipality", "unknown"):
        person = forms.Person(name="Sami", age_min=16, age_max=19, age_basis="estimated", origin=origin)
        filed = await contact(square, person)
        offers = square.workers_boss.offers(filed.id)
        answers.append([(one.agency, one.code, one.compartments, one.excluded) for one in offers])
        made = square.police.file(concern(square, person))
        assert [one.code for one in square.police.duties() if one.report_id == made.id] == ["L11"]
        await square.police.answer(made.id, {"L11": "no"})
    assert answers[0] == answers[1] == answers[2]


async def test_the_clinic_gets_who_he_is_when_he_consents(square: People) -> None:
    filed, until = await contact(square, DOUBTFUL), square.worker.now() + 24 * 3600
    await square.sync()
    assert find(square.nurse, filed.id) is None
    consent = square.worker.consent(
        filed.id,
        Given(
            agencies=["health"], compartments=["subject", "care"], purpose="a time at the clinic", until=until, age=16,
            given_by=("subject", "guardian"),
        ),
    )  # fmt: skip
    await square.worker.disclose(
        filed.id,
        "L01",
        to=[square.nurse.alias],
        compartments=["subject", "care"],
        tests={"consent_in_force": True, "within_consent": True},
        consent=consent,
    )
    await square.sync()
    assert "subject care" in sight(square.nurse, filed.id)
    assert find(square.police, filed.id) is None
    assert find(square.guard, filed.id) is None
