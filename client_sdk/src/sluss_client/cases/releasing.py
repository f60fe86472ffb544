"""What goes out beside reports: notes in clear for readers without keys, and who is on shift.

Refuses: a note by anybody but a supervisor, and one whose text names somebody: a full name, a personal number, or
whoever stands in the report, as far as it is open here.
Source: docs/protocol.md section 4; docs/secrecy-rules.md, "Who holds keys".

> INVARIANT: a note is the only thing here that leaves in clear, and only by a supervisor's word.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from sluss_client import clock
from sluss_client.cases import book, vetting
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_client.replica import Version
from sluss_client.report import Report
from sluss_client.syncing import sync_core
from sluss_schemas import cases
from sluss_schemas.codec import decode, encode
from sluss_schemas.forms import namecheck
from sluss_schemas.ids import COMPARTMENT_CODES, Sector, bit, slot
from sluss_schemas.records import CaseKind, NoteTerms, ShiftTerms

_HOUR_S: Final = 3600
_MAX_SHIFT_H: Final = 24
_MAX_NOTE: Final = 4000
_NAMED: Final = frozenset({"name", "personal_number"})
"""What no note has; a telephone number may be the agency's own."""
_SHORT: Final = 2
_ON_SHIFT: Final = bit("SUB") | bit("SUB", brief=True) | bit("SAF") | bit("SAF", brief=True)
"""What is about a person's danger, and so comes and goes with a shift."""
Column = Literal["SUPX", "EXT", "PUB"]
_COLUMNS: Final[tuple[Column, ...]] = ("PUB", "EXT", "SUPX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A note as its writer wants it; `compartments` are the parts of the report that it draws on.

    `ground` is a gateway of the pack that names the one reader, who then needs no `partner`.
    """

    column: Column
    text: str
    until: int
    compartments: Collection[str] = ("situation",)
    partner: str = ""
    lang: Literal["en", "sv"] = "sv"
    ground: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody without keys to whom a note about a report may go, and what it takes.

    Attributes:
        column: `PUB`, `EXT` or `SUPX`.
        ground: the gateway on which it goes to one reader; empty where the pack lets it go as it is.
        en: the one reader in English; empty for everybody of the column.
        sv: the same in Swedish.
        law: the statutes of the ground.
        needs: the sector whose supervisors have to approve the text first, or nothing.

    """

    column: str
    ground: str
    en: str
    sv: str
    law: tuple[str, ...]
    needs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note that this device knows of."""

    id: bytes
    column: str
    partner: str
    text: str
    until: int
    state: cases.NoteState


def note(local: Local, version: Version, wanted: Wanted, report: Report | None, now: int) -> bytes:
    """Release a statement in clear that draws on a report of the own agency; return the record's id.

    `report` is the same as far as it is open here: its persons' names are known then, and looked for.
    Where the pack lets only the reduced form go, the note is said to draw on that.

    Raises:
        Refused: `supervisor_only`; `needs_approval` until those whom the pack names have approved this very text.
        Invalid: `missing_field`, `too_long`, `unknown_code`, `out_of_range`, `names_person`.

    """
    terms, needs = _terms(local, version, wanted, report, now)
    if needs is not None:
        approved = vetting.approval(local, version.digest, wanted.until, terms)
        if approved is None:
            raise Refused("note", code="needs_approval")
        terms = msgspec.structs.replace(terms, approval=approved)
    return book.file(local, CaseKind.NOTE, now=now, digest=version.digest, until=wanted.until, terms=encode(terms))


def ask(local: Local, version: Version, wanted: Wanted, report: Report | None, now: int) -> bytes:
    """Ask for the approval that a note needs; return the request's id.

    Raises:
        Refused: `supervisor_only`; `needs_approval` where nobody in the partnership could give it.
        Invalid: as `note`; `unknown_field` for a note that needs none.

    """
    terms, needs = _terms(local, version, wanted, report, now)
    if needs is None:
        raise Invalid("unknown_field", "note", "Nobody else has to approve this note; release it.")
    return vetting.ask(local, version.digest, wanted.until, terms, needs, now)


def receivers(local: Local, version: Version, now: int) -> list[Receiver]:
    """Return to whom a note about what happened may go, for a supervisor of the owner; nobody else is told of any."""
    pack, owner = local.trust.pack(now), local.trust.own.sector
    known = pack.kinds.get(version.kind)
    if known is None or "supervisors" not in local.person.functions:
        return []
    needs = "" if known.public_needs in {None, owner} else str(known.public_needs)
    cells = [(column, pack.cells.get((version.kind, owner, "SIT", column))) for column in _COLUMNS]
    found = [
        Receiver(column=column, ground="", en="", sv="", law=cell.law, needs=needs)
        for column, cell in cells
        if cell is not None and cell.automatic in {"A", "R"}
    ]
    for code in known.note_grounds:
        ground = pack.gateways[code]
        if owner in ground.owners and ground.note_to is not None:
            to = ground.note_to
            found.append(Receiver(column="EXT", ground=code, en=to.en, sv=to.sv, law=ground.law, needs=""))
    return found


def _terms(
    local: Local, version: Version, wanted: Wanted, report: Report | None, now: int
) -> tuple[NoteTerms, Sector | None]:
    """Return a note's terms, checked, and whose supervisors have to approve them."""
    if not wanted.text.strip():
        raise Invalid("missing_field", "text")
    if len(wanted.text) > _MAX_NOTE:
        raise Invalid("too_long", "text")
    if wanted.until <= now:
        raise Invalid("out_of_range", "until", "Give a time to come.")
    if any(found in _NAMED for found, _, _ in namecheck.look(wanted.text, _names(report), place=True)):
        raise Invalid("names_person", "text")
    unknown = set(wanted.compartments) - COMPARTMENT_CODES.keys()
    if unknown or not wanted.compartments:
        raise Invalid("unknown_code", "compartments")
    pack, owner = local.trust.pack(now), local.trust.own.sector
    known, ground = pack.kinds.get(version.kind), pack.gateways.get(wanted.ground)
    column, partner = wanted.column, wanted.partner
    if wanted.ground:
        if known is None or wanted.ground not in known.note_grounds or ground is None or ground.note_to is None:
            raise Invalid("unknown_code", "ground")
        column, partner = "EXT", ground.note_to.sv if wanted.lang == "sv" else ground.note_to.en
    slots = []
    for name in wanted.compartments:
        part = COMPARTMENT_CODES[name]
        cell = pack.cells.get((version.kind, owner, part, column))
        slots.append(slot(part, brief=bool(wanted.ground) or (cell is not None and cell.automatic == "R")))
    terms = NoteTerms(column, partner, tuple(sorted(slots)), wanted.lang, wanted.text, None, wanted.ground)
    needs = None if known is None or wanted.ground or known.public_needs == owner else known.public_needs
    return terms, needs


def _names(report: Report | None) -> frozenset[str]:
    """Return the words by which a report's persons are called, where they are open here."""
    people = report.subject if report is not None and report.form_of("SUB") == "full" else None
    persons = people if isinstance(people, list) else []
    called = [text for one in persons for text in (one.name, one.alias) if text]
    words = (word.casefold() for text in called for word in text.split())
    return frozenset(word for word in words if len(word) > _SHORT)


def withdraw(local: Local, wanted: bytes, now: int) -> None:
    """Take a note back; it is not shown any more."""
    book.file(local, CaseKind.NOTE, now=now, code="withdrawn", follows=wanted, digest=_digest(local, wanted))


def _digest(local: Local, wanted: bytes) -> bytes | None:
    return next((one.case.digest for one in book.filed(local, CaseKind.NOTE) if one.case.record == wanted), None)


def notes(local: Local, now: int) -> list[Note]:
    """Return the notes that were released on this device, newest first."""
    filed = book.filed(local, CaseKind.NOTE)
    gone = {one.case.follows for one in filed if one.case.code == "withdrawn"}
    found = []
    for one in filed:
        if one.case.follows is not None or one.case.until is None or one.state == "refused":
            continue
        terms = decode(NoteTerms, one.case.terms, "terms")
        state = cases.note(withdrawn=one.case.record in gone, until=one.case.until, now=clock.latest(now))
        found.append(
            Note(
                id=one.case.record,
                column=terms.column,
                partner=terms.partner,
                text=terms.text,
                until=one.case.until,
                state=state,
            )
        )
    return found[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A shift of this person that was begun on this device and is not over."""

    id: bytes
    scene: str
    since: int
    until: int


def shifts(local: Local, now: int) -> list[Shift]:
    """Return the shifts that were begun here and are not over, the oldest first."""
    filed, at = book.filed(local, CaseKind.SHIFT), clock.latest(now)
    over = {one.case.follows for one in filed if one.case.follows is not None}
    names = {number: slug for slug, number in local.trust.scene_numbers(now).items()}
    return [
        Shift(id=case.record, scene=names.get(scene_at, ""), since=case.time, until=case.until)
        for case in (one.case for one in filed if one.state != "refused")
        if case.follows is None and case.until is not None and case.until > at and case.record not in over
        for scene_at in (decode(ShiftTerms, case.terms, "terms").scene,)
    ]


def end_shift(local: Local, wanted: bytes, now: int) -> None:
    """End a shift before its time: what came with it is let go of at once, here and at the server.

    Raises:
        NotFound: no such shift was begun here, or it is over.

    """
    found = next((one for one in shifts(local, now) if one.id == wanted), None)
    if found is None:
        raise NotFound("shift")
    with local.store.transaction():
        book.file(local, CaseKind.SHIFT, now=now, code="ended", follows=found.id, until=found.until)
        if not any(one.scene == found.scene for one in shifts(local, now)):
            _let_go(local, local.trust.scene_numbers(now).get(found.scene), now)
    local.store.scrub()


def _let_go(local: Local, scene: int | None, now: int) -> None:
    """Let go of what grounds gave that are for those on shift at a scene."""
    pack = local.trust.pack(now)
    grounds = {code for code, one in pack.gateways.items() if one.on_shift}
    changed = []
    for received in local.replica.reports():
        left = received
        for version in received.versions:
            for hold in version.holds:
                if hold.named and hold.gateway in grounds and hold.slots & _ON_SHIFT and version.scene == scene:
                    left = sync_core.recall(left, hold.grant)
        if left != received:
            changed.append(left)
    local.replica.save(changed)


def begin_shift(local: Local, scene: str, hours: int, now: int) -> bytes:
    """Say that this person is on shift at a scene for so many hours; return the record's id.

    Raises:
        Invalid: `unknown_scene`, `out_of_range`.

    """
    number = local.trust.scene_numbers(now).get(scene)
    if number is None or not local.person.at_scene(number):
        raise Invalid("unknown_scene", "scene")
    if not 1 <= hours <= _MAX_SHIFT_H:
        raise Invalid("out_of_range", "hours", "A shift lasts from 1 to 24 hours.")
    terms = encode(ShiftTerms(number))
    return book.file(local, CaseKind.SHIFT, now=now, until=now + hours * _HOUR_S, terms=terms)
