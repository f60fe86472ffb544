"""`sluss`: what each command prints, as text and as JSON, and with which exit code it ends."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click import Group

from sluss_schemas.ids import AGENCY_SECTORS, AGENCY_SLUGS
from sluss_schemas.invitation import read_code
from sluss_schemas.policy import builtin
from sluss_server.cli import cli
from sluss_server.cli.packs import CELL_COLUMNS
from sluss_server.storage import schema

from tests.http.server import SLUSS, Server, environment_of, run

CHECKS = [
    "settings",
    "data_dir",
    "disk",
    "key",
    "database",
    "schema",
    "restore",
    "durability",
    "clock",
    "packs",
    "adopted",
    "tasks",
]

MISUSED: list[tuple[str, ...]] = [
    ("nonsense",),
    ("serve", "--nonsense"),
    ("serve", "--port", "65536"),
    ("serve", "--port", "eighty"),
    ("found",),
    ("found", "Town", "--agency", "circus"),
    ("pack", "cells", "XX-1900-01-01"),
    ("pack", "cells", "--format", "xml"),
]
UNSET: list[tuple[str, str, str]] = [
    ("SLUSS_PORT", "eighty", "wrong_type"),
    ("SLUSS_PORT", "70000", "out_of_range"),
    ("SLUSS_LOG_LEVEL", "chatty", "unknown_code"),
    ("SLUSS_DATABASE_URL", "mysql://secret@host/db", "unknown_code"),
    ("SLUSS_PUBLIC_URL", "secret.example", "wrong_type"),
]


@pytest.fixture(autouse=True)
def _no_clock_of_a_town(monkeypatch: pytest.MonkeyPatch) -> None:
    """A town of other tests may still be open, and its clock would be a finding of the doctor."""
    monkeypatch.delenv("SLUSS_TEST_CLOCK", raising=False)


def test_a_partnership_of_all_five_is_founded(tmp_path: Path) -> None:
    done = run("found", "Testtown", "--json", folder=tmp_path / "data")

    printed = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert printed.keys() == {"partnership", "name", "server_url", "codes"}
    assert [one["agency"] for one in printed["codes"]] == list(AGENCY_SLUGS.values())
    assert [one["registry"] for one in printed["codes"]] == [True, False, False, False, False]
    for one in printed["codes"]:
        code = read_code(one["code"])
        assert code.partnership.hex() == printed["partnership"]
        assert code.server == printed["server_url"] == "http://127.0.0.1:8000"
        assert code.founding is not None
        assert code.founding[:3] == (one["agency"], AGENCY_SECTORS[one["agency"]], one["registry"])


def test_a_partnership_of_some_is_founded_in_the_order_given(tmp_path: Path) -> None:
    arguments = ("--agency", "security", "--agency", "police", "--server-url", "https://sluss.example/")
    done = run("found", "Testtown", *arguments, folder=tmp_path)

    assert done.returncode == 0
    said, first, second, pinned = done.stdout.splitlines()
    assert "Testtown" in said
    assert "sluss backup" in pinned
    assert [line.split()[0] for line in (first, second)] == ["security", "police"]
    assert {read_code(line.split()[1]).server for line in (first, second)} == {"https://sluss.example"}


def test_agencies_pin_one_receipt_key(tmp_path: Path) -> None:
    first = json.loads(run("found", "One", "--agency", "police", "--json", folder=tmp_path).stdout)
    second = json.loads(run("found", "Two", "--agency", "health", "--json", folder=tmp_path).stdout)

    pinned = [read_code(one["codes"][0]["code"]).founding for one in (first, second)]
    assert pinned[0] is not None
    assert pinned[1] is not None
    assert pinned[0][3] == pinned[1][3]
    assert first["partnership"] != second["partnership"]


def test_a_new_database_is_brought_to_the_head_and_then_left_alone(tmp_path: Path) -> None:
    first = run("migrate", "--json", folder=tmp_path / "data")
    second = run("migrate", "--json", folder=tmp_path / "data")

    assert json.loads(first.stdout) == {"from": None, "to": schema.head()}
    assert json.loads(second.stdout) == {"from": schema.head(), "to": schema.head()}
    assert (first.returncode, second.returncode) == (0, 0)


def test_a_database_of_another_version_is_not_founded_in(tmp_path: Path) -> None:
    run("migrate", folder=tmp_path)
    with closing(sqlite3.connect(tmp_path / "sluss.sqlite")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")
        database.commit()

    done = run("found", "Testtown", folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("sluss: not_migrated: ")


def test_the_doctor_finds_nothing_wrong_with_a_running_server(server: Server) -> None:
    done = run("doctor", "--json", folder=server.folder)

    printed = json.loads(done.stdout)
    assert [one["name"] for one in printed["checks"]] == CHECKS
    assert [one for one in printed["checks"] if not one["ok"]] == []
    assert (printed["ok"], done.returncode) == (True, 0)
    assert all(one["say"] for one in printed["checks"])


def test_the_doctor_makes_nothing_where_nothing_is(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    done = run("doctor", "--json", folder=folder)

    failed = [one["name"] for one in json.loads(done.stdout)["checks"] if not one["ok"]]
    assert failed == ["data_dir", "disk", "key", "database", "schema", "restore", "durability", "adopted", "tasks"]
    assert done.returncode == 1
    assert not folder.exists()


@pytest.mark.parametrize(
    ("environment", "mode", "name"),
    [
        ({"SLUSS_DATABSE_URL": "x"}, 0o600, "settings"),
        ({"SLUSS_TEST_CLOCK": "offset"}, 0o600, "clock"),
        ({}, 0o644, "key"),
    ],
)
def test_the_doctor_names_what_is_wrong(tmp_path: Path, environment: dict[str, str], mode: int, name: str) -> None:
    folder = tmp_path / "data"
    run("found", "Testtown", "--agency", "police", folder=folder)
    (folder / "receipt.key").chmod(mode)

    done = run("doctor", folder=folder, **environment)

    assert done.returncode == 1
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAIL")] == [name]


def test_every_cell_of_a_pack_is_printed_as_csv_and_as_json(tmp_path: Path) -> None:
    [pack] = builtin()[-1:]
    rows = list(csv.reader(run("pack", "cells", pack.id, folder=tmp_path).stdout.splitlines()))
    printed = json.loads(run("pack", "cells", pack.id, "--format", "json", folder=tmp_path).stdout)
    same = json.loads(run("pack", "cells", pack.id, "--json", folder=tmp_path).stdout)

    assert tuple(rows[0]) == CELL_COLUMNS
    assert len(rows) == len(pack.cells) + 1
    assert [dict(zip(CELL_COLUMNS, row, strict=True)) for row in rows[1:]] == printed == same
    assert ["K01", "SEC", "SIT", "POL", pack.cells[1, "SEC", "SIT", "POL"].code] in rows


def test_without_the_devices_package_the_demo_says_how(tmp_path: Path) -> None:
    done = run("demo", "--json", folder=tmp_path)

    # In a checkout with the devices' package it names the story instead.
    assert done.returncode in {0, 1}
    assert "one_night_at_the_square" in done.stdout or "make demo" in done.stderr


@pytest.mark.parametrize("arguments", MISUSED, ids=" ".join)
def test_what_is_not_understood_ends_with_2_and_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("sluss: usage: ")


@pytest.mark.parametrize(("name", "value", "code"), UNSET)
def test_a_wrong_setting_is_named_and_its_value_is_not_repeated(
    tmp_path: Path, name: str, value: str, code: str
) -> None:
    done = run("doctor", "--json", folder=tmp_path, **{name: value})

    assert (done.returncode, done.stdout) == (1, "")
    error = json.loads(done.stderr)["error"]
    assert (error["code"], error["say"].split(": ")[0]) == (code, name)
    assert value not in done.stderr


def test_every_command_has_json_and_tells_its_exit_codes() -> None:
    groups = [one for one in cli.commands.values() if isinstance(one, Group)]
    commands = [*cli.commands.values(), *(command for group in groups for command in group.commands.values())]

    for command in commands:
        assert command.epilog is not None
        assert "Exit codes: 0" in command.epilog
        if command not in groups:
            assert any("--json" in parameter.opts for parameter in command.params), command.name


@pytest.mark.parametrize("arguments", [(), ("pack",)])
def test_half_a_command_shows_the_help(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, folder=tmp_path)

    assert done.returncode == 2
    assert "--help" in done.stdout


def test_the_help_names_every_command(tmp_path: Path) -> None:
    done = run("--help", folder=tmp_path)

    assert done.returncode == 0
    for name in cli.commands:
        assert name in done.stdout


def test_the_listening_line_can_be_json(tmp_path: Path) -> None:
    # A bare start is in test_lifecycle; here only that a program can read it.
    run("migrate", folder=tmp_path)
    with subprocess.Popen(
        [*SLUSS, "serve", "--port", "0", "--json"],
        env=environment_of(tmp_path, {}),
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(30) == 0

    assert printed["listening"].startswith("http://127.0.0.1:")
