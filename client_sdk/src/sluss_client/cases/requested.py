"""Requests of a kind of their own, for instance how somebody is reached: who may ask whom, and the owner's answer.

Two records answer one: what was weighed goes to the own supervisors, the coded fields to whoever asked.
Refuses: fields or values that the pack does not have, and an answer before everything was weighed in writing.
Source: docs/protocol.md section 4; docs/secrecy-rules.md, "Requests of a kind of their own".

> INVARIANT: whoever asked is told coded fields and nothing else; why they are told stays with the owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sluss_client.cases import bodies, book
from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_schemas.codec import encode
from sluss_schemas.policy import requests
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.requests import RequestType
from sluss_schemas.records import AnswerTerms, CaseKind
from sluss_schemas.replay import Directory

_HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the owner says to a request: the weighing for its own supervisors, the fields for whoever asked.

    Attributes:
        tests: what was affirmed, each by its code.
        details: what is told, by the codes of the pack.

    """

    tests: Mapping[str, bool] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


def due(local: Local, chain: Directory, code: str, now: int) -> int | None:
    """Return until when such a request is to be answered; None for a request of no kind of its own.

    Raises:
        Invalid: `unknown_code` where this agency may not ask so, `unknown_agency` where that one is not to be asked.

    """
    wanted = local.trust.pack(now).requests.get(code)
    if wanted is None:
        return None
    if local.trust.own.sector not in wanted.receivers:
        raise Invalid("unknown_code", "code")
    if chain.sector not in wanted.owners:
        raise Invalid("unknown_agency", "agency")
    return now + wanted.task_hours * _HOUR_S


def grant(
    local: Local, asked: book.Known, to: list[book.Addressee], said: bodies.Answered, answer: Answer, *, now: int
) -> bool:
    """Grant a request, if it is one of a kind of its own; tell whether it is.

    Raises:
        Invalid: `missing_field` and `unknown_field` for what was not weighed, `wrong_type` for a value.

    """
    wanted = local.trust.pack(now).requests.get(asked.case.code)
    if wanted is None:
        if answer.details or answer.tests:
            raise Invalid("unknown_field", "details")
        return False
    tests = requests.affirmed(wanted, [code for code, held in answer.tests.items() if held])
    details = requests.told(wanted, answer.details)
    weighed = encode(bodies.Weighed(said.rule, tests, said.text))
    own = book.own(local, "supervisors")
    terms = encode(AnswerTerms(tests))
    with local.store.transaction():
        for body, whom in ((weighed, own), (encode(bodies.Details(said.rule, details)), [*to, *own])):
            book.file(
                local,
                CaseKind.ANSWER,
                now=now,
                code="granted",
                follows=asked.case.record,
                terms=terms,
                to=whom,
                body=body,
            )
    return True


def details(pack: Pack, code: str, given: list[bytes]) -> dict[str, str]:
    """Return what the answers to a request tell, as far as the pack has such fields in such a form."""
    wanted = pack.requests.get(code)
    found = dict[str, str]()
    for body in given:
        told = bodies.read(bodies.Details, body)
        if told is not None and wanted is not None and _holds(wanted, dict(told.details)):
            found |= dict(told.details)
    return found


def _holds(wanted: RequestType, given: Mapping[str, str]) -> bool:
    try:
        requests.told(wanted, given)
    except Invalid:
        return False
    return True
