"""What a run says: the table, the machine, and what was and was not measured; and docs/benchmarks.md.

> INVARIANT: the page holds one whole run, so that no two of its rows come from different machines or days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, markdown, table
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
  P7, the limits of one core, and P8 but for its syncs and revocations had the machine to themselves.
  Where several servers hold different numbers of reports, they take turns within a round, and those not asked are idle.
* P4, P3 and P5 see exactly the stated numbers of stored reports; P1 and P2 come last and add to the largest of them.
* `plain sqlite3` writes and reads the bytes that the server stores for the same reports, without any check.
* `bare Litestar` is the same framework and server program, reading a body of 2 KB and answering without one.
* The time of P4 starts with an open store; the directories are known to the device already.
  Readable means that `device.get` returns the report from the store and its situation opens.
  A feed is read downwards from its head, so both sizes of the last row of P4 should take about as long.
* P8 has a town of its own.
  The directory that is replayed is that of years: with each colleague who joins another leaves, an epoch is opened for
  those who are there, and a roster is named.
  About one entry in seven is a new device, which has a second signature to verify: its own.
* P10 has a town of its own, of four agencies, and three servers: with 10,000 reports in the last 60 weeks; with the
  same and 990,000 in the years before; and with 1,000,000 evenly in five years.
  The second is beside the first to show that nothing grows with what is stored; in the third a week has thousands of
  reports, so a page reads more cells, at most all that a week's tables have.
  A report is counted there by what a push calls to count it; its sealed sections are left out, which no page reads.
  The server publishes the weeks itself before the time starts; each request is for another week than the one before.
* The peer of P1 was measured once on another day with smaller reports, so its part of the target is for orientation.
"""


def render(figures: Sequence[Figure], facts: Sequence[tuple[str, str]], sizes: Sizes, *, now: int) -> str:
    """Return the page for one whole run; `now` is when it ended, in Unix seconds."""
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    command = "make bench" if sizes.name == "default" else f'make bench ARGS="--{sizes.name}"'
    run = [("day", day), ("command", f"`{command}`"), *facts]
    return "\n".join(
        (
            _ABOUT.format(rounds=sizes.rounds),
            table(figures),
            "## The machine\n",
            markdown(("what", "is"), [list(one) for one in run]),
            _NOTES,
        )
    )


def write(text: str) -> Path:
    """Write the page and return where it is."""
    PAGE.write_text(text, encoding="utf-8")
    return PAGE
