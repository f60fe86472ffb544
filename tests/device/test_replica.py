"""The replica's rows: which versions are heads, and a report without versions is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluss_client.replica import Received, Replica, Version
from sluss_client.store import Store
from sluss_schemas import manifest as m
from sluss_schemas.codec import encode


def version(name: int, number: int, *parents: int) -> Version:
    """Return a version by the first byte of its digest, following others."""
    document = m.Manifest(
        m.FORMAT, m.SUITE, 2, b"a" * 16, b"r" * 16, number, tuple(bytes([one]) * 32 for one in parents), m.SCHEMA,
        bytes(32), bytes(32), bytes(16), bytes(16), 0, (), (bytes(32),) * 16, (bytes(32), bytes(32)),
    )  # fmt: skip
    return Version(bytes([name]) * 32, number, encode(document), 2, (), (), 0, 0)


@pytest.mark.parametrize(
    ("versions", "heads"),
    [
        ([version(1, 1)], [1]),
        ([version(1, 1), version(2, 2, 1)], [2]),
        ([version(1, 1), version(2, 2, 1), version(3, 2, 1)], [2, 3]),
        # A branch that has grown does not hide the other.
        ([version(1, 1), version(2, 2, 1), version(3, 2, 1), version(4, 3, 2)], [4, 3]),
        ([version(1, 1), version(2, 2, 1), version(3, 2, 1), version(4, 3, 2, 3)], [4]),
        ([version(1, 1), version(5, 2, 1), version(3, 2, 1), version(4, 2, 1)], [3, 4, 5]),
        # What lies between is not held here.
        ([version(1, 1), version(4, 3, 2)], [4, 1]),
    ],
)
def test_heads_are_the_versions_that_none_follows_the_latest_first(versions: list[Version], heads: list[int]) -> None:
    received = Received(b"r" * 16, b"a" * 16, tuple(versions))

    assert [head.digest[0] for head in received.heads()] == heads


def test_a_report_without_versions_is_removed(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "a.sluss", "a replica's passphrase")
    replica = Replica(store)
    one, two = (Received(bytes([name]) * 16, b"a" * 16, (version(name, 1),)) for name in (1, 2))
    replica.save([one, two])
    found = (replica.get(one.agency, one.report_id), replica.get(one.agency, b"x" * 16))
    assert (replica.count(), *found) == (2, one, None)

    replica.save([Received(one.report_id, one.agency, ()), Received(b"x" * 16, b"a" * 16, ())])

    assert list(replica.reports()) == [two]
    store.close()
