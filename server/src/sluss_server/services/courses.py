"""What the own agency's reports of places' defects and of meetings tell beyond their counts.

For: the overview's panels; how long repairs take, and which agencies came to which meetings.
Refuses to look back further than a year, or at more than the newest thousand reports; it says where there are more.
Source: docs/secrecy-rules.md B8: a supervisor sees the own agency's facts as they are.

> INVARIANT: coded facts of the own agency, under the pack that each report was filed by; nothing of a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from msgspec import msgpack

from sluss_schemas import sync
from sluss_schemas.forms.facts import fact_names
from sluss_schemas.manifest import pack_of
from sluss_schemas.statements import DEFECT_KIND, MEETING_KIND
from sluss_server.aggregates.catalogue import Fact
from sluss_server.aggregates.cells import begins, day_of
from sluss_server.aggregates.measures import History, Meeting
from sluss_server.services.core import Core
from sluss_server.services.sessions import Viewer
from sluss_server.storage import courses
from sluss_server.storage.courses import Word

LONGEST_DAYS: Final = 366
_MOST: Final = 1000
_tiers: Final = msgpack.Decoder(tuple[sync.Tier | None, sync.Tier | None])
_second: Final = msgpack.Decoder(sync.Tier1)
_values: Final = msgpack.Decoder(tuple[int | tuple[int, ...] | None, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """Defects of places, each with its scene and what became of it; `more` says that there are older ones."""

    courses: tuple[tuple[int, History], ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """Meetings, each with its scene; `more` says that there are older ones."""

    meetings: tuple[tuple[int, Meeting], ...]
    more: bool


class Courses:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def repairs(self, viewer: Viewer, days: tuple[int, int]) -> Repairs:
        """Return what became of defects that were heard of from the first day on, as it was before the second."""
        since = begins(_bounded(days)[0], viewer.pack.zone)
        async with self._core.engine.read() as connection:
            found = await courses.counted(
                connection, viewer.partnership, viewer.agency, DEFECT_KIND, since=since, limit=_MOST + 1
            )
            scenes = {one.report_id: one.scene for one in found[:_MOST]}
            words = await courses.words(connection, viewer.partnership, viewer.agency, sorted(scenes))
        histories = [
            (scenes[report], self._history(said, days[1], viewer.pack.zone))
            for report, said in groupby(words, key=lambda one: one.report_id)
        ]
        return Repairs(courses=tuple(one for one in histories if one[1]), more=len(found) > _MOST)

    async def minutes(self, viewer: Viewer, days: tuple[int, int]) -> Minutes:
        """Return the meetings that were held from the first day on and before the second."""
        first, after = _bounded(days)
        zone = viewer.pack.zone
        async with self._core.engine.read() as connection:
            # Nobody hears of a meeting before it is held.
            found = await courses.counted(
                connection,
                viewer.partnership,
                viewer.agency,
                MEETING_KIND,
                since=begins(first, zone),
                limit=_MOST + 1,
            )
        held = list[tuple[int, Meeting]]()
        for one in found[:_MOST]:
            if first <= day_of(one.time, zone) < after:
                held.append((one.scene, meeting(self._named(MEETING_KIND, one.manifest, _values.decode(one.coded)))))
        return Minutes(meetings=tuple(held), more=len(found) > _MOST)

    def _history(self, words: Iterable[Word], after: int, zone: str) -> History:
        """Return the days and states of one defect, each on the day that word of it came.

        What is observed may be told by the week alone; when it came is known by the second.
        """
        history = list[tuple[int, int]]()
        for one in words:
            second = _tiers.decode(one.tiers)[1]
            if second is None:
                continue
            day = day_of(one.received_at, zone)
            status = self._named(DEFECT_KIND, one.manifest, _second.decode(second.tier).values).get("status")
            if day < after and isinstance(status, int):
                history.append((day, status))
        return history

    def _named(self, kind: int, manifest: bytes, values: tuple[Fact, ...]) -> dict[str, Fact]:
        """Return coded values by their names in the pack that the report was filed under; none of one not known."""
        pack = self._core.rules.pack(pack_of(manifest))
        return {} if pack is None else dict(zip(fact_names(kind, pack), values, strict=False))


def meeting(named: dict[str, Fact]) -> Meeting:
    """Return a meeting by its facts; what a pack does not tell is left out."""

    def agencies(name: str) -> frozenset[int]:
        value = named.get(name)
        return frozenset(value if isinstance(value, tuple) else ())

    which = named.get("meeting")
    return Meeting(
        meeting=which if isinstance(which, int) else None,
        present=agencies("present"),
        deputy=agencies("deputy"),
        absent_notified=agencies("absent_notified"),
        absent=agencies("absent"),
    )


def _bounded(days: tuple[int, int]) -> tuple[int, int]:
    return max(days[0], days[1] - LONGEST_DAYS, 0), days[1]
