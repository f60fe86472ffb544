"""What bad input gets at the command line: a stable code on one line, an exit code, and a store that survives."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sluss_client import Invalid
from sluss_client.agency.papers import read_key, write_key
from sluss_client.store import Store

from tests.cli.terminal import COMMAND, Terminal, inside
from tests.importing.lonely import PASSPHRASE as LONELY
from tests.importing.lonely import lonely_device

ENVIRONMENT = {"SLUSS_PASSPHRASE": LONELY}
THREAT = ("scene=park", "sub_kind=threat")


@pytest.fixture(scope="module")
def officer(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A police device with one scene, and no contact."""
    path = tmp_path_factory.mktemp("refusals") / "officer.sluss"
    device = lonely_device(path, ["park"])
    device.local.store.close()
    return Terminal(path)


@pytest.fixture
def guard(tmp_path: Path) -> Terminal:
    """A guard's device with one scene, and no contact."""
    lonely_device(tmp_path / "guard.sluss", ["park"], "security").local.store.close()
    return Terminal(tmp_path / "guard.sluss")


@pytest.mark.parametrize(
    ("kind", "fields", "code", "field"),
    [
        ("order_incident", ["scene=harbour", "sub_kind=threat"], "unknown_scene", "scene"),
        (
            "order_incident",
            [*THREAT, "observed_at=2999-01-01T00:00Z"],
            "future_time",
            "observed_at",
        ),
        (
            "order_incident",
            [*THREAT, "observed_at=1999-01-01T00:00Z"],
            "too_old",
            "observed_at",
        ),
        (
            "order_incident",
            [*THREAT, "observed_at=2026-01-01T00:00"],
            "naive_time",
            "observed_at",
        ),
        ("order_incident", ["scene=park", "sub_kind=lookout"], "wrong_sub_kind", "sub_kind"),
        ("order_incident", ["scene=park", "sub_kind=feast"], "unknown_code", "sub_kind"),
        ("order_incident", ["scene=park"], "missing_field", "sub_kind"),
        ("order_incident", ["sub_kind=threat"], "missing_field", "scene"),
        ("order_incident", [*THREAT, "severity=bad"], "wrong_type", "severity"),
        ("order_incident", [*THREAT, "severity=9"], "out_of_range", "severity"),
        ("order_incident", [*THREAT, "colour=red"], "unknown_field", "colour"),
        ("order_incident", [*THREAT, "subject=[{"], "malformed", "subject"),
        ("order_incident", [*THREAT, f"situation={'x' * 16_001}"], "too_long", "situation"),
        ("place_defect", ["scene=park", "care=needs help"], "not_collected", "care"),
        ("litter_needles", ["scene=park"], "not_an_owner", "kind"),
        ("feast", [], "unknown_kind", "kind"),
    ],
)
def test_a_form_that_is_wrong_is_refused_with_its_field(
    officer: Terminal, kind: str, fields: list[str], code: str, field: str
) -> None:
    options = [part for one in fields for part in ("--field", one)]

    plain = inside(officer.store, LONELY, ["file", kind, *options])
    as_json = inside(officer.store, LONELY, ["file", kind, *options, "--json"])

    assert (plain.code, plain.out) == (1, "")
    assert plain.err.startswith(f"{code}: {field}: ")
    assert json.loads(as_json.err)["error"] | {"say": ""} == {"code": code, "field": field, "say": ""}
    assert inside(officer.store, LONELY, ["outbox", "--json"]).json == []


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["show", "00" * 16], "unknown_report", 1),
        (["show", "zz"], "wrong_type", 1),
        (["readers", "00" * 16], "unknown_report", 1),
        (["inspect", "00" * 16, "--reason", "x"], "unknown_report", 1),
        (
            ["file", "place_defect", "--duty", "L99=send", "--field", "scene=park"],
            "unknown_duty",
            1,
        ),
        (["import", "nowhere.csv", "--mapping", "polisen"], "bad_row", 1),
        (["import", "nowhere.csv", "--mapping", "nothing"], "bad_mapping", 1),
        (["scenes", "import", "nowhere.csv"], "bad_row", 1),
        (["enrol", "SLUSS1-AAAA"], "damaged_code", 1),
        (["enrol", "nonsense"], "damaged_code", 1),
        (["sync"], "offline", 3),
        (["invite", "--function", "field"], "offline", 3),
        (["nothing"], "usage", 2),
        (["show"], "usage", 2),
        (["file"], "usage", 2),
        (["file", "order_incident", "--field", "scene"], "usage", 2),
        (["file", "order_incident", "--json", "nowhere.json"], "usage", 2),
        (["peer", "nonsense"], "usage", 2),
        (["invite"], "usage", 2),
        (["invite", "--function", "chief"], "usage", 2),
        (["import", "nowhere.csv"], "usage", 2),
        (["import", "nowhere.csv", "--mapping", "polisen", "--skip-ids", "x"], "usage", 2),
    ],
)
def test_every_refusal_is_one_line_with_its_exit_code(
    officer: Terminal, arguments: list[str], code: str, exit_code: int
) -> None:
    result = inside(officer.store, LONELY, arguments)

    assert (result.code, result.out) == (exit_code, "")
    last = result.err if arguments[-2:-1] != ["--json"] else json.loads(result.err)["error"]["code"] + ":"
    assert (last.partition(":")[0], len(result.err.splitlines())) == (code, 1)


