"""Conflict 27 of docs/secrecy-rules.md B7: the pack in force is not here, on a device or on the server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import date

import pytest
import pytest_asyncio
from msgspec import structs

from sluss_client import forms
from sluss_client.cases import book
from sluss_client.device import Device
from sluss_client.errors import Invalid, Untrusted
from sluss_client.syncing import pushing
from sluss_client.testing import Town
from sluss_client.trust import local_day
from sluss_schemas import directory as d
from sluss_schemas.ids import Digest
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.policy.cells import PackRefused
from sluss_schemas.policy.pack import at, builtin, load
from sluss_schemas.records import Case, CaseKind

from tests.policy.table import PACK_BYTES
from tests.scenarios.people import CENTRAL, CHILD, find

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    async with Town(agencies=("security", "police", "social_services")) as built:
        yield built


def incident(town: Town) -> forms.OrderIncident:
    return forms.OrderIncident(
        scene=CENTRAL, observed_at=town.clock.now(), sub_kind="quarrel", severity=2, situation="A quarrel."
    )


def concern(town: Town) -> forms.ReportOfConcern:
    return forms.ReportOfConcern(scene=CENTRAL, observed_at=town.clock.now(), subject=[CHILD])


async def sync(*devices: Device) -> None:
    for _ in range(2):
        for device in devices:
            await device.sync()


def codes(device: Device) -> list[str]:
    return [code for _, code in device.local.alarms()]


async def test_27_a_pack_that_is_torn_or_that_nobody_adopted_is_not_used(town: Town) -> None:
    with pytest.raises(PackRefused):
        load(PACK_BYTES[: len(PACK_BYTES) // 2])
    with pytest.raises(PackRefused):
        at([], date(2026, 2, 1))
    # One that the agency's registrar has not signed for is not in force, whatever it says.
    trust = town.founders["police"].local.trust
    other = load(PACK_BYTES + b"\n# another one\n")
    trust._packs = (*trust._packs, other)
    assert trust.pack(town.founders["police"].now()).digest == builtin()[-1].digest


async def test_27_without_it_a_device_shares_nothing_goes_on_writing_and_a_duty_is_told_by_telephone(
    town: Town,
) -> None:
    officer, colleague = await town.device("police"), await town.device("police")
    guard, reception = await town.device("security"), await town.device("social_services", "reception")
    boss = town.founders["police"]
    everybody = (officer, colleague, guard, reception, boss)
    theirs, early = guard.file(incident(town)), officer.file(incident(town))
    told = officer.file(concern(town), duties={"L11": "send"})
    await sync(*everybody)
    assert find(reception, told.id) is not None
    reception.local.trust._packs = builtin()[:-1]
    assert find(reception, told.id) is None
    reception.local.trust._packs = builtin()
    kept = officer.local.received(theirs.id)
    assert find(officer, theirs.id) is not None
    assert find(guard, early.id) is not None

    # The officer's program is older than the law.
    trust = officer.local.trust
    trust._packs = builtin()[:-1]
    assert {one.audience.split("/")[0] for one in officer.readers(incident(town))} == {"police"}
    filed, child = officer.file(incident(town)), officer.file(concern(town), duties={"L11": "send"})
    assert {filed.id, child.id, early.id} <= {one.id for one in officer.reports()}
    assert officer.get(filed.id).situation == "A quarrel."
    assert find(officer, theirs.id) is None
    with pytest.raises(Untrusted) as missing:
        await officer.sync()
    assert missing.value.code == "pack_missing"
    [duty] = officer.duties()
    assert (duty.code, duty.receivable) == ("L11", False)
    assert "telephone" in duty.say
    officer.told(child.id, "L11", to="reception, by telephone", text="All of it.")
    with pytest.raises(Untrusted):
        await officer.sync()
    for device in (colleague, guard, reception):
        await device.sync()
        assert find(device, filed.id) is None
        assert find(device, child.id) is None

    # With the program of today it all leaves, and nothing that was here has gone.
    trust._packs = builtin()
    await sync(*everybody)
    assert officer.local.received(theirs.id) == kept
    assert find(officer, theirs.id) is not None
    assert officer.waiting() == []
    assert find(colleague, filed.id) is not None
    # What its author was shown as staying in the agency stays there until it is written anew.
    assert find(guard, filed.id) is None
    await officer.amend(filed.id, severity=3)
    await sync(*everybody)
    assert find(guard, filed.id) is not None
    # That it was told by telephone is recorded, with its supervisors too, and it is not told twice.
    [spoken] = book.everything(boss.local, CaseKind.ORAL)
    assert isinstance(spoken.case, Case)
    assert (spoken.case.code, spoken.person) == ("L11", officer.local.person)
    assert (officer.duties(), find(reception, child.id)) == ([], None)
    assert codes(officer) == []


async def test_27_a_duty_that_the_new_law_has_dropped_keeps_nothing_else_from_leaving(town: Town) -> None:
    officer = await town.device("police")
    await sync(officer)
    trust = officer.local.trust
    today, last = local_day(officer.now(), trust.pack(officer.now()).zone), builtin()[-1]
    cells = {
        key: structs.replace(one, duties=tuple(code for code in one.duties if code != "L11"))
        for key, one in last.cells.items()
    }
    gateways = {code: one for code, one in last.gateways.items() if code != "L11"}
    new = structs.replace(last, valid_from=today, digest=Digest(os.urandom(32)), gateways=gateways, cells=cells)
    trust.own.packs[new.digest] = day_number(today)
    assert trust.pack(officer.now()).stands_in
    child = officer.file(concern(town), duties={"L11": "send"})
    other = officer.file(incident(town))
    trust._packs = (*builtin(), new)
    pushing.seal_pending(officer.local, officer.now(), lambda *_: None)
    states = {row.report_id: row.state for row in officer.local.outbox.rows()}
    assert [states[one.id] for one in (child, other)] == ["sealed", "sealed"]


async def test_27_a_server_takes_no_word_for_a_pack_that_it_does_not_have(town: Town) -> None:
    head = town.founders["security"]
    await head.sync()
    today, last = day_number(local_day(head.now(), head.pack.zone)), builtin()[-1]
    for unknown in (d.PackInForce(os.urandom(32), today + 1), d.PackInForce(last.digest, today)):
        with pytest.raises(Invalid) as refused:
            await head.registrar.append([unknown])
        assert refused.value.code == "unknown_pack"
    await head.sync()
    assert set(head.local.trust.own.packs) == {one.digest for one in builtin()}
