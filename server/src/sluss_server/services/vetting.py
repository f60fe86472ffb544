"""Texts that another agency approves before they are released: a request, its supervisors' answer, and the note.

The answer names the text by its hash, in clear, so that a note which says anything else rests on nothing.
Refuses: a note without that answer, with another text, or where no such agency is in the partnership; an approval that
was taken back is none.
Source: docs/protocol.md section 4 (`TextTerms`); docs/secrecy-rules.md, K18.

> INVARIANT: what has to be approved is shown only while a supervisor of the other agency stands by that very text.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import decode
from sluss_schemas.ids import Sector
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.records import PUBLIC_TEXT, Case, CaseKind, NoteTerms, TextTerms, text_digest
from sluss_server.services.directories import View
from sluss_server.services.filing import Filing, Followed, case_of, functions_of
from sluss_server.storage import disclosure

_WANTED: Final = "needs_approval"


def checked(filing: Filing, case: Case, followed: Followed | None) -> Case:
    """Return an answer about a text without the terms that were checked here; any other record as it is.

    Raises:
        Invalid: `not_allowed` for an answer by anybody but another agency's supervisors; `malformed`.

    """
    if case.kind is not CaseKind.ANSWER or followed is None or followed.case.code != PUBLIC_TEXT:
        return case
    own = followed.agency == filing.caller.agency
    if not filing.past and (own or "supervisors" not in functions_of(filing.directory, filing.caller.device)):
        raise Invalid("not_allowed", "record.device")
    if case.code == "granted":
        decode(TextTerms, case.terms, "record.terms")
        return msgspec.structs.replace(case, terms=b"")
    return case


def needed(pack: Pack, kind: int, owner: Sector, terms: NoteTerms) -> Sector | None:
    """Return whose supervisors have to approve a note; what goes on a ground of its own is told to one reader alone."""
    known = pack.kinds.get(kind)
    needs = None if known is None or terms.ground else known.public_needs
    return None if needs == owner else needs


async def check(
    connection: AsyncConnection, view: View, agency: bytes, note: Case, terms: NoteTerms, *, needs: Sector
) -> None:
    """Return quietly if a note's text is approved.

    Raises:
        Invalid: `needs_approval`; `not_found` for an answer that has not come.

    """
    approvers = sorted(one for one, directory in view.directories.items() if directory.sector == needs)
    if not approvers:
        raise Invalid(_WANTED, "note.approver")
    if terms.approval is None or note.digest is None or note.until is None:
        raise Invalid(_WANTED, "note.approval")
    rows = await disclosure.records_named(connection, view.partnership, approvers, [terms.approval])
    if not rows:
        raise Invalid("not_found", "note.approval")
    row, answer = rows[0], case_of(rows[0])
    if answer is None or answer.kind is not CaseKind.ANSWER or answer.code != "granted" or answer.follows is None:
        raise Invalid(_WANTED, "note.approval")
    asked = await disclosure.records_named(connection, view.partnership, [agency], [answer.follows])
    if not any(one.code == PUBLIC_TEXT and one.kind == CaseKind.REQUEST for one in asked):
        raise Invalid(_WANTED, "note.approval")
    if decode(TextTerms, answer.terms, "record.terms").digest != text_digest(note.digest, note.until, terms):
        raise Invalid(_WANTED, "note.text")
    # In the order in which they came: the last word of those who approve counts.
    said = await disclosure.records_following(connection, view.partnership, [answer.follows])
    last = [one for one in said if one.agency == row.agency and one.kind == CaseKind.ANSWER][-1:]
    if any(one.code != "granted" for one in last):
        raise Invalid(_WANTED, "note.approval")
