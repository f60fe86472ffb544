"""Legal holds: a supervisor has a report of the own agency kept beyond its time, and ends that again.

From the day on which the report's time has run out nobody has it but the own supervisors, who open it for a reason each
time; when no hold stands any more it is culled.
Refuses: anybody but a supervisor of the owner.
Source: docs/protocol.md section 4; docs/secrecy-rules.md B7 30.

> INVARIANT: why a report is kept is sealed to the own supervisors; the server sees that it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluss_client import clock
from sluss_client.cases import bodies, book
from sluss_client.cases.bodies import About, Words
from sluss_client.casework import own_supervisors
from sluss_client.errors import Invalid, NotFound
from sluss_client.local import Local
from sluss_schemas import cases
from sluss_schemas.codec import encode
from sluss_schemas.ids import ReportId
from sluss_schemas.records import CaseKind

PLACED: Final = "placed"
LIFTED: Final = "lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preserved:
    """A legal hold that this device knows of.

    Attributes:
        id: the record's id, by which it is ended.
        report_id: the report that is kept, or None where the record does not open here.
        reason: why.
        alias: who placed it, or an empty string.
        placed_at: when, in Unix seconds.
        until: when it ends by itself, or None.
        state: `placed`, `expired` or `lifted`.
        ended_because: why it was ended, where somebody did.

    """

    id: bytes
    report_id: ReportId | None
    reason: str
    alias: str
    placed_at: int
    until: int | None
    state: cases.HoldState
    ended_because: str = ""


def preserve(local: Local, report_id: ReportId, reason: str, until: int | None, now: int) -> bytes:
    """Have a report kept beyond its time; return the record's id.

    Raises:
        NotFound: no such report of the own agency here.
        Refused: `supervisor_only`.
        Invalid: `missing_field`, `too_long`, `out_of_range`.

    """
    own_supervisors(local)
    said = bodies.text(reason, "reason")
    if until is not None and until <= now:
        raise Invalid("out_of_range", "until", "Give a time to come.")
    received = local.replica.get(local.trust.own_id, report_id)
    if received is None:
        raise NotFound("report_id")
    return book.file(
        local,
        CaseKind.HOLD,
        now=now,
        code=PLACED,
        digest=received.heads()[0].digest,
        until=until,
        to=book.own(local, "supervisors"),
        body=encode(About(report_id, said)),
    )


def end(local: Local, hold: bytes, reason: str, now: int) -> None:
    """End a legal hold, with the reason.

    Raises:
        NotFound: no such hold stands, as far as this device knows.
        Refused: `supervisor_only`.
        Invalid: `missing_field`, `too_long`.

    """
    own_supervisors(local)
    said = bodies.text(reason, "reason")
    standing = {one.id for one in preserved(local, now) if one.state == PLACED}
    known = next((one for one in book.everything(local, CaseKind.HOLD) if one.case.record == hold), None)
    if known is None or hold not in standing:
        raise NotFound("hold")
    book.file(
        local,
        CaseKind.HOLD,
        now=now,
        code=LIFTED,
        digest=known.case.digest,
        follows=hold,
        to=book.own(local, "supervisors"),
        body=encode(Words(said)),
    )


def preserved(local: Local, now: int) -> list[Preserved]:
    """Return the legal holds of the own agency that this device knows of, newest first."""
    known = [one for one in book.everything(local, CaseKind.HOLD) if one.agency == local.trust.own_id]
    ends = {one.case.follows: one for one in known if one.case.code == LIFTED}
    found = []
    for one in known:
        if one.case.code == LIFTED:
            continue
        said, ended = bodies.read(About, one.body), ends.get(one.case.record)
        because = None if ended is None else bodies.read(Words, ended.body)
        found.append(
            Preserved(
                id=one.case.record,
                report_id=None if said is None else ReportId(said.report_id),
                reason="" if said is None else said.text,
                alias="" if one.person is None else one.person.alias,
                placed_at=one.case.time,
                until=one.case.until,
                state=cases.hold(lifted=ended is not None, until=one.case.until, now=clock.latest(now)),
                ended_because="" if because is None else because.text,
            )
        )
    return found[::-1]
