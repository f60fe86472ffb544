"""The own agency's stock of naloxone: counted by people, and less by what its own reports say was given.

Refuses: a count of a day that is yet to come, and everybody but supervisors.
Source: docs/protocol.md section 4.

> INVARIANT: a count is signed and verified like every statement; what was used since is the server's sum of facts, and
> no report, place or person comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sluss_client.cases import registry, stating, wording
from sluss_client.errors import Invalid, NotFound
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas.statements import Item, StockAnswer, StockAsk, StockTerms

NALOXONE: Final[Item] = "naloxone"
_MOST: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """How much naloxone the own agency should have.

    Attributes:
        counted: the day at whose end somebody counted.
        doses: how many doses there were then.
        used: how many the own agency's reports of overdoses say were given on later days; kits that were handed out
            are not among them, so they are told by the next count.
        expires: the last day of the doses that expire first; None where nobody looked.
        sent: whether the server has the count.

    """

    counted: date
    doses: int
    used: int
    expires: date | None
    sent: bool

    @property
    def left(self) -> int:
        """How many doses there should be; below nought more were given than anybody counted."""
        return self.doses - self.used


def count(local: Local, now: int, doses: int, counted: date | None, expires: date | None) -> bytes | None:
    """State how many doses there are; None where that is stated already.

    Raises:
        Refused: `supervisor_only`.
        Invalid: `out_of_range`.

    """
    work = stating.Stating(local, now)
    if not 0 <= doses <= _MOST:
        raise Invalid("out_of_range", "doses", "Give how many doses there are.")
    today = datetime.fromtimestamp(now, ZoneInfo(local.trust.pack(now).zone)).date()
    if counted is not None and counted > today:
        raise Invalid("out_of_range", "counted", "Give a day that has come.")
    day = wording.day_of(counted or today, "counted")
    last = None if expires is None else wording.day_of(expires, "expires")
    return work.file(StockTerms(NALOXONE, doses, day, last))


async def look(local: Local, transport: Transport) -> Stock:
    """Return the stock, by the last count that this device or a colleague's made.

    Raises:
        Refused: `supervisor_only`.
        NotFound: nobody has counted.
        Offline: no contact.

    """
    stating.must_supervise(local)
    await registry.fetch(local, transport, ("stock",))
    found = stating.holds(local).get(("stock", NALOXONE.encode()))
    if found is None or not isinstance(found.terms, StockTerms):
        raise NotFound("stock")
    terms = found.terms
    answer = await transport.post("/v1/stock", StockAsk(NALOXONE, terms.counted), StockAnswer)
    return Stock(
        counted=wording.date_of(terms.counted),
        doses=terms.doses,
        used=answer.used,
        expires=None if terms.expires is None else wording.date_of(terms.expires),
        sent=found.state != "waiting",
    )
