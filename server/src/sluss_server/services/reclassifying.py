"""A report whose place became a protected one: what it loses with others, and who may say that it is none any more.

From then on the report is treated as the pack treats the kind of a protected place, whatever its own kind is; its
owner keeps what it had.
Refuses to let one person take a report out of a protected place.
Source: docs/secrecy-rules.md B7 13 and 14.

> INVARIANT: others lose a protected report by the ordinary `drop`; nothing that they are given says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec import msgpack
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.disclosure import Wrap, ended
from sluss_schemas.ids import Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, CaseKind
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.filing import Filing, Followed, functions_of
from sluss_server.storage import disclosure, feeds, reports
from sluss_server.storage.disclosure import RecordRow
from sluss_server.storage.feeds import GRANT, Held, NewEntry

Report = tuple[bytes, bytes]
"""An agency and a report id."""

PROTECTED: Final = "protected"
_wraps: Final = msgpack.Decoder(tuple[Wrap, ...])


def check(filing: Filing, case: Case, followed: Followed | None) -> None:
    """Check who says that a report is, or is no longer, at a protected place.

    Anybody who may file says that it is. That it is not, the owner's supervisor says, and a supervisor of an agency
    that such places belong to confirms it by a record that follows; within such an agency it takes two persons too.

    Raises:
        Invalid: `malformed` for a confirmation of anything else, `not_allowed` for who may not say so.

    """
    if filing.past:
        return
    if case.code == PROTECTED:
        if followed is not None:
            raise Invalid("malformed", "record.follows")
        return
    supervises = "supervisors" in functions_of(filing.directory, filing.caller.device)
    guards = filing.directory.sector in filing.core.rules.guardians(filing.pack().digest)
    if followed is None:
        if not supervises and not guards:
            raise Invalid("not_allowed", "record.device")
        return
    if followed.case.code == PROTECTED or followed.case.follows is not None:
        raise Invalid("malformed", "record.follows")
    if not supervises or not guards or _person(filing.view, followed.case.device) == _own_person(filing):
        raise Invalid("not_allowed", "record.device")


def _own_person(filing: Filing) -> bytes | None:
    return _person(filing.view, filing.caller.device)


def _person(view: View, device: bytes) -> bytes | None:
    found = (one.devices.get(Kid(device)) for one in view.directories.values())
    return next((one.person for one in found if one is not None), None)


async def protected(
    connection: AsyncConnection, partnership: bytes, asked: Collection[Report], *, lock: bool = False
) -> set[Report]:
    """Return which of these reports are treated as being at a protected place.

    With `lock` nobody else changes that, or gives anybody anything of them, until the end of the transaction.
    """
    if not asked:
        return set()
    versions = await reports.versions_of(connection, partnership, sorted({one[1] for one in asked}))
    names = {one.digest: (one.agency, one.report_id) for one in versions if (one.agency, one.report_id) in asked}
    if lock:
        await reports.lock(connection, partnership, sorted(names))
    agencies = sorted({agency for agency, _ in names.values()})
    kind = str(CaseKind.RECLASSIFY)
    rows = await disclosure.records_of_kind(connection, partnership, agencies, kind, about=sorted(names))
    if not rows:
        return set()
    confirmed = await disclosure.records_following(connection, partnership, [row.record_id for row in rows])
    done = {row.follows for row in confirmed if row.kind == kind}
    found = dict[Report, bool]()
    for row in sorted(rows, key=_order):
        if row.code == PROTECTED or row.record_id in done:
            found[names[row.digest]] = row.code == PROTECTED
    return {report for report, closed in found.items() if closed}


def _order(row: RecordRow) -> tuple[int, bool]:
    """Of two that came at once, the one that closes is the later."""
    return row.received_at, row.code == PROTECTED


def narrow(core: Core, view: View, owner: bytes, entries: Iterable[NewEntry], now: int) -> list[NewEntry]:
    """Return what stays of the entries of a protected report: the owner's own, and what the pack gives of that kind."""
    found, given = list[NewEntry](), _Given(core, view, owner, now)
    for entry in entries:
        if view.has_feed(owner, entry.feed):
            found.append(entry)
            continue
        open_ = given.open(entry)
        kept = tuple(wrap for wrap in _wraps.decode(entry.wraps) if open_ >> wrap.slot & 1)
        if kept:
            found.append(entry._replace(wraps=encode(kept)))
    return found


class Lost(NamedTuple):
    """The drops of a report that has become a protected one, and its versions, which count no more."""

    entries: list[NewEntry]
    digests: list[bytes]


async def drops(core: Core, view: View, connection: AsyncConnection, report: Report, now: int) -> Lost:
    """Return what other agencies lose of a report that has become a protected one."""
    owner, report_id = report
    versions = await reports.versions_of(connection, view.partnership, [report_id])
    digests = sorted(one.digest for one in versions if one.agency == owner)
    given = _Given(core, view, owner, now)
    held = await feeds.held(connection, view.partnership, digests)
    # Also what a grant has yet to give; its decider can make another on a ground that such a place leaves.
    waiting = await disclosure.pending_of(connection, view.partnership, digests)
    lost = [name for name in waiting if not view.has_feed(owner, name[0])]
    await disclosure.cancel(connection, view.partnership, lost)
    return Lost([_drop(one) for one in held if given.loses(one)], digests)


def _drop(held: Held) -> NewEntry:
    if held.grant_id is None:
        return NewEntry(held.feed, "drop", held.digest)
    return NewEntry(held.feed, "drop", ended(held.digest, held.grant_id))


@dataclass(frozen=True, slots=True)
class _Given:
    """What the pack gives of an owner's report at a protected place."""

    core: Core
    view: View
    owner: bytes
    now: int

    def loses(self, held: Held) -> bool:
        """Tell whether another agency's feed holds more than that."""
        if self.view.has_feed(self.owner, held.feed):
            return False
        open_ = self.open(held)
        return any(not open_ >> wrap.slot & 1 for wrap in _wraps.decode(held.wraps))

    def open(self, entry: Held | NewEntry) -> int:
        """Return what an entry's recipient may hold, by itself or on the ground that the entry names."""
        directory, receiver = self.view.directories.get(self.owner), self.view.as_receiver(entry.recipient, self.owner)
        rules = self.core.rules
        pack = None if directory is None else rules.now(directory.packs, self.now)
        kind = None if pack is None else rules.protected(pack)
        if pack is None or kind is None or receiver is None:
            return 0
        # The rows of that kind hold whoever owns the report.
        slots = rules.slots(pack, kind, rules.owners(pack, kind)[0], receiver)
        if entry.via != GRANT:
            return slots.open
        return {**slots.gateways, **slots.duties}.get(entry.gateway or "", 0)
