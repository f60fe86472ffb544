"""The encrypted store: rows come back, transactions are whole, the file tells nothing, and what is deleted is gone."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring.backend
import keyring.core
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_client import StoreError
from sluss_client.store import Store, _Header

from tests.conftest import REAL_COSTS

PASSPHRASE = "a store's passphrase"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.create(tmp_path / "a.sluss", PASSPHRASE)
    yield made
    made.close()


def files(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(store.path.parent.iterdir()))


def test_rows_come_back_after_the_store_was_closed(store: Store) -> None:
    store.put_all("a", [(b"1", b"one"), (b"2", b"two"), (b"", b"")])
    store.put("b", b"1", b"another space")
    store.put("a", b"2", b"changed")
    store.delete("a", b"")
    store.delete("a", b"never there")
    store.close()

    again = Store.open(store.path, PASSPHRASE)
    assert dict(again.items("a")) == {b"1": b"one", b"2": b"changed"}
    assert (again.get("b", b"1"), again.get("b", b"2"), again.get("c", b"1")) == (b"another space", None, None)
    assert (again.count("a"), again.count("c")) == (2, 0)
    assert again.check()
    again.close()


def test_a_transaction_is_whole_also_when_nested(store: Store) -> None:
    store.put("a", b"before", b"1")

    def fail() -> None:
        with store.transaction():
            store.put("a", b"x", b"1")
            with store.transaction():
                store.delete("a", b"before")
                store.put("a", b"y", b"1")
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert dict(store.items("a")) == {b"before": b"1"}
    with store.transaction():
        store.put("a", b"x", b"1")
    assert store.count("a") == 2


def test_a_cancelled_transaction_leaves_the_store_usable(store: Store) -> None:
    def interrupted() -> None:
        with store.transaction():
            store.put("a", b"x", b"1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    store.put("a", b"y", b"1")
    assert dict(store.items("a")) == {b"y": b"1"}


def test_the_file_shows_neither_keys_nor_data_nor_passphrase(store: Store) -> None:
    store.put("a", b"a key to look for", b"some data to look for")

    seen = files(store)

    for secret in (b"a key to look for", b"some data to look for", PASSPHRASE.encode()):
        for form in (secret, secret.hex().encode(), secret.decode().encode("utf-16-le")):
            assert form not in seen
    assert store.path.stat().st_mode & 0o077 == 0
    assert PASSPHRASE not in repr(store)


def test_the_same_row_is_sealed_differently_each_time(store: Store) -> None:
    store.put("a", b"1", b"data")
    ((first,),) = store._connection.execute("SELECT sealed FROM rows").fetchall()
    store.put("a", b"1", b"data")
    ((second,),) = store._connection.execute("SELECT sealed FROM rows").fetchall()

    assert first != second


def test_what_was_deleted_is_in_no_file_after_a_scrub(store: Store) -> None:
    store.put_all("a", [(bytes([number]), bytes([number]) * 900) for number in range(60)])
    sealed = [row[0] for row in store._connection.execute("SELECT sealed FROM rows")]
    store.scrub()
    assert any(one[:64] in files(store) for one in sealed)

    for number in range(60):
        store.delete("a", bytes([number]))
    store.scrub()

    seen = files(store)
    assert not any(one[:64] in seen for one in sealed)


def test_a_row_that_was_moved_to_another_place_does_not_open(store: Store) -> None:
    store.put_all("a", [(b"1", b"one"), (b"2", b"two")])
    store._connection.execute("UPDATE rows SET space = 'b'")

    with pytest.raises(StoreError) as problem:
        list(store.items("b"))
    assert problem.value.code == "store_damaged"
    with pytest.raises(StoreError):
        store.check()


def test_rows_that_were_exchanged_do_not_open(store: Store) -> None:
    store.put_all("a", [(b"1", b"one"), (b"2", b"two")])
    (first, one), (second, two) = store._connection.execute("SELECT name, sealed FROM rows").fetchall()
    store._connection.execute("UPDATE rows SET sealed = ? WHERE name = ?", (two, first))
    store._connection.execute("UPDATE rows SET sealed = ? WHERE name = ?", (one, second))

    with pytest.raises(StoreError) as problem:
        store.get("a", b"1")
    assert problem.value.code == "store_damaged"


class Ring(keyring.backend.KeyringBackend):
    """A keyring that keeps secrets in this process."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's own
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def test_with_a_keyring_the_passphrase_alone_opens_nothing(tmp_path: Path) -> None:
    ring, before = Ring(), keyring.get_keyring()
    keyring.core.set_keyring(ring)
    try:
        path = tmp_path / "a.sluss"
        store = Store.create(path, PASSPHRASE)
        store.put("a", b"1", b"one")
        store.close()
        (kept,) = ring.kept.items()
        again = Store.open(path, PASSPHRASE)
        assert again.get("a", b"1") == b"one"
        again.close()

        for wrong in ({}, {kept[0]: "00" * 32}):
            ring.kept = wrong
            with pytest.raises(StoreError) as problem:
                Store.open(path, PASSPHRASE)
            assert problem.value.code == "wrong_passphrase"
    finally:
        keyring.core.set_keyring(before)


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "delete"]), st.sampled_from("ab"), st.binary(max_size=2), st.binary()),
        max_size=30,
    )
)
def test_it_holds_what_a_dictionary_would(shared_store: Store, steps: list[tuple[str, str, bytes, bytes]]) -> None:
    for space in "ab":
        for key, _ in list(shared_store.items(space)):
            shared_store.delete(space, key)
    plain: dict[tuple[str, bytes], bytes] = {}
    for what, space, key, data in steps:
        if what == "put":
            shared_store.put(space, key, data)
            plain[space, key] = data
        else:
            shared_store.delete(space, key)
            plain.pop((space, key), None)

    held = {(space, key): data for space in "ab" for key, data in shared_store.items(space)}
    assert held == plain
    assert all(shared_store.get(space, key) == data for (space, key), data in plain.items())


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store.create(tmp_path_factory.mktemp("store") / "a.sluss", PASSPHRASE)
    yield made
    made.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of files here")
