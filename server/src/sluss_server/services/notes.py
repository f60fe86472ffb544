"""Notes for readers without keys: the public, and partners who were given a note's address.

A supervisor released each of them, in clear, by a record; what is read here is that record and nothing beside it.
Refuses alike what never was, what is over, what was withdrawn, and what the pack does not let go any more.
Source: docs/protocol.md section 4; docs/secrecy-rules.md, "Who holds keys".

> INVARIANT: what may be released is decided again at every reading; the open list holds what is for everybody, and a
> note for one partner is found by its id alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import decode
from sluss_schemas.ids import ID_BYTES
from sluss_schemas.manifest import Manifest, read_manifest
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, CaseKind, NoteTerms
from sluss_server.services import reclassifying, vetting
from sluss_server.services.caseterms import WITHDRAWN, may_go
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.filing import case_of
from sluss_server.storage import directory as chains
from sluss_server.storage import disclosure, reports
from sluss_server.storage.disclosure import RecordRow

LISTED: Final = 200
"""Notes in the open list."""
_PUBLIC: Final = "PUB"
_HOUR_S: Final = 3600


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was released.

    Attributes:
        id: its id in hex; `/notes/` and this is its own address.
        agency_en: who released it, in English.
        agency_sv: the same in Swedish.
        lang: the language of `text`.
        text: the statement.
        released: the hour in which it was released, Unix seconds.
        until: when it ends, Unix seconds.

    """

    id: str
    agency_en: str
    agency_sv: str
    lang: Literal["en", "sv"]
    text: str
    released: int
    until: int


class NoteList(msgspec.Struct, frozen=True, kw_only=True):
    """The notes for everybody that hold now, the newest first."""

    notes: tuple[Note, ...]


class Notes:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def public(self) -> NoteList:
        """Return the notes for everybody that hold now."""
        now, kind = self._core.clock(), str(CaseKind.NOTE)
        found = list[Note]()
        async with self._core.engine.read() as connection:
            for view in await self._views(connection):
                agencies = sorted(view.directories)
                rows = await disclosure.records_of_kind(connection, view.partnership, agencies, kind, in_force_at=now)
                found += await self._released(connection, view, rows, now, column=_PUBLIC)
        found.sort(key=lambda one: (-one.released, one.id))
        return NoteList(notes=tuple(found[:LISTED]))

    async def one(self, name: str) -> Note:
        """Return the note with this id, for whoever was given it.

        Raises:
            Invalid: `not_found`, whatever the reason.

        """
        now, record = self._core.clock(), _id(name)
        async with self._core.engine.read() as connection:
            for view in await self._views(connection):
                agencies = sorted(view.directories)
                rows = await disclosure.records_named(connection, view.partnership, agencies, [record])
                held = [row for row in rows if row.kind == CaseKind.NOTE and row.until is not None and row.until > now]
                if found := await self._released(connection, view, held, now):
                    return found[0]
        raise Invalid("not_found", "note")

    async def _views(self, connection: AsyncConnection) -> list[View]:
        partnerships = await chains.partnership_ids(connection)
        return [await self._core.directories.refresh(one) for one in partnerships]

    async def _released(
        self, connection: AsyncConnection, view: View, rows: Sequence[RecordRow], now: int, *, column: str | None = None
    ) -> list[Note]:
        """Return those of these records that may be read; of one column, where it is given."""
        said = [row for row in rows if row.code != WITHDRAWN]
        later = await disclosure.records_following(connection, view.partnership, [row.record_id for row in said])
        withdrawn = {(row.agency, row.follows) for row in later if row.code == WITHDRAWN and row.kind == CaseKind.NOTE}
        stored = await reports.stored(connection, view.partnership, sorted({row.digest for row in said}))
        manifests = {digest: read_manifest(one.manifest) for digest, one in stored.items()}
        asked = {(row.agency, manifests[row.digest].report_id) for row in said if row.digest in manifests}
        closed = await reclassifying.protected(connection, view.partnership, asked)
        found = list[Note]()
        for row in said:
            manifest, case = manifests.get(row.digest), case_of(row)
            if case is None or manifest is None or (row.agency, row.record_id) in withdrawn:
                continue
            terms = decode(NoteTerms, case.terms, "record.terms")
            fits = column is None or terms.column == column
            open_ = fits and (row.agency, manifest.report_id) not in closed
            if open_ and await self._may(connection, view, row, manifest, case, terms=terms, now=now):
                found.append(_note(view, row, terms))
        return found

    async def _may(
        self,
        connection: AsyncConnection,
        view: View,
        row: RecordRow,
        manifest: Manifest,
        case: Case,
        *,
        terms: NoteTerms,
        now: int,
    ) -> bool:
        """Tell whether the pack in force lets every part of a note go, and whoever approved its text still does."""
        rules, directory = self._core.rules, view.directories[row.agency]
        digest = rules.now(directory.packs, now)
        pack = None if digest is None else rules.pack(digest)
        if pack is None or not all(
            may_go(pack, manifest.kind, directory.sector, number, terms) for number in terms.slots
        ):
            return False
        needs = vetting.needed(pack, manifest.kind, directory.sector, terms)
        try:
            if needs is not None:
                await vetting.check(connection, view, row.agency, case, terms, needs=needs)
        except Invalid:
            return False
        return True


def _note(view: View, row: RecordRow, terms: NoteTerms) -> Note:
    genesis = view.directories[row.agency].genesis
    return Note(
        id=row.record_id.hex(),
        agency_en="" if genesis is None else genesis.label_en,
        agency_sv="" if genesis is None else genesis.label_sv,
        lang=terms.lang,
        text=terms.text,
        released=row.received_at - row.received_at % _HOUR_S,
        until=row.until or 0,
    )


def _id(name: str) -> bytes:
    """Return the id that an address names."""
    try:
        found = bytes.fromhex(name)
    except ValueError:
        raise Invalid("not_found", "note") from None
    if len(found) != ID_BYTES or found.hex() != name:
        raise Invalid("not_found", "note")
    return found
