"""A whole session at the command line: two agencies, a guard, an incident that one of them may read whole."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sluss_client.testing import Server

from tests.cli.conftest import Partnership
from tests.cli.terminal import Terminal

ID: Final = re.compile(r"[0-9a-f]{32}")
INCIDENT: Final = {
    "scene": "square",
    "observed_at": "2026-02-03T21:40+01:00",
    "sub_kind": "threat",
    "severity": 2,
    "situation": "Two men threatened a shop assistant.",
    "safety": ["armed_knife"],
    "subject": [{"role": "suspect", "description": "a red cap"}],
    "enforcement": "One is known to us.",
    "enforcement_category": "violence",
}


@contextmanager
def without_a_server(partnership: Partnership) -> Iterator[None]:
    """Stop the server for a while."""
    partnership.server.stop()
    try:
        yield
    finally:
        partnership.server.start()


def filed_without_network(partnership: Partnership, guard: Terminal) -> dict[str, Any]:
    """Ask who will read it, save it and read it back, with nobody there to be asked."""
    with without_a_server(partnership):
        rows = guard.json("readers", "order_incident", "--field", "scene=square", "--field", "sub_kind=threat")
        assert {tuple(row) for row in rows} == {("audience", "compartment", "form", "rule", "reason", "law")}
        assert {row["audience"] for row in rows} >= {"security/field", "police/field"}
        filed = guard.json("file", "order_incident", "--duty", "L14=send", "--json", "-", given=json.dumps(INCIDENT))
        told = {"id", "kind", "version", "state", "readers", "duties_due", "nobody_receives", "hold", "until"}
        assert set(filed) == told
        assert (filed["kind"], filed["version"], filed["state"]) == ("order_incident", 1, "waiting")
        # Of somebody who may be a child it asks, although social services are no part of this.
        assert (filed["duties_due"], filed["nobody_receives"]) == (["L11"], ["L11"])
        assert ("police/field", "subject") in {(row["audience"], row["compartment"]) for row in filed["readers"]}
        waiting = guard.json("outbox")
        assert [(row["id"], row["state"], row["reason"]) for row in waiting] == [(filed["id"], "filed", None)]
        assert datetime.fromisoformat(waiting[0]["filed_at"]).utcoffset() is not None
        assert guard.json("list", "--scene", "square", "--kind", "order_incident")[0]["id"] == filed["id"]
        assert guard.json("list", "--scene", "park") == []
        offline = guard.run("sync")
        assert (offline.code, offline.error) == (3, "offline")
        assert len(guard.json("outbox")) == 1
    return dict(filed)


def test_an_incident_goes_from_a_guard_to_the_police(partnership: Partnership) -> None:
    guard = partnership.colleague(
        partnership.security, "guard", "--function", "field", "--scene", "square", "--alias", "S-77"
    )
    assert guard.json("scenes", "list") == [
        {"slug": "park", "label_en": "The park", "label_sv": "Parken"},
        {"slug": "square", "label_en": "The square", "label_sv": "Torget"},
    ]

    filed = filed_without_network(partnership, guard)

    # The alarm: nobody here can receive a report of concern.
    assert guard.json("sync") == {
        "sent": 1,
        "received": 1,
        "dropped": 0,
        "quarantined": 0,
        "waiting": 0,
        "alarms": 1,
    }
    assert guard.json("outbox") == []
    assert partnership.police.json("sync")["received"] == 1
    seen = partnership.police.json("show", filed["id"])
    assert set(seen) == {
        *("id", "kind", "agency", "version", "forked", "state", "scene", "time", "observed_at", "readable", "coded"),
        "linked",
        *("situation", "place", "subject", "care", "enforcement", "safety", "author", "attachments"),
    }
    assert (seen["agency"], seen["state"], seen["scene"]) == ("security", "received", "square")
    assert seen["observed_at"] == "2026-02-03T21:40:00+01:00"
    assert seen["situation"] == INCIDENT["situation"]
    assert seen["subject"] == INCIDENT["subject"]
    assert seen["author"]["alias"] == "S-77"
    assert seen["coded"]["sub_kind"] == "threat"
    assert seen["care"] == {"closed": "K01.SEC.CAR.POL"}
    assert "closed: K01.SEC.CAR.POL: " in partnership.police.ok("show", filed["id"]).out
    same = ("order_incident", "--field", "sub_kind=threat", "--field", "scene=square", "--same-event", filed["id"])
    ours = partnership.police.json("file", *same)
    assert partnership.police.json("show", ours["id"])["linked"] == [filed["id"]]
    assert f"same event     {ours['id']}" in partnership.police.ok("show", filed["id"]).out


def test_what_people_read_is_said_in_lines(partnership: Partnership) -> None:
    colleague = partnership.colleague(partnership.police, "colleague", "--function", "field")

    filed = colleague.ok("file", "seizure_or_find", "--field", "scene=park", "--field", "found_as=find")

    lines = filed.out.splitlines()
    assert re.fullmatch(r"police/field +situation, place, author", lines[0])
    assert ID.fullmatch(lines[-1])
    assert lines[-1] in colleague.ok("list").out
    assert "seizure_or_find" in colleague.ok("outbox").out
    assert "found_as       find" in colleague.ok("show", lines[-1]).out
    assert colleague.ok("readers", lines[-1]).out.splitlines() == lines[:-1]
    assert colleague.ok("sync").out == "sent 1, received 1, dropped 0, quarantined 0, waiting 0, alarms 0\n"


def test_a_due_duty_is_named_until_it_is_answered(partnership: Partnership) -> None:
    guard = partnership.colleague(partnership.security, "dutiful", "--function", "field")
    given = json.dumps(INCIDENT | {"observed_at": "2026-02-04T21:40+01:00"})

    silent = guard.run("file", "order_incident", "--json", "-", given=given)
    answers = ("--duty", "L14=no", "--duty", "L11=no")
    answered = guard.json("file", "order_incident", *answers, "--json", "-", given=given)
    fields = ("scene=square", "sub_kind=threat", 'subject=[{"role":"suspect"}]')
    options = [part for field in fields for part in ("--field", field)]
    waits = guard.run("file", "order_incident", *options, "--duty", "L14=no", "--duty", "L11=send")

    assert (silent.code, silent.json["duties_due"], answered["duties_due"]) == (0, ["L11", "L14"], [])
    assert "The duty L11 (report of concern about a child): Nobody can receive this here: telephone" in waits.err


def test_a_supervisor_lists_what_is_held_and_opens_it(partnership: Partnership) -> None:
    boss = partnership.colleague(partnership.police, "boss", "--function", "supervisors")
    officer = partnership.colleague(partnership.police, "officer", "--function", "field")
    options = ("--field", "scene=park", "--field", "sub_kind=other", "--field", "care=needs a doctor")
    filed = officer.json("file", "order_incident", *options)
    officer.ok("sync")
    boss.ok("sync")
    rows = boss.json("held")
    assert filed["id"] in {row["id"] for row in rows}
    assert {tuple(row) for row in rows} == {("id", "kind", "version", "time")}

    assert boss.json("inspect", filed["id"], "--reason", "a complaint") == {"id": filed["id"]}
    boss.ok("sync")
    boss.ok("sync")

    assert boss.json("show", filed["id"])["care"] == "needs a doctor"

    [held] = boss.json("preserve", filed["id"], "--reason", "the court asks for it", "--days", "800")
    assert list(held) == ["id", "report", "reason", "by", "placed", "until", "state"]
    assert (held["report"], held["reason"], held["state"]) == (filed["id"], "the court asks for it", "placed")
    assert officer.run("preserve", filed["id"], "--reason", "no").code != 0
    assert boss.json("end-preservation", held["id"], "--reason", "judged") == {"id": held["id"]}
    assert [row["state"] for row in boss.json("preserve")] == ["lifted"]
    assert "lifted" in boss.ok("preserve").out


def test_the_doctor_finds_a_healthy_device_healthy(partnership: Partnership) -> None:
    officer = partnership.colleague(partnership.police, "healthy", "--function", "field")

    found = officer.json("doctor")

    assert found["ok"]
    assert [check["name"] for check in found["checks"]] == [
        *("store", "disk", "approved", "pack", "keys", "rotation", "scenes", "contact", "clock", "directory"),
        *("registrars", "root", "custodians", "agreements", "server", "tasks", "alarms", "outbox"),
    ]
    assert {tuple(check) for check in found["checks"]} == {("name", "ok", "say", "value")}
    values = {check["name"]: check["value"] for check in found["checks"]}
    assert (values["pack"], values["keys"], values["clock"]) == ("SE-2026-01-15", [], 0)
    assert officer.ok("doctor").out.count("\nok ") == len(found["checks"]) - 1


def test_scenes_are_registered_once_and_a_bad_row_is_one_line(partnership: Partnership, tmp_path: Path) -> None:
    names = tmp_path / "places.csv"
    names.write_text("name,area\nSÖDRA ÄNGBY,1\n,2\nHabo,3\nHåbo,4\nSödra ängby,5\nSodra Angby,6\n", encoding="utf-8")

    first = partnership.police.run("scenes", "import", names, "--label-column", "name")
    again = partnership.police.run("scenes", "import", names, "--label-column", "name", "--json")

    assert (first.code, first.out) == (1, "3 of 6 scenes are new or have a new label.\n")
    assert [line.partition(":")[0] for line in first.err.splitlines()] == ["row 3", "row 7"]
    assert again.json["changed"] == 0
    assert [(row["row"], row["code"]) for row in again.json["bad_rows"]] == [(3, "wrong_type"), (7, "bad_row")]
    found = {scene["slug"]: scene["label_sv"] for scene in partnership.police.json("scenes", "list")}
    assert (found["sodra-angby"], found["habo"], found["haabo"]) == ("SÖDRA ÄNGBY", "Habo", "Håbo")


def test_a_scene_gets_its_new_label(partnership: Partnership, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes.csv"
    scenes.write_text("slug,label_en,label_sv\npark,Old park,Gamla parken\n", encoding="utf-8")

    assert partnership.police.json("scenes", "import", scenes)["changed"] == 1
    assert [scene["label_en"] for scene in partnership.police.json("scenes", "list") if scene["slug"] == "park"] == [
        "Old park"
    ]


def test_rows_are_imported_and_a_second_run_adds_nothing(partnership: Partnership, tmp_path: Path) -> None:
    officer = partnership.colleague(partnership.police, "importer", "--function", "field")
    events = tmp_path / "events.csv"
    events.write_text(
        "id,occurred_local,type,place,title_place,summary\n"
        '"1,001",2025-01-15T9:40,Bråk,Park,,Två bråkar\n'
        "1002,2025-01-15,Bråk,Park,,Agnes\n"
        "1003,2025-01-15T9:40,Bråk,Hamn,,Agnes\n",
        encoding="utf-8",
    )

    needed = officer.json("import", events, "--mapping", "polisen", "--scenes-out", tmp_path / "needed.csv")
    first = officer.run("import", events, "--mapping", "polisen")
    again = officer.run("import", events, "--mapping", "polisen", "--json")

    assert needed == {"scenes": 2, "file": str(tmp_path / "needed.csv")}
    assert (first.code, first.out) == (1, "filed 1, amended 0, skipped 0, already 0, bad 2\n")
    assert [line.split(": ")[:3] for line in first.err.splitlines()[:2]] == [
        ["row 3", "wrong_type", "observed_at"],
        ["row 4", "unknown_scene", "scene"],
    ]
    assert "hamn" in first.err
    assert "Agnes" not in first.err
    assert {name: again.json[name] for name in ("filed", "already", "bad", "missing_scenes")} == {
        "filed": 0,
        "already": 1,
        "bad": 2,
        "missing_scenes": ["hamn"],
    }
    assert {tuple(row) for row in again.json["bad_rows"]} == {("row", "code", "field", "say")}
    own = [report for report in officer.json("list") if report["state"] == "waiting"]
    assert [report["observed_at"] for report in own] == ["2025-01-15T09:40:00+01:00"]


def test_bars_show_on_a_terminal_only(partnership: Partnership, tmp_path: Path) -> None:
    officer = partnership.colleague(partnership.police, "watcher", "--function", "field")
    events = tmp_path / "events.csv"
    rows = "".join(f"{n},2025-01-15T9:40,Bråk,Park,,x\n" for n in range(60))
    events.write_text("id,occurred_local,type,place,title_place,summary\n" + rows, encoding="utf-8")

    code, shown = officer.seen("import", events, "--mapping", "polisen")
    piped = officer.ok("import", events, "--mapping", "polisen")

    assert code == 0
    assert "60/60" in shown
    assert "filed 60, amended 0, skipped 0, already 0, bad 0" in shown
    assert piped.out == "filed 0, amended 0, skipped 0, already 60, bad 0\n"


def test_an_invitation_is_also_a_picture(partnership: Partnership, tmp_path: Path) -> None:
    picture = tmp_path / "code.svg"

    code, shown = partnership.police.seen("invite", "--function", "field", "--svg", picture)
    piped = partnership.police.ok("invite", "--function", "field")

    assert code == 0
    assert "SLUSS1-" in shown
    assert any(block in shown for block in "█▀▄")
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    assert re.fullmatch(r"SLUSS1(-[A-Z2-7]{1,8})+\n", piped.out)


def test_a_founder_gets_the_root_for_the_safe_and_the_device_forgets_it(tmp_path: Path) -> None:
    server = Server(tmp_path, tmp_path / "clock", None)
    codes = server.found(("police", "security"))
    server.start()
    try:
        founder, keeper = Terminal(tmp_path / "founder.sluss"), Terminal(tmp_path / "keeper.sluss")
        said = founder.ok("enrol", codes["police"]).out
        paper = tmp_path / "paper.html"
        kept = keeper.json("enrol", codes["security"], "--paper", paper)
        again = keeper.run("root", "show")
    finally:
        server.stop()

    keys = re.findall(r"^ +(?:next )?root key, safe [AB] +(SLUSSROOT1-[A-Z2-7-]+)$", said, re.MULTILINE)
    assert len({*keys}) == 2
    assert "Put these into two safes" in said
    assert again.error == "wrong_root_key"
    assert stat.S_IMODE(paper.stat().st_mode) == 0o600
    sheets = paper.read_text(encoding="utf-8")
    assert [sheets.count(key) for key in kept["safe"].values()] == [1, 1]
    assert sheets.count("<svg") == 2
    assert set(kept["safe"]) == {"root_key", "next_root_key"}
    assert (kept["approved"], kept["agency"], kept["alias"]) == (True, "security", "S-1")
    assert len(kept["device"]) == 32
    assert len(kept["root_fingerprint"]) == 64
