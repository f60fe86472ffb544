"""The regular look at an agency's ledger as a task of its supervisors, once in each period that the pack in force sets.

The periods run from the agency's founding; one that has ended is looked through in the next, and only the last one:
after a long standstill, or a restore, no pile of old ones comes.
Refuses nothing: an agency whose pack asks for no such look, or that is too young, has no task.
Source: docs/protocol.md section 4 (`Raised`), docs/operating.md, docs/secrecy-rules.md B8.

> INVARIANT: a period of an agency has one task with one content, whichever server process opens it and however often.
> INVARIANT: how often is the pack's to say; it names nobody, so any supervisor ends it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.ids import ID_BYTES
from sluss_schemas.ledger import LOG_REVIEW, READ, Reading, read_content, review_id
from sluss_schemas.problems import Invalid
from sluss_schemas.records import CaseKind, Raised, read_raised
from sluss_schemas.replay import Directory
from sluss_server.services.rules import Rules
from sluss_server.storage import checkpoints, disclosure, ledger

NOBODY: Final = bytes(ID_BYTES)
"""Stands where a task names no person."""
_DAY_S: Final = 86_400
_BATCH: Final = 1_000
_COUNTED: Final = ("open", READ)


@dataclass(frozen=True, slots=True)
class Period:
    """A time whose ledger is to be looked through, from its end on, and until when."""

    since: int
    end: int
    until: int


def due(directory: Directory, rules: Rules, now: int) -> Period | None:
    """Return the last period that has ended, or None before the first, or where the pack asks for none."""
    digest = rules.now(directory.packs, now)
    pack = None if digest is None else rules.pack(digest)
    days = None if pack is None else pack.parameters.log_review_days
    if pack is None or not days:
        return None
    length = days * _DAY_S
    number = (now - directory.founded) // length
    if number < 1:
        return None
    end = directory.founded + number * length
    return Period(end - length, end, end + pack.parameters.log_review_within_days * _DAY_S)


async def task(connection: AsyncConnection, partnership: bytes, agency: bytes, period: Period) -> Raised:
    """Return the task of a period, with how much was opened and read in it."""
    return Raised(
        record=review_id(agency, period.since, period.end),
        agency=agency,
        code=LOG_REVIEW,
        person=NOBODY,
        since=period.since,
        count=await _opened(connection, partnership, agency, period),
        time=period.end,
        until=period.until,
    )


async def _opened(connection: AsyncConnection, partnership: bytes, agency: bytes, period: Period) -> int:
    """Count by the server's own time, so that whoever counts again counts the same."""
    kept = await checkpoints.every(connection, partnership, agency)
    seq, found = max((one.size for one in kept if one.made_at < period.since), default=0), 0
    while leaves := await ledger.leaves_of(connection, partnership, agency, _COUNTED, seq, _BATCH):
        for leaf in leaves:
            with suppress(Invalid):
                content = read_content(leaf.action, leaf.content)
                at = content.received if isinstance(content, Reading) else content.time
                found += period.since <= at < period.end
        seq = leaves[-1].seq
    return found


async def last_look(connection: AsyncConnection, partnership: bytes, agency: bytes) -> tuple[bytes, int] | None:
    """Return the device that last ended such a task, and when the server had it; None where nobody ever has."""
    opened = await disclosure.records_of_kind(connection, partnership, [agency], str(CaseKind.TASK))
    tasks = [row.record_id for row in opened if row.code == LOG_REVIEW and read_raised(row.record) is not None]
    ends = await disclosure.records_following(connection, partnership, tasks)
    found = [row for row in ends if row.agency == agency and row.kind == CaseKind.DONE]
    return (found[-1].device, found[-1].received_at) if found else None
