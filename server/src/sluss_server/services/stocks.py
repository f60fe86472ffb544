"""Stocks: what the own agency counted last, and how much its own reports say was used since.

The sum is made of the facts of reports, by days: what was used on the day of a count is in the count.
Refuses everybody who is not a supervisor. Another agency's stock is not there to be asked for.
Source: docs/protocol.md section 4; docs/forms.md (K04).

> INVARIANT: only the doses of facts are summed; which report, and whom it is about, no answer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluss_schemas import statements as said
from sluss_schemas.statements import StockAnswer, StockAsk, StockTerms
from sluss_server.aggregates.cells import SUM
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.quarantine import must_supervise
from sluss_server.storage import rollups, statements
from sluss_server.storage.rollups import Ask

NALOXONE: Final = (4, "naloxone_doses")
"""The kind of report that tells of its use, and the fact."""
_EVER: Final = 1 << 30
_AGENCIES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What was counted last, and what was used since; used more than counted, `left` is below nought."""

    terms: StockTerms
    used: int

    @property
    def left(self) -> int:
        """How many doses there should be."""
        return self.terms.doses - self.used


class Stocks:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def used(self, caller: Caller, ask: StockAsk) -> StockAnswer:
        """Return how many doses the caller's agency used after a day.

        Raises:
            Invalid: `not_allowed` for whoever supervises nobody.

        """
        view, caller = await self._core.enter(caller)
        must_supervise(view, caller, "device")
        return StockAnswer(await self._used(caller.partnership, caller.agency, ask.after))

    async def naloxone(self, partnership: bytes, agency: bytes) -> Stock | None:
        """Return an agency's stock of naloxone; None where nobody counted."""
        async with self._core.engine.read() as connection:
            found = await statements.current(connection, partnership, "stock", subject=b"", agency=b"", limit=_AGENCIES)
        for row in found:
            terms = said.read(row.terms)
            if row.agency == agency and isinstance(terms, StockTerms):
                return Stock(terms=terms, used=await self._used(partnership, agency, terms.counted))
        return None

    async def _used(self, partnership: bytes, agency: bytes, after: int) -> int:
        kind, fact = NALOXONE
        ask = Ask(partnership, (agency,), (kind,), (fact,), after + 1, _EVER)
        async with self._core.engine.read() as connection:
            return sum(one.number for one in await rollups.days(connection, ask) if one.value == SUM)
