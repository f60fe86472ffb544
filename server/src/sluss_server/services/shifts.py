"""What about a person goes to those who meet them now: entries that come with a device's shift and go with it.

A ground with `on_shift` lets a warning be read on shift at the report's scene and nowhere else. Its entries wait beside
the feeds and are put into the device's own when a shift begins, with the shift's end as theirs, so that delivery needs
to ask for nothing.
Whoever is on shift may end it before its time; the record that does so says again until when it would have lasted.
Source: docs/secrecy-rules.md B4 L02.

> INVARIANT: an entry that waits for a shift is in its device's feed at most while that device is on shift at the scene;
> a report that tells no scene is at none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import decode
from sluss_schemas.disclosure import ended
from sluss_schemas.ids import NO_SCENE, Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, CaseKind, ShiftTerms
from sluss_server.services.directories import View
from sluss_server.services.filing import Filing, Followed, case_of
from sluss_server.services.recipients import scene_of
from sluss_server.storage import disclosure, feeds, reports
from sluss_server.storage.feeds import NewEntry, device_of
from sluss_server.storage.pending import Waiting

ENDED: Final = "ended"
OnShift = dict[tuple[bytes, int], int]
"""Until when a device is on shift at a scene."""


def check_end(filing: Filing, case: Case, followed: Followed | None) -> None:
    """Return quietly unless a record ends a shift that is not the filer's own, or is none.

    Raises:
        Invalid: `not_found` for somebody else's, which is answered as if it were not there; `malformed`;
            `out_of_range`.

    """
    if followed is None:
        return
    if _person(filing, followed.case.device) != _person(filing, case.device):
        raise Invalid("not_found", "record.follows")
    if followed.case.code == ENDED:
        raise Invalid("malformed", "record.follows")
    if case.until != followed.case.until:
        raise Invalid("out_of_range", "record.until")


def _person(filing: Filing, device: bytes) -> bytes | None:
    known = filing.directory.devices.get(Kid(device))
    return None if known is None else known.person


async def on_shift(connection: AsyncConnection, view: View, now: int) -> OnShift:
    """Return which devices that may act are on shift where."""
    found = OnShift()
    kind = str(CaseKind.SHIFT)
    agencies = sorted(view.directories)
    rows = await disclosure.records_of_kind(connection, view.partnership, agencies, kind, in_force_at=now)
    said = [(row, case) for row in rows if (case := case_of(row)) is not None]
    over = {(row.agency, case.follows) for row, case in said if case.code == ENDED}
    for row, case in said:
        if case.code == ENDED or (row.agency, case.record) in over:
            continue
        if case.until is None or not _acts(view, row.agency, row.device, now):
            continue
        place = (row.device, decode(ShiftTerms, case.terms, "record.terms").scene)
        found[place] = max(found.get(place, 0), case.until)
    return found


async def changes(
    connection: AsyncConnection, view: View, waiting: Sequence[Waiting], now: int
) -> tuple[list[NewEntry], list[NewEntry]]:
    """Return the drops of what a shift's end takes away, and the puts of what a shift's beginning gives."""
    drops, puts = list[NewEntry](), list[NewEntry]()
    if not waiting:
        return drops, puts
    shifts = await on_shift(connection, view, now)
    digests = sorted({one.digest for one in waiting})
    stored = await reports.stored(connection, view.partnership, digests)
    held = {(one.feed, one.grant_id): one for one in await feeds.held(connection, view.partnership, digests)}
    for one in waiting:
        if one.not_after is not None and one.not_after <= now:
            continue
        report, device = stored.get(one.digest), device_of(one.feed)
        scene = NO_SCENE if report is None else scene_of(report.tiers)
        until = shifts.get((device, scene)) if device is not None and scene != NO_SCENE else None
        has = held.get((one.feed, one.grant_id))
        ends = until if until is None or one.not_after is None else min(until, one.not_after)
        # Over, or longer than what is left after a longer shift was ended.
        if has is not None and (ends is None or (has.not_after is not None and not now < has.not_after <= ends)):
            drops.append(NewEntry(one.feed, "drop", ended(one.digest, one.grant_id)))
            has = None
        if ends is not None and has is None:
            puts.append(one.entry()._replace(not_after=ends))
    return drops, puts


def _acts(view: View, agency: bytes, device: bytes, now: int) -> bool:
    directory = view.directories.get(agency)
    return directory is not None and directory.device_active(Kid(device), now)
