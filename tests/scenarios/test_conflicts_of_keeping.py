"""Conflicts of docs/secrecy-rules.md B7 about how long a report is kept or shown: number 30, and 28 for warnings.

A town of two agencies with a clock of its own, because the story takes more than a year.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import NotFound, Refused
from sluss_client.report import Report
from sluss_client.syncing import expiring
from sluss_client.syncing.sync_core import Tally
from sluss_client.testing import Clock, Town
from sluss_schemas.ids import ReportId

from tests.scenarios.people import CENTRAL, KALLE
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="module")

START: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
TRIES: Final = 40
CARRIES: Final = "He carries a knife in his sleeve."


@dataclass
class Guards:
    """Who is there."""

    town: Town
    guard: Device
    colleague: Device
    boss: Device
    officer: Device

    @property
    def everybody(self) -> list[Device]:
        """Every device, the registrars' first: what follows needs the keys that they renew."""
        return [*self.town.founders.values(), self.guard, self.colleague, self.boss, self.officer]

    async def sync(self) -> None:
        """Let everybody sync, twice, so that what one pushes the others have."""
        for _ in range(2):
            for device in self.everybody:
                await device.sync()

    def file(self, device: Device, text: str) -> ReportId:
        """Write down an incident with a person in it."""
        return device.file(
            forms.OrderIncident(
                scene=CENTRAL,
                observed_at=self.town.clock.now(),
                sub_kind="threat",
                severity=2,
                number_band="2-4",
                situation=text,
                subject=[KALLE],
            ),
            duties={"L14": "no"},
        ).id

    def keepers(self, report_id: ReportId) -> set[Device]:
        """Return on whose device anything at all names a report."""
        return {one for one in self.everybody if bytes(report_id) in decrypted(one.local.store)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guards() -> AsyncIterator[Guards]:
    """The guards and the police, before anything has happened."""
    async with Town(Clock(START), agencies=("security", "police")) as town:
        yield Guards(
            town,
            guard=await town.device("security"),
            colleague=await town.device("security"),
            boss=await town.device("security", "supervisors"),
            officer=await town.device("police"),
        )


def found(device: Device, report_id: ReportId) -> Report | None:
    """Return a report as a device has it."""
    try:
        return device.get(report_id)
    except NotFound:
        return None


async def until(device: Device, what: Callable[[], bool]) -> None:
    """Sync a device until the server's next look has done something."""
    for _ in range(TRIES):
        await device.sync()
        if what():
            return
        await asyncio.sleep(0.25)
    pytest.fail("the server did nothing")


async def opens(boss: Device, kept: ReportId) -> None:
    """Have a supervisor open what a hold keeps."""
    assert [row.report_id for row in boss.held()] == [kept]
    assert [(one.report_id, one.reason, one.state) for one in boss.preserved()] == [
        (kept, "The court has asked for it.", "placed")
    ]
    await boss.inspect(kept, reason="The court's letter of today.")
    await boss.sync()
    await boss.sync()
    opened = found(boss, kept)
    assert opened is not None
    assert opened.situation == "A shop assistant was threatened."


async def test_28_a_warning_about_a_person_is_over_after_three_days_where_no_server_can_say_so(guards: Guards) -> None:
    town, boss, officer = guards.town, guards.boss, guards.officer
    warning = guards.guard.file(
        forms.SafetyAlert(scene=CENTRAL, observed_at=town.clock.now(), situation=CARRIES, subject=[KALLE]),
        duties={"L14": "send"},
    ).id
    await guards.sync()
    readers = [guards.guard, guards.colleague, officer]
    assert all(found(device, warning) is not None for device in readers)
    # A copy of it is for as long, and goes no further meanwhile.
    incident = forms.OrderIncident(scene=CENTRAL, observed_at=town.clock.now(), sub_kind="threat", severity=2)
    copy = guards.colleague.file(incident, quotes=[warning])
    await guards.sync()
    assert (copy.readable != (), found(guards.guard, copy.id)) == (True, None)

    # Nobody is reached from here on; what they have would be theirs for longer by its lease.
    town.clock.advance(hours=30)
    await officer.sync()
    town.clock.advance(hours=41)
    assert all(found(device, warning) is not None for device in readers)
    town.clock.advance(hours=1)
    for device in readers:
        assert found(device, warning) is None
        assert warning not in {one.id for one in device.reports()}
    assert (left := found(guards.colleague, copy.id)) is not None
    assert not left.readable

    # Nor do they have it, once they are: only the own supervisors do, each time for a reason.
    expiring.run(officer.local, officer.now(), Tally())
    assert bytes(warning) not in decrypted(officer.local.store)
    await guards.sync()
    assert guards.keepers(warning) <= {town.founders["security"], boss}
    assert not any(CARRIES.encode() in decrypted(device.local.store) for device in guards.everybody)
    with pytest.raises(NotFound):
        boss.get(warning)
    await boss.inspect(warning, reason="The man has complained.")
    await boss.sync()
    opened = boss.get(warning)
    assert (opened.situation, opened.subject) == (CARRIES, [KALLE])

    town.clock.advance(days=90, hours=2)
    await until(boss, lambda: found(boss, warning) is None)
    await guards.sync()
    assert not any(one.report_id == warning for one in boss.held())


async def test_30_a_legal_hold_wins_over_culling_and_narrows_access_to_itself(guards: Guards) -> None:
    town, boss = guards.town, guards.boss
    kept = guards.file(guards.guard, "A shop assistant was threatened.")
    other = guards.file(guards.guard, "A quarrel by the fountain.")
    await guards.sync()
    with pytest.raises(Refused):
        guards.guard.preserve(kept, "I want to keep it.")
    with pytest.raises(NotFound):
        guards.boss.preserve(ReportId(bytes(16)), "Nothing is there.")
    hold = boss.preserve(kept, "The court has asked for it.")
    await guards.sync()
    readers = [guards.guard, guards.colleague, guards.officer]

    # Within its time everybody has what they had, with the hold and without.
    for days in (120, 120, 124):
        town.clock.advance(days=days)
        await guards.sync()
    for device in readers:
        assert found(device, kept) is not None
        assert found(device, other) is not None
    await guards.colleague.amend(other, situation="A quarrel by the fountain, and what became of it.")

    # Its time has run out: the one without a hold is gone, on the server and on every device.
    town.clock.advance(days=2)
    await until(guards.officer, lambda: found(guards.officer, other) is None)
    await guards.sync()
    assert guards.keepers(other) == {guards.colleague}
    # What was written about it afterwards brings nothing back, and is not lost without a word either.
    [waiting] = guards.colleague.waiting()
    assert (waiting.report_id, waiting.state, waiting.reason) == (other, "refused", "culled")

    # The other is there for the own supervisors alone, who open it for a reason.
    own = {town.founders["security"], boss}
    assert guards.keepers(kept) == own
    for device in readers:
        assert found(device, kept) is None
        assert kept not in {one.id for one in device.reports()}
        assert kept not in {one.report_id for one in device.held()}
    await opens(boss, kept)

    # The hold is over, and so is the report.
    boss.end_preservation(hold, "The judgment is final.")
    await boss.sync()
    assert [(one.state, one.ended_because) for one in boss.preserved()] == [("lifted", "The judgment is final.")]
    with pytest.raises(NotFound):
        boss.end_preservation(hold, "Once more.")
    town.clock.advance(hours=2)
    await until(boss, lambda: found(boss, kept) is None)
    await guards.sync()
    assert all(found(device, kept) is None and not device.held() for device in guards.everybody)
    # What is left is that there was a hold, and why.
    assert guards.keepers(kept) == own
    assert [(one.report_id, one.state) for one in town.founders["security"].preserved()] == [(kept, "lifted")]

    # Five years after its end that goes too.
    town.clock.advance(days=1825)
    await guards.sync()
    assert guards.keepers(kept) == own
    town.clock.advance(days=1, hours=3)
    await until(boss, lambda: not boss.preserved())
    await guards.sync()
    assert guards.keepers(kept) == set()
