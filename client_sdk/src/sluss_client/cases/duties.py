"""Duties with a clock: a task for whoever has to decide, and the word that it is done.

The author's device makes them, because only it knows what the report holds; the server sees a code and a time.
A duty that the author answers at filing makes no task; one that waits, or that others decide, does.
Refuses: to end a task by anything but an answer.
Source: docs/secrecy-rules.md ("How the pack meets the keys"), B6 step 5.

> INVARIANT: a task is made once for a version and a duty, and stays open until it is answered, also past its time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from sluss_client import clock
from sluss_client.cases import bodies, book
from sluss_client.disclosing.records import Decided, body_of
from sluss_client.errors import NotFound
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_schemas import cases
from sluss_schemas.codec import encode
from sluss_schemas.ids import COMPARTMENTS, ReportId, slot
from sluss_schemas.policy.model import Gateway, Pack
from sluss_schemas.records import CaseKind

_HOUR_S: Final = 3600
_OVERDUE: Final = "task_overdue"
_HOW: Final = {"send": "sent", "no": "no", "oral": "oral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something that is to be done until a time.

    Attributes:
        id: the record's id, 16 bytes.
        code: the duty or gateway that it is about.
        name: what that is called in English.
        digest: the version of the own agency that it is about.
        report_id: its report, where this device was told.
        by: the alias of whoever made it.
        since: when it was made, Unix seconds.
        until: when it is due.
        state: `open`, `overdue` or `done`.
        how: for a done one `sent`, `no`, `oral` or `done`.

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
                until = row.filed_at + (gateway.task_hours or 0) * _HOUR_S
                book.file(
                    local,
                    CaseKind.TASK,
                    now=row.filed_at,
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


def _done(local: Local, task: bytes, how: str, now: int, text: str = "") -> None:
    book.file(
        local,
        CaseKind.DONE,
        now=now,
        code=how,
        follows=task,
        to=book.own(local, "supervisors"),
        body=encode(bodies.Words(text)),
    )


def watch(local: Local, now: int) -> int:
    """Raise an alarm for every task that is overdue, and end it for those that were answered; return the new ones."""
    before, new = {digest for digest, code in local.alarms() if code == _OVERDUE}, 0
    for one in tasks(local, local.trust.pack(now), now):
        name = hashlib.sha256(_OVERDUE.encode() + one.id).digest()
        if one.state == "overdue" and name not in before:
            local.alarm(_OVERDUE, name)
            new += 1
        elif one.state != "overdue" and name in before:
            local.calm(name)
    return new


def answer(local: Local, task: bytes, how: str, text: str, now: int) -> None:
    """End a task with the reason; `how` is `no`, `oral` or `done`.

    Raises:
        NotFound: no such open task here.
        Invalid: `missing_field`, `too_long`.

    """
    if not any(one.id == task and one.state != "done" for one in tasks(local, local.trust.pack(now), now)):
        raise NotFound("task")
    _done(local, task, how, now, bodies.text(text, "text"))


def tasks(local: Local, pack: Pack, now: int) -> list[Task]:
    """Return the tasks of the own agency that this device knows of, the one that is due first before the others."""
    ended = {one.case.follows: one.case.code for one in book.everything(local, CaseKind.DONE)}
    found = []
    for one in book.everything(local, CaseKind.TASK):
        case, gateway = one.case, pack.gateways.get(one.case.code)
        if one.agency != local.trust.own_id or case.digest is None or case.until is None:
            continue
        about = bodies.read(bodies.About, one.body) or body_of(Decided, one.body)
        found.append(
            Task(
                id=case.record,
                code=case.code,
                name=case.code if gateway is None else gateway.en,
                digest=case.digest,
                report_id=None if about is None else ReportId(about.report_id),
                by="" if one.person is None else one.person.alias,
                since=case.time,
                until=case.until,
                state=cases.task(ended.get(case.record), case.until, clock.latest(now)),
                how=ended.get(case.record, ""),
            )
        )
    return sorted(found, key=lambda task: (task.state == "done", task.until, task.id))
