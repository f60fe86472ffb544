"""S07: the event of S06 on 10 January 2026, when guards are not yet among those who have to report a concern."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluss_client import forms
from sluss_client.errors import NotFound, Refused
from sluss_client.testing import Town
from sluss_client.testing.clock import Clock

from tests.scenarios.people import CENTRAL, sight

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVENING = datetime(2026, 1, 10, 21, tzinfo=UTC)
CHILD = forms.Person(role="child", age_min=13, age_max=14)


async def test_the_form_recommends_and_the_guard_chooses_by_the_law_of_the_day() -> None:
    async with Town(clock=Clock(EVENING)) as town:
        guard, police = await town.device("security"), await town.device("police")
        reception = await town.device("social_services", "reception")
        pack = guard.local.trust.pack(int(EVENING.timestamp()))
        assert pack.id == "SE-2025-12-01"
        assert guard.local.trust.pack(int(datetime(2026, 1, 15, tzinfo=UTC).timestamp())).id == "SE-2026-01-15"
        seen = forms.OrderIncident(
            scene=CENTRAL,
            observed_at=town.clock.now(),
            sub_kind="threat",
            severity=2,
            situation="Two young people were threatened.",
            subject=[CHILD],
        )
        assert guard.recommended(seen) == ["L19"]

        silent = guard.file(seen, duties={"L14": "send"})
        told = guard.file(seen, duties={"L14": "send", "L19": "send"})
        # No duty is open, so nothing is overdue and no supervisor is alarmed.
        assert guard.duties() == []
        boss, nurse, official = (town.founders[one] for one in ("security", "health", "municipality"))
        for device in (guard, police, reception, boss, nurse, official):
            await device.sync()
        assert [one for one in boss.tasks() if one.code in {"L11", "L19"}] == []

        assert boss.local.alarms() == []

        # To police and municipality it is what it is in January, told or not: the incident, and of a concern nothing.
        for report in (silent, told):
            assert sight(police, report.id) == "situation place subject enforcement safety author~"
            assert sight(official, report.id) == "situation place enforcement~ safety~ author~"
        assert police.get(silent.id).subject == police.get(told.id).subject == [CHILD]
        assert reception.get(told.id).subject == [CHILD]
        with pytest.raises(NotFound):
            reception.get(silent.id)
        # Health learns of neither who it was; the road of the day is the guard's to take, and no other agency's.
        for report in (silent, told):
            with pytest.raises(Refused):
                _ = nurse.get(report.id).subject
