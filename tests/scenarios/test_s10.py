"""S10: a nurse at the needle exchange registers a visit by a returning client."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluss_client import forms
from sluss_client.counts import Counts
from sluss_client.device import Device

from tests.scenarios.people import People, counts, have, held, holders, sight
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="session")
KIND = "protected_service_contact"
MARK = "a heron on the left wrist"


async def test_a_visit_exists_for_health_alone(square: People) -> None:
    matron = await square.town.device("health", "supervisors")
    before = (await counts(square, KIND), await _dashboard(square.police_boss), await _dashboard(matron))
    filed = square.nurse.file(_visit(square))
    await square.sync()
    # No joint dashboard has moved, and not even health's own counts it: a visit is no fact.
    assert (await counts(square, KIND), await _dashboard(square.police_boss), await _dashboard(matron)) == before
    assert set(before[0].values()) == {0}
    assert not square.nurse.pack.kinds[16].facts

    assert have(square, filed.id) == {"nurse"}
    assert holders(square, filed.id) == {"nurse"}
    assert {name for name, device in square.everybody.items() if held(device, filed.id)} == set()
    assert square.nurse.get(filed.id).coded("care")["issued"] == 20
    # Nobody of social services, the police, the guards or the municipality has a row, a notice or a byte of it.
    for name, device in square.everybody.items():
        assert (sight(device, filed.id) == "") is (name != "nurse")
        assert (MARK.encode() in decrypted(device.local.store)) is (name == "nurse")
    # Social services get anything of it by a decision alone, and those who enforce not even by an emergency.
    offered = {(one.agency, one.code) for one in square.nurse.offers(filed.id)}
    assert {code for agency, code in offered if agency == "social_services"} >= {"L01", "L15"}
    assert {agency for agency, _ in offered} <= {"social_services", "police"}
    assert {code for agency, code in offered if agency == "police"} <= {"L01"}
    colleague = await square.town.device("health")
    await colleague.sync()
    await matron.sync()
    assert sight(colleague, filed.id) == sight(square.nurse, filed.id)
    assert held(matron, filed.id) == [1]


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


async def _dashboard(boss: Device) -> Counts:
    """Return all that a supervisor is shown of these weeks, of every kind."""
    week = datetime.fromtimestamp(boss.now(), UTC).isocalendar()
    name = f"{week.year}-W{week.week:02}"
    return await boss.counts(name, name)


async def _sent(square: People, device: object) -> list[object]:
    async with asking(device, square.town.url) as raw:  # type: ignore[arg-type]  # a device
        # Whoever asks for keys as if they held none makes their colleagues be asked for them.
        return [one.masked() for one in await raw.everything() if one.asked != "/v1/keys/pull"]


def _visit(square: People) -> forms.ProtectedServiceContact:
    return forms.ProtectedServiceContact(
        observed_at=square.town.clock.now(),
        service="needle_exchange",
        subject=[forms.Person(alias="M.", age_min=30, age_max=40, description=MARK)],
        age_confirmed=True,
        returned=18,
        issued=20,
    )
