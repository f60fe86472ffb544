"""S10: a nurse at the needle exchange registers a visit by a returning client."""

from __future__ import annotations

import pytest

from sluss_client import forms

from tests.scenarios.people import People, have, held, holders, sight
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_visit_exists_for_health_alone(square: People) -> None:
    filed = square.nurse.file(_visit(square))
    await square.sync()

    assert have(square, filed.id) == {"nurse"}
    assert holders(square, filed.id) == {"nurse"}
    assert {name for name, device in square.everybody.items() if held(device, filed.id)} == set()
    assert square.nurse.get(filed.id).coded("care")["issued"] == 20
    # Social services get anything of it by a decision alone, and those who enforce not even by an emergency.
    offered = {(one.agency, one.code) for one in square.nurse.offers(filed.id)}
    assert {code for agency, code in offered if agency == "social_services"} >= {"L01", "L15"}
    assert {agency for agency, _ in offered} <= {"social_services", "police"}
    assert {code for agency, code in offered if agency == "police"} <= {"L01"}
    colleague = await square.town.device("health")
    boss = await square.town.device("health", "supervisors")
    await colleague.sync()
    assert sight(colleague, filed.id) == sight(square.nurse, filed.id)
    assert held(boss, filed.id) == [1]


async def test_what_the_police_are_sent_is_the_same_byte_for_byte_with_and_without_the_visit(square: People) -> None:
    """The trap: no number, cursor, size or count moves. Two servers are compared in tests/secrecy."""
    for founder in square.town.founders.values():
        await founder.sync()
    await square.sync()
    outsiders = [square.police, square.guard, square.official, square.worker, square.police_boss]
    before = [await _sent(square, device) for device in outsiders]
    for _ in range(3):
        square.nurse.file(_visit(square))
    assert (await square.nurse.sync()).sent == 3
    for device, sent in zip(outsiders, before, strict=True):
        assert await _sent(square, device) == sent, device.alias
    for device in outsiders:
        result = await device.sync()
        assert (result.received, result.dropped, result.alarms) == (0, 0, 0)


async def _sent(square: People, device: object) -> list[object]:
    async with asking(device, square.town.url) as raw:  # type: ignore[arg-type]  # a device
        # Whoever asks for keys as if they held none makes their colleagues be asked for them.
        return [one.masked() for one in await raw.everything() if one.asked != "/v1/keys/pull"]


def _visit(square: People) -> forms.ProtectedServiceContact:
    return forms.ProtectedServiceContact(
        observed_at=square.town.clock.now(),
        service="needle_exchange",
        subject=[forms.Person(alias="M.", age_min=30, age_max=40)],
        age_confirmed=True,
        returned=18,
        issued=20,
    )
