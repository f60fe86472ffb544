"""How much work each workload does.

Decides nothing else; no workload has a number of reports of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """One choice of sizes; every count is per round unless it says otherwise.

    Attributes:
        name: how the page calls this choice.
        rounds: how often each figure is taken; at least five.
        primitive: signatures, seals and openings per limit.
        rows: reports written and scanned per limit of plain `sqlite3`.
        fsyncs: calls of fsync per limit.
        batched: reports of P1, in requests of 50.
        alone: reports of P2 with one client.
        crowd: reports of P2 with 16 clients.
        idle: idle pulls of P5 per number of clients.
        filed: calls of `file` of P7.
        sealed: reports sealed by P7.
        stored: numbers of stored reports, in rising order, at which P3 and P5 look; in all, not per round.
        newest: how many of the newest reports P4 waits for.
        members: devices of the audience that P8 rotates, and of the one whose years it replays; in all.
        rotations: rotations of P8, alone and by a sync each.
        entries: of the directory that P8 replays; in all.
        asked: requests of P8's device before it is revoked.
        counted: numbers of reports that P10's servers have counted, few and many; in all.
        looks: requests of P10 for each page.

    """

    name: str
    rounds: int = 5
    primitive: int = 500
    rows: int = 500
    fsyncs: int = 50
    batched: int = 400
    alone: int = 150
    crowd: int = 800
    idle: int = 1_000
    filed: int = 60
    sealed: int = 150
    stored: tuple[int, ...] = (2_000, 20_000)
    newest: int = 200
    members: int = 60
    rotations: int = 5
    entries: int = 2_500
    asked: int = 20
    counted: tuple[int, int] = (10_000, 1_000_000)
    looks: int = 52


DEFAULT: Final = Sizes(name="default")
FULL: Final = Sizes(
    name="full",
    rounds=7,
    primitive=2_000,
    rows=2_000,
    fsyncs=200,
    batched=2_000,
    alone=500,
    crowd=3_000,
    idle=4_000,
    filed=200,
    sealed=500,
    stored=(2_000, 20_000, 200_000),
    rotations=15,
    asked=100,
    looks=208,
)
TINY: Final = Sizes(
    name="tiny",
    primitive=20,
    rows=50,
    fsyncs=5,
    batched=50,
    alone=5,
    crowd=32,
    idle=32,
    filed=5,
    sealed=10,
    stored=(100, 300),
    newest=20,
    members=5,
    rotations=1,
    entries=120,
    asked=3,
    counted=(200, 2_000),
    looks=3,
)
"""Only shows that everything runs; its figures mean nothing."""
