"""S12: a regular at the Bench tells outreach staff that nobody has seen 'Lasse' for a week."""

from __future__ import annotations

import pytest

from sluss_client import forms
from sluss_client.errors import NotFound
from sluss_schemas.ids import ReportId

from tests.scenarios.people import CENTRAL, People, have, held, holders
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_concern_is_the_teams_and_the_informant_is_kept_apart(square: People) -> None:
    filed = square.worker.file(
        forms.AbsentPersonConcern(
            scene=CENTRAL,
            observed_at=square.town.clock.now(),
            situation="Nobody has seen him for a week.",
            last_seen_days=7,
            subject=[forms.Person(alias="Lasse")],
            informant="a regular at the Bench",
            case_staff=[square.other_worker.person_id],
        )
    )
    await square.sync()

    assert have(square, filed.id) == {"worker", "other_worker"}
    assert square.other_worker.get(filed.id).subject == [forms.Person(alias="Lasse")]
    full = square.other_worker.get(filed.id).full_arrays()
    assert "a regular" not in repr(full)
    # Own supervisors know of a row of a secret kind, not of which, until they open it for a reason.
    assert [row.kind for row in square.workers_boss.held() if row.report_id == filed.id] == [""]
    assert held(square.workers_boss, filed.id) == [1]
    # A welfare check by the police needs a consent that was given, or danger to life; the guards get nothing at all.
    offered = {(one.agency, one.code) for one in square.worker.offers(filed.id) if "subject" in one.compartments}
    assert {code for agency, code in offered if agency == "police"} == {"L01", "L17"}
    assert {code for agency, code in offered if agency == "health"} >= {"L15", "L17"}
    assert not [agency for agency, _ in offered if agency in {"security", "municipality"}]


async def test_nobody_else_can_find_out_that_the_concern_exists(square: People) -> None:
    """The trap: no search by alias, and an answer that is the same for what exists and for what does not."""
    filed = square.worker.file(
        forms.AbsentPersonConcern(
            scene=CENTRAL, observed_at=square.town.clock.now(), subject=[forms.Person(alias="Lasse-at-the-Bench")]
        )
    )
    await square.sync()
    others = {name: device for name, device in square.everybody.items() if device.agency != "social_services"}
    assert not holders(square, filed.id) & set(others)
    for device in others.values():
        refused = []
        for wanted in (filed.id, ReportId(bytes(16))):
            with pytest.raises(NotFound) as missing:
                device.get(wanted)
            refused.append((missing.value.code, missing.value.field, missing.value.say))
        assert refused[0] == refused[1]
        assert b"Lasse-at-the-Bench" not in decrypted(device.local.store)
    async with asking(square.police, square.town.url) as raw:
        assert not any(bytes(filed.id) in answer.body for answer in await raw.everything())
