"""What is said between people around reports: requests and answers, what was told aloud, and what became of a concern.

Refuses: an answer to what was not asked of this agency; feedback that says more than the codes.
Source: docs/protocol.md section 4; docs/secrecy-rules.md B4.

> INVARIANT: a request names a report only to those who own it, and its answer goes to whoever asked alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluss_client.cases import bodies, book, requested
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_client.outbox import Row
from sluss_client.sections import read_author
from sluss_schemas import cases
from sluss_schemas.codec import encode
from sluss_schemas.ids import AgencyId, Kid, ReportId, slot
from sluss_schemas.policy.model import Gateway, Pack
from sluss_schemas.records import PUBLIC_TEXT, RULES, CaseKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to an owner, as the one who asked and the owner's supervisors know it.

    Attributes:
        id: the record's id.
        agency: slug of the agency that asks.
        to: whether it was asked of this device's agency.
        code: the ground that it names, or empty.
        report_id: the report that it is about, where it names one.
        text: what is asked for.
        since: when, Unix seconds.
        state: `open`, `granted` or `refused`.
        rule: the rule that the answer rests on.
        answer: the answer's words; of a request of a kind of its own they stay with the owner.
        until: when it is to be answered, where the pack says that of its kind.
        affirmed: what the owner weighed, by its codes; known to the owner alone.
        details: what is told, by the pack's fields.

    """

    id: bytes
    agency: str
    to: bool
    code: str
    report_id: ReportId | None
    text: str
    since: int
    state: cases.RequestState
    rule: str
    answer: str
    until: int | None
    affirmed: tuple[str, ...]
    details: dict[str, str]


# requests


def request(local: Local, slug: str, said: bodies.Asked, code: str, now: int) -> bytes:
    """Ask an owner's supervisors for something; return the record's id.

    Raises:
        Invalid: `unknown_agency`, `missing_field`, `too_long`.

    """
    chain = next((one for one in local.trust.agencies(now) if one.slug == slug), None)
    if chain is None or chain.agency == local.trust.own_id:
        raise Invalid("unknown_agency", "agency")
    bodies.text(said.text, "text")
    to = [*book.agency(chain, "supervisors"), *book.own(local, "supervisors")]
    until = requested.due(local, chain, code, now)
    return book.file(local, CaseKind.REQUEST, now=now, code=code, until=until, to=to, body=encode(said))


def answer(
    local: Local, wanted: bytes, said: bodies.Answered, now: int, *, granted: bool, told: requested.Answer
) -> None:
    """Answer a request as a supervisor of the owner; what is granted is disclosed by itself.

    A request of a kind of its own is granted with what was weighed and with what is told; its words stay here.

    Raises:
        NotFound: no such open request to this agency.
        Refused: `supervisor_only`.
        Invalid: `missing_field`, `too_long`; `unknown_field`, `wrong_type` for what is told.

    """
    found = next((one for one in book.received(local, CaseKind.REQUEST) if one.case.record == wanted), None)
    if found is None or found.agency == local.trust.own_id:
        raise NotFound("request")
    if "supervisors" not in local.person.functions:
        raise Refused("device", code="supervisor_only")
    bodies.text(said.text, "text")
    asker = local.trust.agency(found.agency, now)
    to = list[book.Addressee]()
    if asker is not None:
        device = asker.devices.get(Kid(found.case.device))
        to += book.agency(asker, "supervisors") + ([] if device is None else book.person(asker, device.person))
    if granted and requested.grant(local, found, to, said, told, now=now):
        return
    to += book.own(local, "supervisors")
    code = "granted" if granted else "refused"
    book.file(local, CaseKind.ANSWER, now=now, code=code, follows=wanted, to=to, body=encode(said))


