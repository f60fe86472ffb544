"""Measures that the overview shows beside counts: MUMIN's ratio, attendance at two levels, repairs, and objectives.

For: panels, and progress towards objectives; each from counts or coded facts that were let go already.
Refuses to guess: what rests on a hidden count is hidden, and what rests on nothing has no ratio.

> INVARIANT: a measure tells no more than the counts that it is made of: where one of them is hidden, so is the measure.

Source: docs/secrecy-rules.md B8; docs/protocol.md section 4, "Statements".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Count = int | None
"""A count as somebody may see it; None where it is hidden."""
PER_CENT: Final = 100


def per_cent(part: int, whole: int) -> int | None:
    """Return a share in whole per cent, rounded half up; None of nothing."""
    return None if whole <= 0 else (PER_CENT * part * 2 + whole) // (2 * whole)


# MUMIN

STOPPED: Final = 1
CLINIC_VISIT: Final = 6
STEPS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9)
"""The steps of an episode in the order of `mumin_step`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many of the young people who were stopped came to a clinic; None where a count is hidden."""

    used: Count
    relevant: Count
    per_cent: int | None


def mumin_ratio(steps: Mapping[int, Count]) -> Ratio:
    """Return the ratio of visits to a clinic to young people who were stopped, from the counts by step.

    Nothing links the steps of one episode for whoever counts, so a visit whose beginning lies in an earlier period
    makes the period's ratio a whole at the most.
    """
    used, stopped = steps.get(CLINIC_VISIT, 0), steps.get(STOPPED, 0)
    if used is None or stopped is None:
        return Ratio(used=used, relevant=stopped, per_cent=None)
    relevant = max(stopped, used)
    return Ratio(used=used, relevant=relevant, per_cent=per_cent(used, relevant))


def funnel(steps: Mapping[int, Count]) -> list[tuple[int, Count]]:
    """Return the count of each step, in their order, also where it is nought."""
    return [(step, steps.get(step, 0)) for step in STEPS]


# meetings

Level = Literal["street", "heads"]
_STREET: Final = frozenset({1, 2, 4, 7, 8, 9})
_HEADS: Final = frozenset({3, 5, 6, 10})


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A meeting's coded facts: which one it was, and agencies by how they attended."""

    meeting: int | None
    present: frozenset[int] = frozenset()
    deputy: frozenset[int] = frozenset()
    absent_notified: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """How an agency attended the meetings that it was counted at; a deputy attends."""

    present: int = 0
    deputy: int = 0
    absent_notified: int = 0
    absent: int = 0

    @property
    def meetings(self) -> int:
        """At how many meetings it was counted at all."""
        return self.present + self.deputy + self.absent_notified + self.absent

    @property
    def per_cent(self) -> int | None:
        """At how many of them somebody came."""
        return per_cent(self.present + self.deputy, self.meetings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAttendance:
    """The meetings of one level: how many there were, and each agency's attendance by its code."""

    meetings: int
    agencies: dict[int, Attendance]

    @property
    def per_cent(self) -> int | None:
        """The share of all seats that were taken."""
        every = self.agencies.values()
        return per_cent(sum(one.present + one.deputy for one in every), sum(one.meetings for one in every))


def level_of(meeting: int | None) -> Level | None:
    """Return at which level a meeting is: on the street, or among those who can decide; None where nobody said."""
    return "street" if meeting in _STREET else "heads" if meeting in _HEADS else None


def attendance(meetings: Iterable[Meeting]) -> dict[Level, LevelAttendance]:
    """Return both levels; an agency that one meeting names twice is counted as it attended best."""
    held: dict[Level, int] = {"street": 0, "heads": 0}
    seen: dict[Level, dict[int, list[int]]] = {"street": {}, "heads": {}}
    for one in meetings:
        level = level_of(one.meeting)
        if level is None:
            continue
        held[level] += 1
        counted = set[int]()
        for column, agencies in enumerate((one.present, one.deputy, one.absent_notified, one.absent)):
            for agency in agencies - counted:
                seen[level].setdefault(agency, [0, 0, 0, 0])[column] += 1
            counted |= agencies
    return {
        level: LevelAttendance(
            meetings=held[level],
            agencies={
                agency: Attendance(present=row[0], deputy=row[1], absent_notified=row[2], absent=row[3])
                for agency, row in sorted(seen[level].items())
            },
        )
        for level in held
    }


# defects of places, which are work orders

REPORTED: Final = 1
FIXED: Final = frozenset({4, 5})
CLOSED: Final = FIXED | {6}
History = Sequence[tuple[int, int]]
"""What became of a defect: days with the number of its `defect_status`, in the order of its versions."""
BANDS: Final = (1, 7, 30, 90)
"""The last day of each band of a repair's time; what took longer is the band after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defects:
    """How far defects have come.

    Attributes:
        states: how many stand at each status now.
        fixed: repairs by how long they took: within a day, a week, thirty days, ninety days, longer.
        waiting: defects that nobody has fixed or declined, by how long they have waited, in the same bands.
        median: the median time to a repair in days; None without a repair.

    """

    states: dict[int, int]
    fixed: tuple[int, ...]
    waiting: tuple[int, ...]
    median: int | None


def days_to_fix(history: History) -> int | None:
    """Return how many days lay between the first word of a defect and its last repair; None while it is not fixed.

    A defect that was reported anew after a repair was not repaired, so only the repair that held counts.
    """
    if not history or history[-1][1] not in FIXED:
        return None
    fixed_on = history[-1][0]
    for day, status in reversed(history):
        if status not in FIXED:
            break
        fixed_on = day
    return max(fixed_on - history[0][0], 0)


def band_of(days: int) -> int:
    """Return the band of so many days, from 0 on."""
    return next((number for number, last in enumerate(BANDS) if days <= last), len(BANDS))


def defect_states(histories: Iterable[History], today: int) -> Defects:
    """Return how far defects have come, and how long repairs took."""
    states, took = dict[int, int](), list[int]()
    waiting = [0] * (len(BANDS) + 1)
    for history in histories:
        if not history:
            continue
        now = history[-1][1]
        states[now] = states.get(now, 0) + 1
        days = days_to_fix(history)
        if days is not None:
            took.append(days)
        elif now not in CLOSED:
            waiting[band_of(max(today - history[0][0], 0))] += 1
    fixed = [0] * (len(BANDS) + 1)
    for days in took:
        fixed[band_of(days)] += 1
    took.sort()
    return Defects(
        states=dict(sorted(states.items())),
        fixed=tuple(fixed),
        waiting=tuple(waiting),
        median=took[(len(took) - 1) // 2] if took else None,
    )


# objectives

Standing = Literal["met", "on_track", "behind", "missed", "hidden"]
GROWS: Final = frozenset({"count", "sum"})
"""Measures that add up over an objective's time; the others are as they are on any day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an objective is: its value and target, the per cent of its time that is over, and how it stands."""

    value: Count
    target: int
    time_over: int
    standing: Standing


def progress(
    value: Count,
    *,
    what: str,
    direction: Literal["at_most", "at_least"],
    target: int,
    days: tuple[int, int],
    today: int,
) -> Progress:
    """Return how an objective stands.

    Args:
        value: what was counted from its first day on; None where that is hidden.
        what: the measure's `what`.
        direction: whether the target is a ceiling or a floor.
        target: the number.
        days: the first and the last day, counted from 1970-01-01.
        today: the day on which is asked.

    """
    first, last = days
    length = last - first + 1
    gone = min(max(today - first + 1, 0), length)
    standing: Standing
    if value is None:
        standing = "hidden"
    elif direction == "at_least":
        wanted = target * gone if what in GROWS else target * length
        if value >= target and (what in GROWS or today > last):
            standing = "met"
        elif today > last:
            standing = "missed"
        else:
            standing = "on_track" if value * length >= wanted else "behind"
    elif value > target and (what in GROWS or today > last):
        # What only grows does not come down to its ceiling again.
        standing = "missed"
    elif today > last:
        standing = "met"
    else:
        allowed = target * gone if what in GROWS else target * length
        standing = "on_track" if value * length <= allowed else "behind"
    return Progress(value=value, target=target, time_over=PER_CENT * gone // length, standing=standing)
