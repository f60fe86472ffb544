"""An agency at the command line: who comes, changes and leaves, who is a registrar, and the keys from the two safes.

One story on one server, told in order; the sequences for bad days are in docs/operating.md and tested from there.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluss_client import Device
from sluss_client.agency.papers import write_key
from sluss_client.testing import Server

from tests.cli.terminal import COMMAND, PASSPHRASE, Result, inside

PERSON = {"alias", "name", "functions", "scenes", "state", "devices"}


@dataclass(frozen=True, slots=True)
class Guards:
    """The guards' folder, the police's founding code, and the guards' root keys as they were printed."""

    folder: Path
    police: str
    safe: dict[str, str]

    def run(self, who: str, *arguments: str | Path) -> Result:
        """Run a command on somebody's device."""
        return inside(self.folder / f"{who}.sluss", PASSPHRASE, [str(one) for one in arguments])

    def json(self, who: str, *arguments: str | Path) -> Any:  # noqa: ANN401  # what a command prints, its test knows
        """Run a command that has to succeed, with `--json`, and return what it printed."""
        result = self.run(who, *arguments, "--json")
        assert (result.code, result.err) == (0, "")
        return result.json

    def enrol(self, who: str, *options: str) -> str:
        """Invite somebody, have their device ready, and return its id."""
        enrolled = self.json(who, "enrol", self.json("anna", "invite", *options)["code"])
        for one in ("anna", who):
            self.json(one, "sync")
        return str(enrolled["device"])

    def person(self, alias: str, *options: str) -> dict[str, Any] | None:
        """Return a row of `people`, or None."""
        rows = self.json("anna", "people", *options)
        assert all(set(row) == PERSON for row in rows)
        return next((row for row in rows if row["alias"] == alias), None)


@pytest.fixture(scope="module")
def guards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guards]:
    """An agency that Anna has founded."""
    folder = tmp_path_factory.mktemp("guards")
    server = Server(folder, folder / "clock", None)
    codes = server.found(("security", "police"))
    server.start()
    try:
        founding = ("enrol", codes["security"], "--function", "field", "--function", "supervisors")
        (folder / "taken.html").write_text("mine")
        refused = inside(folder / "anna.sluss", PASSPHRASE, [*founding, "--paper", str(folder / "taken.html")])
        # Nothing was founded for a paper that could not be written.
        assert (refused.code, refused.error, (folder / "anna.sluss").exists()) == (1, "store_exists", False)
        built = Guards(folder, codes["police"], {})
        built.safe.update(built.json("anna", *founding)["safe"])
        built.json("anna", "sync")
        scenes = folder / "scenes.csv"
        scenes.write_text("slug,label_en,label_sv\nsquare,The square,Torget\npark,The park,Parken\n", encoding="utf-8")
        built.json("anna", "scenes", "import", scenes)
        yield built
    finally:
        server.stop()


def test_a_colleague_comes_is_listed_by_name_and_changes(guards: Guards) -> None:
    kid = guards.enrol("bo", "--function", "field", "--scene", "square", "--name", "Bo Berg", "--alias", "S-20")

    assert guards.person("S-20") == {
        "alias": "S-20",
        "name": "Bo Berg",
        "functions": ["field"],
        "scenes": ["square"],
        "state": "active",
        "devices": [{"device": kid, "is": ["field"]}],
    }
    said = guards.run("anna", "people").out
    assert re.search(rf"^S-20 +Bo Berg +field \(square\)\n +device {kid[:8]} field$", said, re.MULTILINE)

    changed = guards.json(
        "anna",
        "change",
        "S-20",
        "--function",
        "supervisors",
        "--all-scenes",
        "--until",
        "2099-01-31",
        "--name",
        "B. B.",
    )

    assert changed == {"alias": "S-20"}
    row = guards.person("S-20")
    assert row is not None
    assert (row["name"], row["functions"], row["scenes"]) == ("B. B.", ["supervisors"], None)
    assert row["devices"] == [{"device": kid, "is": ["supervisors"]}]
    guards.json("anna", "change", "S-20", "--name", "")
    row = guards.person("S-20")
    assert row is not None
    assert row["name"] is None


