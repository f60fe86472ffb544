"""What case records bring about beyond being delivered: grants end, and protected reports leave others' feeds.

A shift that was ended takes back at once what it gave.
Runs inside the transaction, after everything in it was written, so that it sees also what came in the same one.
Refuses to end anything for longer or for more than the record says: what ends is named by the record, or rests on it.
Source: docs/protocol.md section 4; docs/secrecy-rules.md B7 4, 12 and 13.

> INVARIANT: a consent that was taken back, a recall and a place that became protected act in the transaction that
> stores the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.disclosure import read_grant
from sluss_schemas.records import Case, CaseKind
from sluss_server.services import consents, ending, reclassifying, shifts
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.storage import disclosure, pending, reports
from sluss_server.storage.disclosure import GrantRow, Named
from sluss_server.storage.feeds import NewEntry

UPHELD: Final = "upheld"
_ENDS: Final = frozenset({CaseKind.RECALL, CaseKind.REVIEW})
"""Kinds that end the grant that they follow; a review does unless it upholds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """A record that was stored just now, by an agency's device, and when it was received."""

    agency: bytes
    case: Case
    at: int


async def settle(
    core: Core, view: View, connection: AsyncConnection, acted: Sequence[Acted], grants: Sequence[GrantRow]
) -> ending.Ended:
    """Return the drops that follow from records, and from grants whose consent was taken back while they came."""
    partnership = view.partnership
    ends, places = dict[tuple[bytes, bytes], int](), dict[reclassifying.Report, int]()
    recalled = set[tuple[bytes, bytes]]()
    resting = {(one.agency, one.basis): one.received_at for one in grants if one.basis is not None}
    for one in acted:
        case = one.case
        if case.kind in _ENDS and case.follows is not None and case.code != UPHELD:
            ends[one.agency, case.follows] = one.at
            if case.kind is CaseKind.RECALL:
                recalled.add((one.agency, case.follows))
        elif case.kind is CaseKind.CONSENT and case.follows is not None:
            root = await consents.root_of(connection, partnership, one.agency, case.follows)
            if root is not None:
                resting[one.agency, root] = one.at
        elif case.kind is CaseKind.RECLASSIFY and case.code == reclassifying.PROTECTED and case.digest is not None:
            report = (await reports.names_of(connection, partnership, [case.digest])).get(case.digest)
            if report is not None:
                places[report] = one.at
    for (agency, basis), at in sorted(resting.items()):
        for grant in await _uncovered(view, connection, agency, basis, at):
            ends[agency, grant.grant_id] = at
    found = ending.Ended()
    for (agency, grant_id), at in ends.items():
        ended = await ending.end(connection, partnership, agency, grant_id, at)
        found.entries += ended.entries
        # A recall has the leaf of its record.
        found.leaves += [] if (agency, grant_id) in recalled else ended.leaves
    found.entries += await _over(view, connection, acted)
    for report, at in places.items():
        lost = await reclassifying.drops(core, view, connection, report, at)
        found.entries += lost.entries
        found.closed += lost.digests
    return found


async def _over(view: View, connection: AsyncConnection, acted: Sequence[Acted]) -> list[NewEntry]:
    """Return the drops of what shifts gave that were ended; what another one still gives comes with the next look."""
    ended = [one.at for one in acted if one.case.kind is CaseKind.SHIFT and one.case.follows is not None]
    if not ended:
        return []
    waiting = await pending.for_shift(connection, view.partnership, hold=True)
    drops, _ = await shifts.changes(connection, view, waiting, max(ended))
    return drops


async def _uncovered(view: View, connection: AsyncConnection, agency: bytes, basis: bytes, at: int) -> list[Named]:
    """Return the grants that rest on a consent and are not covered by it any more."""
    partnership = view.partnership
    # Whoever gives something on this consent, and whoever takes it back, see each other.
    known = await disclosure.lock_record(connection, partnership, agency, basis)
    rows = await disclosure.grants_resting_on(connection, partnership, agency, basis)
    if not rows or not known:
        # After a restore the consent may come back later than what rests on it.
        return []
    consent = await consents.read(connection, partnership, agency, basis)
    return [one for one in rows if consent is None or not consent.covers(view, read_grant(one.grant_bytes), at)]
