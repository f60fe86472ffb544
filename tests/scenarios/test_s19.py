"""S19: the Monday dashboard of a scene has three overdoses and fourteen order incidents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx2
import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.counts import Counts
from sluss_client.device import Device
from sluss_client.errors import Invalid, Refused
from sluss_client.testing import Clock, Town
from sluss_server.aggregates.cells import SCENE, TOTAL, Family

from tests.aggregates.attacker import Attacker, Publication

pytestmark = pytest.mark.asyncio(loop_scope="module")
CENTRAL: Final = "central-square"
SUBURBAN: Final = "suburban-square"
PARK: Final = "station-park"
WEEK: Final = "2026-W06"
OVERDOSES: Final = {CENTRAL: 3, SUBURBAN: 12, PARK: 15}
INCIDENTS: Final = {CENTRAL: 14, SUBURBAN: 6, PARK: 0}
OTHERS: Final = ("police", "social_services", "municipality", "health")


@dataclass
class Monday:
    """Who looks at the dashboard, and the town."""

    town: Town
    bosses: dict[str, Device]
    field: list[Device]

    async def counts(self, agency: str, *present: str, week: str = WEEK) -> Counts:
        return await self.bosses[agency].counts(week, week, present=present)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def monday() -> AsyncIterator[Monday]:
    """The Monday after a week in which two guards wrote everything down."""
    clock = Clock(datetime(2026, 2, 4, 12, tzinfo=UTC))
    async with Town(clock=clock) as town:
        guards = [await town.device("security"), await town.device("security")]
        outreach = await town.device("social_services")
        bosses = {name: await town.device(name, "supervisors") for name in (*OTHERS, "security")}
        for number, (scene, count) in enumerate(OVERDOSES.items()):
            for turn in range(count):
                guards[(turn + number) % 2].file(
                    forms.OverdoseEvent(scene=scene, observed_at=clock.now(), naloxone_doses=1, situation="Breathing.")
                )
        for scene, count in INCIDENTS.items():
            for _ in range(count):
                guards[0].file(
                    forms.OrderIncident(
                        scene=scene, observed_at=clock.now(), sub_kind="threat", severity=2, situation="A threat."
                    )
                )
        for _ in range(20):
            outreach.file(forms.OutreachContact(scene=CENTRAL, observed_at=clock.now(), situation="A talk."))
        for device in (*guards, outreach):
            await device.sync()
        made = Monday(town, bosses, [*guards, outreach])
        await refused_until_monday(made)
        # Monday, an hour after midnight in Stockholm.
        clock.set(datetime(2026, 2, 9, 0, tzinfo=UTC))
        await published(made)
        yield made


async def refused_until_monday(square: Monday) -> None:
    """On Wednesday nobody sees anything of others."""
    assert (await square.counts("police")).others == ()


async def published(square: Monday) -> None:
    """Wait until the server's look of every second has published the week."""
    for _ in range(100):
        if (await square.counts("police")).others:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the week was not published")


def of(counts: Counts, kind: str, scene: str | None) -> int | None:
    """Return a kind's figure at a scene, or in the whole partnership."""
    [found] = [
        one.figure
        for one in counts.others
        if one.kind == kind and one.dim == ("" if scene is None else SCENE) and one.scene == (scene or "")
        if scene is not None or one.dim == ""
    ]
    return found


@pytest.mark.parametrize("agency", OTHERS)
async def test_other_supervisors_see_fourteen_as_fifteen_and_no_overdoses(monday: Monday, agency: str) -> None:
    counts = await monday.counts(agency)

    assert of(counts, "order_incident", CENTRAL) == 15
    assert of(counts, "overdose_event", CENTRAL) is None
    assert counts.k_sensitive == 10


async def test_the_guards_own_supervisor_sees_the_numbers_as_they_are(monday: Monday) -> None:
    counts = await monday.counts("security")

    own = {(one.kind, one.scene): one.number for one in counts.own if one.dim == ""}
    assert own["overdose_event", CENTRAL] == 3
    assert own["order_incident", CENTRAL] == 14
    assert [one for one in counts.others if one.figure is not None] == []


async def test_there_is_no_drill_down(monday: Monday) -> None:
    counts = await monday.counts("police")

    assert counts.own == ()
    assert {one.dim for one in counts.others if one.scene} == {SCENE}, "a scene has a total and nothing beneath it"


async def test_nought_and_three_look_alike(monday: Monday) -> None:
    counts = await monday.counts("police")

    def marks(kind: str, scene: str) -> list[tuple[str, int | None]]:
        return [(one.dim, one.figure) for one in counts.others if (one.kind, one.scene) == (kind, scene)]

    assert marks("overdose_event", CENTRAL) == marks("order_incident", PARK) == [(SCENE, None)]


async def test_the_county_total_less_the_other_scenes_does_not_say_three(monday: Monday) -> None:
    counts = await monday.counts("police")
    assert of(counts, "overdose_event", None) == 30
    assert of(counts, "overdose_event", PARK) == 15

    cells = {scene: (SCENE, number) for number, scene in enumerate([*OVERDOSES, ""])}
    exact = {TOTAL: 30, **{cells[scene]: number for scene, number in OVERDOSES.items()}}
    shown = {cells[scene] for scene in cells if of(counts, "overdose_event", scene) is not None} | {TOTAL}
    attacker = Attacker([Family(TOTAL, tuple(cells.values()))], [Publication(exact, shown)])
    low, high = attacker.might_be(0, cells[CENTRAL])
    assert low <= 0
    assert high >= 9


async def test_field_staff_are_refused_and_nobody_is_told_anything_without_a_device(monday: Monday) -> None:
    for device in monday.field:
        with pytest.raises(Refused) as refused:
            await device.counts(WEEK, WEEK)
        assert refused.value.code == "supervisor_only"
    async with httpx2.AsyncClient() as somebody:
        answer = await somebody.post(f"{monday.town.url}/v1/cube", content=b"")
    assert answer.status_code == 401
    with pytest.raises(Invalid):
        await monday.counts("police", week="2026-W99")


async def test_the_screen_of_the_meeting_shows_what_everybody_there_is_shown(monday: Monday) -> None:
    without = await monday.counts("police", "social_services", "municipality")
    assert of(without, "order_incident", CENTRAL) == 15

    with_guards = await monday.counts("police", "security")
    assert of(with_guards, "order_incident", CENTRAL) is None, "the guards know all but the others' part, which is none"


async def test_outreach_comes_a_week_later_and_one_workers_week_never(monday: Monday) -> None:
    early = await monday.counts("police")
    assert [one for one in early.others if one.kind == "outreach_contact"] == []

    monday.town.clock.set(datetime(2026, 2, 16, 0, tzinfo=UTC))
    later = early
    for _ in range(100):
        later = await monday.counts("police")
        if any(one.kind == "outreach_contact" for one in later.others):
            break
        await asyncio.sleep(0.1)
    figures = {one.figure for one in later.others if one.kind == "outreach_contact"}
    assert figures == {None}, "twenty contacts, all of one worker"
    own = await monday.counts("social_services")
    assert sum(one.number for one in own.own if one.kind == "outreach_contact" and one.dim == "") == 20
