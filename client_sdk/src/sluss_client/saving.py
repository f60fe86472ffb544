"""Saving a report: checked, with the readers that its author was shown and the duties that they answered.

Nobody is needed for it and no network: the row is committed to the outbox before the call returns.
Source: docs/protocol.md section 3, "Filing".

> INVARIANT: what is refused changes nothing; what is saved is durable and sealed at rest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from sluss_client import clock, copies, filing, holding, obliged, places, quoting, views
from sluss_client.answers import ReaderRow
from sluss_client.casework import ANSWERS
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_client.outbox import Row, Shown, State
from sluss_client.report import Report
from sluss_client.trust import local_day
from sluss_schemas import forms
from sluss_schemas.forms import market, namecheck
from sluss_schemas.ids import COMPARTMENTS, ReportId, slot
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import AgencyView, asked, readers
from sluss_schemas.quoting import NOTHING, Quoted

_HOUR_S: Final = 3600
SOURCE: Final = "source"
"""The store's space of keys under which an import files nothing twice."""


@dataclass(frozen=True, slots=True)
class Version:
    """Which version is saved, and what it follows: parents by digest, or the row before it, which has none yet."""

    report_id: ReportId
    number: int
    parents: tuple[bytes, ...] = ()
    after: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the author says besides the form.

    Attributes:
        duties: answers to the duties that the form puts.
        hold: why the report is to stay in the own agency, or nothing; an amendment keeps that of the version before.
        place_stays: whether the version before told its scene without its place, which an amendment keeps too.
        confirm_text: that the free texts name nobody.
        source: a key under which the same thing is never filed twice.
        quoted: what it quotes, which an amendment keeps.
        event: the mark of what happened, which an amendment keeps.
        counts: whether that counts by this report, where the server is told.

    """

    duties: Mapping[str, str] = field(default_factory=dict)
    hold: str = ""
    place_stays: bool = False
    confirm_text: bool = False
    source: str | None = None
    quoted: Quoted = NOTHING
    event: bytes = b""
    counts: bool | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a form when it is filed now: who gets it by itself, and what keeps it back."""

    shown: Mapping[str, int]
    filled: int
    hold: str
    place_stays: bool
    quoted: Quoted = NOTHING


def plan(local: Local, form: forms.Form, pack: Pack, wish: Wish, now: int) -> Plan:
    """Return who gets a form by itself, after what holds it back.

    Raises:
        Refused: `protected_place`.

    """
    place = places.at_filing(local, form, pack, now)
    stays = place.stays or wish.place_stays
    agreed = local.trust.reduced(form.KIND, form.scene, now)
    filled = filing.filled_slots(form, local.trust.own.sector, pack, place_stays=place.stays, agreed=agreed)
    shown = filing.shown_readers(local.trust, pack, form, filled, now)
    shown = quoting.narrowed(local, wish.quoted, shown, pack, now)
    asked = place.hold or wish.hold
    hold = holding.hold_of(local, form, pack, shown, asked=asked, confirmed=wish.confirm_text)
    shown = quoting.only_author(wish.quoted, holding.only_own(local, shown) if hold else shown, filled)
    return Plan(shown, filled, hold, stays, wish.quoted)


def save(local: Local, form: forms.Form, version: Version, wish: Wish, now: int) -> Report:
    """Check a form and commit it to the outbox, with the note on the market that it makes by itself.

    Raises:
        Invalid: what is wrong, by code and field.
        Refused: `waiting_for_approval`, `protected_place`.
        StoreError: `disk_full`.

    """
    pack = local.trust.pack(now)
    _check(local, form, pack, now)
    planned = plan(local, form, pack, wish, now)
    offered, due = _duties(local, form, planned, pack, now)
    for code, answer in wish.duties.items():
        if code not in offered or answer not in ANSWERS:
            raise Invalid("unknown_duty", f"duties.{code}")
    row = _row(local, form, version, planned, now)
    row = msgspec.structs.replace(
        row, duties=tuple(sorted(wish.duties.items())), due=tuple(due), event=wish.event, counts=wish.counts
    )
    with local.store.transaction():
        row = msgspec.structs.replace(row, note=_note(local, form, row, pack, now))
        local.outbox.save(row)
        local.outbox.forget_after(row)
        if wish.source is not None:
            local.store.put(SOURCE, wish.source.encode(), version.report_id)
    return views.of_row(local, row, form, pack, now)


def _check(local: Local, form: forms.Form, pack: Pack, now: int) -> None:
    scenes = local.trust.scene_numbers(now)
    forms.check(form, owner=local.trust.own.sector, now=views.moment(now, pack), scenes=set(scenes), pack=pack)
    if form.scene is not None and not local.person.at_scene(scenes[form.scene]):
        raise Invalid("unknown_scene", "scene", "You are not assigned to this scene; choose one of yours.")