def test_json_that_is_none_is_refused(officer: Terminal) -> None:
    for given in ("{", "[]", "3"):
        result = inside(officer.store, LONELY, ["file", "order_incident", "--json", "-"], given=given)

        assert (result.code, json.loads(result.err)["error"]["code"]) == (1, "malformed")


def test_a_wrong_passphrase_changes_nothing(officer: Terminal) -> None:
    before = officer.store.read_bytes()

    wrong = officer.run("list", environment={"SLUSS_PASSPHRASE": "guess"})

    assert (wrong.code, wrong.error) == (1, "wrong_passphrase")
    assert officer.store.read_bytes() == before
    assert officer.run("list", environment=ENVIRONMENT).code == 0


def test_a_passphrase_comes_from_a_file(officer: Terminal, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text(LONELY + "\n", encoding="utf-8")

    given = Terminal(officer.store).run("list", bare=True, environment={"SLUSS_STORE": str(officer.store)})
    assert (given.code, given.error) == (2, "usage")
    done = subprocess.run(
        [*COMMAND, "--passphrase-file", str(tmp_path / "passphrase"), "list", "--json"],
        env={**os.environ, "SLUSS_STORE": str(officer.store)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n")
    lost = subprocess.run(
        [*COMMAND, "--store", str(officer.store), "--passphrase-file", str(tmp_path / "no"), "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (lost.returncode, lost.stderr.partition(":")[0]) == (2, "usage")


def test_a_passphrase_is_asked_for_at_a_terminal_and_not_shown(officer: Terminal) -> None:
    # `pty.spawn` gives the command a terminal of its own; it is answered when it has asked.
    spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    with subprocess.Popen(
        [sys.executable, "-c", spawn, *COMMAND, "--store", str(officer.store), "scenes", "list"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        shown = b""
        while b"Passphrase" not in shown:
            part = os.read(process.stdout.fileno(), 1024)
            assert part, shown
            shown += part
        os.write(process.stdin.fileno(), LONELY.encode() + b"\n")
        shown += process.stdout.read()
        assert process.wait() == 0

    assert b"park" in shown
    assert LONELY.encode() not in shown


def damage(store: Path, space: str) -> None:
    """Overwrite what is sealed in a space of the store, as a failing disk would."""
    connection = sqlite3.connect(store)
    connection.execute("UPDATE rows SET sealed = zeroblob(length(sealed)) WHERE space = ?", (space,))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("how", ["other bytes", "cut off", "device", "chain"])
def test_a_damaged_store_is_named_and_left_alone(officer: Terminal, tmp_path: Path, how: str) -> None:
    store = tmp_path / "damaged.sluss"
    whole = officer.store.read_bytes()
    store.write_bytes({"other bytes": b"no database" * 1000, "cut off": whole[:4096]}.get(how, whole))
    if how in {"device", "chain"}:
        damage(store, how)
    before = store.read_bytes()

    result = Terminal(store).run("list", environment=ENVIRONMENT)
    examined = Terminal(store).run("doctor", "--json", environment=ENVIRONMENT)

    assert (result.code, result.error) == (1, "store_damaged")
    assert (examined.code, examined.json["ok"]) == (1, False)
    assert examined.json["checks"][0]["value"] == "store_damaged"
    assert store.read_bytes() == before


def test_the_doctor_finds_damage_that_nothing_else_meets(officer: Terminal, tmp_path: Path) -> None:
    store = tmp_path / "damaged.sluss"
    store.write_bytes(officer.store.read_bytes())
    opened = Store.open(store, LONELY)
    # An invitation is read when somebody comes with its code.
    opened.put("invite", b"an id", b"an invitation")
    opened.close()
    damage(store, "invite")

    listed = Terminal(store).run("list", environment=ENVIRONMENT)
    examined = Terminal(store).run("doctor", "--json", environment=ENVIRONMENT)

    assert (listed.code, examined.code) == (0, 1)
    assert examined.json["checks"] == [
        {
            "name": "store",
            "ok": False,
            "say": "store_damaged: Make a copy of the file and ask a registrar; what was sent can be fetched again.",
            "value": "store_damaged",
        }
    ]


def test_a_store_that_is_not_there_is_said(tmp_path: Path) -> None:
    nowhere = Terminal(tmp_path / "nowhere.sluss")

    assert (nowhere.run("list").code, nowhere.run("list").error) == (1, "store_missing")
    assert nowhere.run("doctor", "--json").json["checks"][0]["value"] == "store_missing"
    assert not nowhere.store.exists()


@pytest.mark.parametrize("mapping", ["kind =", 'kind = "feast"\n', "\xff"])
def test_an_unreadable_mapping_is_refused_before_the_first_row(officer: Terminal, tmp_path: Path, mapping: str) -> None:
    (tmp_path / "mine.toml").write_bytes(mapping.encode("latin-1"))
    (tmp_path / "events.csv").write_text("id\n1\n", encoding="utf-8")

    result = officer.run(
        "import", tmp_path / "events.csv", "--mapping", tmp_path / "mine.toml", "--json", environment=ENVIRONMENT
    )

    assert result.code == 1
    assert json.loads(result.err)["error"]["code"] == "bad_mapping"


def test_a_full_disk_keeps_what_was_saved_and_the_import_goes_on_later(officer: Terminal, tmp_path: Path) -> None:
    store = tmp_path / "full.sluss"
    store.write_bytes(officer.store.read_bytes())
    events = tmp_path / "events.csv"
    rows = "".join(f"{n},2025-01-15T9:40,Bråk,Park,,{'x' * 500}\n" for n in range(400))
    events.write_text("id,occurred_local,type,place,title_place,summary\n" + rows, encoding="utf-8")
    # No file of this process may grow past 300 kB, which SQLite meets as it would meet a full disk.
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
    full = subprocess.run(
        [
            *(sys.executable, "-c", limited + "from sluss_client.cli import main; main(sys.argv[1:])"),
            *("--store", str(store), "import", str(events), "--mapping", "polisen"),
        ],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (full.returncode, full.stdout, full.stderr.partition(":")[0]) == (1, "", "disk_full")
    saved = len(inside(store, LONELY, ["list", "--json"]).json)
    assert 0 < saved < 400

    resumed = inside(store, LONELY, ["import", str(events), "--mapping", "polisen", "--json"])

    assert (resumed.code, resumed.json["already"], resumed.json["filed"]) == (0, saved, 400 - saved)


def test_another_agencys_mapping_is_refused(guard: Terminal, tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("id,occurred_local,type,place,title_place,summary\n", encoding="utf-8")

    result = guard.run("import", events, "--mapping", "polisen", environment=ENVIRONMENT)

    assert (result.code, result.err.split(": ")[:2]) == (1, ["bad_mapping", "owner"])


def test_the_doctor_says_what_to_do(officer: Terminal) -> None:
    found = officer.run("doctor", "--json", environment=ENVIRONMENT)

    failing = {check["name"]: check["value"] for check in found.json["checks"] if not check["ok"]}
    assert found.code == 1
    # Nobody has ever passed a key on to this device, and its agency is alone with one registrar.
    assert failing == {
        "keys": ["field", "supervisors"],
        "registrars": ["P-1"],
        "custodians": {"custodians": [], "gone": [], "not_split": 0},
    }


def test_help_needs_no_store_and_names_the_exit_codes(tmp_path: Path) -> None:
    nowhere = Terminal(tmp_path / "nowhere.sluss")

    for arguments in (["--help"], ["import", "--help"], ["--version"]):
        result = nowhere.run(*arguments, bare=True)

        assert (result.code, result.err) == (0, "")
    assert "3 offline" in nowhere.run("import", "--help").out


def test_a_printed_root_key_is_read_back_and_a_slip_in_it_is_seen() -> None:
    key = bytes(range(32))
    text = write_key(key)

    assert text.startswith("SLUSSROOT1-")
    assert read_key(text) == key
    assert read_key(text.lower().replace("-", " ")) == key
    wrong = "A" if text[-1] != "A" else "B"
    for slip in (text[:-1] + wrong, text[:-1], text.replace("SLUSSROOT1", "SLUSS1"), text[:12] + text[13:], ""):
        with pytest.raises(Invalid, match="damaged_root_key"):
            read_key(slip)


def test_the_command_is_installed_under_its_name(officer: Terminal) -> None:
    command = Path(sys.executable).with_name("sluss-device")

    done = subprocess.run(
        [command, "scenes", "list"],
        env={**os.environ, **ENVIRONMENT, "SLUSS_STORE": str(officer.store)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.split()) == (0, ["park", "park"])