def requests(local: Local, now: int) -> list[Request]:
    """Return the requests that this device knows of, newest first."""
    answers: dict[bytes | None, list[book.Known]] = {}
    for one in book.everything(local, CaseKind.ANSWER):
        answers.setdefault(one.case.follows, []).append(one)
    slugs = {chain.agency: chain.slug for chain in local.trust.agencies(now)}
    found, pack = [], local.trust.pack(now)
    for one in book.everything(local, CaseKind.REQUEST):
        if one.case.code == PUBLIC_TEXT:
            continue
        asked, given = bodies.read(bodies.Asked, one.body), answers.get(one.case.record, [])
        state = cases.request(each.case.code for each in given)
        # Of two answers that contradict each other the words are those of the one that holds.
        held = [each for each in given if each.case.code == state]
        words = (bodies.read(bodies.Answered, each.body) or bodies.read(bodies.Weighed, each.body) for each in held)
        said = next((each for each in reversed(list(words)) if each is not None), None)
        told = [each.body for each in held if state == "granted" and each.agency != one.agency]
        rules = [each.rule for body in told if (each := bodies.read(bodies.Details, body)) is not None]
        found.append(
            Request(
                id=one.case.record,
                agency=slugs.get(one.agency, ""),
                to=one.agency != local.trust.own_id,
                code=one.case.code,
                report_id=None if asked is None or asked.report_id is None else ReportId(asked.report_id),
                text="" if asked is None else asked.text,
                since=one.case.time,
                state=state,
                rule=(rules or [""])[-1] if said is None else said.rule,
                answer="" if said is None else said.text,
                until=one.case.until,
                affirmed=said.affirmed if isinstance(said, bodies.Weighed) else (),
                details=requested.details(pack, one.case.code, told),
            )
        )
    return sorted(found, key=lambda one: one.since, reverse=True)


# what was told aloud


def told(local: Local, row: Row, code: str, said: bodies.Told, now: int) -> bytes:
    """Record that something was told by word of mouth, on a ground of the pack; return the record's id.

    Raises:
        Invalid: `unknown_code` for a ground that the pack does not have, `missing_field`, `too_long`, `future_time`.

    """
    if code not in local.trust.pack(now).gateways:
        raise Invalid("unknown_code", "gateway")
    bodies.text(said.text, "text")
    bodies.text(said.to, "to")
    if said.at > now:
        raise Invalid("future_time", "at")
    return book.file(
        local, CaseKind.ORAL, now=now, code=code, row=row, to=book.own(local, "supervisors"), body=encode(said)
    )


# feedback


def feedback(local: Local, report_id: ReportId, code: str, affirmed: Mapping[str, bool], now: int) -> None:
    """Tell the author of a report of concern what became of it: one of the codes, and nothing else.

    Raises:
        NotFound: no report of another agency here that names its author.
        Refused: `not_allowed` without the function that gives feedback.
        Invalid: `unknown_code`; `missing_field` for a precondition that was not affirmed.

    """
    if code not in RULES[CaseKind.FEEDBACK].codes:
        raise Invalid("unknown_code", "code")
    for test in _feedback_ground(local.trust.pack(now), RULES[CaseKind.FEEDBACK].files).tests:
        if affirmed.get(test.code) is not True:
            raise Invalid("missing_field", f"tests.{test.code}")
    for chain in local.trust.agencies(now):
        received = local.replica.get(chain.agency, report_id)
        if received is None or chain.agency == local.trust.own_id:
            continue
        head = received.heads()[0]
        # The author alone comes with a duty, as an excerpt of what the own agency has of them.
        parts = dict(part for hold in head.holds for part in hold.excerpts) | dict(head.sections)
        section = parts.get(slot("AUT"))
        if section is not None:
            author = read_author(section)
            to = [*book.person(chain, author.person), *book.agency(chain, "supervisors")]
            to += book.own(local, "reception", "supervisors")
            body = encode(bodies.About(report_id, ""))
            book.file(local, CaseKind.FEEDBACK, now=now, code=code, to=to, body=body)
            return
    raise NotFound("report_id")


def _feedback_ground(pack: Pack, files: tuple[str, ...]) -> Gateway:
    """Return the pack's ground for telling a reporter: the one that those decide who give feedback."""
    found = next((one for one in pack.gateways.values() if one.decides == files[0]), None)
    if found is None:
        raise Refused("device", code="not_allowed")
    return found


def feedback_for(local: Local, report_id: ReportId) -> list[str]:
    """Return the codes that came back about an own report of concern, the oldest first."""
    found = []
    for one in book.received(local, CaseKind.FEEDBACK):
        about = bodies.read(bodies.About, one.body)
        if about is not None and about.report_id == report_id and one.agency != AgencyId(local.trust.own_id):
            found.append(one.case.code)
    return found
