"""The device's clock: real time, an offset from a file where a test gives one, and what a server may correct."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluss_client import clock
from sluss_client.transport import believable


@pytest.mark.parametrize(
    ("text", "offset"), [("3600\n", 3600), ("-7200", -7200), ("0.9", 0), ("", 0), ("tomorrow", 0), ("1e3", 1000)]
)
def test_the_offset_in_the_file_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, offset: int
) -> None:
    file = tmp_path / "clock"
    file.write_text(text, encoding="ascii")
    monkeypatch.setenv("SLUSS_TEST_CLOCK", str(file))

    before = int(clock.real())
    assert before + offset <= clock.now() <= int(clock.real()) + offset


def test_without_a_file_it_is_the_machines_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", str(tmp_path / "none")):
        monkeypatch.setenv("SLUSS_TEST_CLOCK", name)
        before = int(clock.real())
        assert before <= clock.now() <= int(clock.real())


def test_what_lapses_does_so_by_the_later_of_both_times() -> None:
    own = clock.now()
    assert clock.latest(own + 1000) == own + 1000
    assert own <= clock.latest(own - 1000) <= clock.now()


def test_idle_time_runs_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUSS_TEST_CLOCK", raising=False)
    before = clock.running()
    assert clock.running() >= before > 0

    file = tmp_path / "clock"
    file.write_text("3600\n", encoding="ascii")
    monkeypatch.setenv("SLUSS_TEST_CLOCK", str(file))
    assert clock.running() >= before + 3600


DAY = 86_400
NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("own", "said", "newest", "believed"),
    [
        # No directory yet: there is nothing to hold it against.
        (NOW, NOW + 400 * DAY, 0, True),
        (NOW, NOW - 400 * DAY, 0, True),
        # A day either way.
        (NOW, NOW + DAY, NOW - 5, True),
        (NOW, NOW - DAY, NOW - 5, True),
        (NOW, NOW + DAY + 1, NOW - 5, False),
        (NOW, NOW - DAY - 1, NOW - 5, False),
        # The own clock is behind what was signed, so it is wrong, and the server's is not behind it.
        (NOW - 400 * DAY, NOW, NOW - 5, True),
        (NOW - 400 * DAY, NOW - 5, NOW - 5, True),
        (NOW - 400 * DAY, NOW + 900 * DAY, NOW - 5, True),
        # Both are behind it.
        (NOW - 400 * DAY, NOW - 6, NOW - 5, False),
        (NOW - 400 * DAY, NOW - 800 * DAY, NOW - 5, False),
        # The own clock is not behind it: nothing proves which of the two is wrong.
        (NOW + 400 * DAY, NOW, NOW - 5, False),
        (NOW - 5, NOW + 2 * DAY, NOW - 5, False),
    ],
)
def test_a_server_is_believed_within_a_day_or_where_the_own_clock_is_provably_wrong(
    own: int,
    said: int,
    newest: int,
    believed: bool,  # noqa: FBT001  # a column of the table
) -> None:
    assert believable(own, said, newest) is believed
