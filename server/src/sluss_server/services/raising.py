"""What the server itself puts to an agency's supervisors: alarms in its ledger, and the look at it when that is due.

The ledger alone tells whoever runs the server; this tells the colleagues of whoever opened so much.
A supervisor who is not the person that the task names ends it; one that names nobody any of them does.
Refuses: an end by the person whom the alarm names, and any end but `done` with words.
Source: docs/protocol.md section 4 (`Raised`), docs/secrecy-rules.md B8.

> INVARIANT: one task for one matter, however many server processes look, and it goes to the own supervisors alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.ids import NO_SCENE, Kid
from sluss_schemas.ledger import Alarm, raised_id
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, CaseKind, Raised, read_raised, record_digest
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.filing import Filing, functions_of
from sluss_server.storage import disclosure, feeds
from sluss_server.storage.disclosure import RecordRow
from sluss_server.storage.feeds import CASE, NewEntry, audience_feed

REVIEW_S: Final = 72 * 3_600
"""How long a colleague has: a weekend goes by, and what was opened is still remembered."""


def raised(agency: bytes, alarm: Alarm) -> Raised:
    """Return the task that an alarm opens; the same alarm always opens the same one."""
    return Raised(
        record=raised_id(encode(alarm)),
        agency=agency,
        code=alarm.code,
        person=alarm.person,
        since=alarm.since,
        count=alarm.count,
        time=alarm.time,
        until=alarm.time + REVIEW_S,
    )


async def open_tasks(
    connection: AsyncConnection, core: Core, view: View, agency: bytes, tasks: Sequence[Raised]
) -> list[bytes]:
    """Open the tasks that are not open yet, and return the feeds that have something new."""
    audience = view.directories[agency].audience_for("supervisors")
    to = None if audience is None else audience.recipient
    made = {one.record: one for one in tasks}
    known = await disclosure.known_records(connection, view.partnership, [(agency, one) for one in made])
    new = [one for name, one in made.items() if (agency, name) not in known]
    if audience is None or to is None or not new:
        return []
    feed, rows, entries = audience_feed(audience.audience, NO_SCENE), list[RecordRow](), list[NewEntry]()
    for one in new:
        data = encode(one)
        digest = record_digest(data)
        rows.append(
            RecordRow(
                view.partnership,
                agency,
                one.record,
                str(CaseKind.TASK),
                b"",
                b"",
                core.clock(),
                data,
                core.receipts.sign_record(data),
                digest,
                code=one.code,
                until=one.until,
            )
        )
        entries.append(NewEntry(feed, "case", digest, CASE, to.kem_kid))
    # The rows first: of two processes the later one fails here, and finds the tasks open when it looks again.
    await disclosure.insert_records(connection, rows)
    await feeds.append(connection, view.partnership, entries, core.random)
    return [feed]


async def ends(filing: Filing, case: Case) -> bool:
    """Tell whether a record ends a task that the server opened.

    Raises:
        Invalid: `about_yourself`; `not_allowed` without the supervisors' function; `unknown_code`, `missing_field`.

    """
    if case.kind is not CaseKind.DONE or case.follows is None:
        return False
    agency = filing.caller.agency
    rows = await disclosure.records_named(filing.connection, filing.caller.partnership, [agency], [case.follows])
    task = next((found for row in rows if (found := read_raised(row.record)) is not None), None)
    if task is None:
        return False
    if filing.directory.devices[Kid(filing.caller.device)].person == task.person:
        raise Invalid("about_yourself", "record.follows")
    if not filing.past and "supervisors" not in functions_of(filing.directory, filing.caller.device):
        raise Invalid("not_allowed", "record.device")
    if case.code != "done":
        raise Invalid("unknown_code", "record.code")
    if not case.body:
        raise Invalid("missing_field", "record.body")
    return True
