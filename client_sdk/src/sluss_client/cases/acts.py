"""The calls of a device about case records; `Device` has them all.

Nothing here touches the network: what is filed is durable when the call returns, and leaves with the next sync.
Source: docs/contract.md, "The SDK".

> INVARIANT: what is filed here is sealed to its addressees, and the person is told at once what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from sluss_client import filing, lists, views
from sluss_client.cases import assigning, bodies, consents, duties, preserving, releasing, requested, telling, vetting
from sluss_client.cases.consents import Consent, Given
from sluss_client.cases.duties import Task
from sluss_client.cases.preserving import Preserved
from sluss_client.cases.releasing import Note, Receiver, Shift, Wanted
from sluss_client.cases.telling import Request
from sluss_client.cases.vetting import Text
from sluss_client.errors import NotFound
from sluss_client.opened import Opened
from sluss_client.outbox import Row
from sluss_client.replica import Version
from sluss_client.report import Report
from sluss_schemas.ids import ReportId


class Cases(Opened):
    """An open device, as far as case records go."""

    # duties with a clock

    def tasks(self) -> list[Task]:
        """Return the tasks of the own agency that this device knows of, the one that is due first before the others."""
        now = self._transport.now()
        return duties.tasks(self._local, self._local.trust.pack(now), now)

    def task(self, report_id: ReportId | str, text: str, *, until: datetime, to: Collection[str] = ()) -> bytes:
        """Give colleagues of the own agency, by alias, something to do about a report; return the task's id.

        The own supervisors have it too.

        Raises:
            NotFound: no such report of the own agency here.
            Invalid: `missing_field`, `too_long`, `unknown_alias`, `out_of_range`.

        """
        when, now = int(until.timestamp()), self._transport.now()
        return assigning.assign(self._local, views.as_id(report_id), text, when, to, now)

    def end_task(self, task: bytes, how: str, text: str) -> None:
        """End a task: `no` with the assessment, `oral` with what was told, `done` with what was done.

        Raises:
            NotFound: no such open task here.
            Refused: `about_yourself` for an alarm about bulk opening that names this person.
            Invalid: `unknown_code`, `missing_field`, `too_long`.

        """
        duties.answer(self._local, task, how, text, self._transport.now())

    def told(self, report_id: ReportId | str, gateway: str, *, to: str, text: str, at: datetime | None = None) -> bytes:
        """Record that something of an own report was told by word of mouth, to whom, when and what.

        It answers a duty, also one that waits because nobody can receive it.

        Raises:
            NotFound: the report was not filed on this device.
            Invalid: `unknown_code`, `missing_field`, `too_long`, `future_time`.

        """
        now, row = self._transport.now(), self._row(report_id)
        when = now if at is None else int(at.timestamp())
        said = bodies.Told(row.report_id, to, when, text)
        with self._local.store.transaction():
            record = telling.told(self._local, row, gateway, said, now)
            reach = filing.receivable(self._local.trust, self._local.trust.pack(now), gateway, now)
            if gateway in row.due and lists.waits(row, gateway, receivable=reach):
                answers = tuple(sorted({**dict(row.duties), gateway: "oral"}.items()))
                left = tuple(code for code in row.unsent if code != gateway)
                self._local.outbox.save(msgspec.structs.replace(row, duties=answers, unsent=left))
        return record

    # requests

    def request(self, agency: str, text: str, *, code: str = "", report_id: ReportId | str | None = None) -> bytes:
        """Ask an agency's supervisors for something, with the ground that is referred to; return the record's id.

        A code of `pack.requests` asks for its fields, of those whom the pack names.

        Raises:
            Invalid: `unknown_agency`, `missing_field`, `too_long`; `unknown_code` for what this agency may not ask for.

        """
        about = None if report_id is None else views.as_id(report_id)
        return telling.request(self._local, agency, bodies.Asked(about, text), code, self._transport.now())

    def requests(self) -> list[Request]:
        """Return the requests that were made here or came for this person, newest first."""
        return telling.requests(self._local, self._transport.now())

    def answer_request(
        self,
        request: bytes,
        *,
        granted: bool,
        text: str,
        rule: str = "",
        tests: Mapping[str, bool] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Answer a request; what is granted is disclosed by itself, with `disclose`.

        A request of a kind of its own (`pack.requests`) is granted with the `tests` that were weighed and the `details`
        that are told; there `text` says why, and stays with the own supervisors.

        Raises:
            NotFound: no such request to this agency.
            Refused: `supervisor_only`.
            Invalid: `missing_field`, `too_long`; `unknown_field` and `wrong_type` for `tests` and `details`.

        """
        said, told = bodies.Answered(rule, text), requested.Answer(tests=tests or {}, details=details or {})
        telling.answer(self._local, request, said, self._transport.now(), granted=granted, told=told)

    # consents

    def consent(self, report_id: ReportId | str, given: Given) -> bytes:
        """Record a consent about an own report; return the record's id, which `disclose` takes.

        Raises:
            NotFound: the report was not filed on this device.
            Invalid: `not_allowed` for `given_by`, `unknown_agency`, `unknown_code`, `out_of_range`, `missing_field`.

        """
        return consents.give(self._local, self._row(report_id), given, self._transport.now())

    def limit_consent(self, consent: bytes, given: Given) -> None:
        """Record that a consent covers less from now on.

        Raises:
            NotFound: no such consent here.
            Invalid: as `consent`.

        """
        consents.limit(self._local, consent, given, self._transport.now())

    def withdraw_consent(self, consent: bytes, reason: str) -> None:
        """Record that a consent was taken back: whatever rests on it ends at once.

        Raises:
            NotFound: no such consent here.
            Invalid: `missing_field`, `too_long`.

        """
        consents.withdraw(self._local, consent, reason, self._transport.now())

    def consents(self) -> list[Consent]:
        """Return the consents of the own agency that this device knows of, newest first."""
        return consents.consents(self._local, self._transport.now())

    # feedback, notes, shifts

    def feedback(self, report_id: ReportId | str, code: str, tests: Mapping[str, bool]) -> None:
        """Tell the reporter of a concern what became of it: `opened`, `not_opened` or `ongoing`.

        Raises:
            NotFound: no report of another agency here that names its author.
            Refused: `not_allowed`.
            Invalid: `unknown_code`, `missing_field` for a precondition.

        """
        telling.feedback(self._local, views.as_id(report_id), code, tests, self._transport.now())

    def feedback_for(self, report_id: ReportId | str) -> list[str]:
        """Return the codes that came back about an own report of concern, the oldest first."""
        return telling.feedback_for(self._local, views.as_id(report_id))

    def note(self, report_id: ReportId | str, wanted: Wanted) -> bytes:
        """Release a statement in clear to readers without keys; return the record's id.

        Raises:
            NotFound: no such report of the own agency here.
            Refused: `supervisor_only`; `needs_approval` where others have to approve the very text first.
            Invalid: `missing_field`, `too_long`, `unknown_code`, `out_of_range`, `names_person`.

        """
        version, report, now = self._about(report_id)
        return releasing.note(self._local, version, wanted, report, now)

    def _about(self, report_id: ReportId | str) -> tuple[Version, Report | None, int]:
        """Return the latest version of a report of the own agency, and it as far as it is open here."""
        received, now = self._local.replica.get(self._local.trust.own_id, views.as_id(report_id)), self._transport.now()
        if received is None:
            raise NotFound("report_id")
        report = views.of_received(self._local, received, self._local.trust.pack(now), now)
        return received.heads()[0], report, now

    def note_receivers(self, report_id: ReportId | str) -> list[Receiver]:
        """Return to whom a note about a report may go, on which ground, and who has to approve it first."""
        version, _, now = self._about(report_id)
        return releasing.receivers(self._local, version, now)

    def ask_note(self, report_id: ReportId | str, wanted: Wanted) -> bytes:
        """Ask those for their approval without whom a note is not released; return the request's id.

        Raises:
            NotFound: no such report of the own agency here.
            Refused: `supervisor_only`; `needs_approval` where nobody in the partnership could give it.
            Invalid: as `note`; `unknown_field` for a note that needs no approval.

        """
        version, report, now = self._about(report_id)
        return releasing.ask(self._local, version, wanted, report, now)

    def texts(self) -> list[Text]:
        """Return the texts that wait for approval or had an answer, the own agency's and others', newest first."""
        return vetting.texts(self._local, self._transport.now())

    def answer_text(self, text: bytes, reason: str = "", *, approve: bool) -> None:
        """Approve another agency's text word by word, or refuse it; a refusal takes an earlier approval back.

        Raises:
            NotFound: no such text was put to this agency.
            Refused: `supervisor_only`.
            Invalid: `missing_field` for a refusal without a reason, `too_long`.

        """
        vetting.answer(self._local, text, reason, self._transport.now(), approve=approve)

    def withdraw_note(self, note: bytes) -> None:
        """Take a note back."""
        releasing.withdraw(self._local, note, self._transport.now())

    def notes(self) -> list[Note]:
        """Return the notes that were released on this device, newest first."""
        return releasing.notes(self._local, self._transport.now())

    def begin_shift(self, scene: str, hours: int = 8) -> bytes:
        """Say that this person is on shift at a scene for so many hours.

        Raises:
            Invalid: `unknown_scene`, `out_of_range`.

        """
        return releasing.begin_shift(self._local, scene, hours, self._transport.now())

    def shifts(self) -> list[Shift]:
        """Return this person's shifts that were begun on this device and are not over, the oldest first."""
        return releasing.shifts(self._local, self._transport.now())

    def end_shift(self, shift: bytes) -> None:
        """End a shift before its time: what came with it is gone from this device at once.

        Raises:
            NotFound: no such shift was begun on this device, or it is over.

        """
        releasing.end_shift(self._local, shift, self._transport.now())

    # legal holds

    def preserve(self, report_id: ReportId | str, reason: str, *, until: datetime | None = None) -> bytes:
        """Have a report of the own agency kept beyond its time, until somebody ends that; return the hold's id.

        Raises:
            NotFound: no such report of the own agency here.
            Refused: `supervisor_only`.
            Invalid: `missing_field`, `too_long`, `out_of_range`.

        """
        when = None if until is None else int(until.timestamp())
        return preserving.preserve(self._local, views.as_id(report_id), reason, when, self._transport.now())

    def end_preservation(self, hold: bytes, reason: str) -> None:
        """End a legal hold: a report whose time has run out is culled, unless another hold is on it.

        Raises:
            NotFound: no such hold stands, as far as this device knows.
            Refused: `supervisor_only`.
            Invalid: `missing_field`, `too_long`.

        """
        preserving.end(self._local, hold, reason, self._transport.now())

    def preserved(self) -> list[Preserved]:
        """Return the legal holds of the own agency that this device knows of, newest first."""
        return preserving.preserved(self._local, self._transport.now())

    def _row(self, report_id: ReportId | str) -> Row:
        row = self._local.outbox.head(views.as_id(report_id))
        if row is None:
            raise NotFound("report_id")
        return row
