"""The outbox: rows in the order of filing, batches within the protocol's bounds, and no version over another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sluss_client.outbox import Outbox, Row, State
from sluss_client.store import Store
from sluss_schemas.sync import MAX_PUSH_BYTES, MAX_PUSH_ITEMS

PASSPHRASE = "an outbox's passphrase"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.create(tmp_path / "a.sluss", PASSPHRASE)
    yield made
    made.close()


def row(outbox: Outbox, report: int, version: int = 1, state: State = State.FILED) -> Row:
    number = outbox.next_number()
    return Row(
        report_id=bytes([report]) * 16, version=version, number=number, kind=2, values=b"v", filed_at=1, shown=(),
        state=state, digest=None if state is State.FILED else bytes([report, version]) * 16,
    )  # fmt: skip


def test_rows_keep_the_order_of_filing_over_a_restart(store: Store) -> None:
    outbox = Outbox(store)
    for report in (9, 3, 7, 1):
        outbox.save(row(outbox, report))

    again = Outbox(store)
    again.save(row(again, 5))
    assert [one.report_id[0] for one in again.rows()] == [9, 3, 7, 1, 5]
    assert [key[0] for key in again.pending()] == [9, 3, 7, 1, 5]


def test_only_what_is_filed_or_sealed_is_pending(store: Store) -> None:
    outbox = Outbox(store)
    for report, state in enumerate(State):
        outbox.save(row(outbox, report, state=state))

    assert [outbox.by_key(key).state for key in outbox.pending()] == [State.FILED, State.SEALED]
    assert len(outbox.rows()) == len(State)


@pytest.mark.parametrize("versions", [(1,), (1, 2, 3), (3,), (2, 5), (1, 2, 4), (4, 1)])
def test_the_head_is_the_latest_version_also_where_others_lie_between(store: Store, versions: tuple[int, ...]) -> None:
    outbox = Outbox(store)
    for version in versions:
        outbox.save(row(outbox, 1, version))
    outbox.save(row(outbox, 2, 9))

    head = Outbox(store).head(bytes([1]) * 16)

    assert head is not None
    assert head.version == max(versions)
    assert outbox.head(bytes([3]) * 16) is None


def test_batches_are_within_bounds_and_hold_every_item_once_in_order(store: Store) -> None:
    outbox = Outbox(store)
    sizes = [10] * 60 + [400_000, 400_000, 400_000, MAX_PUSH_BYTES - 2_000, 10, 10]
    for report, size in enumerate(sizes):
        outbox.save(row(outbox, report, state=State.SEALED), bytes([report]) * size)
    outbox.save(row(outbox, 200))

    batches = list(outbox.sealed_batches())

    assert [one.report_id[0] for batch in batches for one, _ in batch] == list(range(len(sizes)))
    assert all(item == bytes([one.report_id[0]]) * sizes[one.report_id[0]] for batch in batches for one, item in batch)
    assert all(len(batch) <= MAX_PUSH_ITEMS for batch in batches)
    assert all(sum(len(item) for _, item in batch) < MAX_PUSH_BYTES for batch in batches)
    assert len(batches) == 4


def test_duties_that_have_yet_to_leave_are_listed_until_they_have(store: Store) -> None:
    outbox = Outbox(store)
    waits = msgspec.structs.replace(row(outbox, 1, state=State.SENT), unsent=("L14",))
    outbox.save(waits)
    outbox.save(row(outbox, 2, state=State.SENT))
    assert outbox.unsent() == [waits.key]

    outbox.save(msgspec.structs.replace(waits, unsent=()))
    assert outbox.unsent() == []
