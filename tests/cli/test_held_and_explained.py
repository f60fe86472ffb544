"""What is held says so on the command line, and why a part is open or closed is said in words."""

from __future__ import annotations

from tests.cli.conftest import Partnership

FIELDS = ("--field", "scene=square", "--field", "sub_kind=threat")


def test_a_text_that_names_somebody_is_held_until_it_is_confirmed(partnership: Partnership) -> None:
    guard = partnership.colleague(partnership.security, "writer", "--function", "field", "--scene", "square")
    text = ("--field", "situation=Petter Bergdahl threatened a shop assistant.")
    held = guard.json("file", "order_incident", *FIELDS, *text)
    told = guard.json("file", "order_incident", *FIELDS, *text, "--no-names")
    asked = guard.json("file", "order_incident", *FIELDS, "--hold", "embargo")
    assert [one["hold"] for one in (held, told, asked)] == ["review", None, "embargo"]
    audiences = [{row["audience"] for row in one["readers"]} for one in (held, told, asked)]
    assert ["police/field" in each for each in audiences] == [False, True, False]


def test_a_part_is_explained_for_oneself_and_for_others_on_a_day(partnership: Partnership) -> None:
    guard = partnership.colleague(partnership.security, "asker", "--function", "field", "--scene", "square")
    filed = guard.json("file", "order_incident", *FIELDS, "--hold", "embargo")
    mine = guard.json("explain", filed["id"], "situation")
    assert (mine["ground"], mine["form"], mine["rule"]) == ("own", "full", "K01.SEC.SIT.SEC")
    theirs = guard.json("explain", filed["id"], "situation", "--for", "police", "--lang", "sv")
    assert (theirs["form"], theirs["sentences"][0][:28]) == (None, "Innan rapporten släpps läser")
    then = guard.json("explain", filed["id"], "subject", "--for", "police", "--at", "2026-01-10")
    assert (then["pack"], then["valid_from"]) == ("SE-2025-12-01", "2025-12-01")
    assert "SE-2025-12-01" in guard.ok("explain", filed["id"], "subject", "--at", "2026-01-10").out
    assert guard.run("explain", filed["id"], "weather").code == 1


def test_a_meeting_a_quote_and_an_extract_are_asked_for_on_the_command_line(partnership: Partnership) -> None:
    guard = partnership.colleague(partnership.security, "sharer", "--function", "field", "--scene", "square")
    kept = guard.json("file", "order_incident", *FIELDS, "--hold", "embargo")
    plain = guard.json("file", "order_incident", *FIELDS)
    copy = guard.json("file", "order_incident", *FIELDS, "--quote", kept["id"])
    assert "police/field" in {row["audience"] for row in plain["readers"]}
    assert {row["audience"] for row in copy["readers"]} == {"security/field", "security/supervisors"}
    assert copy["until"] is None
    told = guard.json("readers", "order_incident", *FIELDS, "--quote", kept["id"])
    assert {row["audience"] for row in told} == {"security/field", "security/supervisors"}

    listed = {row["id"] for row in guard.json("list", "--present", "police/field")}
    assert plain["id"] in listed
    assert not {kept["id"], copy["id"]} & listed
    assert guard.json("list", "--present", "guests") == []
    shown = guard.json("show", plain["id"], "--present", "police/field")
    assert shown["subject"] == {"closed": "K01.SEC.SUB.POL"}
    assert guard.run("show", kept["id"], "--present", "police/field").code == 1
    assert guard.run("list", "--present", "nobody").code == 1

    assert guard.run("extract", "Nils").code == 1
    found = partnership.security.json("extract", "Nils")
    assert (found["law"], found["reports"]) == (["OSL 12:1"], [])
