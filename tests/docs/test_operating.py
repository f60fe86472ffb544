"""Every sequence of docs/operating.md, run as it stands there: a partnership through good and bad days.

What a person would type off paper or read from a screen is taken from what the commands before have printed.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from sluss_client.testing import Server

from tests.cli.terminal import PASSPHRASE, Result, Terminal, inside
from tests.conftest import ROOT

PAGE: Final = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
LINE: Final = re.compile(r"^(?P<who>[a-z-]+)\$ (?P<command>.+?)(?:\s+# refused: (?P<code>[a-z_]+))?$")
SEQUENCES: Final = (
    "First day",
    "New colleague",
    "Lost phone",
    "Colleague leaves",
    "Registrar hit by a bus",
    "Root key lost",
    "Server burnt down",
    "Ledger reviewed every month",
)
INCIDENT: Final = ("file", "order_incident", "--field", "scene=central-square", "--field", "sub_kind=threat")
SCENES: Final = "slug,label_en,label_sv\ncentral-square,Central square,Centrala torget\n"


def commands(section: str) -> list[re.Match[str]]:
    """Return the lines of a section's blocks, in order."""
    body = PAGE.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```console\n(.*?)```", body, re.DOTALL)
    lines = [LINE.match(line) for block in blocks for line in block.splitlines()]
    assert lines
    assert all(lines), "every line begins with whose machine it is"
    return [line for line in lines if line is not None]


class Inside(Terminal):
    """A device's command line in this process, which is quicker: the story has over a hundred commands."""

    def run(self, *arguments: str | Path, given: str = "", **_: object) -> Result:
        return inside(self.store, PASSPHRASE, [str(one) for one in arguments], given=given)


@dataclass
class Story:
    """Everybody's devices, the server, and what was printed."""

    folder: Path
    server: Server
    seen: dict[str, str] = field(default_factory=dict)
    sheets: dict[str, str] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    audit: dict[str, str] = field(default_factory=dict)

    def device(self, who: str) -> Inside:
        """Return somebody's command line."""
        return Inside(self.folder / f"{who}.sluss")

    def run(self, line: re.Match[str]) -> None:
        """Run one line of the page."""
        who, command = line["who"], line["command"]
        for name in sorted(self.seen, key=len, reverse=True):
            command = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", self.seen[name], command)
        program, *arguments = shlex.split(command)
        if program == "sluss":
            self.on_server(arguments)
            return
        assert program == "sluss-device"
        arguments = [str(self.folder / one) if one.endswith((".html", ".txt", ".csv")) else one for one in arguments]
        for paper in [one for one in arguments if one.endswith(".html")]:
            Path(paper).unlink(missing_ok=True)
        result = self.device(who).run(*arguments)
        if line["code"]:
            assert (result.code, result.error) == (1, line["code"]), result.err
            return
        assert result.code == 0, f"{who}: {command}: {result.err}"
        self.learn(who, arguments, result.out)
        if arguments == ["ledger"]:
            (self.folder / "checkpoint.txt").write_text(result.out, encoding="utf-8")

    def learn(self, who: str, arguments: list[str], out: str) -> None:
        """Keep what a person would read from the screen or the paper."""
        if code := re.search(r"SLUSS1-[A-Z2-7-]+", out):
            self.seen["CODE"] = code[0]
        if person := re.search(r"SLUSSPERSON1-[A-Z2-7-]+", out):
            self.seen["PERSON"] = person[0]
        agency = {"anna": "SECURITY", "petra": "POLICE"}.get(who)
        if agency and (root := re.search(r"root fingerprint\s+([0-9a-f-]+)", out)):
            self.seen[f"FINGERPRINT-{agency}"] = root[1]
        if "quarantine" in arguments and (report := re.search(r"[0-9a-f]{32}", out)):
            self.seen["REPORT"] = report[0]
        keys = re.findall(r"SLUSSROOT1-[A-Z2-7-]+", out)
        if who == "petra" or not keys:
            return
        if "enrol" in arguments:
            self.sheets = {"root-key.txt": keys[0], "next-root-key.txt": keys[1]}
        else:
            self.sheets = {"root-key.txt": self.sheets["next-root-key.txt"], "next-root-key.txt": keys[-1]}
        for name, key in self.sheets.items():
            (self.folder / name).write_text(key, encoding="ascii")

    def on_server(self, arguments: list[str]) -> None:
        """Run one of the operator's commands."""
        if arguments == ["serve"]:
            self.server.start()
            return
        files = [str(self.folder / one) if one.endswith((".sluss", ".ledger", ".txt")) else one for one in arguments]
        done = self.server.run(*files)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        if arguments[0] == "ledger":
            self.audit[arguments[1]] = done.stdout
        for slug, code in re.findall(r"^(\w+)\s+(SLUSS1-[A-Z2-7-]+)", done.stdout, re.MULTILINE):
            self.seen[f"CODE-{slug.upper()}"] = code

    def file(self, who: str, situation: str) -> str:
        """File an incident on somebody's device; it waits for their next sync."""
        fields = ("--field", "observed_at=2026-02-03T21:40+01:00", "--field", "severity=2")
        filed = self.device(who).json(*INCIDENT, *fields, "--field", f"situation={situation}")
        self.reports[situation] = filed["id"]
        return str(filed["id"])

    def sees(self, who: str, situation: str) -> bool:
        """Tell whether somebody may read a report's text."""
        rows = {row["id"] for row in self.device(who).json("list")}
        report = self.reports[situation]
        return report in rows and self.device(who).json("show", report)["situation"] == situation


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A folder, and a server that nobody has founded anything on."""
    folder = tmp_path_factory.mktemp("story")
    (folder / "scenes.csv").write_text(SCENES, encoding="utf-8")
    told = Story(folder, Server(folder, folder / "clock", None))
    told.seen["URL"] = told.server.url
    try:
        yield told
    finally:
        told.server.stop()


def first_day(story: Story) -> None:
    """Two agencies that trust each other, two registrars, three custodians; the paper is in nobody's store."""
    story.device("petra").ok("sync")
    story.file("anna", "the first evening")
    story.device("anna").ok("sync")
    story.device("bo").ok("sync")
    story.device("petra").ok("sync")
    assert story.sees("bo", "the first evening")
    assert story.sees("petra", "the first evening")
    people = {row["alias"]: row for row in story.device("bo").json("people")}
    assert people["S-2"]["name"] == "Bo Berg"


