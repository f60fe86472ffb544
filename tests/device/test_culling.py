"""A device lets go of its own copies by its pack and its clock: of what is over, and of nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest

from sluss_client import casework, forms, saving, told
from sluss_client import store as module
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.replica import Hold, Received, Version
from sluss_client.syncing import culling
from sluss_schemas import directory as d
from sluss_schemas import sync as wire
from sluss_schemas.codec import encode
from sluss_schemas.ids import ReportId
from sluss_schemas.policy.pack import builtin

from tests.device.chain import Agency

DAY: Final = 86_400
YEAR: Final = 365 * DAY
SAID: Final = "A canary was seen at the fountain."


@pytest.fixture
def agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agency]:
    """Guards with a pack and a scene."""
    monkeypatch.setattr(module, "_MEMORY_KIB", 32)
    monkeypatch.setattr(module, "_PASSES", 1)
    made = Agency(tmp_path)
    made.append(d.PackInForce(builtin()[-1].digest, 0), d.Scene(1, "square", "Square", "Torget", None, "confirmed"))
    yield made
    made.close()


@pytest.fixture
def guard(agency: Agency) -> Local:
    """A guard's device."""
    return agency.device("field")


def filed(agency: Agency, local: Local, state: State = State.SENT, received_at: int | None = None) -> Row:
    """File a report that the server has answered; `received_at` is what its receipt says."""
    report_id = ReportId(os.urandom(16))
    seen = datetime.fromtimestamp(agency.now, UTC) - timedelta(minutes=5)
    form = forms.OrderIncident(scene="square", observed_at=seen, sub_kind="threat", severity=2, situation=SAID)
    saving.save(local, form, saving.Version(report_id, 1), saving.Wish(duties={}), agency.now)
    row = local.outbox.rows()[-1]
    if state is not State.FILED:
        name = os.urandom(32)
        receipt = encode(wire.Receipt(1, name, "created", bytes(16), received_at or agency.now))
        row = msgspec.structs.replace(row, state=state, digest=name, receipt=receipt, answered_at=agency.now + 5 * DAY)
        local.outbox.save(row, b"a sealed item")
    return row


def beside(local: Local, row: Row, *, received_at: int) -> None:
    """Let the server have given a colleague's later version of a report."""
    hold = Hold(b"f" * 18, "field", False, 1)  # noqa: FBT003  # a row of the replica
    later = Version(b"c" * 32, 2, b"", 1, (), (hold,), 1, received_at)
    local.replica.save([Received(row.report_id, local.trust.own_id, (later,))])


def test_what_is_over_goes_at_its_second_with_all_that_stands_beside_it(agency: Agency, guard: Local) -> None:
    row = filed(agency, guard)
    younger = filed(agency, guard, received_at=agency.now + DAY)
    told.save(guard, row.digest or b"", told.Told(os.urandom(16), "L14", (0,), ()))
    guard.store.put("grant", row.key + b"L14\0", b"a grant")

    assert culling.sweep(guard, agency.now + YEAR - 1) == 0
    assert culling.sweep(guard, agency.now + YEAR) == 1

    assert guard.outbox.rows() == [younger]
    left = b"".join(key + data for space in guard.store.spaces() for key, data in guard.store.items(space))
    assert row.report_id not in left
    assert (row.digest or b"") not in left
    assert guard.outbox.head(ReportId(row.report_id)) is None
    assert casework.SPACES.isdisjoint(guard.store.spaces())


@pytest.mark.parametrize("state", [State.FILED, State.SEALED, State.REFUSED])
def test_what_nobody_has_acknowledged_stays_however_old_it_is(agency: Agency, guard: Local, state: State) -> None:
    row = filed(agency, guard, state)
    assert culling.sweep(guard, agency.now + 50 * YEAR) == 0
    assert guard.outbox.rows() == [row]


def test_what_a_colleague_has_amended_is_as_old_as_that(agency: Agency, guard: Local) -> None:
    row = filed(agency, guard)
    beside(guard, row, received_at=agency.now + 100 * DAY)

    assert culling.sweep(guard, agency.now + YEAR + 99 * DAY) == 0
    assert culling.sweep(guard, agency.now + YEAR + 100 * DAY) == 1


def test_an_amendment_that_came_too_late_stays_when_the_rest_goes(agency: Agency, guard: Local) -> None:
    first = filed(agency, guard)
    late = msgspec.structs.replace(
        first, version=2, number=2, state=State.REFUSED, reason="culled", digest=None, receipt=None, answered_at=None
    )
    guard.outbox.save(late)

    assert culling.sweep(guard, agency.now + YEAR) == 1

    assert guard.outbox.rows() == [late]
    assert guard.outbox.head(ReportId(first.report_id)) == late


def test_what_the_pack_names_no_time_for_stays(agency: Agency, guard: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    row = filed(agency, guard)
    pack = guard.trust.pack(agency.now)
    monkeypatch.setattr(guard.trust, "pack", lambda _now: msgspec.structs.replace(pack, retention={}))
    assert culling.sweep(guard, agency.now + 50 * YEAR) == 0
    assert guard.outbox.rows() == [row]
