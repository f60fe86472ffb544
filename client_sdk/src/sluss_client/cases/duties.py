"""Duties with a clock: a task for whoever has to decide, and the word that it is done.

The author's device makes them, because only it knows what the report holds; the server sees a code and a time.
Some are given by a colleague (`assigning`), and rest on no duty.
Some the server opens itself: an alarm about bulk opening, which a supervisor ends who is not the one that it names, and
the regular look at the ledger, which any of them ends.
A duty that the author answers at filing makes no task; one that waits, or that others decide, does.
Refuses: to end a task by anything but an answer.
Source: docs/secrecy-rules.md ("How the pack meets the keys"), B6 step 5.

> INVARIANT: a task is made once for a version and a duty, and stays open until it is answered, also past its time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sluss_client import clock, filing
from sluss_client.cases import assigning, bodies, book, raised
from sluss_client.disclosing.records import Decided, body_of
from sluss_client.errors import NotFound
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_schemas import cases
from sluss_schemas.codec import encode
from sluss_schemas.ids import COMPARTMENTS, PersonId, ReportId, slot
from sluss_schemas.policy.model import Gateway, Pack
from sluss_schemas.records import CaseKind

_HOUR_S: Final = 3600
_OVERDUE: Final = "task_overdue"
_UNREACHABLE: Final = "duty_unreachable"
_ALARMS: Final = {
    "bulk_open": "{person} opened {count} held rows within an hour",
    "bulk_read": "{person} read {count} reports within an hour",
    "log_review": "Look through who opened and read what since {day} ({count} times): `sluss-device log`",
}
_HOW: Final = {"send": "sent", "no": "no", "oral": "oral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something that is to be done until a time.

    Attributes:
        id: the record's id, 16 bytes.
        code: the duty or gateway that it is about; empty for what a colleague gave.
        name: what that is called in English; of what a colleague gave what is to be done.
        digest: the version of the own agency that it is about; empty for what the server opened.
        report_id: its report, where this device was told.
        by: the alias of whoever made it; empty for what the server opened.
        since: when it was made, Unix seconds.
        until: when it is due.
        state: `open`, `overdue` or `done`.
        how: for a done one `sent`, `no`, `oral` or `done`.
        person: for an alarm about bulk opening the alias of the person whom it names, and
        hour: when the hour began, or for a look at the ledger the time to look through, Unix seconds, and
        count: how many were opened within it.

    """

    id: bytes
    code: str
    name: str
    digest: bytes
    report_id: ReportId | None
    by: str
    since: int
    until: int
    state: cases.TaskState
    how: str
    person: str = ""
    hour: int = 0
    count: int = 0


def settle(local: Local, now: int, released: Iterable[tuple[bytes, str]] = ()) -> None:
    """File the tasks of duties that wait, and the word that a duty was answered.

    `released` are versions with the codes of what was disclosed of them by decision on this device.
    """
    pack, to = local.trust.pack(now), book.own(local, "supervisors")
    if not to:
        return
    made = {(one.digest, one.code): one for one in tasks(local, pack, now)}
    told = set(released)
    for row in local.outbox.rows():
        if row.state is not State.SENT or row.digest is None:
            continue
        for code, gateway in _tracked(row, local, pack):
            task, said = made.get((row.digest, code)), dict(row.duties).get(code)
            sent = said is not None and code not in row.unsent
            if task is None and not sent:
                body = encode(bodies.About(row.report_id, ""))
                # A clock that was ahead gives nobody more time, and the server takes no record of a time to come.
                began = min(row.filed_at, now)
                until = began + (gateway.task_hours or 0) * _HOUR_S
                book.file(
                    local,
                    CaseKind.TASK,
                    now=began,
                    code=code,
                    digest=row.digest,
                    until=until,
                    to=to,
                    body=body,
                )
            elif task is not None and task.state != "done" and sent:
                _done(local, task.id, _HOW[str(said)], now)
    for task in made.values():
        if task.state != "done" and (task.digest, task.code) in told:
            _done(local, task.id, "sent", now)


def _tracked(row: Row, local: Local, pack: Pack) -> Iterator[tuple[str, Gateway]]:
    """Yield the duties of a row that have a clock: those put to its author, and those that others decide."""
    owner, filled = local.trust.own.sector, {number for number, _ in row.section_keys}
    parts = [part for part in COMPARTMENTS if slot(part) in filled]
    others = {chain.sector for chain in local.trust.chains.values() if chain.agency != local.trust.own_id}
    cells = [cell for part in parts for one in others if (cell := pack.cells.get((row.kind, owner, part, one)))]
    for code, gateway in pack.gateways.items():
        if gateway.task_hours is None or not gateway.duty:
            continue
        if code in row.due or (not gateway.at_filing and any(code in cell.duties for cell in cells)):
            yield code, gateway