def new_colleague(story: Story) -> None:
    """She reads what was filed before she came, as the pack says, and has something unsent."""
    assert story.sees("cecilia", "the first evening")
    story.file("cecilia", "not sent yet")


def lost_phone(story: Story) -> None:
    """What was not sent is with the agency, the finder has nothing, and she has her history back."""
    assert story.device("cecilia").run("list").error == "wiped"
    story.device("cecilia-new").ok("sync")
    assert story.sees("cecilia-new", "the first evening")
    assert story.sees("bo", "not sent yet")


def colleague_leaves(story: Story) -> None:
    """What is filed from now on is not theirs, and their device has been told so."""
    story.file("bo", "after she left")
    story.device("bo").ok("sync")
    assert story.device("cecilia-new").run("sync").error == "wiped"
    notes = [str(story.folder / name) for name in ("left.txt", "came.txt")]
    key = str(story.folder / "auditor-key.txt")
    [[was, now]] = story.device("auditor").json("audit", "join", *notes, "--key", key)
    assert (was["agency"], was["alias"], now["agency"], now["alias"]) == ("security", "S-6", "police", "P-2")


def registrar_gone(story: Story) -> None:
    """The new colleague reads everything, and is a registrar."""
    story.device("gun").ok("sync")
    assert story.sees("gun", "the first evening")
    story.device("gun").ok("invite", "--function", "field")


def root_lost(story: Story) -> None:
    """The old root signs nothing any more; the new one names registrars."""
    old = story.folder / "old-root.txt"
    refused = story.device("bo").run("registrar", "add", "S-3", "--root-key-file", str(old))
    assert refused.error == "wrong_root_key"


def burnt_down(story: Story) -> None:
    """What was acknowledged after the backup is back, once."""
    for who in ("petra", "gun", "bo"):
        story.device(who).ok("sync")
    for situation in ("the first evening", "not sent yet", "after she left", "after the backup"):
        assert story.sees("gun", situation), situation
        rows = [row["id"] for row in story.device("gun").json("list")]
        assert rows.count(story.reports[situation]) == 1
    assert story.sees("petra", "after the backup")


def reviewed(story: Story) -> None:
    """What people did is counted, and a ledger that lacks what a device saw is not sound."""
    assert "alarms about bulk opening" in story.audit["review"]
    assert re.search(r"S-2 +read ", story.audit["review"])
    assert "Nothing was changed or taken away." in story.audit["verify"]
    whole = (story.folder / "january.ledger").read_bytes().splitlines(keepends=True)
    (story.folder / "cut.ledger").write_bytes(b"".join(whole[:-2]))
    cut = story.server.run("ledger", "verify", str(story.folder / "cut.ledger"))
    assert cut.returncode == 1
    assert "FAIL" in cut.stdout


OUTCOMES: Final[dict[str, Callable[[Story], None]]] = dict(
    zip(
        SEQUENCES,
        (first_day, new_colleague, lost_phone, colleague_leaves, registrar_gone, root_lost, burnt_down, reviewed),
        strict=True,
    )
)


def fire(story: Story) -> None:
    """Work goes on after the backup, and then the server burns down."""
    story.file("bo", "after the backup")
    story.device("bo").ok("sync")
    story.device("gun").ok("invite", "--function", "field", "--name", "Hanna")
    story.server.kill()
    shutil.rmtree(story.server.data)


@pytest.mark.parametrize("section", SEQUENCES)
def test_the_sequence_does_what_the_page_says(story: Story, section: str) -> None:
    if section == "Root key lost":
        shutil.copy(story.folder / "root-key.txt", story.folder / "old-root.txt")
    for line in commands(section):
        if line["command"].startswith("sluss restore"):
            fire(story)
        story.run(line)
    OUTCOMES[section](story)


def test_no_sequence_of_the_page_is_left_out() -> None:
    shown = [part.partition("\n")[0] for part in PAGE.split("\n## ")[1:] if "```console" in part]
    assert shown == list(SEQUENCES)