def _row(local: Local, form: forms.Form, version: Version, planned: Plan, now: int) -> Row:
    return Row(
        report_id=version.report_id,
        version=version.number,
        number=local.outbox.next_number(),
        kind=form.KIND,
        values=msgspec.msgpack.encode(forms.to_values(form)),
        filed_at=now,
        shown=tuple(Shown(label, bits) for label, bits in sorted(planned.shown.items())),
        parents=version.parents,
        after=version.after,
        hold=planned.hold,
        place_stays=planned.place_stays,
        quoted=planned.quoted,
    )


# the note on the market


def _note(local: Local, form: forms.Form, row: Row, pack: Pack, now: int) -> bytes:
    """File the note that a report makes by itself, or the next version of it, and return its id; nothing without one.

    Only the device that filed the first version knows its note; an embargo, a protected place and a quote that ends
    keep the note back.
    What would be over by now makes none.
    """
    before = local.outbox.get(row.report_id, row.version - 1)
    made = before.note if before is not None else b""
    note = market.note_of(form, pack, local.trust.own.sector)
    if row.hold in {"embargo", "protected"} or row.quoted.until is not None or (row.version > 1 and before is None):
        return made
    if note is None:
        return _emptied(local, made, row, now) if made else b""
    if not made and note.observed_at.timestamp() + (note.valid_hours or 0) * _HOUR_S < now:
        return b""
    return _file_note(local, note, ReportId(made or os.urandom(16)), row, now)


def _emptied(local: Local, made: bytes, row: Row, now: int) -> bytes:
    """Take back what a note said, when its report no longer says it."""
    last = local.outbox.head(made)
    if last is None:
        return made
    form = forms.make(last.kind, msgspec.msgpack.decode(last.values))
    said = msgspec.structs.replace(form, substances=[], direction=None, caution=None)
    return _file_note(local, said, ReportId(made), row, now)


def _file_note(local: Local, note: forms.Form, note_id: ReportId, row: Row, now: int) -> bytes:
    last = local.outbox.head(note_id)
    values = msgspec.msgpack.encode(forms.to_values(note))
    if last is not None and last.values == values:
        return note_id
    version = Version(note_id, 1) if last is None else next_version(local, note_id)
    planned = plan(local, note, local.trust.pack(now), Wish(quoted=row.quoted), now)
    # A mark of its own: with its report's it would tell which one made it.
    event = os.urandom(16) if last is None else last.event
    made = _row(local, note, version, planned, now)
    local.outbox.save(msgspec.structs.replace(made, made_from=row.report_id, event=event))
    local.outbox.forget_after(made)
    return note_id


# later versions


def next_version(local: Local, report_id: ReportId) -> Version:
    """Return what the next version of a report follows: the latest head that is known here, and another if any.

    A version names two parents at most; what it does not name stays a head, and so does the fork for all to see.
    What the server refused is written anew in the same place, since nobody has it to follow.
    """
    refused = local.outbox.first_refused(report_id)
    if refused is not None:
        return Version(report_id, refused.version, refused.parents, refused.after)
    row, received = local.outbox.head(report_id), local.replica.get(local.trust.own_id, report_id)
    heads = () if received is None else received.heads()
    top = max([row.version if row else 0, *(head.version for head in heads)])
    if row is not None and row.version == top and row.state in {State.FILED, State.SEALED}:
        # Even a sealed row has no lasting name before it is answered: a stale one is sealed again.
        return Version(report_id, top + 1, after=True)
    digests = [row.digest] if row is not None and row.version == top and row.digest is not None else []
    # What was sent from here may not have come back yet, and then its parents look like heads.
    mine = (local.outbox.get(report_id, number) for number in range(1, top + 1))
    followed = {parent for one in mine if one is not None for parent in one.parents}
    digests += [head.digest for head in heads if head.digest not in followed and head.digest not in digests]
    return Version(report_id, top + 1, tuple(sorted(digests[:2])))


def known(local: Local, report_id: ReportId, now: int) -> Report:
    """Return a report that was filed before; `NotFound` where it is not here any more."""
    found = views.one_report(local, report_id, local.trust.pack(now), now)
    if found is None:
        raise NotFound("report_id")
    return found


def refuse_made(local: Local, report_id: ReportId) -> None:
    """Refuse, as `cannot_amend`, to write a note by hand that a report made by itself."""
    row = local.outbox.head(report_id)
    if row is not None and row.made_from:
        raise Refused("report", "This note follows the report that made it; amend that one.", code="cannot_amend")


