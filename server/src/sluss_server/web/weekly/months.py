"""Months as CSV: the own agency's exact counts by month and scene, for whoever counts further than weeks.

Months are of the own agency alone. What others may see is published by the week, and no sum of weeks is a month: weeks
cross its ends, and a sum over hidden figures would be none.
A kind of which the pack tells the time by the week alone stands in the month of that week's Monday.
Refuses more than three years at once.
Source: docs/secrecy-rules.md B8.

> INVARIANT: every number is the own agency's exact count or sum; what has no line is nought.
> INVARIANT: no more than a month of counts is held, however many are asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from sluss_schemas.problems import Invalid
from sluss_server.aggregates.cells import SCENE, Cell, month_days
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Language
from sluss_server.web.panels.base import mark
from sluss_server.web.panels.counts import kinds_offered
from sluss_server.web.weekly import rfc4180
from sluss_server.web.weekly.naming import Names

MOST: Final = 36
USUAL: Final = 13
"""A year, and the month that it is held against."""
OF: Final = "months"
COLUMNS: Final = {
    "month": mark(
        "The month in the partnership's time zone; the running one as far as it has come. A kind whose time is told "
        "by the week alone stands in the month of the week's Monday."
    ),
    "scene": mark("The scene that the reports name."),
    "scene_label": mark("What the scene is called."),
    "kind": mark("The kind of report."),
    "kind_label": mark("What the kind is called."),
    "dimension": mark("What is told apart: all reports of the kind, or a coded fact."),
    "value": mark("Which of them: a code of the fact."),
    "value_label": mark("What the value is called."),
    "number": mark(
        "The own agency's exact count, or the sum; what has no line is nought. Others' figures are published week by "
        "week, and a sum of weeks is no month."
    ),
}
"""The columns, each with what it means, marked."""
Month = tuple[int, int]
"""A year and a month of it."""
Counts = Counter[tuple[int, int, Cell]]
"""Numbers by kind, scene and cell."""
_HOW_MANY: Final = re.compile(r"[1-9]\d?", re.ASCII)


def asked(last: str, how_many: str) -> list[Month]:
    """Return the months up to one, `2026-02`, the oldest first; as many as is said, or thirteen.

    Raises:
        Invalid: `not_found` for a number that is none, or is more than thirty-six.

    """
    number = USUAL if not how_many else int(how_many) if _HOW_MANY.fullmatch(how_many) else 0
    if not 1 <= number <= MOST:
        raise Invalid("not_found", "months")
    after = int(last[:4]) * 12 + int(last[5:])
    return [(one // 12, one % 12 + 1) for one in range(after - number, after)]


def name_of(month: Month) -> str:
    """Return a month as addresses have it, `2026-02`."""
    return f"{month[0]:04d}-{month[1]:02d}"


async def load(services: Services, viewer: Viewer, month: Month) -> Counts:
    """Read a month of the own agency, of every kind that is counted."""
    kinds = [kind.number for kind in kinds_offered(viewer.pack)]
    found = Counts()
    for one in await services.cube.own_days(viewer.partnership, viewer.own, viewer.pack, kinds, month_days(*month)):
        found[one.kind, one.scene, (one.dim, one.value)] += one.number
    return found


async def file(services: Services, viewer: Viewer, months: Sequence[Month], lang: Language) -> AsyncIterator[bytes]:
    """Yield the file: the names of its columns, and then month after month."""
    yield rfc4180.written([tuple(COLUMNS)])
    names = Names(viewer.pack, viewer.scenes)
    for month in months:
        found = await load(services, viewer, month)
        if found:
            yield rfc4180.lines(_rows(viewer, names, month, found, lang))


def _rows(viewer: Viewer, names: Names, month: Month, found: Counts, lang: Language) -> Iterator[tuple[str | int, ...]]:
    for (number, scene, cell), count in sorted(found.items()):
        kind, place, named = viewer.pack.kinds[number], names.cell(number, (SCENE, scene)), names.cell(number, cell)
        labels = (place.sv, kind.sv, named.sv) if lang == "sv" else (place.en, kind.en, named.en)
        yield (
            name_of(month), place.value, labels[0], kind.name, labels[1], named.dimension, named.value, labels[2], count
        )  # fmt: skip
