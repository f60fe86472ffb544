"""A corrected identity: what was told of the wrong person is recalled, and no receiver can read it any more."""

from __future__ import annotations

import pytest

from sluss_client import Device, forms
from sluss_client.store import Store
from sluss_client.testing import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = forms.Person(name="Qvistolf", role="child", age_min=13, age_max=14)
RIGHT = forms.Person(name="Brorolf", role="child", age_min=15, age_max=16)


def incident(town: Town, **changes: object) -> forms.OrderIncident:
    values: dict[str, object] = {
        "scene": "central-square",
        "observed_at": town.clock.now(),
        "sub_kind": "threat",
        "subject": [WRONG],
    }
    return forms.OrderIncident(**(values | changes))  # type: ignore[arg-type]  # the form checks them


async def sync(*devices: Device) -> None:
    for device in devices:
        await device.sync()


def kept(device: Device) -> bytes:
    """Return all that a device's store holds, in clear, as its program could read it."""
    store: Store = device.local.store
    return b"".join(data for space in ("replica", "case_came") for _, data in store.items(space))


@pytest.mark.parametrize("late", [False, True])
async def test_the_old_identity_is_recalled_and_the_right_one_told(shared: Town, late: bool) -> None:  # noqa: FBT001  # a case
    officer = await shared.device("police")
    reception, worker = await shared.device("social_services", "reception"), await shared.device("social_services")
    filed = officer.file(incident(shared), duties={} if late else {"L11": "send"})
    if late:
        await officer.sync()
        await officer.answer(filed.id, {"L11": "send"})
    await sync(officer, reception, worker)
    assert reception.get(filed.id).subject == [WRONG]
    assert b"Qvistolf" in kept(reception)
    assert officer.outdated(filed.id) == []

    # What does not change the person takes nothing back.
    await officer.amend(filed.id, severity=3, correct=True)
    assert officer.outdated(filed.id) == []
    await officer.amend(filed.id, subject=[RIGHT], duties={"L11": "send"})
    assert [(one.version, one.gateway, one.decided) for one in officer.outdated(filed.id)] == [(1, "L11", False)]
    await officer.amend(filed.id, severity=2, correct=True)
    assert officer.outdated(filed.id) == []

    await sync(officer, reception, officer)
    assert b"Qvistolf" not in kept(reception)
    assert reception.get(filed.id).subject == [RIGHT]
    # The owner keeps both versions.
    assert officer.get(filed.id).subject == [RIGHT]
