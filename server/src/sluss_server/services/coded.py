"""The own agency's coded facts, report by report, for its analysts.

A month is that in which the last word of a report came: so each report is in one month's file at any time, and a month
that was fetched and is over gains nothing.
Refuses other agencies' facts, and everything by which two lines, or a line and a report, could be held together.
Source: docs/secrecy-rules.md B8: a supervisor sees the own agency's facts as they are.

> INVARIANT: a fact has no id, no contributor and no hour; a kind that nobody counts is not among them.
> INVARIANT: no more than a page of rows is held, however many there are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from msgspec import msgpack

from sluss_schemas.forms.facts import fact_names
from sluss_schemas.manifest import read_manifest
from sluss_server.aggregates.catalogue import Fact, is_counted
from sluss_server.aggregates.cells import begins, day_of
from sluss_server.services.core import Core
from sluss_server.services.sessions import Viewer
from sluss_server.storage import coded
from sluss_server.storage.coded import CodedRow, Which

PAGE: Final = 500
_values: Final = msgpack.Decoder(tuple[int | tuple[int, ...] | None, ...])


class CodedFact(NamedTuple):
    """A report as its owner's analysts see it; `scene` 0 is no scene, `day` is counted from 1970-01-01."""

    kind: int
    scene: int
    day: int
    values: dict[str, Fact]


class Coded:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def between(self, viewer: Viewer, days: tuple[int, int], page: int = PAGE) -> AsyncIterator[list[CodedFact]]:
        """Yield pages of the facts whose last word came from a day on and before another; sorted within each page."""
        zone, pack = viewer.pack.zone, viewer.pack
        since, before = begins(days[0], zone), begins(days[1], zone)
        for kind in sorted(pack.kinds):
            if not is_counted(pack, kind) or viewer.own.sector not in pack.kinds[kind].owners:
                continue
            which = Which(viewer.partnership, viewer.agency, kind, since, before)
            while True:
                async with self._core.engine.read() as connection:
                    rows = await coded.page(connection, which, page)
                # By what they say, because the order in which they came would tell which report is which.
                yield sorted(
                    (self._fact(kind, row, zone) for row in rows), key=lambda one: (one.day, one.scene, str(one.values))
                )
                if len(rows) < page:
                    break
                which = which._replace(after=(rows[-1].received_at, rows[-1].digest))

    def _fact(self, kind: int, row: CodedRow, zone: str) -> CodedFact:
        """Return a row by the names of the pack that the report was filed under; without values of one not known."""
        pack = self._core.rules.pack(read_manifest(row.manifest).pack)
        names = () if pack is None else fact_names(kind, pack)
        return CodedFact(
            kind, row.scene, day_of(row.time, zone), dict(zip(names, _values.decode(row.coded), strict=False))
        )
