"""The command: `python -m benchmarks`, from the repository's root.

Progress goes to standard error, the table to standard output.
Refuses to write a page of a part of the workloads, or of sizes that mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sluss_client import clock

from benchmarks import ingest, ledger, machine, membership, on_device, overview, page, serving, sizes, wire_bytes
from benchmarks.figures import Figure, markdown, table
from benchmarks.ground import Ground

Workload = Callable[[Ground], Awaitable[list[Figure]]]

WORKLOADS: Final[tuple[tuple[str, Workload], ...]] = (
    ("P8", membership.p8),
    ("P13", ledger.p13),
    ("P10", overview.p10),
    ("P7", on_device.p7),
    ("P4", on_device.p4),
    ("P3", serving.p3),
    ("P5", serving.p5),
    ("P4", on_device.p4_newest),
    ("P11", wire_bytes.p11),
    ("P1", ingest.p1),
    ("P2", ingest.p2),
)
"""In the order of running: those that look at exact numbers of stored reports come before those that add to them."""
NAMES: Final = tuple(dict.fromkeys(name for name, _ in WORKLOADS))


async def run(chosen: sizes.Sizes, names: Sequence[str]) -> tuple[list[Figure], list[tuple[str, str]]]:
    """Run the named workloads; return their figures, and facts about the machine."""
    figures = list[Figure]()
    before = machine.load()
    async with Ground(chosen) as ground:
        for name, workload in WORKLOADS:
            if name in names:
                figures += await workload(ground)
        facts = [*machine.facts(ground.folder), ("load averages before and after", f"{before}; {machine.load()}")]
        ground.say("done")
    return figures, facts


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the workloads.")
    parser.add_argument("--only", action="append", choices=sorted(NAMES), help="a workload; may be repeated")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="large sizes: up to 200,000 stored reports; half an hour")
    size.add_argument("--tiny", action="store_true", help="only show that everything runs; the figures mean nothing")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    found = parser.parse_args(given)
    if found.write and (found.only or found.tiny):
        parser.error("the page holds one whole run: use --write without --only and --tiny")
    return found


def main(given: Sequence[str]) -> int:
    """Run what was asked for, and print the table."""
    found = _arguments(given)
    chosen = sizes.FULL if found.full else sizes.TINY if found.tiny else sizes.DEFAULT
    figures, facts = asyncio.run(run(chosen, found.only or NAMES))
    print(table(figures))
    print(markdown(("what", "is"), [list(one) for one in facts]))
    if found.write:
        print(page.write(page.render(figures, facts, chosen, now=clock.now())), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