def _done(  # noqa: PLR0917  # its callers give them in order
    local: Local, task: bytes, how: str, now: int, text: str = "", to: Sequence[book.Addressee] = ()
) -> None:
    book.file(
        local,
        CaseKind.DONE,
        now=now,
        code=how,
        follows=task,
        to=to or book.own(local, "supervisors"),
        body=encode(bodies.Words(text)),
    )


def watch(local: Local, now: int) -> int:
    """Raise an alarm for what was not told: each task that is overdue, each duty that nobody can receive.

    It ends with the answer, and with the receiver; return how many are new.
    """
    pack, before, new = local.trust.pack(now), {digest for digest, _ in local.alarms()}, 0
    known = tasks(local, pack, now)
    nobody = _nobody(local, {one.code for one in known}, pack, now)
    for one in known:
        waits = one.state != "done" and one.code in nobody
        for code, due in ((_OVERDUE, one.state == "overdue"), (_UNREACHABLE, waits)):
            name = hashlib.sha256(code.encode() + one.id).digest()
            if due and name not in before:
                local.alarm(code, name)
                new += 1
            elif not due and name in before:
                local.calm(name)
    return new


def _nobody(local: Local, codes: set[str], pack: Pack, now: int) -> set[str]:
    """Return the duties of an author that nobody can receive now."""
    owed = {code for code in codes & pack.gateways.keys() if pack.gateways[code].duty and pack.gateways[code].at_filing}
    return {code for code in owed if not filing.receivable(local.trust, pack, code, now)}


def answer(local: Local, task: bytes, how: str, text: str, now: int) -> None:
    """End a task with the reason; `how` is `no`, `oral` or `done`.

    Raises:
        NotFound: no such open task here.
        Refused: `about_yourself` for an alarm that names this person.
        Invalid: `missing_field`, `too_long`; `unknown_code` for an alarm that is ended by anything but `done`.

    """
    raised.may_end(local, task, how)
    if not any(one.id == task and one.state != "done" for one in tasks(local, local.trust.pack(now), now)):
        raise NotFound("task")
    _done(local, task, how, now, bodies.text(text, "text"), assigning.team(local, task))


def tasks(local: Local, pack: Pack, now: int) -> list[Task]:
    """Return the tasks of the own agency that this device knows of, the one that is due first before the others."""
    ended = {one.case.follows: one.case.code for one in book.everything(local, CaseKind.DONE)}
    found = []
    for one in book.everything(local, CaseKind.TASK):
        case, gateway = one.case, pack.gateways.get(one.case.code)
        if one.agency != local.trust.own_id or case.digest is None or case.until is None:
            continue
        said = bodies.read(bodies.About, one.body)
        about = said or body_of(Decided, one.body)
        given = said.text if said is not None and assigning.is_assigned(case) else case.code
        found.append(
            Task(
                id=case.record,
                code=case.code,
                name=given if gateway is None else gateway.en,
                digest=case.digest,
                report_id=None if about is None else ReportId(about.report_id),
                by="" if one.person is None else one.person.alias,
                since=case.time,
                until=case.until,
                state=cases.task(ended.get(case.record), case.until, clock.latest(now)),
                how=ended.get(case.record, ""),
            )
        )
    found += _raised(local, now)
    return sorted(found, key=lambda task: (task.state == "done", task.until, task.id))


def _raised(local: Local, now: int) -> Iterator[Task]:
    """Yield what the server opened; an end by the person whom an alarm names is none."""
    ends = [(one.case.follows, one.person) for one in book.everything(local, CaseKind.DONE)]
    for one in raised.everything(local):
        who = local.trust.own.persons.get(PersonId(one.person))
        alias = "" if who is None else who.alias
        others = {name for name, by in ends if by is not None and by.person != one.person}
        how = "done" if one.record in others else None
        yield Task(
            id=one.record,
            code=one.code,
            name=_ALARMS.get(one.code, "{person}: {count}").format(
                person=alias,
                count=one.count,
                day=datetime.fromtimestamp(one.since, UTC).date(),
            ),
            digest=b"",
            report_id=None,
            by="",
            since=one.time,
            until=one.until,
            state=cases.task(how, one.until, clock.latest(now)),
            how=how or "",
            person=alias,
            hour=one.since,
            count=one.count,
        )
