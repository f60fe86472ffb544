"""What an open device does for the person who writes: file, amend, ask who will read it, explain, protect a place.

`file`, `readers`, `check_text` and `explain` never touch the network; the rest return when they are durable.
Source: docs/contract.md, "The SDK".

> INVARIANT: what `file` returned is on disk, sealed, and stays there until the server has acknowledged it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date

import msgspec

from sluss_client import casework, correcting, explaining, holding, linking, protecting, quoting, saving, views
from sluss_client.answers import ReaderRow
from sluss_client.errors import Invalid, NotFound
from sluss_client.opened import Opened
from sluss_client.report import Report
from sluss_schemas import forms
from sluss_schemas.forms import namecheck
from sluss_schemas.ids import ReportId
from sluss_schemas.policy.explain import Told
from sluss_schemas.policy.readers import Language
from sluss_schemas.protected import PROTECTED, ProtectedPlace
from sluss_schemas.quoting import NOTHING, Quoted


class Filing(Opened):
    """An open device, as far as writing goes."""

    def file(
        self,
        form: forms.Form,
        duties: Mapping[str, str] | None = None,
        *,
        hold: holding.Hold | None = None,
        confirm_text: bool = False,
        source: str | None = None,
        quotes: Sequence[ReportId | str] = (),
        same_event: ReportId | str | None = None,
    ) -> Report:
        """Save a report, durable and encrypted, and return it; no network.

        A seizure files the note on the market that it makes, if the agency files such notes.

        Args:
            form: what the person filled in.
            duties: answers to the duties that the form puts: `{"L14": "send"}`, or `"no"` where it does not apply.
            hold: `embargo` or `review` keeps it in the own agency until somebody releases it; duties go out.
            confirm_text: that the free texts name nobody; without it a report whose text would leave the agency is held
                for review where `check_text` found something, or where the pack has the sector confirm every text.
            source: a key under which the same thing is never filed twice, for imports.
            quotes: reports that it repeats something of: nobody gets more of it by itself than of them, and what was
                opened for a time stays with its author's devices, until then.
            same_event: a report of the same event, which this person reads in full; nobody can tell who does not read
                both, and what is of one kind counts once in what others see.

        Raises:
            NotFound: a report that is quoted, or that of the same event, is not on this device.
            Invalid: what is wrong with the form, by code and field; `unknown_duty`.
            Refused: `waiting_for_approval`; `protected_place` for what is not noted at a protected place; `closed` for
                an event of which the other report is not open in full.
            StoreError: `disk_full`; what was saved before is safe.

        """
        if source is not None and (known := self._local.store.get(saving.SOURCE, source.encode())) is not None:
            return saving.known(self._local, ReportId(known[:16]), self._transport.now())
        version = saving.Version(ReportId(os.urandom(16)), 1)
        wish = saving.Wish(
            duties=duties or {}, hold=hold or "", confirm_text=confirm_text, source=source, quoted=self._quoted(quotes)
        )
        now = self._transport.now()
        wish = linking.filed(self._local, wish, form.KIND, same_event, fresh=os.urandom(16), now=now)
        return linking.among(self._local, saving.save(self._local, form, version, wish, now), now)

    async def amend(
        self,
        report_id: ReportId | str,
        *,
        duties: Mapping[str, str] | None = None,
        confirm_text: bool = False,
        correct: bool = False,
        source: str | None = None,
        same_event: ReportId | str | None = linking.KEPT,
        **changes: object,
    ) -> Report:
        """Save the next version of a report with some fields changed; returns when it is durable.

        A report that is held stays held; `confirm_text` ends a hold for review, and what two people have said of a
        protected place ends that one, on the devices of the own supervisors, who are told of it.
        What it quotes limits it as before; `same_event` names a report of its event as for `file`, or None for an event
        of its own.
        With `correct` what was told of other persons than the report is about now is recalled in the same step.

        Raises:
            NotFound: no such report here, or none of the same event.
            Refused: `closed` as `file`; `cannot_amend` unless every filled part is open and the report is the own
                agency's, and for a note that a seizure made, which follows the seizure.
            Invalid: as `file`; `unknown_field` for a field that the form does not have.

        """
        wanted = views.as_id(report_id)
        if source is not None and self._local.store.get(saving.SOURCE, source.encode()) is not None:
            return saving.known(self._local, wanted, self._transport.now())
        saving.refuse_made(self._local, wanted)
        form, kept = saving.form_of(self._local, wanted, self._transport.now())
        for name in changes:
            if name not in form.__struct_fields__:
                raise Invalid("unknown_field", name)
        changed = msgspec.structs.replace(form, **changes)
        if protecting.closed(self._local, wanted):
            kept = replace(kept, hold=PROTECTED)
        elif kept.hold == PROTECTED and protecting.opened_again(self._local, wanted):
            # Where the place is a protected one, saving holds it again.
            kept = replace(kept, hold="")
        version = saving.next_version(self._local, wanted)
        wish = replace(kept, duties=duties or {}, confirm_text=confirm_text, source=source)
        now = self._transport.now()
        wish = linking.amended(self._local, wish, version, form.KIND, same_event, fresh=os.urandom(16), now=now)
        with self._local.store.transaction():
            report = saving.save(self._local, changed, version, wish, self._transport.now())
            if correct:
                correcting.recall(self._local, wanted, correcting.REASON, self._transport.now())
        return linking.among(self._local, report, now)

    def outdated(self, report_id: ReportId | str) -> list[correcting.Outdated]:
        """Return what was told from here of other persons than the report is about by now; `amend` can recall it."""
        return correcting.outdated(self._local, report_id)

    def made_note(self, report_id: ReportId | str) -> ReportId | None:
        """Return the note on the market that a report made by itself, on the device that filed it; else nothing."""
        row = self._local.outbox.head(views.as_id(report_id))
        return ReportId(row.note) if row is not None and row.note else None

    def check_text(self, form: forms.Form) -> list[namecheck.Finding]:
        """Return what looks like a person in the free texts that would leave the agency by themselves; no network."""
        return saving.check_text(self._local, form, self._transport.now())

    def recommended(self, form: forms.Form) -> list[str]:
        """Return the duties that the author may answer although the law of the day of the event did not ask it."""
        return saving.recommended(self._local, form, self._transport.now())

    async def answer(self, report_id: ReportId | str, duties: Mapping[str, str]) -> None:
        """Answer duties that wait in `duties()`; durable when it returns, sent at the next sync.

        Raises:
            NotFound: the report was not filed on this device.
            Invalid: `unknown_duty`.

        """
        row = self._local.outbox.head(views.as_id(report_id))
        if row is None:
            raise NotFound("report_id")
        casework.answer(self._local, row, duties)

    def readers(
        self,
        what: forms.Form | Report,
        duties: Mapping[str, str] | None = None,
        *,
        hold: holding.Hold | None = None,
        confirm_text: bool = False,
        quotes: Sequence[ReportId | str] = (),
    ) -> list[ReaderRow]:
        """Return who will read a form, or who was to read a report: the own agency first; no network.

        `hold`, `confirm_text` and, for a form, `quotes` are as for `file`; what is held has the own agency's readers
        and those of duties.

        Raises:
            NotFound: the report, or one that is quoted, is not on this device.
            Refused: `cannot_amend` for another agency's report, whose readers are not this agency's to know.

        """
        form, kept = what, saving.Wish(hold=hold or "", quoted=self._quoted(quotes))
        if isinstance(what, Report):
            row = self._local.outbox.head(what.id)
            duties = dict(row.duties) if row is not None and duties is None else duties
            form, kept = saving.form_of(self._local, what.id, self._transport.now())
            confirm_text = not kept.hold
        wish = replace(kept, duties=duties or {}, confirm_text=confirm_text)
        return saving.readers_of(self._local, form, wish, self._transport.now())  # type: ignore[arg-type]  # a form by now

    def _quoted(self, quotes: Sequence[ReportId | str]) -> Quoted:
        now = self._transport.now()
        return quoting.quoted(self._local, quotes, self._local.trust.pack(now), now) if quotes else NOTHING

    def explain(
        self,
        report_id: ReportId | str,
        part: str,
        *,
        person: str | bytes | None = None,
        agency: str | None = None,
        at: date | None = None,
        lang: Language = "en",
    ) -> Told:
        """Return why this person, `person`, or an agency's field reads a part of a report or does not; no network.

        The law and the decisions are those of the day, or of the moment, `at`; of now without one. What this device
        does not know, the answer says.

        Raises:
            NotFound: the report is not on this device, or there is no such agency.
            Invalid: `unknown_field` for a part that does not exist, `unknown_person`.

        """
        wanted, now = views.as_id(report_id), self._transport.now()
        return explaining.explain(self._local, wanted, part, person=person, agency=agency, at=at, lang=lang, now=now)

    # protected places

    def protect(
        self,
        name: str,
        polygon: Sequence[tuple[int, int]],
        buffer_m: int = 0,
        until: int | None = None,
        *,
        not_before: int | None = None,
        known_as: Sequence[str] = (),
    ) -> bytes:
        """Put a protected place on health's list, or in the stead of one of its name; sent at the next sync.

        Args:
            name: what health calls it.
            polygon: latitude and longitude of its corners in microdegrees.
            buffer_m: metres around it that belong to it.
            until: when it ends, in Unix seconds; one that has passed takes the place off the list.
            not_before: when it begins.
            known_as: names by which people write that they are there.

        Raises:
            Refused: `not_allowed` in an agency that protects no places; `supervisor_only`.
            Invalid: what is wrong with the place.

        """
        corners = tuple((lat, lon) for lat, lon in polygon)
        place = ProtectedPlace(name, corners, buffer_m, not_before, until, tuple(known_as))
        return protecting.protect(self._local, place, self._transport.now())

    def list_public_places(self, scenes: Mapping[str, Sequence[str]]) -> bytes:
        """Give the police and guards the public places that they may name at scenes; sent at the next sync.

        Raises:
            Refused: `not_allowed` in an agency that may give no such list; `supervisor_only`.
            Invalid: `unknown_scene`; `malformed`.

        """
        return protecting.list_public(self._local, scenes, self._transport.now())

    def lies_protected(self, report_id: ReportId | str) -> bytes:
        """Say that a report of the own agency lies in a protected place: others lose it; sent at the next sync.

        For those whose devices have no list of such places: what is amended afterwards stays in the agency as well.

        Raises:
            NotFound: no such report of the own agency here, or none that the server has.

        """
        return protecting.say(self._local, views.as_id(report_id), self._transport.now())

    def unprotect(self, report_id: ReportId | str) -> bytes:
        """Say that a report lies in no protected place after all; a supervisor of health has to confirm it.

        Raises:
            Refused: `supervisor_only`.
            NotFound: nobody said that its place is protected.

        """
        return protecting.unprotect(self._local, views.as_id(report_id), self._transport.now())

    def to_confirm(self) -> list[bytes]:
        """Return the records by which others say that a report lies in no protected place, oldest first."""
        return [one.case.record for one in protecting.to_confirm(self._local)]

    def confirm_unprotected(self, record: bytes) -> bytes:
        """Confirm, as a supervisor of health, that a report lies in no protected place.

        Raises:
            Refused: `not_allowed` in an agency that protects no places; `supervisor_only`.
            NotFound: nothing of this id waits for a confirmation.

        """
        return protecting.confirm(self._local, record, self._transport.now())

    def batch(self) -> AbstractContextManager[None]:
        """Make several `file` calls one durable step, for imports."""
        return self._local.store.transaction()