def test_a_colleague_is_suspended_and_comes_back_loses_a_telephone_and_leaves(guards: Guards) -> None:
    first = guards.enrol("cecilia", "--function", "field", "--alias", "S-30")

    assert guards.json("anna", "suspend", "S-30") == {"alias": "S-30"}
    assert guards.person("S-30") is None
    row = guards.person("S-30", "--all")
    assert row is not None
    assert (row["state"], row["devices"]) == ("suspended", [{"device": first, "is": []}])
    assert guards.run("anna", "invite", "--for", "S-30").error == "not_allowed"
    assert guards.json("anna", "resume", "S-30") == {"alias": "S-30"}
    second = guards.enrol("cecilia-2", "--for", "S-30", "--days", "31")
    assert guards.run("anna", "revoke", "S-30").error == "out_of_range"
    assert guards.json("anna", "revoke", first[:8], "--reason", "stolen") == {"device": first[:8], "reason": "stolen"}
    row = guards.person("S-30", "--all")
    assert row is not None
    assert [(one["device"], one["is"]) for one in row["devices"]] == [(first, ["revoked"]), (second, ["field"])]

    assert guards.json("anna", "leave", "S-30") == {"alias": "S-30"}

    assert guards.run("cecilia-2", "sync").error == "wiped"
    assert guards.person("S-30") is None
    assert guards.run("anna", "revoke", "S-30").error == "unknown_alias"


def test_custodians_need_no_function_and_are_three(guards: Guards) -> None:
    kids = [guards.enrol(who, "--custodian", "--name", who) for who in ("disa", "egil", "frej")]
    rows = [row for row in guards.json("anna", "people") if row["name"] in {"disa", "egil", "frej"}]
    aliases = [row["alias"] for row in rows]
    assert [row["functions"] for row in rows] == [[], [], []]

    assert guards.run("anna", "custodians", aliases[0], aliases[0], aliases[1]).error == "directory_refused"
    assert guards.json("anna", "custodians", *aliases) == {"custodians": aliases}

    rows = [row for row in guards.json("anna", "people") if row["alias"] in aliases]
    assert [row["devices"] for row in rows] == [[{"device": kid, "is": ["custodian"]}] for kid in kids]
    assert guards.json("anna", "rotate", "--function", "field") == {"rotated": ["field"]}


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("invite", "--function", "field", "--days", "32"), 1, "out_of_range"),
        (("invite", "--function", "field", "--alias", "S-1"), 1, "out_of_range"),
        (("invite", "--function", "field", "--scene", "harbour"), 1, "unknown_scene"),
        (("invite", "--function", "reception"), 1, "unknown_code"),
        (("invite", "--for", "S-99"), 1, "unknown_alias"),
        (("invite", "--for", "S-1", "--name", "Another"), 2, "usage"),
        (("invite", "--custodian", "--function", "field"), 2, "usage"),
        (("change", "S-1"), 2, "usage"),
        (("change", "S-1", "--scene", "square", "--all-scenes"), 2, "usage"),
        (("change", "S-1", "--until", "tomorrow"), 2, "usage"),
        (("change", "S-99", "--all-scenes"), 1, "unknown_alias"),
        (("change", "S-1", "--until", "2020-01-01"), 1, "last_registrar"),
        (("suspend", "S-1"), 1, "last_registrar"),
        (("leave", "S-1"), 1, "last_registrar"),
        (("revoke", "S-1"), 1, "last_registrar"),
        (("revoke", "S-99"), 1, "unknown_alias"),
        (("revoke", ""), 1, "unknown_alias"),
        (("revoke", "S-1", "--reason", "bored"), 2, "usage"),
        (("custodians", "S-1", "S-98", "S-99"), 1, "unknown_alias"),
        (("custodians", "S-1"), 2, "usage"),
        (("rotate", "--function", "reception"), 1, "not_allowed"),
        (("peer", "00" * 32), 1, "unknown_code"),
        (("peer", "--end", "police"), 1, "unknown_code"),
        (("peer",), 2, "usage"),
        (("registrar", "add", "S-1"), 2, "usage"),
        (("root", "rotate"), 2, "usage"),
        (("root", "show"), 1, "wrong_root_key"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    guards: Guards, arguments: tuple[str, ...], code: int, error: str
) -> None:
    before = guards.json("anna", "people", "--all")

    result = guards.run("anna", *arguments)

    assert (result.code, result.error, result.out) == (code, error, "")
    assert guards.json("anna", "people", "--all") == before


def test_a_colleague_has_none_of_a_registrars_acts(guards: Guards) -> None:
    guards.enrol("gun", "--function", "field")

    for arguments in (
        ("invite", "--function", "field"),
        ("change", "S-1", "--all-scenes"),
        ("suspend", "S-1"),
        ("resume", "S-1"),
        ("leave", "S-1"),
        ("revoke", "S-1"),
        ("rotate",),
        ("custodians", "S-1", "S-2", "S-3"),
        ("peer", "00" * 32),
        ("restored",),
    ):
        assert guards.run("gun", *arguments).error == "registrar_only", arguments


