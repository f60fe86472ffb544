"""The settings and the clock: what holds without a variable, what is refused, and which time it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluss_schemas.problems import Invalid
from sluss_server import clock, settings
from sluss_server.clock import Clock
from sluss_server.settings import VARIABLES, Settings

REFUSED: list[tuple[str, str, str]] = [
    ("SLUSS_PORT", "-1", "wrong_type"),
    ("SLUSS_PORT", "80.0", "wrong_type"),
    ("SLUSS_PORT", "٨٠", "wrong_type"),
    ("SLUSS_PORT", "65536", "out_of_range"),
    ("SLUSS_PORT", "9" * 5_000, "out_of_range"),
    ("SLUSS_LOG_LEVEL", "trace", "unknown_code"),
    ("SLUSS_DATABASE_URL", "secret", "unknown_code"),
    ("SLUSS_DATABASE_URL", "sqlite3:///secret.db", "unknown_code"),
    ("SLUSS_PUBLIC_URL", "ftp://secret.example", "wrong_type"),
    ("SLUSS_PUBLIC_URL", "http:///secret", "wrong_type"),
    ("SLUSS_PUBLIC_URL", "https://user@secret.example", "wrong_type"),
    ("SLUSS_PUBLIC_URL", "https://secret.example/?q=1", "wrong_type"),
    ("SLUSS_PUBLIC_URL", "https://[secret", "wrong_type"),
]


def test_an_empty_environment_is_enough() -> None:
    read = Settings.read({})

    folder = Path("sluss-data").absolute()
    assert read == Settings(
        data_dir=folder,
        database_url=f"sqlite+aiosqlite:///{folder / 'sluss.sqlite'}",
        host="127.0.0.1",
        port=8000,
        public_url="",
        metrics_port=None,
        log_level="info",
        test_clock=None,
    )


def test_every_variable_is_read() -> None:
    given = {
        "SLUSS_DATA_DIR": "/srv/sluss",
        "SLUSS_DATABASE_URL": "postgresql+asyncpg://u:p@h/d",
        "SLUSS_HOST": "::1",
        "SLUSS_PORT": " 0 ",
        "SLUSS_PUBLIC_URL": "https://sluss.example/town/",
        "SLUSS_METRICS_PORT": "9100",
        "SLUSS_LOG_LEVEL": "WARNING",
        "SLUSS_TEST_CLOCK": "/tmp/offset",  # noqa: S108  # it is only named
    }
    read = Settings.read(given)

    assert given.keys() == {variable.name for variable in VARIABLES}
    assert read == Settings(
        data_dir=Path("/srv/sluss"),
        database_url="postgresql+asyncpg://u:p@h/d",
        host="::1",
        port=0,
        public_url="https://sluss.example/town",
        metrics_port=9100,
        log_level="warning",
        test_clock=Path("/tmp/offset"),  # noqa: S108  # as above
    )


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.read({variable.name: " " for variable in VARIABLES}) == Settings.read({})


@pytest.mark.parametrize(("name", "value", "code"), REFUSED)
def test_a_value_that_cannot_be_meant_is_refused_by_its_name(name: str, value: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        Settings.read({name: value})

    assert (refused.value.code, refused.value.field) == (code, name)
    assert value not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_misspelt_variable_is_seen() -> None:
    assert settings.unknown({"SLUSS_PROT": "1", "SLUSS_PORT": "1", "SLUSS_STORE": "x", "PATH": "x"}) == ("SLUSS_PROT",)


def test_the_table_has_a_row_for_every_variable() -> None:
    lines = settings.table().splitlines()

    assert lines[0] == "| variable | default | meaning |"
    assert [line.split("`")[1] for line in lines[2:]] == [variable.name for variable in VARIABLES]


@pytest.mark.parametrize(("written", "moved"), [("3600", 3600), ("-3600\n", -3600), ("0.0", 0), ("1e3", 1000)])
def test_the_clock_is_moved_by_what_the_file_says(tmp_path: Path, written: str, moved: int) -> None:
    offset = tmp_path / "offset"
    offset.write_text(written, encoding="ascii")

    assert abs(Clock(offset)() - Clock()() - moved) <= 1


@pytest.mark.parametrize("written", ["", "tomorrow", "nan", "inf", "-inf", "1e300", "\xff"])
def test_a_file_that_holds_no_offset_moves_nothing(tmp_path: Path, written: str) -> None:
    offset = tmp_path / "offset"
    offset.write_text(written, encoding="latin-1")

    assert abs(Clock(offset)() - Clock()()) <= 1


def test_a_missing_file_moves_nothing_and_a_later_one_does(tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    moved = Clock(offset)
    assert abs(moved() - Clock()()) <= 1

    for seconds in (100, 200, 300):
        # Each of the same length and within one tick of the file system's clock.
        offset.write_text(str(seconds), encoding="ascii")
        assert abs(moved() - Clock()() - seconds) <= 1


def test_the_time_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "offset").write_text("5000", encoding="ascii")
    before = clock.now()
    monkeypatch.setenv("SLUSS_TEST_CLOCK", str(tmp_path / "offset"))

    assert abs(clock.now() - before - 5000) <= 5
