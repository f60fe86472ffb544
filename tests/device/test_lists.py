"""Who the colleagues are, by alias and by name; and what ends although a server puts the time back."""

from __future__ import annotations

import msgspec
import pytest

from sluss_client import clock, views
from sluss_client.replica import Hold
from sluss_client.testing import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_name_is_known_in_the_own_agency_and_nowhere_else(shared: Town) -> None:
    founder, colleague = shared.founders["security"], await shared.device("security")
    assert {one.name for one in colleague.people()} == {None}

    founder.registrar.name(colleague.alias, "Cecilia Ceder")
    for _ in range(2):
        await founder.sync()
    await colleague.sync()
    police = await shared.device("police")

    assert {one.alias: one.name for one in colleague.people() if one.name} == {colleague.alias: "Cecilia Ceder"}
    assert {one.agency for one in colleague.people()} == {"security", "police", "social_services"}
    assert {one.name for one in police.people()} == {None}
    assert colleague.alias in {one.alias for one in police.people()}


async def test_what_a_grant_gave_ends_by_the_own_clock_too(shared: Town) -> None:
    guard = await shared.device("security")
    local, pack = guard.local, guard.pack
    hold = Hold(b"feed", "field", named=False, slots=1, grant=b"g" * 16, gateway="L14", not_after=clock.now() + 60)
    put_back = clock.now() - 80_000

    assert not views._locked(local, hold, local.trust.own, pack, put_back)
    ended = msgspec.structs.replace(hold, not_after=clock.now())
    assert views._locked(local, ended, local.trust.own, pack, put_back)
