"""Wrong passphrases: after five in a row a store waits, the right one ends it, and the store itself never changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from sluss_client import StoreError, clock
from sluss_client import store as module
from sluss_client.store import Store, remove
from sluss_client.testing import Clock

PASSPHRASE = "a store's passphrase"


@pytest.fixture
def time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.attach(tmp_path / "clock")
    monkeypatch.setenv("SLUSS_TEST_CLOCK", str(tmp_path / "clock"))
    return made


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(module, "_MEMORY_KIB", 32)
    monkeypatch.setattr(module, "_PASSES", 1)
    folder = tmp_path / "store"
    folder.mkdir()
    Store.create(folder / "a.sluss", PASSPHRASE).close()
    whole = (folder / "a.sluss").read_bytes()
    yield folder / "a.sluss"
    assert (folder / "a.sluss").read_bytes() == whole


def opens(path: Path, passphrase: str = PASSPHRASE) -> str:
    """Try a passphrase; return the code of the refusal, or nothing."""
    try:
        Store.open(path, passphrase).close()
    except StoreError as refused:
        return refused.code
    return ""


def wrong(path: Path, times: int) -> list[str]:
    return [opens(path, f"wrong {number}") for number in range(times)]


def tries(path: Path) -> Path:
    return path.with_name("a.sluss.tries")


def test_five_wrong_passphrases_are_free_and_the_sixth_waits_also_if_it_is_right(time: Clock, path: Path) -> None:
    assert wrong(path, 7) == ["wrong_passphrase"] * 5 + ["passphrase_wait"] * 2
    assert opens(path) == "passphrase_wait"

    time.advance(seconds=58)
    assert opens(path) == "passphrase_wait"
    time.advance(seconds=3)
    assert opens(path) == ""


def test_the_time_from_which_on_it_may_be_tried_is_named(time: Clock, path: Path) -> None:
    wrong(path, 5)
    failed = clock.now()

    with pytest.raises(StoreError) as refused:
        Store.open(path, PASSPHRASE)

    named = [word.rstrip(",") for word in refused.value.say.split() if word.startswith("20")]
    assert abs(datetime.fromisoformat(named[0]).timestamp() - (failed + 60)) <= 2
    assert time.now() < datetime.fromisoformat(named[0])


def test_each_further_failure_doubles_the_wait_up_to_an_hour(time: Clock, path: Path) -> None:
    wrong(path, 5)
    for seconds in (60, 120, 240, 480, 960, 1920, 3600, 3600, 3600):
        time.advance(seconds=seconds - 3)
        assert opens(path, "wrong") == "passphrase_wait"
        time.advance(seconds=5)
        assert opens(path, "wrong") == "wrong_passphrase"
    time.advance(seconds=3602)
    assert opens(path) == ""


@pytest.mark.usefixtures("time")
def test_the_right_passphrase_begins_the_count_anew(path: Path) -> None:
    wrong(path, 4)
    assert opens(path) == ""
    assert not tries(path).exists()

    assert wrong(path, 5) == ["wrong_passphrase"] * 5


@pytest.mark.usefixtures("time")
def test_the_count_is_in_a_file_that_only_this_user_reads_and_tells_no_passphrase(path: Path) -> None:
    wrong(path, 3)

    assert stat.S_IMODE(tries(path).stat().st_mode) == 0o600
    assert tries(path).read_text(encoding="ascii").split()[0] == "3"
    assert sorted(one.name for one in path.parent.iterdir()) == ["a.sluss", "a.sluss.tries"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"0 5\n",
        b"-1 5\n",
        b"5",
        b"five 5\n",
        b"5 5\n5 5\n",
        b"99999 1\n",
        b"1 9999999999999\n",
        b"\xff\x00",
        b"1" * 90,
    ],
)
def test_content_that_is_none_counts_as_five_failures_just_now(time: Clock, path: Path, content: bytes) -> None:
    tries(path).write_bytes(content)

    assert opens(path) == "passphrase_wait"
    time.advance(seconds=62)
    assert opens(path) == ""


def test_a_clock_that_is_set_back_makes_nobody_wait_longer_than_the_rule(time: Clock, path: Path) -> None:
    time.advance(days=4000)
    wrong(path, 5)
    time.advance(days=-4000)

    assert opens(path) == "passphrase_wait"
    time.advance(seconds=62)
    assert opens(path) == ""


@pytest.mark.usefixtures("time")
def test_a_damaged_store_is_no_wrong_passphrase(path: Path) -> None:
    copy = path.with_name("damaged.sluss")
    copy.write_bytes(path.read_bytes()[:4096])

    assert {opens(copy) for _ in range(8)} == {"store_damaged"}
    assert not copy.with_name("damaged.sluss.tries").exists()


@pytest.mark.usefixtures("time")
def test_a_store_that_was_removed_leaves_no_count_for_the_next_one(path: Path) -> None:
    other = path.with_name("b.sluss")
    os.link(path, other)
    wrong(other, 6)
    remove(other)

    assert sorted(one.name for one in path.parent.iterdir()) == ["a.sluss"]
