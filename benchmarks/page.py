"""What a run says: the table, the machine, and what was and was not measured; and docs/benchmarks.md.

A workload may be run again by itself; its rows then take the place of the earlier ones, and when that was stands there.
Refuses rows of another machine, of other programs beneath, or of another number of rounds than the page has.

> INVARIANT: all rows of the page come from one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.figures import HEADINGS, Figure, markdown, merged, rows_of, table
from benchmarks.sizes import Sizes

PAGE: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_ABOUT: Final = """\
# Benchmarks

This page is written by the run itself: `make bench ARGS=--write`.
Every figure is the median of {rounds} rounds with its spread, beside a limit that was taken in the same rounds.
The ratio is taken round by round.
It is what may be compared between machines; the rest is for orientation.
A target that is not met says so.
"""

_NOTES: Final = """\
## What the rows mean

* The report is an order incident of a guard with 1,500 bytes of text in situation, place, subject and enforcement.
  The protocol adds the author's section and the briefs, and the pack gives it to six audiences.
* Reports were sealed by enrolled devices with real keys before the time started, except where sealing is measured (P7).
* Everything is durable: the server answers after a commit with `synchronous=FULL`, and so does a device's store.
* One server process on SQLite; plain HTTP on the loopback interface, so neither TLS nor a network is in any figure.
* The load generator of P1, P2, P3 and P5 is a process of its own.
  Its requests are signed before the time starts; only in a first sync it signs each pull when the page before is read.
  It pushes with one device of the agency over as many connections as there are clients.
* The server and the load generator shared the cores in P1, P2, P3 and P5, and the server and the device in P4.
  P7 and the limits of one core had the machine to themselves.
  Where several servers hold different numbers of reports, they take turns within a round, and those not asked are idle.
* P4, P3 and P5 see exactly the stated numbers of stored reports; P1 and P2 come last and add to the largest of them.
* `plain sqlite3` writes and reads the bytes that the server stores for the same reports, without any check.
* `bare Litestar` is the same framework and server program, reading a body of 2 KB and answering without one.
* The time of P4 starts with an open store; the directories are known to the device already.
  Readable means that `device.get` returns the report from the store and its situation opens.
  A feed is read downwards from its head, so both sizes of the last row of P4 should take about as long.
* The peer of P1 was measured once on another day with smaller reports, so its part of the target is for orientation.
"""

_OF_WORKLOADS: Final = {
    "P8": """\
* P8 has a town and, but for its syncs and revocations, the machine to itself.
  The directory that is replayed is that of years: with each colleague who joins another leaves, an epoch is opened for
  those who are there, and a roster is named.
  About one entry in seven is a new device, which has a second signature to verify: its own.
""",
    "P10": """\
* P10 has a town of its own, of four agencies, and three servers: with 10,000 reports in the last 60 weeks; with the
  same and 990,000 in the years before; and with 1,000,000 evenly in five years.
  The second is beside the first to show that nothing grows with what is stored; in the third a week has thousands of
  reports, so a page reads more cells, at most all that a week's tables have.
  A report is counted there by what a push calls to count it.
  Of the municipality, which looks, every report is stored that is not culled yet, with its manifest, its facts and all
  versions of a defect, and some four thousand tasks a year; what is sealed there are random bytes, which no page reads.
  The server publishes the weeks itself before the time starts; each request is for another week than the one before.
""",
}
"""What is said only of workloads that the page has rows of."""
_LAST_NOTE: Final = "* The peer of P1"
_MACHINE: Final = ("what", "is")
_OF_A_RUN: Final = frozenset({"day", "command", "load averages before and after"})
"""What is told of a machine that is of the run and not of the machine."""
_AGAIN: Final = "run by itself: "


def render(figures: Sequence[Figure], facts: Sequence[tuple[str, str]], sizes: Sizes, *, now: int) -> str:
    """Return the page for one whole run; `now` is when it ended, in Unix seconds."""
    run = [("day", _day(now)), ("command", f"`{_command(sizes)}`"), *facts]
    return _page(sizes, table(figures), [list(one) for one in run])


def merge(text: str, figures: Sequence[Figure], facts: Sequence[tuple[str, str]], sizes: Sizes, *, now: int) -> str:
    """Return a page with the rows of some workloads, run by themselves, in the place of those that it has of them.

    Raises:
        ValueError: as `check`.

    """
    check(text, facts, sizes)
    names = list(dict.fromkeys(one.workload for one in figures))
    machine = rows_of(text, _MACHINE)
    again = {_AGAIN + name for name in names}
    load = dict(facts)["load averages before and after"]
    run = f"{_day(now)}, `{_command(sizes, names)}`, load averages before and after: {load}"
    machine = [row for row in machine if row[0] not in again] + [[one, run] for one in sorted(again)]
    kept = [row for row in rows_of(text, HEADINGS) if row[0] not in names]
    return _page(sizes, merged(kept, figures), machine)


def check(text: str, facts: Sequence[tuple[str, str]], sizes: Sizes) -> None:
    """Refuse a page that rows of this machine and of so many rounds cannot join.

    Raises:
        ValueError: it is of another machine, or of another number of rounds.

    """
    here = [list(one) for one in facts if one[0] not in _OF_A_RUN]
    there = [row for row in rows_of(text, _MACHINE) if row[0] not in _OF_A_RUN and not row[0].startswith(_AGAIN)]
    if here != there:
        message = f"the page is of another machine, or of other programs beneath: {there}, and not {here}"
        raise ValueError(message)
    if _about(sizes) not in text:
        message = f"the page is not of {sizes.rounds} rounds"
        raise ValueError(message)


def _page(sizes: Sizes, rows: str, machine: Sequence[Sequence[str]]) -> str:
    notes = [said for name, said in _OF_WORKLOADS.items() if f"| {name} |" in rows]
    head, line, rest = _NOTES.partition(_LAST_NOTE)
    said = head + "".join(notes) + line + rest
    return "\n".join((_about(sizes), rows, "## The machine\n", markdown(_MACHINE, machine), said))


def _about(sizes: Sizes) -> str:
    return _ABOUT.format(rounds=sizes.rounds)


def _day(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _command(sizes: Sizes, names: Sequence[str] = ()) -> str:
    given = [*([] if sizes.name == "default" else [f"--{sizes.name}"]), *(f"--only {name}" for name in names)]
    return f'make bench ARGS="{" ".join(given)}"' if given else "make bench"


def write(text: str, place: Path = PAGE) -> Path:
    """Write the page and return where it is."""
    place.write_text(text, encoding="utf-8")
    return place
