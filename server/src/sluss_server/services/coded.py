"""The own agency's coded facts, report by report, for its analysts.

A month is that in which the last word of a report came: so each report is in one month's file at any time, and a month
that was fetched and is over gains nothing.
Refuses other agencies' facts, and everything by which two lines, or a line and a report, could be held together.
Who takes a month along is in the agency's ledger before the first line leaves the server, of one device once an hour.
Source: docs/secrecy-rules.md B8: a supervisor sees the own agency's facts as they are; reads are recorded.

> INVARIANT: a fact has no id, no contributor and no hour; a kind that nobody counts is not among them.
> INVARIANT: no more than a page of rows is held, however many there are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from msgspec import msgpack

from sluss_schemas.codec import encode
from sluss_schemas.forms.facts import fact_names
from sluss_schemas.ids import Kid
from sluss_schemas.ledger import EXPORT, Act
from sluss_schemas.manifest import pack_of
from sluss_server.aggregates.catalogue import Fact, is_counted
from sluss_server.aggregates.cells import begins, day_of
from sluss_server.services.core import Core
from sluss_server.services.recording import Recording
from sluss_server.services.sessions import Viewer
from sluss_server.storage import coded
from sluss_server.storage.coded import CodedRow, Which
from sluss_server.storage.ledger import Leaf

PAGE: Final = 500
HOUR_S: Final = 3600
FACTS: Final = "facts"
"""What an export was of, in the ledger."""
_values: Final = msgpack.Decoder(tuple[int | tuple[int, ...] | None, ...])


class CodedFact(NamedTuple):
    """A report as its owner's analysts see it; `scene` 0 is no scene, `day` is counted from 1970-01-01."""

    kind: int
    scene: int
    day: int
    values: dict[str, Fact]


class Coded:
    """The use case."""

    def __init__(self, core: Core, recording: Recording) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._recording: Final = recording
        self._noted: Final[dict[tuple[bytes, str], int]] = {}

    async def note(self, viewer: Viewer, month: str) -> None:
        """Record in the agency's ledger that a person takes a month's facts along; return when it is on disk."""
        key, now = (viewer.device, month), viewer.now
        if now - self._noted.get(key, now - HOUR_S) < HOUR_S:
            return
        person = viewer.own.devices[Kid(viewer.device)].person
        act = Act(EXPORT, b"", person, now, FACTS, viewer.pack.digest, month.encode())
        await self._recording.record(viewer.partnership, Leaf(viewer.agency, EXPORT, encode(act)))
        for old in [one for one, at in self._noted.items() if now - at >= HOUR_S]:
            del self._noted[old]
        self._noted[key] = now

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
        pack = self._core.rules.pack(pack_of(row.manifest))
        names = () if pack is None else fact_names(kind, pack)
        return CodedFact(
            kind, row.scene, day_of(row.time, zone), dict(zip(names, _values.decode(row.coded), strict=False))
        )
