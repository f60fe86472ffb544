"""The command: `python -m benchmarks`, from the repository's root.

Progress goes to standard error, the table to standard output.
With `--only`, what is written takes the place of those workloads' rows on the page and leaves the others.
Refuses to write figures of sizes that mean nothing to the page of the documentation.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
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
    parser.add_argument("--write", action="store_true", help="write the page; with --only, those rows of it")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="the page, docs/benchmarks.md unless it is said")
    found = parser.parse_args(given)
    if found.write and found.tiny and found.page.resolve() == page.PAGE.resolve():
        parser.error("the page holds figures that mean something: use --write and --tiny with another --page")
    return found


def main(given: Sequence[str]) -> int:
    """Run what was asked for, and print the table."""
    found = _arguments(given)
    chosen = sizes.FULL if found.full else sizes.TINY if found.tiny else sizes.DEFAULT
    if found.write and found.only:
        # Before a quarter of an hour is spent on it.
        page.check(found.page.read_text(encoding="utf-8"), machine.facts(Path(tempfile.gettempdir())), chosen)
    figures, facts = asyncio.run(run(chosen, found.only or NAMES))
    print(table(figures))
    print(markdown(("what", "is"), [list(one) for one in facts]))
    if found.write:
        now = clock.now()
        if found.only:
            text = page.merge(found.page.read_text(encoding="utf-8"), figures, facts, chosen, now=now)
        else:
            text = page.render(figures, facts, chosen, now=now)
        print(page.write(text, found.page), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
