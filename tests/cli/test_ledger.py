"""The own agency's ledger at the command line: the checkpoint to keep, and who did what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sluss_client import clock

from tests.cli.conftest import Partnership


def test_a_supervisor_sees_who_did_what_and_whose_word_it_is_where_the_time_begins(partnership: Partnership) -> None:
    boss, today = partnership.police, datetime.fromtimestamp(clock.now(), UTC).date()
    guard = partnership.colleague(boss, "patrol", "--function", "field")
    boss.ok("sync")

    document = boss.json("log")
    assert document["witnessed"] is False
    assert document["deliveries"] + len(document["entries"]) <= boss.json("ledger")["size"]
    assert "the server's word" in boss.ok("log", "--since", today.isoformat()).out
    for options, code in (
        (("--since", (today + timedelta(days=2)).isoformat()), "out_of_range"),
        (("--person", "nobody"), "unknown_person"),
    ):
        assert boss.run("log", *options).error == code
    assert guard.run("log").error == "supervisor_only"
