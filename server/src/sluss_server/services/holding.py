"""Legal holds: which reports must not be culled, because the owner's supervisors said so.

A hold is about a report, whichever of its versions it names, and stands until it is lifted or its own end has come.
Source: docs/secrecy-rules.md B7 30; docs/protocol.md section 4.

> INVARIANT: a report is held while one hold on it stands, whatever became of others.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import cases
from sluss_schemas.records import CaseKind
from sluss_server.services.caseterms import LIFTED
from sluss_server.storage import culling, disclosure
from sluss_server.storage.culling import Age, Report


async def held(
    connection: AsyncConnection, partnership: bytes, versions: Iterable[Age], now: int
) -> dict[Report, bytes]:
    """Return which of the reports that these versions are of are held, each with the id of one hold on it."""
    names = {one.digest: (one.agency, one.report_id) for one in versions}
    kind = str(CaseKind.HOLD)
    rows = [row for row in await culling.records_about(connection, partnership, sorted(names)) if row.kind == kind]
    following = await disclosure.records_following(connection, partnership, [row.record_id for row in rows])
    lifted = {(row.agency, row.follows) for row in following if row.kind == kind and row.code == LIFTED}
    found = dict[Report, bytes]()
    for row in rows:
        report = names[row.digest]
        if row.code == LIFTED or row.agency != report[0]:
            continue
        over = (row.agency, row.record_id) in lifted
        if cases.hold(lifted=over, until=row.until, now=now) == "placed":
            found[report] = row.record_id
    return found
