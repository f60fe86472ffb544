"""A server that lacks the pack in force of an agency: it decides by no earlier one, and loses nothing meanwhile."""

from __future__ import annotations

import os
from datetime import date
from typing import Final

import pytest
from msgspec import structs
from sqlalchemy import func, select

from sluss_schemas import directory as d
from sluss_schemas.ids import Digest
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.records import CaseKind
from sluss_server.services import Services
from sluss_server.storage import tables

from tests.server.cases import CREATED, DAY, HOUR, case, feeds, gained, send
from tests.server.test_culling import YEAR, look, told
from tests.server.test_sweeping import MIDNIGHT, TestRelease
from tests.server.town import INSTANCE, NOW, PACK, Town

NEXT: Final = structs.replace(
    PACK, id="SE-2026-12-31", valid_from=PACK.valid_from.replace(month=9, day=22), digest=Digest(os.urandom(32))
)
"""The pack that is in force from the next midnight on."""


def serving(town: Town, *packs: Pack) -> Services:
    """A server process over the same database that has these packs."""
    return Services(
        engine=town.engine,
        writer=town.writer,
        clock=town.clock,
        receipt_key=town.receipt_key,
        packs=packs,
        instance=INSTANCE,
    )


async def adopted(town: Town, slug: str) -> tuple[Services, Services]:
    """An agency adopts it; return a server that lacks it and one that has it, and let it begin."""
    lacking, town.services = town.services, serving(town, PACK, NEXT)
    agency = town.agencies[slug]
    await town.append(agency, [agency.entry(d.PackInForce(NEXT.digest, day_number(NEXT.valid_from)))])
    having, town.services = town.services, lacking
    town.clock.now = MIDNIGHT
    return lacking, having


async def missing(town: Town, slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        await town.pull(town.field(slug))
    assert (refused.value.code, refused.value.field) == ("pack_missing", "security")


async def test_nobody_is_given_anything_and_nothing_is_taken_of_that_agency(town: Town) -> None:
    early = town.report("security")
    assert await town.outcomes(town.field("security"), early) == [CREATED]
    lacking, having = await adopted(town, "security")
    await lacking.sweeping.once()
    for slug in ("security", "police"):
        await missing(town, slug)
    with pytest.raises(Invalid) as refused:
        await town.outcomes(town.field("security"), town.report("security"))
    assert refused.value.code == "pack_missing"
    theirs = town.report("police")
    assert await town.outcomes(town.field("police"), theirs) == [CREATED]

    town.services = having
    await having.sweeping.once()
    assert {early.digest, theirs.digest} <= (await town.puts(town.field("police"))).keys()
    assert await town.outcomes(town.field("security"), town.report("security")) == [CREATED]


async def test_what_was_to_begin_meanwhile_begins_when_it_is_there(town: Town) -> None:
    begins = MIDNIGHT + HOUR
    await TestRelease().planned(town, begins)
    lacking, having = await adopted(town, "police")
    town.services = having
    before = await feeds(town)
    town.clock.now = begins
    await lacking.sweeping.once()
    assert await gained(town, before) == {}
    town.clock.now += DAY
    for _ in range(2):
        await having.sweeping.once()
    assert await gained(town, before) != {}


async def test_what_hangs_on_a_culled_report_goes_once_somebody_can_say_when(town: Town) -> None:
    report, _ = await told(town)
    guard, to = town.field("security"), [town.agencies["security"].key("supervisors")]
    task = case(guard, CaseKind.TASK, NOW, to, digest=report.digest, until=NOW + 100 * DAY, code="L14")
    assert await send(town, guard, task) == [CREATED]
    await look(town, NOW + YEAR)
    later = structs.replace(NEXT, valid_from=date(2028, 1, 1), digest=Digest(os.urandom(32)))
    agency, lacking = town.agencies["security"], town.services
    town.services = having = serving(town, PACK, later)
    await town.append(agency, [agency.entry(d.PackInForce(later.digest, day_number(later.valid_from)))])
    kept = PACK.parameters.retention_decisions_days
    assert kept is not None
    town.clock.now = NOW + YEAR + kept * DAY
    await lacking.sweeping.once()
    assert await _records(town) == 1
    town.clock.now += 2 * DAY
    await having.sweeping.once()
    assert await _records(town) == 0


async def _records(town: Town) -> int:
    async with town.engine.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(tables.records))).scalar_one())


async def test_a_push_that_hears_of_it_from_another_process_is_asked_again(town: Town) -> None:
    assert await town.outcomes(town.field("security"), town.report("security")) == [CREATED]
    # This process has a view of before, and hears within the push that it has moved.
    first, corrected = town.services, structs.replace(PACK, digest=Digest(os.urandom(32)))
    town.services = serving(town, PACK, corrected)
    agency = town.agencies["security"]
    await town.append(agency, [agency.entry(d.PackInForce(corrected.digest, day_number(PACK.valid_from)))])
    town.services = first
    with pytest.raises(Invalid) as refused:
        await town.outcomes(town.field("security"), town.report("security"))
    assert refused.value.code == "pack_missing"


async def test_a_pack_that_nobody_has_or_on_another_day_is_not_adopted(town: Town) -> None:
    agency = town.agencies["security"]
    start = agency.directory.copy()
    for unknown in (d.PackInForce(NEXT.digest, 20_718), d.PackInForce(PACK.digest, day_number(PACK.valid_from) + 1)):
        agency.directory = start.copy()
        with pytest.raises(Invalid) as refused:
            await town.append(agency, [agency.entry(unknown)])
        assert refused.value.code == "unknown_pack"