def test_the_root_key_is_read_from_a_file_the_environment_or_a_person_and_must_be_the_right_one(
    guards: Guards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guards.enrol("hanna", "--function", "field", "--alias", "S-40")
    root, sheet = guards.safe["root_key"], tmp_path / "sheet.txt"

    def add(text: str) -> Result:
        sheet.write_text(text, encoding="ascii")
        return guards.run("hanna", "registrar", "add", "S-40", "--root-key-file", sheet, "--json")

    for text, error in (
        (root[:-1], "damaged_root_key"),
        (guards.safe["next_root_key"], "wrong_root_key"),
        (write_key(bytes(32)), "wrong_root_key"),
    ):
        assert f'"code": "{error}"' in add(text).err
    # Any enrolled device does it for whoever brings the key, however it was typed.
    assert add(root.lower().replace("-", " ") + "\n").json == {"device": "S-40"}
    guards.json("anna", "sync")
    row = guards.person("S-40")
    assert row is not None
    assert row["devices"][0]["is"] == ["registrar", "field"]

    monkeypatch.setenv("SLUSS_ROOT_KEY", root)
    assert guards.json("anna", "registrar", "remove", "S-40") == {"device": "S-40"}
    assert guards.run("anna", "registrar", "remove", "S-1").error == "last_registrar"
    monkeypatch.delenv("SLUSS_ROOT_KEY")
    asked = typed(guards.folder / "anna.sluss", root, "registrar", "add", "S-40")
    assert "S-40 is a registrar." in asked
    assert root not in asked
    assert guards.json("anna", "registrar", "remove", row["devices"][0]["device"][:8], "--root-key-file", sheet)


def typed(store: Path, key: str, *arguments: str) -> str:
    """Run a command on a terminal of its own, type the root key when it is asked for, and return what was shown."""
    spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    with subprocess.Popen(
        [sys.executable, "-c", spawn, *COMMAND, "--store", str(store), *arguments],
        env={**os.environ, "SLUSS_PASSPHRASE": PASSPHRASE},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        shown = b""
        while b"Root key" not in shown:
            part = os.read(process.stdout.fileno(), 1024)
            assert part, shown
            shown += part
        os.write(process.stdin.fileno(), key.encode() + b"\n")
        shown += process.stdout.read()
        assert process.wait() == 0, shown
    return shown.decode()


def test_a_new_root_prints_the_key_that_follows_it_once_and_the_old_key_is_worth_nothing(
    guards: Guards, tmp_path: Path
) -> None:
    sheet, paper = tmp_path / "sheet.txt", tmp_path / "new.html"
    sheet.write_text(guards.safe["next_root_key"], encoding="ascii")
    (tmp_path / "taken.html").write_text("mine")
    refused = guards.run("anna", "root", "rotate", "--root-key-file", sheet, "--paper", tmp_path / "taken.html")
    assert (refused.error, (tmp_path / "taken.html").read_text()) == ("store_exists", "mine")

    printed = guards.json("anna", "root", "rotate", "--root-key-file", sheet, "--paper", paper)

    assert (set(printed), printed["root_key"]) == ({"root_key", "next_root_key"}, None)
    page = paper.read_text(encoding="utf-8")
    assert (page.count(printed["next_root_key"]), page.count("<svg"), page.count("Safe A")) == (1, 1, 0)
    assert guards.run("anna", "root", "show").error == "wrong_root_key"
    assert guards.run("anna", "root", "rotate", "--root-key-file", sheet).error == "wrong_root_key"
    sheet.write_text(guards.safe["root_key"], encoding="ascii")
    assert guards.run("anna", "registrar", "add", "S-1", "--root-key-file", sheet).error == "wrong_root_key"


def test_root_keys_that_a_kill_kept_from_being_printed_are_shown_later_and_once(guards: Guards) -> None:
    async def found() -> str:
        async with await Device.enrol(guards.folder / "petra.sluss", guards.police, PASSPHRASE) as device:
            return device.local.config.root.hex()

    fingerprint = asyncio.run(found())
    assert guards.run("petra", "enrol", guards.police).error == "store_exists"
    assert [one["ok"] for one in guards.run("petra", "doctor", "--json").json["checks"] if one["name"] == "root"] == [
        False
    ]

    said = guards.run("petra", "root", "show").out

    assert len({*re.findall(r"SLUSSROOT1-[A-Z2-7-]+", said)}) == 2
    assert guards.run("petra", "root", "show").error == "wrong_root_key"

    # The guards pin them for as long as the agreement lasts, and end it before that.
    guards.json("anna", "sync")
    read_aloud = " ".join(fingerprint[at : at + 8] for at in range(0, 64, 8))
    pinned = guards.json("anna", "peer", read_aloud, "--until", "2099-12-31", "--agreement", "No. 7")
    assert pinned == {"agency": "police"}
    assert guards.json("anna", "peer", "--end", "police") == {"agency": "police"}
    assert guards.run("anna", "peer", "--end", "police").error == "unknown_code"
