"""Texts that another agency's supervisors read and approve word by word before they are released.

The owner's supervisor asks with the note as it would be released; the others answer with what stands for that very
text; only then the owner releases it. Whoever approved can take it back, and the note is shown no longer.
Refuses: an answer by anybody but a supervisor, and a release of other words than those approved.
Source: docs/protocol.md section 4 (`TextTerms`); docs/secrecy-rules.md, K18.

> INVARIANT: what is approved is what is shown here, to the byte: the text, its readers, its end and what it draws on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluss_client.cases import bodies, book
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_schemas import cases
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import Kid, Sector
from sluss_schemas.records import PUBLIC_TEXT, CaseKind, NoteTerms, TextTerms, text_digest

_NOBODY = "No agency that may approve it is in the partnership, so nothing of this is released."


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that waits for approval, or had its answer.

    Attributes:
        id: the request's id.
        agency: slug of the agency that wants to release it.
        to: whether this device's agency is asked.
        column: for whom it is: `PUB`, `EXT` or `SUPX`.
        partner: the one reader, where it is not for everybody.
        lang: its language.
        text: every word of it.
        until: until when it would be shown, Unix seconds.
        since: when it was asked, Unix seconds.
        state: `open`, `granted` or `refused`.
        answer: why it was refused.

    """

    id: bytes
    agency: str
    to: bool
    column: str
    partner: str
    lang: str
    text: str
    until: int
    since: int
    state: cases.RequestState
    answer: str


def ask(local: Local, digest: bytes, until: int, terms: NoteTerms, needs: Sector, now: int) -> bytes:  # noqa: PLR0917  # what is asked
    """Ask the supervisors of a sector to approve a note; return the request's id.

    Raises:
        Refused: `supervisor_only`; `needs_approval` where there is no such agency.

    """
    if "supervisors" not in local.person.functions:
        raise Refused("device", code="supervisor_only")
    chains = [chain for chain in local.trust.agencies(now) if chain.sector == needs]
    to = [one for chain in chains for one in book.agency(chain, "supervisors")]
    if not to:
        raise Refused("note", _NOBODY, code="needs_approval")
    body = encode(bodies.PublicText(digest, until, encode(terms)))
    return book.file(
        local, CaseKind.REQUEST, now=now, code=PUBLIC_TEXT, to=[*to, *book.own(local, "supervisors")], body=body
    )


def approval(local: Local, digest: bytes, until: int, terms: NoteTerms) -> bytes | None:
    """Return the answer that approves this very text, or None."""
    wanted = text_digest(digest, until, terms)
    for request, _, asked in _asked(local):
        said = _answers(local, request)
        if text_digest(asked.digest, asked.until, _terms(asked)) == wanted and said and said[-1].case.code == "granted":
            return said[-1].case.record
    return None


def answer(local: Local, wanted: bytes, text: str, now: int, *, approve: bool) -> None:
    """Approve a text of another agency, or refuse it; what was approved before is taken back by a refusal.

    Raises:
        NotFound: no such text was put to this agency.
        Refused: `supervisor_only`.
        Invalid: `missing_field` for a refusal without a reason, `too_long`.

    """
    found = next((one for one in _asked(local) if one[0].case.record == wanted), None)
    if found is None or found[0].agency == local.trust.own_id:
        raise NotFound("text")
    if "supervisors" not in local.person.functions:
        raise Refused("device", code="supervisor_only")
    bodies.text(text, "reason", needed=not approve)
    request, _, asked = found
    asker = local.trust.agency(request.agency, now)
    to = book.own(local, "supervisors")
    if asker is not None:
        to += book.agency(asker, "supervisors")
        device = asker.devices.get(Kid(request.case.device))
        to += [] if device is None else book.devices(asker, [device.kid])
    terms = encode(TextTerms(text_digest(asked.digest, asked.until, _terms(asked)))) if approve else b""
    book.file(
        local,
        CaseKind.ANSWER,
        now=now,
        code="granted" if approve else "refused",
        follows=wanted,
        terms=terms,
        to=to,
        body=encode(bodies.Answered("", text)),
    )


def texts(local: Local, now: int) -> list[Text]:
    """Return the texts that this device knows of, the newest first."""
    slugs = {chain.agency: chain.slug for chain in local.trust.agencies(now)}
    found = []
    for request, terms, asked in _asked(local):
        said = _answers(local, request)
        words = None if not said else bodies.read(bodies.Answered, said[-1].body)
        state = "open" if not said else said[-1].case.code
        found.append(
            Text(
                id=request.case.record,
                agency=slugs.get(request.agency, ""),
                to=request.agency != local.trust.own_id,
                column=terms.column,
                partner=terms.partner,
                lang=terms.lang,
                text=terms.text,
                until=asked.until,
                since=request.case.time,
                state=state,  # type: ignore[arg-type]  # the codes of an answer
                answer="" if words is None else words.text,
            )
        )
    return found[::-1]


def _asked(local: Local) -> Iterator[tuple[book.Known, NoteTerms, bodies.PublicText]]:
    """Yield the requests of this kind that open here, the oldest first."""
    for one in book.everything(local, CaseKind.REQUEST):
        asked = bodies.read(bodies.PublicText, one.body) if one.case.code == PUBLIC_TEXT else None
        if asked is not None:
            try:
                yield one, _terms(asked), asked
            except Invalid:
                continue


def _terms(asked: bodies.PublicText) -> NoteTerms:
    return decode(NoteTerms, asked.terms, "terms")


def _answers(local: Local, request: book.Known) -> list[book.Known]:
    """Return what those said who were asked, the oldest first."""
    said = book.everything(local, CaseKind.ANSWER)
    return [one for one in said if one.case.follows == request.case.record and one.agency != request.agency]
