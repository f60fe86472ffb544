"""The clocks and the clear terms of case records: consents, notes and shifts.

Source: docs/protocol.md section 4.

> INVARIANT: a note draws only on parts that the pack lets go to its column by a note, and never on a report whose
> existence is secret or whose place is protected; where another agency has to approve its text, that agency has.
"""

from __future__ import annotations

from typing import Final

from sluss_schemas.codec import decode
from sluss_schemas.ids import COMPARTMENTS, KIND_SECRET, Column, Kid, Sector, slot
from sluss_schemas.manifest import read_manifest
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, CaseKind, ConsentTerms, NoteTerms, ShiftTerms
from sluss_server.services import reclassifying, shifts, vetting
from sluss_server.services.filing import Filing
from sluss_server.storage.reports import Stored

HOUR_S: Final = 3600
SHIFT_S: Final = 24 * HOUR_S
YEAR_S: Final = 366 * 24 * HOUR_S
HOLD_S: Final = 30 * YEAR_S
"""The longest legal hold: proceedings may outlast any other clock here."""
WITHDRAWN: Final = "withdrawn"
LIFTED: Final = "lifted"
BEGINS: Final = frozenset({"given", "limited"})
"""Codes of a consent that says what it covers; the others end one."""
_WITHOUT_PERSONS: Final = {slot("SIT", brief=True), slot("PLC", brief=True)}
_CLOCKED: Final = frozenset({CaseKind.TASK, CaseKind.SHIFT})


async def check(filing: Filing, case: Case, about: Stored | None) -> None:
    """Check the clock and the terms of a record; `about` is the version that it is about.

    Raises:
        Invalid: as `caserecords.check_case`.

    """
    if case.kind is CaseKind.CONSENT and (case.code != "limited") and (case.follows is None) != (case.code == "given"):
        # Who consents to more consents anew.
        raise Invalid("malformed", "record.follows")
    if case.kind is CaseKind.NOTE and (case.follows is None) == (case.code == WITHDRAWN):
        raise Invalid("malformed", "record.follows")
    if case.kind is CaseKind.SHIFT and (case.follows is None) == (case.code == shifts.ENDED):
        raise Invalid("malformed", "record.follows")
    if case.kind is CaseKind.HOLD and (case.follows is None) == (case.code == LIFTED):
        raise Invalid("malformed", "record.follows")
    covers = case.kind is CaseKind.CONSENT and case.code in BEGINS
    says = case.kind is CaseKind.NOTE and case.code != WITHDRAWN
    _check_clock(filing, case, needed=covers or says or case.kind in _CLOCKED)
    if covers:
        _consent(filing, decode(ConsentTerms, case.terms, "record.terms"), case)
    elif says:
        await _note(filing, case, decode(NoteTerms, case.terms, "record.terms"), about)
    elif case.kind is CaseKind.SHIFT and case.code != shifts.ENDED:
        _shift(filing, decode(ShiftTerms, case.terms, "record.terms"))
    elif case.terms:
        raise Invalid("malformed", "record.terms")


def _check_clock(filing: Filing, case: Case, *, needed: bool) -> None:
    if case.until is None:
        if needed:
            raise Invalid("missing_field", "record.until")
        return
    longest = YEAR_S
    if case.kind is CaseKind.SHIFT:
        longest = SHIFT_S
    elif case.kind is CaseKind.HOLD:
        longest = HOLD_S
    elif case.kind is CaseKind.CONSENT:
        hours = [one.max_hours for one in filing.pack().gateways.values() if one.basis == "consent"]
        longest = max((one * HOUR_S for one in hours if one is not None), default=longest)
    if not case.time < case.until <= case.time + longest:
        raise Invalid("out_of_range", "record.until")


def _consent(filing: Filing, terms: ConsentTerms, case: Case) -> None:
    if not set(terms.agencies) <= filing.view.directories.keys():
        raise Invalid("malformed", "record.terms.agencies")
    if case.until is not None and terms.not_before >= case.until:
        raise Invalid("out_of_range", "record.terms.not_before")


async def _note(filing: Filing, case: Case, terms: NoteTerms, about: Stored | None) -> None:
    if (terms.column == "EXT") != bool(terms.partner) and terms.column != "SUPX":
        raise Invalid("missing_field" if terms.column == "EXT" else "malformed", "note.partner")
    if about is None:
        raise Invalid("missing_field", "record.digest")
    manifest = read_manifest(about.manifest)
    if manifest.kind == KIND_SECRET:
        raise Invalid("not_allowed", "note.kind")
    version = [(about.agency, manifest.report_id)]
    closed = await reclassifying.protected(filing.connection, filing.caller.partnership, version)
    pack, owner = filing.pack(), filing.directory.sector
    for number in terms.slots:
        if closed or not may_go(pack, manifest.kind, owner, number, terms):
            raise Invalid("not_allowed", f"note.{number}")
    if (needs := vetting.needed(pack, manifest.kind, owner, terms)) is not None:
        agency = filing.caller.agency
        await vetting.check(filing.connection, filing.view, agency, case, terms, needs=needs)


def may_go(pack: Pack, kind: int, owner: Sector, number: int, terms: NoteTerms) -> bool:
    """Tell whether a pack lets a slot of an owner's report go by this note.

    On a ground of its own a note goes to the one reader whom that names, from the reduced forms of what happened and
    where.
    """
    if not terms.ground:
        return lets_go(pack, kind, owner, number, terms.column)
    known, ground = pack.kinds.get(kind), pack.gateways.get(terms.ground)
    if known is None or ground is None or terms.ground not in known.note_grounds or owner not in ground.owners:
        return False
    named = ground.note_to is not None and terms.partner in {ground.note_to.en, ground.note_to.sv}
    return named and terms.column == "EXT" and number in _WITHOUT_PERSONS


def lets_go(pack: Pack, kind: int, owner: Sector, number: int, column: Column) -> bool:
    """Tell whether a pack lets a slot of an owner's report go to a column without keys, by a note.

    What is let go in its reduced form alone is the brief.
    """
    cell = pack.cells.get((kind, owner, COMPARTMENTS[number // 2], column))
    return cell is not None and (cell.automatic == "A" or (cell.automatic == "R" and number % 2 == 1))


def _shift(filing: Filing, terms: ShiftTerms) -> None:
    if not filing.view.scene_exists(terms.scene):
        raise Invalid("unknown_scene", "record.terms.scene")
    directory = filing.directory
    person = directory.persons[directory.devices[Kid(filing.caller.device)].person]
    if not person.at_scene(terms.scene):
        raise Invalid("not_allowed", "record.terms.scene")
