"""Two records of one event: the mark that both have, and which of them the event counts by.

For: taking another report's mark when one is filed or amended, leaving a link, and finding what is linked.
Refuses: a mark of what this person does not read in full, whether it is a brief, an excerpt or closed.

A link is nowhere but in the full situations: both have one mark of 16 random bytes. Whoever reads both sees one mark
twice; whoever reads one of them sees bytes that say nothing, and cannot tell whether there is another.
Where both are of one kind and the other one is in what others see, the event counts there by that one; in the figures
of its own agency each record counts. A kind with a secret counts nowhere, so the server is told nothing of such links.

> INVARIANT: no report names another one, and a brief, an excerpt and a note on the market never carry a mark.
> INVARIANT: the server is told at most that a version counts by another report: never by which, and of whom it is.

Source: docs/secrecy-rules.md B7 17; docs/decisions/0027-mark-of-an-event.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from sluss_client import screen, views
from sluss_client.errors import NotFound, Refused
from sluss_client.local import Local
from sluss_client.report import Report
from sluss_client.saving import Version, Wish
from sluss_schemas.ids import ReportId, slot
from sluss_schemas.policy.cells import REACH, reach
from sluss_schemas.policy.model import Pack

_SITUATION: Final = slot("SIT")
_FIELD: Final = "same_event"
KEPT: Final = "kept"
"""In the place of a report: the event stays the one that it was."""


def filed(local: Local, wish: Wish, kind: int, other: ReportId | str | None, *, fresh: bytes, now: int) -> Wish:
    """Return what the author of a new report says, with the mark of another one's event or a fresh one.

    Raises:
        NotFound: the other report is not on this device.
        Refused: `closed` or `lease_ended`, unless its situation is open in full.

    """
    if other is None:
        return replace(wish, event=fresh)
    mark, counts = _of(local, other, kind, now)
    return replace(wish, event=mark, counts=None if counts else False)


def amended(
    local: Local, kept: Wish, version: Version, kind: int, same: ReportId | str | None, *, fresh: bytes, now: int
) -> Wish:
    """Return what the next version says: the event of the version before, another one's, or one of its own.

    Raises:
        NotFound, Refused: as `filed`.

    """
    if same == KEPT:
        # What was filed without a mark gets one, so that nobody can tell what was linked by what has one.
        return replace(kept, event=kept.event or fresh)
    mark, counts = (fresh, True) if same is None else _of(local, same, kind, now)
    if mark == kept.event:
        return kept
    before = [local.outbox.get(version.report_id, number) for number in range(1, version.number)]
    if counts and all(one is not None and one.counts is not False for one in before):
        # All versions are from here, so the server was told nothing, and has nothing to learn.
        return replace(kept, event=mark, counts=None)
    return replace(kept, event=mark, counts=counts)


def _of(local: Local, report_id: ReportId | str, kind: int, now: int) -> tuple[bytes, bool]:
    """Return the mark of a report, and whether another record of that event of a kind counts besides it."""
    pack = local.trust.pack(now)
    report = views.one_report(local, views.as_id(report_id), pack, now)
    if report is None:
        raise NotFound(_FIELD)
    if not report.event:
        code = "closed" if report.readable else "lease_ended"
        raise Refused(_FIELD, "Only what you read in full can be said to be of the same event.", code=code)
    return report.event, report.kind_number != kind or not _counts_for_others(local, report, pack, now)


def _counts_for_others(local: Local, report: Report, pack: Pack, now: int) -> bool:
    """Tell whether a report's kind, of its owner, is in the numbers that other agencies see."""
    kind = pack.kinds[report.kind_number]
    owner = next((one for one in local.trust.agencies(now) if one.slug == report.agency), None)
    if owner is None or not kind.clear or not kind.counted:
        return False
    return reach(pack.cell(kind.number, owner.sector, "SIT", "SUPX")) >= REACH["G"]


# what is linked


def among(local: Local, report: Report, now: int, present: Sequence[str] = ()) -> Report:
    """Return a report that knows the others of its event, as everybody `present` may see them, when somebody asks."""
    report.among(lambda: _linked(local, report, now, present))
    return report


def _linked(local: Local, report: Report, now: int, present: Sequence[str]) -> tuple[ReportId, ...]:
    pack = local.trust.pack(now)
    mark = report.event
    if not mark:
        return ()
    found = (views.one_report(local, one, pack, now) for one in sorted(_marked(local, mark)) if one != report.id)
    shown: Iterator[Report] = (one for one in found if one is not None)
    if present:
        shown = screen.all_shown(local, shown, present, pack, now)
    return tuple(one.id for one in shown if one.event == mark)


def _marked(local: Local, mark: bytes) -> set[ReportId]:
    """Return the reports of which some version here has a mark, whether it may be read now or not.

    It goes once through all that is here and reads no more of it than that; there is no list of marks to be found.
    """
    own = (row.report_id for row in local.outbox.rows() if row.event == mark)
    return {ReportId(one) for one in (*own, *_received(local, mark))}


def _received(local: Local, mark: bytes) -> Iterator[bytes]:
    for received in local.replica.reports():
        parts = (data for version in received.versions for number, data in version.sections if number == _SITUATION)
        if any(mark in data for data in parts):
            yield received.report_id
