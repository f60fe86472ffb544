"""The week as CSV: every count that its viewer may see, one on each line.

Refuses to say what is hidden in another way: `<5`, and a column that says that it is.
Source: docs/secrecy-rules.md B8; docs/decisions/0024-numbers-of-the-others.md.

> INVARIANT: a number that is not the own agency's is one that was published to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sluss_server.aggregates.catalogue import rule_of
from sluss_server.aggregates.cells import GIVEN, SCENE, TOTAL, Cell, week_name
from sluss_server.services import Services
from sluss_server.services.cube import Shown
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Language
from sluss_server.web.panels import figures
from sluss_server.web.panels.base import mark
from sluss_server.web.panels.counts import kinds_offered
from sluss_server.web.panels.figures import Read
from sluss_server.web.weekly.naming import Names

COLUMNS: Final = {
    "week": mark("The ISO week in the partnership's time zone."),
    "kind": mark("The kind of report."),
    "kind_label": mark("What the kind is called."),
    "dimension": mark("What is told apart: all reports of the kind, scenes, or a coded fact."),
    "value": mark("Which of them: a scene, or a code of the fact."),
    "value_label": mark("What the value is called."),
    "whose": mark("own: the own agency's exact count. others: what is published of all others together."),
    "number": mark(
        "The count, or the sum. <5 is hidden: it is smaller, or it would give another small one or a single report "
        "away."
    ),
    "hidden": mark("yes where the number is hidden."),
    "rounded_to": mark("To what the number is rounded; empty for an exact one."),
}
"""The columns, each with what it means, marked."""
_Row = tuple[str | int, ...]


async def load(services: Services, viewer: Viewer, week: int) -> Read:
    """Read a week, of every kind that is counted."""
    kinds = [kind.number for kind in kinds_offered(viewer.pack)]
    return await figures.read(services, viewer, kinds, [week])


def own_cells(found: Read, week: int) -> dict[tuple[int, Cell], int]:
    """Return the own counts by kind and cell: totals, also of nought, totals by scene, and each coded fact."""
    cells: dict[tuple[int, Cell], int] = {(kind, TOTAL): 0 for kind in found.files}
    for (kind, of_week, cell, scene), number in found.own.items():
        # Beside a sum the number of reports behind it is of no use to others, and left out of both.
        if of_week != week or kind not in found.files or cell[1] == GIVEN:
            continue
        cells[kind, cell] = cells.get((kind, cell), 0) + number
        if cell == TOTAL:
            cells[kind, (SCENE, scene)] = cells.get((kind, (SCENE, scene)), 0) + number
    return cells


def rows(viewer: Viewer, found: Read, week: int, lang: Language) -> Iterator[_Row]:
    """Yield the lines: the names of the columns, own counts, and what is published of the others."""
    yield tuple(COLUMNS)
    names = Names(viewer.pack, viewer.scenes)
    of_week = (one for one in found.shown if one.week == week)
    for (kind, cell), number in sorted(own_cells(found, week).items()):
        yield (*_named(viewer, names, (kind, week, cell), lang), "own", number, "", "")
    for one in sorted(of_week, key=lambda one: (one.kind, one.cell)):
        yield (*_named(viewer, names, (one.kind, week, one.cell), lang), *_published(viewer, one))


def _published(viewer: Viewer, one: Shown) -> Iterable[str | int]:
    rule = rule_of(viewer.pack, one.kind)
    if one.figure is None:
        return ("others", f"<{rule.least(one.cell)}", "yes", "")
    return ("others", one.figure, "", rule.round_to)


def _named(viewer: Viewer, names: Names, which: tuple[int, int, Cell], lang: Language) -> _Row:
    kind, week, cell = which
    found, named = viewer.pack.kinds[kind], names.cell(kind, cell)
    kind_label, value_label = (found.sv, named.sv) if lang == "sv" else (found.en, named.en)
    return (week_name(week), found.name, kind_label, named.dimension, named.value, value_label)