@pytest.mark.parametrize("size", [0, 1, 4096, 8192])
def test_a_store_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path, size: int) -> None:
    path = tmp_path / "new.sluss"
    child = os.fork()
    if child == 0:
        os._exit(_create_within(path, size))
    _, status = os.waitpid(child, 0)

    assert os.WEXITSTATUS(status) == 1
    assert list(tmp_path.iterdir()) == []


def _create_within(path: Path, size: int) -> int:
    import resource  # noqa: PLC0415  # not on every platform

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        Store.create(path, PASSPHRASE)
    except StoreError as error:
        return 1 if error.code == "disk_full" else 2
    except BaseException:  # noqa: BLE001  # the parent sees the number
        return 3
    return 0


@pytest.mark.parametrize(
    "change",
    [
        {"memory_kib": 2**40},
        {"memory_kib": 0},
        {"memory_kib": -1},
        {"passes": 0},
        {"passes": 2**31},
        {"lanes": 0},
        {"lanes": 2**20},
        {"salt": b""},
        {"format": 9},
    ],
)
def test_a_header_that_asks_for_the_impossible_is_damage(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "a.sluss"
    Store.create(path, PASSPHRASE).close()
    with sqlite3.connect(path) as connection:
        (value,) = connection.execute("SELECT value FROM header").fetchone()
        header = msgspec.structs.replace(msgspec.msgpack.decode(value, type=_Header), **change)
        connection.execute("UPDATE header SET value = ?", (msgspec.msgpack.encode(header),))
    connection.close()

    with pytest.raises(StoreError) as problem:
        Store.open(path, PASSPHRASE)
    assert problem.value.code == "store_damaged"


def test_a_passphrase_is_as_costly_to_try_as_the_standard_recommends() -> None:
    # RFC 9106, section 4: the second recommended option.
    assert REAL_COSTS == (64 * 1024, 3, 4)
