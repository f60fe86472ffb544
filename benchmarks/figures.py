"""A measured figure beside its limit, and the table of figures.

Refuses fewer than five rounds, and a figure without a limit taken in each of those rounds.

> INVARIANT: a ratio is taken round by round, so that what disturbs a round disturbs both of its sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

ROUNDS: Final = 5
_WHOLE_FROM: Final = 100
_ONE_DECIMAL_FROM: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a figure is held against.

    Attributes:
        name: what it is, for a reader who knows the parts.
        unit: of `rounds`; the same as the figure's.
        rounds: one value per round of the figure.

    """

    name: str
    unit: str
    rounds: tuple[float, ...]

    def text(self) -> str:
        """Return the name and the median."""
        return f"{self.name}: {number(median(self.rounds))} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table.

    Attributes:
        workload: `P1` to `P12`, as in docs/benchmarks.md.
        work: what was done.
        unit: of `rounds`.
        rounds: one value per round.
        limit: the limit of the same rounds.
        target: what is aimed at; empty where this row has no aim of its own.
        met: whether it is reached; None where there is no aim.

    """

    workload: str
    work: str
    unit: str
    rounds: tuple[float, ...]
    limit: Limit
    target: str = ""
    met: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what would not be a figure."""
        if len(self.rounds) < ROUNDS or len(self.limit.rounds) != len(self.rounds):
            message = f"{self.workload}: {len(self.rounds)} rounds beside {len(self.limit.rounds)} of the limit"
            raise ValueError(message)

    def aimed(self, target: str, *, met: bool) -> Figure:
        """Return the figure with a target that depends on it."""
        return replace(self, target=target, met=met)

    @property
    def median(self) -> float:
        """The figure."""
        return median(self.rounds)

    @property
    def ratios(self) -> tuple[float, ...]:
        """The figure through the limit, round by round."""
        return tuple(mine / limit for mine, limit in zip(self.rounds, self.limit.rounds, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)


HEADINGS: Final = ("id", "work", "measured: median (min-max)", "limit of the run", "ratio (min-max)", "target", "met")


def table(figures: Sequence[Figure]) -> str:
    """Return the Markdown table of figures, by workload."""
    return merged((), figures)


def merged(kept: Sequence[Sequence[str]], figures: Sequence[Figure]) -> str:
    """Return the same table with rows that an earlier one had."""
    rows = [*kept, *(_cells(one) for one in figures)]
    return markdown(HEADINGS, sorted(rows, key=lambda row: int(row[0].removeprefix("P"))))


def rows_of(text: str, headings: Sequence[str]) -> list[list[str]]:
    """Return the rows of the first Markdown table of a text that has these headings; none where there is no such."""
    lines = iter(text.splitlines())
    head = _line(headings)
    if head not in (line.rstrip() for line in lines):
        return []
    next(lines, "")
    found = list[list[str]]()
    for line in lines:
        if not line.startswith("| "):
            break
        found.append(line.strip().removeprefix("| ").removesuffix(" |").split(" | "))
    return found


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"{_line(line)}\n" for line in lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(one: Figure) -> list[str]:
    return [
        one.workload,
        one.work,
        f"{spread(one.rounds)} {one.unit}",
        one.limit.text(),
        spread(one.ratios),
        one.target or "-",
        "-" if one.met is None else "met" if one.met else "not met",
    ]


def spread(values: Sequence[float]) -> str:
    """Return the median and what the rounds lay between."""
    if min(values) == max(values):
        return number(values[0])
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"


def number(value: float) -> str:
    """Return a number with about three figures that count."""
    if abs(value) >= _WHOLE_FROM:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= _ONE_DECIMAL_FROM else f"{value:.2f}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed: the nearest rank, never an interpolation."""
    ordered = sorted(values)
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(rank, 1) - 1]
