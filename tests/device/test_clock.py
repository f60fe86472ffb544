"""The device's clock: real time, and an offset from a file where a test gives one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluss_client import clock


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
