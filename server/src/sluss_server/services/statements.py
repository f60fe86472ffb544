"""Statements: what is checked of one, what the registry shows, and who may ask for it.

A statement is a case record in clear; it reaches nobody's feed, and every supervisor may ask for those that hold.
Where agencies say different things of one scene both stay: the registry's own agency is shown, the others beside it.
Refuses: an objective of another agency, terms that do not fit the record's code, and seals: nobody is addressed.
Source: docs/protocol.md section 4.

> INVARIANT: what is given out is what a supervisor signed, byte for byte, so that whoever reads it need not trust this
> server.
> INVARIANT: a stock is given to its own agency alone: what lies between two counts is what was used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import statements as said
from sluss_schemas.ids import ID_BYTES
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, CaseKind, SignedRecord, read_record
from sluss_schemas.statements import (
    ObjectiveTerms,
    RegistryAnswer,
    RegistryAsk,
    SceneTerms,
    StaffingTerms,
    Stated,
    StockTerms,
)
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.filing import Filing, Followed
from sluss_server.services.quarantine import must_supervise
from sluss_server.storage import statements
from sluss_server.storage.disclosure import RecordRow
from sluss_server.storage.statements import StatementRow

_ALL: Final = 50_000
"""More statements of one kind than a partnership has in years; what lies beyond is not shown in the overview."""
T = TypeVar("T", SceneTerms, ObjectiveTerms, StaffingTerms)


async def check(filing: Filing, case: Case, followed: Followed | None) -> None:
    """Check what a statement says; `followed` is the statement whose place it takes.

    Raises:
        Invalid: `malformed`, `not_canonical`, `unknown_scene`, `unknown_code`, `out_of_range`, `missing_field`;
            `not_allowed` for another agency's objective or for seals; `stale_directory` for a scene that has yet to
            come back.

    """
    if case.seals:
        raise Invalid("not_allowed", "record.seals")
    if case.until is not None:
        raise Invalid("malformed", "record.until")
    terms = said.read(case.terms)
    kind, subject = said.subject_of(terms)
    if kind != case.code:
        raise Invalid("malformed", "record.code")
    if followed is not None and said.subject_of(said.read(followed.case.terms)) != (kind, subject):
        raise Invalid("malformed", "record.follows")
    if filing.past:
        # It was checked when it first came; of a restored server the directories may come back later.
        if not isinstance(terms, StockTerms) and terms.scene is not None and not filing.view.scene_exists(terms.scene):
            raise Invalid("stale_directory", "record.terms.scene")
        return
    try:
        said.check(terms, filing.pack(), filing.view.scene_exists)
    except Invalid as wrong:
        raise Invalid(wrong.code, f"record.terms.{wrong.field}") from None
    if isinstance(terms, ObjectiveTerms):
        owners = await statements.owners(filing.connection, filing.caller.partnership, kind, subject)
        if owners - {filing.caller.agency}:
            raise Invalid("not_allowed", "record.terms.objective")


def rows(records: Iterable[RecordRow]) -> list[StatementRow]:
    """Return what is written beside records that were stored just now."""
    found = list[StatementRow]()
    for row in records:
        case = read_record(row.record) if row.kind == CaseKind.STATEMENT else None
        if isinstance(case, Case):
            kind, subject = said.subject_of(said.read(case.terms))
            found.append(
                StatementRow(
                    row.partnership_id,
                    row.agency,
                    row.record_id,
                    kind,
                    subject,
                    case.time,
                    row.received_at,
                    case.terms,
                    row.record,
                    row.signature,
                )
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A statement that holds: who stated it, when, and by which record; `own` says that the registry's agency did."""

    agency: bytes
    record: bytes
    stated_at: int
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What the overview needs of the statements that hold.

    Attributes:
        scenes: by scene number, each agency's statement; the registry's own agency first, then the newest.
        objectives: each with its owner, the first to end before the others.
        staffing: hours by scene, week (its Monday as a day) and agency.

    """

    scenes: dict[int, list[tuple[Held, SceneTerms]]]
    objectives: list[tuple[Held, ObjectiveTerms]]
    staffing: dict[tuple[int, int, bytes], int]


class Statements:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def show(self, caller: Caller, ask: RegistryAsk) -> RegistryAnswer:
        """Return a page of the statements that hold, as they were signed.

        Raises:
            Invalid: `revoked_device`; `not_allowed` for whoever supervises nobody; `out_of_range` for a place that is
                none.

        """
        view = await self._core.directories.refresh(caller.partnership)
        caller = self._core.directories.again(caller, self._core.clock())
        caller.must_be_active()
        must_supervise(view, caller, "device")
        if ask.after and len(ask.after) <= ID_BYTES:
            raise Invalid("out_of_range", "after")
        subject, agency = ask.after[:-ID_BYTES], ask.after[-ID_BYTES:]
        async with self._core.engine.read() as connection:
            found = await statements.current(
                connection,
                caller.partnership,
                ask.subject,
                subject=subject,
                agency=agency,
                limit=said.MAX_STATEMENTS + 1,
            )
        if ask.subject == "stock":
            found = [row for row in found if row.agency == caller.agency]
        page, more = found[: said.MAX_STATEMENTS], len(found) > said.MAX_STATEMENTS
        return RegistryAnswer(
            tuple(Stated(row.agency, SignedRecord(row.record, row.signature), row.received_at) for row in page),
            page[-1].subject + page[-1].agency if more else b"",
        )

    async def current(self, partnership: bytes, *, since_week: int = 0) -> Registry:
        """Return the statements that hold; of staffing those of a week and later."""
        view = await self._core.directories.refresh(partnership)
        holder = None if view.registry is None else bytes(view.registry.agency)
        async with self._core.engine.read() as connection:
            scenes = await self._all(connection, partnership, holder, SceneTerms)
            objectives = await self._all(connection, partnership, holder, ObjectiveTerms)
            staffing = await self._all(connection, partnership, holder, StaffingTerms, said.from_week(since_week))
        by_scene = dict[int, list[tuple[Held, SceneTerms]]]()
        for held, scene in sorted(scenes, key=lambda one: (not one[0].own, -one[0].stated_at, one[0].agency)):
            by_scene.setdefault(scene.scene, []).append((held, scene))
        return Registry(
            scenes=by_scene,
            objectives=sorted(objectives, key=lambda one: (one[1].ended, one[1].until, one[1].objective)),
            staffing={(terms.scene, terms.week, held.agency): terms.hours for held, terms in staffing},
        )

    async def _all(
        self, connection: AsyncConnection, partnership: bytes, holder: bytes | None, type_: type[T], after: bytes = b""
    ) -> Sequence[tuple[Held, T]]:
        kind = str(type_.__struct_config__.tag)
        subject, agency = after[:-ID_BYTES], after[-ID_BYTES:]
        found = await statements.current(connection, partnership, kind, subject=subject, agency=agency, limit=_ALL)
        read = [(row, said.read(row.terms)) for row in found]
        return [
            (
                Held(agency=row.agency, record=row.record_id, stated_at=row.stated_at, own=row.agency == holder),
                terms,
            )
            for row, terms in read
            if isinstance(terms, type_)
        ]
