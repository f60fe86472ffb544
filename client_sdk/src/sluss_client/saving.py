"""Saving a report: checked, with the readers that its author was shown and the duties that they answered.

Nobody is needed for it and no network: the row is committed to the outbox before the call returns.
Source: docs/protocol.md section 3, "Filing".

> INVARIANT: what is refused changes nothing; what is saved is durable and sealed at rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client import filing, views
from sluss_client.answers import ReaderRow
from sluss_client.casework import ANSWERS
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_client.outbox import Row, Shown, State
from sluss_client.report import Report
from sluss_client.trust import Reachable, local_day
from sluss_schemas import forms
from sluss_schemas.ids import COMPARTMENTS, ReportId, slot
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import AgencyView, duties_due, readers

SOURCE: Final = "source"
"""The store's space of keys under which an import files nothing twice."""


@dataclass(frozen=True, slots=True)
class Version:
    """Which version is saved, and what it follows: parents by digest, or the row before it, which has none yet."""

    report_id: ReportId
    number: int
    parents: tuple[bytes, ...] = ()
    after: bool = False


def save(
    local: Local, form: forms.Form, version: Version, duties: Mapping[str, str], *, source: str | None, now: int
) -> Report:
    """Check a form and commit it to the outbox.

    Raises:
        Invalid: what is wrong, by code and field.
        Refused: `waiting_for_approval`.
        StoreError: `disk_full`.

    """
    person, pack, owner = local.person, local.trust.pack(now), local.trust.own.sector
    scenes = local.trust.scene_numbers(now)
    forms.check(form, owner=owner, now=views.moment(now, pack), scenes=set(scenes), pack=pack)
    if form.scene is not None and not person.at_scene(scenes[form.scene]):
        raise Invalid("unknown_scene", "scene", "You are not assigned to this scene; choose one of yours.")
    filled = filing.filled_slots(form, owner, pack)
    offered, due = _duties(local, form, filled, pack, now)
    for code, answer in duties.items():
        if code not in offered or answer not in ANSWERS:
            raise Invalid("unknown_duty", f"duties.{code}")
    shown = filing.shown_readers(local.trust, pack, form, filled, now)
    row = Row(
        report_id=version.report_id,
        version=version.number,
        number=local.outbox.next_number(),
        kind=form.KIND,
        values=msgspec.msgpack.encode(forms.to_values(form)),
        filed_at=now,
        shown=tuple(Shown(label, bits) for label, bits in sorted(shown.items())),
        duties=tuple(sorted(duties.items())),
        due=tuple(due),
        parents=version.parents,
        after=version.after,
    )
    with local.store.transaction():
        local.outbox.save(row)
        local.outbox.forget_after(row)
        if source is not None:
            local.store.put(SOURCE, source.encode(), version.report_id)
    return views.of_row(local, row, form, pack)


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


def form_of(local: Local, report_id: ReportId, now: int) -> forms.Form:
    """Return the form of the latest version, for which every filled part of it must be open.

    Raises:
        NotFound: no such report on this device.
        Refused: `cannot_amend`.

    """
    pack = local.trust.pack(now)
    row, received = local.outbox.head(report_id), local.replica.get(local.trust.own_id, report_id)
    # The branch that the person is shown is the one that they change.
    head = received.heads()[0] if received is not None else None
    if row is not None and (head is None or row.version > head.version or row.digest == head.digest):
        return forms.make(row.kind, msgspec.msgpack.decode(row.values))
    report = views.one_report(local, report_id, pack, now)
    if report is None:
        raise NotFound("report_id")
    if report.agency != local.trust.own.slug or report.form_of("AUT") != "full":
        raise Refused("report", code="cannot_amend")
    form = forms.rebuild(report.kind_number, report.full_arrays(), pack, report.author_extra())
    author = report.author
    staff = getattr(form, "case_staff", None)
    if staff is None or author is None or author.person in {None, local.person.person, *staff}:
        return form
    # Whoever wrote the version before keeps reading the report, although somebody else amends it.
    return msgspec.structs.replace(form, case_staff=[*staff, author.person])


def readers_of(local: Local, form: forms.Form, duties: Mapping[str, str], now: int) -> list[ReaderRow]:
    """Return who will read a form, as the pack of now says: the own agency first."""
    pack, own = local.trust.pack(now), local.trust.own
    filled = filing.filled_slots(form, own.sector, pack)
    rows = readers(
        pack,
        form.KIND,
        own.sector,
        _agency_views(local, now),
        own=own.slug,
        duties_sent=[code for code, answer in duties.items() if answer == "send"],
        filled=[code for code in COMPARTMENTS if filled >> slot(code) & 1],
    )
    return [
        ReaderRow(row.audience, row.compartment, row.form, row.rule_id, row.reason, "; ".join(row.law)) for row in rows
    ]


def _duties(local: Local, form: forms.Form, filled: int, pack: Pack, now: int) -> tuple[list[str], list[str]]:
    """Return the duties that the author may answer, and those among them that are due.

    A duty about parts that this report leaves empty has nothing to tell.
    """
    own, trust = local.trust.own, local.trust
    agencies, day = _agency_views(local, now), local_day(int(form.observed_at.timestamp()), pack.zone)
    # A duty uses the pack of the event; before the oldest pack none is due, but the author may still tell.
    may = duties_due(pack, form.KIND, own.sector, agencies, max(day, pack.valid_from), own=own.slug)
    offered = [
        code
        for code in may
        if any(_tells(local, form, code, to, filled, pack) for to in filing.duty_receiver(trust, pack, code, now))
    ]
    due = set(duties_due(pack, form.KIND, own.sector, agencies, day, own=own.slug))
    return offered, [code for code in offered if code in due]


def _tells(local: Local, form: forms.Form, code: str, to: Reachable, filled: int, pack: Pack) -> bool:  # noqa: PLR0917
    owner, gateway = local.trust.own.sector, pack.gateways[code]
    if gateway.about_child and not pack.kinds[form.KIND].duty_itself and not _may_be_child(form, pack):
        return False
    cells = ((part, pack.cell(form.KIND, owner, part, to.receiver.sector)) for part in COMPARTMENTS)
    return any(code in cell.duties and filled >> slot(part) & 1 for part, cell in cells)


def _may_be_child(form: forms.Form, pack: Pack) -> bool:
    """Tell whether anybody in the form may be a child: doubt protects, so an age that is not known may be one."""
    youngest = [forms.age_range(person)[0] for person in forms.persons_of(form)]
    return any(age is None or age < pack.parameters.child_age for age in youngest)


def _agency_views(local: Local, now: int) -> list[AgencyView]:
    return [
        (chain.slug, chain.sector, tuple(one.function for one in chain.audiences.values() if one.recipient is not None))
        for chain in local.trust.agencies(now)
    ]
