"""Health: the last day of a device and no other, and how late an agency's own reports came."""

from __future__ import annotations

from typing import Final

from msgspec import Raw
from sqlalchemy import select

from sluss_schemas import sync
from sluss_schemas.sync import Pull
from sluss_server.aggregates.cells import day_of, week_of
from sluss_server.services.health import Arrival
from sluss_server.services.sessions import Viewer
from sluss_server.storage.tables import contacts

from tests.server.town import NOW, Device, Town

DAY_S: Final = 86_400
PULL: Final = Pull((), 100, 0)


async def pull(town: Town, device: Device) -> None:
    await town.services.pull(await town.caller(device), PULL)


async def viewer(town: Town, slug: str = "security") -> Viewer:
    sessions = town.services.sessions
    cookie = await sessions.begin((await sessions.launch(await town.caller(town.supervisor(slug)))).token)
    found = await sessions.viewer(cookie or "")
    assert found is not None
    return found


async def stored(town: Town) -> list[tuple[bytes, int]]:
    async with town.engine.read() as connection:
        return [(row.device, row.day) for row in await connection.execute(select(contacts.c.device, contacts.c.day))]


async def test_of_a_device_the_last_day_is_kept_and_none_before_it(town: Town) -> None:
    device = town.field("security")
    await pull(town, device)
    town.clock.now += 60
    await pull(town, device)
    assert await stored(town) == [(device.kid, NOW // DAY_S)]

    town.clock.now = NOW + 3 * DAY_S
    await pull(town, device)
    assert await stored(town) == [(device.kid, NOW // DAY_S + 3)]


async def test_a_supervisor_sees_how_long_the_own_devices_are_silent_and_no_other(town: Town) -> None:
    guard, other = town.field("security"), town.field("security", 1)
    await pull(town, guard)
    await pull(town, town.field("police"))
    town.clock.now += 9 * DAY_S

    found = await town.services.health.silence(await viewer(town))
    assert (found[guard.kid], found[other.kid]) == (9, None)
    assert town.field("police").kid not in found
    assert set(found) == {bytes(kid) for kid in town.agencies["security"].directory.devices}


async def test_another_process_goes_on_from_what_is_stored(town: Town) -> None:
    device = town.field("security")
    await pull(town, device)
    again = town.new_services()
    town.clock.now += DAY_S
    caller = await again.identify(device.kid)
    assert caller is not None
    await again.pull(caller, PULL)

    assert await stored(town) == [(device.kid, NOW // DAY_S + 1)]


async def test_arrivals_are_of_the_own_agency_and_the_week(town: Town) -> None:
    by = town.field("security")
    report = town.report("security")
    answer = await town.services.push(await town.caller(by), sync.Push((Raw(report.raw),)))
    assert [one.outcome for one in answer.items] == [sync.OutcomeCode.CREATED]
    mine, theirs = await viewer(town), await viewer(town, "police")
    week = week_of(day_of(NOW, mine.pack.zone))
    arrivals = town.services.health.arrivals

    [found] = await arrivals(mine, [1, 9], week)
    assert found == Arrival(report.manifest.time, NOW)
    assert await arrivals(mine, [9], week) == []
    assert await arrivals(mine, [1], week - 1) == []
    assert await arrivals(mine, [1], week + 1) == []
    assert await arrivals(theirs, [1], week) == []
