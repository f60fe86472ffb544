"""An extract for a person who asks what the agency has noted about them: what is theirs, and what is left out and why.

For: a supervisor of the owning agency, over the reports that are open on this device; a row that is only held stays
closed until it is opened for a task or a reason, and is counted here.
Refuses: another agency's reports, which their owner answers for, and everybody but a supervisor.

> INVARIANT: of the persons in a report only the one who asks is in it, and of a text nothing that seems to name others.
> INVARIANT: where the pack says so no more is told of a report's time than its day: the hour says whose shift it was.
> INVARIANT: every report in an extract that the server has is told to the agency's ledger as read.

Source: docs/secrecy-rules.md B7 29.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

import msgspec

from sluss_client import views
from sluss_client.errors import Invalid, Refused
from sluss_client.local import Local
from sluss_client.report import Report
from sluss_client.syncing import reads
from sluss_schemas import forms
from sluss_schemas.forms import namecheck
from sluss_schemas.forms.base import HEADS
from sluss_schemas.ids import COMPARTMENT_NAMES, COMPARTMENTS, Compartment, ReportId, kind_code
from sluss_schemas.policy.extract import LeftOut, divide
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import CATALOGUE

_TEXTS: Final = ("description", "contact")
"""What is written freely about a person."""
_LOOKS: Final = frozenset(get_args(namecheck.FindingKind))
_PERSONS: Final = frozenset({"name", "personal_number"})
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """One report about the person.

    Attributes:
        kind: its name, for instance `outreach_contact`.
        scene: where, if the place is told.
        time: when; as coarse as everybody sees it unless the situation is told, and by its day where the pack says so.
        person: the person's own entry; None where it is left out, or cannot be told from another's.
        parts: what is told besides, by compartment and field.
        left_out: what is not, with the statute.

    """

    report_id: ReportId
    kind: str
    scene: str | None
    time: datetime
    person: forms.Person | None
    parts: dict[str, dict[str, object]]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """What the agency tells a person; `law` is by what, and `unopened` how many rows nobody has opened here."""

    law: tuple[str, ...]
    reports: tuple[Extracted, ...]
    unopened: int


def extract(local: Local, name: str, pack: Pack, now: int) -> Extract:
    """Return the extract for whoever has this name or alias, whatever the case of its letters, the newest report first.

    Raises:
        Refused: `supervisor_only`; `closed` where the pack has no table of what is told.
        Invalid: `missing_field` without a name.

    """
    if "supervisors" not in local.person.functions:
        raise Refused("extract", code="supervisor_only")
    if pack.extract is None:
        raise Refused("extract", code="closed")
    wanted = " ".join(name.split()).casefold()
    if not wanted:
        raise Invalid("missing_field", "name")
    own = (report for report in views.all_reports(local, pack, now) if report.agency == local.trust.own.slug)
    about = ((report, _persons(report)) for report in own)
    found = [
        _extracted(local, report, persons, wanted, pack, now)
        for report, persons in about
        if any(_is(one, wanted) for one in persons)
    ]
    found.sort(key=lambda one: (one.time, one.report_id), reverse=True)
    return Extract(pack.extract.law, tuple(found), len(views.held(local, pack)))


def _persons(report: Report) -> list[forms.Person]:
    persons = report.subject if report.form_of("SUB") == "full" else None
    return persons if isinstance(persons, list) else []


def _is(person: forms.Person, wanted: str) -> bool:
    names = (person.name, person.alias)
    return any(" ".join(one.split()).casefold() == wanted for one in names if one)


def _extracted(  # noqa: PLR0917  # what an extract is made of
    local: Local, report: Report, persons: Sequence[forms.Person], wanted: str, pack: Pack, now: int
) -> Extracted:
    if report.digest:
        report.watched(lambda number: reads.opened(local, report.digest, number, now))
    mine = [one for one in persons if _is(one, wanted)]
    others = [one for one in persons if not _is(one, wanted)]
    # Two entries of one name: nobody here knows which of them asks.
    own = mine[0] if len(mine) == 1 else None
    others += [] if own is not None else mine
    texts = _Texts(own, others)
    person = None if own is None else texts.cleaned(own)
    named = texts.named(report, pack)
    if person != own:
        named.add("SUB")
    rules = pack.extract
    if rules is None:  # pragma: no cover - asked by the caller
        raise Refused("extract", code="closed")
    kind = kind_code(report.kind_number)
    divided = divide(
        rules,
        kind,
        local.trust.own.sector,
        embargo=not report.limits_known or report.hold == "embargo",
        others=bool(others),
        named=named,
        parts=_filled(report),
    )
    parts = {COMPARTMENT_NAMES[part]: _fields(report, part) for part in divided.told if part != "SUB"}
    time = report.observed_at if "SIT" in divided.told else report.time
    if kind in rules.day_only:
        time = time.replace(hour=0, minute=0, second=0, microsecond=0)
        for fields in parts.values():
            fields.pop("observed_at", None)
    return Extracted(
        report_id=report.id,
        kind=report.kind,
        scene=report.scene if "PLC" in divided.told else None,
        time=time,
        person=person if "SUB" in divided.told else None,
        parts={name: fields for name, fields in parts.items() if fields},
        left_out=divided.left_out + tuple(_closed(report)),
    )


def _filled(report: Report) -> set[Compartment]:
    """Return the parts that have something in them here; who wrote it always counts as one."""
    return {"AUT", *report.full_arrays()}


def _closed(report: Report) -> Iterator[LeftOut]:
    """Yield the parts that this supervisor may not read either."""
    for part in COMPARTMENTS:
        if part not in {"AUT", "ATT"} and report.form_of(part) is None:
            law = report.why_closed(part).law
            yield LeftOut(part, "closed", law, CATALOGUE["closed"][1], "Paketet öppnar inte den här delen.")


def _fields(report: Report, part: Compartment) -> dict[str, object]:
    values = report.coded(COMPARTMENT_NAMES[part])
    heads = {name: getattr(report, name) for name in HEADS[part] if name == COMPARTMENT_NAMES[part]}
    return {name: value for name, value in (heads | values).items() if value not in (None, [])}


class _Texts:
    """What in texts seems to name somebody else than the person who asks."""

    def __init__(self, own: forms.Person | None, others: Sequence[forms.Person]) -> None:
        """Take the person, if it is known which, and everybody else whom the report names."""
        self._own = frozenset() if own is None else _names(own)
        self._others = frozenset(word for one in others for word in _names(one)) - self._own

    def named(self, report: Report, pack: Pack) -> set[Compartment]:
        """Return the parts whose text seems to name others; all of them where they cannot be looked at."""
        full = report.full_arrays()
        try:
            form = forms.rebuild(report.kind_number, full, pack)
        except Invalid:
            return set(full)
        return {part for _, part, text in namecheck.texts(form) if self._finds(text, place=part == "PLC")}

    def cleaned(self, person: forms.Person) -> forms.Person:
        """Return the person's entry without a text that seems to name others."""
        written = {name: getattr(person, name) for name in _TEXTS}
        bad = {name: None for name, text in written.items() if text and self._finds(text, only=_PERSONS)}
        return msgspec.structs.replace(person, **bad)

    def _finds(self, text: str, *, place: bool = False, only: frozenset[str] = _LOOKS) -> bool:
        found = namecheck.look(text, self._others, place=place)
        return any(kind in only and not _words(text[start:end]) <= self._own for kind, start, end in found)


def _names(person: forms.Person) -> frozenset[str]:
    """Return the words by which a person is named."""
    return frozenset[str]().union(*(_words(one) for one in (person.name, person.alias, person.personal_number) if one))


def _words(text: str) -> frozenset[str]:
    """Return the words of a text in small letters; what is somebody's is written with an s."""
    return frozenset(word.removesuffix("s") for word in _WORD.findall(text.casefold()))