def form_of(local: Local, report_id: ReportId, now: int) -> tuple[forms.Form, Wish]:
    """Return the form of the latest version, for which every filled part must be open, and what its next one keeps.

    Raises:
        NotFound: no such report on this device.
        Refused: `cannot_amend`.

    """
    pack = local.trust.pack(now)
    row, received = local.outbox.head(report_id), local.replica.get(local.trust.own_id, report_id)
    # The branch that the person is shown is the one that they change.
    head = received.heads()[0] if received is not None else None
    if row is not None and (head is None or row.version > head.version or row.digest == head.digest):
        return forms.make(row.kind, msgspec.msgpack.decode(row.values)), Wish(
            hold=row.hold,
            place_stays=row.place_stays,
            quoted=_still(row.quoted, now),
            event=row.event,
            counts=row.counts,
        )
    report = views.one_report(local, report_id, pack, now)
    if report is None:
        raise NotFound("report_id")
    if report.agency != local.trust.own.slug or not report.limits_known:
        raise Refused("report", code="cannot_amend")
    extra = report.author_extra()
    form = forms.rebuild(report.kind_number, report.full_arrays(), pack, extra)
    quoted = _still(report.quoted, now)
    if not quoting.whole(local, quoted, report.kind_number, pack):
        # What the quotes keep from this device would be lost in a version that is written on it.
        raise Refused("report", code="cannot_amend")
    hold, stays = forms.hold_in(extra), forms.place_stayed(extra)
    kept = Wish(hold=hold, place_stays=stays, quoted=quoted, event=report.event)
    author = report.author
    staff = getattr(form, "case_staff", None)
    if staff is None or author is None or author.person in {None, local.person.person, *staff}:
        return form, kept
    # Whoever wrote the version before keeps reading the report, although somebody else amends it.
    return msgspec.structs.replace(form, case_staff=[*staff, author.person]), kept


def _still(quoted: Quoted, now: int) -> Quoted:
    """Return what a report quotes, unless the time is over for which it was opened."""
    if quoted.over(clock.latest(now)):
        raise Refused("report", copies.OVER, code="lease_ended")
    return quoted


def readers_of(local: Local, form: forms.Form, wish: Wish, now: int) -> list[ReaderRow]:
    """Return who will read a form, as the pack of now says: the own agency first.

    Raises:
        Refused: `protected_place`.

    """
    pack, own = local.trust.pack(now), local.trust.own
    planned = plan(local, form, pack, wish, now)
    rows = readers(
        pack,
        form.KIND,
        own.sector,
        _agency_views(local, now),
        own=own.slug,
        duties_sent=[code for code, answer in wish.duties.items() if answer == "send"],
        filled=[code for code in COMPARTMENTS if planned.filled >> slot(code) & 1],
        embargo=bool(planned.hold),
        agreed=local.trust.agreed(now, form.scene),
        within=_within(planned, own.slug) if planned.quoted.quotes else None,
    )
    return [
        ReaderRow(row.audience, row.compartment, row.form, row.rule_id, row.reason, "; ".join(row.law)) for row in rows
    ]


def _within(planned: Plan, own: str) -> dict[str, int]:
    """Return what a plan gives each audience, by the names that `readers` has for them."""
    return {f"{own}/case_staff" if label == holding.NAMED else label: bits for label, bits in planned.shown.items()}


def check_text(local: Local, form: forms.Form, now: int) -> list[namecheck.Finding]:
    """Return what looks like a person in the free texts of a form that would leave the agency by themselves.

    Raises:
        Invalid: what is wrong with the form, as `save`.

    """
    pack = local.trust.pack(now)
    _check(local, form, pack, now)
    filled = filing.filled_slots(form, local.trust.own.sector, pack)
    return list(holding.findings(local, form, filing.shown_readers(local.trust, pack, form, filled, now)))


def recommended(local: Local, form: forms.Form, now: int) -> list[str]:
    """Return the duties that the author may answer although none was due when it happened.

    The law of the day of the event decides what was a duty; whoever tells more than that does it by choice.

    Raises:
        Invalid: what is wrong with the form, as `save`.

    """
    pack = local.trust.pack(now)
    _check(local, form, pack, now)
    offered, due = _duties(local, form, plan(local, form, pack, Wish(), now), pack, now)
    return [code for code in offered if code not in due]


def _duties(local: Local, form: forms.Form, planned: Plan, pack: Pack, now: int) -> tuple[list[str], list[str]]:
    """Return the duties that the author may answer, and those among them that are due.

    A duty about parts that this report leaves empty has nothing to tell; one by law is due also where nobody can be
    reached.
    Of what is at a protected place only a duty about a child is told.
    """
    own, trust, happened = local.trust.own, local.trust, int(form.observed_at.timestamp())
    then = trust.pack_of_event(happened, now)
    put = asked(
        pack,
        form.KIND,
        own.sector,
        _agency_views(local, now),
        event_pack=then,
        at=local_day(happened, then.zone),
        own=own.slug,
    )
    offered = [
        code
        for code in put.offered
        if (planned.hold != "protected" or pack.gateways[code].about_child)
        and any(
            obliged.tells(local, form, code, to, planned.filled, pack)
            for to in obliged.concerned(local, pack, code, now)
        )
    ]
    return offered, [code for code in offered if code in put.due]


def _agency_views(local: Local, now: int) -> list[AgencyView]:
    return [
        (chain.slug, chain.sector, tuple(one.function for one in chain.audiences.values() if one.recipient is not None))
        for chain in local.trust.agencies(now)
    ]
